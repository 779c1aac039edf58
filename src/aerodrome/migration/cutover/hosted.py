"""A hosted Airflow as the target of a cutover: its metadata database for what concerns many DAGs, its API for the rest.

Written against Airflow 2.10, 2.11 and 3.0 to 3.3, whose scheduler reads `dag.is_paused` and `dag.next_dagrun*` at every look. To unpause
in the database lets the judgement and the start be one transaction; the API's own unpause writes the same column.
A start or stop of ours leaves its mark in the audit log, in the same transaction.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Connection, Table, and_, func, insert, or_, select, update

from aerodrome.kernel.errors import AerodromeError, Conflict, NotFound
from aerodrome.migration.cutover.target import Judge, TargetDag, TargetRun
from aerodrome.migration.estate.calendars import Interval
from aerodrome.migration.estate.history import RUN_COLUMNS, TASK_COLUMNS
from aerodrome.migration.sources.contract import CarriedRuns
from aerodrome.migration.transfer.ownership import is_import
from aerodrome.migration.transfer.target import TargetDatabase

START, STOP = "aerodrome.start", "aerodrome.stop"
RUNS_READ = 200
PAGE = 200
_DAG_COLUMNS = (
    "dag_id", "is_paused", "is_stale", "is_active", "has_import_errors", "fileloc", "last_parsed_time", "next_dagrun",
    "next_dagrun_data_interval_start", "next_dagrun_data_interval_end", "next_dagrun_create_after",
)  # fmt: skip
_RUN_COLUMNS = (
    "dag_id", "run_id", "run_type", "state", "data_interval_start", "data_interval_end", "queued_at", "start_date",
    "end_date",
)  # fmt: skip


class Api(Protocol):
    """What is asked of Airflow's REST API, one DAG at a time; `airflowkit.rest.AirflowRest` offers it."""

    def backfill(self, dag_id: str, first: datetime, last: datetime) -> None: ...

    def ask_to_parse(self, dag_id: str) -> None: ...

    def run_again(self, dag_id: str, run_id: str) -> None: ...


class HostedTarget:
    """Implements TargetSide."""

    def __init__(self, database: TargetDatabase, api: Api) -> None:
        self._database = database
        self._api = api

    def now(self) -> datetime:
        """Give the database's moment; SQLite lives on the same machine as we."""
        if self._database.dialect == "sqlite":
            return datetime.now(UTC)
        with self._database.reading() as connection:
            moment: datetime = connection.scalar(select(func.clock_timestamp()))  # type: ignore[assignment]
            return moment.astimezone(UTC)

    def dags(self, dag_ids: Sequence[str]) -> dict[str, TargetDag]:
        with self._database.reading() as connection:
            return self._dags(connection, dag_ids)

    def import_errors(self) -> list[tuple[str, str]]:
        error = self._database.table("import_error")
        with self._database.reading() as connection:
            return [
                (row[0] or "", row[1] or "") for row in connection.execute(select(error.c.filename, error.c.stacktrace))
            ]

    def start(self, judges: Mapping[str, Judge], mark: str) -> dict[str, AerodromeError | TargetDag]:
        outcomes: dict[str, AerodromeError | TargetDag] = {}
        with self._database.writing() as connection:
            self._lock(connection, list(judges))
            found = self._dags(connection, list(judges))
            ours = []
            for dag_id, judge in judges.items():
                dag = found.get(dag_id)
                if dag is None:
                    outcomes[dag_id] = NotFound(f"The target has no DAG {dag_id}.", code="target-dag-missing")
                    continue
                error = judge(dag)
                outcomes[dag_id] = error or dag
                if error is None:
                    ours.append(dag_id)
            self._set_paused(connection, ours, START, mark, is_paused=False)
        return outcomes

    def stop(self, dag_ids: Sequence[str], mark: str) -> None:
        with self._database.writing() as connection:
            self._lock(connection, dag_ids)
            self._set_paused(connection, dag_ids, STOP, mark, is_paused=True)

    def runs_after(self, lasts: Mapping[str, Interval | None]) -> dict[str, list[TargetRun]]:
        run = self._database.table("dag_run")
        found: dict[str, list[TargetRun]] = defaultdict(list)
        for page in _pages(list(lasts)):
            wanted = or_(
                *(
                    and_(run.c.dag_id == dag_id, run.c.data_interval_start > self._stored(last[0]))
                    if (last := lasts[dag_id])
                    else run.c.dag_id == dag_id
                    for dag_id in page
                )
            )
            place = func.row_number().over(partition_by=run.c.dag_id, order_by=run.c.data_interval_start)
            numbered = (
                select(*self._run_columns(run), place.label("place"))
                .where(wanted, run.c.run_type == "scheduled", run.c.data_interval_start.is_not(None))
                .subquery()
            )
            query = select(numbered).where(numbered.c.place <= RUNS_READ).order_by(numbered.c.dag_id, numbered.c.place)
            with self._database.reading() as connection:
                for row in connection.execute(query):
                    found[row.dag_id].append(_run(row))
        return dict(found)

    def own_runs(self, dag_ids: Sequence[str]) -> dict[str, list[TargetRun]]:
        """Give the runs that were not moved here."""
        run = self._database.table("dag_run")
        found: dict[str, list[TargetRun]] = defaultdict(list)
        for page in _pages(dag_ids):
            query = (
                select(*self._run_columns(run))
                .where(run.c.dag_id.in_(page), ~is_import(self._database, run))
                .order_by(run.c.dag_id, self._run_after(run), run.c.id)
            )
            with self._database.reading() as connection:
                for row in connection.execute(query):
                    found[row.dag_id].append(_run(row))
        return dict(found)

    def carried(self, dag_id: str) -> CarriedRuns:
        """Read the finished runs that the target made itself, with their task instances, in the words of history."""
        run, task = self._database.table("dag_run"), self._database.table("task_instance")
        with self._database.reading() as connection:
            own = ~is_import(self._database, run)
            dates = self._logical_date(run).label("logical_date"), self._run_after(run).label("run_after")
            others = [column for column in run.c if column.name not in {"logical_date", "run_after"}]
            runs = connection.execute(
                select(*others, *dates).where(run.c.dag_id == dag_id, own).order_by(self._run_after(run), run.c.id)
            ).mappings().all()  # fmt: skip
            tasks = connection.execute(
                select(task).where(
                    task.c.dag_id == dag_id,
                    task.c.run_id.in_(select(run.c.run_id).where(run.c.dag_id == dag_id, own)),
                )
            ).mappings().all()  # fmt: skip
            dag = self._dags(connection, [dag_id]).get(dag_id)
        return CarriedRuns(
            dag_id,
            [
                _neutral(row, RUN_COLUMNS, {"is_external_trigger": row["run_type"] == "manual"})
                for row in map(dict, runs)
            ],
            [_neutral(row, TASK_COLUMNS, {"queued_at": _aware(row["queued_dttm"])}) for row in map(dict, tasks)],
            dag.next_interval if dag else None,
            dag.next_run_after if dag else None,
        )

    def run_states(self, dag_id: str, moments: Collection[datetime]) -> dict[datetime, str]:
        run = self._database.table("dag_run")
        states: dict[datetime, str] = {}
        for page in _pages(sorted(moments)):
            query = select(self._logical_date(run), run.c.state).where(
                run.c.dag_id == dag_id, self._logical_date(run).in_([self._stored(moment) for moment in page])
            )
            with self._database.reading() as connection:
                states |= {moment: row[1] for row in connection.execute(query) if (moment := _aware(row[0]))}
        return states

    def backfill(self, dag_id: str, first: datetime, last: datetime) -> None:
        if self._database.is_airflow2:
            raise Conflict(
                f"Airflow {self._database.airflow_version} has no backfills that its scheduler runs.",
                code="backfill-unsupported",
                hint=f"Run `airflow dags backfill -s {first:%Y-%m-%dT%H:%M:%S} -e {last:%Y-%m-%dT%H:%M:%S} {dag_id}` "
                "in the target, or leave the interval out.",
            )
        self._api.backfill(dag_id, first, last)

    def ask_to_parse(self, dag_id: str) -> None:
        self._api.ask_to_parse(dag_id)

    def run_again(self, dag_id: str, run_ids: Collection[str]) -> int:
        """A run that came from the source and was not touched since is cleared; Airflow gives it a new version then (3.1 to 3.3)."""
        run = self._database.table("dag_run")
        with self._database.reading() as connection:
            found = {
                row.run_id: row.is_waiting
                for page in _pages(sorted(run_ids))
                for row in connection.execute(
                    select(run.c.run_id, is_import(self._database, run).label("is_waiting")).where(
                        run.c.dag_id == dag_id, run.c.run_id.in_(page)
                    )
                )
            }
        if missing := sorted(set(run_ids) - set(found)):
            raise NotFound(
                f"The target does not have the run {missing[0]} of {dag_id}, which was stopped in the source.",
                code="stopped-run-missing",
                hint="See in the report why it was refused; trigger it in the target by hand, or roll this DAG back.",
                details={"dag_id": dag_id, "runs": missing},
            )
        waiting = sorted(run_id for run_id, is_waiting in found.items() if is_waiting)
        for run_id in waiting:
            self._api.run_again(dag_id, run_id)
        return len(waiting)

    # --- inside --------------------------------------------------------------------------------------------------

    def _logical_date(self, run: Table) -> ColumnElement[Any]:
        return run.c[self._database.date_column]

    def _run_after(self, run: Table) -> ColumnElement[Any]:
        """Give from when on a run may start; Airflow 2 has no column for it, and starts at the end of the interval."""
        if "run_after" in run.c:
            return run.c.run_after
        return func.coalesce(run.c.data_interval_end, run.c.execution_date)

    def _run_columns(self, run: Table) -> list[ColumnElement[Any]]:
        return [
            *(run.c[name] for name in _RUN_COLUMNS),
            self._logical_date(run).label("logical_date"),
            self._run_after(run).label("run_after"),
        ]

    def _dags(self, connection: Connection, dag_ids: Sequence[str]) -> dict[str, TargetDag]:
        dag, run, log = (self._database.table(name) for name in ("dag", "dag_run", "log"))
        found: dict[str, TargetDag] = {}
        for page in _pages(dag_ids):
            # One step down the index of (dag_id, logical_date) for each DAG, however long its history is.
            logical = self._logical_date(run)
            newest_of_dag = (
                select(run.c.id)
                .where(run.c.dag_id == dag.c.dag_id, run.c.run_type == "scheduled", logical.is_not(None))
                .order_by(logical.desc())
                .limit(1)
                .correlate(dag)
                .scalar_subquery()
            )
            last = run.alias("last_run")
            query_newest = (
                select(last.c.dag_id, last.c.data_interval_start, last.c.data_interval_end)
                .select_from(dag.join(last, last.c.id == newest_of_dag))
                .where(dag.c.dag_id.in_(page))
            )
            newest = {
                row.dag_id: _interval(row.data_interval_start, row.data_interval_end)
                for row in connection.execute(query_newest)
            }
            marks: dict[str, str | None] = {}
            query = select(log.c.dag_id, log.c.event, log.c.extra).where(
                log.c.dag_id.in_(page), log.c.event.in_((START, STOP))
            )
            for row in connection.execute(query.order_by(log.c.id)):
                marks[row.dag_id] = _mark(row.extra) if row.event == START else None
            columns = [dag.c[name] for name in _DAG_COLUMNS if name in dag.c]
            for item in connection.execute(select(*columns).where(dag.c.dag_id.in_(page))).mappings():
                found[item["dag_id"]] = TargetDag(
                    dag_id=item["dag_id"],
                    is_paused=bool(item["is_paused"]),
                    is_stale=bool(item["is_stale"] if "is_stale" in item else not item["is_active"]),
                    has_import_errors=bool(item.get("has_import_errors")),
                    file=item["fileloc"] or "",
                    parsed_at=_aware(item["last_parsed_time"]),
                    next_interval=_interval(
                        item["next_dagrun_data_interval_start"], item["next_dagrun_data_interval_end"]
                    ),
                    next_run_after=_aware(item["next_dagrun_create_after"]),
                    newest=newest.get(item["dag_id"]),
                    started_by=None if item["is_paused"] else marks.get(item["dag_id"]),
                )
        return found

    def _lock(self, connection: Connection, dag_ids: Sequence[str]) -> None:
        """Lock rows in the order of their ids; SQLite's transaction that writes is alone anyway."""
        if self._database.dialect == "sqlite":
            return
        dag = self._database.table("dag")
        for page in _pages(sorted(dag_ids)):
            connection.execute(
                select(dag.c.dag_id).where(dag.c.dag_id.in_(page)).order_by(dag.c.dag_id).with_for_update()
            )

    def _set_paused(
        self, connection: Connection, dag_ids: Sequence[str], event: str, mark: str, *, is_paused: bool
    ) -> None:
        dag, log = self._database.table("dag"), self._database.table("log")
        for page in _pages(dag_ids):
            connection.execute(update(dag).where(dag.c.dag_id.in_(page)).values(is_paused=is_paused))
        moment = self._stored(datetime.now(UTC))
        extra = json.dumps({"mark": mark})
        rows = [
            {"dttm": moment, "dag_id": dag_id, "event": event, "owner": "aerodrome", "extra": extra}
            for dag_id in dag_ids
        ]
        if rows:
            connection.execute(insert(log), rows)

    def _stored(self, moment: datetime) -> datetime:
        return moment.astimezone(UTC).replace(tzinfo=None) if self._database.dialect == "sqlite" else moment


def _pages(items: Sequence[Any]) -> list[Sequence[Any]]:
    return [items[start : start + PAGE] for start in range(0, len(items), PAGE)]


def _mark(extra: str | None) -> str | None:
    try:
        data = json.loads(extra or "{}")
    except ValueError:
        return None
    return data.get("mark") if isinstance(data, dict) else None


def _run(row: Any) -> TargetRun:
    return TargetRun(
        run_id=row.run_id,
        run_type=row.run_type,
        state=row.state,
        logical_date=_aware(row.logical_date),
        interval=_interval(row.data_interval_start, row.data_interval_end),
        run_after=_aware(row.run_after),
        queued_at=_aware(row.queued_at),
        started_at=_aware(row.start_date),
        ended_at=_aware(row.end_date),
    )


def _neutral(row: Mapping[str, Any], columns: Sequence[str], more: Mapping[str, Any]) -> dict[str, Any]:
    values = {name: row[name] for name in columns if name in row}
    return {
        **{name: _aware(value) if isinstance(value, datetime) else value for name, value in values.items()},
        **more,
    }


def _interval(start: datetime | None, end: datetime | None) -> Interval | None:
    first, last = _aware(start), _aware(end)
    return (first, last) if first is not None and last is not None else None


def _aware(moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
