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
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from aerodrome.builds.archives import place, unpack
from aerodrome.builds.contract import Bundle, ProjectSettings
from aerodrome.builds.project import read_settings
from aerodrome.builds.requirements import normalise
from aerodrome.builds.trees import TreeFile, digest_parts, digest_tree, part_of, read_tree
from aerodrome.kernel.errors import Invalid, NotFound, Unavailable

_DIGEST = re.compile(r"[0-9a-f]{64}")


class BundleStore:
    """Keeps bundles below one folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, folder: Path, only: AbstractSet[str] | None = None) -> Bundle:
        """Freeze a project folder, or `only` some parts of it; the same content gives the same bundle.

        Errors as in `trees.read_tree`, `requirements.normalise` and `project.read_settings`.
        """
        return self._put(folder, only, _copy_file)

    def put_archive(self, stream: BinaryIO, only: AbstractSet[str] | None = None) -> Bundle:
        """Freeze an uploaded tar.gz of a project. Errors as in `archives.unpack` and `put`."""
        with self._receiving() as folder:
            # what was unpacked for this bundle alone is moved into it: nothing is written twice
            return self._put(unpack(stream, folder), only, os.replace)

    def put_files(self, files: Iterable[tuple[str, BinaryIO]], only: AbstractSet[str] | None = None) -> Bundle:
        """Freeze the files of a folder that a browser sent. Errors as in `archives.place` and `put`."""
        with self._receiving() as folder:
            return self._put(place(files, folder), only, os.replace)

    @contextmanager
    def _receiving(self) -> Iterator[Path]:
        with _disk_errors(self._root):
            self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
            with tempfile.TemporaryDirectory(prefix=".upload-", dir=self._root) as folder:
                yield Path(folder)

    def compose(self, base: Bundle, upload: Bundle, parts: AbstractSet[str]) -> Bundle:
        """Give the bundle with these parts of `upload` and all others of `base`; its files are shared on disk."""
        mixed = {part: digest for part, digest in base.parts.items() if part not in parts}
        mixed |= {part: digest for part, digest in upload.parts.items() if part in parts}
        digest = digest_tree(mixed)
        if (stored := self._read(digest)) is not None:
            return stored
        with _disk_errors(self._root):
            taken = [(base, path) for path in _files_of(base) if part_of(path) not in parts]
            taken += [(upload, path) for path in _files_of(upload) if part_of(path) in parts]
            draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=self._root))
            try:
                _make_parts(draft / "files")
                for bundle, name in taken:
                    target = draft / "files" / name
                    target.parent.mkdir(parents=True, exist_ok=True)
                    os.link(bundle.path / name, target)  # both are ours and never change
                requirements = upload.requirements if "requirements" in parts else base.requirements
                settings = upload.settings if "settings" in parts else base.settings
                size = sum((bundle.path / name).stat().st_size for bundle, name in taken)
                _write_facts(draft, mixed, len(taken), size, requirements, settings)
                self._publish(draft, digest)
            finally:
                _remove(draft)
        return self.get(digest)

    def digests(self) -> Mapping[str, datetime]:
        """Give every stored bundle with the moment it was stored or last asked for."""
        found: dict[str, datetime] = {}
        for folder in self._root.iterdir() if self._root.is_dir() else ():
            with suppress(FileNotFoundError):
                if _DIGEST.fullmatch(folder.name):
                    found[folder.name] = datetime.fromtimestamp((folder / "bundle.json").stat().st_mtime, UTC)
        return found

    def remove(self, digest: str) -> bool:
        """Remove a bundle's files; tells whether there were any. A reader sees all of it or nothing."""
        gone = self._root / f".gone-{digest}-{os.urandom(4).hex()}"
        try:
            (self._root / digest).rename(gone)
        except FileNotFoundError:
            return False
        _remove(gone)
        return True

    def sweep(self, before: datetime) -> None:
        """Remove what killed uploads and removals left behind before that moment."""
        for path in self._root.iterdir() if self._root.is_dir() else ():
            with suppress(FileNotFoundError):
                is_left = path.name.startswith((".draft-", ".upload-", ".gone-"))
                if is_left and datetime.fromtimestamp(path.stat().st_mtime, UTC) < before:
                    _remove(path)

    def _put(self, folder: Path, only: AbstractSet[str] | None, place: Callable[[Path, Path], object]) -> Bundle:
        with _disk_errors(self._root):
            files = read_tree(folder, only)
            parts = dict(digest_parts(files))
            digest = digest_tree(parts)
            if (stored := self._read(digest)) is not None:
                (self._root / digest / "bundle.json").touch()  # asked for again: the tidying waits another day
                return stored
            requirements = normalise(_text_of(files, "requirements.txt") or "")
            settings = read_settings(lambda name: _text_of(files, name))
            self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
            draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=self._root))
            try:
                _place_all(files, draft / "files", place)
                size = sum(file.size_bytes for file in files)
                _write_facts(draft, parts, len(files), size, requirements, settings)
                self._publish(draft, digest)
            finally:
                _remove(draft)
        return self.get(digest)

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
            settings=_settings(facts.get("settings", {})),
        )

    def _publish(self, draft: Path, digest: str) -> None:
        try:
            draft.rename(self._root / digest)
        except OSError as error:
            if error.errno not in {errno.EEXIST, errno.ENOTEMPTY}:
                raise


def _place_all(files: tuple[TreeFile, ...], target: Path, place: Callable[[Path, Path], object]) -> None:
    sources: dict[Path, Path] = {}  # a link in the project makes one file stand in it twice: it can be moved once
    for file in files:
        path = target / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        if file.source in sources:
            shutil.copyfile(sources[file.source], path)
        else:
            place(file.source, path)
            sources[file.source] = path
        path.chmod(0o555 if file.is_executable else 0o444)
    _make_parts(target)


def _make_parts(target: Path) -> None:
    for part in ("dags", "plugins", "include"):
        (target / part).mkdir(parents=True, exist_ok=True)


def _copy_file(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)


def _files_of(bundle: Bundle) -> list[str]:
    paths = (path for path in bundle.path.rglob("*") if path.is_file())
    return sorted(path.relative_to(bundle.path).as_posix() for path in paths)


def _write_facts(
    draft: Path,
    parts: Mapping[str, str],
    file_count: int,
    size_bytes: int,
    requirements: tuple[str, ...],
    settings: ProjectSettings,
) -> None:
    facts = {"parts": dict(parts), "file_count": file_count, "size_bytes": size_bytes, "requirements": requirements}
    (draft / "bundle.json").write_text(json.dumps({**facts, "settings": asdict(settings)}))


def _settings(facts: Mapping[str, Any]) -> ProjectSettings:
    known: dict[str, Any] = {name: tuple(item) if isinstance(item, list) else item for name, item in facts.items()}
    return ProjectSettings(**known)


def _remove(draft: Path) -> None:
    shutil.rmtree(draft, ignore_errors=True)


def _text_of(files: tuple[TreeFile, ...], name: str) -> str | None:
    for file in files:
        if file.name == name:
            try:
                return file.source.read_text(encoding="utf-8-sig")
            except UnicodeDecodeError as error:
                code = "requirements-unreadable" if name == "requirements.txt" else "project-file-invalid"
                raise Invalid(f"{name} is not UTF-8 text.", code=code, hint="Save it as UTF-8.") from error
    return None


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
