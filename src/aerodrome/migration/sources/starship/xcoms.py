"""XComs over Starship: a call for each task instance, some at a time, given in order.

`GET xcom` (2.10.1, Airflow 2.8 to 2.11) gives what Airflow shows of a value, serialized anew: an object of Python that is no plain
data comes as a text ("(1,2)" for a tuple, "datetime.datetime@version=2(…)"), which nobody can tell from a text that looks so. Such
values are refused. What it answers with stays in objects of its session; saving the login's session then fails once (flask-session notes it), and nothing is
written: no driver of Airflow 2 takes a text for bytes. It tells no moment: the stable REST API does, where it answers; else it is the end of the task instance.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any, TypeVar

from aerodrome.kernel.clock import from_text
from aerodrome.kernel.errors import AerodromeError, Broken
from aerodrome.migration.estate.history import COLUMNS, HistoryBatch, RejectedRow
from aerodrome.migration.sources.airflow_db.conversion import convert_xcom
from aerodrome.migration.sources.airflow_rest.client import PAGE, quoted
from aerodrome.migration.sources.starship.client import ITEMS_AT_ONCE, StarshipReader, TaskKey

WAITING = 4 * ITEMS_AT_ONCE
ROWS_PER_BATCH, CHARACTERS_PER_BATCH = 1_000, 4_000_000
MOST_LISTED = 200_000
"""XComs of a DAG whose names and moments are held in memory; of a DAG with more, each task instance is asked."""
PASSES = 3
CLOCKS_APART = timedelta(minutes=10)
"""The moments of task instances are those of workers; `since` is one of the web server."""
_SHOWN = re.compile(r"\(.*\)|[^\s(]+@version=-?\d+\(.*\)", re.DOTALL)
_VALUE = COLUMNS["xcom"].index("value")
Row = Mapping[str, Any]
Item = TypeVar("Item")
Result = TypeVar("Result")
_Stamps = dict[tuple[datetime | None, str, int], dict[str, datetime | None]]
_Given = tuple[list[tuple[Any, ...]], list[RejectedRow]]


class StarshipXComs:
    """Reads the XComs of one Airflow."""

    def __init__(self, reader: StarshipReader) -> None:
        self._reader = reader

    def batches(
        self, runs: Mapping[str, Row], pages: Iterable[Sequence[Row]], *, is_whole: bool = True
    ) -> Iterator[HistoryBatch]:
        """Give the XComs of a DAG's task instances, which come page by page with those of a run together and in order.

        `is_whole`: they are those of most runs of the DAG, so that a list of all its XComs is worth its pages.
        """
        rows: list[tuple[Any, ...]] = []
        rejected: list[RejectedRow] = []
        length = 0
        with ThreadPoolExecutor(ITEMS_AT_ONCE, thread_name_prefix="starship-xcoms") as pool:
            for given, refused in _in_order(pool, lambda each: self._of(*each), self._asked(runs, pages, is_whole)):
                rows += given
                rejected += refused
                length += sum(len(row[_VALUE] or "") for row in given)
                if len(rows) + len(rejected) >= ROWS_PER_BATCH or length >= CHARACTERS_PER_BATCH:
                    yield HistoryBatch("xcom", COLUMNS["xcom"], rows, rejected)
                    rows, rejected, length = [], [], 0
        if rows or rejected:
            yield HistoryBatch("xcom", COLUMNS["xcom"], rows, rejected)

    def _asked(
        self, runs: Mapping[str, Row], pages: Iterable[Sequence[Row]], is_whole: bool
    ) -> Iterator[tuple[TaskKey, Mapping[str, datetime | None], datetime | None]]:
        """Give the task instances to be asked for: all of them, or those of which the REST API says that they have some."""
        known: _Stamps | None = None
        listed = ""
        for page in pages:
            for task in page:
                wanted = "~" if is_whole else task["run_id"]
                if wanted != listed:
                    listed, known = wanted, self._stamps(task["dag_id"], wanted)
                run = runs[task["run_id"]]
                key = TaskKey(task["dag_id"], task["run_id"], task["task_id"], task["map_index"])
                stamps = {} if known is None else known.get((from_text(run.get("execution_date")), *key[2:]))
                if stamps is not None:
                    yield key, stamps, from_text(task.get("end_date")) or _ended(run)

    def _stamps(self, dag_id: str, run_id: str) -> _Stamps | None:
        """Give the keys and moments of the XComs of a run (~: of all) by task instance; None where REST does not tell, or of too many."""
        path = f"/dags/{quoted(dag_id)}/dagRuns/{quoted(run_id)}/taskInstances/~/xcomEntries"
        if not self._reader.has_rest or not self._reader.fits(path):
            return None
        try:
            if self._reader.get(path, limit=1)["total_entries"] > MOST_LISTED:
                return None
            entries = next(filter(lambda found: found is not None, (self._listed(path) for _ in range(PASSES))), None)
        except AerodromeError:  # one value that cannot be shown makes a whole page fail
            return None
        found: _Stamps = {}
        for entry in entries or ():
            if "map_index" not in entry:  # before Airflow 2.9
                return None
            place = (from_text(entry["execution_date"]), entry["task_id"], entry["map_index"])
            found.setdefault(place, {})[entry["key"]] = from_text(entry["timestamp"])
        return None if entries is None else found

    def _listed(self, path: str) -> list[dict[str, Any]] | None:
        """Give a list whole; None when it shifted between two pages, each of which begins with the last entry of the one before."""
        found: list[dict[str, Any]] = []
        while True:
            answer = self._reader.get(path, limit=PAGE, offset=max(0, len(found) - 1))
            page = answer["xcom_entries"]
            if found and page[:1] != found[-1:]:
                return None
            found += page[1:] if found else page
            if len(found) >= answer["total_entries"]:
                return found
            if len(page) < 2:
                return None

    def _of(self, key: TaskKey, stamps: Mapping[str, datetime | None], ended: datetime | None) -> _Given:
        rows: list[tuple[Any, ...]] = []
        rejected: list[RejectedRow] = []
        try:
            entries = self._reader.xcoms(key)
        except Broken as error:
            return [], [RejectedRow(key.label, "not-over-starship", f"Its XComs stay behind: {error.message}")]
        for entry in sorted(entries, key=lambda each: str(each["key"])):
            name = entry["key"]
            read: list[tuple[Any, ...]] = []
            convert_xcom((*key, name, b64decode(entry["value"]), stamps.get(name) or ended), read, rejected)
            for row in read:
                if is_text_of_an_object(row[_VALUE]):
                    message = (
                        "The value holds a text as Airflow shows an object of Python; Starship gives no object itself."
                    )
                    rejected.append(RejectedRow(f"{key.label}/{name}", "not-over-starship", message))
                else:
                    rows.append(row)
        return rows, rejected


def touched(runs: Mapping[str, Row], tasks: Sequence[dict[str, Any]], since: datetime | None) -> list[dict[str, Any]]:
    """Give the task instances of a page that belong to a run in which something happened after the moment."""
    if since is None:
        return list(tasks)
    limit = since - CLOCKS_APART
    moved = {run_id for run_id, run in runs.items() if (ended := _ended(run)) is None or ended >= limit}
    for task in tasks:
        told = (from_text(task.get(name)) for name in ("start_date", "end_date"))
        if any(each >= limit for each in told if each is not None):
            moved.add(task["run_id"])
    return [task for task in tasks if task["run_id"] in moved]


def is_text_of_an_object(text: str | None) -> bool:
    """Tell whether a text somewhere in a JSON value looks like one that Airflow shows for an object (serde.py, builtin.py, 2.11.2)."""
    waiting = [] if text is None else [json.loads(text)]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str) and _SHOWN.fullmatch(value):
            return True
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    return False


def _ended(run: Row) -> datetime | None:
    moments = (from_text(run.get(name)) for name in ("end_date", "last_scheduling_decision"))
    return max((each for each in moments if each is not None), default=None)


def _in_order(pool: ThreadPoolExecutor, act: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Give the results in the order of the items, a few of them on their way."""
    coming: deque[Future[Result]] = deque()
    for item in items:
        coming.append(pool.submit(act, item))
        if len(coming) > WAITING:
            yield coming.popleft().result()
    while coming:
        yield coming.popleft().result()
