"""Clients of another library behind a hook are found by every way to them, where the source is Airflow 1.10; cx_Oracle follows its hook."""

from __future__ import annotations

import pytest

from aerodrome.migration.codemod.contract import Options
from aerodrome.migration.codemod.engine import Rewritten, rewrite
from aerodrome.migration.codemod.rules import RULES

_WASB = "from airflow.contrib.hooks.wasb_hook import WasbHook\n"
_BIGQUERY = "from airflow.contrib.hooks.bigquery_hook import BigQueryHook\n"
_ORACLE = "from airflow.hooks.oracle_hook import OracleHook\n"


def apply(source: str, version: str = "1.10.15") -> Rewritten:
    return rewrite(source.encode(), RULES, Options(source_version=version))


def found(source: str, version: str = "1.10.15", rule: str = "hook-client") -> list[int]:
    return [spot.line for code, spot in apply(source, version).spots if code == rule]


@pytest.mark.parametrize(
    ("source", "line"),
    [
        (_WASB + "client = WasbHook('a').get_conn()\n", 2),
        (_WASB + "def f():\n    hook = WasbHook('a')\n    hook.connection.list_blobs('b')\n", 4),
        (_WASB + "class A:\n    def f(self):\n        self.hook = WasbHook('a')\n        self.hook.get_conn()\n", 5),
        ("from airflow.contrib.hooks.gcp_pubsub_hook import PubSubHook\nPubSubHook().get_conn().projects()\n", 2),
    ],
)
def test_another_client_is_found(source: str, line: int) -> None:
    assert found(source) == [line]
    assert found(source, "2.9.3") == []  # its hook gives the client of today


@pytest.mark.parametrize(
    "source",
    [
        _WASB + "WasbHook('a').load_file('b', 'c', 'd')\n",
        _WASB + "WasbHook('a').get_connection('b').host\n",
        _WASB
        + "class Hook(WasbHook):\n    def get_conn(self):\n        return 1\n\n    def f(self):\n        return self.get_conn()\n",
        "from airflow.hooks.S3_hook import S3Hook\nS3Hook('a').get_conn().list_buckets()\n",
        "import airflow\n\n\ndef f(hook):\n    return hook.get_conn(), hook.connection\n",
    ],
)
def test_what_is_the_same_or_unknown_is_left(source: str) -> None:
    assert found(source) == []


def test_a_cursor_of_bigquery_is_followed_by_its_names() -> None:
    source = (
        _BIGQUERY
        + "def f():\n    hook = BigQueryHook('a')\n    conn = hook.get_conn()\n    cursor = conn.cursor()\n    cursor.run_load('b', [], [])\n"
    )
    assert found(source, rule="hook-method") == [6]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("import cx_Oracle\n", "import oracledb as cx_Oracle\n"),
        ("import cx_Oracle as oracle\n", "import oracledb as oracle\n"),
        ("from cx_Oracle import NUMBER, DatabaseError\n", "from oracledb import NUMBER, DatabaseError\n"),
    ],
)
def test_errors_and_types_follow_the_hook(old: str, new: str) -> None:
    done = apply(_ORACLE + old + "rows = OracleHook('a').get_conn()\n")
    assert new in done.text.decode()
    assert "hook-client" not in {code for code, _ in done.spots}
    assert apply(done.text.decode()).text == done.text


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        (_ORACLE + "import cx_Oracle\nOracleHook('a').get_conn()\ncx_Oracle.connect('b')\n", [2]),
        (_ORACLE + "from cx_Oracle import connect\nOracleHook('a').get_conn()\n", [2]),
        (_ORACLE + "import os, cx_Oracle\nOracleHook('a').get_conn()\n", [2]),
        ("import airflow\nimport cx_Oracle\ncx_Oracle.connect('b')\n", []),
    ],
)
def test_connections_of_its_own_stay(source: str, lines: list[int]) -> None:
    done = apply(source)
    assert "oracledb" not in done.text.decode()
    assert [spot.line for code, spot in done.spots if code == "hook-client"] == lines
