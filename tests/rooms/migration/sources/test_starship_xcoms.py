"""Which task instances are asked for their XComs, where the REST API lists those that have some.

If this breaks while the source works on, a list that shifts between two pages hides an XCom, and nobody is told.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from aerodrome.kernel.secret import Secret
from aerodrome.migration.sources.starship.client import StarshipReader
from aerodrome.migration.sources.starship.xcoms import StarshipXComs, is_text_of_an_object

DAY = datetime(2026, 1, 1, tzinfo=UTC)
RUNS: dict[str, dict[str, Any]] = {
    f"run_{number:03}": {"execution_date": str(DAY + timedelta(days=number)), "end_date": None} for number in range(250)
}
TASKS = [
    {"dag_id": "daily", "run_id": run_id, "task_id": task_id, "map_index": -1, "end_date": "2026-02-02 00:00:00+00:00"}
    for run_id in RUNS
    for task_id in ("load", "quiet")
]


def entries() -> list[dict[str, Any]]:
    return [
        {"task_id": "load", "map_index": -1, "key": "return_value"}
        | {"execution_date": datetime.fromisoformat(run["execution_date"]).isoformat(), "timestamp": f"2026-03-01T00:00:{n % 60:02}Z"}
        for n, run in enumerate(RUNS.values())
    ]  # fmt: skip


class Source:
    """An Airflow whose list of XComs changes as the test says."""

    def __init__(self, change: Callable[[int, list[dict[str, Any]]], None]) -> None:
        self.listed, self.change = entries(), change
        self.pages = 0
        self.asked: list[str] = []

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        given = dict(request.url.params)
        if request.url.path == "/api/starship/xcom":
            self.asked.append(given["task_id"])
            value = {"key": "return_value", "value": b64encode(b"1").decode()}
            return httpx2.Response(200, json=[value] if given["task_id"] == "load" else [])
        if re.search("xcomEntries$", request.url.path):
            limit, offset = int(given["limit"]), int(given.get("offset", 0))
            page = {"xcom_entries": self.listed[offset : offset + limit], "total_entries": len(self.listed)}
            if limit > 1:
                self.pages += 1
                self.change(self.pages, self.listed)
            return httpx2.Response(200, json=page)
        known = {"/api/v2/version": 404, "/api/v1/version": 200, "/api/v1/dags": 200}
        return httpx2.Response(known[request.url.path], json={"version": "2.11.2", "dags": [], "total_entries": 0})

    def read(self) -> list[tuple[Any, ...]]:
        reader = StarshipReader(
            "http://x", "", Secret(""), Secret("t"), transport=httpx2.MockTransport(self.answer), sleep=lambda _s: None
        )
        return [row for batch in StarshipXComs(reader).batches(RUNS, [TASKS]) for row in batch.rows]


def test_only_those_that_have_some_are_asked() -> None:
    source = Source(lambda _page, _listed: None)
    rows = source.read()
    assert len(rows) == 250
    assert set(source.asked) == {"load"}
    assert {row[-1] for row in rows} == {datetime(2026, 3, 1, 0, 0, second, tzinfo=UTC) for second in range(60)}


def drop_once(page: int, listed: list[dict[str, Any]]) -> None:
    if page == 1:
        del listed[3]


def drop_always(_page: int, listed: list[dict[str, Any]]) -> None:
    del listed[3]


def add_once(page: int, listed: list[dict[str, Any]]) -> None:
    if page == 1:
        listed.insert(3, listed[3] | {"key": "more"})


@pytest.mark.parametrize(("change", "is_listed"), [(drop_once, True), (add_once, True), (drop_always, False)])
def test_a_list_that_shifts_hides_nothing(
    change: Callable[[int, list[dict[str, Any]]], None], *, is_listed: bool
) -> None:
    """It is read again, and where it never stands still everything is asked for."""
    source = Source(change)
    rows = source.read()
    assert {row[1] for row in rows} >= set(RUNS) - {"run_003"}  # that one may be gone in the source, too
    assert ("quiet" in source.asked) is not is_listed
    if not is_listed:
        assert len(rows) == 250


@pytest.mark.parametrize(
    ("text", "is_shown"),
    [
        ('"(1,2)"', True), ('{"a": [{"b": "datetime.datetime@version=2(timestamp=1.0,\\ntz=UTC)"}]}', True), ('"()"', True),
        ('"x (1)"', False), ('{"(a)": 1}', False), ("null", False), ('["a@version=1"]', False), ("12.5", False),
    ],
)  # fmt: skip
def test_texts_of_objects_are_told(text: str, *, is_shown: bool) -> None:
    assert is_text_of_an_object(text) is is_shown
