"""A target that is not what it should be is refused with one sentence, before anything is written."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.rooms.migration.transfer.conftest import AIRFLOW, MemorySource, make_history

from aerodrome.kernel.errors import AerodromeError, Invalid, Unavailable
from aerodrome.kernel.secret import Secret
from aerodrome.migration.transfer import TargetDatabase, move_history
from aerodrome.runtimes.contract import AirflowAccess

CANARY = "canary-5d1f"


def open_target(url: str) -> TargetDatabase:
    return TargetDatabase(AirflowAccess("", AIRFLOW, Secret(url), Secret(""), Secret("")))


def test_a_deployment_that_never_started_is_not_ready(tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as caught:
        move_history(MemorySource(), open_target(f"sqlite:///{tmp_path / 'none.db'}"), ["a"])
    assert caught.value.code == "target-not-ready"
    assert not (tmp_path / "none.db").exists()


def test_an_unknown_schema_is_refused(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        connection.execute("create table alembic_version (version_num text)")
        connection.execute("insert into alembic_version values ('1949afb29106')")  # 2.9.0
        connection.commit()
    target = open_target(f"sqlite:///{tmp_path / 'other.db'}")
    with pytest.raises(Invalid) as caught:
        move_history(MemorySource(), target, ["a"])
    target.close()
    assert caught.value.code == "target-schema-unknown"


def test_an_empty_file_is_not_ready(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    target = open_target(f"sqlite:///{tmp_path / 'empty.db'}")
    with pytest.raises(Unavailable) as caught:
        _ = target.schema_version
    target.close()
    assert caught.value.code == "target-not-ready"


@pytest.mark.parametrize("url", [f"mysql://u:{CANARY}@h/x", f"postgresql://u:{CANARY}@127.0.0.1:1/x", CANARY])
def test_no_error_shows_the_password(url: str) -> None:
    with pytest.raises(AerodromeError) as caught:
        _ = open_target(url).schema_version
    assert CANARY not in f"{caught.value} {caught.value.as_data()} {caught.value!r}"


@pytest.mark.airflow
def test_a_busy_airflow_is_waited_for(target: TargetDatabase, add_dags: Callable[..., None], target_url: str) -> None:
    """The scheduler writes at the same time; its lock delays a batch and fails nothing."""
    add_dags("daily")
    if target.dialect != "sqlite":
        return
    holder = sqlite3.connect(target_url.removeprefix("sqlite:///"), check_same_thread=False, isolation_level=None)
    holder.execute("begin immediate")
    timer = threading.Timer(1.0, lambda: holder.execute("rollback"))
    timer.start()
    outcome = move_history(MemorySource(rows=make_history("daily", 2)), target, ["daily"])
    timer.join()
    holder.close()
    assert outcome.is_proven
    with target.reading() as connection:
        assert connection.scalar(text("select count(*) from task_instance")) == 4
