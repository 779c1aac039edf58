"""Airflow 2.11 takes history by the fast lanes, too. If these break, it holds other rows than the careful way writes.

Airflow 2.11.2 moves into itself by default; AERODROME_MATRIX=1 (`make test-matrix`) adds older ones, on MySQL too, and 2.10.5 as the target.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import text
from tests.matrix import wide
from tests.rooms.migration.aged import Aged, copied
from tests.rooms.migration.transfer import test_sql_lane, test_text_lane
from tests.rooms.migration.transfer.conftest import EACH_AIRFLOW2, add_dags_to2
from tests.rooms.migration.transfer.test_bulk import counts, odd_source
from tests.rooms.migration.transfer.test_sql_lane import DAG_IDS, BySql, with_oddities
from tests.rooms.migration.transfer.test_text_lane import ByText

from aerodrome.kernel.clock import SystemClock
from aerodrome.kernel.secret import Secret
from aerodrome.migration.estate.history import HISTORY_KINDS
from aerodrome.migration.sources.registry import open_source
from aerodrome.migration.transfer import FileCheckpoint, TargetDatabase, batches, history, move_history
from aerodrome.migration.transfer.difference import compare_history
from aerodrome.migration.transfer.sql_lane import sql_lane
from aerodrome.runtimes.contract import AirflowAccess

pytestmark = [pytest.mark.airflow, EACH_AIRFLOW2]
CASES = [
    ("2.11.2", "postgresql"),
    ("2.11.2", "sqlite"),
    *wide(
        ("1.10.15", "postgresql"), ("2.3.4", "postgresql"), ("2.7.3", "postgresql"), ("1.10.15", "sqlite"),
        ("2.3.4", "sqlite"), ("2.3.4", "mysql"), ("2.7.3", "mysql"), ("2.11.2", "mysql"),
    ),
]  # fmt: skip

QUERIES = {
    "dag_run": "select dag_id, run_id, to_jsonb(t) - 'id' from dag_run t",
    "task_instance": "select dag_id, run_id, task_id, map_index, to_jsonb(t) from task_instance t",
    "task_instance_history": "select dag_id, run_id, task_id, map_index, try_number, to_jsonb(t) - 'id' from task_instance_history t",
    "xcom": "select dag_id, run_id, task_id, map_index, key, to_jsonb(t) - 'dag_run_id' from xcom t",
    "rendered_task_instance_fields": "select to_jsonb(t) from rendered_task_instance_fields t",
    "dag_run_note": "select r.dag_id, r.run_id, to_jsonb(t) - 'dag_run_id' from dag_run_note t "
    "join dag_run r on r.id = t.dag_run_id",
    "task_instance_note": "select to_jsonb(t) from task_instance_note t",
}  # fmt: skip


def content(target: TargetDatabase) -> dict[str, list[str]]:
    with target.reading() as connection:
        return {
            table: sorted(json.dumps(list(row), sort_keys=True) for row in connection.execute(text(query)))
            for table, query in QUERIES.items()
        }


@pytest.fixture
def open_target(
    request: pytest.FixtureRequest, airflow2_version: str, fernet_key: str
) -> Iterator[Callable[..., TargetDatabase]]:
    """Give targets on PostgreSQL as a real Airflow 2 made them."""
    server = request.getfixturevalue("postgres_server")
    template = request.getfixturevalue("_postgres_target2")
    opened: list[tuple[str, TargetDatabase]] = []

    def make(*dag_ids: str) -> TargetDatabase:
        name = f"t_{os.urandom(8).hex()}"
        url = server.create_database(name, template=template)
        target = TargetDatabase(
            AirflowAccess("http://127.0.0.1:1", airflow2_version, url, Secret(fernet_key), Secret("unused"))
        )
        add_dags_to2(target, *(dag_ids or DAG_IDS))
        opened.append((name, target))
        return target

    yield make
    for name, target in opened:
        target.close()
        server.drop_database(name)


@pytest.fixture(params=CASES, ids="-".join, scope="module")
def old(request: pytest.FixtureRequest, aged: Callable[..., Aged]) -> Aged:
    made = aged(*request.param)
    if request.param[1] == "postgresql":
        made = copied(made)
        with_oddities(made)
    return made


@pytest.fixture
def source(old: Aged) -> Iterator[Any]:
    opened = open_source(old.config, b"fingerprints", SystemClock())
    yield opened
    opened.close()


def test_both_ways_write_identical_rows(
    old: Aged, source: Any, open_target: Callable[..., TargetDatabase], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By SQL, text or whole batches, and row by row; a second time all is there."""
    fast, slow = open_target(), open_target()
    is_sql = old.url.startswith("postgresql")
    watched: Any = BySql(source) if is_sql else ByText(source)
    first, again = move_history(watched, fast, DAG_IDS), move_history(source, fast, DAG_IDS)
    monkeypatch.setattr(batches, "bulk_writer", lambda *_: None)
    by_rows: Any = test_sql_lane.ByRows(source) if is_sql else test_text_lane.ByRows(source)
    second = move_history(by_rows, slow, DAG_IDS)

    there, here = content(fast), content(slow)
    for table in QUERIES:
        assert there[table] == here[table], table
    assert there["task_instance"]
    assert there["dag_run_note"] or not is_sql or old.version < "2.7"
    assert first.is_proven
    assert again.is_proven
    assert second.is_proven
    assert counts(first) == counts(second)
    assert [item.moved for item in again.kinds] == [0] * 5
    assert [item.target_hash for item in again.kinds] == [item.target_hash for item in first.kinds]
    if is_sql:
        assert not [key for kind, key in watched.read if kind == "task_instance"], (
            "a task instance passed through Python"
        )
    elif not old.version.startswith("1."):
        assert "task_instance" not in watched.read, "a task instance was made an object"


def test_whole_batches_and_single_rows_are_the_same(
    open_target: Callable[..., TargetDatabase], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever stands in a text, a number or a document."""
    whole, single = open_target("daily"), open_target("daily")
    first, again = move_history(odd_source(), whole, ["daily"]), move_history(odd_source(), whole, ["daily"])
    monkeypatch.setattr(batches, "bulk_writer", lambda *_: None)
    second = move_history(odd_source(), single, ["daily"])
    there, here = content(whole), content(single)
    for table in QUERIES:
        assert there[table] == here[table], table
    assert counts(first) == counts(second)
    assert [item.moved for item in again.kinds] == [0] * 5
    assert all(outcome.is_proven for outcome in (first, again, second))


def test_what_differs_is_found_and_mended(source: Any, open_target: Callable[..., TargetDatabase]) -> None:
    target = open_target()
    move_history(source, target, DAG_IDS)
    before = content(target)
    with target.writing() as connection:
        connection.execute(text("update task_instance set queue = 'other' where dag_id = 'daily_orders'"))
        connection.execute(text("delete from task_instance where dag_id = 'six_hourly'"))
        connection.execute(text("update dag_run set conf = '\\x80047d942e' where dag_id = 'by_hand'"))
    found = dict(compare_history(source, target, DAG_IDS))
    assert found["daily_orders"]["task_instance"].different
    assert found["six_hourly"]["task_instance"].missing
    assert found["by_hand"]["run"].different == 1
    assert move_history(source, target, DAG_IDS).is_proven
    assert content(target) == before


def test_a_transfer_that_ended_anywhere_goes_on(
    source: Any, open_target: Callable[..., TargetDatabase], tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chunks of two runs, groups of one DAG; every save of the checkpoint is a place to die at."""
    monkeypatch.setattr(history, "RUNS_PER_CHUNK", 2)
    monkeypatch.setattr(history, "DAGS_PER_GROUP", 1)
    whole, target = open_target(), open_target()
    expected = move_history(source, whole, DAG_IDS)

    class Dying(FileCheckpoint):
        saves = 0

        def save(self, state: dict[str, Any]) -> None:
            super().save(state)
            self.saves += 1
            if self.saves % 2 == 0:
                raise KeyboardInterrupt

    checkpoint = Dying(tmp_path / "checkpoint.json")
    outcome = None
    while outcome is None:
        try:
            outcome = move_history(source, target, DAG_IDS, checkpoint=checkpoint)
        except KeyboardInterrupt:
            assert checkpoint.saves < 200
    assert content(target) == content(whole)
    assert outcome.is_proven
    for kind in HISTORY_KINDS:
        found, wanted = outcome.of(kind), expected.of(kind)
        assert (found.found, found.moved + found.same) == (wanted.found, wanted.moved)
        assert found.target_hash == wanted.target_hash


def test_only_what_changed_since_is_moved(old: Aged, source: Any, open_target: Callable[..., TargetDatabase]) -> None:
    """A top-up after a whole transfer finds nothing to move, and looks at no run that did not change."""
    target = open_target()
    whole = move_history(source, target, DAG_IDS)
    assert whole.until is not None
    more = move_history(source, target, DAG_IDS, since=whole.until)
    assert more.of("run").found == 0
    assert sum(item.moved for item in more.kinds) == 0


def test_sql_is_for_postgresql_on_both_sides(
    old: Aged, source: Any, open_target: Callable[..., TargetDatabase]
) -> None:
    lane = sql_lane(source, open_target())
    assert (lane is not None) is old.url.startswith("postgresql")
    if lane is not None:
        lane.close()
