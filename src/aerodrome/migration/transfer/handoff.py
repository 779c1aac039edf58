"""Hands a DAG's schedule over: the target's scheduler creates exactly the interval that the source would have created.

Called by migration.cutover after the last history sync, while the DAG is paused on both sides. Airflow recomputes the next
run from the newest scheduled or backfill run each time it parses the file (dag_processing/collection.py in 3.3.2,
DagModel.calculate_dagrun_date_fields in 2.11.2); until that parse the `dag` row still says what it said before the import. Handing over writes the row, so there is no window.

A migrated deployment needs `[scheduler] create_cron_data_intervals=True`: Airflow 3 otherwise makes cron and timedelta
schedules fire without data intervals, and one interval is never processed. In 3.3.2 that one option decides for
timedelta as well (task SDK, definitions/dag.py); the documented `create_delta_data_intervals` is not read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from sqlalchemy import Connection, bindparam, func, select, update

from aerodrome.kernel.clock import to_text
from aerodrome.kernel.errors import AerodromeError, Conflict, NotFound
from aerodrome.migration.sources.contract import DagState
from aerodrome.migration.transfer.target import TargetDatabase

SCHEDULER_OPTIONS = {
    "scheduler.create_cron_data_intervals": "True",
    "scheduler.create_delta_data_intervals": "True",
}
"""Options of every migrated deployment, so that cron and timedelta DAGs keep the data intervals of Airflow 2."""

CATCHUP_OPTION = "scheduler.catchup_by_default"
"""True by default in Airflow 2 and False in Airflow 3: a migrated deployment keeps the source's value."""

AUTOMATED_RUN_TYPES = ("scheduled", "backfill")
_READ = (
    "dag_id", "is_paused", "next_dagrun", "next_dagrun_data_interval_start", "next_dagrun_data_interval_end",
    "next_dagrun_create_after",
)  # fmt: skip
_POINT_IN_TIME = ("CronTriggerTimetable", "DeltaTriggerTimetable")


class StateSource(Protocol):
    """What a hand-off reads of a source."""

    def dag_states(self, dag_ids: Sequence[str]) -> dict[str, DagState]: ...


@dataclass(frozen=True)
class NextInterval:
    """What a scheduler will create next for a DAG, and not before `create_after`. All None: nothing is planned."""

    logical_date: datetime | None
    start: datetime | None
    end: datetime | None
    create_after: datetime | None

    @property
    def is_planned(self) -> bool:
        return self.create_after is not None

    def as_data(self) -> dict[str, str | None]:
        return {
            "logical_date": to_text(self.logical_date),
            "start": to_text(self.start),
            "end": to_text(self.end),
            "create_after": to_text(self.create_after),
        }


@dataclass(frozen=True)
class HandOff:
    """The schedule on both sides. `computed` is what the target had worked out by itself before the handover."""

    dag_id: str
    source: NextInterval
    computed: NextInterval
    target: NextInterval  # as it stands now
    last: tuple[datetime, datetime] | None = None  # of the newest scheduled run in the source; it stands in the target

    @property
    def is_equal(self) -> bool:
        return self.source == self.target

    def as_data(self) -> dict[str, Any]:
        return {
            "dag_id": self.dag_id,
            "source": self.source.as_data(),
            "computed": self.computed.as_data(),
            "target": self.target.as_data(),
            "is_equal": self.is_equal,
        }


def next_interval(target: TargetDatabase, dag_id: str) -> NextInterval:
    """Read what the target's scheduler will create next; NotFound when the target does not know the DAG."""
    with target.reading() as connection:
        return _next(_dag_row(target, connection, dag_id))


def source_interval(state: DagState) -> NextInterval:
    """Give what the source's scheduler would create next."""
    start, end = state.next_interval or (None, None)
    return NextInterval(state.next_logical_date, start, end, state.next_run_after)


def hand_off(source: StateSource, target: TargetDatabase, dag_id: str) -> HandOff:
    """Write the source's next interval into the target's DAG, in one transaction with every check that it is right.

    NotFound when a side does not know the DAG. Conflict when the target's DAG is not paused, when the source's newest
    scheduled run does not stand in the target, when the target already ran that interval or a later one, or when the
    target's timetable has no data intervals though the source's has. Safe to repeat; a DAG without a planned run
    (asset-scheduled, manual, finished) is left as it is.
    """
    found = hand_off_many(source, target, (dag_id,))[dag_id]
    if isinstance(found, AerodromeError):
        raise found
    return found


def hand_off_many(
    source: StateSource, target: TargetDatabase, dag_ids: Sequence[str]
) -> dict[str, HandOff | AerodromeError]:
    """Hand many schedules over in one transaction; what `hand_off` would raise for a DAG is its outcome here."""
    states = source.dag_states(dag_ids)
    outcomes: dict[str, HandOff | AerodromeError] = {}
    with target.writing() as connection:
        rows = _dag_rows(target, connection, dag_ids)
        newest = _newest_automated(target, connection, dag_ids)
        changes: list[dict[str, Any]] = []
        for dag_id in dag_ids:
            try:
                outcomes[dag_id] = made = _made(dag_id, states.get(dag_id), rows.get(dag_id), newest.get(dag_id))
            except AerodromeError as error:
                outcomes[dag_id] = error
                continue
            if made.target != made.computed:
                changes.append({"b_dag_id": dag_id, **_columns(target, made.target)})
        if changes:
            dag = target.table("dag")
            connection.execute(
                update(dag)
                .where(dag.c.dag_id == bindparam("b_dag_id"))
                .values({name: bindparam(name) for name in changes[0] if name != "b_dag_id"}),
                changes,
            )
    return outcomes


def _made(dag_id: str, state: DagState | None, row: dict[str, Any] | None, newest: datetime | None) -> HandOff:
    if state is None:
        raise NotFound(f"The source has no DAG {dag_id}.", code="dag-not-in-source")
    if row is None:
        raise _not_parsed(dag_id)
    wanted, computed = source_interval(state), _next(row)
    _check(row, newest, state, wanted)
    return HandOff(dag_id, wanted, computed, wanted if wanted.is_planned else computed, state.last_interval)


def _check(row: dict[str, Any], newest: datetime | None, state: DagState, wanted: NextInterval) -> None:
    dag_id = state.dag_id
    if not row["is_paused"]:
        raise Conflict(
            f"The DAG {dag_id} is not paused in the target.",
            code="target-dag-not-paused",
            hint="Pause it in the target first; its schedule is handed over while it is paused on both sides.",
        )
    timetable = row.get("timetable_type") or ""
    if wanted.start != wanted.end and timetable.rsplit(".", 1)[-1] in _POINT_IN_TIME:
        raise Conflict(
            f"The target schedules {dag_id} by {timetable}, without data intervals; the source has them.",
            code="timetable-differs",
            hint="Set scheduler.create_cron_data_intervals=True on the deployment and wait for the next parse.",
        )
    if state.last_interval is not None and (newest is None or newest < state.last_interval[0]):
        raise Conflict(
            f"The newest scheduled run of {dag_id} in the source ({to_text(state.last_interval[0])}) "
            "does not stand in the target.",
            code="last-run-not-moved",
            hint="Sync the history again; the report names the rows that could not move.",
        )
    if newest is not None and wanted.logical_date is not None and newest >= wanted.logical_date:
        raise Conflict(
            f"The target already has a run of {dag_id} for {to_text(newest)}, which is not before the next interval.",
            code="interval-already-run",
            hint="The target was already active for this DAG; compare the runs of both sides before going on.",
        )


def _newest_automated(target: TargetDatabase, connection: Connection, dag_ids: Sequence[str]) -> dict[str, datetime]:
    run = target.table("dag_run")
    logical = run.c[target.date_column]
    query = (
        select(run.c.dag_id, func.max(logical))
        .where(run.c.dag_id.in_(dag_ids), run.c.run_type.in_(AUTOMATED_RUN_TYPES), logical.is_not(None))
        .group_by(run.c.dag_id)
    )
    return {row[0]: moment for row in connection.execute(query) if (moment := _aware(row[1])) is not None}


def _dag_row(target: TargetDatabase, connection: Connection, dag_id: str) -> dict[str, Any]:
    found = _dag_rows(target, connection, (dag_id,))
    if dag_id not in found:
        raise _not_parsed(dag_id)
    return found[dag_id]


def _dag_rows(target: TargetDatabase, connection: Connection, dag_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    dag = target.table("dag")
    wanted = [dag.c[name] for name in (*_READ, "timetable_type") if name in dag.c]
    return {
        row["dag_id"]: dict(row)
        for row in connection.execute(select(*wanted).where(dag.c.dag_id.in_(dag_ids))).mappings()
    }


def _not_parsed(dag_id: str) -> NotFound:
    return NotFound(
        f"The target has not parsed the DAG {dag_id}.",
        code="dag-not-in-target",
        hint="Deploy its code and wait until the import succeeds.",
    )


def _next(row: dict[str, Any]) -> NextInterval:
    return NextInterval(
        _aware(row["next_dagrun"]),
        _aware(row["next_dagrun_data_interval_start"]),
        _aware(row["next_dagrun_data_interval_end"]),
        _aware(row["next_dagrun_create_after"]),
    )


def _columns(target: TargetDatabase, wanted: NextInterval) -> dict[str, datetime | None]:
    """Give the columns as the database stores them: SQLite naive in UTC."""
    values = {
        "next_dagrun": wanted.logical_date,
        "next_dagrun_data_interval_start": wanted.start,
        "next_dagrun_data_interval_end": wanted.end,
        "next_dagrun_create_after": wanted.create_after,
    }
    if target.dialect == "sqlite":
        return {name: value and value.astimezone(UTC).replace(tzinfo=None) for name, value in values.items()}
    return values


def _aware(moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
