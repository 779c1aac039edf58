"""A full disk, a busy or an absent database: one sentence, nothing half written, and it goes on afterwards."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError, ProgrammingError

from aerodrome.kernel.errors import Stale, Unavailable
from aerodrome.runtimes.local.postgres import PostgresServer, new_password
from aerodrome.store import Store, now, open_store
from aerodrome.store.tables.secret import SecretRow


def _put(store: Store, path: str, size: int) -> None:
    with store.writing() as session:
        moment = now(session)
        session.add(SecretRow(path=path, ciphertext="x" * size, created_at=moment, updated_at=moment))


def _paths(store: Store) -> list[str]:
    with store.reading() as session:
        return list(session.scalars(text("select path from secret order by path")))


def test_a_full_disk(store: Store) -> None:
    if store.dialect == "postgresql":  # PostgreSQL's own words and state for it (53100), raised by the server
        words = "could not extend file: No space left on device"
        raising = text(f"do $$ begin raise exception using errcode = '53100', message = '{words}'; end $$")
        with pytest.raises(Unavailable) as caught, store.writing() as session:
            session.execute(raising)
        assert caught.value.code == "disk-full"
        return
    _put(store, "before", 10)
    with store.writing() as session:
        pages = session.scalar(text("pragma page_count"))
        session.execute(text(f"pragma max_page_count = {pages + 2}"))
    with pytest.raises(Unavailable) as caught:
        _put(store, "too much", 200_000)
    assert caught.value.code == "disk-full"
    assert _paths(store) == ["before"]
    with store.writing() as session:
        session.execute(text("pragma max_page_count = 1000000"))
    _put(store, "then", 200_000)
    assert _paths(store) == ["before", "then"]


def test_our_own_mistakes_stay_visible(store: Store) -> None:
    with pytest.raises((OperationalError, ProgrammingError)), store.reading() as session:
        session.execute(text("select nothing from nowhere"))


def test_a_deadlock_is_stale_for_one_of_the_two(store: Store) -> None:
    """PostgreSQL ends one of two transactions that wait for each other; on SQLite the second waits at its start."""
    if store.dialect == "sqlite":
        return
    for path in "ab":
        _put(store, path, 1)
    meet = threading.Barrier(2)
    codes: list[str] = []

    def change(first: str, second: str) -> None:
        try:
            with store.writing() as session:
                session.execute(text("update secret set ciphertext = 'y' where path = :p"), {"p": first})
                meet.wait(10)
                session.execute(text("update secret set ciphertext = 'y' where path = :p"), {"p": second})
            codes.append("done")
        except Stale as error:
            codes.append(error.code)

    threads = [threading.Thread(target=change, args=pair) for pair in (("a", "b"), ("b", "a"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == ["database-conflict", "done"]


def test_a_server_that_goes_away_and_comes_back(tmp_path: Path, free_port: Callable[[], int]) -> None:
    server = PostgresServer(tmp_path / "pg", free_port(), password=new_password(), is_fast=True)
    try:
        server.start()
        store = open_store(server.create_database("x").reveal())
        with store.reading() as session:
            assert session.scalar(text("select 1")) == 1
        with pytest.raises(Unavailable) as caught, store.reading() as session:  # noqa: PT012
            session.execute(text("select 1"))
            server.stop()
            session.execute(text("select 1"))
        assert caught.value.code == "database-unreachable"
        with pytest.raises(Unavailable), store.reading() as session:
            session.execute(text("select 1"))
        server.start()
        with store.reading() as session:
            assert session.scalar(text("select 1")) == 1
        store.close()
    finally:
        server.delete()
