"""Runs that the target made are written into a 2.11 source in its own words. If this breaks, a DAG that was rolled back stands still.

Airflow 3.2 and later name a scheduled run by the moment from which it may run, 2.11 by its logical date.
"""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from tests.conftest import Legacy

from aerodrome.airflowkit.metadata import MetadataDatabase
from aerodrome.kernel.clock import SystemClock
from aerodrome.kernel.secret import Secret
from aerodrome.migration.estate.history import RUN_COLUMNS, TASK_COLUMNS
from aerodrome.migration.sources.airflow_db.carrying import carry
from aerodrome.migration.sources.contract import CarriedRuns

pytestmark = pytest.mark.airflow
DAY = timedelta(days=1)
FIRST = datetime(2030, 1, 1, 2, tzinfo=UTC)


def run(name: str, kind: str, logical: datetime | None, after: datetime) -> dict[str, Any]:
    values = dict.fromkeys(RUN_COLUMNS)
    end = logical + DAY if logical else None
    return values | {
        "dag_id": "daily_sales", "run_id": name, "run_type": kind, "state": "success", "logical_date": logical,
        "data_interval_start": logical, "data_interval_end": end, "run_after": after, "queued_at": after,
        "start_date": after, "end_date": after, "is_external_trigger": kind == "manual", "clear_number": 0,
    }  # fmt: skip


def task(name: str) -> dict[str, Any]:
    values = dict.fromkeys(TASK_COLUMNS)
    return values | {
        "dag_id": "daily_sales", "run_id": name, "task_id": "extract", "map_index": -1, "try_number": 1, "max_tries": 0,
        "state": "success", "pool": "default_pool", "pool_slots": 1, "queue": "default", "priority_weight": 1,
    }  # fmt: skip


def test_names_types_and_dates_are_those_that_the_source_would_give(legacy: Legacy) -> None:
    made = [
        run("scheduled__2030-01-02T02:00:00+00:00", "scheduled", FIRST, FIRST + DAY),
        run("scheduled__2030-01-03T02:00:00+00:00", "scheduled", FIRST + DAY, FIRST + 2 * DAY),
        run("asset_triggered__x", "asset_triggered", None, FIRST + timedelta(hours=1)),
        run("materialized__x", "asset_materialization", None, FIRST + timedelta(hours=2)),
    ]
    carried = CarriedRuns("daily_sales", made, [task(str(item["run_id"])) for item in made], None, None)
    with closing(MetadataDatabase(Secret(legacy.url))) as database:
        assert carry(database, SystemClock(), carried) == 4
        assert carry(database, SystemClock(), carried) == 0
        with database.reading() as connection:
            rows = connection.execute(
                text(
                    "select run_id, run_type, execution_date from dag_run where execution_date >= '2030-01-01' order by 3"
                )
            ).all()
            tasks = connection.execute(
                text(
                    "select run_id from task_instance where run_id in (select run_id from dag_run where execution_date >= '2030-01-01')"
                )
            ).all()
    assert [(row.run_id, row.run_type, str(row.execution_date)[:16]) for row in rows] == [
        ("scheduled__2030-01-01T02:00:00+00:00", "scheduled", "2030-01-01 02:00"),
        ("asset_triggered__x", "dataset_triggered", "2030-01-01 03:00"),
        ("materialized__x", "manual", "2030-01-01 04:00"),
        ("scheduled__2030-01-02T02:00:00+00:00", "scheduled", "2030-01-02 02:00"),
    ]
    assert len(tasks) == 4
