"""Run history over REST: runs, task instances and their rendered fields. Earlier tries and XComs stay behind, and it is said how many.

The finished runs of some DAGs, sorted, are held in memory (not their task instances), and kept while the same window is asked
for: each call costs a web server of Airflow 2 the hash of a password, whatever it gives.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
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
from aerodrome.migration.sources.contract import ConfigRows, ShownConfig

RUNS_PER_BATCH = 50
"""How many runs' task instances are asked for at first; then as many as have about ROWS_PER_BATCH."""
ROWS_PER_BATCH, MOST_RUNS = BATCH, 500
AT_ONCE = 3
"""How many such questions are open at the same time."""
DAGS_PER_COUNT = 200
DAGS_AT_ONCE, RUNS_AT_ONCE = 20, 20_000
"""How many DAGs' runs are asked for together, and how many runs such DAGs may have; a DAG with more is asked for alone."""
MOST_KEPT = 16_000_000
"""How many characters of rendered fields are kept between the reading of task instances and their own turn."""
_TRIES = "tries before the last one: Airflow's REST API gives them one by one only"
_XCOMS = "XComs: Airflow's REST API gives their values one by one only"
_UNKNOWN_BEFORE = {  # states that a version does not know make it refuse the whole filter
    "restarting", "shutdown", "sensing", "awaiting_input",
}  # fmt: skip

FEW_CHANGES = 500
"""With more changes than this in the whole Airflow, they are asked for DAG by DAG."""
_RUN_ID = COLUMNS["run"].index("run_id")
_NO_CONFIG = frozenset({"", "{}", "None"})
_Found = dict[tuple[str, str, int], dict[str, Any]]


@dataclass
class _Seen:
    """Which runs of a DAG have task instances with more to them than a row of history."""

    configured: set[str] = field(default_factory=set)
    rendered: set[str] = field(default_factory=set)


class RestHistory:
    """Reads the history of one Airflow."""

    def __init__(self, reader: RestReader) -> None:
        self._reader = reader
        self._retried: dict[str, int] = {}  # task instances with earlier tries, by DAG, seen while streaming
        self._window: HistoryWindow | None = None
        self._runs_of: dict[str, list[tuple[Any, ...]]] = {}  # the rows of runs that move in that window, by DAG
        self._changed: dict[datetime, set[tuple[str, str]]] = {}
        self._seen: dict[HistoryWindow, _Seen] = {}  # by windows of one DAG whose task instances were read
        self._kept: dict[
            str, list[tuple[Any, ...]]
        ] = {}  # rendered fields of that window, by DAG, if all of a DAG's are kept
        self._kept_characters = 0

    def stream(self, kind: HistoryKind, window: HistoryWindow) -> Iterator[HistoryBatch]:
        """Give batches in the order of `window.dag_ids` and run_id; for what stays behind, a rejection for each DAG."""
        self._begin(window)
        if kind == "task_instance":
            yield from self._tasks(window.dag_ids, window)
            return
        for dag_id in window.dag_ids:
            if kind == "rendered":
                yield from self._rendered(dag_id, window)
            if kind == "run":
                yield from self._runs(dag_id, window)
            elif kind in ("task_try", "xcom"):
                count = self._retries(dag_id, window) if kind == "task_try" else self._xcoms(dag_id)
                if count != 0:
                    said = _TRIES if kind == "task_try" else _XCOMS
                    number = "" if count is None else f"{count} "
                    rejected = RejectedRow(dag_id, "not-over-rest", f"Left behind: {number}{said}.")
                    yield HistoryBatch(kind, COLUMNS[kind], (), (rejected,))

    def _begin(self, window: HistoryWindow) -> None:
        if self._window is not window:
            self._window, self._runs_of, self._changed = window, {}, {}
            self._kept, self._kept_characters = {}, 0

    def counts(self, window: HistoryWindow) -> dict[HistoryKind, int]:
        """Count what stands in the source: an upper bound of what `stream` gives, two calls per 200 DAGs. Rendered fields are not counted."""
        found: dict[HistoryKind, int] = {kind: 0 for kind in COLUMNS if kind != "rendered"}
        for page in pages(window.dag_ids, DAGS_PER_COUNT):
            dag_ids = list(page)
            found["run"] += self._reader.total("/dags/~/dagRuns/list", dag_ids=dag_ids, states=list(FINAL_RUN_STATES))
            found["task_instance"] += self._reader.total("/dags/~/dagRuns/~/taskInstances/list", dag_ids=dag_ids)
        return found

    def watermark(self) -> datetime:
        """Give the source's own time; what changes from now on has a later moment of change."""
        return parsedate_to_datetime(self._reader.clock())

    def _eligible(self, dag_id: str, window: HistoryWindow) -> list[tuple[Any, ...]]:
        """Give the rows of the runs that are final, with nothing in them that could still move, by run_id."""
        if dag_id not in self._runs_of:
            place = window.dag_ids.index(dag_id)
            self._runs_of = self._runs_together(window.dag_ids[place : place + DAGS_AT_ONCE], window)
        return self._runs_of[dag_id]

    def _runs_together(self, dag_ids: Sequence[str], window: HistoryWindow) -> dict[str, list[tuple[Any, ...]]]:
        """Ask for the runs of some DAGs, or of the first of them where they have too many."""
        wish: dict[str, Any] = {"states": list(FINAL_RUN_STATES), "order_by": "id"}
        runs: dict[tuple[str, str], dict[str, Any]] = {}
        for page, total in self._reader.batches("/dags/~/dagRuns/list", "dag_runs", dag_ids=list(dag_ids), **wish):
            if total > RUNS_AT_ONCE and len(dag_ids) > 1:
                return self._runs_together(dag_ids[: len(dag_ids) // 2], window)
            runs |= {(run["dag_id"], run["dag_run_id"]): run for run in page}
        held = {(task["dag_id"], task["dag_run_id"]) for task in self.unfinished(dag_ids)}
        changed = None if window.since is None else self._changed_after(dag_ids, window.since)
        if window.until is not None:
            held |= self._changed_after(dag_ids, window.until)
        found: dict[str, list[tuple[Any, ...]]] = {dag_id: [] for dag_id in dag_ids}
        for key in sorted(runs):
            if key not in held and (changed is None or key in changed):
                found[key[0]].append(_run(runs[key]))
        return found

    def unfinished(self, dag_ids: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Give the task instances that may still move."""
        states = [state for state in UNFINISHED_TASK_STATES if state not in _UNKNOWN_BEFORE]
        yield from self._reader.batch(
            "/dags/~/dagRuns/~/taskInstances/list", "task_instances", dag_ids=list(dag_ids), state=states
        )

    def _changed_after(self, dag_ids: Sequence[str], moment: datetime) -> set[tuple[str, str]]:
        """Give the runs that were written, or of which a task instance was, after the moment; those of other DAGs may be among them.

        Several DAGs are asked for as all together, where not much changed: once for a window.
        """
        if moment in self._changed:
            return self._changed[moment]
        lists = (("dagRuns", "dag_runs"), ("dagRuns/~/taskInstances", "task_instances"))
        after = to_text(moment)
        if len(dag_ids) > 1:
            totals = [self._reader.get(f"/dags/~/{path}", updated_at_gte=after, limit=1) for path, _key in lists]
            if sum(int(answer["total_entries"]) for answer in totals) > FEW_CHANGES:
                return {run for dag_id in dag_ids for run in self._changed_after([dag_id], moment)}
        name = quoted(dag_ids[0])
        is_all = len(dag_ids) > 1 or not self._reader.fits(f"/dags/{name}/dagRuns/~/taskInstances")
        changed = {
            (each["dag_id"], each["dag_run_id"])
            for path, key in lists
            for each in self._reader.pages(f"/dags/{'~' if is_all else name}/{path}", key, updated_at_gte=after)
        }
        if is_all:
            self._changed[moment] = changed
        return changed

    def _runs(self, dag_id: str, window: HistoryWindow) -> Iterator[HistoryBatch]:
        runs = self._eligible(dag_id, window)
        if runs:
            yield HistoryBatch("run", COLUMNS["run"], runs)

    def _tasks(self, dag_ids: Sequence[str], window: HistoryWindow) -> Iterator[HistoryBatch]:
        """Give the task instances of the eligible runs, asked for several at a time and given in order."""
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="rest-history") as beside:
            coming: deque[tuple[str, Future[_Found]]] = deque()
            asked = RUNS_PER_BATCH
            seen = {dag_id: _Seen() for dag_id in dag_ids}
            for dag_id in dag_ids:
                self._kept[dag_id] = []
                self._seen.pop(replace(window, dag_ids=(dag_id,)), None)  # known again when all of it was read
            for dag_id in dag_ids:
                self._retried[dag_id] = 0
                run_ids = [row[_RUN_ID] for row in self._eligible(dag_id, window)]
                start = 0
                while start < len(run_ids):
                    page = run_ids[start : start + asked]
                    start += len(page)
                    coming.append((dag_id, beside.submit(self._tasks_of, dag_id, page)))
                    while len(coming) > AT_ONCE:
                        batch = self._received(*coming.popleft(), seen)
                        runs = len({row[1] for row in batch.rows})
                        asked = (
                            max(1, min(MOST_RUNS, ROWS_PER_BATCH * runs // max(1, len(batch.rows)))) if runs else asked
                        )
                        yield batch
            while coming:
                yield self._received(*coming.popleft(), seen)
        self._seen |= {replace(window, dag_ids=(dag_id,)): seen[dag_id] for dag_id in dag_ids}

    def _received(self, dag_id: str, coming: Future[_Found], seen: Mapping[str, _Seen]) -> HistoryBatch:
        found = coming.result()
        for (run_id, *_), task in found.items():
            if _config(task) not in _NO_CONFIG:
                seen[dag_id].configured.add(run_id)
        rendered = _rendered_rows(dag_id, found)
        seen[dag_id].rendered.update(row[1] for row in rendered)
        self._kept_characters += sum(len(row[4]) for row in rendered)
        if self._kept_characters > MOST_KEPT:
            self._kept.pop(dag_id, None)  # they are asked for again
        elif dag_id in self._kept:
            self._kept[dag_id] += rendered
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

    def _rendered(self, dag_id: str, window: HistoryWindow) -> Iterator[HistoryBatch]:
        """Give the rendered fields of a DAG: those kept when its task instances were read, or asked for again. Airflow has those of the newest runs.

        A pod of Kubernetes beside them is not shown (task_instance_schema.py, 2.11.2; datamodels/task_instances.py, 3.3.2).
        """
        seen = self._seen.get(replace(window, dag_ids=(dag_id,)))
        if seen is not None and dag_id in self._kept:
            for rows in pages(self._kept[dag_id], ROWS_PER_BATCH):
                yield HistoryBatch("rendered", COLUMNS["rendered"], rows)
            return
        for page in pages(self._run_ids(dag_id, window, None if seen is None else seen.rendered), RUNS_PER_BATCH):
            if rendered := _rendered_rows(dag_id, self._tasks_of(dag_id, list(page))):
                yield HistoryBatch("rendered", COLUMNS["rendered"], rendered)

    def _run_ids(self, dag_id: str, window: HistoryWindow, among: Collection[str] | None) -> list[str]:
        """Give the runs that move, of these only."""
        if among is not None and not among:
            return []
        return [row[_RUN_ID] for row in self._eligible(dag_id, window) if among is None or row[_RUN_ID] in among]

    def executor_configs(self, window: HistoryWindow) -> Iterator[ConfigRows]:
        """Give what is shown of the `executor_config` of task instances. Runs that were seen to have none are not read again."""
        self._begin(window)
        for dag_id in window.dag_ids:
            seen = self._seen.get(replace(window, dag_ids=(dag_id,)))
            yield from self._configs_of(
                dag_id, self._run_ids(dag_id, window, None if seen is None else seen.configured)
            )

    def _configs_of(self, dag_id: str, run_ids: Sequence[str]) -> Iterator[ConfigRows]:
        for page in pages(run_ids, RUNS_PER_BATCH):
            found = self._tasks_of(dag_id, list(page))
            rows: ConfigRows = [
                ((dag_id, *key), ShownConfig(shown))
                for key in sorted(found)
                if (shown := _config(found[key])) not in _NO_CONFIG
            ]
            if rows:
                yield rows

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


def _config(task: Mapping[str, Any]) -> str:
    """Give the text of an `executor_config`: `str` of the object in both versions (task_instance_schema.py, 2.11.2; task_instances.py, 3.3.2)."""
    shown = task.get("executor_config")
    return shown if isinstance(shown, str) else str(shown)


def _rendered_rows(dag_id: str, found: _Found) -> list[tuple[Any, ...]]:
    return [
        (dag_id, *key, json.dumps(fields, ensure_ascii=False), None)
        for key in sorted(found)
        if (fields := found[key].get("rendered_fields"))
    ]


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
