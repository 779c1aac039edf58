"""Tells the numbers of all deployments, from the rows that the reconciler and the watcher keep: a scrape touches no Airflow.

The number of statements does not grow with the number of deployments. Labels are names of deployments, components, states, the
first 50 pools and 15 known tables: nothing that users can make without end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from aerodrome.airflowkit.vitals import UNFINISHED
from aerodrome.fleet.machine import DEPLOYMENT
from aerodrome.kernel.clock import from_text
from aerodrome.store.tables.deploy import DeployRow
from aerodrome.store.tables.deployment import DeploymentRow, ObservationRow
from aerodrome.store.tables.incident import IncidentRow, VitalRow
from aerodrome.store.tables.snapshot import SnapshotRow
from aerodrome.store.tables.workspace import WorkspaceRow
from aerodrome.telemetry import Family

_UP: Final = ("healthy", "degraded")
_WHO: Final = ("deployment", "workspace")
_SEVERITIES: Final = ("info", "warning", "critical")
_STATES: Final = frozenset(
    {*UNFINISHED, "success", "failed", "skipped", "upstream_failed", "removed", "none", "shutdown", "restarting"}
)


@dataclass(frozen=True)
class _Facts:
    """The rows about one deployment."""

    who: tuple[str, str]
    row: DeploymentRow
    seen: ObservationRow | None
    vital: VitalRow | None
    deploy: DeployRow | None
    deploys: Mapping[str, int]  # status -> count
    snapshots: Mapping[str, datetime]  # kind -> newest kept
    incidents: Mapping[str, int]  # severity -> open ones


def families(session: Session, now: datetime) -> list[Family]:
    """Give every metric of every deployment, and of the platform's incidents."""
    facts = list(_facts(session))
    open_ones = _counts(session, IncidentRow.scope, IncidentRow.severity, IncidentRow.closed_at.is_(None))
    platform = Family("aerodrome_platform_incidents", "Open incidents of the platform itself.", ("severity",))
    for severity in _SEVERITIES:
        platform.add(open_ones.get("platform", {}).get(severity, 0), severity)
    return [platform, *_wanted(facts, now), *_processes(facts, now), *_airflow(facts, now), *_database(facts)]


def _wanted(facts: Sequence[_Facts], now: datetime) -> Iterator[Family]:
    info = Family(
        "aerodrome_deployment_info",
        "What a deployment is; always 1.",
        (*_WHO, "id", "airflow_version", "python_version", "executor", "database", "bundle"),
    )
    up = Family("aerodrome_deployment_up", "1 when Airflow schedules (healthy or degraded).", _WHO)
    status = Family("aerodrome_deployment_status", "1 for the present status, 0 for the others.", (*_WHO, "status"))
    number = Family("aerodrome_deployment_deploy_number", "Number of the live deploy.", _WHO)
    age = Family("aerodrome_deployment_deploy_age_seconds", "Time since the live deploy went live.", _WHO)
    deploys = Family("aerodrome_deployment_deploys", "Deploys by status.", (*_WHO, "status"))
    snapshot = Family("aerodrome_deployment_snapshot_age_seconds", "Age of the newest kept snapshot.", (*_WHO, "kind"))
    incidents = Family("aerodrome_deployment_incidents", "Open incidents.", (*_WHO, "severity"))
    slots = Family("aerodrome_deployment_parallelism", "How many tasks may run at a time.", _WHO)
    observed = Family("aerodrome_deployment_observed_age_seconds", "Time since the last look at its processes.", _WHO)
    for fact in facts:
        row, deploy = fact.row, fact.deploy
        bundle = deploy.bundle_digest[:12] if deploy is not None else ""
        info.add(1, *fact.who, row.id, row.airflow_version, row.python_version, row.executor, row.database_kind, bundle)
        up.add(row.status in _UP, *fact.who)
        for name in DEPLOYMENT.states:
            status.add(row.status == name, *fact.who, name)
        number.add(deploy.number if deploy is not None else 0, *fact.who)
        if deploy is not None and deploy.live_at is not None:
            age.add((now - deploy.live_at).total_seconds(), *fact.who)
        for name, count in fact.deploys.items():
            deploys.add(count, *fact.who, name)
        for kind, at in fact.snapshots.items():
            snapshot.add((now - at).total_seconds(), *fact.who, kind)
        for severity in _SEVERITIES:
            incidents.add(fact.incidents.get(severity, 0), *fact.who, severity)
        slots.add(row.parallelism, *fact.who)
        if fact.seen is not None:
            observed.add((now - fact.seen.observed_at).total_seconds(), *fact.who)
    yield from (info, up, status, number, age, deploys, snapshot, incidents, slots, observed)


def _processes(facts: Sequence[_Facts], now: datetime) -> Iterator[Family]:
    which = (*_WHO, "component")
    up = Family("aerodrome_component_up", "1 when the component runs.", which)
    restarts = Family("aerodrome_component_restarts_total", "Restarts after it ended.", which, "counter")
    uptime = Family("aerodrome_component_uptime_seconds", "Time since it started.", which)
    rss = Family("aerodrome_component_memory_rss_bytes", "Resident memory with its child processes.", which)
    pss = Family("aerodrome_component_memory_pss_bytes", "Proportional memory with its child processes.", which)
    cpu = Family("aerodrome_component_cpu_seconds_total", "CPU time with its child processes.", which, "counter")
    count = Family("aerodrome_component_processes", "Processes, itself included.", which)
    for fact in facts:
        for part in fact.seen.components if fact.seen is not None else ():
            who = (*fact.who, part["name"])
            up.add(part["state"] == "running", *who)
            restarts.add(part["restarts"], *who)
            started_at = from_text(part["started_at"])
            if started_at is not None and part["state"] == "running":
                uptime.add((now - started_at).total_seconds(), *who)
        for use in _measured(fact).get("processes", ()):
            who = (*fact.who, use["component"])
            rss.add(use["rss_bytes"], *who)
            pss.add(use["pss_bytes"], *who)
            cpu.add(use["cpu_seconds"], *who)
            count.add(use["processes"], *who)
    yield from (up, restarts, uptime, rss, pss, cpu, count)


def _airflow(facts: Sequence[_Facts], now: datetime) -> Iterator[Family]:
    instances = Family(
        "aerodrome_airflow_task_instances", "Task instances; finished ones as of minutes ago.", (*_WHO, "state")
    )
    runs = Family("aerodrome_airflow_dag_runs", "DAG runs; finished ones as of minutes ago.", (*_WHO, "state"))
    dags = Family("aerodrome_airflow_dags", "DAGs that are there.", _WHO)
    paused = Family("aerodrome_airflow_dags_paused", "DAGs that are paused.", _WHO)
    errors = Family("aerodrome_airflow_import_errors", "DAG files that do not load.", _WHO)
    beats = Family("aerodrome_airflow_heartbeat_age_seconds", "Time since the last heartbeat.", (*_WHO, "component"))
    waiting = Family("aerodrome_airflow_queue_wait_seconds", "Age of the task that waits longest.", (*_WHO, "state"))
    slots = Family("aerodrome_airflow_pool_slots", "Slots of a pool; -1 is without limit.", (*_WHO, "pool"))
    used = Family("aerodrome_airflow_pool_used_slots", "Slots of a pool by what has them.", (*_WHO, "pool", "state"))
    for fact in facts:
        pulse = _measured(fact).get("pulse")
        if pulse is None:
            continue
        for family, kind in ((instances, "task_instances"), (runs, "dag_runs")):
            for state, count in pulse[kind].items():
                if state in _STATES:
                    family.add(count, *fact.who, state)
        dags.add(pulse["dag_count"], *fact.who)
        paused.add(pulse["paused_dag_count"], *fact.who)
        errors.add(pulse["import_error_count"], *fact.who)
        for name, at in pulse["heartbeats"].items():
            beats.add(_age(at, now), *fact.who, name)
        for state in ("queued", "scheduled"):
            waiting.add(_age(pulse[f"{state}_since"], now) or 0.0, *fact.who, state)
        for pool in pulse["pools"]:
            slots.add(pool["slots"], *fact.who, pool["name"])
            for state in ("running", "queued", "scheduled"):
                used.add(pool[state], *fact.who, pool["name"], state)
    yield from (instances, runs, dags, paused, errors, beats, waiting, slots, used)


def _database(facts: Sequence[_Facts]) -> Iterator[Family]:
    size = Family("aerodrome_database_bytes", "Size of the metadata database.", _WHO)
    pulse_s = Family("aerodrome_database_look_seconds", "Time that the last look at the metadata database took.", _WHO)
    answers = Family("aerodrome_database_up", "1 when the metadata database answered the last look.", _WHO)
    rows = Family("aerodrome_database_table_size", "Size of a table.", (*_WHO, "table", "unit"))
    free = Family("aerodrome_deployment_disk_free_bytes", "Free space where the deployment lives.", _WHO)
    for fact in facts:
        data = _measured(fact)
        if not data:
            continue
        free.add(data["disk_free_bytes"], *fact.who)
        pulse = data["pulse"]
        answers.add(pulse is not None, *fact.who)
        if pulse is not None:
            size.add(pulse["size_bytes"], *fact.who)
            pulse_s.add(pulse["seconds"], *fact.who)
            unit = "bytes" if pulse["dialect"] == "postgresql" else "rows"
            for table, amount in pulse["tables"].items():
                rows.add(amount, *fact.who, table, unit)
    yield from (size, pulse_s, answers, rows, free)


def _measured(fact: _Facts) -> Mapping[str, Any]:
    """Give the last measurement; nothing for a deployment that sleeps, whose numbers would be old."""
    return fact.vital.data if fact.vital is not None and fact.row.desired == "running" else {}


def _age(text: str | None, now: datetime) -> float | None:
    at = from_text(text)
    return None if at is None else max(0.0, (now - at).total_seconds())


def _facts(session: Session) -> Iterator[_Facts]:
    rows = session.execute(
        select(DeploymentRow, WorkspaceRow.name)
        .join(WorkspaceRow, WorkspaceRow.id == DeploymentRow.workspace_id)
        .order_by(WorkspaceRow.name, DeploymentRow.name)
    ).all()
    seen = {row.deployment_id: row for row in session.scalars(select(ObservationRow))}
    vitals = {row.deployment_id: row for row in session.scalars(select(VitalRow))}
    current = [row.current_deploy_id for row, _ in rows if row.current_deploy_id]
    deploys = {row.id: row for row in session.scalars(select(DeployRow).where(DeployRow.id.in_(current)))}
    counts = _counts(session, DeployRow.deployment_id, DeployRow.status)
    open_ones = _counts(session, IncidentRow.scope, IncidentRow.severity, IncidentRow.closed_at.is_(None))
    newest: dict[str, dict[str, datetime]] = {}
    query = (
        select(SnapshotRow.deployment_id, SnapshotRow.kind, func.max(SnapshotRow.created_at))
        .where(SnapshotRow.status == "kept")
        .group_by(SnapshotRow.deployment_id, SnapshotRow.kind)
    )
    for deployment_id, kind, at in session.execute(query):
        newest.setdefault(deployment_id, {})[kind] = at
    for row, workspace in rows:
        yield _Facts(
            who=(row.name, workspace),
            row=row,
            seen=seen.get(row.id),
            vital=vitals.get(row.id),
            deploy=deploys.get(row.current_deploy_id or ""),
            deploys=counts.get(row.id, {}),
            snapshots=newest.get(row.id, {}),
            incidents=open_ones.get(row.id, {}),
        )


def _counts(session: Session, group: Any, kind: Any, *conditions: Any) -> dict[str, dict[str, int]]:
    """Count rows by two columns."""
    found: dict[str, dict[str, int]] = {}
    for first, second, count in session.execute(
        select(group, kind, func.count()).where(*conditions).group_by(group, kind)
    ):
        found.setdefault(first, {})[second] = count
    return found
