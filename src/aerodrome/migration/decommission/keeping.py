"""The final backup of a source's metadata database, sealed, and the archive of its logs; and the proof that the backup restores.

The seal is that of the platform's own backups (databases/sealing.py): AES-256-GCM under a key from the passphrase.
"""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from aerodrome import databases
from aerodrome.databases.sealing import opened, sealed
from aerodrome.kernel.clock import to_text
from aerodrome.kernel.digest import digest_of_file
from aerodrome.kernel.errors import Broken, Conflict, Invalid
from aerodrome.kernel.secret import Secret
from aerodrome.migration.decommission import mysql

Progress = Callable[[str], None]
Scratch = Callable[[], AbstractContextManager[Secret]]
"""Gives the URL of an empty PostgreSQL database, gone afterwards."""


def back_up(
    url: Secret, airflow_version: str, target: Path, passphrase: Secret, progress: Progress
) -> Mapping[str, Any]:
    """Copy the database at one moment and seal the copy into `target`; the plain copy is removed. Safe to repeat.

    SQLite, PostgreSQL, and MySQL or MariaDB, each in the form that its own tools restore.
    """
    plain = target.with_name(f".{target.name}.plain")
    target.unlink(missing_ok=True)
    try:
        made: databases.DatabaseSnapshot | mysql.Dumped
        if mysql.is_mysql(url):
            made = mysql.dump(url, plain, airflow_version, progress)
        else:
            made = databases.snapshot(url, plain, airflow_version, progress)
        progress("sealing the copy")
        with sealed(target, passphrase) as stream, tarfile.open(fileobj=stream, mode="w|") as archive:
            archive.add(plain, arcname="snapshot")
    finally:
        shutil.rmtree(plain, ignore_errors=True)
    return {
        **made.as_data(),
        "path": str(target),
        "snapshot_digest": made.digest,
        "digest": digest_of_file(target),
        "size_bytes": target.stat().st_size,
    }


def test_restore(target: Path, passphrase: Secret, scratch: Scratch, progress: Progress, at: Any) -> Mapping[str, Any]:
    """Open the sealed file, restore it into an empty database and count every table's rows against the manifest."""
    folder = target.with_name(f".{target.name}.trial")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    try:
        unseal(target, passphrase, folder / "opened")
        counts, written = _restored(folder, scratch, progress)
        if counts != written:
            raise Broken(
                "The restored backup does not hold the rows that were written.",
                code="backup-not-proven",
                hint="Take it again; if it stays so, the disk or the database is damaged.",
                details={"tables": sorted(name for name in written if counts.get(name) != written[name])},
            )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {"is_proven": True, "tables": len(counts), "rows": sum(counts.values()), "at": to_text(at)}


def _restored(folder: Path, scratch: Scratch, progress: Progress) -> tuple[dict[str, int], dict[str, int]]:
    """Restore what was opened; give the rows per table that are there now, and those that were written."""
    opened_at = folder / "opened" / "snapshot"
    if (opened_at / mysql.DUMP).exists():
        return mysql.restore_into_trial(opened_at, progress), mysql.written(opened_at)
    made = databases.read_snapshot(opened_at)
    progress("restoring the backup into an empty database")
    if made.dialect == "sqlite":
        url = Secret(f"sqlite:///{folder / 'trial.db'}")
        databases.restore(made.folder, url, progress)
        return dict(databases.row_counts(url)), dict(made.row_counts)
    with scratch() as url:
        databases.restore(made.folder, url, progress)
        return dict(databases.row_counts(url)), dict(made.row_counts)


def archive_logs(folder: Path, target: Path, passphrase: Secret, progress: Progress) -> Mapping[str, Any]:
    """Seal a folder of task logs into one file; then read it back to its end."""
    if not folder.is_dir():
        raise Invalid(
            f"There is no folder {folder}.",
            code="logs-missing",
            hint="Name a folder on the machine that runs `aerodrome serve`.",
            details={"field": "logs"},
        )
    return _archive({"logs": folder}, target, passphrase, progress)


def archive_definitions(
    definitions: Path, profile: Path | None, target: Path, passphrase: Secret, progress: Progress
) -> Mapping[str, Any]:
    """Seal definitions (a folder, or one file) and the profile that converted them; then read them back to the end."""
    if not definitions.exists():
        raise Invalid(
            f"There is no {definitions} any more.",
            code="source-path-missing",
            hint="Put the definitions back as they were assessed, on the machine that runs `aerodrome serve`.",
            details={"field": "definitions"},
        )
    parts = {"definitions": definitions} | ({"profile": profile} if profile is not None else {})
    return _archive(parts, target, passphrase, progress)


def _archive(parts: Mapping[str, Path], target: Path, passphrase: Secret, progress: Progress) -> Mapping[str, Any]:
    """Seal folders and files under the names of `parts`, links left out."""
    target.unlink(missing_ok=True)
    files = size = 0
    with sealed(target, passphrase) as stream, tarfile.open(fileobj=stream, mode="w|") as archive:
        for name, path in _files(parts):
            archive.add(path, arcname=name, recursive=False)
            files += 1
            size += path.stat().st_size
            if files % 500 == 0:
                progress(f"{files:,} files archived")
    with opened(target, passphrase) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
        found = sum(1 for _member in archive)
    if found != files:
        raise Broken("The archive does not read back whole.", code="logs-not-proven", hint="Archive them again.")
    return {"path": str(target), "files": files, "bytes": size, "digest": digest_of_file(target)}


def _files(parts: Mapping[str, Path]) -> Iterator[tuple[str, Path]]:
    for name, folder in parts.items():
        if folder.is_file():
            yield f"{name}/{folder.name}", folder
            continue
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                yield f"{name}/{path.relative_to(folder).as_posix()}", path


def unseal(path: Path, passphrase: Secret, folder: Path) -> None:
    """Unpack a sealed file into a new folder; Conflict when it exists, Denied for a wrong passphrase."""
    if folder.exists():
        raise Conflict(f"{folder} exists already.", code="folder-exists", hint="Name another folder.")
    folder.mkdir(mode=0o700, parents=True)
    with opened(path, passphrase) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
        archive.extractall(folder, filter="data")
        while stream.read(1 << 20):  # to the end: what follows the archive is checked too
            pass
