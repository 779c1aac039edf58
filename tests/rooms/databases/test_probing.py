"""An existing database named by a person. Breaks with a deployment that is created and never starts, without a reason."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest
from psycopg import sql

from aerodrome.databases.probing import probe
from aerodrome.kernel.errors import AerodromeError
from aerodrome.kernel.secret import Secret
from aerodrome.runtimes.local.postgres import PostgresServer


def code_of(url: str) -> str:
    with pytest.raises(AerodromeError) as caught:
        probe(Secret(url))
    assert "sesame" not in str(caught.value)
    assert caught.value.details == {"field": "database_url"}
    return caught.value.code


def test_an_empty_database_of_ones_own_is_taken(postgres_url: str) -> None:
    facts = probe(Secret(postgres_url))
    assert facts.may_create_databases
    assert "@127.0.0.1" in facts.label
    assert "***" not in facts.label
    assert probe(Secret(postgres_url)) == facts  # nothing was left behind


def test_what_is_wrong_is_said_exactly(
    postgres_server: PostgresServer, postgres_url: str, free_port: Callable[[], int]
) -> None:
    base, _, name = postgres_url.rpartition("/")
    address = base.rpartition("@")[2]
    assert code_of(f"postgresql://x:sesame@127.0.0.1:{free_port()}/a") == "database-unreachable"
    assert code_of(f"postgresql://{postgres_server.user}:sesame@{address}/{name}") == "database-login-refused"
    assert code_of(f"{base}/no_such_database") == "database-unknown"
    assert code_of("mysql://x:sesame@h/a") == "database-kind-unsupported"
    assert code_of("postgresql://x:sesame") == "database-url-malformed"
    assert code_of("postgresql://x:open@sesame@h/a") == "database-url-malformed"  # an @ that is not in percent form
    with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("create table theirs (n int)")
        assert code_of(postgres_url) == "database-not-empty"
        connection.execute("drop table theirs")
        reader = sql.Identifier(f"reader_{name}")
        connection.execute(sql.SQL("create role {} login password 'sesame'").format(reader))
        try:
            assert code_of(f"postgresql://reader_{name}:sesame@{address}/{name}") == "database-right-missing"
        finally:
            connection.execute(sql.SQL("drop role {}").format(reader))
        latin = sql.Identifier(f"latin_{name}")
        connection.execute(sql.SQL("create database {} encoding 'LATIN1' template template0 locale 'C'").format(latin))
        try:
            assert code_of(f"{base}/latin_{name}") == "database-encoding"
        finally:
            connection.execute(sql.SQL("drop database {}").format(latin))
