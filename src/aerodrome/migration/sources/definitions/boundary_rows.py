"""The last time that ran in the source, as one finished run: after it the target's scheduler goes on at the very next time."""

from __future__ import annotations

from datetime import timedelta

from aerodrome.migration.convert.contract import Dag
from aerodrome.migration.estate.history import RUN_COLUMNS, TASK_COLUMNS
from aerodrome.migration.sources.contract import DagState

NOTE = "It ran in the source before the cutover. Seeded as the boundary: its tasks are marked, they did not run here."


def boundary_run(state: DagState) -> tuple[object, ...]:
    """Give the row of the run, in RUN_COLUMNS; the state has a last interval."""
    assert state.last_interval is not None  # noqa: S101 - the caller looked
    moment = state.last_interval[0]
    values = {
        "dag_id": state.dag_id,
        "run_id": run_id(state),
        "run_type": "scheduled",
        "state": state.last_run_state,
        "logical_date": moment,
        "data_interval_start": moment,
        "data_interval_end": moment,
        "run_after": moment,
        "queued_at": moment,
        "start_date": moment,
        "end_date": moment + timedelta(seconds=1),
        "is_external_trigger": False,
        "clear_number": 0,
        "note": NOTE,
    }
    return tuple(values.get(column) for column in RUN_COLUMNS)


def boundary_tasks(state: DagState, dag: Dag) -> list[tuple[object, ...]]:
    """Give a row per task, in TASK_COLUMNS, where the run went well; nobody knows which task a failed one failed at."""
    if state.last_run_state != "success":
        return []
    assert state.last_interval is not None  # noqa: S101 - the caller looked
    moment = state.last_interval[0]
    rows = []
    for task in sorted(dag.tasks, key=lambda item: item.full_id):
        values = {
            "dag_id": state.dag_id,
            "run_id": run_id(state),
            "task_id": task.full_id,
            "map_index": -1,
            "try_number": 1,
            "max_tries": task.retries,
            "state": "success",
            "start_date": moment,
            "end_date": moment + timedelta(seconds=1),
            "duration": 1.0,
            "hostname": "",
            "unixname": "",
            "pool": task.pool or "default_pool",
            "pool_slots": task.pool_slots,
            "queue": task.queue or "default",
            "priority_weight": task.priority_weight,
            "operator": task.operator.name_in("3.3"),
            "task_display_name": task.full_id,
        }
        rows.append(tuple(values.get(column) for column in TASK_COLUMNS))
    return rows


def run_id(state: DagState) -> str:
    """Name the run as Airflow names scheduled ones."""
    assert state.last_interval is not None  # noqa: S101 - the caller looked
    return f"scheduled__{state.last_interval[0].isoformat()}"
