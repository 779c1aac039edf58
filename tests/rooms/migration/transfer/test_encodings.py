"""Sources in PostgreSQL whose databases are not UTF-8. If these break, an old server's names arrive as bytes or as other letters."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import make_url
from tests.matrix import wide
from tests.rooms.migration.aged import Aged, copied, run_in_postgres
from tests.rooms.migration.transfer.conftest import add_dags_to
from tests.rooms.migration.transfer.test_sql_lane import DAG_IDS

from aerodrome.kernel.clock import SystemClock
from aerodrome.kernel.errors import Invalid
from aerodrome.migration.sources.registry import open_source
from aerodrome.migration.transfer import HistoryMoved, TargetDatabase, move_history

WORD = "Jürgen"
ENCODINGS = ["SQL_ASCII", *wide("LATIN1")]
"""What `createdb` makes where the server was set up with LANG=C, and with a western locale of old."""


@pytest.fixture
def written(aged: Callable[..., Aged]) -> Callable[[str, str], Aged]:
    """Give what copies a source of 2.11.2 into a database of another encoding, with a name that a client of an encoding wrote."""

    def write(encoding: str, client: str) -> Aged:
        copy = copied(aged("2.11.2", "postgresql"), encoding)
        change = f"set client_encoding to {client}; update task_instance set unixname = '{WORD}'"
        data = change.encode("latin-1" if client == "SQL_ASCII" else "utf-8")
        run_in_postgres(copy, "psql", "--quiet", "--set=ON_ERROR_STOP=1", str(make_url(copy.url).database), data=data)
        return copy

    return write


def move(old: Aged, target: TargetDatabase) -> HistoryMoved:
    add_dags_to(target, *DAG_IDS)
    source = open_source(old.config, b"fingerprints", SystemClock())
    try:
        assert all(probe.is_ok for probe in source.describe().probes if probe.is_required)
        return move_history(source, target, DAG_IDS)
    finally:
        source.close()


@pytest.mark.airflow
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_names_arrive_as_they_are_meant(
    encoding: str, written: Callable[[str, str], Aged], target: TargetDatabase
) -> None:
    assert move(written(encoding, "UTF8"), target).is_proven
    with target.reading() as connection:
        names = connection.exec_driver_sql("select distinct unixname from task_instance").scalars().all()
    assert names == [WORD]


@pytest.mark.airflow
def test_bytes_that_are_no_text_are_told(written: Callable[[str, str], Aged], target: TargetDatabase) -> None:
    with pytest.raises(Invalid) as caught:
        move(written("SQL_ASCII", "SQL_ASCII"), target)
    assert caught.value.code == "source-text-unreadable"
    assert "rgen" not in caught.value.message + (caught.value.hint or "")
