"""Compiles checked settings into the frozen list of steps that both dry run and real run read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from aerodrome.kernel.clock import from_text, to_text
from aerodrome.migration.estate.records import DagRecord
from aerodrome.migration.plan import fields
from aerodrome.migration.plan.contract import FrozenPlan, Step
from aerodrome.migration.plan.handover import wave_steps
from aerodrome.migration.plan.inventory import Inventory
from aerodrome.migration.plan.reader import stale
from aerodrome.migration.sources.contract import DEFINITION_KINDS


def compile_plan(settings: Mapping[str, Any], estate: Inventory) -> FrozenPlan:
    """Give the plan of these settings: same settings and estate, same digest. Conflict `plan-stale` for another estate."""
    if settings["estate"] != estate.digest:
        raise stale(str(settings["estate"]), estate.digest)
    dags = {dag.dag_id: dag for dag in estate.records("dag")}
    moving = [dag_id for wave in settings["waves"] for dag_id in wave["dags"]]
    steps = [
        *_environment(settings, estate),
        *_code(settings, estate),
        *_objects(settings, estate),
        *_history(settings, moving, estate),
        *_validation(settings, moving, dags, estate),
    ]
    waves = {wave["name"]: wave_steps(wave, settings, dags) for wave in settings["waves"]}
    return FrozenPlan(estate.digest, dict(settings), tuple(steps), waves)


def selected(settings: Mapping[str, Any], section: str, records: Iterable[Any]) -> list[Any]:
    """Give the records of an object section that move, sorted by key."""
    chosen = settings["objects"][section]
    return [
        record
        for record in sorted(records, key=lambda record: str(record.key))
        if (chosen["include"] == "all" or record.key in chosen["include"]) and record.key not in chosen["exclude"]
    ]


def _environment(settings: Mapping[str, Any], estate: Inventory) -> Iterator[Step]:
    target = settings["target"]
    yield Step(
        "environment.workspace",
        "environment",
        "environment.workspace",
        f"Find or make the workspace {target['workspace']}",
        {"name": target["workspace"]},
    )
    yield Step(
        "environment.deployment",
        "environment",
        "environment.deployment",
        f"Find or make the deployment {target['deployment']} with Airflow {target['airflow']}",
        {
            "name": target["deployment"],
            "workspace": target["workspace"],
            "airflow_version": target["airflow"],
            "python_version": target["python"],
            "cluster": target["cluster"],
            "parallelism": target["parallelism"],
            "database": target["database"],
            "config": dict(target["config"]),
        },
    )
    if name := _backend(settings):
        yield Step(
            "environment.backend",
            "environment",
            "environment.backend",
            f"Let the deployment ask the secrets backend {name} first",
            {"workspace": target["workspace"], "backend": name},
        )
    records = selected(settings, "environment", estate.records("env_var"))
    if records:
        yield Step(
            "environment.variables",
            "environment",
            "environment.variables",
            f"Set {_count(len(records), 'environment variable')}",
            {
                "names": [record.key for record in records],
                "secret_names": [record.key for record in records if record.is_secret],
            },
        )


def _code(settings: Mapping[str, Any], estate: Inventory) -> Iterator[Step]:
    version = settings["target"]["airflow"]
    kind = estate.header.source_kind
    is_converted = kind in DEFINITION_KINDS
    key = "code.convert" if is_converted else "code.upgrade"
    choices = settings.get("code", {})
    rejected, as_of = list(choices.get("rejected", ())), choices.get("requirements_as_of")
    but = f"; {_count(len(rejected), 'file')} as the source has them" if rejected else ""
    but += f"; requirements.txt resolved as of {as_of}" if as_of else ""
    title = (
        f"Convert the definitions of {kind} into DAGs for Airflow {version}, with their tests"
        if is_converted
        else f"Upgrade the DAG code to Airflow {version} in a copy, with a diff per file{but}"
    )
    params = {"target_version": version, **({"rejected": rejected} if rejected else {})}
    if as_of and not is_converted:
        params |= {"requirements_as_of": as_of, "python": settings["target"]["python"]}
    yield Step(key, "code", key, title, params)
    yield Step(
        "deploy.bundle",
        "deploy",
        "deploy.bundle",
        f"Deploy the {'converted' if is_converted else 'upgraded'} code; every DAG stays paused",
        {"description": "Migrated from the source"},
    )


def _objects(settings: Mapping[str, Any], estate: Inventory) -> Iterator[Step]:
    backend = _backend(settings)
    titles = {
        "pools": "Move {}",
        "variables": "Move {}, encrypted under the target's key",
        "connections": "Move {}, re-encrypted under the target's key",
    }
    if backend:
        titles |= dict.fromkeys(("variables", "connections"), f"Write {{}} into the secrets backend {backend}")
    elif _place(settings):
        titles |= dict.fromkeys(("variables", "connections"), "Make {} objects of the deployment")
    for section, title in titles.items():
        into = {"backend": backend, "workspace": settings["target"]["workspace"]} if backend else _place(settings)
        records = [
            record
            for record in selected(settings, section, estate.records(fields.OBJECT_KINDS[section]))
            if getattr(record, "origin", "metadata-db") == "metadata-db"
        ]
        if records:
            yield Step(
                f"transfer.{section}",
                "transfer",
                f"transfer.{section}",
                title.format(_count(len(records), section.removesuffix("s"))),
                {
                    "keys": [record.key for record in records],
                    "on_conflict": settings["policies"]["on_conflict"],
                    **(into if section != "pools" else {}),
                },
            )


def _history(settings: Mapping[str, Any], moving: Sequence[str], estate: Inventory) -> Iterator[Step]:
    depth = settings["history"]["depth"]
    if depth == "none":
        return
    since = None
    if depth != "all":
        taken_at = from_text(estate.header.taken_at)
        assert taken_at is not None  # noqa: S101 - a header always carries its moment
        since = to_text(taken_at - timedelta(days=int(depth.removesuffix("d"))))
    size = settings["history"]["dags_per_step"]
    for number, start in enumerate(range(0, len(moving), size), 1):
        part = list(moving[start : start + size])
        yield Step(
            f"transfer.history:{number:04}",
            "transfer",
            "transfer.history",
            f"Move the run history of {_count(len(part), 'DAG')}" + (f" since {since[:10]}" if since else ""),
            {
                "dag_ids": part,
                "since": since,
                "on_conflict": settings["history"]["on_conflict"],
                "leave_out": settings["history"].get("leave_out", []),
            },
        )


def _validation(
    settings: Mapping[str, Any], moving: Sequence[str], dags: Mapping[str, DagRecord], estate: Inventory
) -> Iterator[Step]:
    yield Step(
        "validate.dags",
        "validate",
        "validate.dags",
        f"Check that {_count(len(moving), 'DAG')} parse in the target with the same tasks and schedule",
        {"dag_ids": list(moving)},
    )
    wanted: dict[str, Any] = {}
    for section, kind, used in (
        ("connections", "connection", "connections"),
        ("variables", "variable", "variables"),
        ("pools", "pool", "pools"),
    ):
        # Objects that the source keeps elsewhere (environment, secrets backend) are not looked for in the database.
        kept = {
            record.key for record in estate.records(kind) if getattr(record, "origin", "metadata-db") == "metadata-db"
        }
        moved = {record.key for record in selected(settings, section, estate.records(kind))} & kept
        mentioned = {key for dag_id in moving for key in getattr(dags[dag_id], used)} & kept
        wanted[section] = sorted(moved | mentioned)
    if name := _backend(settings):
        wanted |= {"backend": name, "workspace": settings["target"]["workspace"]}
    wanted |= _place(settings)
    yield Step(
        "validate.objects",
        "validate",
        "validate.objects",
        "Check that the target has every connection, variable and pool that the DAGs need",
        wanted,
    )


def _backend(settings: Mapping[str, Any]) -> str:
    """Give the secrets backend that takes connections and variables; empty: it is none that does."""
    return str(settings.get("secrets", {}).get("backend", ""))


def _place(settings: Mapping[str, Any]) -> dict[str, str]:
    """Say that the environment manager takes connections and variables; nothing where another place does."""
    secrets = settings.get("secrets", {})
    return {"place": "environment"} if secrets.get("place") == "environment" and not secrets.get("backend") else {}


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
