"""Runs every check over an estate and sums up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from aerodrome.migration.assess.checks import ALL
from aerodrome.migration.assess.contract import SEVERITIES, Assessment, DagRisk, Finding
from aerodrome.migration.assess.estimate import estimate
from aerodrome.migration.assess.inventory import Inventory
from aerodrome.migration.assess.network import Addresses
from aerodrome.migration.assess.risk import dag_risks
from aerodrome.migration.assess.waves import Wave, criticality, propose_waves, reason_to_exclude, wave_of
from aerodrome.migration.estate.archive import Estate

_ORDER = {severity: position for position, severity in enumerate(SEVERITIES)}


def assess(estate: Estate, target_version: str, addresses: Addresses | None = None) -> Assessment:
    """Give the findings, worst first, the risk per DAG, waves, and the totals. The same estate gives the same assessment.

    `addresses`: what DNS said about hosts, where a person asked for it; nothing here asks by itself.
    """
    return assess_inventory(Inventory.of(estate, target_version, addresses))


def assess_inventory(inventory: Inventory) -> Assessment:
    """Assess what is in memory already."""
    findings = [
        Finding(
            check.code, check.severity, place.subject, place.file, place.line, place.message, place.hint or check.hint
        )
        for check in ALL
        for place in check.find(inventory)
    ]
    findings.sort(key=lambda f: (_ORDER[f.severity], f.code, f.subject, f.line or 0, f.message))
    checks = {check.code: check for check in ALL}
    risks = dag_risks(inventory, findings, checks)
    waves = _waves(inventory, risks)
    risks = _placed(inventory, risks, waves)
    general = sum(
        checks[f.code].hours for f in findings if not f.subject.startswith("dag:") and not _is_dag_file(inventory, f)
    )
    history = estimate(inventory)
    by_risk = Counter(risk.risk for risk in risks.values())
    totals = {
        "dags": len(inventory.dags),
        "dags_active": len(inventory.active_dags),
        "dags_paused": sum(dag.is_paused for dag in inventory.dags),
        "tasks": sum(dag.task_count for dag in inventory.dags),
        "runs": sum(sum(dag.run_states.values()) for dag in inventory.dags),
        "task_instances": sum(sum(dag.task_states.values()) for dag in inventory.dags),
        "connections": len(inventory.connections),
        "variables": len(inventory.variables),
        "pools": len(inventory.pools),
        "env_vars": len(inventory.env_vars),
        "files": len(inventory.files),
        "waves": len(waves),
        "groups": sum(len(group) > 1 for group in inventory.groups),
        "transfer": {
            "rows": history.rows,
            "bytes": history.bytes,
            "seconds": round(history.seconds),
            "rows_per_s": history.rows_per_s,
        },
        "database_bytes": inventory.measure("bytes:database"),
        "hosts": dict(sorted(Counter(reach.path for reach in inventory.reaches).items())),
        "risk": {risk: by_risk[risk] for risk in ("low", "medium", "high")},
        "effort_h": round(general + sum(risk.effort_h for risk in risks.values()), 1),
    }
    return Assessment(inventory.target_version, tuple(findings), risks, totals, tuple(waves), inventory.reaches)


def _waves(inventory: Inventory, risks: Mapping[str, DagRisk]) -> list[Wave]:
    movable = [dag for dag in inventory.dags if not reason_to_exclude(dag)]
    return propose_waves(movable, lambda dag_id: risks[dag_id].risk)


def _placed(inventory: Inventory, risks: Mapping[str, DagRisk], waves: Sequence[Wave]) -> dict[str, DagRisk]:
    """Add to each risk how critical the DAG is, its group and its wave."""
    wave = wave_of(waves)
    first = {dag_id: group[0] for group in inventory.groups for dag_id in group}
    found: dict[str, DagRisk] = {}
    for dag in inventory.dags:
        level, reasons = criticality(dag, risks[dag.dag_id].risk)
        found[dag.dag_id] = replace(
            risks[dag.dag_id],
            criticality=level,
            criticality_reasons=reasons,
            group=first.get(dag.dag_id, dag.dag_id),
            wave=wave.get(dag.dag_id, ""),
            stays_because=reason_to_exclude(dag) or "",
            file=f"dags/{dag.file}",
        )
    return found


def _is_dag_file(inventory: Inventory, finding: Finding) -> bool:
    """Tell whether the finding's effort is counted with a DAG already."""
    return bool(finding.file) and str(finding.file).removeprefix("dags/") in inventory.dags_by_file
