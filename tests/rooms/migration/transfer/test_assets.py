"""What started data-driven runs, and what is pending, moves. If these break, a DAG waits for data that it was told of already."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from tests.rooms.migration.aged import Aged, copied

from aerodrome.kernel.clock import SystemClock
from aerodrome.migration.sources.registry import open_source
from aerodrome.migration.transfer import TargetDatabase, move_assets, move_history

pytestmark = pytest.mark.airflow
AT = datetime(2026, 3, 1, 4, 5, 6, 789000, tzinfo=UTC)
CLOCK = SystemClock()


@pytest.fixture(scope="module")
def old(aged: Callable[..., Aged]) -> Aged:
    """A real 2.11.2 whose `by_hand` waits for two datasets: one made its last run, the other is pending."""
    made = copied(aged("2.11.2", "postgresql"))
    engine = create_engine(made.url.replace("+psycopg2", "+psycopg"))
    with engine.begin() as connection:
        for number, uri in enumerate(("s3://lake/orders", "s3://lake/customers", "s3://lake/else"), 900):
            connection.execute(
                text(
                    "insert into dataset (id, uri, extra, is_orphaned, created_at, updated_at) "
                    "values (:id, :uri, '{}', false, :at, :at)"
                ),
                {"id": number, "uri": uri, "at": AT},
            )
        for dataset in (900, 901):
            connection.execute(
                text(
                    "insert into dag_schedule_dataset_reference (dataset_id, dag_id, created_at, updated_at) "
                    "values (:id, 'by_hand', :at, :at)"
                ),
                {"id": dataset, "at": AT},
            )
        for number, dataset, dag_id in ((900, 900, "daily_orders"), (901, 901, None), (902, 902, "unknown")):
            connection.execute(
                text(
                    "insert into dataset_event (id, dataset_id, extra, source_task_id, source_dag_id, source_run_id, "
                    "source_map_index, timestamp) values (:id, :dataset, :extra, 'load', :dag_id, 'r', -1, :at)"
                ),
                {"id": number, "dataset": dataset, "dag_id": dag_id, "extra": '{"rows": 3}', "at": AT},
            )
        connection.execute(
            text(
                "insert into dagrun_dataset_event (dag_run_id, event_id) select id, 900 from dag_run "
                "where dag_id = 'by_hand' and state = 'success' order by id limit 1"
            )
        )
        connection.execute(
            text(
                "insert into dataset_dag_run_queue (dataset_id, target_dag_id, created_at) values (901, 'by_hand', :at)"
            ),
            {"at": AT},
        )
    engine.dispose()
    return made


@pytest.fixture
def source(old: Aged) -> Iterator[Any]:
    opened = open_source(old.config, b"fingerprints", CLOCK)
    yield opened
    opened.close()


@pytest.fixture
def parsed(target: TargetDatabase, add_dags: Callable[..., None]) -> TargetDatabase:
    """A target that parsed the DAGs; the upgraded code gave one asset a name of its own."""
    add_dags("by_hand", "daily_orders")
    with target.writing() as connection:
        for number, name, uri in ((1, "customers", "s3://lake/customers"), (2, "s3://lake/orders", "s3://lake/orders")):
            connection.execute(
                text(
                    'insert into asset (id, name, uri, "group", extra, created_at, updated_at) '
                    "values (:id, :name, :uri, 'asset', '{}', '2026-01-01 00:00:00', '2026-01-01 00:00:00')"
                ),
                {"id": number, "name": name, "uri": uri},
            )
            connection.execute(
                text(
                    "insert into dag_schedule_asset_reference (asset_id, dag_id, allow_global_producers, created_at, updated_at) "
                    "values (:id, 'by_hand', :yes, '2026-01-01 00:00:00', '2026-01-01 00:00:00')"
                ),
                {"id": number, "yes": True},
            )
        if target.dialect == "postgresql":
            connection.execute(text("select setval('asset_id_seq', 10)"))
    return target


def rows(target: TargetDatabase, sql: str) -> list[tuple[Any, ...]]:
    with target.reading() as connection:
        return [tuple(row) for row in connection.execute(text(sql))]


def test_events_links_and_what_is_pending_stand_once(source: Any, parsed: TargetDatabase) -> None:
    move_history(source, parsed, ["by_hand"])
    for number in range(2):
        moved = move_assets(source, parsed, ["by_hand"], CLOCK, with_pending=True)
        assert (moved.events_found, moved.links_found, moved.pending_found, moved.failed) == (2, 1, 1, [])
        wanted = (0, 0, 0) if number else (2, 1, 1)
        assert (moved.events_moved, moved.links_moved, moved.pending_moved) == wanted
    assert sorted(rows(parsed, "select asset_id, source_dag_id, source_run_id from asset_event"), key=str) == [
        (1, None, "r"), (2, "daily_orders", "r"),
    ]  # fmt: skip
    assert rows(
        parsed,
        "select r.dag_id, e.asset_id from dagrun_asset_event l join dag_run r on r.id = l.dag_run_id "
        "join asset_event e on e.id = l.event_id",
    ) == [("by_hand", 2)]
    (queued,) = rows(parsed, "select asset_id, target_dag_id, created_at from asset_dag_run_queue")
    moment = queued[2] if isinstance(queued[2], datetime) else datetime.fromisoformat(queued[2])
    assert (queued[:2], moment.replace(tzinfo=UTC)) == ((1, "by_hand"), AT)
    assert len(rows(parsed, "select id from asset")) == 2, "no asset was made beside those that were parsed"


def test_before_cutover_nothing_is_pending_in_the_target(source: Any, parsed: TargetDatabase) -> None:
    moved = move_assets(source, parsed, ["by_hand"], CLOCK, with_pending=False)
    assert (moved.events_moved, moved.pending_found) == (2, 0)
    assert rows(parsed, "select * from asset_dag_run_queue") == []


def test_a_dag_that_runs_in_the_target_or_has_another_schedule_is_told(source: Any, parsed: TargetDatabase) -> None:
    with parsed.writing() as connection:
        connection.execute(text("update dag set is_paused = :no where dag_id = 'by_hand'"), {"no": False})
    moved = move_assets(source, parsed, ["by_hand"], CLOCK, with_pending=True)
    assert [item.code for item in moved.failed] == ["target-dag-not-paused"]
    with parsed.writing() as connection:
        connection.execute(text("update dag set is_paused = :yes where dag_id = 'by_hand'"), {"yes": True})
        connection.execute(text("delete from dag_schedule_asset_reference"))
    moved = move_assets(source, parsed, ["by_hand"], CLOCK, with_pending=True)
    assert [item.code for item in moved.failed] == ["asset-not-scheduling"]
    assert rows(parsed, "select * from asset_dag_run_queue") == []


def test_an_asset_that_the_target_does_not_know_is_made(source: Any, target: TargetDatabase) -> None:
    moved = move_assets(source, target, ["daily_orders"], CLOCK, with_pending=False)
    assert moved.events_moved == 1
    assert rows(target, "select name, uri from asset") == [("s3://lake/orders", "s3://lake/orders")]
