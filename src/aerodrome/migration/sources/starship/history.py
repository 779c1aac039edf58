"""Run history over Starship: runs, task instances, their earlier tries and XComs, a DAG at a time.

Its routes know neither a filter nor a stable order (newest start first; ties and starts meanwhile shift the pages). So pages
overlap, rows are recognised by their key, and the number of runs is held against what Starship counts. Runs of a DAG are
held in memory, and of its task instances one page.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from aerodrome.kernel.clock import from_text
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
from aerodrome.migration.sources.starship.client import StarshipReader
from aerodrome.migration.sources.starship.xcoms import StarshipXComs, touched

RUNS_PER_PAGE, OVERLAP = 1000, 50
ROWS_PER_PAGE = 10_000
"""How many task instances a page should have; pages count runs, so the first one is small."""
FIRST_RUNS = 100
PASSES = 3
Row = dict[str, Any]
_KEY = ("run_id", "task_id", "map_index")


class StarshipHistory:
    """Reads the history of one Airflow."""

    def __init__(self, reader: StarshipReader, no_xcoms: Callable[[], str] = lambda: "") -> None:
        """Take what tells why XComs are not asked for, an empty text where they are."""
        self._reader = reader
        self._no_xcoms = no_xcoms
        self._xcoms = StarshipXComs(reader)

    def runs(self, dag_id: str) -> dict[str, Row]:
        """Give all runs of a DAG by run_id. Broken `source-unsteady` when they come differently each time."""
        found: dict[str, Row] = {}
        for _ in range(PASSES):
            wanted = 0
            for run in self._reader.everything("dag_runs", dag_id, "dag_runs", RUNS_PER_PAGE, OVERLAP):
                found[run["run_id"]] = run
            wanted = self._reader.starship("dag_runs", dag_id=dag_id, limit=1)["dag_run_count"]
            if len(found) >= wanted:
                return found
        raise Broken(
            f"Starship gives the runs of {dag_id} differently each time.",
            code="source-unsteady",
            hint="Pause the DAG and try again, or read its database or an archive (`aerodrome export`).",
        )

    def began(self, dag_id: str, since: datetime) -> int:
        """Count the runs of a DAG that began since a moment: the newest start comes first, so most DAGs cost one question."""
        found = set()
        for run in self._reader.everything("dag_runs", dag_id, "dag_runs", RUNS_PER_PAGE, OVERLAP):
            at = from_text(run.get("start_date"))
            if at is not None and at < since:
                break
            if at is not None:
                found.add(run["run_id"])
        return len(found)

    def tasks(self, dag_id: str, runs: Mapping[str, Row], route: str = "task_instances") -> Iterator[list[Row]]:
        """Give the task instances of a DAG (or their earlier tries), a page at a time, each once, `run_id` filled in."""
        by_date = {run.get("execution_date"): run_id for run_id, run in runs.items()}
        offset, limit, before = 0, FIRST_RUNS, set[tuple[Any, ...]]()
        while True:
            answer = self._reader.starship(route, dag_id=dag_id, limit=limit, offset=offset)
            page: dict[tuple[Any, ...], Row] = {}
            for row in answer["task_instances"]:
                if "run_id" not in row:  # before Airflow 2.2
                    row["run_id"] = by_date.get(row.get("execution_date"))
                row.setdefault("map_index", -1)
                page[(*(row[name] for name in _KEY), row["try_number"])] = row
            yield [row for key, row in page.items() if key not in before]
            if offset + limit >= answer["dag_run_count"]:
                return
            before = set(page)  # pages overlap with the one before only
            offset += limit - min(OVERLAP, limit // 2)
            limit = max(
                FIRST_RUNS // 10, min(RUNS_PER_PAGE, limit * ROWS_PER_PAGE // max(len(page), ROWS_PER_PAGE // 10))
            )

    def eligible(self, dag_id: str, window: HistoryWindow) -> dict[str, Row]:
        """Give the runs that are final, with nothing in them that could still move, by run_id.

        `since` is left out of account: Starship tells no moment of change. What moved before is recognised in the target.
        """
        runs = self.runs(dag_id)
        until = window.until
        out = {
            run_id
            for run_id, run in runs.items()
            if run["state"] not in FINAL_RUN_STATES or _is_after(run, until, "last_scheduling_decision")
        }
        if len(out) < len(runs):
            for page in self.tasks(dag_id, runs):
                out |= {
                    row["run_id"] for row in page if row["state"] in UNFINISHED_TASK_STATES or _is_after(row, until, "")
                }
        return {run_id: run for run_id, run in runs.items() if run_id not in out}

    def stream(self, kind: HistoryKind, window: HistoryWindow) -> Iterator[HistoryBatch]:
        """Give batches in the order of `window.dag_ids`; where XComs cannot be had, a rejection for each DAG that has runs."""
        if kind == "rendered":
            return  # no route gives them; the probes say so
        for dag_id in window.dag_ids:
            if kind == "xcom" and (reason := self._no_xcoms()):
                if self._count(dag_id):
                    rejected = RejectedRow(dag_id, "not-over-starship", f"XComs stay behind: {reason}.")
                    yield HistoryBatch(kind, COLUMNS[kind], (), (rejected,))
                continue
            runs = self.eligible(dag_id, window)
            if not runs:
                continue
            if kind == "xcom":
                pages = self._with_xcoms(dag_id, runs, window)
                yield from self._xcoms.batches(runs, pages, is_whole=window.since is None)
                continue
            if kind == "run":
                yield HistoryBatch(kind, COLUMNS[kind], [_run(runs[run_id]) for run_id in sorted(runs)])
                continue
            route = "task_instances" if kind == "task_instance" else "task_instance_history"
            for page in self.tasks(dag_id, runs, route):
                rows = sorted((row for row in page if row["run_id"] in runs), key=_order)
                if rows:
                    yield HistoryBatch(kind, COLUMNS[kind], [_task(row, COLUMNS[kind]) for row in rows])

    def _with_xcoms(self, dag_id: str, runs: Mapping[str, Row], window: HistoryWindow) -> Iterator[list[Row]]:
        """Give the task instances to be asked for their XComs, run by run: of a top-up, those of runs that moved on since."""
        for page in self.tasks(dag_id, runs):
            of_runs = [row for row in page if row["run_id"] in runs]
            yield sorted(touched(runs, of_runs, window.since), key=_order)

    def counts(self, window: HistoryWindow) -> dict[HistoryKind, int]:
        """Count the runs; Starship counts nothing else (the probes say so)."""
        counted = {dag["dag_id"]: dag["dag_run_count"] for dag in self._reader.starship("dags")}
        return {"run": sum(counted.get(dag_id, 0) for dag_id in window.dag_ids)}

    def watermark(self) -> datetime:
        """Give the source's own time, as its Date header says it."""
        return parsedate_to_datetime(self._reader.clock())

    def _count(self, dag_id: str) -> int:
        return int(self._reader.starship("dag_runs", dag_id=dag_id, limit=1)["dag_run_count"])


def _is_after(row: Row, moment: datetime | None, more: str) -> bool:
    """Tell whether something is known to have happened to the row after the moment."""
    if moment is None:
        return False
    told = (from_text(row.get(name)) for name in ("start_date", "end_date", more) if name)
    return any(each > moment for each in told if each is not None)


def _order(row: Row) -> tuple[str, str, int, int]:
    return row["run_id"], row["task_id"], row["map_index"], row["try_number"] or 0


def _run(run: Row) -> tuple[Any, ...]:
    logical = from_text(run.get("logical_date", run.get("execution_date")))
    interval_end = from_text(run.get("data_interval_end"))
    values = {
        **run,
        "logical_date": logical,
        "data_interval_start": from_text(run.get("data_interval_start")),
        "data_interval_end": interval_end,
        "run_after": from_text(run.get("run_after")) or interval_end or logical,
        "queued_at": from_text(run.get("queued_at")),
        "start_date": from_text(run.get("start_date")),
        "end_date": from_text(run.get("end_date")),
        "conf": None if run.get("conf") is None else json.dumps(run["conf"], ensure_ascii=False),
        "is_external_trigger": bool(run.get("external_trigger", run["run_type"] != "scheduled")),
        "clear_number": run.get("clear_number") or 0,
        "note": None,
    }
    return tuple(values.get(column) for column in COLUMNS["run"])


def _task(row: Row, columns: tuple[str, ...]) -> tuple[Any, ...]:
    values = {
        **row,
        "start_date": from_text(row.get("start_date")),
        "end_date": from_text(row.get("end_date")),
        "queued_at": from_text(row.get("queued_dttm")),
        "note": None,
    }
    return tuple(values.get(column) for column in columns)
