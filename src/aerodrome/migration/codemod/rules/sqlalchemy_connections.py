"""Connections of SQLAlchemy that tasks open themselves: 1.x committed each statement that writes, 2.0 rolls it back when the connection closes, without a word.

Measured with SQLAlchemy 1.4.54 (Airflow 2.11.2) and 2.0.54 (3.3.2): `with engine.connect() as c: c.execute(text("insert …"))` keeps its row on 1.4
and loses it on 2.0. A plain text is no statement any more (ObjectNotExecutableError); exec_driver_sql gives it to the driver, as execute did.
What 1.x committed are statements that begin as _WRITES (AUTOCOMMIT_REGEXP of sqlalchemy.engine.default, of its dialects of PostgreSQL and MySQL).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.editing import keyword
from aerodrome.migration.codemod.rules.receivers import function_around, stores_of, values_of_name
from aerodrome.migration.codemod.rules.sqlalchemy_engines import is_engine
from aerodrome.migration.codemod.rules.written_for import is_for_3
from aerodrome.migration.codemod.source import Source

_WRITES = re.compile(
    r"(?i)\s*(?:UPDATE|INSERT|CREATE|DELETE|DROP|ALTER|GRANT|REVOKE|IMPORT FOREIGN SCHEMA|REFRESH MATERIALIZED VIEW|TRUNCATE|LOAD +DATA|REPLACE)\b"
)
_WHOLE_WORD = re.compile(r"\s*[A-Za-z]+\b(?=\s|$)")
_MADE_WRITES = ("insert", "update", "delete")
_RUNNING = ("execute", "scalar")
_TRANSACTION = ("begin", "begin_nested", "commit", "rollback", "execution_options")
_HARMLESS = ("close", "exec_driver_sql", "closed")
_READERS = frozenset({"pandas.read_sql", "pandas.read_sql_query", "pandas.read_sql_table"})
_TEXT = frozenset({"sqlalchemy.text", "sqlalchemy.sql.text", "sqlalchemy.sql.expression.text"})
_ALONE = '.execution_options(isolation_level="AUTOCOMMIT")'
_LOST = "SQLAlchemy 2 commits nothing by itself: what this connection writes is rolled back when it closes."
_HINT = "Use engine.begin(), which commits at its end, or connection.commit() after what is written."
_NO_TEXT = "A connection of SQLAlchemy 2 takes no plain text for a statement."
_HINT_TEXT = "Write execute(text(…)) with :names for values, or exec_driver_sql(…), which takes what the driver takes."
_FIRST_WITH_2 = 3


def _find(source: Source, options: Options) -> Iterator[Change | Spot]:
    if options.major < _FIRST_WITH_2 or is_for_3(source, options):
        return
    for call in source.each(ast.Call):
        func = call.func
        if (
            not isinstance(func, ast.Attribute)
            or not is_engine(source, func.value)
            or _is_of_future(source, func.value)
        ):
            continue
        if func.attr in ("connect", "begin") and not call.args:
            yield from _of_connection(source, call, is_begun=func.attr == "begin")
        elif func.attr == "execute" and (change := _of_engine(source, call)):
            yield change


def _is_of_future(source: Source, engine: ast.expr) -> bool:
    """Tell whether an engine of 1.4 behaves as 2.0's."""
    values = values_of_name(source, engine) if isinstance(engine, ast.Name) else [engine]
    return any(isinstance(value, ast.Call) and keyword(value, "future") is not None for value in values)


def _of_engine(source: Source, call: ast.Call) -> Change | None:
    """`engine.execute("insert …")` whose result nobody takes: a connection of its own, which commits."""
    if not isinstance(source.parents[call], ast.Expr) or not call.args or _kind(source, call.args[0]) != "write":
        return None
    method = _method(source, call)
    if method is None or not source.is_free("connection", ""):
        return None
    line = source.text[source.line_start(call.lineno) : source.start(call)]
    if line.strip():
        return None
    gap = source.newline.decode() + line.decode() + "    "
    engine = source.code(call.func.value)  # type: ignore[attr-defined]
    text = f"with {engine}.begin() as connection:{gap}connection.{method}"
    return Change((Edit(source.start(call), source.end(call.func), text),))


def _of_connection(source: Source, opened: ast.Call, *, is_begun: bool) -> Iterator[Change | Spot]:
    uses = _uses(source, opened)
    if uses is None:
        if not is_begun:
            yield Spot(opened.lineno, _LOST, _HINT)
        return
    writes = unknown = transactions = run = frames = 0
    for use in uses:
        parent = source.parents[use]
        call = source.parents.get(parent)
        if isinstance(parent, ast.Attribute) and parent.attr in _RUNNING and isinstance(call, ast.Call) and call.args:
            kind = _kind(source, call.args[0])
            run += 1
            writes += kind == "write"
            unknown += kind == ""
            yield from _plain(source, call, parent)
        elif isinstance(parent, ast.Attribute):
            transactions += parent.attr in _TRANSACTION
            unknown += parent.attr not in (*_TRANSACTION, *_HARMLESS)
        elif (
            isinstance(parent, ast.Call | ast.keyword) and getattr(_called(source, parent).func, "attr", "") == "to_sql"
        ):
            frames += 1
        elif not (isinstance(parent, ast.Call | ast.keyword) and source.means(_called(source, parent).func, _READERS)):
            unknown += 1
    writes += bool(frames and run)  # pandas commits what it began itself, and a statement before it has begun already
    if is_begun or transactions or not (writes or unknown):
        return
    if unknown:
        yield Spot(opened.lineno, _LOST, _HINT)
        return
    end = source.end(opened)
    if _is_one_statement(source, opened):
        func = opened.func
        yield Change((Edit(source.end(func) - len("connect"), source.end(func), "begin"),))
    else:
        yield Change((Edit(end, end, _ALONE),))


def _called(source: Source, node: ast.Call | ast.keyword) -> ast.Call:
    call = source.parents[node] if isinstance(node, ast.keyword) else node
    return call if isinstance(call, ast.Call) else ast.Call(ast.Name(""), [], [])


def _is_one_statement(source: Source, opened: ast.Call) -> bool:
    """Tell whether a block runs one statement and nothing else: then it does not matter when it is committed."""
    item = source.parents[opened]
    block = source.parents.get(item)
    return (
        isinstance(item, ast.withitem)
        and isinstance(block, ast.With)
        and len(block.body) == 1
        and isinstance(block.body[0], ast.Expr)
        and isinstance(block.body[0].value, ast.Call)
        and getattr(block.body[0].value.func, "attr", "") in (*_RUNNING, "exec_driver_sql")
    )


def _uses(source: Source, opened: ast.Call) -> list[ast.expr] | None:
    """Give where a connection is used; None when it cannot be followed."""
    parent = source.parents[opened]
    if isinstance(parent, ast.Attribute):
        return [opened]
    if isinstance(parent, ast.withitem) and isinstance(parent.optional_vars, ast.Name):
        name, block = parent.optional_vars.id, source.parents[parent]
        return _loads(block, name)
    if isinstance(parent, ast.Assign) and len(parent.targets) == 1 and isinstance(parent.targets[0], ast.Name):
        name, place = parent.targets[0].id, function_around(source, opened)
        others = [item for item in stores_of(source, name, place) if item is not parent.targets[0]]
        blocks = [source.parents.get(source.parents[item]) for item in others]
        if all(isinstance(block, ast.With) for block in blocks):
            apart = {id(node) for block in blocks if block for node in ast.walk(block)}
            return [node for node in _loads(place, name) if id(node) not in apart]
    return None


def _loads(around: ast.AST, name: str) -> list[ast.expr]:
    return [
        node
        for node in ast.walk(around)
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)
    ]


def _plain(source: Source, call: ast.Call, func: ast.Attribute) -> Iterator[Change | Spot]:
    """Let the driver have what is a plain text."""
    if not _is_plain(source, call.args[0]):
        return
    method = _method(source, call)
    if func.attr == "execute" and method is not None:
        yield Change((Edit(source.end(func) - len(func.attr), source.end(func), method),))
    else:
        yield Spot(call.lineno, _NO_TEXT, _HINT_TEXT)


def _method(source: Source, call: ast.Call) -> str | None:
    """Give the method that runs a statement as execute() did; None where its values were given in another way than one tuple or one dictionary."""
    if not _is_plain(source, call.args[0]):
        return "execute"
    is_simple = len(call.args) == 1 or (len(call.args) == 2 and isinstance(call.args[1], ast.Tuple | ast.Dict))
    return "exec_driver_sql" if is_simple and not call.keywords else None


def _kind(source: Source, statement: ast.expr) -> str:
    """Tell what a statement does: "write" what 1.x committed, "read" what it did not; "" when that cannot be seen."""
    if isinstance(statement, ast.Call):
        if source.means(statement.func, _TEXT) and statement.args:
            return _kind(source, statement.args[0])
        name = getattr(statement.func, "attr", getattr(statement.func, "id", ""))
        if not _is_plain(source, statement):
            return _of_made(source, statement, name)
    if isinstance(statement, ast.Name):
        values = values_of_name(source, statement)
        kinds = {_kind(source, value) if value is not None else "" for value in values}
        return kinds.pop() if len(kinds) == 1 else ""
    head = _head(statement)
    if head is None:
        return ""
    if _WRITES.match(head):
        return "write"
    return "read" if _WHOLE_WORD.match(head) else ""


def _of_made(source: Source, statement: ast.Call, name: str) -> str:
    """Look for `insert(table)`, `table.insert().values(…)`, `select(…).where(…)`."""
    node: ast.expr = statement
    while isinstance(node, ast.Call):
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        is_sql = any(item.startswith("sqlalchemy.") for item in source.meanings(node.func))
        if name in _MADE_WRITES and (is_sql or isinstance(node.func, ast.Attribute)):
            return "write"
        if name == "select" and is_sql:
            return "read"
        node = node.func.value if isinstance(node.func, ast.Attribute) else ast.Constant(None)
    return ""


def _head(node: ast.expr) -> str | None:
    """Give what a text begins with."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return _head(node.values[0]) if node.values else None
    if isinstance(node, ast.BinOp):
        return _head(node.left)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("format", "strip"):
        return _head(node.func.value)
    return None


def _is_plain(source: Source, node: ast.expr) -> bool:
    if isinstance(node, ast.Name):
        values = values_of_name(source, node)
        return bool(values) and all(value is not None and _is_plain(source, value) for value in values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mod):
        return _is_plain(source, node.left)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.attr in ("format", "strip", "join", "replace") and _is_plain(source, node.func.value)
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


RULE = Rule(
    code="sqlalchemy-connection",
    title="Connections that tasks open commit what they write, as they did with SQLAlchemy 1.x",
    words=(b"create_engine", b"get_sqlalchemy_engine"),
    before="""
from airflow.providers.postgres.hooks.postgres import PostgresHook
from sqlalchemy import create_engine, text


def load(address, shop):
    engine = create_engine(address)
    with engine.connect() as connection:
        connection.execute(text("delete from sales"))
    with engine.connect() as connection:
        connection.execute("insert into sales select * from till")
        connection.execute("update shops set is_loaded = 1 where name = %s", (shop,))


def clear(sql):
    with PostgresHook().get_sqlalchemy_engine().connect() as connection:
        connection.execute(sql)
""",
    after="""
from airflow.providers.postgres.hooks.postgres import PostgresHook
from sqlalchemy import create_engine, text


def load(address, shop):
    engine = create_engine(address)
    with engine.begin() as connection:
        connection.execute(text("delete from sales"))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("insert into sales select * from till")
        connection.exec_driver_sql("update shops set is_loaded = 1 where name = %s", (shop,))


def clear(sql):
    with PostgresHook().get_sqlalchemy_engine().connect() as connection:
        connection.execute(sql)
""",
    find=_find,
    finding="SQLAlchemy 2 commits nothing by itself",
)
