"""Methods of connections that tasks of Airflow 3 do not have: `get_password()` is `password`, `get_extra()` is `extra`; others are found.

The tables are what airflow.models.connection.Connection of 1.10.15 and 2.11.2 has, and airflow.sdk.Connection of 3.3.2 does not.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.rules.receivers import classes_of
from aerodrome.migration.codemod.source import Source

_FIELDS = {"get_password": "password", "get_extra": "extra"}
_LOG = "Log conn.conn_id, conn.host and what else is no secret."
_WRITE = "Connections are written through the REST API: PATCH /api/v2/connections/{connection_id}."
_HINTS = {
    "log_info": _LOG,
    "debug_info": _LOG,
    "set_password": _WRITE,
    "set_extra": _WRITE,
    "rotate_fernet_key": "Use `airflow rotate-fernet-key`.",
    "rotate_extra_fernet_key": "Use `airflow rotate-fernet-key`.",
    "parse_from_uri": "Use Connection.from_uri(uri, conn_id=…).",
    "is_encrypted": "Take it out: tasks get connections in plain.",
    "is_extra_encrypted": "Take it out: tasks get connections in plain.",
}
_CLASSES = frozenset(
    {"airflow.models.Connection", "airflow.models.connection.Connection", "airflow.sdk.Connection", "airflow.sdk.definitions.connection.Connection"}
)  # fmt: skip


def _find(source: Source, _options: Options) -> Iterator[Change | Spot]:
    for node in source.each(ast.Attribute):
        if (node.attr not in _FIELDS and node.attr not in _HINTS) or not isinstance(node.ctx, ast.Load):
            continue
        if not _is_connection(source, node.value):
            continue
        parent = source.parents[node]
        is_call = isinstance(parent, ast.Call) and parent.func is node
        field = _FIELDS.get(node.attr)
        if field and isinstance(parent, ast.Call) and is_call and not parent.args and not parent.keywords:
            start = source.end(node) - len(node.attr)
            yield Change((Edit(start, source.end(parent), field),))
        else:
            hint = f"It is the field `{field}`." if field else _HINTS[node.attr]
            yield Spot(node.lineno, f"A connection has no `{node.attr}` in Airflow 3's tasks.", hint)


def _is_connection(source: Source, node: ast.expr) -> bool:
    """Tell whether an expression surely is a connection: what hooks give, or what the class makes."""
    names = classes_of(source, node)
    return bool(names) and all(name in _CLASSES or name.endswith(".get_connection") for name in names)


RULE = Rule(
    code="connection-method",
    title="get_password() and get_extra() of a connection are its fields; what else tasks do not have is found",
    words=tuple(sorted(name.encode() for name in (*_FIELDS, *_HINTS))),
    before="""
from airflow.hooks.base_hook import BaseHook


def copy():
    till = BaseHook.get_connection("till")
    till.log_info()
    return till.login, till.get_password(), till.get_extra()
""",
    after="""
from airflow.hooks.base_hook import BaseHook


def copy():
    till = BaseHook.get_connection("till")
    till.log_info()
    return till.login, till.password, till.extra
""",
    find=_find,
    finding="A connection has no `log_info`",
)
