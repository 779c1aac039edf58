"""A metadata database at rest: a folder with its data and a manifest, and the database again from it.

SQLite: `airflow.db`. PostgreSQL: `dump/`, the directory format of pg_dump. `manifest.json` is written last, inside a
draft folder that gets its name in one step: a folder with the right name is a complete snapshot.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aerodrome.databases import tools
from aerodrome.databases.contract import DatabaseSnapshot, Progress
from aerodrome.databases.counts import postgres_counts, postgres_revision, sqlite_counts, sqlite_revision
from aerodrome.databases.places import PostgresPlace, SqlitePlace, place_of, remove_sqlite, sync_folder
from aerodrome.kernel.clock import from_text, to_text
from aerodrome.kernel.digest import digest_of, digest_of_file
from aerodrome.kernel.errors import Broken, Conflict, Invalid, NotFound
from aerodrome.kernel.secret import Secret

FORMAT = 1
_MANIFEST = "manifest.json"
_DATABASE = "airflow.db"
_DUMP = "dump"
JOBS = max(2, min(4, os.cpu_count() or 2))


def snapshot(url: Secret, folder: Path, airflow_version: str, progress: Progress) -> DatabaseSnapshot:
    """Copy the database, consistent at one moment, into a folder that does not exist yet; Airflow may keep running.

    Repeating it after a crash is safe: a complete snapshot in the folder is given as it is, a half one starts anew.
    """
    if (folder / _MANIFEST).exists():
        return read_snapshot(folder)
    if folder.exists():
        raise Conflict(
            f"{folder} exists and is no snapshot.", code="snapshot-folder-taken", hint="Name another folder."
        )
    place = place_of(url)
    started, taken_at = time.monotonic(), datetime.now(UTC)
    draft = folder.with_name(f".{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700, parents=True)
    progress(f"Copying the database {place.label}.")
    if isinstance(place, SqlitePlace):
        counts, revision = _take_sqlite(place, draft)
    else:
        counts, revision = _take_postgres(place, draft)
    files = _close_to_others(draft)
    made = DatabaseSnapshot(
        folder=folder,
        dialect="sqlite" if isinstance(place, SqlitePlace) else "postgresql",
        airflow_version=airflow_version,
        revision=revision,
        taken_at=taken_at,
        size_bytes=sum(file.stat().st_size for file in files),
        digest=_digest(draft, files),
        row_counts=counts,
        seconds=round(time.monotonic() - started, 3),
    )
    _write_durably(draft / _MANIFEST, json.dumps({"format": FORMAT, **made.as_data()}, indent=1))
    draft.rename(folder)  # from here on it is a snapshot
    sync_folder(folder.parent)
    progress(f"Copied {sum(counts.values()):,} rows, {made.size_bytes:,} bytes at rest, in {made.seconds:.1f} s.")
    return made


def read_snapshot(folder: Path) -> DatabaseSnapshot:
    """Read a snapshot's manifest; NotFound when there is no complete one. The digest is not checked here, restore does."""
    try:
        data: dict[str, Any] = json.loads((folder / _MANIFEST).read_text())
        if data.pop("format") != FORMAT:
            raise Invalid(
                f"The snapshot in {folder} was written in another format.",
                code="snapshot-format-unknown",
                hint="Read it with the version of Aerodrome that wrote it.",
            )
        taken_at = from_text(data.pop("taken_at"))
        assert taken_at is not None  # noqa: S101
        return DatabaseSnapshot(folder=folder, taken_at=taken_at, **data)
    except FileNotFoundError:
        raise NotFound(
            f"There is no complete snapshot in {folder}.", code="snapshot-missing", hint="Take one first."
        ) from None
    except (ValueError, KeyError, TypeError, AssertionError) as error:
        raise _damaged(folder) from error


def restore(folder: Path, url: Secret, progress: Progress) -> None:
    """Put a snapshot in the place of the database behind the URL, all or nothing; nobody may be using it.

    What was there before is replaced. Broken `snapshot-damaged` when the files are not those of the manifest.
    """
    made, place = read_snapshot(folder), place_of(url)
    check_files(made)
    check_dialect(made, place)
    started = time.monotonic()
    if isinstance(place, SqlitePlace):
        draft = place.sibling("restore").path
        restore_sqlite(made, draft)
        place.take_over(draft)
    elif place.may_make_databases():
        sibling = place.sibling("restore")
        sibling.create(like=place)
        tools.load(sibling, folder / _DUMP, jobs=JOBS)
        with sibling.connect() as connection:
            connection.execute("analyze")
        place.take_over(sibling)
    else:
        tools.load_over(place, folder / _DUMP)
    progress(f"Restored the snapshot of {to_text(made.taken_at)} in {time.monotonic() - started:.1f} s.")


def restore_sqlite(made: DatabaseSnapshot, target: Path) -> None:
    """Copy the snapshot's file to a draft (0600); the snapshot must have been checked."""
    remove_sqlite(target)
    SqlitePlace(made.folder / _DATABASE, Secret("")).copy_to(target)


def load_postgres(made: DatabaseSnapshot, empty: PostgresPlace) -> None:
    """Load the snapshot into an empty database; the snapshot must have been checked."""
    tools.load(empty, made.folder / _DUMP, jobs=JOBS)


def check_files(made: DatabaseSnapshot) -> None:
    """Raise Broken `snapshot-damaged` unless the files are those of the manifest."""
    try:
        is_whole = _digest(made.folder, _files(made.folder)) == made.digest
    except OSError as error:
        raise _damaged(made.folder) from error
    if not is_whole:
        raise _damaged(made.folder)


def check_dialect(made: DatabaseSnapshot, place: SqlitePlace | PostgresPlace) -> None:
    """Raise Invalid when the snapshot is of the other kind of database."""
    if (made.dialect == "sqlite") != isinstance(place, SqlitePlace):
        raise Invalid(
            f"The snapshot is of a {made.dialect} database; {place.label} is of another kind.",
            code="snapshot-other-dialect",
            hint=f"Restore it into a {made.dialect} database, then copy that across.",
        )


def _take_sqlite(place: SqlitePlace, draft: Path) -> tuple[Mapping[str, int], str]:
    place.copy_to(draft / _DATABASE)
    with closing(SqlitePlace(draft / _DATABASE, Secret("")).connect(is_read_only=True)) as copy:
        return sqlite_counts(copy), sqlite_revision(copy)


def _take_postgres(place: PostgresPlace, draft: Path) -> tuple[Mapping[str, int], str]:
    with place.connect(is_autocommit=False) as connection:
        connection.execute("set transaction isolation level repeatable read read only")
        row = connection.execute("select pg_export_snapshot()").fetchone()
        assert row is not None  # noqa: S101
        tools.dump(place, draft / _DUMP, at=row[0], jobs=JOBS)
        return postgres_counts(connection), postgres_revision(connection)


def _files(folder: Path) -> list[Path]:
    """Give the files that hold data, sorted."""
    found = [folder / _DATABASE, *(folder / _DUMP).rglob("*")]
    return sorted(path for path in found if path.is_file())


def _close_to_others(folder: Path) -> list[Path]:
    """Let nobody else read, and write everything through to the disk."""
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o700 if path.is_dir() else 0o600)
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        os.fsync(descriptor)
        os.close(descriptor)
    return _files(folder)


def _digest(folder: Path, files: list[Path]) -> str:
    return digest_of({str(file.relative_to(folder)): digest_of_file(file) for file in files})


def _write_durably(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())


def _damaged(folder: Path) -> Broken:
    return Broken(
        f"The snapshot in {folder} is damaged: its files are not those that were written.",
        code="snapshot-damaged",
        hint="Restore another one; this one must not be trusted.",
    )
