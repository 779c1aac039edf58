"""Whole batches go by one COPY, and the database adds up what stands. If these break, a wrong row counts as proved, or all is slow."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import text
from tests.rooms.migration.transfer.conftest import MemorySource, add_dags_to, make_history, make_run, make_task

from aerodrome.kernel.secret import Secret
from aerodrome.migration.estate.history import HISTORY_KINDS, HistoryBatch, HistoryKind, RejectedRow
from aerodrome.migration.transfer import HistoryMoved, TargetDatabase, batches, move_history
from aerodrome.migration.transfer.batches import gathered
from aerodrome.migration.transfer.bulk import BulkWriter, jsonb_text
from aerodrome.migration.transfer.writer import HistoryWriter
from aerodrome.runtimes.contract import AirflowAccess

ODD = "tab\there, \\N and \\\\, line\nbreak\rreturn, 'quotes' \"too\", \x01\x1f\x1e ü 𝄞"
DOCUMENTS = (
    "1204", "0.173", "1.50", "-0.0", "1e3", "1.0e-7", "12345678901234567890.5", "true", '"a\\n\\"b\\\\c/\\u0001"',
    '{"bb": 1, "a": [1.0, null, {"ü": "x", "z": "\\t"}], "aaa": {}}', '{"a": 1, "a": 2}', "[ ]", '{"k": ""}',
)  # fmt: skip
FLAT_DOCUMENTS = (
    '{"rows": 3, "share": 0.25}', '{"b": 1, "a": 2}', '{"a": ", ", "": true}', '{"": true, "a": ", "}', '{"é": 1, "aaa": 2}',
    '{"aaa": 2, "é": null}', '{"a":1}', '{"a": 1,  "b": 2}', '{"a": 1e3}', '{"a": -0.5, "b": -0.0}', '{"k": "\\u00fc"}', "{}",
)  # fmt: skip
TABLES = ("dag_run", "task_instance", "task_instance_history", "xcom", "rendered_task_instance_fields")

Open = Callable[[], TargetDatabase]


@pytest.fixture
def open_target(request: pytest.FixtureRequest, fernet_key: str) -> Iterator[Open]:
    """Give targets on PostgreSQL as a real Airflow 3.3.2 made them, with a DAG."""
    server = request.getfixturevalue("postgres_server")
    template = request.getfixturevalue("_postgres_target")
    opened: list[tuple[str, TargetDatabase]] = []

    def make() -> TargetDatabase:
        name = f"t_{os.urandom(8).hex()}"
        url = server.create_database(name, template=template).reveal()
        target = TargetDatabase(
            AirflowAccess("http://127.0.0.1:1", "3.3.2", Secret(url), Secret(fernet_key), Secret("unused"))
        )
        add_dags_to(target, "daily")
        opened.append((name, target))
        return target

    yield make
    for name, target in opened:
        target.close()
        server.drop_database(name)


def odd_source() -> MemorySource:
    """Rows with whatever a text can hold."""
    rows = make_history("daily", 4)
    run = make_run("daily", 9, conf=DOCUMENTS[9], note=ODD[:900], data_interval_start=None, queued_at=None)
    rows["run"].append(run)
    bare = {"start_date": None, "end_date": None, "duration": None, "pool": None, "operator": None, "state": None}
    rows["task_instance"] += [
        make_task(run, "odd", operator=ODD[:200], queue="\\N", unixname="", note="\\N\t", duration=1e-7),
        make_task(run, "bare", **bare),
        make_task(run, "mapped", map_index=3, duration=3.0, rendered_map_index=ODD[:200]),
    ]
    rows["task_try"].append(make_task(run, "odd", try_number=1, state="failed", duration=123456.789012))
    for number, document in enumerate(DOCUMENTS):
        key = {name: rows["task_instance"][-1][name] for name in ("dag_id", "run_id", "task_id", "map_index")}
        rows["xcom"].append(key | {"key": f"{number}\t{ODD}", "value": document, "timestamp": run["end_date"]})
    rows["rendered"][0]["rendered_fields"] = '{"b":  1.0, "a": "x\\ny"}'
    return MemorySource(rows=rows)


def content(target: TargetDatabase) -> dict[str, list[str]]:
    with target.reading() as connection:
        return {
            table: sorted(
                json.dumps(row[0], sort_keys=True)
                for row in connection.execute(
                    text(
                        f"select to_jsonb(t) - '{{id,dag_run_id,created_dag_version_id,dag_version_id}}'::text[] from {table} t"
                    )
                )
            )
            for table in TABLES
        } | {
            "notes": sorted(row[0] for row in connection.execute(text("select content from dag_run_note")))
            + sorted(row[0] for row in connection.execute(text("select content from task_instance_note"))),
            "rendered as written": sorted(
                row[0]
                for row in connection.execute(text("select rendered_fields::text from rendered_task_instance_fields"))
            ),
        }


def counts(outcome: HistoryMoved) -> list[tuple[int, int, int, int]]:
    return [(item.found, item.moved, item.same, item.failed_count) for item in outcome.kinds]


@pytest.fixture
def read_back(monkeypatch: pytest.MonkeyPatch) -> list[HistoryKind]:
    """Count which kinds were read back row by row, without changing what happens."""
    read: list[HistoryKind] = []
    standing = HistoryWriter.standing

    def watched(self: HistoryWriter, *arguments: Any) -> Any:
        read.append(self.kind)
        return standing(self, *arguments)

    monkeypatch.setattr(HistoryWriter, "standing", watched)
    return read


@pytest.mark.airflow
def test_both_ways_write_identical_rows(
    open_target: Open, monkeypatch: pytest.MonkeyPatch, read_back: list[HistoryKind]
) -> None:
    """Whatever stands in a text, a number or a document; and no row of it is read back."""
    whole, single = open_target(), open_target()
    first = move_history(odd_source(), whole, ["daily"])
    assert read_back == []
    again = move_history(odd_source(), whole, ["daily"])
    assert read_back == []
    monkeypatch.setattr(batches, "bulk_writer", lambda *_: None)
    second = move_history(odd_source(), single, ["daily"])

    assert set(read_back) == set(HISTORY_KINDS)
    there, here = content(whole), content(single)
    for table in there:
        assert there[table] == here[table], table
    assert '{"b":  1.0, "a": "x\\ny"}' in there["rendered as written"]
    assert counts(first) == counts(second)
    assert [item.moved for item in first.kinds] == [5, 11, 5, 17, 4]
    assert [item.same for item in again.kinds] == [5, 11, 5, 17, 4]
    hashes = [[item.target_hash for item in outcome.kinds] for outcome in (first, again, second)]
    assert hashes[0] == hashes[1]
    assert all(outcome.is_proven for outcome in (first, again, second))


@pytest.mark.airflow
@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ("update task_instance set duration = duration + 0.000001 where task_id = 'load'", "task_instance"),
        ("update task_instance set unixname = null where unixname = ''", "task_instance"),
        ("update dag_run set conf = '{}' where run_id like '%03-01%'", "run"),
        ("update xcom set value = '\"x\"' where key = 'return_value'", "xcom"),
        ("update dag_run_note set content = content || '!'", "run"),
        ("delete from task_instance_history", "task_try"),
    ],
)
def test_whatever_differs_is_seen_and_mended(open_target: Open, change: str, kind: HistoryKind) -> None:
    target = open_target()
    move_history(odd_source(), target, ["daily"])
    before = content(target)
    with target.writing() as connection:
        assert connection.execute(text(change)).rowcount
    assert content(target) != before

    outcome = move_history(odd_source(), target, ["daily"])

    assert outcome.is_proven
    assert content(target) == before
    assert [item.kind for item in outcome.kinds if item.moved] == [kind]


@pytest.mark.airflow
def test_a_row_that_the_target_refuses_leaves_the_others(open_target: Open) -> None:
    source = odd_source()
    source.rows["task_instance"].append(make_task(source.rows["run"][0], "bad", queue="nul\x00"))
    source.rows["xcom"].append(source.rows["xcom"][0] | {"key": "bad", "value": '"\\u0000"'})

    outcome = move_history(source, open_target(), ["daily"])

    assert counts(outcome)[1] == (12, 11, 0, 1)
    assert counts(outcome)[3] == (18, 17, 0, 1)
    assert outcome.is_proven


@pytest.mark.airflow
def test_what_was_lost_on_the_way_is_not_proved(open_target: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that loses a row behind a COPY: the sums say so, and the row is named."""
    target = open_target()
    write = BulkWriter.write
    with target.writing() as connection:
        connection.execute(text("create function lose() returns trigger language plpgsql as 'begin return null; end'"))
        connection.execute(
            text(
                "create trigger lose before insert on task_instance for each row when (new.task_id = 'bare') "
                "execute function lose()"
            )
        )
    outcomes: list[str] = []

    def watched(self: BulkWriter, draft: Any) -> Any:
        outcomes.append(write(self, draft))
        return outcomes[-1]

    monkeypatch.setattr(BulkWriter, "write", watched)
    outcome = move_history(odd_source(), target, ["daily"])

    assert "unproved" in outcomes
    assert outcome.of("task_instance").failed_by_code == {"not-standing": 1}
    assert outcome.of("task_instance").moved == 10


@pytest.mark.airflow
def test_a_document_is_written_as_postgresql_writes_it(open_target: Open) -> None:
    with open_target().reading() as connection:
        for document in (*DOCUMENTS, *FLAT_DOCUMENTS):
            stored = connection.execute(text("select cast(:text as jsonb)::text"), {"text": document}).scalar()
            assert jsonb_text(document) == stored, document
    assert jsonb_text(None) is None


def batch(*runs: str, rejected: int = 0) -> HistoryBatch:
    rows: list[tuple[Any, ...]] = [("daily", run, "task") for run in runs]
    left = [RejectedRow(f"{number}", "xcom-pickled", "") for number in range(rejected)]
    return HistoryBatch("task_instance", ("dag_id", "run_id", "task_id"), rows, left)


def test_batches_end_where_a_run_ends() -> None:
    """Nothing is lost, nothing is doubled, and the order stays."""
    found = list(gathered([batch("a", "a", "b"), batch("b", "c"), batch(rejected=2), batch("c", "d")], 4))
    assert [[row[1] for row in one.rows] for one in found] == [["a", "a", "b", "b"], ["c", "c"], ["d"]]
    assert [len(one.rejected) for one in found] == [0, 2, 0]

    large = list(gathered([batch("a", "a")] * 9 + [batch("b")], 4))
    assert [[row[1] for row in one.rows] for one in large] == [["a"] * 16, ["a", "a", "b"]]
    assert list(gathered([], 4)) == []
