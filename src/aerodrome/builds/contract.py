"""What builds make: bundles (a project folder, frozen by content) and virtualenvs (shared by content)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class ProjectSettings:
    """What a project says about its deployment: `aerodrome.yaml`, the settings files that it lists, packages.txt."""

    airflow: str | None = None  # "3.3.2"
    python: str | None = None  # "3.11"
    env: Mapping[str, str] = field(default_factory=dict)  # plain settings, never secrets
    config: Mapping[str, str] = field(default_factory=dict)  # "section.option" -> value
    description: str = ""
    system_packages: tuple[str, ...] = ()  # packages.txt: noted; the local runtime installs none
    remarks: tuple[str, ...] = ()  # sentences for people: what was left out and why


@dataclass(frozen=True)
class Bundle:
    """An immutable copy of a project folder.

    Parts: dags, plugins, include, requirements, settings, other -> digest of that part; settings only where there are any.
    """

    digest: str  # 64 hex digits over all parts
    path: Path  # folder that holds the files, read-only
    parts: Mapping[str, str]
    file_count: int
    size_bytes: int
    requirements: tuple[str, ...]  # normalised lines of requirements.txt without comments
    settings: ProjectSettings = ProjectSettings()


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
