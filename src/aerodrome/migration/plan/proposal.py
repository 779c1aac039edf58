"""Proposes a plan for an estate: what to move, and in which waves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aerodrome.migration.assess.waves import FIRST_WAVE, WAVE, propose_waves, reason_to_exclude
from aerodrome.migration.estate.dependencies import Edge, edges
from aerodrome.migration.estate.records import DagRecord
from aerodrome.migration.plan import fields
from aerodrome.migration.plan.dependencies import hold_order
from aerodrome.migration.plan.inventory import Inventory, Judgement
from aerodrome.migration.plan.windows import is_frequent, quiet_of
from aerodrome.migration.sources.contract import DEFINITION_KINDS

LARGE_WAVE = 4
"""Live DAGs from which on a wave is proposed with a canary."""


@dataclass(frozen=True)
class PlanDefaults:
    """What the person (or the command line) has decided already; empty values take the field's default."""

    workspace: str = ""
    deployment: str = ""
    airflow_version: str = ""
    python_version: str = ""
    cluster: str = ""
    parallelism: int | None = None
    database: str = ""
    first_wave_size: int = FIRST_WAVE  # live DAGs in the first wave: the canaries
    wave_size: int = WAVE  # live DAGs in every other wave; a group that belongs together is never split
    policies: Mapping[str, Any] = field(default_factory=dict)  # fields.POLICIES, durations in seconds


def propose(estate: Inventory, assessment: Judgement, defaults: PlanDefaults) -> dict[str, Any]:
    """Give complete settings: every DAG in exactly one wave or excluded, harmless ones first."""
    settings: dict[str, Any] = {"version": fields.VERSION, "estate": estate.digest, **fields.defaults()}
    wishes = {
        "workspace": defaults.workspace,
        "deployment": defaults.deployment,
        "airflow": defaults.airflow_version,
        "python": defaults.python_version,
        "cluster": defaults.cluster,
        "parallelism": defaults.parallelism,
        "database": defaults.database,
    }
    settings["target"] |= {key: value for key, value in wishes.items() if value}
    if str(settings["target"]["airflow"]).startswith("2."):
        settings["target"]["config"] = {}  # Airflow 2 keeps its own data intervals
    settings["policies"] |= {key: value for key, value in defaults.policies.items() if key in fields.POLICIES}
    if estate.header.source_kind in DEFINITION_KINDS:
        settings["history"] |= {"depth": "none"}  # definitions have none; the boundary comes with the cutover
    if estate.header.source_kind == "starship":
        settings["history"] |= {"leave_out": ["xcoms"]}  # people decide: see `history-calls`
    settings["objects"] = _objects(estate)
    dags = sorted(estate.records("dag"), key=lambda dag: dag.dag_id)
    movable = [dag for dag in dags if not reason_to_exclude(dag)]
    settings["waves"] = waves(movable, assessment, defaults)
    settings["excluded"] = [dag.dag_id for dag in dags if reason_to_exclude(dag)]
    settings["dags"] = {dag.dag_id: {"cutover": "leave-paused"} for dag in movable if dag.is_paused}
    return settings


def waves(dags: Sequence[DagRecord], assessment: Judgement, defaults: PlanDefaults) -> list[dict[str, Any]]:
    """Put groups that depend on each other into waves of one criticality, from low to high, in the order of holding."""
    links = edges(dags)
    proposed = propose_waves(
        dags,
        lambda dag_id: risk_of(assessment, dag_id),
        first_size=defaults.first_wave_size,
        size=defaults.wave_size,
        links=links,
    )
    first_of = {dag_id: group[0] for wave in proposed for group in wave.groups for dag_id in group}
    by_group: dict[str, list[Edge]] = {}
    for link in links:
        by_group.setdefault(first_of[link.leader], []).append(link)
    by_id = {dag.dag_id: dag for dag in dags}
    windows = [quiet_of(by_id[dag_id] for dag_id in wave.dag_ids).window for wave in proposed]
    ordered = [
        [dag_id for group in wave.groups for dag_id in hold_order(group, by_group.get(group[0], ()))]
        for wave in proposed
    ]
    return [
        {
            "name": wave.name,
            "criticality": wave.criticality,
            **{key: field.default for key, field in fields.WAVE.items()},
            "canary": _canary(members, by_id),
            "window": window.text if window else "",
            "dags": members,
        }
        for wave, window, members in zip(proposed, windows, ordered, strict=True)
    ]


def _canary(members: Sequence[str], by_id: Mapping[str, DagRecord]) -> int:
    """Let one DAG go first where the wave is large enough, and where the others need not wait for it for long."""
    live = [dag_id for dag_id in members if not by_id[dag_id].is_paused]
    return 1 if len(live) >= LARGE_WAVE and is_frequent(by_id[live[0]]) else 0


def risk_of(assessment: Judgement, dag_id: str) -> str:
    """Give the assessed risk of a DAG; low when the assessment does not know it."""
    judged = assessment.dag_risks.get(dag_id)
    return str(judged.risk) if judged else "low"


def _objects(estate: Inventory) -> dict[str, Any]:
    chosen: dict[str, Any] = {}
    for section, kind in fields.OBJECT_KINDS.items():
        records = sorted(estate.records(kind), key=lambda record: record.key)
        if kind == "env_var":
            # Airflow's own settings belong to the target deployment, everything else travels.
            chosen[section] = {
                "include": [record.key for record in records if record.purpose != "airflow-config"],
                "exclude": [],
            }
        else:
            chosen[section] = {
                "include": "all",
                "exclude": [record.key for record in records if getattr(record, "error", None)],
            }
    return chosen
