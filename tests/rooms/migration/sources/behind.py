"""What the tests of the metadata database do behind the adapter's back, and how they read its rows."""

from __future__ import annotations

from typing import Any

from sqlalchemy import create_engine, text

from aerodrome.migration.estate.history import HistoryKind, HistoryWindow
from aerodrome.migration.sources.contract import SourceAdapter, SourceConfig

DAGS = ("daily_sales", "implicit_daily", "maintenance", "orders_mapped", "orders_report")


def quiet(_what: str, _done: int, _total: int | None) -> None:
    pass


def execute(config: SourceConfig, statement: str, **values: Any) -> None:
    """Change the source behind the adapter's back, as its own Airflow or an administrator would."""
    engine = create_engine(config.database_url.reveal().replace("+psycopg2", "+psycopg"))
    with engine.begin() as connection:
        connection.execute(text(statement), values)
    engine.dispose()


def query(config: SourceConfig, statement: str) -> list[Any]:
    engine = create_engine(config.database_url.reveal().replace("+psycopg2", "+psycopg"))
    with engine.connect() as connection:
        rows = list(connection.execute(text(statement)))
    engine.dispose()
    return rows


def rows_of(source: SourceAdapter, kind: HistoryKind, window: HistoryWindow) -> list[dict[str, Any]]:
    return [dict(zip(batch.columns, row, strict=True)) for batch in source.history(kind, window) for row in batch.rows]
