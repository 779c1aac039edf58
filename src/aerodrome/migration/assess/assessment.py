"""Runs every check over an estate and sums up."""

from __future__ import annotations

from collections import Counter

from aerodrome.migration.assess.checks import ALL
from aerodrome.migration.assess.contract import SEVERITIES, Assessment, Finding
from aerodrome.migration.assess.inventory import Inventory
from aerodrome.migration.assess.risk import dag_risks
from aerodrome.migration.estate.archive import Estate

_ORDER = {severity: position for position, severity in enumerate(SEVERITIES)}


def assess(estate: Estate, target_version: str) -> Assessment:
    """Give the findings, worst first, the risk per DAG, and the totals. The same estate gives the same assessment."""
    return assess_inventory(Inventory.of(estate, target_version))


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
    general = sum(
        checks[f.code].hours for f in findings if not f.subject.startswith("dag:") and not _is_dag_file(inventory, f)
    )
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
        "risk": {risk: by_risk[risk] for risk in ("low", "medium", "high")},
        "effort_h": round(general + sum(risk.effort_h for risk in risks.values()), 1),
    }
    return Assessment(inventory.target_version, tuple(findings), risks, totals)


def _is_dag_file(inventory: Inventory, finding: Finding) -> bool:
    """Tell whether the finding's effort is counted with a DAG already."""
    return bool(finding.file) and str(finding.file).removeprefix("dags/") in inventory.dags_by_file
