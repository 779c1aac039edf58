"""The frozen estate on disk: a folder with one gzip file of JSON lines per kind and a manifest.

Written as a stream and sealed once: the manifest comes last, by an atomic rename, so a folder without one was never
finished. Opening checks every file against the manifest. The digest tells what was found, not when.
"""

from __future__ import annotations

import gzip
import json
import os
import typing
import weakref
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol, TypeVar

from aerodrome.kernel.digest import canonical_json, digest_of
from aerodrome.kernel.errors import Broken, Conflict, Invalid, NotFound
from aerodrome.migration.estate.records import KINDS, Record

FORMAT = 1
MANIFEST = "manifest.json"
R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class EstateHeader:
    """What the estate was taken from. `facts` is plain JSON: counts of history and the like."""

    source_kind: str
    source_name: str
    source_version: str
    database: str
    schema_revision: str
    taken_at: str  # ISO 8601 UTC; not part of the digest
    facts: Mapping[str, Any]


class Described(Protocol):
    """What the header takes from a source's description."""

    @property
    def kind(self) -> str: ...
    @property
    def airflow_version(self) -> str: ...
    @property
    def database(self) -> str: ...
    @property
    def schema_revision(self) -> str: ...


class EstateWriter:
    """Writes an estate into an empty or new folder. Records may come in any order; each key once per kind."""

    def __init__(self, folder: Path, header: EstateHeader) -> None:
        """Prepare the folder. Conflict `estate-exists` when a frozen estate is there; leftovers of a crash go."""
        if (folder / MANIFEST).exists():
            raise Conflict(f"{folder} already holds an estate.", code="estate-exists", hint="Choose another folder.")
        folder.mkdir(parents=True, exist_ok=True)
        for leftover in folder.glob("*.ndjson.gz*"):
            leftover.unlink()
        self._folder = folder
        self._header = header
        self._files = {kind: _KindFile(folder / f"{kind}.ndjson.gz") for kind in KINDS}

    @classmethod
    def begin(cls, folder: Path, description: Described, *, taken_at: str | None) -> EstateWriter:
        """Start an estate of a source that was described."""
        header = EstateHeader(
            source_kind=description.kind,
            source_name="",
            source_version=description.airflow_version,
            database=description.database,
            schema_revision=description.schema_revision,
            taken_at=taken_at or "",
            facts={},
        )
        return cls(folder, header)

    def add(self, record: Record) -> None:
        """Append a record; Broken `estate-key-twice` when the source gave one key twice."""
        self._files[record.kind].add(record)

    def add_facts(self, facts: Mapping[str, Any]) -> None:
        """Merge facts into the header: for what is known only after the records were read."""
        self._header = replace(self._header, facts={**self._header.facts, **facts})

    def freeze(self) -> Estate:
        """Close and seal; the rename of the manifest is the moment at which the estate exists."""
        kinds = {kind: file.close() for kind, file in self._files.items()}
        header = asdict(self._header)
        manifest = {"format": FORMAT, "header": header, "kinds": kinds, "digest": _digest(header, kinds)}
        part = self._folder / f"{MANIFEST}.part"
        with part.open("w", encoding="utf-8") as stream:
            stream.write(json.dumps(manifest, indent=2, sort_keys=True))
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(self._folder / MANIFEST)
        return Estate.open(self._folder)

    def discard(self) -> None:
        """Give up: close and remove what was written."""
        for file in self._files.values():
            file.close()
            with suppress(FileNotFoundError):
                file.path.unlink()


@dataclass(frozen=True)
class Estate:
    """A frozen estate. Reading streams; nothing is held in memory."""

    folder: Path
    header: EstateHeader
    digest: str
    counts: Mapping[str, int]

    @classmethod
    def open(cls, folder: Path) -> Estate:
        """Open and check. NotFound when there is none; Broken `estate-changed` when a file is not what was frozen."""
        try:
            manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
            header, kinds = manifest["header"], manifest["kinds"]
            is_known = manifest["format"] == FORMAT and set(kinds) <= set(KINDS)
        except FileNotFoundError:
            raise NotFound(
                f"There is no finished estate in {folder}.", code="estate-missing", hint="Assess the source again."
            ) from None
        except (ValueError, KeyError, TypeError) as error:
            raise _changed(folder, MANIFEST) from error
        if not is_known:
            raise Invalid(
                f"The estate in {folder} has a format that this version cannot read.",
                code="estate-format",
                hint="Assess the source again.",
            )
        if manifest.get("digest") != _digest(header, kinds):
            raise _changed(folder, MANIFEST)
        for kind, entry in kinds.items():
            if _stored_digest(folder / f"{kind}.ndjson.gz") != (entry["sha256"], entry["count"]):
                raise _changed(folder, f"{kind}.ndjson.gz")
        return cls(folder, EstateHeader(**header), manifest["digest"], {kind: kinds[kind]["count"] for kind in kinds})

    def records(self, kind: str) -> Iterator[Any]:
        """Stream the records of a kind in the order in which they were found."""
        if not self.counts.get(kind):
            return
        record_type = KINDS[kind]
        for line in _lines(self.folder / f"{kind}.ndjson.gz"):
            yield _record(record_type, json.loads(line))

    def all(self, record_type: type[R]) -> Iterator[R]:
        """Stream the records of a type, typed."""
        yield from self.records(record_type.kind)


class _KindFile:
    """One kind's file while it is being written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._raw = path.open("wb")
        weakref.finalize(self, self._raw.close)  # an abandoned writer leaks no files
        self._stream = gzip.GzipFile(fileobj=self._raw, mode="wb", compresslevel=5, mtime=0, filename="")
        self._hasher = sha256()
        self._count = 0
        self._keys: set[bytes] = set()

    def add(self, record: Record) -> None:
        key = sha256(record.key.encode(errors="surrogatepass")).digest()[:12]
        if key in self._keys:
            raise Broken(
                f"The source gave the {record.kind} {record.key} twice.",
                code="estate-key-twice",
                hint="Report this: a source adapter must give each key once.",
            )
        self._keys.add(key)
        line = canonical_json(vars(record)).encode(errors="backslashreplace") + b"\n"
        self._hasher.update(line)
        self._stream.write(line)
        self._count += 1

    def close(self) -> dict[str, Any]:
        if not self._raw.closed:
            self._stream.close()
            self._raw.flush()
            os.fsync(self._raw.fileno())
            self._raw.close()
        return {"count": self._count, "sha256": self._hasher.hexdigest()}


def _digest(header: Mapping[str, Any], kinds: Mapping[str, Any]) -> str:
    return digest_of({"header": {key: value for key, value in header.items() if key != "taken_at"}, "kinds": kinds})


def _lines(path: Path) -> Iterator[bytes]:
    with gzip.open(path, "rb") as stream:
        yield from stream


def _stored_digest(path: Path) -> tuple[str, int] | None:
    hasher = sha256()
    count = 0
    try:
        for line in _lines(path):
            hasher.update(line)
            count += 1
    except (OSError, EOFError, ValueError):
        return None
    return hasher.hexdigest(), count


def _changed(folder: Path, name: str) -> Broken:
    return Broken(
        f"The estate in {folder} was changed after it was frozen ({name}).",
        code="estate-changed",
        hint="Assess the source again.",
        details={"file": name},
    )


@cache
def _tuple_fields(name: str) -> frozenset[str]:
    record_type = KINDS[name]
    hints = typing.get_type_hints(record_type)
    return frozenset(field.name for field in fields(record_type) if typing.get_origin(hints[field.name]) is tuple)


def _record(record_type: type[Record], data: dict[str, Any]) -> Record:
    for name in _tuple_fields(record_type.kind):
        if name in data:
            data[name] = tuple(data[name])
    return record_type(**data)
