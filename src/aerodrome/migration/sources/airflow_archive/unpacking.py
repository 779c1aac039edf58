"""Unpacks an archive: tables into a SQLite file in the source's own shape, code into folders, secrets nowhere.

The SQLite file is then read by the adapter of metadata databases, so that there is one mapping of Airflow's tables only.
Values that the source kept in the open are encrypted on the way; its surroundings (environment, Fernet keys,
configuration) stay sealed as they came, in `surroundings.sealed`, and are opened in memory only.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aerodrome.kernel.errors import Invalid, NotFound
from aerodrome.kernel.secret import Secret
from aerodrome.migration.sources.airflow_archive.frames import MAGIC, Frame, frames
from aerodrome.migration.sources.airflow_archive.sealing import Opener, encrypted, local_fernet_key
from aerodrome.migration.sources.cloud.files import CloudFile

MANIFEST, SURROUNDINGS, DATABASE = "unpacked.json", "surroundings.sealed", "airflow.db"
PARTS = ("dags", "plugins", "include", "requirements")
_TYPES = {
    "text": "VARCHAR", "int": "BIGINT", "float": "FLOAT", "bool": "BOOLEAN", "time": "TIMESTAMP", "binary": "BLOB",
    "json": "JSON",
}  # fmt: skip
_IN_THE_OPEN = {
    "connection": (("password", "is_encrypted"), ("extra", "is_extra_encrypted")),
    "variable": (("val", "is_encrypted"),),
}
_BELONGING = ("task_instance", "task_instance_note", "task_instance_history", "xcom", "rendered_task_instance_fields")


@dataclass(frozen=True)
class Surroundings:
    """What the exporter found around the database. Only `digest`, version and counts may be shown as they are."""

    airflow_version: str
    database: str
    revision: str
    fernet_keys: Secret
    fernet_opened: int
    fernet_failed: tuple[str, ...]
    env: Mapping[str, Secret]
    config: Mapping[str, tuple[Secret, str]]
    packages: tuple[tuple[str, str | None], ...]
    notes: tuple[str, ...]

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Surroundings:
        return cls(
            airflow_version=data["airflow_version"],
            database=data["database"],
            revision=data["revision"],
            fernet_keys=Secret(data["fernet_keys"]),
            fernet_opened=data["fernet"]["opened"],
            fernet_failed=tuple(data["fernet"]["failed"]),
            env={name: Secret(value) for name, value in sorted(data["env"].items())},
            config={name: (Secret(value), origin) for name, (value, origin) in data["config"].items()},
            packages=tuple((name, version) for name, version in data["packages"]),
            notes=tuple(data["notes"]),
        )


@dataclass(frozen=True)
class Summary:
    """What stands in an archive that was read to its end."""

    surroundings: Surroundings
    digest: str
    rows: Mapping[str, int]
    skipped_files: tuple[str, ...]
    sittings: int
    started_at: str
    ended_at: str


def check(path: Path | CloudFile, key: Secret) -> Summary:
    """Read an archive to its end and give what stands in it; the errors of `frames`."""
    return _reading(path, key, None)


def known(path: Path | CloudFile, key: Secret, folder: Path) -> Summary | None:
    """Give what was unpacked into the folder; None when nothing was, or another file stands at the path since."""
    try:
        found = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if _stamp(path) not in (None, found["stamp"]):
        return None
    return Summary(
        surroundings(folder, key),
        found["digest"],
        found["rows"],
        tuple(found["skipped_files"]),
        found["sittings"],
        found["started_at"],
        found["ended_at"],
    )


def unpack(path: Path | CloudFile, key: Secret, folder: Path) -> None:
    """Unpack into the folder, unless this was done; then the archive itself is no more needed.

    A newer archive at the same path takes the place of the older one.
    """
    if known(path, key, folder) is not None:
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    stamp = _stamp(path)
    with closing(_Unpacker(folder, key)) as unpacker:
        summary = _reading(path, key, unpacker)
        unpacker.finish()
    written = {name: value for name, value in vars(summary).items() if name != "surroundings"}
    part = folder / f"{MANIFEST}.part"
    part.write_text(json.dumps({**written, "stamp": stamp}, sort_keys=True), encoding="utf-8")
    part.replace(folder / MANIFEST)


def _stamp(path: Path | CloudFile) -> list[int] | list[int | str] | None:
    """Give what changes with the archive; None where it is no more there."""
    try:
        if isinstance(path, CloudFile):
            return path.stamp()
        found = path.stat()
    except (OSError, NotFound):
        return None
    return [found.st_size, found.st_mtime_ns]


def surroundings(folder: Path, key: Secret) -> Surroundings:
    """Open the surroundings of an unpacked archive, in memory."""
    with (folder / SURROUNDINGS).open("rb") as stream:
        stream.readline()
        opener: Opener | None = None
        while line := stream.readline():
            header = json.loads(line)
            payload = stream.read(header["bytes"])
            stream.read(1)
            if header["kind"] == "sitting":
                opener = Opener(key, json.loads(payload))
            elif opener is not None:
                content = opener.open(header["kind"], header["name"], header["n"], payload)
                if content is not None:
                    return Surroundings.of(json.loads(content))
    raise NotFound(
        "The unpacked archive lacks its surroundings.", code="archive-missing", hint="Connect the archive again."
    )


def _reading(path: Path | CloudFile, key: Secret, unpacker: _Unpacker | None) -> Summary:
    found: Surroundings | None = None
    sittings: list[str] = []
    for frame in frames(path, key):
        if frame.kind == "sitting":
            sittings.append(frame.data()["started_at"])
        elif frame.kind == "environment":
            found = Surroundings.of(frame.data())
        if unpacker is not None:
            unpacker.take(frame)
        if frame.kind == "end" and found is not None:
            end = frame.data()
            return Summary(
                found,
                frame.chain,
                end["rows"],
                tuple(end["skipped_files"]),
                len(sittings),
                sittings[0],
                end["ended_at"],
            )
    raise Invalid(f"The archive {path} lacks its surroundings.", code="archive-damaged", hint="Run the exporter again.")


class _Unpacker:
    """Takes frames in order."""

    def __init__(self, folder: Path, key: Secret) -> None:
        self._folder = folder
        self._fernet_key = local_fernet_key(key)
        self._shapes: dict[str, dict[str, Any]] = {}
        self._sitting = b""
        handle = os.open(folder / DATABASE, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        os.close(handle)
        self._database = sqlite3.connect(folder / DATABASE)
        self._database.execute("PRAGMA journal_mode=OFF")
        self._database.execute("PRAGMA synchronous=OFF")  # a kill means: unpack anew

    def take(self, frame: Frame) -> None:
        if frame.kind == "sitting":
            self._sitting = frame.raw
        elif frame.kind == "environment":
            (self._folder / SURROUNDINGS).write_bytes(MAGIC + self._sitting + frame.raw)
        elif frame.kind == "shape":
            self._make(frame.name, frame.data())
        elif frame.kind == "rows" and frame.name == "files":
            for part, relative, data in frame.lines():
                self._write(part, relative, base64.b64decode(data))
        elif frame.kind == "rows":
            self._insert(frame)

    def _make(self, table: str, shape: dict[str, Any]) -> None:
        self._shapes[table] = shape
        lines = [f"{_name(column)} {_TYPES.get(sort, 'VARCHAR')}" for column, sort in shape["columns"]]
        if shape["key"]:
            lines.append(f"PRIMARY KEY ({', '.join(map(_name, shape['key']))})")
        self._database.execute(f"CREATE TABLE {_name(table)} ({', '.join(lines)})")

    def _insert(self, frame: Frame) -> None:
        columns = [column for column, _sort in self._shapes[frame.name]["columns"]]
        marks = ", ".join("?" * len(columns))
        rows = self._closed(frame.name, columns, ([_value(value) for value in row] for row in frame.lines()))
        self._database.executemany(
            f"INSERT INTO {_name(frame.name)} ({', '.join(map(_name, columns))}) VALUES ({marks})", rows
        )

    def _closed(self, table: str, columns: list[str], rows: Iterator[list[Any]]) -> Iterator[list[Any]]:
        """Encrypt what the source kept in the open."""
        pairs = [(columns.index(value), columns.index(flag)) for value, flag in _IN_THE_OPEN.get(table, ())]
        for row in rows:
            for value, flag in pairs:
                if row[value] and not row[flag]:
                    row[value], row[flag] = encrypted(self._fernet_key, row[value]), True
            yield row

    def _write(self, part: str, relative: str, data: bytes) -> None:
        root = (self._folder / part) if part in PARTS else None
        target = None if root is None else (root / relative)
        if root is None or target is None or not target.resolve().is_relative_to(root.resolve()):
            raise Invalid(
                f"The archive names a file outside its folders: {part}/{relative}.",
                code="archive-damaged",
                hint="Do not use it; ask who made it.",
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)

    def finish(self) -> None:
        """Make the indexes by which history is read."""
        for table in _BELONGING:
            names = {column for column, _sort in self._shapes.get(table, {"columns": ()})["columns"]}
            by = next((name for name in ("run_id", "execution_date") if name in names), None)
            if by is not None and "dag_id" in names:
                self._database.execute(f"CREATE INDEX aerodrome_{table} ON {_name(table)} (dag_id, {_name(by)})")
        if "dag_run" in self._shapes:
            self._database.execute("CREATE INDEX aerodrome_dag_run ON dag_run (dag_id, run_id)")
        self._database.commit()

    def close(self) -> None:
        self._database.close()


def _name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", text):
        raise Invalid(
            "The archive names a table or a column as no Airflow does.",
            code="archive-damaged",
            hint="Do not use it; ask who made it.",
        )
    return f'"{text}"'


def _value(value: Any) -> Any:
    return base64.b64decode(value["$b"]) if isinstance(value, dict) else value
