"""Virtualenvs of bench.upgrade: of Airflows as old as 1.10.15, and of a target with what an upgraded project's requirements.txt asks for.

A corpus becomes a project: its requirements.txt pins the source's Airflow, and the upgrade itself adds the providers that the code needs, finds
their versions of a day, and says which of them have none. Nothing else is installed in the target.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterable
from datetime import date
from pathlib import Path

from aerodrome.builds import VenvSpec, VenvStore
from aerodrome.builds.pythons import find_python
from aerodrome.builds.uv import run_uv
from aerodrome.kernel.errors import AerodromeError, Invalid, Unavailable
from aerodrome.migration.codemod import CodeUpgrade
from aerodrome.migration.codemod.requirements import providers_of
from aerodrome.migration.codemod.resolution import resolve_requirements

AS_OF = date(2026, 11, 20)
"""Versions are those of this day, so that two runs measure the same."""
PYTHON = "3.11"
_OLD_PYTHON = "3.8"
_FORMER = frozenset(f"apache-airflow-providers-{name}" for name in ("cncf-kubernetes", "http", "mysql", "postgres"))
"""Whose operators have other names today: what imports them does not say so by its imports."""
_HOLD_BACK = {"1.10.15": ("sqlalchemy<1.4",)}
"""What Airflow admits and cannot be imported with: its web server's flask-admin 1.5 needs SQLAlchemy 1.3."""


def note(text: str) -> None:
    sys.stderr.write(f"bench: {text}\n")


def as_project(folder: Path, version: str, given: Path | None = None) -> None:
    """Give a corpus the requirements.txt of a project: its own one, or the pin of its Airflow."""
    place = folder / "requirements.txt"
    if given is not None and given.is_file():
        shutil.copyfile(given, place)
    elif not place.exists():
        place.write_text(f"apache-airflow=={version}\n", encoding="utf-8")


def target_venv(version: str, after: Path, done: CodeUpgrade) -> Path:
    """Make the target that the upgraded project asks for; what has no version there is said, and left out."""
    lost = {item.line for item in done.findings if item.rule == "requirements-unresolvable"}
    lines = (after / "requirements.txt").read_text(encoding="utf-8").splitlines()
    for item in done.findings:
        if item.rule in ("requirements-unresolvable", "requirements-unchecked", "dead-pin"):
            note(f"requirements.txt:{item.line}: {item.message[:200]}")
    return venv(version, tuple(line for number, line in enumerate(lines, 1) if number not in lost and _is_named(line)))


def source_venv(version: str, folder: Path) -> Path:
    """Make an Airflow 2 with the providers that the files of a corpus import."""
    major = int(version.partition(".")[0])
    wanted = sorted(frozenset().union(*(providers_of(file.read_bytes(), major) for file in folder.rglob("*.py"))))
    text, _, findings = resolve_requirements("\n".join(wanted), "requirements of the source", version, PYTHON, AS_OF)
    lost = {item.line for item in findings}
    for item in findings:
        note(f"{wanted[item.line - 1]}: {item.message[:200]}")
    return venv(version, (line for number, line in enumerate(text.splitlines(), 1) if number not in lost))


def _is_named(line: str) -> bool:
    return bool(line.strip()) and not line.strip().startswith(("#", "-"))


def venv(version: str, requirements: Iterable[str] = ()) -> Path:
    """Make a virtualenv; a requirement that cannot be built on this machine is said, and left out."""
    wanted = list(requirements)
    while True:
        try:
            return VenvStore(_place() / "venvs").ensure(VenvSpec(version, PYTHON, tuple(wanted)), note).path
        except Invalid as error:
            if error.code != "package-build-failed":
                raise
            left = [line for line in wanted if re.split(r"[^\w.-]", line)[0] not in str(error.details["output"])]
            if left == wanted:
                raise
            note(f"left out: {', '.join(sorted(set(wanted) - set(left)))}: {error.message.splitlines()[0]}")
            wanted = left


def old_venv(version: str, day: str) -> Path | None:
    """Make a virtualenv with what the index had on that day; None without a Python that this Airflow runs on."""
    place = _place() / "old" / version
    if not (place / "ready").exists():
        try:
            python = find_python(_OLD_PYTHON)
        except Unavailable as error:
            note(f"{version} is left out: {error.message}")
            return None
        shutil.rmtree(place, ignore_errors=True)
        run_uv(["venv", "--no-project", "--no-config", "--python", str(python), str(place)])
        wanted = [f"apache-airflow=={version}", "setuptools<66", *_HOLD_BACK.get(version, ())]
        run_uv(["pip", "install", "--python", str(place / "bin/python"), "--exclude-newer", day, *wanted])
        (place / "ready").touch()
    return place


def old_venv_with_providers(version: str, day: str, folder: Path) -> Path | None:
    """Make an Airflow 2 of that day with the providers of that day that the files of a corpus import; None without its Python."""
    place = old_venv(version, day)
    if place is None:
        return None
    wanted = frozenset().union(*(providers_of(file.read_bytes(), 2) for file in folder.rglob("*.py")))
    for name in sorted(wanted | _FORMER):
        marker = place / f"ready-{name}"
        if marker.exists():
            continue
        try:
            run_uv(
                [
                    "pip",
                    "install",
                    "--python",
                    str(place / "bin/python"),
                    "--exclude-newer",
                    day,
                    name,
                    f"apache-airflow=={version}",
                ]
            )
        except AerodromeError as error:
            note(f"{name} of {day}: {error.message[:200]}")
        marker.touch()
    return place


def _place() -> Path:
    return Path(os.environ.get("AERODROME_BENCH_CACHE", ".cache/bench")).absolute()
