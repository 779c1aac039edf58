"""What goes wrong at the border of a source gives one sentence with a next step, and never a password."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from aerodrome.airflowkit.metadata import MetadataDatabase
from aerodrome.kernel.errors import AerodromeError
from aerodrome.kernel.secret import Secret


def failure(url: str) -> AerodromeError:
    with pytest.raises(AerodromeError) as error:
        _ = MetadataDatabase(Secret(url)).columns
    assert error.value.hint
    assert "canary" not in f"{error.value} {error.value.details} {error.value!r}"
    return error.value


def test_missing_file_is_not_created(tmp_path: Path) -> None:
    assert failure(f"sqlite:///{tmp_path / 'none.db'}").code == "source-unreachable"
    assert not (tmp_path / "none.db").exists()


def test_another_database_is_recognised(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute("create table dag (x)")
    connection.close()
    assert failure(f"sqlite:///{path}").code == "not-an-airflow-database"
    (tmp_path / "text.db").write_text("this is no database, only a long enough text to be read as one" * 20)
    assert failure(f"sqlite:///{tmp_path / 'text.db'}").code == "not-an-airflow-database"


def test_closed_port_is_unreachable(free_port: Callable[[], int]) -> None:
    assert failure(f"postgresql://u:canary-pw@127.0.0.1:{free_port()}/x").code == "source-unreachable"


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("oracle://u:canary@h/x", "database-kind-unsupported"),
        ("no url with canary", "database-url-malformed"),
        ("sqlite://", "database-kind-unsupported"),
    ],
)
def test_urls_that_cannot_be_used(url: str, code: str) -> None:
    assert failure(url).code == code


def test_live_wal_database_is_read_and_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "wal.db"
    writer = sqlite3.connect(path)
    writer.execute("pragma journal_mode=wal")
    writer.execute("create table t (x)")
    writer.execute("insert into t values (1)")
    writer.commit()
    database = MetadataDatabase(Secret(f"sqlite:///{path}"))
    with database.reading() as connection:
        assert connection.exec_driver_sql("select x from t").scalar() == 1
    writer.execute("insert into t values (2)")
    writer.commit()
    with database.reading() as connection:
        assert connection.exec_driver_sql("select count(*) from t").scalar() == 2
    with pytest.raises(AerodromeError), database.reading() as connection:
        connection.exec_driver_sql("insert into t values (3)")
    writer.close()
    with database.reading() as connection:  # nobody has it open now, the -wal file is gone
        assert connection.exec_driver_sql("select count(*) from t").scalar() == 2
    database.close()
