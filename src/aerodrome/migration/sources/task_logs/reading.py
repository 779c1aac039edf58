"""Reads the task logs of a source, folder by folder: files here, or objects that are listed in pages and copied in streams."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Protocol, runtime_checkable

from aerodrome.kernel.errors import AerodromeError, Invalid
from aerodrome.migration.sources.cloud.contract import CloudLogin, ObjectStore, StoredObject
from aerodrome.migration.sources.cloud.files import open_store
from aerodrome.migration.sources.contract import Probe
from aerodrome.migration.sources.task_logs.place import LogPlace

NAME = "task logs"
"""Of the probe, and of its outcome in an estate's facts."""


@dataclass(frozen=True)
class LogFile:
    """A log file; `modified_ns` is 0, and `size_bytes` None, where nobody knows before it is copied."""

    size_bytes: int | None
    modified_ns: int


class LogFolder(Protocol):
    """What lies below one folder of logs. Paths are those below the root of all logs."""

    def find(self, path: PurePosixPath) -> LogFile | None: ...

    def copy(self, path: PurePosixPath, target: Path) -> bool:
        """Write the content to a file. False: it is not there after all. OSError of this machine's disk; the store's own errors."""
        ...


class TaskLogs(Protocol):
    """All logs of one Airflow."""

    def folder(self, path: PurePosixPath) -> LogFolder | None:
        """Give a folder, None when it is not there. Denied or Unavailable of the store."""
        ...

    def close(self) -> None: ...


@runtime_checkable
class OffersTaskLogs(Protocol):
    """A source adapter that may give task logs itself."""

    def task_logs(self) -> TaskLogs | None:
        """Give them, or None where it cannot; a probe says why."""
        ...


class LocalLogs:
    """Logs in a folder of this machine: each file is looked at when it is asked for."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def folder(self, path: PurePosixPath) -> LogFolder | None:
        return self if (self._root / path).is_dir() else None

    def find(self, path: PurePosixPath) -> LogFile | None:
        place = self._root / path
        if not place.is_file():
            return None
        found = place.stat()
        return LogFile(found.st_size, found.st_mtime_ns)

    def copy(self, path: PurePosixPath, target: Path) -> bool:
        shutil.copyfile(self._root / path, target)
        return True

    def close(self) -> None:
        return


class StoredLogs:
    """Logs in a bucket. A folder is listed once, in pages: the names of one DAG's logs are in memory, never their content."""

    def __init__(self, store: ObjectStore, prefix: str) -> None:
        self._store = store
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""

    def folder(self, path: PurePosixPath) -> LogFolder | None:
        start = f"{self._prefix}{path}/"
        found = {each.key.removeprefix(self._prefix): each for each in self._store.list(start)}
        return _StoredFolder(self._store, found) if found else None

    def first(self) -> StoredObject | None:
        """Give any one of all logs."""
        return next(iter(self._store.list(self._prefix)), None)

    def read_one(self, found: StoredObject) -> None:
        """Open one and read its beginning, to see that this is allowed."""
        with self._store.open(found.key) as stream:
            stream.read(1)

    def close(self) -> None:
        self._store.close()


class _StoredFolder:
    def __init__(self, store: ObjectStore, found: Mapping[str, StoredObject]) -> None:
        self._store = store
        self._found = found

    def find(self, path: PurePosixPath) -> LogFile | None:
        each = self._found.get(str(path))
        return None if each is None else LogFile(each.size_bytes, _nanoseconds(each.modified_at))

    def copy(self, path: PurePosixPath, target: Path) -> bool:
        with self._store.open(self._found[str(path)].key) as source, target.open("wb") as written:
            shutil.copyfileobj(source, written, 1 << 20)
        return True


def open_logs(place: LogPlace, login: CloudLogin) -> TaskLogs | None:
    """Open the logs of a place; None for a store that is not read, and for a folder that is not on this machine."""
    if place.kind == "local":
        root = Path(place.address)
        return LocalLogs(root) if place.address.startswith("/") and root.is_dir() else None
    return _stored(place, login) if place.is_read else None


def logs_of(place: LogPlace, source: object, login: CloudLogin) -> TaskLogs | None:
    """Open the logs of a source: where they lie, if that is read here, else as the source gives them itself."""
    if isinstance(source, OffersTaskLogs) and not probe(place, login).is_ok:
        return source.task_logs()
    return open_logs(place, login)


def probe(place: LogPlace, login: CloudLogin) -> Probe:
    """Tell where logs lie and whether they can be read here: one is opened. Never a required probe."""
    said = f"Task logs: {place.label}"
    if not place.is_read:
        hint = "They are not copied: let the target read the same store, or keep it for looking things up."
        return Probe(NAME, False, f"{said}; such a store is not read.", hint, is_required=False)
    if place.kind == "local":
        if place.address and os.access(place.address, os.R_OK | os.X_OK):
            return Probe(NAME, True, f"{said}, readable here.", is_required=False)
        hint = "Mount the folder here to have the logs of old runs copied."
        return Probe(NAME, False, f"{said}, not on this machine.", hint, is_required=False)
    try:
        with closing(_stored(place, login)) as logs:
            first = logs.first()
            if first is not None:
                logs.read_one(first)
    except AerodromeError as error:
        return Probe(NAME, False, f"{said}: {error.message}", error.hint, is_required=False)
    return Probe(NAME, True, f"{said}, readable{'' if first else ', and empty'}.", is_required=False)


def _stored(place: LogPlace, login: CloudLogin) -> StoredLogs:
    scheme, _, rest = place.address.partition("://")
    bucket, _, prefix = rest.partition("/")
    if not bucket:
        raise Invalid(
            f"remote_base_log_folder names no bucket: {place.address}.",
            code="log-folder-malformed",
            hint="It is s3://BUCKET/PREFIX or gs://BUCKET/PREFIX in the source's configuration.",
        )
    return StoredLogs(open_store(scheme, bucket, login), prefix)


def _nanoseconds(moment: datetime | None) -> int:
    return 0 if moment is None else int(moment.timestamp() * 1_000_000_000)
