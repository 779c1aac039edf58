"""Tells for which Airflow a project was written: by its requirements and images, else by what it imports. Pure but for reading."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from aerodrome.migration.codemod.source import read

NEWEST = {"1": "1.10.15", "2": "2.11.2", "3": "3.3.2"}
_PIN = re.compile(
    r"(?im)^\s*(?:apache-airflow(?:\[[^\]]*\])?\s*==|FROM\s+\S*apache/airflow:|ARG\s+AIRFLOW_VERSION=|AIRFLOW_VERSION=)\s*[\"']?(\d+\.\d+\.\d+)"
)
_FILES = ("requirements.txt", "Dockerfile", "docker-compose.yaml", "docker-compose.yml", ".env", "constraints.txt")
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


_ZONE = re.compile(
    r"(?im)^\s*(?:-\s*|ENV\s+|export\s+)?[\"']?(?:default_timezone|AIRFLOW__CORE__DEFAULT_TIMEZONE)[\"']?\s*[=:]\s*[\"']?([A-Za-z][\w+-]*(?:/[\w+-]+)*)"
)


def default_timezone(project: Path) -> str:
    """Give what the project's files set `[core] default_timezone` to, "" when none does: Airflow 2 read dates without a zone of their own in it."""
    folders = [project, project.parent] if project.is_dir() else [project.parent]
    for folder in folders:
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


def named_version(project: Path) -> tuple[str, str] | None:
    """Give the version that a file of the project names, and the file."""
    folders = [project, project.parent] if project.is_dir() else [project.parent]
    for folder in folders:
        for name in _FILES:
            path = folder / name
            if path.is_file() and (found := _PIN.search(path.read_text(encoding="utf-8", errors="replace"))):
                return found[1], name
    return None


def source_version(project: Path) -> tuple[str, str]:
    """Give the version and a sentence that says why."""
    if (named := named_version(project)) is not None:
        return named[0], f"{named[1]} names it"
    counts = {"1": 0, "2": 0, "3": 0}
    for path in _python(project):
        text = path.read_bytes()
        kind = "3" if _OF_3.search(text) else "2" if _OF_2.search(text) else "1" if _OF_1.search(text) else None
        if kind:
            counts[kind] += 1
    if not any(counts.values()):
        return NEWEST["2"], "nothing tells, so the last 2.x is taken"
    major = max(counts, key=lambda key: (counts[key], key == "2"))
    return NEWEST[major], f"{counts[major]} of {sum(counts.values())} telling files import as {major}.x code does"


def _python(project: Path) -> Iterator[Path]:
    if project.is_file():
        yield project
        return
    for path in project.rglob("*.py"):
        if path.is_file() and not {".venv", ".git", "venv", "node_modules"} & set(path.relative_to(project).parts):
            yield path
