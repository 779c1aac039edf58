"""Tells whether a source is quiet: nothing runs there, nothing is scheduled, and nobody calls it any more. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import func, select

from aerodrome.airflowkit.metadata import MetadataDatabase
from aerodrome.migration.sources.airflow_db.rows import column_or, utc
from aerodrome.migration.sources.airflow_db.schedules import run_type
from aerodrome.migration.sources.airflow_db.states import IN_FLIGHT_RUNS, IN_FLIGHT_TASKS
from aerodrome.migration.sources.airflow_rest.activity import Activity
from aerodrome.migration.sources.contract import DagState

State = Literal["done", "open", "attention"]
_OWN = ("aerodrome.pause", "aerodrome.unpause")
_INTERNAL = (
    "running", "success", "failed", "skipped", "up_for_retry", "up_for_reschedule", "deferred", "upstream_failed",
    "removed", "queued", "scheduled", "restarting", "cli_scheduler", "cli_triggerer", "cli_webserver", "cli_dag_processor",
    "cli_api_server", "cli_worker", "cli_celery_worker", "cli_task_run", "cli_task_supervisor", "cli_check",
    "stuck in queued", "heartbeat timeout", "cli_migratedb", "cli_upgradedb", "cli_check_migrations",
)  # fmt: skip
"""Events that Airflow itself writes into its audit log while it works (models/log.py, cli_action_loggers.py, 2.11.2, 3.3.2)."""
MOST = 50


@dataclass(frozen=True)
class Check:
    """One thing that must be so before the source may go."""

    key: str
    title: str
    state: State
    message: str
    next: str = ""
    details: tuple[str, ...] = ()

    def as_data(self) -> dict[str, Any]:
        return {**vars(self), "details": list(self.details)}


def said(moment: datetime | None) -> str:
    """Write a moment for people, to the minute."""
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else "at an unknown moment"


def look(database: MetadataDatabase, since: datetime, days: int) -> list[Check]:
    """Look at a metadata database; `since` begins the time in which nothing may have happened."""
    return [
        _running(database),
        _scheduled(database),
        _runs(database, since, days),
        _waiting(database),
        _calls(database, since, days),
    ]


def _running(database: MetadataDatabase) -> Check:
    found: list[str] = []
    with database.reading() as connection:
        for table, states, noun in (
            ("dag_run", IN_FLIGHT_RUNS, "runs"),
            ("task_instance", IN_FLIGHT_TASKS, "task instances"),
        ):
            rows = database.table(table)
            query = (
                select(rows.c.dag_id, rows.c.state, func.count())
                .where(rows.c.state.in_(states))
                .group_by(rows.c.dag_id, rows.c.state)
                .order_by(rows.c.dag_id)
            )
            found += [f"{dag_id}: {count} {noun} {state}" for dag_id, state, count in connection.execute(query)]
    if not found:
        return Check("running", "Nothing runs", "done", "No run and no task instance is in flight.")
    hint = "Wait until they have ended, or mark them failed there: they run nowhere else."
    return Check("running", "Nothing runs", "open", f"{len(found)} groups are in flight.", hint, _some(found))


def _scheduled(database: MetadataDatabase) -> Check:
    dag = database.table("dag")
    active = column_or(database, "dag", "is_active", default=None)
    is_active = ~dag.c.is_stale if "is_stale" in dag.c else active
    with database.reading() as connection:
        query = select(dag.c.dag_id).where(dag.c.is_paused.is_(False), is_active).order_by(dag.c.dag_id)
        names = list(connection.scalars(query))
        total = connection.scalar(select(func.count()).select_from(dag)) or 0
    if not names:
        return Check("scheduled", "Nothing is scheduled", "done", f"All {total} DAGs are paused or gone.")
    return Check(
        "scheduled", "Nothing is scheduled", "open", f"{len(names)} of {total} DAGs are not paused.",
        "Cut them over, or pause them there: what is not in the plan stays on the source.", _some(names),
    )  # fmt: skip


def _runs(database: MetadataDatabase, since: datetime, days: int) -> Check:
    run = database.table("dag_run")
    began = func.coalesce(run.c.start_date, column_or(database, "dag_run", "queued_at"))
    kind = run_type(database)
    with database.reading() as connection:
        query = (
            select(run.c.dag_id, kind, func.count(), func.max(began))
            .where(began >= database.stored(since))
            .group_by(run.c.dag_id, kind)
            .order_by(run.c.dag_id)
        )
        rows = connection.execute(query).all()
        newest = utc(connection.scalar(select(func.max(began))))
    title = f"No run for {days} days"
    if not rows:
        last = f"The newest run began {said(newest)}." if newest else "There never was a run."
        return Check("runs", title, "done", last)
    found = [f"{dag_id}: {count} {kind} runs, the last {said(utc(last))}" for dag_id, kind, count, last in rows]
    total = sum(row[2] for row in rows)
    hint = "Wait until the time has passed; a manual or triggered run among them has a caller that must be moved."
    return Check("runs", title, "open", f"{total} runs began since {said(since)}.", hint, _some(found))


def _waiting(database: MetadataDatabase) -> Check:
    found: list[str] = []
    with database.reading() as connection:
        for table, noun in (
            ("trigger", "triggers of deferred tasks"),
            ("dataset_dag_run_queue", "dataset events that wait for a consumer"),
            ("asset_dag_run_queue", "asset events that wait for a consumer"),
        ):
            if database.has(table):
                count = connection.scalar(select(func.count()).select_from(database.table(table)))
                found += [f"{count} {noun}"] if count else []
        if database.has("backfill", "completed_at"):
            backfill = database.table("backfill")
            query = select(func.count()).select_from(backfill).where(backfill.c.completed_at.is_(None))
            count = connection.scalar(query)
            found += [f"{count} backfills"] if count else []
    if not found:
        return Check("waiting", "Nothing waits", "done", "No trigger, no pending asset event, no backfill.")
    hint = "See in its Airflow what waits; what is still wanted belongs to the target."
    return Check("waiting", "Nothing waits", "attention", ", ".join(found) + ".", hint)


def _calls(database: MetadataDatabase, since: datetime, days: int) -> Check:
    """Look into Airflow's audit log: who used its pages, its API or its command line."""
    title = f"Nobody used it for {days} days"
    if not database.has("log", "event"):
        return Check(
            "calls", title, "attention", "This Airflow keeps no audit log.", "Give its web server's access log."
        )
    log = database.table("log")
    query = (
        select(log.c.event, log.c.owner, func.count(), func.max(log.c.dttm))
        .where(log.c.dttm >= database.stored(since), log.c.event.not_in((*_OWN, *_INTERNAL)))
        .group_by(log.c.event, log.c.owner)
        .order_by(func.max(log.c.dttm).desc())
    )
    with database.reading() as connection:
        rows = connection.execute(query).all()
    if not rows:
        return Check("calls", title, "done", f"Its audit log holds no act of anybody since {said(since)}.")
    found = [
        f"{event} by {owner or 'nobody known'}: {count}, the last {said(utc(last))}"
        for event, owner, count, last in rows
    ]
    hint = "Find these callers and send them to the target: scripts that trigger DAGs, dashboards, people."
    return Check("calls", title, "open", f"{sum(row[2] for row in rows)} acts of others.", hint, _some(found))


def of_activity(found: Activity, since: datetime, days: int) -> list[Check]:
    """Say what a source over REST did since then: its runs, and who used it."""
    title = f"No run for {days} days"
    if found.runs is None:
        runs = unread("runs", title, "Its runs")
    elif found.runs:
        hint = "Wait until the time has passed; a manual or triggered run among them has a caller that must be moved."
        runs = Check("runs", title, "open", f"{found.runs:,} runs began since {said(since)}.", hint)
    else:
        runs = Check("runs", title, "done", f"None began since {said(since)}.")
    title = f"Nobody used it for {days} days"
    if found.events is None:
        message = "The account may not read its event log."
        return [runs, Check("calls", title, "attention", message, "Give its web server's access log.")]
    acts = {key: value for key, value in found.events.items() if key[0] not in (*_OWN, *_INTERNAL)}
    if not acts:
        return [runs, Check("calls", title, "done", f"Its event log holds no act of anybody since {said(since)}.")]
    newest = sorted(acts.items(), key=lambda item: item[1][1], reverse=True)
    lines = [
        f"{event} by {owner or 'nobody known'}: {count}, the last {said(at)}" for (event, owner), (count, at) in newest
    ]
    hint = "Find these callers and send them to the target: scripts that trigger DAGs, dashboards, people."
    total = sum(count for count, _ in acts.values())
    message = f"{'More than ' if found.is_cut else ''}{total:,} acts of others."
    return [runs, Check("calls", title, "open", message, hint, _some(lines))]


def now_over_rest(found: Activity, states: Sequence[DagState]) -> list[Check]:
    """Say what a source over REST does now: the DAGs of the assessment in full, of all others what can be counted."""
    running = [f"{state.dag_id}: {state.in_flight}" for state in states if state.in_flight]
    known = {state.dag_id: state.is_paused for state in states}
    of_known = sum(count for state in states for key, count in state.in_flight.items() if key.startswith("run:"))
    if found.in_flight is not None and found.in_flight > of_known:
        running.append(f"{found.in_flight - of_known} runs of DAGs that were not assessed")
    active = found.unpaused
    if active is None:
        active = tuple(dag_id for dag_id, is_paused in known.items() if not is_paused)
    late = sorted(set(active) - known.keys())
    hint = "Wait until they have ended, or mark them failed there: they run nowhere else."
    told = "No run and no task instance of the assessed DAGs is in flight."
    message = f"{len(running)} groups are in flight." if running else told
    new = f" {len(late)} of them came after the assessment." if late else ""
    return [
        Check(
            "running", "Nothing runs", "open" if running else "done", message, hint if running else "", _some(running)
        ),
        Check(
            "scheduled",
            "Nothing is scheduled",
            "open" if active else "done",
            f"{len(active)} DAGs are not paused.{new}",
            "Cut them over, or pause them there: what is not in the plan stays on the source." if active else "",
            _some(active),
        ),
        unread("waiting", "Nothing waits", "Triggers of deferred tasks and pending asset events"),
    ]


def unread(key: str, title: str, what: str, why: str = "do not come over its API") -> Check:
    """Say that something cannot be read: a person has to look."""
    return Check(key, title, "attention", f"Cannot be read: {what} {why}.", "Look into its Airflow yourself.")


def unreadable(days: int, reason: str) -> list[Check]:
    """Say for a source that cannot be asked at all what nobody knows of it."""
    return [
        Check(key, title, "open", f"Cannot be read: {reason}", "Connect its REST API or its database, then look again.")
        for key, title in (
            ("running", "Nothing runs"),
            ("scheduled", "Nothing is scheduled"),
            ("runs", f"No run for {days} days"),
            ("waiting", "Nothing waits"),
            ("calls", f"Nobody used it for {days} days"),
        )
    ]


def _some(lines: Sequence[str]) -> tuple[str, ...]:
    return (*lines[:MOST], *([f"and {len(lines) - MOST} more"] if len(lines) > MOST else []))
