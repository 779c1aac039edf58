"""How many calls bring what Starship gives one item at a time: known before anything moves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from aerodrome.kernel.errors import AerodromeError
from aerodrome.migration.estate.records import MeasureRecord
from aerodrome.migration.sources.airflow_rest.client import PAGE
from aerodrome.migration.sources.starship.client import StarshipReader

RUNS_LOOKED_AT = 10


def measures(reader: StarshipReader, *, has_xcoms: bool, has_logs: bool) -> Iterator[MeasureRecord]:
    """Count the calls for XComs (one for a task instance) and for task logs (one for a try; earlier tries are not counted)."""
    if not has_xcoms and not has_logs:
        return
    tasks = reader.total("/dags/~/dagRuns/~/taskInstances/list") if reader.has_rest else _guessed(reader)
    if has_logs:
        yield MeasureRecord("calls:log", tasks, is_estimate=True)
    if has_xcoms:
        yield MeasureRecord("calls:xcom", _with_xcoms(reader, tasks), is_estimate=True)
    if has_logs:
        yield MeasureRecord("logs:readable", 1)


def _guessed(reader: StarshipReader) -> int:
    """Take the newest runs of each DAG for all of them: Starship counts runs only."""
    tasks = 0
    for dag in reader.starship("dags"):
        if count := int(dag["dag_run_count"]):
            answer = reader.starship("task_instances", dag_id=dag["dag_id"], limit=RUNS_LOOKED_AT)
            tasks += round(len(answer["task_instances"]) * count / min(count, RUNS_LOOKED_AT))
    return tasks


def _with_xcoms(reader: StarshipReader, tasks: int) -> int:
    """The REST API tells, a hundred at a time, which task instances are worth a call."""
    if reader.has_rest:
        with suppress(AerodromeError):  # it fails where one value cannot be shown
            listed = int(reader.get("/dags/~/dagRuns/~/taskInstances/~/xcomEntries", limit=1)["total_entries"])
            return min(tasks, listed) + listed // PAGE
    return tasks
