"""Says what differs between two deploys of a deployment: code, requirements, versions, settings, environment objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import select

from aerodrome.access.actor import Actor
from aerodrome.builds import comparison
from aerodrome.builds.comparison import FileChange
from aerodrome.builds.contract import Bundle
from aerodrome.fleet import deploys, lookup
from aerodrome.fleet.context import FleetContext
from aerodrome.kernel.errors import NotFound
from aerodrome.store.tables.deploy import DeployRow
from aerodrome.store.tables.environment import EnvironmentObjectRow

PROJECT = "project"


@dataclass(frozen=True)
class Change:
    """One value that differs; None: not there."""

    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class DeployDiff:
    """What lies between two deploys, seen from `before` to `after` (numbers)."""

    deployment_id: str
    before: int
    after: int
    files: tuple[FileChange, ...]
    requirements: tuple[Change, ...]
    versions: tuple[Change, ...]  # airflow, python
    settings: tuple[Change, ...]  # of the deployment and of the project file
    environment: tuple[Change, ...]  # environment objects: version before and after; never values
    bundles: tuple[Change, ...]  # named DAG bundles: digest before and after
    remarks: tuple[str, ...]  # what could not be compared, and why

    @property
    def is_empty(self) -> bool:
        changes = (self.files, self.requirements, self.versions, self.settings, self.environment, self.bundles)
        return not any(changes)


def compare(context: FleetContext, actor: Actor, ref: str, before: int | str, after: int | str) -> DeployDiff:
    """Compare two deploys by number or id; NotFound when one of them does not exist."""
    with context.store.reading() as session:
        deployment = lookup.deployment(session, actor, ref, "deploy.read")
        old, new = deploys.find(session, deployment, before), deploys.find(session, deployment, after)
        ids = _objects(old).keys() | _objects(new).keys()
        query = select(EnvironmentObjectRow.id, EnvironmentObjectRow.kind, EnvironmentObjectRow.name)
        names = {row[0]: f"{row[1]} {row[2]}" for row in session.execute(query.where(EnvironmentObjectRow.id.in_(ids)))}
    remarks: list[str] = []
    files: list[FileChange] = []
    bundles_before = {PROJECT: old.bundle_digest, **old.extra_bundles}
    bundles_after = {PROJECT: new.bundle_digest, **new.extra_bundles}
    for name in sorted(bundles_before.keys() | bundles_after.keys(), key=lambda name: (name != PROJECT, name)):
        digests = bundles_before.get(name), bundles_after.get(name)
        if digests[0] != digests[1]:
            files += _files(context, name, digests, (old.number, new.number), remarks)
    if len(files) > comparison.MAX_FILES:
        remarks.append(f"Only the first {comparison.MAX_FILES} of {len(files)} files that differ are shown.")
    return DeployDiff(
        deployment_id=deployment.id,
        before=old.number,
        after=new.number,
        files=tuple(islice(files, comparison.MAX_FILES)),
        requirements=_listed(old.requirements, new.requirements),
        versions=_values(_versions(old), _versions(new)),
        settings=_values(_settings(old), _settings(new)),
        environment=_values(
            {names.get(key, key): f"version {number}" for key, number in _objects(old).items()},
            {names.get(key, key): f"version {number}" for key, number in _objects(new).items()},
        ),
        bundles=_values(old.extra_bundles, new.extra_bundles),
        remarks=tuple(remarks),
    )


def _files(
    context: FleetContext,
    name: str,
    digests: tuple[str | None, str | None],
    numbers: tuple[int, int],
    remarks: list[str],
) -> list[FileChange]:
    found: list[Bundle | None] = []
    for digest, number in zip(digests, numbers, strict=True):
        try:
            found.append(context.bundles.get(digest) if digest else None)
        except NotFound:
            remarks.append(f"The files of deploy {number} were removed by age, so its code cannot be compared.")
            return []
    return list(comparison.compare(found[0], found[1], name))


def _versions(row: DeployRow) -> dict[str, str | None]:
    return {"airflow": row.airflow_version, "python": row.python_version}


def _objects(row: DeployRow) -> Mapping[str, Any]:
    objects: dict[str, Any] = (row.revision or {}).get("environment", {})
    return objects


def _settings(row: DeployRow) -> dict[str, str]:
    project = row.project or {}
    settings = _flat((row.revision or {}).get("settings", {}))
    settings |= {f"project file: env.{name}": value for name, value in project.get("env", {}).items()}
    settings |= {f"project file: config.{name}": value for name, value in project.get("config", {}).items()}
    packages = project.get("system_packages") or ()
    return settings | ({"packages.txt": ", ".join(packages)} if packages else {})


def _flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, item in value.items():
        flat |= _flat(item, f"{prefix}{name}.") if isinstance(item, Mapping) else {f"{prefix}{name}": str(item)}
    return flat


def _values(before: Mapping[str, str | None], after: Mapping[str, str | None]) -> tuple[Change, ...]:
    names = sorted(before.keys() | after.keys())
    pairs = [Change(name, before.get(name), after.get(name)) for name in names]
    return tuple(pair for pair in pairs if pair.before != pair.after)


def _listed(before: Sequence[str], after: Sequence[str]) -> tuple[Change, ...]:
    """Give requirements by their package: one that was pinned otherwise is one change."""
    return _values({_package(line): line for line in before}, {_package(line): line for line in after})


def _package(line: str) -> str:
    head = line.split(";", maxsplit=1)[0]
    for mark in ("[", "<", ">", "=", "!", "~", "@", " "):
        head = head.split(mark)[0]
    return head.strip().lower().replace("_", "-") or line
