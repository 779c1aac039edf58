"""Writes runs that another Airflow made into a source's database, as finished ones: the source will not repeat them.

Called on the way back of a cutover, while the DAG is held. Columns are known by reflection; what only a live run has (job,
pid, trigger, version of the DAG) stays empty. Airflow 2 pickles `conf` and `executor_config`: empty ones are written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Table, func, insert, select, update
from sqlalchemy.types import LargeBinary

from aerodrome.airflowkit.metadata import MetadataDatabase
from aerodrome.kernel.clock import Clock
from aerodrome.kernel.errors import Conflict
from aerodrome.migration.estate.history import FINAL_RUN_STATES
from aerodrome.migration.sources.airflow_db.rows import pages, utc
from aerodrome.migration.sources.contract import CarriedRuns

EMPTY_PICKLE = b"\x80\x04}\x94."  # pickle.dumps({}, 4): every Python 3 reads it
_RUN_NAMES = {"logical_date": ("logical_date", "execution_date"), "is_external_trigger": ("external_trigger",)}
_RUN_TYPES_2 = {"scheduled": "scheduled", "backfill": "backfill", "asset_triggered": "dataset_triggered"}
"""Run types of 3.x that 2.x has, too, by its names; all others are manual runs there."""
_TASK_NAMES = {"queued_at": ("queued_dttm",)}
_MOMENTS = {
    "logical_date",
    "data_interval_start",
    "data_interval_end",
    "run_after",
    "queued_at",
    "start_date",
    "end_date",
}


def carry(database: MetadataDatabase, clock: Clock, carried: CarriedRuns) -> int:
    """Write the runs that are not there yet, with their task instances and what comes next, in one transaction.

    Gives how many runs were new. Conflict `source-cannot-carry` before Airflow 2.2 (task instances without a run id), or
    for a run that is not finished.
    """
    if not database.has("task_instance", "run_id"):
        raise Conflict(
            "A source before Airflow 2.2 cannot be told what the target ran.",
            code="source-cannot-carry",
            hint="Go on in the target; or delete the target's runs there, and roll back again.",
        )
    if unfinished := [run["run_id"] for run in carried.runs if run["state"] not in FINAL_RUN_STATES]:
        raise Conflict(
            f"The target's run {unfinished[0]} is not finished.", code="source-cannot-carry", hint="Wait until it is."
        )
    with database.writing() as connection:
        words = {run["run_id"]: _in_own_words(database, run) for run in carried.runs}
        fresh = _fresh(database, connection, carried.dag_id, words)
        runs = [words[run_id] for run_id in fresh]
        names = {run_id: words[run_id]["run_id"] for run_id in fresh}
        tasks = [{**task, "run_id": names[task["run_id"]]} for task in carried.tasks if task["run_id"] in names]
        stored_now = database.stored(clock.now())
        _insert(
            database,
            connection,
            "dag_run",
            _RUN_NAMES,
            runs,
            {"updated_at": stored_now, **_template(database, connection)},
        )
        _insert(database, connection, "task_instance", _TASK_NAMES, tasks, {"updated_at": stored_now})
        _schedule(database, connection, carried)
    return len(runs)


def _in_own_words(database: MetadataDatabase, run: Mapping[str, Any]) -> dict[str, Any]:
    """Give a run as the source itself would have made it.

    From Airflow 3.2 on a scheduled run is named by the moment from which it may run, before by its logical date: the name of
    one interval's run is that of the next one's. Left as it is, the source's scheduler would find the name of its next run
    taken, and make none any more. Before 3.0 every run has a logical date and an interval, and run types have other names.
    """
    own = dict(run)
    if not database.has("dag_run", "run_after"):  # before 3.0
        own["run_type"] = _RUN_TYPES_2.get(run["run_type"], "manual")
        own["logical_date"] = run["logical_date"] or run["run_after"]
        for name in ("data_interval_start", "data_interval_end"):
            own[name] = run[name] or own["logical_date"]
    is_named_by_date = not database.has("dag_run", "partition_key")  # before 3.2
    if is_named_by_date and run["run_type"] == "scheduled" and run["logical_date"] is not None:
        own["run_id"] = f"scheduled__{run['logical_date'].astimezone(UTC).isoformat()}"
    return own


def _fresh(
    database: MetadataDatabase, connection: Connection, dag_id: str, words: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """Give the runs, by the target's names, that the source has neither by its own name nor by logical date."""
    run = database.table("dag_run")
    logical = run.c.logical_date if "logical_date" in run.c else run.c.execution_date
    rows = connection.execute(select(run.c.run_id, logical.label("logical")).where(run.c.dag_id == dag_id)).all()
    ids, dates = {row.run_id for row in rows}, {utc(row.logical) for row in rows if row.logical is not None}
    return [
        run_id
        for run_id, own in words.items()
        if own["run_id"] not in ids and (own["logical_date"] is None or own["logical_date"] not in dates)
    ]


def _template(database: MetadataDatabase, connection: Connection) -> dict[str, Any]:
    if not database.has("dag_run", "log_template_id") or not database.has("log_template"):
        return {}
    return {"log_template_id": connection.scalar(select(func.max(database.table("log_template").c.id)))}


def _insert(
    database: MetadataDatabase,
    connection: Connection,
    name: str,
    names: Mapping[str, tuple[str, ...]],
    items: Sequence[Mapping[str, Any]],
    more: Mapping[str, Any],
) -> None:
    table = database.table(name)
    rows = [_row(database, table, names, item, more) for item in items]
    for page in pages(rows):
        connection.execute(insert(table), page)


def _row(
    database: MetadataDatabase,
    table: Table,
    names: Mapping[str, Iterable[str]],
    item: Mapping[str, Any],
    more: Mapping[str, Any],
) -> dict[str, Any]:
    row: dict[str, Any] = {key: value for key, value in more.items() if key in table.c}
    for key, value in item.items():
        for column in names.get(key, (key,)):
            if column in table.c and key not in ("conf", "note"):
                row[column] = database.stored(value) if key in _MOMENTS and value is not None else value
    for column in ("conf", "executor_config"):
        if column in table.c:
            is_pickled = isinstance(table.c[column].type, LargeBinary) or "BYTEA" in str(table.c[column].type).upper()
            row[column] = EMPTY_PICKLE if is_pickled else {}
    if "span_status" in table.c:
        row["span_status"] = "not_started"
    if table.name == "task_instance" and "id" in table.c:
        row["id"] = uuid4() if database.dialect == "postgresql" else uuid4().hex
    return row


def _schedule(database: MetadataDatabase, connection: Connection, carried: CarriedRuns) -> None:
    """Write what comes next, so that nothing is repeated before the source's next parse of the file works it out anew."""
    if carried.next_run_after is None or not database.has("dag", "next_dagrun_create_after"):
        return
    dag = database.table("dag")
    start, end = carried.next_interval or (None, None)
    values = {
        "next_dagrun": start,
        "next_dagrun_data_interval_start": start,
        "next_dagrun_data_interval_end": end,
        "next_dagrun_create_after": carried.next_run_after,
    }
    stored = {name: value and database.stored(value) for name, value in values.items() if name in dag.c}
    connection.execute(update(dag).where(dag.c.dag_id == carried.dag_id).values(stored))
