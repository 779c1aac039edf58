"""Engines of SQLAlchemy that tasks make themselves: `postgres://` is `postgresql://` since 1.4, and an engine of 2.0 runs no statements.

Airflow 1.10 to 2.2 brought SQLAlchemy 1.3, which took both; 2.3 to 2.11 bring 1.4; 3.3.2 brings 2.0.54 (measured: NoSuchModuleError).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.rules.receivers import values_of_attribute, values_of_name
from aerodrome.migration.codemod.source import Source

_MAKERS = frozenset({"sqlalchemy.create_engine", "sqlalchemy.engine.create_engine"})
_FIRST_WITH_2 = 3
_OLD = re.compile(r"(?i)^(\w{0,2}(?:'''|\"\"\"|'|\"))postgres(?=(\+\w+)?://)")
_BEGIN = "Use a connection: with engine.begin() as connection: connection.execute(text(…)); it commits at its end."
_GONE = {
    "execute": _BEGIN,
    "scalar": _BEGIN,
    "run_callable": _BEGIN,
    "table_names": "Use sqlalchemy.inspect(engine).get_table_names().",
    "has_table": "Use sqlalchemy.inspect(engine).has_table(…).",
}


def _find(source: Source, options: Options) -> Iterator[Change | Spot]:
    for call in source.each(ast.Call):
        if call.args and source.means(call.func, _MAKERS):
            yield from _address(source, call.args[0])
        func = call.func
        if options.major < _FIRST_WITH_2 or not isinstance(func, ast.Attribute):
            continue
        if func.attr in _GONE and is_engine(source, func.value):
            yield Spot(call.lineno, f"An engine of SQLAlchemy 2 has no {func.attr}().", _GONE[func.attr])
        if func.attr == "execution_options" and any(item.arg == "autocommit" for item in call.keywords):
            hint = 'Write isolation_level="AUTOCOMMIT", or use engine.begin().'
            yield Spot(call.lineno, "SQLAlchemy 2 has no option autocommit: nothing is committed by it.", hint)


def _address(source: Source, value: ast.expr) -> Iterator[Change | Spot]:
    if edit := _renamed(source, _head(value)):
        yield Change((edit,))
    if not isinstance(value, ast.Name):
        return
    for given in values_of_name(source, value):
        edit = _renamed(source, _head(given)) if given is not None else None
        if edit and all(_is_for_engines(source, node) for node in source.each(ast.Name) if node.id == value.id):
            yield Change((edit,))
        elif edit:
            yield Spot(value.lineno, "SQLAlchemy knows no address of postgres:// any more.", "Write postgresql://.")


def _head(value: ast.expr) -> ast.expr:
    """Give what an address begins with: of `"…" + host`, `"…" % host`, `"…".format(host)`."""
    while True:
        if isinstance(value, ast.BinOp):
            value = value.left
        elif isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr == "format":
            value = value.func.value
        else:
            return value


def _renamed(source: Source, head: ast.expr) -> Edit | None:
    is_text = isinstance(head, ast.JoinedStr) or (isinstance(head, ast.Constant) and isinstance(head.value, str))
    found = _OLD.match(source.code(head)) if is_text else None
    if found is None:
        return None
    at = source.start(head) + len(found[0])
    return Edit(at, at, "ql")


def _is_for_engines(source: Source, node: ast.Name) -> bool:
    parent = source.parents[node]
    is_argument = isinstance(parent, ast.Call) and node in parent.args[:1] and source.means(parent.func, _MAKERS)
    return is_argument or not isinstance(node.ctx, ast.Load)


def is_engine(source: Source, node: ast.expr) -> bool:
    """Tell whether an expression is an engine that the file makes, or that a hook gives."""
    if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "self":
        kept = values_of_attribute(source, node)
        return all(value is not None and _makes(source, value) for value in kept)
    if isinstance(node, ast.Name):
        values = values_of_name(source, node)
        return bool(values) and all(value is not None and _makes(source, value) for value in values)
    return _makes(source, node)


def _makes(source: Source, node: ast.expr) -> bool:
    if not isinstance(node, ast.Call):
        return False
    return source.means(node.func, _MAKERS) or getattr(node.func, "attr", "") == "get_sqlalchemy_engine"


RULE = Rule(
    code="sqlalchemy-engine",
    title="Addresses postgres:// of create_engine are postgresql://; engines that run statements are found",
    words=(b"create_engine", b"get_sqlalchemy_engine", b"autocommit"),
    before="""
from sqlalchemy import create_engine


def load(host):
    engine = create_engine(f"postgres://{host}/till")
    engine.execute("delete from sales")
""",
    after="""
from sqlalchemy import create_engine


def load(host):
    engine = create_engine(f"postgresql://{host}/till")
    engine.execute("delete from sales")
""",
    find=_find,
    finding="An engine of SQLAlchemy 2 has no execute().",
    is_for_2=True,
)
