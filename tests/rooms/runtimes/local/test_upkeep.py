"""Airflow's log files and pools. Breaks with a full disk, or with logs of a running task that are gone."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.conftest import Legacy

from aerodrome.kernel.secret import Secret
from aerodrome.runtimes.local import airflow_logs, upkeep

DAY = 86_400


def write(path: Path, age_days: float, size: int = 10) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    moment = time.time() - age_days * DAY
    os.utime(path, (moment, moment))
    return path


def test_old_task_logs_go_and_those_of_unfinished_runs_stay(tmp_path: Path) -> None:
    old = write(tmp_path / "dag_id=a/run_id=manual__1/task_id=t/attempt=1.log", 91)
    mapped = write(tmp_path / "dag_id=a/run_id=manual__1/task_id=m/map_index=0/attempt=1.log", 91)
    young = write(tmp_path / "dag_id=a/run_id=manual__2/task_id=t/attempt=1.log", 89)
    running = write(tmp_path / "dag_id=a/run_id=manual__3/task_id=t/attempt=1.log", 200)
    foreign = write(tmp_path / "notes/keep.txt", 900)
    link = tmp_path / "dag_id=a/run_id=manual__1/task_id=t/latest"
    link.symlink_to(foreign)
    removed = airflow_logs.tidy(tmp_path, 90, {("a", "manual__3")})
    assert (removed.files, removed.size_bytes) == (2, 20)
    assert not old.exists()
    assert not mapped.parent.exists()
    assert young.exists()
    assert running.exists()
    assert foreign.exists()
    link.unlink()
    airflow_logs.tidy(tmp_path, 90, {("a", "manual__3")})
    assert not (tmp_path / "dag_id=a/run_id=manual__1").exists()
    assert airflow_logs.tidy(tmp_path, 0, set()).files == 0


def test_logs_of_components_are_bounded(tmp_path: Path) -> None:
    old = write(tmp_path / "dag_processor/2026-01-01/one.py.log", 8)
    huge = write(tmp_path / "dag_processor_manager/dag_processor_manager.log", 0, airflow_logs.COMPONENT_BYTES + 1)
    with huge.open("ab") as writer:
        airflow_logs.tidy(tmp_path, 0, set())
        writer.write(b"goes on")
    assert not old.exists()
    assert huge.read_bytes() == b"goes on"


@pytest.mark.airflow
def test_pools_are_made_true_and_others_are_left_alone(legacy: Legacy) -> None:
    url = Secret(legacy.url)
    assert upkeep.set_pools(url, {"default_pool": 77, "warehouse": 3}) == ("default_pool", "warehouse")
    assert upkeep.set_pools(url, {"default_pool": 77, "warehouse": 3}) == ()
    engine = sa.create_engine(legacy.url)
    with engine.connect() as connection:
        pools = {row.pool: row.slots for row in connection.execute(sa.text("select pool, slots from slot_pool"))}
    engine.dispose()
    assert pools["default_pool"] == 77
    assert pools["warehouse"] == 3
    assert isinstance(upkeep.unfinished_runs(url), set)


@pytest.mark.airflow
def test_the_oldest_unfinished_run_holds_a_cleaning_back(legacy: Legacy) -> None:
    url, engine = Secret(legacy.url), sa.create_engine(legacy.url)
    with engine.begin() as connection:
        connection.execute(sa.text("update dag_run set state = 'success'"))
    assert upkeep.oldest_unfinished(url) is None
    with engine.begin() as connection:
        row = connection.execute(sa.text("select dag_id, run_id from task_instance limit 1")).one()
        which = "where dag_id = :dag_id and run_id = :run_id"
        names = {"dag_id": row.dag_id, "run_id": row.run_id}
        connection.execute(sa.text(f"update dag_run set state = 'running' {which}"), names)
        # cleared: the run began again, and a task of it is older than that
        connection.execute(sa.text(f"update task_instance set start_date = '2020-02-02 02:00:00' {which}"), names)
    engine.dispose()
    found = upkeep.oldest_unfinished(url)
    assert found is not None
    assert (found.dag_id, found.run_id) == (row.dag_id, row.run_id)
    assert found.since == datetime(2020, 2, 2, 2, tzinfo=UTC)
