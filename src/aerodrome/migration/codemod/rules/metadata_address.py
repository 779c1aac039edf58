"""The address of Airflow's own database, which code reads from the configuration to open it: Airflow 3 hands tasks, callbacks and DAG files another text.

`block_orm_access` (airflow.sdk.execution_time.supervisor, task SDK 1.3.2) puts `airflow-db-not-allowed:///` into settings and both variables.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Options, Rule, Spot
from aerodrome.migration.codemod.source import Source

_CONF = frozenset(
    f"airflow.{module}.{name}"
    for module in ("configuration.conf", "configuration", "sdk.configuration.conf", "sdk.conf")
    for name in ("get", "get_mandatory_value")
)
_SETTINGS = frozenset({"airflow.settings.SQL_ALCHEMY_CONN", "airflow.settings.SQL_ALCHEMY_CONN_ASYNC"})
_OPTIONS = ("sql_alchemy_conn", "sql_alchemy_conn_async")
_IN_TEXT = re.compile(r"AIRFLOW__(?:CORE|DATABASE)__SQL_ALCHEMY_CONN(?!\w)|config\s+get-value\s+\w+\s+sql_alchemy_conn")
_WHAT = (
    "The address of Airflow's database is `airflow-db-not-allowed:///` in tasks, callbacks and DAG files of Airflow 3."
)
_HINT = "Ask the REST API (package apache-airflow-client), or read the database by a connection of its own, with a user that may only read: its tables are no interface and change."


def _find(source: Source, options: Options) -> Iterator[Change | Spot]:
    del options
    lines: set[int] = set()
    for call in source.each(ast.Call):
        given = [*call.args[:2], *(item.value for item in call.keywords if item.arg in ("section", "key"))]
        if source.means(call.func, _CONF) and any(
            str(getattr(item, "value", "")).lower() in _OPTIONS for item in given
        ):
            lines.add(call.lineno)
    lines |= {
        node.lineno
        for node in source.each(ast.Attribute, ast.Name)
        if source.means(node, _SETTINGS) and isinstance(getattr(node, "ctx", None), ast.Load)
    }
    lines |= {
        text.lineno
        for text in source.each(ast.Constant)
        if isinstance(text.value, str) and _IN_TEXT.search(text.value) and not _is_doc(source, text)
    }
    yield from (Spot(line, _WHAT, _HINT) for line in sorted(lines))


def _is_doc(source: Source, text: ast.Constant) -> bool:
    return isinstance(source.parents[text], ast.Expr)


RULE = Rule(
    code="metadata-address",
    title="Reads of the address of Airflow's own database are found",
    words=(b"sql_alchemy_conn", b"SQL_ALCHEMY_CONN"),
    before="""
from airflow.configuration import conf
from sqlalchemy import create_engine


def clean():
    return create_engine(conf.get("database", "sql_alchemy_conn"))
""",
    after="""
from airflow.configuration import conf
from sqlalchemy import create_engine


def clean():
    return create_engine(conf.get("database", "sql_alchemy_conn"))
""",
    find=_find,
    finding="The address of Airflow's database",
)
