"""Proposes a plan for an estate: what to move, and in which waves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aerodrome.migration.estate.records import DagRecord
from aerodrome.migration.plan import fields
from aerodrome.migration.plan.dependencies import components, edges, hold_order
from aerodrome.migration.plan.inventory import Inventory, Judgement

SHORT_RUN_S = 300.0
SHARE_FAILED = 0.2


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
    first_wave_size: int = 5  # live DAGs in the first wave: the canaries
    wave_size: int = 25  # live DAGs in every other wave; a group that belongs together is never split
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
    settings["policies"] |= {key: value for key, value in defaults.policies.items() if key in fields.POLICIES}
    settings["objects"] = _objects(estate)
    dags = sorted(estate.records("dag"), key=lambda dag: dag.dag_id)
    movable = [dag for dag in dags if not reason_to_exclude(dag)]
    settings["waves"] = waves(movable, assessment, defaults)
    settings["excluded"] = [dag.dag_id for dag in dags if reason_to_exclude(dag)]
    settings["dags"] = {dag.dag_id: {"cutover": "leave-paused"} for dag in movable if dag.is_paused}
    return settings


def reason_to_exclude(dag: DagRecord) -> str | None:
    """Tell why a DAG is proposed to stay behind, or None."""
    if not dag.is_active:
        return "the source no longer has its file"
    if dag.import_error:
        return "its file does not import in the source"
    return None


def criticality(dag: DagRecord, risk: str) -> tuple[str, tuple[str, ...]]:
    """Judge a DAG: low, medium or high, with the reasons."""
    if dag.is_paused:
        return "low", ("paused in the source",)
    reasons: list[str] = []
    level = 0
    if risk in ("medium", "high"):
        level = ("low", "medium", "high").index(risk)
        reasons.append(f"{risk} risk in the assessment")
    if dag.duration_p95_s is not None and dag.duration_p95_s > SHORT_RUN_S:
        level = max(level, 1)
        reasons.append(f"long runs ({dag.duration_p95_s / 60:.0f} min)")
    if dag.failures_30d:
        level = max(level, 2 if dag.failures_30d > SHARE_FAILED * max(dag.runs_30d, 1) else 1)
        reasons.append(f"{dag.failures_30d} of {dag.runs_30d} runs failed in 30 days")
    if not reasons:
        reasons.append("short runs, none failed")
    return fields.CRITICALITIES[level], tuple(reasons)


def waves(dags: Sequence[DagRecord], assessment: Judgement, defaults: PlanDefaults) -> list[dict[str, Any]]:
    """Put groups that depend on each other into waves of one criticality, from low to high."""
    by_id = {dag.dag_id: dag for dag in dags}
    links = edges(dags)
    levels = {
        dag.dag_id: fields.CRITICALITIES.index(criticality(dag, risk_of(assessment, dag.dag_id))[0]) for dag in dags
    }

    def rank(group: tuple[str, ...]) -> tuple[Any, ...]:
        members = [by_id[dag_id] for dag_id in group]
        return (
            max(levels[dag_id] for dag_id in group),
            not all(dag.is_paused for dag in members),
            len(group),
            -min(dag.runs_30d for dag in members),  # who runs often shows soon whether it works
            max(dag.duration_p95_s or 0.0 for dag in members),
            min((pool for dag in members for pool in dag.pools if pool != "default_pool"), default=""),
            group,
        )

    found: list[dict[str, Any]] = []
    room = 0
    for group in sorted(components(by_id, links), key=rank):
        level = fields.CRITICALITIES[max(levels[dag_id] for dag_id in group)]
        live = sum(not by_id[dag_id].is_paused for dag_id in group)
        if not found or found[-1]["criticality"] != level or live > room:
            room = defaults.wave_size if found else defaults.first_wave_size
            found.append({"name": f"wave-{len(found) + 1}", "criticality": level, "dags": []})
        found[-1]["dags"].extend(hold_order(group, links))
        room -= live
    return found


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
