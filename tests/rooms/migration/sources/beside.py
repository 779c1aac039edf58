"""What goes with history and is easily lost: a task's executor_config and rendered fields, and datasets with events and a pending one.

For SQLite sources.
"""

from __future__ import annotations

import json
import pickle
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from sqlalchemy import make_url

from aerodrome.migration.estate.history import HistoryWindow
from aerodrome.migration.sources.contract import OffersAssets, OffersExecutorConfigs, ShownConfig, SourceAdapter

CONFIG = {"KubernetesExecutor": {"image": "etl:7", "odd": 'it\'s "so"\n', "limits": [1, 2.5, None, True]}}
RENDERED = {"bash_command": "load 'ü'", "env": None, "limits": [1, 2.5, {"deep": True}]}
AT = "2026-03-01 04:05:06.789000"
DAG_IDS = ("daily_sales", "maintenance", "orders_mapped")
WINDOW = HistoryWindow(DAG_IDS)
FIRST_ID = 900
_TABLES = {
    "dataset_dag_run_queue": "dataset_id", "dagrun_dataset_event": "event_id", "dataset_event": "id",
    "dag_schedule_dataset_reference": "dataset_id", "dataset": "id",
}  # fmt: skip


@contextmanager
def put_into(database_url: str) -> Iterator[None]:
    """Put them into the database of an Airflow 2.11 (tests/data/make_source.py), and take them out again."""
    path = make_url(database_url).database
    assert path is not None
    with closing(sqlite3.connect(path, timeout=30)) as connection:
        _clear(connection)
        connection.execute(
            "update task_instance set executor_config = ? where dag_id = 'daily_sales' and task_id = 'load'",
            (pickle.dumps(CONFIG, 4),),
        )
        connection.execute(
            "insert into rendered_task_instance_fields (dag_id, task_id, run_id, map_index, rendered_fields) select dag_id, "
            "task_id, run_id, map_index, ? from task_instance where dag_id = 'daily_sales' and task_id = 'load'",
            (json.dumps(RENDERED),),
        )
        for number, uri in ((901, "s3://beside/orders"), (902, "s3://beside/customers"), (903, "s3://beside/else")):
            connection.execute("insert into dataset values (?, ?, '{}', ?, ?, 0)", (number, uri, AT, AT))
        for number in (901, 902):
            connection.execute(
                "insert into dag_schedule_dataset_reference (dataset_id, dag_id, created_at, updated_at) "
                "values (?, 'orders_mapped', ?, ?)",
                (number, AT, AT),
            )
        for number, dataset, dag_id in ((901, 901, "daily_sales"), (902, 902, None), (903, 903, "elsewhere"),
                                        (904, 903, "daily_sales")):  # fmt: skip
            connection.execute(
                "insert into dataset_event (id, dataset_id, extra, source_task_id, source_dag_id, source_run_id, "
                "source_map_index, timestamp) values (?, ?, '{\"rows\": 3}', 'load', ?, 'r', -1, ?)",
                (number, dataset, dag_id, AT),
            )
        connection.execute(
            "insert into dagrun_dataset_event (dag_run_id, event_id) select id, 901 from dag_run "
            "where dag_id = 'orders_mapped' order by id limit 1"
        )
        connection.execute(
            "insert into dataset_dag_run_queue (dataset_id, target_dag_id, created_at) values (902, 'orders_mapped', ?)",
            (AT,),
        )
        connection.commit()
        try:
            yield
        finally:
            _clear(connection)
            connection.commit()


def _clear(connection: sqlite3.Connection) -> None:
    for table, column in _TABLES.items():
        connection.execute(f"delete from {table} where {column} >= {FIRST_ID}")
    connection.execute("delete from rendered_task_instance_fields where task_id = 'load'")
    connection.execute("update task_instance set executor_config = ? where task_id = 'load'", (pickle.dumps({}, 4),))


def assets_of(source: SourceAdapter) -> dict[str, Any]:
    assert isinstance(source, OffersAssets)
    return {
        "events": sorted(map(repr, (each for batch in source.asset_events(DAG_IDS) for each in batch))),
        "runs": sorted(map(repr, (each for batch in source.asset_runs(DAG_IDS) for each in batch))),
        "queue": source.asset_queue(DAG_IDS),
    }


def configs_of(source: SourceAdapter) -> dict[tuple[Any, ...], Any]:
    assert isinstance(source, OffersExecutorConfigs)
    rows = [row for batch in source.executor_configs("task_instance", WINDOW) for row in batch]
    return {key: stored.text if isinstance(stored, ShownConfig) else repr(pickle.loads(stored)) for key, stored in rows}
