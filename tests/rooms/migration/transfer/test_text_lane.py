"""From SQLite and MySQL task instances go from text to text. If these break, the fast way writes other rows than the careful one.

Airflow 2.11.2 on SQLite runs by default; AERODROME_MATRIX=1 (`make test-matrix`) adds older ones, on MySQL and MariaDB too.
"""

from __future__ import annotations

import os
import pickle
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import create_engine
from tests.matrix import wide
from tests.rooms.migration.aged import Aged
from tests.rooms.migration.transfer.conftest import add_dags_to
from tests.rooms.migration.transfer.test_sql_lane import DAG_IDS, QUERIES, content

from aerodrome.kernel.clock import SystemClock
from aerodrome.kernel.errors import Broken
from aerodrome.kernel.secret import Secret
from aerodrome.migration.estate.history import HISTORY_KINDS, HistoryKind, HistoryWindow
from aerodrome.migration.sources.contract import RunKey
from aerodrome.migration.sources.registry import open_source
from aerodrome.migration.transfer import TargetDatabase, history, move_history, text_lane
from aerodrome.migration.transfer.mapping import stable_uuid7
from aerodrome.migration.transfer.text_lane import _whole_runs, tail_writer
from aerodrome.migration.transfer.text_sql import NULL_MARK, task_line
from aerodrome.runtimes.contract import AirflowAccess

CASES = [
    ("2.11.2", "sqlite"),
    *wide(("1.10.15", "sqlite"), ("2.3.4", "sqlite"), ("2.3.4", "mysql"), ("2.7.3", "mysql")),
]

ODDITIES = (
    ("operator = 'a\\b\tc'", "dag_id = 'daily_orders' and task_id = 'extract'"),
    ("operator = '\\N'", "dag_id = 'six_hourly'"),
    ("unixname = 'ünï\x1fx', queue = ''", "dag_id = 'berlin_nightly'"),
    ("start_date = null, duration = null, pool_slots = 0, operator = null", "task_id = 'load'"),
    ("duration = 0.000012345, max_tries = -1", "task_id = 'extract'"),
    ("end_date = '2025-01-01 00:00:00.120000', duration = 3", "dag_id = 'by_hand' and state = 'success'"),
)


class ByRows:
    """A source that offers no text."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        if name == "text_history":
            raise AttributeError(name)
        return getattr(self._inner, name)


class ByText:
    """A source that tells which runs were read row by row all the same."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.read: dict[HistoryKind, list[RunKey]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def text_history(self) -> Any:
        text, read = self._inner.text_history(), self.read

        class Told:
            dialect, is_offered, stream, lines = text.dialect, text.is_offered, text.stream, text.lines

            @staticmethod
            def rows(kind: HistoryKind, keys: list[RunKey]) -> Any:
                read.setdefault(kind, []).extend(keys)
                return text.rows(kind, keys)

        return Told()


@pytest.fixture(params=CASES, ids="-".join, scope="module")
def old(request: pytest.FixtureRequest, aged: Callable[..., Aged]) -> Aged:
    return aged(*request.param)


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


@pytest.mark.airflow
def test_both_ways_write_identical_rows(
    old: Aged, source: Any, open_target: Callable[[], TargetDatabase], request: pytest.FixtureRequest
) -> None:
    """Value by value, ids of task instances included: of the source as it is, and with what years bring besides."""
    is_offered = not old.version.startswith("1.")  # rows of those days have no run id
    for odd in (False, True):
        if odd:
            put_oddities(old, request)
        fast, slow = open_target(), open_target()
        by_text = ByText(source)
        first, second = move_history(by_text, fast, DAG_IDS), move_history(ByRows(source), slow, DAG_IDS)
        there, here = content(fast), content(slow)
        for table in QUERIES:
            assert there[table] == here[table], (table, odd)
        assert there["task_instance"]
        assert first.is_proven
        assert second.is_proven
        for one, other in zip(first.kinds, second.kinds, strict=True):
            for name in ("found", "moved", "same", "failed_by_code", "noticed_by_code"):
                assert getattr(one, name) == getattr(other, name), (one.kind, name, odd)
        assert source.text_history().is_offered("task_instance") is is_offered
        if is_offered:
            assert ("task_instance" in by_text.read) is odd

        again = move_history(source, fast, DAG_IDS)
        assert content(fast) == there
        assert [item.moved for item in again.kinds] == [0] * 5
        assert [item.target_hash for item in again.kinds] == [item.target_hash for item in first.kinds]


def put_oddities(old: Aged, request: pytest.FixtureRequest) -> None:
    """Change the source, and give back what it was at the end."""
    engine = create_engine(old.url)
    columns = ["operator", "unixname", "queue", "start_date", "end_date", "duration", "pool_slots", "max_tries"]
    by = "execution_date" if old.version.startswith("1.") else "run_id"
    with engine.begin() as connection:
        mark = "%s" if old.url.startswith("mysql") else "?"
        rows = connection.exec_driver_sql(
            f"select {', '.join(columns)}, dag_id, task_id, {by} from task_instance"
        ).all()
        for change, where in ODDITIES:
            if mark == "%s":
                change = change.replace("\\", "\\\\")  # noqa: PLW2901
            connection.exec_driver_sql(f"update task_instance set {change} where {where}")
    put_back = f"update task_instance set {', '.join(f'{name} = {mark}' for name in columns)} where dag_id = {mark} "

    def restore() -> None:
        with engine.begin() as connection:
            connection.exec_driver_sql(
                f"{put_back} and task_id = {mark} and {by} = {mark}", [tuple(row) for row in rows]
            )
        engine.dispose()

    request.addfinalizer(restore)


@pytest.mark.airflow
def test_notes_are_looked_for_once_there_are_some(
    old: Aged, source: Any, open_target: Callable[[], TargetDatabase]
) -> None:
    """A source without a note is read without them; the first note is seen by the same reader."""
    if old.version in {"1.10.15", "2.3.4"}:
        pytest.skip("it has no notes")
    target, engine = open_target(), create_engine(old.url)
    by_text = ByText(source)
    bare = move_history(by_text, target, DAG_IDS)
    assert (bare.is_proven, "task_instance" in by_text.read) == (True, False)
    assert content(target)["task_instance_note"] == []
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql(
                "insert into task_instance_note (dag_id, run_id, task_id, map_index, content, created_at, updated_at) "
                "select dag_id, run_id, task_id, map_index, 'slow', start_date, end_date from task_instance "
                "where dag_id = 'daily_orders' and task_id = 'extract' and state = 'success'"
            )
        noted = move_history(by_text, target, DAG_IDS)
    finally:
        with engine.begin() as connection:
            connection.exec_driver_sql("delete from task_instance_note")
        engine.dispose()
    assert noted.is_proven
    assert len(content(target)["task_instance_note"]) == len(by_text.read["task_instance"]) > 0


@pytest.mark.airflow
def test_the_same_runs_are_chosen(old: Aged, source: Any) -> None:
    text = source.text_history()
    offered = [kind for kind in HISTORY_KINDS if text.is_offered(kind)]
    assert ("task_instance" in offered) is not old.version.startswith("1.")
    assert ({"run", "xcom"} <= set(offered)) is (old.version == "2.11.2" or old.version >= "2.3")
    middle = source.history_watermark(DAG_IDS)
    for window in (HistoryWindow(DAG_IDS), HistoryWindow(DAG_IDS, until=middle), HistoryWindow(DAG_IDS, since=middle)):
        for kind in offered:
            batches = list(source.history(kind, window))
            rows = [tuple(row[:2]) for batch in batches for row in batch.rows]
            given = given_by(text, kind, window)
            refused = sum(len(batch.rejected) for batch in batches) if kind == "xcom" else 0
            assert len(given) == len(rows) + refused
            assert set(rows) <= set(given)


def given_by(text: Any, kind: HistoryKind, window: HistoryWindow) -> list[RunKey]:
    """Give the run of each row; of a run that lines cannot give, as often as the careful way gives it."""
    if kind not in {"task_instance", "task_try"}:
        return [(row[0], row[1]) for part in text.stream(kind, window) for row in part]
    found: list[RunKey] = []
    line = task_line(text.dialect, is_try=kind == "task_try")
    for part in text.lines(kind, window, line):
        for key, lines in part:
            found += [key] * (sum(len(batch.rows) for batch in text.rows(kind, [key])) if lines is None else len(lines))
    return found


VALUES: tuple[bytes | None, ...] = (
    None, b"null", b"{}", b"0", b"-2.50", b"1e3", b'"plain"', '"ünï"'.encode(), b'"\\u00fc \\ud83d\\ude00"', b'"a\\tb\\\\N"',
    b'{ "b": 1,\n "a": [true, null, 1.10, "\\"\\n"] }', b"NaN", b'{"a": Infinity}', b'"\\u0000x"', b'"\\ud83d"', b"\xff\xfe", b"[1",
    pickle.dumps({"a": (1, 2)}), pickle.dumps([1, "x"], 0), b'"' + b"x" * 9_000 + b'"',
)  # fmt: skip


@pytest.mark.airflow
def test_runs_and_xcoms_of_every_kind_arrive_as_by_the_careful_way(
    old: Aged, source: Any, open_target: Callable[[], TargetDatabase], request: pytest.FixtureRequest
) -> None:
    """Values with signs that COPY reads, pickles, texts that are no JSON; runs without a date, with a configuration, with another count."""
    if old.version < "2.3" and old.version != "2.11.2":
        pytest.skip("this way is for databases whose XComs name their run")
    put_odd_documents(old, request)
    by_text, fast, slow = ByText(source), open_target(), open_target()
    first, second = move_history(by_text, fast, DAG_IDS), move_history(ByRows(source), slow, DAG_IDS)
    there, here = content(fast), content(slow)
    for table in QUERIES:
        assert there[table] == here[table], table
    for one, other in zip(first.kinds, second.kinds, strict=True):
        assert (one.found, one.moved, one.failed_by_code) == (other.found, other.moved, other.failed_by_code)
    assert first.is_proven is second.is_proven
    assert {"run", "xcom"} <= by_text.read.keys()
    assert len(set(by_text.read["run"])) < first.of("run").moved, "no run went from text to text"


def put_odd_documents(old: Aged, request: pytest.FixtureRequest) -> None:
    """Change runs, add XComs, and take it all back at the end."""
    engine = create_engine(old.url)
    mark = "%s" if old.url.startswith("mysql") else "?"
    name = "`key`" if mark == "%s" else "key"
    has_count = old.version == "2.11.2"
    changed = ["conf", "data_interval_end", "queued_at", *["clear_number"] * has_count]
    with engine.begin() as connection:
        runs = connection.exec_driver_sql(f"select {', '.join(changed)}, id from dag_run order by id").all()
        changes = ["conf = null", "queued_at = null", "data_interval_end = null", *["clear_number = 3"] * has_count]
        for (*_, number), change in zip(runs, changes, strict=False):
            connection.exec_driver_sql(f"update dag_run set {change} where id = {number}")
        tasks = connection.exec_driver_sql(
            "select r.id, r.dag_id, r.run_id, t.task_id, t.map_index from task_instance t join dag_run r on "
            "r.dag_id = t.dag_id and r.run_id = t.run_id where r.state = 'success' order by r.id, t.task_id, t.map_index"
        ).all()
        connection.exec_driver_sql(
            f"insert into xcom (dag_run_id, dag_id, run_id, task_id, map_index, {name}, value, timestamp) values "
            f"({', '.join([mark] * 8)})",
            [
                (*tasks[place % len(tasks)], f"odd_{place}", value, "2025-01-01 00:00:00.250000")
                for place, value in enumerate(VALUES)
            ],
        )

    def restore() -> None:
        with engine.begin() as connection:
            connection.exec_driver_sql(f"delete from xcom where substr({name}, 1, 4) = 'odd_'")
            connection.exec_driver_sql(
                f"update dag_run set {', '.join(f'{column} = {mark}' for column in changed)} where id = {mark}",
                [tuple(run) for run in runs],
            )
        engine.dispose()

    request.addfinalizer(restore)


NAMES = (
    "dag_id", "run_id", "task_id", "map_index", "try_number", "max_tries", "state", "start_date", "end_date",
    "duration", "hostname", "unixname", "pool", "pool_slots", "queue", "priority_weight", "operator",
    "custom_operator_name", "queued_at", "task_display_name", "rendered_map_index", "executor", "note",
)  # fmt: skip
PLAIN: dict[str, Any] = dict.fromkeys(NAMES) | {
    "dag_id": "d", "run_id": "r", "task_id": "t", "map_index": -1, "try_number": 2, "state": "success",
    "start_date": "2026-01-01 00:00:01.500000", "end_date": "2026-01-01 00:00:02.000000", "duration": 0.5,
}  # fmt: skip


def written(*, is_try: bool = False, **changes: Any) -> tuple[str | None, float | None, str | None]:
    """Let SQLite write the line of a row."""
    row = PLAIN | changes
    line = task_line("sqlite", is_try=is_try)
    with closing(sqlite3.connect(":memory:")) as connection:
        values = ", ".join(f"? as {name}" for name in NAMES)
        query = f"select {line.before}, {line.number}, {line.after} from (select {values}) n"
        found: tuple[str | None, float | None, str | None] = connection.execute(
            query, [row[name] for name in NAMES]
        ).fetchone()
    return found


def test_a_line_is_what_postgresql_writes() -> None:
    before, number, after = written()
    assert before is not None
    assert after is not None
    assert before.split("\t") == [
        "d", "r", "t", "-1", "2", "0", "success", "2026-01-01 00:00:01.5", "2026-01-01 00:00:02", "",
    ]  # fmt: skip
    assert number == 0.5
    assert after.split("\t") == ["", "", NULL_MARK, "default_pool", "1", *[NULL_MARK] * 8]
    assert "\\" not in before + after, "what stands for NULL would pass for a sign of COPY"
    tried = written(is_try=True, task_display_name="")[2]
    assert tried is not None
    assert tried.split("\t")[10] == "t", "a try always has a name"


def test_what_follows_a_line_is_made_of_it() -> None:
    line = "d\tr\tt\t-1\t2\t0\tsuccess\t2026-01-01 00:00:01.5\t2026-01-01 00:00:02\t0.5"
    tail = tail_writer(("id", "span_status", "updated_at"), is_try=False)(line)
    made = stable_uuid7(("d", "r", "t", -1), "2026-01-01 00:00:01.500000")
    assert tail.split("\t") == [made, "not_started", "2026-01-01 00:00:02"]
    older = tail_writer(("executor_config", "updated_at"), is_try=False)
    assert older(line.replace("2026-01-01 00:00:02", "\\N")) == "\\\\x80047d942e\t2026-01-01 00:00:01.5"
    bare = tail_writer(("task_instance_id", "span_status", "updated_at"), is_try=True)(
        "d\tr\tt\t-1\t2\t0\tfailed\t\\N\t\\N\t\\N"
    )
    assert bare.split("\t") == [stable_uuid7(("d", "r", "t", -1, 2), None), "not_started", "\\N"]
    with pytest.raises(Broken):
        tail_writer(("updated_at", "id"), is_try=False)


@pytest.mark.parametrize(
    "change",
    [
        {"start_date": "2026-01-01T00:00:01.500000"}, {"end_date": "2026-01-01 00:00:01+00:00"}, {"note": "slow"},
        {"state": "running"}, {"task_id": "t" * 251}, {"queued_at": "0000-00-00"}, {"queued_at": 1767225600},
    ],
)  # fmt: skip
def test_what_needs_a_closer_look_is_left_to_the_careful_way(change: dict[str, Any]) -> None:
    before, _, after = written(**change)
    assert None in {before, after}


def test_a_run_too_large_for_a_batch_is_read_by_rows_alone() -> None:
    """Its rows would stand already when the next part of it comes; counted twice they would be."""
    parts = [[("d", "b", n) for n in range(9)], [("d", "b", 9)], [("d", "b", 10), ("d", "c", 1)], [("d", "d", 1)]]
    assert list(_whole_runs(iter(parts), 2, None)) == [[("d", "b")], [("d", "c", 1)], [("d", "d", 1)]]


@pytest.mark.airflow
def test_a_run_with_very_many_task_instances_is_counted_once(
    old: Aged, source: Any, open_target: Callable[[], TargetDatabase], monkeypatch: pytest.MonkeyPatch
) -> None:
    if old.version.startswith("1."):
        pytest.skip("rows of those days have no run id")
    monkeypatch.setattr(history, "ROWS_PER_BATCH", 1)
    monkeypatch.setattr(text_lane, "MANY", 1)
    by_text, target = ByText(source), open_target()
    counts = source.history_counts(HistoryWindow(DAG_IDS))
    outcome = move_history(by_text, target, DAG_IDS)
    assert outcome.is_proven
    assert {item.kind: item.found for item in outcome.kinds} == counts
    assert by_text.read["task_instance"]
