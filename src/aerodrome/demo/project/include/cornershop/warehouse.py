"""The warehouse: one SQLite file and a folder of files."""

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

DDL = "CREATE TABLE IF NOT EXISTS fact (subject TEXT, period TEXT, payload TEXT, PRIMARY KEY (subject, period))"


def folder():
    path = Path(os.environ["WAREHOUSE_DIR"])
    path.mkdir(parents=True, exist_ok=True)
    return path


def load(database, subject, period, payload):
    """Write one row per subject and period; loading a period again replaces it."""
    with closing(sqlite3.connect(database, timeout=30)) as connection, connection:
        connection.execute(DDL)
        connection.execute(
            "INSERT OR REPLACE INTO fact (subject, period, payload) VALUES (?, ?, ?)",
            (subject, period, json.dumps(payload, sort_keys=True)),
        )


def count(database, subject):
    with closing(sqlite3.connect(database, timeout=30)) as connection, connection:
        connection.execute(DDL)
        return connection.execute("SELECT count(*) FROM fact WHERE subject = ?", (subject,)).fetchone()[0]
