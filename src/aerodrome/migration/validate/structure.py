"""Compares a DAG of the estate with the same DAG in the target: tasks, order, schedule, data intervals. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from aerodrome.airflowkit.rest import RestDag, RestTaskSpec
from aerodrome.migration.estate.records import DagRecord
from aerodrome.migration.validate.contract import CheckRow

PRESETS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@quarterly": "0 0 1 */3 *",
    "@yearly": "0 0 1 1 *",
}
"""Airflow shows presets as cron texts (airflow/timetables/_cron.py and utils/dates.py, 3.3.2)."""

_CODE_HINT = "See what the code upgrade changed in its file: `aerodrome migrate code NAME`."


def compare(record: DagRecord, dag: RestDag, tasks: Sequence[RestTaskSpec]) -> Iterator[CheckRow]:
    """Give the rows of one DAG."""
    yield _tasks(record, tasks)
    yield _order(record, tasks)
    yield _schedule(record, dag)
    if record.next_interval_start and dag.next_interval:
        yield _intervals(record, dag)


def _tasks(record: DagRecord, tasks: Sequence[RestTaskSpec]) -> CheckRow:
    after = {task.task_id for task in tasks}
    if "tasks" in record.unread:
        return _untold("same-tasks", record, f"{len(after)} tasks; the source did not tell its own.")
    before = {str(task["task_id"]) for task in record.tasks}
    if before == after:
        return CheckRow("same-tasks", record.dag_id, True, "blocker", f"{len(after)} tasks, as in the source.")
    differences = [
        f"{word}: {_some(sorted(ids))}" for word, ids in (("missing", before - after), ("new", after - before)) if ids
    ]
    return CheckRow(
        "same-tasks",
        record.dag_id,
        False,
        "blocker",
        f"The target's tasks are not those of the source ({'; '.join(differences)}).",
        _CODE_HINT,
    )


def _order(record: DagRecord, tasks: Sequence[RestTaskSpec]) -> CheckRow:
    if "tasks" in record.unread:
        return _untold("same-order", record, "The source did not tell the order of its tasks.")
    before = {(str(task["task_id"]), str(below)) for task in record.tasks for below in task.get("downstream") or ()}
    after = {(task.task_id, below) for task in tasks for below in task.downstream}
    if before == after:
        return CheckRow("same-order", record.dag_id, True, "blocker", f"{len(after)} edges, as in the source.")
    differences = [
        f"{word}: {_some([f'{above} → {below}' for above, below in sorted(edges)])}"
        for word, edges in (("missing", before - after), ("new", after - before))
        if edges
    ]
    return CheckRow(
        "same-order",
        record.dag_id,
        False,
        "blocker",
        f"The order of its tasks is not that of the source ({'; '.join(differences)}).",
        _CODE_HINT,
    )


def _untold(name: str, record: DagRecord, message: str) -> CheckRow:
    return CheckRow(
        name,
        record.dag_id,
        True,
        "info",
        message,
        "Compare it yourself, or connect the metadata database or an archive.",
    )


def _schedule(record: DagRecord, dag: RestDag) -> CheckRow:
    expected = expected_schedule(record)
    if expected is None:
        return CheckRow(
            "same-schedule",
            record.dag_id,
            True,
            "info",
            f"A timetable of its own: {dag.schedule}; compare it yourself.",
        )
    shown = dag.schedule or "None"
    is_same = shown == expected or (record.schedule_kind == "dataset" and "Asset" in shown)
    if is_same:
        return CheckRow("same-schedule", record.dag_id, True, "blocker", f"Schedule {shown}, as in the source.")
    return CheckRow(
        "same-schedule",
        record.dag_id,
        False,
        "blocker",
        f"The target schedules it by {shown}, the source by {expected}.",
        "Set schedule= explicitly in the DAG; Airflow 3 has no default schedule.",
    )


def expected_schedule(record: DagRecord) -> str | None:
    """Give the summary that Airflow 3.3.2 shows for the source's schedule; None when it cannot be told."""
    schedule = record.schedule
    if record.schedule_kind == "none" or (schedule is None and record.schedule_kind != "timetable"):
        return "None"
    if record.schedule_kind in ("cron", "preset", "continuous") and schedule is not None:
        return PRESETS.get(schedule, schedule)
    if record.schedule_kind == "timedelta" and schedule is not None:
        return str(timedelta(seconds=float(schedule.removeprefix("timedelta:"))))
    if record.schedule_kind == "dataset":
        return "Asset"
    return None


def _intervals(record: DagRecord, dag: RestDag) -> CheckRow:
    source_is_point = record.next_interval_start == record.next_interval_end
    target_is_point = dag.next_interval is not None and dag.next_interval[0] == dag.next_interval[1]
    if source_is_point == target_is_point:
        return CheckRow("data-intervals", record.dag_id, True, "blocker", "Data intervals are made as in the source.")
    return CheckRow(
        "data-intervals",
        record.dag_id,
        False,
        "blocker",
        "The target makes no data intervals for its schedule; the source does."
        if target_is_point
        else "The target makes data intervals for its schedule; the source does not.",
        'Set scheduler.create_cron_data_intervals to "True" under target.config in the plan.',
    )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
