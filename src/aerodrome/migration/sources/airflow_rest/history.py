"""Run history over REST: runs and task instances. Earlier tries and XComs stay behind, and it is said how many.

A DAG is read at a time: its finished runs, sorted, are held in memory (not their task instances).
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from aerodrome.kernel.clock import from_text, to_text
from aerodrome.kernel.errors import Broken
from aerodrome.migration.estate.history import (
    COLUMNS,
    FINAL_RUN_STATES,
    UNFINISHED_TASK_STATES,
    HistoryBatch,
    HistoryKind,
    HistoryWindow,
    RejectedRow,
)
from aerodrome.migration.sources.airflow_db.rows import pages
from aerodrome.migration.sources.airflow_rest.client import BATCH, RestReader, quoted

RUNS_PER_BATCH = 50
"""How many runs' task instances are asked for at first; then as many as have about ROWS_PER_BATCH."""
ROWS_PER_BATCH, MOST_RUNS = BATCH, 500
AT_ONCE = 3
"""How many such questions are open at the same time."""
DAGS_PER_COUNT = 200
_TRIES = "tries before the last one: Airflow's REST API gives them one by one only"
_XCOMS = "XComs: Airflow's REST API gives their values one by one only"
_UNKNOWN_BEFORE = {  # states that a version does not know make it refuse the whole filter
    "restarting", "shutdown", "sensing", "awaiting_input",
}  # fmt: skip

_Found = dict[tuple[str, str, int], dict[str, Any]]


class RestHistory:
    """Reads the history of one Airflow."""

    def __init__(self, reader: RestReader) -> None:
        self._reader = reader
        self._retried: dict[str, int] = {}  # task instances with earlier tries, by DAG, seen while streaming

    def stream(self, kind: HistoryKind, window: HistoryWindow) -> Iterator[HistoryBatch]:
        """Give batches in the order of `window.dag_ids` and run_id; for what stays behind, a rejection for each DAG."""
        if kind == "task_instance":
            yield from self._tasks(window.dag_ids, window)
            return
        for dag_id in window.dag_ids:
            if kind == "run":
                yield from self._runs(dag_id, window)
            elif kind in ("task_try", "xcom"):
                count = self._retries(dag_id, window) if kind == "task_try" else self._xcoms(dag_id)
                if count != 0:
                    said = _TRIES if kind == "task_try" else _XCOMS
                    number = "" if count is None else f"{count} "
                    rejected = RejectedRow(dag_id, "not-over-rest", f"Left behind: {number}{said}.")
                    yield HistoryBatch(kind, COLUMNS[kind], (), (rejected,))

    def counts(self, window: HistoryWindow) -> dict[HistoryKind, int]:
        """Count what stands in the source: an upper bound of what `stream` gives, two calls per 200 DAGs."""
        found: dict[HistoryKind, int] = dict.fromkeys(COLUMNS, 0)
        for page in pages(window.dag_ids, DAGS_PER_COUNT):
            dag_ids = list(page)
            found["run"] += self._reader.total("/dags/~/dagRuns/list", dag_ids=dag_ids, states=list(FINAL_RUN_STATES))
            found["task_instance"] += self._reader.total("/dags/~/dagRuns/~/taskInstances/list", dag_ids=dag_ids)
        return found

    def watermark(self) -> datetime:
        """Give the source's own time; what changes from now on has a later moment of change."""
        return parsedate_to_datetime(self._reader.clock())

    def _eligible(self, dag_id: str, window: HistoryWindow) -> list[dict[str, Any]]:
        """Give the runs that are final, with nothing in them that could still move, by run_id."""
        wish: dict[str, Any] = {"dag_ids": [dag_id], "states": list(FINAL_RUN_STATES), "order_by": "id"}
        runs = {run["dag_run_id"]: run for run in self._reader.batch("/dags/~/dagRuns/list", "dag_runs", **wish)}
        unfinished = {task["dag_run_id"] for task in self.unfinished([dag_id])}
        if window.since is not None:
            changed = self._changed_after(dag_id, window.since)
            runs = {run_id: run for run_id, run in runs.items() if run_id in changed}
        if window.until is not None:
            unfinished |= self._changed_after(dag_id, window.until)
        return [runs[run_id] for run_id in sorted(runs) if run_id not in unfinished]

    def unfinished(self, dag_ids: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Give the task instances that may still move."""
        states = [state for state in UNFINISHED_TASK_STATES if state not in _UNKNOWN_BEFORE]
        yield from self._reader.batch(
            "/dags/~/dagRuns/~/taskInstances/list", "task_instances", dag_ids=list(dag_ids), state=states
        )

    def _changed_after(self, dag_id: str, moment: datetime) -> set[str]:
        """Give the runs that were written, or of which a task instance was, after the moment."""
        after = to_text(moment)
        path = f"/dags/{quoted(dag_id)}/dagRuns/~/taskInstances"
        name = quoted(dag_id) if self._reader.fits(path) else "~"  # then those of every DAG come
        runs = self._reader.pages(f"/dags/{name}/dagRuns", "dag_runs", updated_at_gte=after, order_by="id")
        tasks = self._reader.pages(f"/dags/{name}/dagRuns/~/taskInstances", "task_instances", updated_at_gte=after)
        return {each["dag_run_id"] for found in (runs, tasks) for each in found if each["dag_id"] == dag_id}

    def _runs(self, dag_id: str, window: HistoryWindow) -> Iterator[HistoryBatch]:
        runs = self._eligible(dag_id, window)
        if runs:
            yield HistoryBatch("run", COLUMNS["run"], [_run(run) for run in runs])

    def _tasks(self, dag_ids: Sequence[str], window: HistoryWindow) -> Iterator[HistoryBatch]:
        """Give the task instances of the eligible runs, asked for several at a time and given in order."""
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="rest-history") as beside:
            coming: deque[tuple[str, Future[_Found]]] = deque()
            asked = RUNS_PER_BATCH
            for dag_id in dag_ids:
                self._retried[dag_id] = 0
                run_ids = [run["dag_run_id"] for run in self._eligible(dag_id, window)]
                start = 0
                while start < len(run_ids):
                    page = run_ids[start : start + asked]
                    start += len(page)
                    coming.append((dag_id, beside.submit(self._tasks_of, dag_id, page)))
                    while len(coming) > AT_ONCE:
                        batch = self._received(*coming.popleft())
                        runs = len({row[1] for row in batch.rows})
                        asked = (
                            max(1, min(MOST_RUNS, ROWS_PER_BATCH * runs // max(1, len(batch.rows)))) if runs else asked
                        )
                        yield batch
            while coming:
                yield self._received(*coming.popleft())

    def _received(self, dag_id: str, coming: Future[_Found]) -> HistoryBatch:
        found = coming.result()
        self._retried[dag_id] += sum((task["try_number"] or 0) > 1 for task in found.values())
        return HistoryBatch("task_instance", COLUMNS["task_instance"], [_task(found[key]) for key in sorted(found)])

    def _tasks_of(self, dag_id: str, run_ids: Sequence[str]) -> _Found:
        """Read the task instances of some runs; pages of a list that has no order may overlap, which is noticed."""
        wish = {"dag_ids": [dag_id], "dag_run_ids": list(run_ids)}
        found: _Found = {}
        said = 0
        for tasks, total in self._reader.batches("/dags/~/dagRuns/~/taskInstances/list", "task_instances", **wish):
            found |= {(task["dag_run_id"], task["task_id"], task.get("map_index", -1)): task for task in tasks}
            said = total
        if len(found) == said:
            return found
        if len(run_ids) > 1:
            half = len(run_ids) // 2
            return self._tasks_of(dag_id, run_ids[:half]) | self._tasks_of(dag_id, run_ids[half:])
        raise Broken(
            f"The source gives the task instances of {dag_id} {run_ids[0]} differently each time.",
            code="source-unsteady",
            hint="Read it from its metadata database, or from an archive (`aerodrome export`).",
        )

    def _retries(self, dag_id: str, window: HistoryWindow) -> int:
        if dag_id not in self._retried:
            for _batch in self._tasks((dag_id,), window):
                pass
        return self._retried[dag_id]

    def _xcoms(self, dag_id: str) -> int | None:
        """Count the XComs; None where they cannot be counted."""
        path = f"/dags/{quoted(dag_id)}/dagRuns/~/taskInstances/~/xcomEntries"
        if not self._reader.fits(path):
            return None
        return int(self._reader.get(path, limit=1)["total_entries"])


def _run(run: Mapping[str, Any]) -> tuple[Any, ...]:
    interval_end, logical = from_text(run.get("data_interval_end")), from_text(run.get("logical_date"))
    values = {
        "dag_id": run["dag_id"],
        "run_id": run["dag_run_id"],
        "run_type": run["run_type"],
        "state": run["state"],
        "logical_date": logical,
        "data_interval_start": from_text(run.get("data_interval_start")),
        "data_interval_end": interval_end,
        "run_after": from_text(run.get("run_after")) or interval_end or logical,
        "queued_at": from_text(run.get("queued_at")),
        "start_date": from_text(run.get("start_date")),
        "end_date": from_text(run.get("end_date")),
        "conf": None if run.get("conf") is None else json.dumps(run["conf"], ensure_ascii=False),
        "is_external_trigger": bool(run.get("external_trigger", run["run_type"] != "scheduled")),
        "clear_number": 0,
        "note": run.get("note"),
    }
    return tuple(values[column] for column in COLUMNS["run"])


def _task(task: Mapping[str, Any]) -> tuple[Any, ...]:
    values = {
        **task,
        "run_id": task["dag_run_id"],
        "map_index": task.get("map_index", -1),
        "start_date": from_text(task.get("start_date")),
        "end_date": from_text(task.get("end_date")),
        "queued_at": from_text(task.get("queued_when")),
        "custom_operator_name": shown if (shown := task.get("operator_name")) != task.get("operator") else None,  # v2
    }
    return tuple(values.get(column) for column in COLUMNS["task_instance"])
