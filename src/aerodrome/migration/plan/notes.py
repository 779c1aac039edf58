"""Short remarks about DAGs and objects, for the comments of the plan file."""

from __future__ import annotations

from aerodrome.migration.assess.waves import criticality, reason_to_exclude
from aerodrome.migration.estate.records import DagRecord
from aerodrome.migration.plan.dependencies import edges
from aerodrome.migration.plan.inventory import Inventory, Judgement
from aerodrome.migration.plan.proposal import risk_of


def describe(estate: Inventory, assessment: Judgement) -> dict[str, str]:
    """Give a remark per "dag:<id>", "connection:<id>", "variable:<name>", "env_var:<name>"; never a value."""
    dags = list(estate.records("dag"))
    leaders: dict[str, list[str]] = {}
    for edge in edges(dags):
        leaders.setdefault(edge.follower, []).append(edge.leader)
    sharers: dict[str, int] = {}
    for dag in dags:
        for pool in dag.pools:
            sharers[pool] = sharers.get(pool, 0) + 1
    notes = {f"dag:{dag.dag_id}": _dag(dag, risk_of(assessment, dag.dag_id), leaders, sharers) for dag in dags}
    for kind in ("connection", "variable"):
        for record in estate.records(kind):
            if record.error:
                notes[f"{kind}:{record.key}"] = f"cannot be read: {record.error}"
    for record in estate.records("env_var"):
        remark = {"airflow-connection": "a connection", "airflow-variable": "an Airflow variable"}.get(
            record.purpose, ""
        )
        notes[f"env_var:{record.key}"] = ", ".join(filter(None, (remark, "secret" if record.is_secret else "")))
    return notes


def _dag(dag: DagRecord, risk: str, leaders: dict[str, list[str]], sharers: dict[str, int]) -> str:
    reason = reason_to_exclude(dag)
    if reason:
        return reason
    parts = [
        *([f"owner {', '.join(dag.owners[:3])}"] if dag.owners else []),
        dag.schedule or "manual only",
        *criticality(dag, risk)[1],
    ]
    if dag.dag_id in leaders:
        parts.append(f"follows {', '.join(sorted(set(leaders[dag.dag_id]))[:3])}")
    shared = sorted(pool for pool in dag.pools if pool != "default_pool" and sharers[pool] > 1)
    if shared:
        parts.append(f"shares the pool {shared[0]}")
    return "; ".join(parts)
