"""validate.objects against a metadata database laid out like Airflow 3.3.2's. If it breaks, a DAG starts without its secrets."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from cryptography.fernet import Fernet

from aerodrome.kernel.secret import Secret
from aerodrome.migration.transfer.target import TargetDatabase
from aerodrome.migration.validate import validate_objects
from aerodrome.runtimes.contract import AirflowAccess


def made(path: Path, key: bytes, other: bytes) -> TargetDatabase:
    with sqlite3.connect(path) as database:
        database.executescript(
            "create table alembic_version (version_num text); insert into alembic_version values ('d2f4e1b3c5a7');"
            "create table connection (id integer primary key, conn_id text, password text, extra text,"
            " is_encrypted bool, is_extra_encrypted bool);"
            "create table variable (id integer primary key, key text, val text, is_encrypted bool);"
            "create table slot_pool (id integer primary key, pool text);"
            "insert into slot_pool (pool) values ('default_pool');"
        )
        database.executemany(
            "insert into connection (conn_id, password, extra, is_encrypted, is_extra_encrypted) values (?, ?, ?, ?, ?)",
            [
                ("warehouse", Fernet(key).encrypt(b"canary-one").decode(), None, True, False),
                ("lost", Fernet(other).encrypt(b"canary-two").decode(), None, True, False),
                ("open", "", "", False, False),
            ],
        )
        database.execute(
            "insert into variable (key, val, is_encrypted) values (?, ?, ?)",
            ("country", Fernet(key).encrypt(b"canary-three").decode(), True),
        )
    database.close()
    return TargetDatabase(
        AirflowAccess("http://127.0.0.1:1", "3.3.2", Secret(f"sqlite:///{path}"), Secret(key.decode()), Secret("k"))
    )


def test_an_object_must_exist_and_open(tmp_path: Path) -> None:
    target = made(tmp_path / "airflow.db", Fernet.generate_key(), Fernet.generate_key())
    rows = validate_objects(
        target,
        {
            "connections": ["warehouse", "lost", "open", "absent"],
            "variables": ["country", "gone"],
            "pools": ["default_pool", "small"],
        },
    )
    target.close()
    assert [(row.check, row.subject) for row in rows if not row.is_ok] == [
        ("connection-opens", "lost"),
        ("connection-exists", "absent"),
        ("variable-exists", "gone"),
        ("pool-exists", "small"),
    ]
    assert len(rows) == 8
    assert "canary" not in repr(rows)


def test_a_moved_value_that_another_place_hides_is_told(tmp_path: Path) -> None:
    """Airflow asks secrets backends and variables before its database: the moved value would stand there unread."""
    target = made(tmp_path / "airflow.db", Fernet.generate_key(), Fernet.generate_key())
    wanted = {"connections": ["warehouse", "open", "absent"], "variables": ["country"], "pools": ["default_pool"]}
    first = {
        ("connection", "warehouse"): "the secrets backend vault",
        ("connection", "absent"): "the environment manager (workspace)",
        ("variable", "country"): "the environment variable AIRFLOW_VAR_COUNTRY",
    }
    rows = validate_objects(target, wanted, first)
    target.close()
    assert [(row.check, row.subject, row.severity) for row in rows if not row.is_ok] == [
        ("connection-hidden", "warehouse", "warning"),
        ("variable-hidden", "country", "warning"),
    ]
    assert "AIRFLOW_VAR_COUNTRY" in next(row.message for row in rows if row.check == "variable-hidden")
    assert ("connection-exists", "absent", True) in {(row.check, row.subject, row.is_ok) for row in rows}
