"""Stops what runs of a held DAG in the source, in the way in which Airflow itself lets people stop it.

Whoever marks a task as failed in Airflow's pages writes its state; the process that runs it sees that at its next heartbeat and
ends itself: LocalTaskJobRunner.heartbeat_callback in 1.10 to 2.11.2 ("externally set"), the supervisor in 3.x, to which the API
answers a heartbeat with a conflict. The same is done here, for whole runs and in one transaction: what was under way fails, what
had not begun counts as failed upstream, so that exactly these tasks run again when the run is cleared. The audit log keeps which
runs were stopped and which jobs had their tasks, so that a platform that is killed in between finds them again.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, insert, or_, select, update

from aerodrome.airflowkit.metadata import MetadataDatabase
from aerodrome.kernel.clock import Clock
from aerodrome.kernel.errors import Conflict
from aerodrome.migration.sources.airflow_db import states
from aerodrome.migration.sources.airflow_db.rows import pages, utc
from aerodrome.migration.sources.contract import StoppedRuns

STOP, RESUME = "aerodrome.stop-runs", "aerodrome.resume-runs"
ENDED_TASKS = ("success", "failed", "skipped", "upstream_failed", "removed")
LOST_AFTER = timedelta(minutes=5)
"""A job without a heartbeat for so long counts as dead, as for Airflow: [scheduler] scheduler_zombie_task_threshold."""
ENDS_WITHIN = timedelta(seconds=30)
"""So long after the stop a task of Airflow 3 may still run: its supervisor reports every few seconds, and there is no job row."""


class Stopper:
    """Stops and resumes runs in one source's database."""

    def __init__(self, database: MetadataDatabase, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def stop_runs(self, dag_id: str, mark: str) -> None:
        """Stop every run of a DAG that is held under this mark. Repeating it stops what has begun since, if anything.

        Conflict `source-cannot-stop` before Airflow 2.2 (task instances without a run id), or when the DAG is not held.
        """
        database = self._database
        if not database.has("task_instance", "run_id"):
            raise _cannot(dag_id, "A source before Airflow 2.2 cannot be told which runs to stop.")
        run, task = database.table("dag_run"), database.table("task_instance")
        with database.writing() as connection:
            now = self._now(connection)
            if states.holder(database, connection, dag_id) != mark:
                raise _cannot(dag_id, f"{dag_id} is not held in the source by this cutover.")
            runs = list(
                connection.scalars(
                    select(run.c.run_id).where(run.c.dag_id == dag_id, run.c.state.in_(states.IN_FLIGHT_RUNS))
                )
            )
            of_runs = (task.c.dag_id == dag_id) & task.c.run_id.in_(runs)
            moving = (task.c.dag_id == dag_id) & task.c.state.in_(states.IN_FLIGHT_TASKS)
            waiting = of_runs & (task.c.state.is_(None) | task.c.state.not_in((*ENDED_TASKS, *states.IN_FLIGHT_TASKS)))
            jobs = self._jobs(connection, moving)
            unfinished = set(connection.scalars(select(task.c.run_id).where(or_(of_runs & moving, waiting))))
            self._end_tasks(connection, moving, "failed", now)
            self._end_tasks(connection, waiting, "upstream_failed", now)
            for page in pages(runs):
                failed = set(
                    connection.scalars(
                        select(task.c.run_id).where(
                            task.c.dag_id == dag_id,
                            task.c.run_id.in_(page),
                            task.c.state.in_(("failed", "upstream_failed")),
                        )
                    )
                )
                for run_ids, state in ((failed, "failed"), (set(page) - failed, "success")):
                    connection.execute(
                        update(run)
                        .where(run.c.dag_id == dag_id, run.c.run_id.in_(sorted(run_ids)))
                        .values(self._only("dag_run", {"state": state, "end_date": now, "updated_at": now}))
                    )
            extra = {"mark": mark, "runs": sorted(unfinished & set(runs)), "jobs": jobs}
            if extra["runs"] or jobs:
                self._leave(connection, dag_id, STOP, extra)

    def stopped_runs(self, dag_ids: Sequence[str], mark: str) -> dict[str, StoppedRuns]:
        """Give what was stopped under this mark and not resumed since, and how many processes may still be at it."""
        found: dict[str, StoppedRuns] = {}
        with self._database.reading() as connection:
            for dag_id, rows in self._rows(connection, dag_ids).items():
                runs: dict[str, None] = {}
                jobs: list[int] = []
                fresh = 0
                for event, moment, extra in rows:
                    if extra.get("mark") != mark:
                        continue
                    if event == RESUME:
                        runs = {run_id: None for run_id in runs if run_id not in extra.get("runs", ())}
                        continue
                    runs |= dict.fromkeys(extra.get("runs", ()))
                    jobs += extra.get("jobs") or []
                    is_fresh = moment is not None and self._clock.now() - moment < ENDS_WITHIN
                    fresh += is_fresh and not self._database.has("task_instance", "job_id")
                if runs or jobs:
                    found[dag_id] = StoppedRuns(tuple(runs), fresh + self._alive(connection, jobs))
        return found

    def resume_runs(self, dag_id: str, mark: str, outcomes: Mapping[str, str]) -> None:
        """Undo the stop on the way back. `outcomes`: how runs ended that were run again elsewhere; all others go on here.

        A run that goes on runs what was stopped of it; one that ended elsewhere takes that state, and its stopped tasks, too.
        """
        database = self._database
        run, task = database.table("dag_run"), database.table("task_instance")
        with database.writing() as connection:
            now = self._now(connection)
            standing: dict[str, None] = {}
            for event, _, extra in self._rows(connection, (dag_id,)).get(dag_id, ()):
                if extra.get("mark") == mark and event == STOP:
                    standing |= dict.fromkeys(extra.get("runs", ()))
                elif extra.get("mark") == mark:
                    standing = {run_id: None for run_id in standing if run_id not in extra.get("runs", ())}
            for run_id in standing:
                state = outcomes.get(run_id)
                stopped = (
                    (task.c.dag_id == dag_id)
                    & (task.c.run_id == run_id)
                    & task.c.state.in_(("failed", "upstream_failed"))
                )
                if state == "success":
                    self._end_tasks(connection, stopped, "success", now)
                elif state is None:
                    values: dict[str, Any] = {"state": None, "end_date": None, "duration": None, "updated_at": now}
                    connection.execute(update(task).where(stopped).values(self._only("task_instance", values)))
                if state is None or state == "success":
                    values = {
                        "state": state or "queued",
                        "end_date": now if state else None,
                        "updated_at": now,
                        "last_scheduling_decision": None,
                    }
                    connection.execute(
                        update(run)
                        .where(run.c.dag_id == dag_id, run.c.run_id == run_id)
                        .values(self._only("dag_run", values))
                    )
            if standing:
                self._leave(connection, dag_id, RESUME, {"mark": mark, "runs": list(standing)})

    # --- inside --------------------------------------------------------------------------------------------------

    def _jobs(self, connection: Connection, moving: Any) -> list[int]:
        if not self._database.has("task_instance", "job_id"):
            return []
        task = self._database.table("task_instance")
        return sorted(
            connection.scalars(
                select(task.c.job_id).where(moving, task.c.state == "running", task.c.job_id.is_not(None)).distinct()
            )
        )

    def _alive(self, connection: Connection, jobs: Iterable[int]) -> int:
        job = self._database.table("job")
        since = self._clock.now() - LOST_AFTER
        alive = 0
        for page in pages(sorted(set(jobs))):
            query = select(job.c.latest_heartbeat).where(job.c.id.in_(page), job.c.state == "running")
            alive += sum((moment := utc(found)) is not None and moment > since for found in connection.scalars(query))
        return alive

    def _now(self, connection: Connection) -> datetime:
        """Give the moment by the source's own clock, where it has one: the next sync looks for what changed by that."""
        if self._database.dialect == "sqlite":
            return self._clock.now()
        is_postgresql = self._database.dialect == "postgresql"
        moment = connection.scalar(select(func.clock_timestamp() if is_postgresql else func.utc_timestamp(6)))
        return utc(moment) or self._clock.now()

    def _end_tasks(self, connection: Connection, which: Any, state: str, now: datetime) -> None:
        task = self._database.table("task_instance")
        values = {"state": state, "end_date": now, "updated_at": now, "trigger_id": None, "next_method": None}
        connection.execute(update(task).where(which).values(self._only("task_instance", values)))

    def _only(self, table: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Give the columns that this version has, moments as the database stores them."""
        return {
            name: self._database.stored(value) if isinstance(value, datetime) else value
            for name, value in values.items()
            if self._database.has(table, name)
        }

    def _rows(
        self, connection: Connection, dag_ids: Sequence[str]
    ) -> dict[str, list[tuple[str, Any, Mapping[str, Any]]]]:
        log = self._database.table("log")
        found: dict[str, list[tuple[str, Any, Mapping[str, Any]]]] = defaultdict(list)
        for page in pages(sorted(set(dag_ids))):
            query = select(log.c.dag_id, log.c.event, log.c.dttm, log.c.extra).where(
                log.c.dag_id.in_(page), log.c.event.in_((STOP, RESUME))
            )
            for row in connection.execute(query.order_by(log.c.id)):
                found[row.dag_id].append((row.event, utc(row.dttm), json.loads(row.extra or "{}")))
        return dict(found)

    def _leave(self, connection: Connection, dag_id: str, event: str, extra: Mapping[str, Any]) -> None:
        row = {
            "dttm": self._database.stored(self._clock.now()),
            "dag_id": dag_id,
            "event": event,
            "owner": "aerodrome",
            "extra": json.dumps(extra),
        }
        connection.execute(insert(self._database.table("log")), [row])


def _cannot(dag_id: str, message: str) -> Conflict:
    return Conflict(
        message,
        code="source-cannot-stop",
        hint="Set on_deadline of this DAG to wait or fail, or stop its runs in the source by hand; then repeat the cutover.",
        details={"dag_id": dag_id},
    )
