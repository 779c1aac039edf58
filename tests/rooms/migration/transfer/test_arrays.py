"""Lists of keys go to PostgreSQL as one text. If this breaks, a run with an odd name is not found again and moves twice."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine, text

from aerodrome.migration.transfer.arrays import array_literal, array_text
from aerodrome.runtimes.local.postgres import PostgresServer

ODD = ['a"b', "a\\", "it's", "a,b", "{x}", "", " ", "NULL", "ünï\t\n", '","', "plain"]


@pytest.mark.parametrize("values", [[], ["plain"], ["one", "two"], ODD], ids=["none", "one", "two", "odd"])
def test_postgresql_reads_the_same_texts(values: list[str], postgres_server: PostgresServer) -> None:
    engine = create_engine(postgres_server.url("postgres").reveal())
    with engine.connect() as connection:
        sent = connection.execute(text("select cast(:given as text[])"), {"given": array_text(values)}).scalar()
        written = connection.exec_driver_sql(f"select {array_literal(values).replace('%', '%%')}::text[]").scalar()
    engine.dispose()
    assert sent == values
    assert written == values
