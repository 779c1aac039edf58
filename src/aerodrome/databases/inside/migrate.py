"""Runs `airflow db migrate` with SQLite's foreign keys off from start to end. Executed by a deployment's own Python.

Airflow 3.0's migration 0032 rebuilds the table dag_run; with foreign keys on, SQLite then empties every table that refers to
it by ON DELETE CASCADE: task_instance, xcom, rendered fields. No error, exit code 0 (measured, 2.11.2 -> 3.0.6 and 3.3.2).
Airflow switches them on at every connection, and some migrations again at their end; here both are overheard.
"""

from __future__ import annotations

import re
import sqlite3
import sys
import uuid
from typing import Any

_SWITCH = re.compile(r"\s*pragma\s+foreign_keys\s*=", re.IGNORECASE)
_OFF = "pragma foreign_keys=off"


def _kept_off(statement: str) -> str:
    return _OFF if _SWITCH.match(statement) else statement


class _Cursor(sqlite3.Cursor):
    def execute(self, statement: str, parameters: Any = ()) -> Any:
        if isinstance(parameters, tuple):
            # 3.0's migration 0060 hands UUIDs to SQLite, which knows none: it fails when any task was retried (3.3.2)
            parameters = tuple(str(one) if isinstance(one, uuid.UUID) else one for one in parameters)
        return super().execute(_kept_off(statement), parameters)


class _Connection(sqlite3.Connection):
    def cursor(self, factory: Any = None) -> Any:
        return super().cursor(factory or _Cursor)

    def execute(self, statement: str, *rest: Any) -> sqlite3.Cursor:
        return super().execute(_kept_off(statement), *rest)


_connect: Any = sqlite3.connect


def _guarded(*arguments: Any, **options: Any) -> Any:
    options["factory"] = _Connection
    return _connect(*arguments, **options)


def main() -> None:
    """Migrate the database that the configuration names."""
    for module in (sqlite3, sys.modules["sqlite3.dbapi2"]):  # what SQLAlchemy's dialect calls
        setattr(module, "connect", _guarded)  # noqa: B010
    from airflow.__main__ import main as airflow

    sys.argv = ["airflow", "db", "migrate"]
    airflow()


if __name__ == "__main__":
    main()
