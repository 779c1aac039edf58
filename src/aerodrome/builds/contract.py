"""What builds make: bundles (a project folder, frozen by content) and virtualenvs (shared by content)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Bundle:
    """An immutable copy of a project folder. Parts: dags, plugins, include, requirements, other -> digest of that part."""

    digest: str  # 64 hex digits over all parts
    path: Path  # folder that holds the files, read-only
    parts: Mapping[str, str]
    file_count: int
    size_bytes: int
    requirements: tuple[str, ...]  # normalised lines of requirements.txt without comments


@dataclass(frozen=True)
class VenvSpec:
    """What a virtualenv must hold."""

    airflow_version: str  # "3.3.2"
    python_version: str  # "3.11"
    requirements: tuple[str, ...] = ()


@dataclass(frozen=True)
class Venv:
    """A ready virtualenv."""

    spec: VenvSpec
    digest: str  # of the spec
    path: Path
    packages: Mapping[str, str]  # distribution name -> version, as installed
