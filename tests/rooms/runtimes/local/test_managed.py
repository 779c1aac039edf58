"""The managed PostgreSQL server. Breaks for every deployment whose metadata live there."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from aerodrome.kernel.secret import Secret
from aerodrome.runtimes.local import keeper
from aerodrome.runtimes.local.managed import ManagedPostgres
from aerodrome.runtimes.local.postgres import new_password


@pytest.fixture
def managed(tmp_path: Path) -> Iterator[ManagedPostgres]:
    server = ManagedPostgres(tmp_path / "postgres", is_fast=True)
    yield server
    made = server._server()
    server.stop()
    if made is not None:
        made.delete()


def connect(url: Secret) -> psycopg.Connection:
    return psycopg.connect(url.reveal().replace("+psycopg", ""), autocommit=True)


def test_each_deployment_has_a_database_that_no_other_enters(managed: ManagedPostgres) -> None:
    assert not managed.is_wanted()
    one, two = managed.create("dep_one", new_password()), managed.create("dep_two", new_password())
    with connect(one) as connection:
        connection.execute("create table kept (n int)")
        connection.execute("create database dep_one_copy")  # beside its own, for rehearsals
    foreign = Secret(two.reveal().removesuffix("dep_two") + "dep_one")
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        connect(foreign)
    password = new_password()
    again = managed.create("dep_one", password)  # repeated after a crash: a new password, the same data
    with connect(again) as connection:
        assert connection.execute("select count(*) from kept").fetchone() == (0,)
    with pytest.raises(psycopg.OperationalError, match="password"):
        connect(one)
    assert (managed.is_empty("dep_one"), managed.is_empty("dep_two")) == (False, True)
    managed.drop("dep_one")
    managed.drop("dep_one")
    assert managed.names() == ["dep_two"]
    managed.drop("dep_two")
    assert not managed.is_wanted()
    assert not keeper.is_kept(managed.folder)


def test_it_outlives_whoever_started_it_and_comes_back_when_killed(managed: ManagedPostgres) -> None:
    url = managed.create("dep_one", new_password())
    before = managed.ensure().pid()
    assert before is not None
    found = ManagedPostgres(managed.folder, is_fast=True)  # another process, later
    assert found.ensure().pid() == before
    os.kill(before, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while found.ensure().pid() in (None, before):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    with connect(url) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
