"""One run of one side, read from a real metadata database: the right one, and all of it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.conftest import Legacy

from aerodrome.kernel.clock import SystemClock
from aerodrome.kernel.secret import Secret
from aerodrome.migration.parity.reading import DatabaseRuns, StreamedRuns
from aerodrome.migration.sources.contract import SourceConfig
from aerodrome.migration.sources.registry import database_of, open_source

pytestmark = pytest.mark.airflow


def scheduled(legacy: Legacy) -> list[str]:
    with closing(sqlite3.connect(legacy.database)) as connection:
        query = (
            "select run_id from dag_run where dag_id = 'daily_sales' and run_type = 'scheduled' and state = 'success'"
        )
        return [row[0] for row in connection.execute(f"{query} order by execution_date")]


def change(legacy: Legacy, sql: str) -> None:
    with closing(sqlite3.connect(legacy.database)) as connection, connection:
        connection.execute(sql)


def test_the_newest_good_scheduled_run_is_compared_and_never_a_shadow(legacy: Legacy) -> None:
    runs = scheduled(legacy)
    with closing(DatabaseRuns(Secret(legacy.url))) as reader:
        assert reader.newest("daily_sales") == runs[-1]  # not the newer manual ones
        facts = reader.facts("daily_sales", runs[-1])
        assert facts is not None
        assert reader.at("daily_sales", facts.run["logical_date"]) == runs[-1]
        change(legacy, f"update task_instance set state = 'running' where run_id = '{runs[-1]}' and task_id = 'load'")
        assert reader.newest("daily_sales") == runs[-2]  # something of it still moves
        change(legacy, f"update dag_run set run_id = 'shadow__x' where run_id = '{runs[-2]}'")
        assert reader.newest("daily_sales") == runs[-3]
        assert reader.newest("nobody") is None
        assert reader.facts("daily_sales", "none") is None


def test_all_of_a_run_is_read(legacy: Legacy, tmp_path: Path) -> None:
    run_id = scheduled(legacy)[-1]
    rendered = "insert into rendered_task_instance_fields (dag_id, task_id, run_id, map_index, rendered_fields) values "
    change(legacy, f"""{rendered} ('daily_sales', 'load', '{run_id}', -1, '{{"bash_command": "echo 1"}}')""")
    log = tmp_path / "dag_id=daily_sales" / f"run_id={run_id}" / "task_id=load" / "attempt=1.log"
    log.parent.mkdir(parents=True)
    log.write_text("it said this")
    with closing(DatabaseRuns(Secret(legacy.url), tmp_path)) as reader:
        facts = reader.facts("daily_sales", run_id)
    assert facts is not None
    assert facts.run["state"] == "success"
    assert {key: (task["state"], task["duration"]) for key, task in facts.tasks.items()} == {
        (name, -1): ("success", 2.0) for name in ("start", "extract", "load", "count")
    }
    assert facts.xcoms is not None
    assert facts.xcoms[("load", -1, "return_value")] == '{"task": "load", "rows": 3}'
    assert facts.rendered == {("load", -1): {"bash_command": "echo 1"}}
    assert facts.logs == {("load", -1): "it said this"}


def test_a_stream_gives_the_same_run_without_what_it_cannot_carry(legacy: Legacy) -> None:
    config = SourceConfig(
        "airflow-db", "legacy", Secret(legacy.url), Secret(legacy.fernet_key), legacy.project / "dags"
    )
    assert database_of(config) == config.database_url
    with closing(open_source(config, b"k", SystemClock())) as source:
        runs = StreamedRuns(source)
        run_id = runs.newest("daily_sales")
        assert run_id == scheduled(legacy)[-1]
        facts = runs.facts("daily_sales", run_id)
        assert facts is not None
        assert len(facts.tasks) == 4
        assert facts.xcoms is None
        assert "REST" in facts.unread[0]
        assert runs.newest("nobody") is None
