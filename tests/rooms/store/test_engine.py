"""Transactions: nothing lost, nothing half, no secrets in errors."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from aerodrome.kernel.clock import ManualClock
from aerodrome.kernel.errors import Broken, Invalid, Unavailable
from aerodrome.store import Store, now, open_store
from aerodrome.store.tables.cluster import ClusterRow


def _add(store: Store, name: str) -> None:
    with store.writing() as session:
        session.add(ClusterRow(id=name, name=name, kind="local", settings={}, version=0, created_at=now(session)))


def test_no_increment_is_lost(store: Store) -> None:
    """Read-then-write by 8 threads at once: the last value counts every one."""
    _add(store, "counter")
    with store.writing() as session:
        session.execute(text("update cluster set version = 0"))

    def increment(_: int) -> None:
        with store.writing() as session:
            query = "select version from cluster" + (" for update" if store.dialect == "postgresql" else "")
            value = session.scalar(text(query))
            session.execute(text("update cluster set version = :v"), {"v": value + 1})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(increment, range(200)))
    with store.reading() as session:
        assert session.scalar(text("select version from cluster")) == 200


def test_an_error_rolls_all_back(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.writing() as session:  # noqa: PT012
        session.add(ClusterRow(id="x", name="x", kind="local", settings={}, version=0, created_at=now(session)))
        session.flush()
        raise ZeroDivisionError
    with store.reading() as session:
        assert session.scalar(text("select count(*) from cluster")) == 0


def test_reading_is_a_snapshot_and_keeps_nothing(store: Store) -> None:
    with store.reading() as session:
        assert session.scalar(text("select count(*) from cluster")) == 0
        with ThreadPoolExecutor(1) as pool:
            pool.submit(_add, store, "late").result()
        assert session.scalar(text("select count(*) from cluster")) == 0
    with store.reading() as session:
        row = session.get(ClusterRow, "late")
    assert row is not None
    assert row.name == "late"


def test_reading_on_postgresql_cannot_write(store: Store) -> None:
    if store.dialect == "sqlite":
        with store.reading() as session:
            session.execute(text("update cluster set name = 'x'"))  # not refused, but rolled back
        return
    with pytest.raises(DBAPIError, match="read-only"), store.reading() as session:
        session.execute(text("update cluster set name = 'x'"))


def test_writing_inside_writing_is_refused_at_once(store: Store) -> None:
    with store.writing(), pytest.raises(Broken) as caught, store.writing():
        pass
    assert caught.value.code == "transaction-nested"
    _add(store, "afterwards")


def test_moments_come_back_aware(store: Store, clock: ManualClock) -> None:
    _add(store, "x")
    with store.reading() as session:
        row = session.get(ClusterRow, "x")
        assert row is not None
        assert row.created_at == clock.now()
        assert row.created_at.utcoffset() is not None


@pytest.mark.parametrize(
    "url",
    [
        "", "mysql://u:canary-11@127.0.0.1/x", "sqlite://", "sqlite:///:memory:", "no url canary-11",
        "postgresql://u:canary-11@127.0.0.1:port/x", "postgresql://u:an@canary-11@127.0.0.1/x",
    ],
)  # fmt: skip
def test_a_url_that_is_not_ours(url: str) -> None:
    with pytest.raises(Invalid) as caught:
        open_store(url)
    assert caught.value.code in {"database-url-invalid", "database-url-malformed"}
    assert "canary-11" not in str(caught.value)


def test_an_unreachable_database_is_one_sentence(free_port: object, tmp_path: Path) -> None:
    assert callable(free_port)
    for url in (f"postgresql://u:canary-12@127.0.0.1:{free_port()}/x", f"sqlite:///{tmp_path}/folder.db"):
        (tmp_path / "folder.db").mkdir(exist_ok=True)
        store = open_store(url)
        with pytest.raises(Unavailable) as caught:
            store.check()
        assert caught.value.code == "database-unreachable"
        assert "canary-12" not in str(caught.value)
        store.close()


def test_a_sqlite_file_is_closed_to_others(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/new/x.db")
    store.check()
    assert stat.S_IMODE((tmp_path / "new" / "x.db").stat().st_mode) == 0o600
    store.close()


def test_an_error_of_the_database_shows_no_parameters(store: Store) -> None:
    """A unique value given twice raises; the error, which may be logged, must not repeat what was to be written."""
    _add(store, "canary-13")
    with pytest.raises(DBAPIError) as caught:
        _add(store, "canary-13")
    shown = str(caught.value) + repr(caught.value)
    assert "hidden" in shown
    if store.dialect == "sqlite":  # PostgreSQL's own message names the key; ours are hashes and ids
        assert "canary-13" not in shown
