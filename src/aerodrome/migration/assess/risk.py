"""How risky it is to move each DAG, from its findings and its nature, with the reasons in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from aerodrome.migration.assess.contract import Check, DagRisk, Finding, Risk
from aerodrome.migration.assess.inventory import Inventory
from aerodrome.migration.estate.records import DagRecord

BASE_EFFORT_H = 0.25
"""Reading the diff and watching the first run of a DAG about which nothing is found."""
MANY_TASKS = 50
MANY_RUNS_30D = 300
BUSY_DEPENDENTS = 3
_FREE = {"cron-data-interval", "catchup-default", "implicit-schedule", "env-secret"}
"""Warnings that the plan or the code upgrade answers by itself."""


def dag_risks(inventory: Inventory, findings: Sequence[Finding], checks: Mapping[str, Check]) -> dict[str, DagRisk]:
    """Judge every DAG of the estate."""
    by_subject: dict[str, list[Finding]] = {}
    by_file: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.subject.startswith("dag:"):
            by_subject.setdefault(finding.subject.removeprefix("dag:"), []).append(finding)
        elif finding.file:
            by_file.setdefault(finding.file, []).append(finding)
    dependents: dict[str, int] = {}
    for dag in inventory.active_dags:
        for other in dag.depends_on_dags:
            dependents[other] = dependents.get(other, 0) + 1
    broken = {f.subject.removeprefix("connection:") for f in findings if f.code == "undecryptable"}
    private = {f.subject.removeprefix("connection:") for f in findings if f.code == "private-host"}
    risks: dict[str, DagRisk] = {}
    for dag in inventory.dags:
        concerning = [*by_subject.get(dag.dag_id, ()), *by_file.get(f"dags/{dag.file}", ())]
        score, reasons = _nature(dag, dependents.get(dag.dag_id, 0))
        for name, conns in (("cannot be decrypted", broken), ("is in a private network", private)):
            for conn_id in sorted(conns.intersection(dag.connections)):
                score += 2 if conns is broken else 1
                reasons.append(f"Its connection {conn_id} {name}.")
        efforts: Counter[str] = Counter()
        seen: set[str] = set()
        for finding in concerning:
            if hours := checks[finding.code].hours:
                efforts[finding.code] += hours  # type: ignore[assignment]  # a Counter adds floats as well
            if finding.code in seen or finding.code in _FREE or finding.severity == "info":
                continue
            seen.add(finding.code)
            score += 4 if finding.severity == "blocker" else 1
            reasons.append(finding.message)
        dear = tuple((code, round(hours, 2)) for code, hours in efforts.most_common())
        total = round(BASE_EFFORT_H + sum(efforts.values()), 2)
        risks[dag.dag_id] = DagRisk(_risk(score), tuple(reasons), total, efforts=dear)
    return risks


def _nature(dag: DagRecord, dependents: int) -> tuple[int, list[str]]:
    score, reasons = 0, []
    if dag.task_count > MANY_TASKS:
        score += 1
        reasons.append(f"It has {dag.task_count} tasks.")
    if dag.runs_30d > MANY_RUNS_30D:
        score += 1
        reasons.append(f"It ran {dag.runs_30d} times in 30 days.")
    if dependents >= BUSY_DEPENDENTS:
        score += 1
        reasons.append(f"{dependents} DAGs depend on it.")
    if any(task.get("depends_on_past") for task in dag.tasks):
        score += 1
        reasons.append("Its tasks depend on their past runs.")
    return score, reasons


def _risk(score: int) -> Risk:
    if score >= 4:
        return "high"
    return "medium" if score >= 2 else "low"
