"""Tells for which Airflow a project was written: by its requirements and images, else by what it imports. Pure but for reading."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from aerodrome.migration.codemod.source import read

NEWEST = {"1": "1.10.15", "2": "2.11.2", "3": "3.3.2"}
_VERSION = r"(\d+\.\d+(?:\.\d+)?)"
_PIN = re.compile(rf"(?i)(?<![\w-])apache[-_.]airflow\s*(?:\[[^\]]*\])?\s*(?:==|~=)\s*{_VERSION}(?![\w])")
_LOCKED = (
    re.compile(rf"(?im)^\s*[\"']?apache-airflow[\"']?\s*=\s*(?:\{{[^}}\n]*version\s*=\s*)?[\"'](?:==)?{_VERSION}[\"']"),
    re.compile(rf"(?im)^name\s*=\s*\"apache-airflow\"\s*\n(?:version\s*=\s*\"{_VERSION}\")"),
    re.compile(rf"(?is)\"apache-airflow\":\s*\{{[^{{}}]*?\"version\":\s*\"=={_VERSION}\""),
    re.compile(rf"(?im)^\s*-\s*apache-airflow\s*=\s*{_VERSION}\s*$"),
    re.compile(rf"(?i)\bconstraints-{_VERSION}/constraints-"),
)
_IMAGE = re.compile(
    rf"(?i)(?:apache/airflow|puckel/docker-airflow|ap-airflow|bitnami/airflow|custom/airflow|composer-[\w.]+-airflow)[:-](?:slim-)?{_VERSION}"
)
_VARIABLE = re.compile(
    rf"(?im)(?<![\w])(?:AIRFLOW_VERSION|AIRFLOW_IMAGE_TAG|airflowVersion|defaultAirflowTag|AIRFLOW_VER)[\"']?\s*(?:[?:]?=|:|\s)\s*[\"']?{_VERSION}\b"
)
_PINS = re.compile(
    r"(?i)^(requirements[\w.-]*\.(txt|in)|constraints[\w.-]*\.txt|pyproject\.toml|poetry\.lock|uv\.lock|pipfile(\.lock)?|setup\.(py|cfg)|environment\.ya?ml)$"
)
_BUILDS = re.compile(r"(?i)^(dockerfile.*|.*\.dockerfile|containerfile)$")
_RUNS = re.compile(
    r"(?i)^((docker-)?compose.*\.ya?ml|values.*\.ya?ml|\.env.*|makefile|.*\.(sh|tf|tfvars|ya?ml|cfg|toml))$"
)
_LEFT_OUT = {".venv", ".git", "venv", "node_modules", "site-packages", "__pycache__"}
_DEEP = 3  # folders below the project
_HIGH = 4  # folders above it, within a repository
_LARGEST = 2_000_000  # bytes
_OF_1 = re.compile(
    rb"(?m)^\s*(?:from|import)\s+airflow\.(?:contrib\b|operators\.(?:\w+_operator|sensors)\b|hooks\.\w+_hook\b|sensors\.\w+_sensor\b)|^\s*from airflow\.(?:operators|hooks|sensors) import [A-Z]"
)
_OF_3 = re.compile(rb"(?m)^\s*(?:from|import)\s+airflow\.(?:sdk|providers\.standard)\b")
_OF_2 = re.compile(
    rb"(?m)^\s*(?:from|import)\s+airflow\.(?:decorators|providers|datasets|operators\.(?:python|bash|empty|dummy|email)\b)"
)
_ONLY_1 = re.compile(rb"(?m)^\s*from airflow\.(?:operators|hooks|sensors) import [A-Z]")
"""What 2.2.5, 2.4.3 and 2.11.2 do not import: operators, hooks and sensors, of Airflow and of plugins, from the package itself."""
_ONLY_2 = re.compile(
    rb"(?m)^\s*(?:from|import)\s+airflow\.(?:decorators|datasets|timetables|utils\.task_group|operators\.(?:python|bash|empty|email)\b)"
)
"""What 1.10.15 does not have. It had packages of providers."""


_FILES = ("requirements.txt", "Dockerfile", "docker-compose.yaml", "docker-compose.yml", ".env", "constraints.txt")
_ZONE = re.compile(
    r"(?im)^\s*(?:-\s*|ENV\s+|export\s+)?[\"']?(?:default_timezone|AIRFLOW__CORE__DEFAULT_TIMEZONE)[\"']?\s*[=:]\s*[\"']?([A-Za-z][\w+-]*(?:/[\w+-]+)*)"
)


def default_timezone(project: Path) -> str:
    """Give what the project's files set `[core] default_timezone` to, "" when none does: Airflow 2 read dates without a zone of their own in it."""
    for folder in _folders(project):
        for name in ("airflow.cfg", *_FILES):
            path = folder / name
            if path.is_file() and (found := _ZONE.search(path.read_text(encoding="utf-8", errors="replace"))):
                return found[1]
    return ""


def is_of_1(text: bytes) -> bool:
    """Tell whether a file imports as code of Airflow 1.10 does, and not as that of a later one."""
    return bool(_OF_1.search(text)) and not _OF_2.search(text) and not _OF_3.search(text)


def version_of(text: bytes, version: str) -> str:
    """Give the version of one file, where the project's own is a guess: that of what no other series imports or reads."""
    if is_of_1(text) and (_ONLY_1.search(text) or read(text) is None):
        return NEWEST["1"]
    if version.startswith("1.") and _ONLY_2.search(text) and not _OF_1.search(text) and not _OF_3.search(text):
        return NEWEST["2"]
    return version


def is_named(project: Path) -> bool:
    """Tell whether some file of the project names the version, and it need not be guessed by imports."""
    return bool(_named(project))


def source_version(project: Path) -> tuple[str, str]:
    """Give the version and a sentence that says why."""
    named = _named(project)
    if named:
        (version, name), *others = named
        other = next((f", {place} says {said}" for said, place in others if said != version), "")
        return version, f"{name} names it{other}"
    counts = {"1": 0, "2": 0, "3": 0}
    for path in _python(project):
        text = path.read_bytes()
        kind = "3" if _OF_3.search(text) else "2" if _OF_2.search(text) else "1" if _OF_1.search(text) else None
        if kind:
            counts[kind] += 1
    if not any(counts.values()):
        return NEWEST["2"], "nothing tells, so the last 2.x is taken; --from says it better"
    major = max(counts, key=lambda key: (counts[key], key == "2"))
    which = "; the last one is taken, --from says it better" if major == "2" else ""
    return NEWEST[
        major
    ], f"{counts[major]} of {sum(counts.values())} telling files import as {major}.x code does{which}"


def _folders(project: Path) -> list[Path]:
    """Give the folders whose files are the project's: its own, and those around it up to its repository's."""
    own = project if project.is_dir() else project.parent
    above = [own, *own.resolve().parents][: _HIGH + 1]
    top = next((at for at, folder in enumerate(above) if (folder / ".git").exists()), None)
    if top is not None:
        return above[: top + 1]
    return [own, own.parent] if project.is_dir() else [own]


def _named(project: Path) -> list[tuple[str, str]]:
    """Give the versions that files name, each with the file: what is pinned first, then what is built, then what runs; the nearest files first."""
    found: list[tuple[tuple[int, int, str], str, str]] = []
    seen: set[Path] = set()
    for near, folder in enumerate(_folders(project)):
        for path in _files(folder, _DEEP if near == 0 or (folder / ".git").exists() else 0):
            name = f"requirements-{path.name}" if path.parent.name == "requirements" else path.name
            rank = next((at for at, kind in enumerate((_PINS, _BUILDS, _RUNS)) if kind.match(name)), None)
            if rank is None or path.resolve() in seen:
                continue
            seen.add(path.resolve())
            text = path.read_text(encoding="utf-8", errors="replace")
            if version := _version_of(re.sub(r"(?m)^\s*(#|//).*$", "", text)):
                name = path.relative_to(folder).as_posix()
                found.append(((rank, near, f"{name.count('/')}{name}"), version, name))
    return [(version, name) for _, version, name in sorted(found)]


def _version_of(text: str) -> str:
    for pattern in (_PIN, *_LOCKED, _IMAGE, _VARIABLE):
        if match := pattern.search(text):
            return match[1] if match[1].count(".") > 1 else f"{match[1]}.0"
    return ""


def _files(folder: Path, depth: int) -> Iterator[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return
    for path in entries:
        if path.is_symlink():
            continue
        if path.is_file() and path.stat().st_size < _LARGEST:
            yield path
        elif depth > 0 and path.is_dir() and path.name not in _LEFT_OUT:
            yield from _files(path, depth - 1)


def _python(project: Path) -> Iterator[Path]:
    if project.is_file():
        yield project
        return
    for path in project.rglob("*.py"):
        if path.is_file() and not _LEFT_OUT & set(path.relative_to(project).parts):
            yield path
