"""Content-addressed, immutable copies of project folders.

Called by fleet. A bundle's folder is `<root>/<digest>/`: `files/` (read-only) and `bundle.json`, written last. The same
content is stored once; a half-written bundle never has its name.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from aerodrome.builds.archives import unpack
from aerodrome.builds.contract import Bundle
from aerodrome.builds.requirements import normalise
from aerodrome.builds.trees import TreeFile, digest_parts, digest_tree, read_tree
from aerodrome.kernel.errors import Invalid, NotFound, Unavailable

_DIGEST = re.compile(r"[0-9a-f]{64}")


class BundleStore:
    """Keeps bundles below one folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, folder: Path) -> Bundle:
        """Freeze a project folder; the same content gives the same bundle. Errors as in `trees.read_tree`."""
        with _disk_errors(self._root):
            files = read_tree(folder)
            parts = dict(digest_parts(files))
            digest = digest_tree(parts)
            if (stored := self._read(digest)) is not None:
                return stored
            requirements = normalise(_text_of(files, "requirements.txt"))
            self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
            draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=self._root))
            try:
                _copy(files, draft / "files")
                (draft / "bundle.json").write_text(
                    json.dumps(
                        {
                            "parts": parts,
                            "file_count": len(files),
                            "size_bytes": sum(file.size_bytes for file in files),
                            "requirements": requirements,
                        }
                    )
                )
                self._publish(draft, digest)
            finally:
                _remove(draft)
        return self.get(digest)

    def put_archive(self, stream: BinaryIO) -> Bundle:
        """Freeze an uploaded tar.gz of a project. Errors as in `archives.unpack` and `put`."""
        with _disk_errors(self._root):
            self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
            with tempfile.TemporaryDirectory(prefix=".upload-", dir=self._root) as folder:
                return self.put(unpack(stream, Path(folder)))

    def get(self, digest: str) -> Bundle:
        """Give a stored bundle; NotFound when there is none with that digest."""
        bundle = self._read(digest) if _DIGEST.fullmatch(digest) else None
        if bundle is None:
            raise NotFound(
                f"There is no bundle {digest[:12]}.",
                code="bundle-not-found",
                hint="Deploy the project folder again.",
            )
        return bundle

    def _read(self, digest: str) -> Bundle | None:
        folder = self._root / digest
        try:
            facts = json.loads((folder / "bundle.json").read_text())
        except FileNotFoundError:
            return None
        return Bundle(
            digest=digest,
            path=folder / "files",
            parts=facts["parts"],
            file_count=facts["file_count"],
            size_bytes=facts["size_bytes"],
            requirements=tuple(facts["requirements"]),
        )

    def _publish(self, draft: Path, digest: str) -> None:
        try:
            draft.rename(self._root / digest)
        except OSError as error:
            if error.errno not in {errno.EEXIST, errno.ENOTEMPTY}:
                raise


def _copy(files: tuple[TreeFile, ...], target: Path) -> None:
    for file in files:
        path = target / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file.source, path)
        path.chmod(0o555 if file.is_executable else 0o444)
    for part in ("dags", "plugins", "include"):
        (target / part).mkdir(parents=True, exist_ok=True)


def _remove(draft: Path) -> None:
    shutil.rmtree(draft, ignore_errors=True)


def _text_of(files: tuple[TreeFile, ...], name: str) -> str:
    for file in files:
        if file.name == name:
            try:
                return file.source.read_text(encoding="utf-8-sig")
            except UnicodeDecodeError as error:
                raise Invalid(
                    f"{name} is not UTF-8 text.", code="requirements-unreadable", hint="Save it as UTF-8."
                ) from error
    return ""


@contextmanager
def _disk_errors(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        is_full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        raise Unavailable(
            "There is no disk space left to store the bundle."
            if is_full
            else f"The project could not be read or stored: {error.strerror or 'the disk refused'}.",
            code="disk-full" if is_full else "bundle-not-stored",
            hint=f"Check space and permissions of {root} and of {os.fspath(error.filename or 'the project')}.",
            retry_after_s=60,
        ) from error
