"""PostgresHook goes on giving psycopg2's connections: with SQLAlchemy 2, which Airflow 3 has, it would give those of psycopg 3.

Source: apache-airflow-providers-postgres 7.0.2, hooks/postgres.py: `USE_PSYCOPG3` is asked at every call (connection, cursors, COPY, URI, cells), and
psycopg2-binary is among the package's requirements. Measured with PostgreSQL 15, psycopg2 2.9.13 and psycopg 3.3.6: copy_expert, cursor_factory, execute_values,
`in %s` with a tuple, several statements, `with conn:`, `except psycopg2.Error`, lists as arrays, and what uuid, inet and bytea are in Python.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.editing import after_imports, keyword
from aerodrome.migration.codemod.rules import dags
from aerodrome.migration.codemod.source import Source

_HOOKS = frozenset(
    {
        "airflow.hooks.PostgresHook",
        "airflow.hooks.postgres_hook.PostgresHook",
        "airflow.providers.postgres.hooks.postgres.PostgresHook",
    }
)
_OPERATORS = frozenset(
    {
        "airflow.operators.PostgresOperator",
        "airflow.operators.postgres_operator.PostgresOperator",
        "airflow.providers.postgres.operators.postgres.PostgresOperator",
    }
)
_SQL_OPERATORS = frozenset({"airflow.providers.common.sql.operators.sql.SQLExecuteQueryOperator"})
_MODULE, _NAME, _SWITCH = "airflow.providers.postgres.hooks", "postgres_hooks", "USE_PSYCOPG3"
_PLAIN = re.compile(
    r"\s*(?:$|(?:alter|analyze|comment|create|delete|drop|grant|insert|refresh|truncate|update|vacuum)\b)",
    re.IGNORECASE,
)
_GIVES = re.compile(r"\b(?:returning|\$\$)", re.IGNORECASE)


def _find(source: Source, options: Options) -> Iterator[Change | Spot]:
    if options.source_version.startswith("3") or b"airflow.sdk" in source.text or _SWITCH.encode() in source.text:
        return
    used = next(_used(source), None)
    if used is None:
        return
    if not source.is_free(_NAME, f"{_MODULE}.postgres"):
        yield Spot(
            used.lineno,  # type: ignore[attr-defined]
            "PostgresHook gives connections of psycopg 3 under Airflow 3, not of psycopg2.",
            f"Set {_SWITCH} of {_MODULE}.postgres to False at the top of the file to keep psycopg2.",
        )
        return
    newline = source.newline.decode()
    at = after_imports(source)
    yield Change(
        (Edit(at, at, f"{newline}{_NAME}.{_SWITCH} = False  # psycopg2, as before Airflow 3{newline}"),),
        ((_MODULE, f"postgres as {_NAME}"),),
    )


def _used(source: Source) -> Iterator[ast.AST]:
    """Give where the file does what the two drivers may do otherwise."""
    nodes: list[ast.Name | ast.Attribute] = [*source.each(ast.Name), *source.each(ast.Attribute)]
    for node in nodes:
        if isinstance(node.ctx, ast.Load) and source.means(node, _HOOKS) and not _is_same(source, node):
            yield node
    for call in source.each(ast.Call):
        is_postgres = source.means(call.func, _OPERATORS) or (
            source.means(call.func, _SQL_OPERATORS) and _names_postgres(source, call)
        )
        sql = keyword(call, "sql")
        if is_postgres and not (sql and not keyword(call, "parameters") and _is_plain(source, sql.value)):
            yield call


def _names_postgres(source: Source, call: ast.Call) -> bool:
    item = keyword(call, "conn_id")
    value = dags.constant(source, item.value) if item else None
    return isinstance(value, ast.Constant) and "postgres" in str(value.value)


def _is_same(source: Source, node: ast.expr) -> bool:
    """Tell whether a use of the hook's class is a type, or makes a hook whose calls both drivers answer alike."""
    made: ast.AST = source.parents[node]
    if isinstance(made, ast.arg | ast.AnnAssign) and made.annotation is node:
        return True
    if isinstance(made, ast.FunctionDef) and made.returns is node:
        return True
    if not isinstance(made, ast.Call) or made.func is not node:
        return False
    around = source.parents[made]
    if isinstance(around, ast.Attribute):
        return _is_plain_call(source, around)
    if not isinstance(around, ast.Assign) or len(around.targets) != 1 or not isinstance(around.targets[0], ast.Name):
        return False
    name = around.targets[0].id
    reads = [item for item in source.each(ast.Name) if item.id == name and isinstance(item.ctx, ast.Load)]
    return all(
        isinstance(parent := source.parents[item], ast.Attribute) and _is_plain_call(source, parent) for item in reads
    )


def _is_plain_call(source: Source, method: ast.Attribute) -> bool:
    call = source.parents[method]
    if method.attr != "run" or not isinstance(call, ast.Call) or call.func is not method:
        return False
    item = keyword(call, "sql")
    sql = call.args[0] if call.args else item.value if item else None
    known = len(call.args) <= 1 and {word.arg for word in call.keywords} <= {"sql", "autocommit"}
    return known and sql is not None and _is_plain(source, sql)


def _is_plain(source: Source, node: ast.expr) -> bool:
    """Tell whether SQL is written here, gives no rows, and is of kinds that both drivers hand to the server as they are."""
    value = dags.constant(source, node)
    if isinstance(value, ast.List | ast.Tuple):
        return all(_is_plain(source, item) for item in value.elts)
    if not isinstance(value, ast.Constant) or not isinstance(value.value, str) or not value.value.strip():
        return False
    return not _GIVES.search(value.value) and all(_PLAIN.match(part) for part in value.value.split(";"))


RULE = Rule(
    code="postgres-driver",
    title="PostgresHook goes on giving connections of psycopg2, where what psycopg 3 does otherwise may be used",
    words=(b"PostgresHook", b"PostgresOperator", b"SQLExecuteQueryOperator"),
    before="""
from airflow.providers.postgres.hooks.postgres import PostgresHook


def load(path):
    with open(path) as file, PostgresHook("shop").get_conn() as connection:
        connection.cursor().copy_expert("COPY sales FROM STDIN WITH CSV", file)
""",
    after="""
from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.providers.postgres.hooks import postgres as postgres_hooks

postgres_hooks.USE_PSYCOPG3 = False  # psycopg2, as before Airflow 3


def load(path):
    with open(path) as file, PostgresHook("shop").get_conn() as connection:
        connection.cursor().copy_expert("COPY sales FROM STDIN WITH CSV", file)
""",
    find=_find,
)
