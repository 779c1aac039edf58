"""Backs the platform up into one encrypted file, checks such a file, and restores an empty home from it.

Called by the command line, without a server. In: the database's rows, keys, bundles, migrations, and snapshots of metadata databases
when asked for. Not in: virtualenvs (built again), logs, and the deployments' own folders (made again by the reconciler; their metadata
databases are what a deployment's backups are for).
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import IO, Any, Final

from sqlalchemy import Connection, MetaData, inspect

from aerodrome.bootstrap.safekeeping import rows
from aerodrome.bootstrap.safekeeping.lock import alone
from aerodrome.databases.sealing import opened, sealed
from aerodrome.kernel.clock import Clock, to_text
from aerodrome.kernel.errors import Broken, Conflict, Invalid
from aerodrome.kernel.secret import Secret
from aerodrome.kernel.version import version
from aerodrome.settings.model import Settings
from aerodrome.store import Store, open_store, schema

FORMAT: Final = 1
FOLDERS: Final = ("keys", "bundles", "migrations")
SNAPSHOTS: Final = "snapshots"
BRING_BACK: Final = "bring-back.json"  # deployment -> snapshot that the restored platform begins with
_ABOUT, _MANIFEST = "about.json", "manifest.json"
_ROWS: Final = "rows"
_STAGE: Final = ".restoring"
Progress = Callable[[str], None]


@dataclass(frozen=True)
class About:
    """What a backup is of; its first member."""

    format: int
    aerodrome_version: str
    schema_revision: str
    database: str  # sqlite | postgresql; it restores into either
    created_at: str
    has_snapshots: bool


@dataclass
class Contents:
    """What was found in a backup, or put into it."""

    about: About
    files: dict[str, tuple[int, str]] = field(default_factory=dict)  # member -> size in bytes, SHA-256
    row_counts: dict[str, int] = field(default_factory=dict)

    @property
    def size_bytes(self) -> int:
        return sum(size for size, _ in self.files.values())


def back_up(
    settings: Settings,
    clock: Clock,
    file: Path,
    passphrase: Secret,
    *,
    with_snapshots: bool,
    progress: Progress,
    fresh: Mapping[str, str] = MappingProxyType({}),
) -> Contents:
    """Write the backup; the server may run meanwhile. The database is read first, in one snapshot: what it names is older.

    `fresh`: deployment -> snapshot that was taken for this backup. They are in it, and the restored platform begins with them.
    """
    store = open_store(settings.store_url.reveal(), clock)
    try:
        store.check()
        at = schema.current(store)
        if at != schema.newest():
            raise Conflict(
                "The database does not have the schema of this version.",
                code="schema-other",
                hint="Start this version's server once, or back up with the version that wrote it.",
                details={"database": at, "wanted": schema.newest()},
            )
        about = About(FORMAT, version(), at, store.dialect, str(to_text(clock.now())), with_snapshots or bool(fresh))
        contents = Contents(about)
        with sealed(file, passphrase) as sink, tarfile.open(fileobj=sink, mode="w|gz") as archive:
            _add(archive, contents, _ABOUT, io.BytesIO(json.dumps(asdict(about)).encode()))
            _add_rows(archive, contents, store)
            progress(f"{sum(contents.row_counts.values()):,} rows")
            for name in (*FOLDERS, *((SNAPSHOTS,) if with_snapshots else ())):
                count = _add_folder(archive, contents, settings.home, name)
                progress(f"{name}: {count} files")
            if not with_snapshots:
                for deployment_id, snapshot_id in fresh.items():
                    _add_folder(archive, contents, settings.home, f"{SNAPSHOTS}/{deployment_id}/{snapshot_id}")
            if fresh:
                _add(archive, contents, f"{SNAPSHOTS}/{BRING_BACK}", io.BytesIO(json.dumps(dict(fresh)).encode()))
                progress(f"metadata databases: {len(fresh)}")
            manifest = {"files": contents.files, "rows": contents.row_counts}
            _add(archive, contents, _MANIFEST, io.BytesIO(json.dumps(manifest).encode()))
    finally:
        store.close()
    return contents


def verify(file: Path, passphrase: Secret) -> Contents:
    """Read the whole file and compare every member with the manifest; Invalid or Denied say what is wrong."""
    return _read(file, passphrase, None)


def restore(settings: Settings, file: Path, passphrase: Secret, *, progress: Progress) -> Contents:
    """Restore into a home and a database that are empty; nothing is there afterwards unless everything is.

    Everything is unpacked and compared before the first file takes its place. Conflict when a server runs there, or something is there.
    """
    home = settings.home
    with alone(home):
        _refuse_filled(settings)
        stage = home / _STAGE
        shutil.rmtree(stage, ignore_errors=True)
        stage.mkdir(mode=0o700)
        try:
            contents = _read(file, passphrase, stage)
            progress(f"{len(contents.files)} files are whole")
            _restore_rows(settings, contents, stage / _ROWS)
            progress(f"{sum(contents.row_counts.values()):,} rows")
            for name in (*FOLDERS, SNAPSHOTS):
                if (stage / name).is_dir():
                    (stage / name).rename(home / name)  # replaces an empty folder
                    progress(name)
        finally:
            shutil.rmtree(stage, ignore_errors=True)
    return contents


def _add_rows(archive: tarfile.TarFile, contents: Contents, store: Store) -> None:
    with store.reading() as session:
        for name in rows.table_names():
            with tempfile.TemporaryFile() as spool:  # a member's size stands before its content
                count = 0
                for line in rows.read(session, name):
                    spool.write(line)
                    count += 1
                spool.seek(0)
                contents.row_counts[name] = count
                _add(archive, contents, f"{_ROWS}/{name}.jsonl", spool)


def _add_folder(archive: tarfile.TarFile, contents: Contents, home: Path, name: str) -> int:
    count = 0
    for path in sorted((home / name).rglob("*")):
        member = path.relative_to(home).as_posix()
        if (
            path.is_symlink()
            or not (path.is_file() or path.is_dir())
            or any(part.startswith(".draft") for part in path.parts)
        ):
            continue
        if path.is_dir():
            entry = tarfile.TarInfo(member)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o700
            archive.addfile(entry)
            continue
        with path.open("rb") as source:
            _add(archive, contents, member, source, mode=path.stat().st_mode & 0o700)
        count += 1
    return count


def _add(archive: tarfile.TarFile, contents: Contents, name: str, source: IO[bytes], mode: int = 0o600) -> None:
    source.seek(0, io.SEEK_END)
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = source.tell(), mode
    source.seek(0)
    hashing = _Hashing(source)
    archive.addfile(entry, hashing)
    if name != _MANIFEST:
        contents.files[name] = (entry.size, hashing.digest())


class _Hashing:
    """Hashes what is read from it."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source, self._hasher = source, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._source.read(size)
        self._hasher.update(data)
        return data

    def digest(self) -> str:
        return self._hasher.hexdigest()


def _read(file: Path, passphrase: Secret, stage: Path | None) -> Contents:
    """Go through the file once, writing its members below `stage` when given, and compare all of them with the manifest."""
    contents: Contents | None = None
    manifest: dict[str, Any] | None = None
    try:
        with opened(file, passphrase) as source, tarfile.open(fileobj=source, mode="r|gz") as archive:
            for entry in archive:
                stream = archive.extractfile(entry)
                if entry.name in (_ABOUT, _MANIFEST) and stream is not None:
                    raw = stream.read()
                    if entry.name == _MANIFEST:
                        manifest = json.loads(raw)
                    else:
                        contents = Contents(_about(json.loads(raw), file))
                        contents.files[_ABOUT] = (len(raw), hashlib.sha256(raw).hexdigest())
                    continue
                if contents is None:
                    raise _damaged(file, "it does not begin with what it is of")
                target = _target(stage, entry.name)
                if stream is not None:
                    contents.files[entry.name] = (entry.size, _copy(stream, target, entry.mode))
                elif target is not None:
                    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (tarfile.TarError, EOFError, ValueError, KeyError) as error:
        raise _damaged(file, type(error).__name__) from error
    if contents is None or manifest is None:
        raise _damaged(file, "its manifest is missing")
    if {name: tuple(fact) for name, fact in manifest["files"].items()} != contents.files:
        raise _damaged(file, "a member is not what the manifest says")
    contents.row_counts = dict(manifest["rows"])
    return contents


def _about(data: dict[str, Any], file: Path) -> About:
    if data.get("format") != FORMAT:
        raise Invalid(
            f"{file} was written by another version ({data.get('aerodrome_version')}).",
            code="backup-format-unknown",
            hint="Restore it with that version, then upgrade.",
        )
    return About(**data)


def _target(stage: Path | None, name: str) -> Path | None:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or path.parts[0] not in (*FOLDERS, SNAPSHOTS, _ROWS):
        raise ValueError(name)
    return None if stage is None else stage / path


def _copy(source: IO[bytes], target: Path | None, mode: int) -> str:
    """Read a member to its end, into a file when one is given; give its digest."""
    hasher = hashlib.sha256()
    with ExitStack() as stack:
        sink: IO[bytes] | None = None
        if target is not None:
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600 | (mode & 0o100))
            sink = stack.enter_context(os.fdopen(handle, "wb"))
        while block := source.read(1 << 20):
            hasher.update(block)
            if sink is not None:
                sink.write(block)
    return hasher.hexdigest()


def _refuse_filled(settings: Settings) -> None:
    """Raise Conflict when the home or the database holds something already."""
    filled = [name for name in (*FOLDERS, SNAPSHOTS, "deployments") if any((settings.home / name).glob("*"))]
    database = settings.home / "aerodrome.db"
    if filled or (settings.database_url is None and database.exists()):
        what = filled[0] if filled else database.name
        raise Conflict(
            f"{settings.home} is not empty: it holds {what}.",
            code="home-not-empty",
            hint="Restore into an empty folder: --home.",
        )
    if settings.database_url is not None:
        with closing(open_store(settings.store_url.reveal())) as store:
            store.check()
            if inspect(store.engine).get_table_names():
                raise Conflict(
                    "The database is not empty.", code="database-not-empty", hint="Restore into an empty database."
                )


def _restore_rows(settings: Settings, contents: Contents, folder: Path) -> None:
    """Make the tables as they were, put the rows in, and upgrade to the schema of this version."""
    revision = contents.about.schema_revision
    with closing(open_store(settings.store_url.reveal())) as store:
        try:
            schema.upgrade(store, revision)
            with store.engine.execution_options(aerodrome_writes=True).begin() as connection:
                for name in (name for name in rows.table_names() if name in contents.row_counts):
                    with (folder / f"{name}.jsonl").open("rb") as lines:
                        rows.write(connection, name, lines)
                _compare(connection, contents)
            schema.upgrade(store)
        except BaseException:
            _empty(settings, store)
            raise


def _compare(connection: Connection, contents: Contents) -> None:
    there = {name: rows.count(connection, name) for name in contents.row_counts}
    if there != contents.row_counts:
        raise Broken("Rows were lost on the way into the database.", code="restore-incomplete")


def _empty(settings: Settings, store: Store) -> None:
    """Leave the database as it was found: empty."""
    if settings.database_url is None:
        store.close()
        for path in settings.home.glob("aerodrome.db*"):
            path.unlink(missing_ok=True)
        return
    metadata = MetaData()
    metadata.reflect(store.engine)
    metadata.drop_all(store.engine)


def _damaged(file: Path, why: str) -> Invalid:
    return Invalid(f"{file} is damaged: {why}.", code="backup-damaged", hint="Take another backup.")
