"""Objects as files: one to read from its start to its end, and a folder of them copied here in streams."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from aerodrome.kernel.errors import AerodromeError, Invalid
from aerodrome.migration.sources.cloud.contract import CloudLogin, ObjectStore, parts_of
from aerodrome.migration.sources.cloud.gcs import GcsStore
from aerodrome.migration.sources.cloud.s3 import S3Store

SKIPPED_PARTS = {"__pycache__", ".git", ".venv", "node_modules", ".ipynb_checkpoints"}
MOST_UNPACKED_BYTES = 2 << 30
"""Of one zip file of plugins, unpacked; MWAA takes 1 GB (packed)."""


@dataclass(frozen=True)
class CloudFile:
    """One object, where a path is taken, too: it can be opened, and its name is its address."""

    url: str
    login: CloudLogin

    def open(self, mode: str = "rb") -> BinaryIO:
        """Give its content as a stream; NotFound, Denied or Unavailable."""
        del mode
        scheme, bucket, key = parts_of(self.url)
        store = open_store(scheme, bucket, self.login)
        try:
            return store.open(key, is_last=True)
        except AerodromeError:
            store.close()
            raise

    def stamp(self) -> list[int | str]:
        """Give size and version: they change with the content."""
        scheme, bucket, key = parts_of(self.url)
        with closing(open_store(scheme, bucket, self.login)) as store:
            found = store.stat(key)
        return [found.size_bytes, found.stamp]

    def __str__(self) -> str:
        return self.url


def open_store(scheme: str, bucket: str, login: CloudLogin) -> ObjectStore:
    return S3Store(bucket, login) if scheme == "s3" else GcsStore(bucket, login)


def copy_folder(store: ObjectStore, prefix: str, target: Path, progress: Callable[[int], None]) -> int:
    """Copy every object below a prefix; give their number. What a bucket cannot say as a file is left out."""
    prefix = prefix.rstrip("/") + "/"
    count = 0
    for each in store.list(prefix):
        relative = each.key[len(prefix) :]
        if not relative or relative.endswith(("/", ".pyc")) or SKIPPED_PARTS & set(relative.split("/")):
            continue
        copy_file(store, each.key, _inside(target, relative))
        count += 1
        if count % 100 == 0:
            progress(count)
    return count


def copy_file(store: ObjectStore, key: str, target: Path, version: str = "") -> Path:
    """Copy one object in a stream."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    with store.open(key, version) as stream, part.open("wb") as written:
        shutil.copyfileobj(stream, written, 1 << 20)
    part.replace(target)
    return target


def unzip(path: Path, target: Path) -> None:
    """Unpack a zip file, member by member in streams; one that names files outside is refused as a whole."""
    try:
        with zipfile.ZipFile(path) as packed:
            members = [each for each in packed.infolist() if not each.is_dir()]
            if sum(each.file_size for each in members) > MOST_UNPACKED_BYTES:
                raise _bad(path, "it unpacks to more than 2 GiB")
            for each in members:
                place = _inside(target, each.filename)
                place.parent.mkdir(parents=True, exist_ok=True)
                with packed.open(each) as stream, place.open("wb") as written:
                    shutil.copyfileobj(stream, written, 1 << 20)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise _bad(path, "it cannot be unpacked") from error


def _inside(folder: Path, relative: str) -> Path:
    place = folder / relative
    if relative.startswith("/") or not place.resolve().is_relative_to(folder.resolve()):
        raise Invalid(
            f"The source names a file outside its folder: {relative}.",
            code="source-file-outside",
            hint="Rename or remove it in the source.",
            details={"file": relative},
        )
    return place


def _bad(path: Path, why: str) -> Invalid:
    return Invalid(f"{path.name} is not used: {why}.", code="source-zip-unusable", hint="Look at it in the source.")
