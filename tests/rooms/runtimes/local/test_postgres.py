"""A private PostgreSQL: nobody gets in without its password, it is found again, and it stops for sure."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import psutil
import psycopg
import pytest

from aerodrome.kernel.errors import Conflict, Invalid, Unavailable
from aerodrome.kernel.secret import Secret
from aerodrome.runtimes.local.postgres import PostgresServer, find_binaries, new_password


def test_missing_programs_are_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as caught:
        find_binaries(tmp_path)
    assert caught.value.code == "postgres-missing"
    assert "apt-get install postgresql" in caught.value.hint


def test_database_names_are_checked(postgres_server: PostgresServer) -> None:
    for name in ("", "1a", 'a"b', "A", "a" * 64, "a;b"):
        with pytest.raises(Invalid):
            postgres_server.create_database(name)


def test_only_the_password_opens_it(postgres_server: PostgresServer) -> None:
    url = postgres_server.url("postgres").reveal()
    for wrong in ("", "postgres", "aerodrome"):
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(
                host="127.0.0.1",
                port=postgres_server.port,
                user=postgres_server.user,
                password=wrong,
                dbname="postgres",
                passfile=os.devnull,
            )
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        row = connection.execute(
            "select current_setting('listen_addresses'), current_setting('unix_socket_directories')"
        ).fetchone()
    assert row == ("127.0.0.1", "")
    assert "•••" in f"{postgres_server.url('postgres')}"


def test_life_of_a_server(tmp_path: Path, free_port: Callable[[], int]) -> None:
    """Start, start again, find again from another object, stop, stop again, start with the same data, survive a kill, delete."""
    password = new_password()
    port = free_port()
    server = PostgresServer(tmp_path / "pg", port, password=password, is_fast=True)
    try:
        server.start()
        pid = server.pid()
        assert pid is not None
        server.start()
        assert server.pid() == pid
        same = PostgresServer(tmp_path / "pg", port, password=password, is_fast=True)
        assert same.pid() == pid
        assert password.reveal() not in " ".join(psutil.Process(pid).cmdline())
        assert password.reveal() not in server.log.read_text()
        assert not list(server.folder.glob("pw-*"))
        if os.geteuid() == 0:
            assert psutil.Process(pid).uids().real != 0
            assert server.moved_because
        assert (server.folder.stat().st_mode & 0o777) == 0o700

        url = server.create_database("one")
        assert server.create_database("one") == url
        with psycopg.connect(url.reveal().replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute("create table t as select 7 as x")
        same.stop()
        assert not server.is_running()
        assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
        server.stop()

        server.start()
        with psycopg.connect(url.reveal().replace("+psycopg", "")) as connection:
            assert connection.execute("select x from t").fetchone() == (7,)

        killed = server.pid()
        assert killed is not None
        psutil.Process(killed).kill()
        psutil.wait_procs([psutil.Process(killed)] if psutil.pid_exists(killed) else [], timeout=5)
        assert not server.is_running()
        server.start()
        with psycopg.connect(url.reveal().replace("+psycopg", "")) as connection:
            assert connection.execute("select x from t").fetchone() == (7,)
        server.drop_database("one")
        server.drop_database("one")
    finally:
        server.delete()
    assert not server.folder.exists()


def test_wrong_password_is_told(tmp_path: Path, free_port: Callable[[], int]) -> None:
    server = PostgresServer(tmp_path / "pg", free_port(), password=new_password(), is_fast=True)
    try:
        server.start()
        other = PostgresServer(tmp_path / "pg", server.port, password=Secret("not-this-one"), is_fast=True)
        with pytest.raises(Unavailable) as caught:
            other.start(timeout_s=5)
        assert caught.value.code == "postgres-not-ready"
        assert "not-this-one" not in str(caught.value)
    finally:
        server.delete()


def test_a_taken_port_is_told_and_a_recycled_pid_is_not_ours(tmp_path: Path, postgres_server: PostgresServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = PostgresServer(tmp_path / "pg", port, password=new_password(), is_fast=True)
        try:
            with pytest.raises(Conflict) as caught:
                server.start()
            assert caught.value.code == "port-in-use"
            stranger = postgres_server.pid()
            for pid in (os.getpid(), stranger, 2**22 - 1):
                (server.data / "postmaster.pid").write_text(f"{pid}\n{server.data}\n0\n{port}\n")
                assert server.pid() is None
            server.stop()
            assert postgres_server.pid() == stranger
        finally:
            server.delete()
