"""Stop and run again between a real Airflow 2.11.2 and a real 3.3.2. If this breaks, a task goes on in the source although the
target runs it again, or a run that was stopped never runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.rooms.migration.cutover import test_real_airflow
from tests.rooms.migration.cutover.test_real_airflow import Side, do, hand_over_context, until

from aerodrome.builds import Venv
from aerodrome.kernel.clock import SystemClock
from aerodrome.migration import cutover
from aerodrome.migration.sources.airflow_db.adapter import AirflowDatabaseSource
from aerodrome.migration.sources.contract import SourceConfig
from aerodrome.migration.transfer.target import TargetDatabase
from aerodrome.runtimes.local.runtime import LocalRuntime

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.matrix,
]

DAGS = """
import os, time
from datetime import datetime
from airflow import DAG
from airflow.{operators} import PythonOperator

def note(word):
    with open("{folder}/done.txt", "a") as done:
        done.write(word + "\\n")

def long():
    is_source = "{folder}".endswith("/old")
    for second in range(600 if is_source else 1):
        with open("{folder}/beats.txt", "a") as beats:
            beats.write("x")
        time.sleep(1)
    note("long")

with DAG("slow", schedule="@hourly", start_date=datetime.fromisoformat("{start}"), catchup=False, max_active_runs=1) as dag:
    first = PythonOperator(task_id="first", python_callable=note, op_args=["first"])
    middle = PythonOperator(task_id="middle", python_callable=long)
    last = PythonOperator(task_id="last", python_callable=note, op_args=["last"])
    first >> middle >> last
"""


@pytest.fixture
def sides(
    tmp_path: Path, airflow_venv: Callable[..., Venv], monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Side, Side]]:
    first_day = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=5)

    def start(name: str, version: str, operators: str) -> Side:
        code = DAGS.replace("{folder}", str(tmp_path / name))
        return test_real_airflow.start(tmp_path / name, airflow_venv(version), operators, first_day, code)

    with ThreadPoolExecutor(2) as pool:
        old = pool.submit(start, "old", "2.11.2", "operators.python")
        new = pool.submit(start, "new", "3.3.2", "providers.standard.operators.python")
    try:
        yield old.result(), new.result()
    finally:
        for name in ("old", "new"):
            LocalRuntime(tmp_path / name / "runtime").delete("dep_side")


def test_a_task_that_runs_for_long_is_stopped_and_its_run_ends_in_the_target(
    sides: tuple[Side, Side], tmp_path: Path
) -> None:
    old, new = sides
    config = SourceConfig("airflow-db", "old", old.access.database_url, old.access.fernet_key, old.dags)
    source, target = AirflowDatabaseSource(config, b"key", SystemClock()), TargetDatabase(new.access)
    until("slow on both sides", lambda: bool(old.rest.dag("slow") and new.rest.dag("slow")))
    old.rest.set_paused("slow", is_paused=False)
    beats = tmp_path / "old/beats.txt"
    until("the task runs in the source", beats.exists, 180)
    context = cutover.CutoverContext(**{**hand_over_context(source, new, target).__dict__, "stopping": source})

    do(context, cutover.check, "slow", was_paused=False, on_deadline="rerun")
    do(context, cutover.pause, "slow", gap_s=1)
    drained = do(context, cutover.drain, "slow", deadline_s=2, on_deadline="rerun")
    (run_id,) = drained["stopped_runs"]
    counted = beats.stat().st_size
    do(context, cutover.sync, "slow")
    do(context, cutover.prove, "slow", limit_s=120)
    for _ in range(2):  # as after a kill: it is cleared once
        started = do(context, cutover.unpause, "slow", stopped_runs=[run_id])
    assert started["run_again"] == [run_id]
    until("the run ends in the target", lambda: new.rest.run("slow", run_id).state == "success", 240)

    assert beats.stat().st_size == counted  # the process of the source's task had ended when drain said so
    assert (tmp_path / "old/done.txt").read_text().split() == ["first"]
    assert (tmp_path / "new/done.txt").read_text().split() == ["long", "last"]  # what had succeeded is not repeated
    tries = {task.task_id: task.try_number for task in new.rest.task_instances("slow", run_id)}
    assert set(tries) == {"first", "middle", "last"}
    assert old.rest.run("slow", run_id).state == "failed"
    dates: list[Any] = [run.logical_date for run in new.rest.dag_runs("slow") if run.run_type == "scheduled"]
    assert len(dates) == len(set(dates))
    target.close()
    source.close()
