"""What the source's scheduler knows about DAGs right now, and the one thing we write there: pause and unpause.

A pause leaves its mark as a row in Airflow's audit log, in the same transaction. The newest of our rows of a DAG tells
whose pause it is; a retry finds its own mark and changes nothing.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, null, select, update

from aerodrome.airflowkit.metadata import MetadataDatabase
from aerodrome.kernel.clock import Clock
from aerodrome.kernel.errors import AerodromeError, Conflict, NotFound
from aerodrome.migration.sources.airflow_db.rows import column_or, pages, utc
from aerodrome.migration.sources.airflow_db.schedules import Schedules, logical_date, run_type
from aerodrome.migration.sources.contract import DagState

PAUSE, UNPAUSE = "aerodrome.pause", "aerodrome.unpause"
IN_FLIGHT_RUNS = ("queued", "running")
IN_FLIGHT_TASKS = (
    "scheduled", "queued", "running", "restarting", "deferred", "up_for_retry", "up_for_reschedule",
)  # fmt: skip

AUTOMATED_RUNS = ("scheduled", "backfill")


@dataclass(frozen=True)
class _Mark:
    event: str
    mark: str | None
    was_paused: bool


def dag_states(
    database: MetadataDatabase, dag_ids: Sequence[str], schedules: Schedules, now: datetime
) -> dict[str, DagState]:
    """Read the states of the DAGs that exist, with a fixed number of queries per 500 DAGs.

    Before Airflow 2.2 the database tells no intervals, in 1.10 no next run either: they come from the schedule then (a
    query or two per DAG), and stay None where it is not known for certain.
    """
    found: dict[str, DagState] = {}
    for page in pages(sorted(set(dag_ids))):
        found.update(_page(database, page, schedules, now))
    return found


def _page(
    database: MetadataDatabase, dag_ids: Sequence[str], schedules: Schedules, now: datetime
) -> dict[str, DagState]:
    dag, run, task = (database.table(name) for name in ("dag", "dag_run", "task_instance"))
    logical = logical_date(database)
    columns = [
        column_or(database, "dag", name).label(name)
        for name in (
            "next_dagrun",
            "next_dagrun_data_interval_start",
            "next_dagrun_data_interval_end",
            "next_dagrun_create_after",
        )
    ]
    # One step down the index of (dag_id, logical date) for each DAG, however long its history is.
    newest_of_dag = (
        select(run.c.id)
        .where(run.c.dag_id == dag.c.dag_id, run_type(database) == "scheduled")
        .order_by(logical.desc())
        .limit(1)
        .correlate(dag)
        .scalar_subquery()
    )
    newest = database.twin("dag_run")
    newest_query = (
        select(
            newest.c.dag_id,
            newest.c.state,
            newest.c[logical.name].label("logical"),
            (newest.c.data_interval_start if "data_interval_start" in newest.c else null()).label("start"),
            (newest.c.data_interval_end if "data_interval_end" in newest.c else null()).label("end"),
        )
        .select_from(dag.join(newest, newest.c.id == newest_of_dag))
        .where(dag.c.dag_id.in_(dag_ids))
    )
    in_flight: dict[str, dict[str, int]] = defaultdict(dict)
    with database.reading() as connection:
        rows = connection.execute(
            select(dag.c.dag_id, dag.c.is_paused, *columns).where(dag.c.dag_id.in_(dag_ids))
        ).all()
        last = {row.dag_id: row for row in connection.execute(newest_query)}
        for prefix, table, states in (("run:", run, IN_FLIGHT_RUNS), ("", task, IN_FLIGHT_TASKS)):
            query = select(table.c.dag_id, table.c.state, func.count().label("total")).group_by(
                table.c.dag_id, table.c.state
            )
            for row in connection.execute(query.where(table.c.dag_id.in_(dag_ids), table.c.state.in_(states))):
                in_flight[row.dag_id][f"{prefix}{row.state}"] = row.total
        marks = _marks(database, connection, dag_ids)
        passed = _passed(database, connection, dag_ids)
    found = {
        row.dag_id: DagState(
            dag_id=row.dag_id,
            is_paused=bool(row.is_paused),
            mark=_standing(marks.get(row.dag_id), is_paused=bool(row.is_paused)),
            next_logical_date=utc(row.next_dagrun),
            next_interval=_interval(row.next_dagrun_data_interval_start, row.next_dagrun_data_interval_end),
            next_run_after=utc(row.next_dagrun_create_after),
            last_interval=_interval(last[row.dag_id].start, last[row.dag_id].end) if row.dag_id in last else None,
            last_run_state=last[row.dag_id].state if row.dag_id in last else None,
            let_go=_let_go(marks.get(row.dag_id), is_paused=bool(row.is_paused)),
            in_flight=dict(sorted(in_flight.get(row.dag_id, {}).items())),
        )
        for row in rows
    }
    newest_dates = {dag_id: utc(row.logical) for dag_id, row in last.items()}
    has_next = database.has("dag", "next_dagrun")
    return {
        dag_id: _stepped(
            _completed(state, schedules, newest_dates.get(dag_id), now, has_next=has_next),
            schedules,
            passed.get(dag_id),
            now,
        )
        for dag_id, state in found.items()
    }


def _passed(
    database: MetadataDatabase, connection: Connection, dag_ids: Sequence[str]
) -> dict[str, tuple[datetime | None, datetime | None]]:
    """Give the data interval of the newest run of DAGs whose row names, as the next, a date that was run already."""
    if not database.has("dag", "next_dagrun") or not database.has("dag_run", "data_interval_start"):
        return {}  # before Airflow 2.2; the scheduler of 1.10 keeps no next run at all
    dag, run, logical = database.table("dag"), database.table("dag_run"), logical_date(database)
    query = (
        select(run.c.dag_id, run.c.data_interval_start, run.c.data_interval_end)
        .select_from(dag.join(run, run.c.dag_id == dag.c.dag_id))
        .where(dag.c.dag_id.in_(dag_ids), logical >= dag.c.next_dagrun, run.c.run_type.in_(AUTOMATED_RUNS))
        .order_by(logical)  # the newest comes last, and stays
    )
    return {row.dag_id: (row.data_interval_start, row.data_interval_end) for row in connection.execute(query)}


def _stepped(
    state: DagState, schedules: Schedules, passed: tuple[datetime | None, datetime | None] | None, now: datetime
) -> DagState:
    """Move the next interval past what was run, as the source's scheduler will; as it stands where only that one can tell.

    While as many runs go on as `max_active_runs` allows, the row keeps the date of the newest one; it also falls back to
    such a date when runs end in another order than they began (_should_update_dag_next_dagruns in
    jobs/scheduler_job_runner.py, 2.11.2). The next parse mends it by the newest automated run (DAG.bulk_write_to_db).
    """
    last = _interval(*passed) if passed else None
    upcoming = schedules.of(state.dag_id).stepped(last, now) if last else None
    if upcoming is None:
        return state
    return replace(state, next_logical_date=upcoming[0], next_interval=upcoming, next_run_after=upcoming[1])


def _completed(
    state: DagState, schedules: Schedules, newest: datetime | None, now: datetime, *, has_next: bool
) -> DagState:
    """Add what an Airflow before 2.2 does not store, where the schedule tells it for certain."""
    if state.last_interval is None and newest is not None:
        state = replace(state, last_interval=schedules.of(state.dag_id).interval(newest))
    if has_next and state.next_logical_date is not None and state.next_interval is None:  # 2.0, 2.1
        return replace(state, next_interval=schedules.of(state.dag_id).interval(state.next_logical_date))
    if not has_next and state.last_interval is not None:  # 1.10
        upcoming = schedules.of(state.dag_id).next(state.last_interval, now)
        if upcoming is not None:
            return replace(state, next_logical_date=upcoming[0], next_interval=upcoming, next_run_after=upcoming[1])
    return state


def _interval(start: datetime | None, end: datetime | None) -> tuple[datetime, datetime] | None:
    first, last = utc(start), utc(end)
    return (first, last) if first is not None and last is not None else None


def _standing(mark: _Mark | None, *, is_paused: bool) -> str | None:
    return mark.mark if mark and mark.event == PAUSE and is_paused else None


def _let_go(mark: _Mark | None, *, is_paused: bool) -> str | None:
    return mark.mark if mark and mark.event == UNPAUSE and not is_paused else None


def _marks(database: MetadataDatabase, connection: Connection, dag_ids: Sequence[str]) -> dict[str, _Mark]:
    """Give the newest of our rows per DAG."""
    log = database.table("log")
    query = (
        select(log.c.dag_id, log.c.event, log.c.extra)
        .where(log.c.dag_id.in_(dag_ids), log.c.event.in_((PAUSE, UNPAUSE)))
        .order_by(log.c.id)
    )
    found: dict[str, _Mark] = {}
    for row in connection.execute(query):
        try:
            data: Any = json.loads(row.extra or "{}")
        except ValueError:
            data = {}
        found[row.dag_id] = _Mark(row.event, data.get("mark"), bool(data.get("was_paused")))
    return found


def pause(database: MetadataDatabase, clock: Clock, dag_ids: Sequence[str], mark: str) -> dict[str, AerodromeError]:
    """Pause and mark DAGs in one transaction; give the errors of those that could not be. Repeating changes nothing.

    Conflict `source-dag-marked` for a DAG on which another mark's pause stands, NotFound for one that is not there.
    """
    failed: dict[str, AerodromeError] = {}
    with database.writing() as connection:
        paused = _locked(database, connection, dag_ids)
        seen = _marks(database, connection, list(paused))
        ours = []
        for dag_id in dag_ids:
            if dag_id not in paused:
                failed[dag_id] = _missing(dag_id)
                continue
            standing = _standing(seen.get(dag_id), is_paused=paused[dag_id])
            if standing is None:
                ours.append(dag_id)
            elif standing != mark:
                failed[dag_id] = Conflict(
                    f"The DAG {dag_id} was paused in the source by another migration.",
                    code="source-dag-marked",
                    hint="Finish or roll back the other migration's cutover of this DAG first.",
                    details={"dag_id": dag_id, "mark": standing},
                )
        _set_paused(database, connection, ours, is_paused=True)
        position = newest_event(database, connection)  # in this transaction: what comes later finds the DAGs paused
        extras = {dag_id: {"mark": mark, "was_paused": paused[dag_id], "newest_event": position} for dag_id in ours}
        _leave(database, connection, clock.now(), PAUSE, extras)
    return failed


def newest_event(database: MetadataDatabase, connection: Connection) -> int:
    """Give the id of the newest asset event that a transaction sees; 0 without any, and before Airflow 2.4."""
    for name in ("asset_event", "dataset_event"):
        if database.has(name):
            return int(connection.scalar(select(func.max(database.column(name, "id")))) or 0)
    return 0


def event_position(database: MetadataDatabase, dag_id: str) -> int | None:
    """Give the newest asset event at the moment of our newest pause of a DAG; None when there was none."""
    log = database.table("log")
    query = select(log.c.extra).where(log.c.dag_id == dag_id, log.c.event == PAUSE).order_by(log.c.id.desc()).limit(1)
    with database.reading() as connection:
        extra = connection.scalar(query)
    position = json.loads(extra or "{}").get("newest_event")
    return None if position is None else int(position)


def unpause(database: MetadataDatabase, clock: Clock, dag_ids: Sequence[str], mark: str) -> dict[str, AerodromeError]:
    """Undo our pause of DAGs: back to what each was before. Conflict where the newest pause of ours has another mark."""
    failed: dict[str, AerodromeError] = {}
    with database.writing() as connection:
        paused = _locked(database, connection, dag_ids)
        marks = _marks(database, connection, list(paused))
        extras: dict[str, dict[str, Any]] = {}
        for dag_id in dag_ids:
            seen = marks.get(dag_id)
            if dag_id not in paused:
                failed[dag_id] = _missing(dag_id)
            elif seen is None or seen.mark != mark:
                failed[dag_id] = Conflict(
                    f"The DAG {dag_id} was not paused in the source by this cutover.",
                    code="source-dag-not-ours",
                    hint="Unpause it in the source's Airflow if that is what you want.",
                    details={"dag_id": dag_id},
                )
            elif seen.event == PAUSE:
                extras[dag_id] = {"mark": mark, "was_paused": seen.was_paused}
        freed = [dag_id for dag_id, extra in extras.items() if not extra["was_paused"]]
        _set_paused(database, connection, freed, is_paused=False)
        _leave(database, connection, clock.now(), UNPAUSE, extras)
    return failed


@contextmanager
def locked(database: MetadataDatabase, dag_ids: Sequence[str]) -> Iterator[None]:
    """Hold the rows of DAGs: nobody else pauses or unpauses them, no scheduler makes runs of them, until the block ends."""
    with database.writing() as connection:
        _locked(database, connection, dag_ids)
        yield


def hold_back(database: MetadataDatabase, dag_id: str, mark: str) -> None:
    """Empty the moment at which the scheduler makes the DAG's next run (`next_dagrun_create_after`).

    The scheduler makes runs only where that moment has come (DagModel.dags_needing_dagruns, 2.0-3.3); each parse of the
    file writes it anew, so this heals by itself, and must be repeated while it is to hold.
    """
    if not database.has("dag", "next_dagrun_create_after"):
        return
    with database.writing() as connection:
        is_paused = _locked(database, connection, [dag_id]).get(dag_id, False)
        seen = _marks(database, connection, (dag_id,)).get(dag_id)
        if _let_go(seen, is_paused=is_paused) == mark:
            dag = database.table("dag")
            connection.execute(update(dag).where(dag.c.dag_id == dag_id).values(next_dagrun_create_after=None))


def holder(database: MetadataDatabase, connection: Connection, dag_id: str) -> str | None:
    """Lock a DAG's row, and give the mark under which it is paused; None when it is not, or not by us."""
    is_paused = _locked(database, connection, [dag_id]).get(dag_id, False)
    return _standing(_marks(database, connection, (dag_id,)).get(dag_id), is_paused=is_paused)


def _locked(database: MetadataDatabase, connection: Connection, dag_ids: Sequence[str]) -> dict[str, bool]:
    """Lock the rows of DAGs by a write that changes nothing (all databases), and tell which are paused; in one order."""
    dag = database.table("dag")
    paused: dict[str, bool] = {}
    for page in pages(sorted(set(dag_ids))):
        if database.dialect == "postgresql":  # in the order of ids, so that two cutovers never wait for each other
            query = select(dag.c.dag_id).where(dag.c.dag_id.in_(page)).order_by(dag.c.dag_id).with_for_update()
            connection.execute(query)
        else:
            connection.execute(update(dag).where(dag.c.dag_id.in_(page)).values(is_paused=dag.c.is_paused))
        rows = connection.execute(select(dag.c.dag_id, dag.c.is_paused).where(dag.c.dag_id.in_(page)))
        paused |= {row.dag_id: bool(row.is_paused) for row in rows}
    return paused


def _missing(dag_id: str) -> NotFound:
    return NotFound(f"The source has no DAG {dag_id}.", code="source-dag-missing", hint="Assess the source again.")


def _set_paused(database: MetadataDatabase, connection: Connection, dag_ids: Sequence[str], *, is_paused: bool) -> None:
    dag = database.table("dag")
    for page in pages(dag_ids):
        connection.execute(update(dag).where(dag.c.dag_id.in_(page)).values(is_paused=is_paused))


def _leave(
    database: MetadataDatabase,
    connection: Connection,
    now: datetime,
    event: str,
    extras: Mapping[str, Mapping[str, Any]],
) -> None:
    rows = [
        {
            "dttm": database.stored(now),
            "dag_id": dag_id,
            "event": event,
            "owner": "aerodrome",
            "extra": json.dumps(extra),
        }
        for dag_id, extra in extras.items()
    ]
    if rows:
        connection.execute(insert(database.table("log")), rows)
