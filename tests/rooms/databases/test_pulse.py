"""The pulse of a real metadata database with history, on both databases. If it breaks, health and metrics are blind."""

from __future__ import annotations

import pytest
from tests.rooms.databases.history import rows

from aerodrome.airflowkit import vitals
from aerodrome.kernel.errors import Unavailable
from aerodrome.kernel.secret import Secret

pytestmark = pytest.mark.airflow


def test_a_thorough_look_counts_everything(newer_url: Secret, database: str) -> None:
    with rows(newer_url) as airflow:
        states = dict(airflow.all("select coalesce(state, 'none'), count(*) from task_instance group by 1"))
        runs = dict(airflow.all("select state, count(*) from dag_run group by 1"))
        airflow.run("insert into import_error (filename, stacktrace) values ('dags/broken.py', 'x')")
    pulse = vitals.take(newer_url, is_thorough=True)
    assert {state: count for state, count in pulse.task_instances.items() if count} == states
    assert dict(pulse.dag_runs) == runs
    assert (pulse.dialect, pulse.import_error_count, pulse.import_errors) == (database, 1, ("dags/broken.py",))
    assert pulse.size_bytes > 500_000
    assert pulse.tables["task_instance"] >= sum(states.values())
    assert "default_pool" in {pool.name for pool in pulse.pools}
    quick = vitals.take(newer_url)
    assert set(quick.task_instances) == set(vitals.UNFINISHED)
    assert quick.tables == {}


def test_a_look_writes_nothing_and_does_not_wait_for_a_writer(newer_url: Secret) -> None:
    with rows(newer_url) as airflow:
        airflow.run("update slot_pool set description = 'held by a transaction that stays open'")
        assert vitals.take(newer_url).pools


def test_what_does_not_answer_is_said_without_its_password() -> None:
    with pytest.raises(Unavailable) as caught:
        vitals.take(Secret("postgresql+psycopg://ann:hunter2@127.0.0.1:1/airflow"))
    assert "hunter2" not in str(caught.value) + repr(caught.value.__cause__)
