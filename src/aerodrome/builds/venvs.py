"""Virtualenvs shared by content: two deployments with the same wish use the same folder.

Called by fleet and by tests. A virtualenv is built in its final place (scripts name their interpreter by absolute path) and
counts only once its marker file exists; a half-built one is removed and built again. One file lock per digest lets two
processes that want the same virtualenv build it once.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import sysconfig
import time
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from aerodrome.airflowkit.versions import AirflowVersion
from aerodrome.builds.contract import Venv, VenvSpec
from aerodrome.builds.locks import read_lock
from aerodrome.builds.pythons import find_python
from aerodrome.builds.uv import run_uv
from aerodrome.kernel.digest import digest_of
from aerodrome.kernel.errors import Invalid, Unavailable

MARKER = "aerodrome-venv.json"
_NOTED_EVERY_S = 3600.0
_RECIPE = 1  # raise it when the way of building changes
_EXTRAS = {2: ("psycopg2-binary",), 3: ("psycopg2-binary", "asyncpg")}
_NAME = re.compile(r"[-_.]+")


class VenvStore:
    """Keeps virtualenvs below one folder; its real path is used, because scripts name their interpreter by it."""

    def __init__(self, root: Path) -> None:
        self._given = root

    @property
    def _root(self) -> Path:
        return self._given.resolve()  # each time: the folder may become a link later on

    def ensure(self, spec: VenvSpec, progress: Callable[[str], None] = lambda _: None) -> Venv:
        """Give the virtualenv of the spec, building it first when needed; safe to repeat and to call from many processes.

        Invalid (requirements-unresolvable), Unavailable (python-missing, disk-full, packages-unreachable).
        """
        digest = self.digest(spec)
        path = self._root / digest[:20]
        if ready := _read(path, spec, digest):
            _note_use(path)
            return ready
        try:
            with _locked(self._root, digest[:20]):
                return _read(path, spec, digest) or self._build(spec, digest, path, progress)
        except OSError as error:
            raise Unavailable(
                f"The folder for virtualenvs cannot be written: {error.strerror}.",
                code="disk-full" if error.errno == 28 else "venv-folder-unwritable",
                hint=f"Check space and permissions of {self._root}.",
                retry_after_s=60,
            ) from error

    def path(self, spec: VenvSpec) -> Path:
        """Give where the virtualenv of the spec is, or would be."""
        return self._root / self.digest(spec)[:20]

    def forget(self, keep: AbstractSet[Path], before: datetime) -> tuple[Path, ...]:
        """Remove the virtualenvs that are not in `keep` and that nobody asked for since `before`; give their paths."""
        gone: list[Path] = []
        kept = {path.resolve() for path in keep}
        for path in self._root.iterdir() if self._root.is_dir() else ():
            if path in kept or not (path / MARKER).exists() or not _is_unused(path, before):
                continue
            with _locked(self._root, path.name):
                if not _is_unused(path, before):
                    continue
                # the name goes first: whoever asks for it from now on builds it again
                path.rename(away := path.with_name(f".gone-{path.name}"))
            shutil.rmtree(away, ignore_errors=True)
            gone.append(path)
        return tuple(gone)

    def python(self, version: str) -> Path:
        """Give an interpreter of that minor version; Unavailable (python-missing) when it cannot be had."""
        return find_python(version)

    def digest(self, spec: VenvSpec) -> str:
        """Give the content address of the spec on this machine."""
        return digest_of(
            {
                "recipe": _RECIPE,
                "airflow": spec.airflow_version,
                "python": spec.python_version,
                "requirements": sorted(spec.requirements),
                "platform": sysconfig.get_platform(),
                "lock": read_lock(spec.airflow_version, spec.python_version),
            }
        )

    def _build(self, spec: VenvSpec, digest: str, path: Path, progress: Callable[[str], None]) -> Venv:
        shutil.rmtree(path, ignore_errors=True)
        python = find_python(spec.python_version)
        progress(f"Making a virtualenv for Airflow {spec.airflow_version} on Python {spec.python_version}")
        run_uv(["venv", "--no-project", "--no-config", "--python", str(python), str(path)])
        try:
            self._install(spec, path, progress)
        except BaseException:
            shutil.rmtree(path, ignore_errors=True)
            raise
        packages = _packages(path)
        marker = path / f".{MARKER}"
        marker.write_text(json.dumps({"digest": digest, "packages": packages}, indent=1))
        marker.rename(path / MARKER)
        progress(f"{len(packages)} packages are installed")
        return Venv(spec, digest, path, packages)

    def _install(self, spec: VenvSpec, path: Path, progress: Callable[[str], None]) -> None:
        command = ["pip", "install", "--compile-bytecode", "--python", str(path / "bin/python")]
        lock = read_lock(spec.airflow_version, spec.python_version)
        inputs = path / "aerodrome-requirements"
        inputs.mkdir()
        if lock is not None:
            progress("Installing the packages locked for this Airflow version")
            (inputs / "lock.txt").write_text(lock)
            command += ["--requirements", str(inputs / "lock.txt")]
        else:
            version = AirflowVersion.parse(spec.airflow_version)
            wanted = [f"apache-airflow=={version}", *_EXTRAS[min(version.major, 3)]]
            progress("Resolving the packages of this Airflow version as of its release")
            if (day := version.exclude_newer) is not None:
                command += ["--exclude-newer", day.isoformat()]
            (inputs / "lock.txt").write_text("\n".join(wanted))
            command += ["--requirements", str(inputs / "lock.txt")]
        if spec.requirements:
            progress(f"Adding {len(spec.requirements)} requirements of the project")
            (inputs / "requirements.txt").write_text("\n".join(spec.requirements))
            command += ["--requirements", str(inputs / "requirements.txt")]
        try:
            run_uv(command)
        except Invalid as error:
            if not any(_is_airflow_itself(line) for line in spec.requirements):
                raise
            raise Invalid(
                error.message,
                code=error.code,
                hint="Remove apache-airflow from requirements.txt: the deployment's settings choose the Airflow version.",
                details=error.details,
            ) from error


def _is_airflow_itself(requirement: str) -> bool:
    return _NAME.sub("-", re.split(r"[\s\[<>=!~;@]", requirement, maxsplit=1)[0]).lower() in {
        "apache-airflow",
        "apache-airflow-core",
    }


def _read(path: Path, spec: VenvSpec, digest: str) -> Venv | None:
    try:
        marker = json.loads((path / MARKER).read_text())
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError):
        return None
    if marker["digest"] != digest or not (path / "bin/python").exists() or _was_moved(path):
        return None
    return Venv(spec, digest, path, marker["packages"])


def _was_moved(path: Path) -> bool:
    """Tell whether the folder was built elsewhere: its scripts would not start, and Airflow 2 starts tasks by a script."""
    try:
        with (path / "bin/airflow").open("rb") as script:
            return os.fsencode(path / "bin") not in script.read(1000)
    except FileNotFoundError:
        return False


def _note_use(path: Path) -> None:
    """Remember that somebody asked for it, at most once an hour."""
    with suppress(FileNotFoundError):
        if time.time() - (path / MARKER).stat().st_mtime > _NOTED_EVERY_S:
            os.utime(path / MARKER)


def _is_unused(path: Path, before: datetime) -> bool:
    try:
        return datetime.fromtimestamp((path / MARKER).stat().st_mtime, UTC) < before
    except FileNotFoundError:
        return False


def _packages(path: Path) -> dict[str, str]:
    folders = [str(folder) for folder in path.glob("lib/python*/site-packages")]
    found = {_NAME.sub("-", dist.name).lower(): dist.version for dist in metadata.distributions(path=folders)}
    return dict(sorted(found.items()))


@contextmanager
def _locked(root: Path, name: str) -> Iterator[None]:
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (root / f"{name}.lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
