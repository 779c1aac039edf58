"""From PostgreSQL to PostgreSQL the databases do the work. If these break, the fast way writes other rows than the slow one.

Airflow 2.11.2 runs by default; AERODROME_MATRIX=1 (`make test-matrix`) adds 1.10.15 to 3.3.2.
"""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from sqlalchemy import create_engine, event, text
from tests.matrix import wide
from tests.rooms.migration.aged import Aged, copied
from tests.rooms.migration.transfer.conftest import add_dags_to

from aerodrome.kernel.clock import SystemClock
from aerodrome.kernel.secret import Secret
from aerodrome.migration.estate.history import HISTORY_KINDS, HistoryBatch, HistoryKind, HistoryWindow
from aerodrome.migration.sources.lanes import OffersSql, RunKey, SqlHistory
from aerodrome.migration.sources.registry import open_source
from aerodrome.migration.transfer import FileCheckpoint, TargetDatabase, history, move_history
from aerodrome.migration.transfer.difference import compare_history
from aerodrome.migration.transfer.mapping import stable_uuid7
from aerodrome.migration.transfer.sql_lane import sql_lane
from aerodrome.runtimes.contract import AirflowAccess

pytestmark = pytest.mark.airflow
DAG_IDS = ("berlin_nightly", "by_hand", "daily_orders", "six_hourly")
VERSIONS = ["2.11.2", *wide("1.10.15", "2.3.4", "2.7.3", "3.0.6", "3.3.2")]


class ByRows:
    """A source that offers no SQL."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        if name == "sql_history":
            raise AttributeError(name)
        return getattr(self._inner, name)


class BySql:
    """A source that counts which runs were read row by row all the same."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.read: list[tuple[HistoryKind, RunKey]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def sql_history(self) -> Any:
        return _Counting(self._inner.sql_history(), self.read)


class _Counting:
    def __init__(self, inner: SqlHistory, read: list[tuple[HistoryKind, RunKey]]) -> None:
        self._inner = inner
        self._read = read

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def rows(self, kind: HistoryKind, keys: Sequence[RunKey]) -> Iterator[HistoryBatch]:
        self._read += [(kind, key) for key in keys]
        yield from self._inner.rows(kind, keys)


@pytest.fixture(params=VERSIONS, scope="module")
def old(request: pytest.FixtureRequest, aged: Callable[..., Aged]) -> Aged:
    """A real source, with what history of years brings besides."""
    made = copied(aged(request.param, "postgresql"))
    with_oddities(made)
    return made


@pytest.fixture
def source(old: Aged) -> Iterator[Any]:
    opened = open_source(old.config, b"fingerprints", SystemClock())
    yield opened
    opened.close()


@pytest.fixture
def open_target(request: pytest.FixtureRequest, fernet_key: str) -> Iterator[Callable[[], TargetDatabase]]:
    server = request.getfixturevalue("postgres_server")
    template = request.getfixturevalue("_postgres_target")
    opened: list[tuple[str, TargetDatabase]] = []

    def make() -> TargetDatabase:
        name = f"t_{os.urandom(8).hex()}"
        url = server.create_database(name, template=template).reveal()
        target = TargetDatabase(
            AirflowAccess("http://127.0.0.1:1", "3.3.2", Secret(url), Secret(fernet_key), Secret("unused"))
        )
        add_dags_to(target, *DAG_IDS)
        opened.append((name, target))
        return target

    yield make
    for name, target in opened:
        target.close()
        server.drop_database(name)


def with_oddities(old: Aged) -> None:
    """Add notes, values that take more than SQL, and rows with little in them, where the version has such columns."""
    engine = create_engine(old.url.replace("+psycopg2", "+psycopg"))
    is_old = not old.version.startswith("3.")
    by = "execution_date" if old.version.startswith("1.") else "run_id"
    first = f"(select min({by}) from dag_run where dag_id = 'daily_orders')"
    bare = "start_date = null, duration = null, pool_slots = 0, operator = null"
    statements = [f"update task_instance set {bare} where task_id = 'load' and {by} = {first}"]
    if old.version >= "2.7":
        key = "task_id, dag_id, run_id, map_index"
        statements.append(
            f"insert into task_instance_note ({key if is_old else 'ti_id'}, content, created_at, updated_at) "
            f"select {key if is_old else 'id'}, 'slow', '2025-01-01Z', '2025-01-01Z' from task_instance "
            "where dag_id = 'daily_orders' and state is not null on conflict do nothing"
        )
        statements.append(
            "insert into dag_run_note (dag_run_id, content, created_at, updated_at) "
            "select id, :note, '2025-01-01Z', '2025-01-01Z' from dag_run where dag_id = 'six_hourly' on conflict do nothing"
        )
    if is_old:
        last = "(select min(id) from dag_run where dag_id = 'berlin_nightly')"
        statements.append(f"update dag_run set conf = :conf where id = {last}")
    values = {
        "note": "ünder 'review' \\ \"x\"",
        "conf": pickle.dumps({"when": datetime(2026, 1, 1, tzinfo=UTC), "n": [1, 2.5]}),
    }
    with engine.begin() as connection:
        for sql in statements:
            connection.execute(text(sql), {name: value for name, value in values.items() if f":{name}" in sql})
    engine.dispose()


QUERIES = {
    "dag_run": "select dag_id, run_id, to_jsonb(t) - 'id' from dag_run t",
    "task_instance": "select dag_id, run_id, task_id, map_index, to_jsonb(t) from task_instance t",
    "task_instance_history": "select dag_id, run_id, task_id, map_index, try_number, to_jsonb(t) from task_instance_history t",
    "xcom": "select dag_id, run_id, task_id, map_index, key, to_jsonb(t) - 'dag_run_id' from xcom t",
    "rendered_task_instance_fields": "select to_jsonb(t) from rendered_task_instance_fields t",
    "dag_run_note": "select r.dag_id, r.run_id, to_jsonb(t) - 'dag_run_id' from dag_run_note t "
    "join dag_run r on r.id = t.dag_run_id",
    "task_instance_note": "select 1, to_jsonb(t) from task_instance_note t",
}  # fmt: skip


def content(target: TargetDatabase) -> dict[str, list[str]]:
    with target.reading() as connection:
        return {
            table: sorted(json.dumps(list(row), sort_keys=True) for row in connection.execute(text(query)))
            for table, query in QUERIES.items()
        }


def test_both_ways_write_identical_rows(old: Aged, source: Any, open_target: Callable[[], TargetDatabase]) -> None:
    """Value by value, ids of task instances included."""
    fast, slow = open_target(), open_target()
    by_sql = BySql(source)
    assert not isinstance(ByRows(source), OffersSql)

    first, second = move_history(by_sql, fast, DAG_IDS), move_history(ByRows(source), slow, DAG_IDS)

    there, here = content(fast), content(slow)
    for table in QUERIES:
        assert there[table] == here[table], table
    assert there["task_instance"]
    assert there["rendered_task_instance_fields"] or old.version == "1.10.15"
    assert first.is_proven
    assert second.is_proven
    for kind in HISTORY_KINDS:
        for name in ("found", "moved", "same", "failed_by_code", "noticed_by_code"):
            assert getattr(first.of(kind), name) == getattr(second.of(kind), name), (kind, name)
    if old.version >= "2.7":
        assert there["dag_run_note"]
        assert there["task_instance_note"]
    read = {kind: {key for of, key in by_sql.read if of == kind} for kind in HISTORY_KINDS}
    assert read["task_instance"] == set(), "a task instance passed through Python"
    if old.version == "2.11.2":
        assert {dag_id for dag_id, _ in read["run"]} == {"berlin_nightly", "by_hand"}
        assert len([key for key in read["run"] if key[0] == "berlin_nightly"]) == 1


def test_the_same_runs_are_chosen(source: Any) -> None:
    """Whatever the window, the keys are those that the rows have."""
    counts = source.history_counts(HistoryWindow(DAG_IDS))
    middle = source.history_watermark(DAG_IDS)
    lane = source.sql_history()
    for window in (
        HistoryWindow(DAG_IDS),
        HistoryWindow(DAG_IDS, until=middle),
        HistoryWindow(DAG_IDS, since=middle),
        HistoryWindow(DAG_IDS, since=datetime(2020, 1, 1, tzinfo=UTC), until=middle),
    ):
        rows = sorted((row[0], row[1]) for batch in source.history("run", window) for row in batch.rows)
        keys: list[RunKey] = []
        after = ("", "")
        while page := lane.keys(window, after, 2):
            keys += page
            after = page[-1]
        assert sorted(keys) == rows
    assert counts["run"] <= lane.run_count(HistoryWindow(DAG_IDS))


def test_a_page_of_runs_looks_at_their_own_task_instances_only(source: Any) -> None:
    """A join would read all task instances and notes of the database for each page: the more rows, the slower each of them."""
    window = HistoryWindow(DAG_IDS, until=source.history_watermark(DAG_IDS))
    asked: list[tuple[str, Any]] = []
    lane = source.sql_history()
    with lane.reading() as connection:
        engine = connection.engine

    def keep(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:
        asked.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", keep)
    lane.keys(window, ("by_hand", "x"), 2)
    event.remove(engine, "before_cursor_execute", keep)
    statement, parameters = asked[-1]
    with lane.reading() as connection:
        plan = "\n".join(row[0] for row in connection.exec_driver_sql(f"explain {statement}", parameters))
    assert "task_instance" in plan
    assert "Join" not in plan, plan
    assert "Nested Loop" not in plan, plan
    assert "SubPlan" in plan, plan


def test_connections_are_kept_between_chunks(
    source: Any, open_target: Callable[[], TargetDatabase], monkeypatch: pytest.MonkeyPatch
) -> None:
    """For each new one PostgreSQL starts a process that learns the tables anew."""
    monkeypatch.setattr(history, "RUNS_PER_CHUNK", 1)
    target = open_target()
    made: list[Any] = []
    for database in (source.sql_history(), target):
        with database.reading() as connection:
            event.listen(connection.engine.pool, "connect", lambda raw, _record: made.append(raw))
    assert move_history(source, target, DAG_IDS).is_proven
    assert len(made) <= 2 * 4


def test_a_second_time_writes_nothing_and_reads_no_row(source: Any, open_target: Callable[[], TargetDatabase]) -> None:
    target = open_target()
    first = move_history(source, target, DAG_IDS)
    before = content(target)
    again = BySql(source)

    second = move_history(again, target, DAG_IDS)

    assert content(target) == before
    assert [item.moved for item in second.kinds] == [0, 0, 0, 0, 0]
    assert [item.same for item in second.kinds] == [item.moved for item in first.kinds]
    assert [item.target_hash for item in second.kinds] == [item.target_hash for item in first.kinds]
    assert not [key for kind, key in again.read if kind == "task_instance"]


def test_what_differs_is_mended_and_what_the_target_ran_is_kept(
    source: Any, open_target: Callable[[], TargetDatabase]
) -> None:
    target = open_target()
    move_history(source, target, DAG_IDS)
    before = content(target)
    with target.writing() as connection:
        connection.execute(text("update task_instance set queue = 'other' where dag_id = 'daily_orders'"))
        connection.execute(text("delete from task_instance where dag_id = 'six_hourly'"))
    assert move_history(source, target, DAG_IDS).is_proven
    assert content(target) == before

    version = "0" * 31 + "1"
    with target.writing() as connection:
        connection.execute(
            text(
                "insert into dag_version (id, version_number, dag_id, created_at, last_updated) "
                "values (:id, 2, 'daily_orders', now(), now())"
            ),
            {"id": version},
        )
        connection.execute(
            text("update dag_run set created_dag_version_id = :id, state = 'failed' where dag_id = 'daily_orders'"),
            {"id": version},
        )
        connection.execute(text("delete from task_instance where dag_id = 'daily_orders'"))
    outcome = move_history(source, target, DAG_IDS)
    assert outcome.is_proven
    assert set(outcome.of("run").failed_by_code) == {"row-belongs-to-target"}
    assert set(outcome.of("task_instance").failed_by_code) == {"run-belongs-to-target"}


def test_both_ways_find_the_same_differences(source: Any, open_target: Callable[[], TargetDatabase]) -> None:
    target = open_target()

    def compared(of: Any) -> dict[str, Any]:
        return {
            dag_id: {
                kind: (item.missing, item.same, item.different, item.extra, item.refused)
                for kind, item in kinds.items()
            }
            for dag_id, kinds in compare_history(of, target, DAG_IDS)
        }

    assert compared(source) == compared(ByRows(source)), "before anything moved"
    move_history(source, target, DAG_IDS)
    counting = BySql(source)
    equal = compared(counting)
    assert equal == compared(ByRows(source))
    assert not any(
        missing or different or extra for kinds in equal.values() for missing, _, different, extra, _ in kinds.values()
    )
    assert not [key for kind, key in counting.read if kind == "task_instance"], "equal rows are not read"
    with target.writing() as connection:
        connection.execute(text("update task_instance set queue = 'other' where dag_id = 'daily_orders'"))
        connection.execute(text("delete from task_instance where dag_id = 'six_hourly'"))
        connection.execute(
            text(
                "update dag_run set run_id = run_id || 'x' where dag_id = 'by_hand' and not exists "
                "(select 1 from task_instance t where t.dag_id = dag_run.dag_id and t.run_id = dag_run.run_id)"
            )
        )
    assert compared(source) == compared(ByRows(source))


def test_a_transfer_that_ended_anywhere_goes_on(
    source: Any, open_target: Callable[[], TargetDatabase], tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chunks of two runs; every save of the checkpoint is a place to die at."""
    monkeypatch.setattr(history, "RUNS_PER_CHUNK", 2)
    whole = open_target()
    expected = move_history(source, whole, DAG_IDS)
    target = open_target()

    class Dying(FileCheckpoint):
        lives = count(1)

        def save(self, state: dict[str, Any]) -> None:
            super().save(state)
            if next(self.lives) % 2 == 0:
                raise KeyboardInterrupt

    checkpoint = Dying(tmp_path / "checkpoint.json")
    for _ in range(100):
        try:
            outcome = move_history(source, target, DAG_IDS, checkpoint=checkpoint)
            break
        except KeyboardInterrupt:
            continue
    assert content(target) == content(whole)
    assert outcome.is_proven
    for kind in HISTORY_KINDS:
        found, wanted = outcome.of(kind), expected.of(kind)
        assert (found.found, found.moved + found.same) == (wanted.found, wanted.moved)
        assert found.target_hash == wanted.target_hash


@pytest.mark.parametrize("lane", [lambda source: source, ByRows])
def test_a_plan_may_leave_xcoms_out(
    source: Any, open_target: Callable[[], TargetDatabase], lane: Callable[[Any], Any]
) -> None:
    """By either way nothing of the kind moves, nothing is missed for it, and a comparison passes it over."""
    target = open_target()
    without: tuple[HistoryKind, ...] = ("xcom",)
    moved = move_history(lane(source), target, DAG_IDS, without=without)
    left = moved.of("xcom")
    assert (left.found, left.failed_count, dict(left.noticed_by_code)) == (0, 0, {"left-out-by-plan": len(DAG_IDS)})
    assert moved.of("task_instance").moved
    assert content(target)["xcom"] == []
    for _, tables in compare_history(lane(source), target, DAG_IDS, without=without):
        assert "xcom" not in tables
    whole = move_history(lane(source), target, DAG_IDS)
    assert whole.of("xcom").moved
    assert whole.of("run").moved == 0


def test_the_lane_is_for_postgresql_on_both_sides(
    source: Any, open_target: Callable[[], TargetDatabase], tmp_path: Any
) -> None:
    lane = sql_lane(source, open_target())
    assert lane is not None
    lane.close()
    access = AirflowAccess("", "3.3.2", Secret(f"sqlite:///{tmp_path / 'x.db'}"), Secret("k" * 43 + "="), Secret(""))
    assert sql_lane(source, TargetDatabase(access)) is None


def test_an_id_is_made_of_moment_and_key() -> None:
    made = stable_uuid7(("d", "r", "t", -1), "2026-01-01 00:00:00.123000")
    assert made == stable_uuid7(("d", "r", "t", -1), "2026-01-01 00:00:00.123000")
    assert (made[12], made[16], len(made)) == ("7", "8", 32)
    assert made != stable_uuid7(("d", "r", "t", 0), "2026-01-01 00:00:00.123000")
