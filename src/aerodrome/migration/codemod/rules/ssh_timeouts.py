"""`timeout` of SSHOperator was how long connecting may take; what it was for commands never ended one.

Read: SSHOperator and SSHHook of apache-airflow 1.10.15 and of apache-airflow-providers-ssh 1.3, 2.0, 2.2, 2.3, 2.4.4, 3.0, 3.1, 3.2 and 7.0. All that took `timeout` waited that
long for output and then again, without end; no version that has `cmd_timeout` alone does: it ends a command that says nothing for so long.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.editing import keyword
from aerodrome.migration.codemod.rules import dags, operators
from aerodrome.migration.codemod.rules.default_arguments import beside
from aerodrome.migration.codemod.source import Source

_SSH = frozenset(
    f"airflow.{module}.SSHOperator" for module in ("contrib.operators.ssh_operator", "providers.ssh.operators.ssh")
)
_EXTRA = (
    "A `timeout` in the extra of the SSH connection is not read any more; older Airflows let it decide, or helped out with it, for connecting.",
    "If the connection has one, call it conn_timeout there, and take conn_timeout out here if that one shall decide.",
)
_NO_END = (
    "Connecting had no time limit here; today's SSHOperator takes 10 s, or the conn_timeout of the connection's extra.",
    "Say how long connecting may take: conn_timeout=…",
)


def _find(source: Source, options: Options) -> Iterator[Change | Spot]:
    yield from _of_default_args(source, options)
    for call in source.each(ast.Call):
        item = keyword(call, "timeout")
        if item is None or not source.means(call.func, _SSH):
            continue
        if keyword(call, "cmd_timeout"):
            continue  # the finding about arguments that are gone names it
        is_nothing = isinstance(item.value, ast.Constant) and not item.value.value
        given = is_nothing or keyword(call, "conn_timeout") is not None
        text = "cmd_timeout=None" if given else f"conn_timeout={source.code(item.value)}, cmd_timeout=None"
        note = Spot(item.value.lineno, *(_NO_END if is_nothing else _EXTRA))
        yield Change((Edit(source.start(item), source.end(item.value), text),), note=note)


def _of_default_args(source: Source, options: Options) -> Iterator[Change | Spot]:
    """Say beside a `timeout` of default_args how long connecting may take: 1.10's SSHOperators read it, and old-default says the rest in their calls."""
    if not any(_is_default(made, options) for made in operators.made(source)):
        return
    for mapping, way in (*dags.dictionaries(source, dags.ANY), *dags.dict_calls(source, dags.ANY)):
        if way != "default_args":
            continue
        for name, value, key in _entries(mapping):
            names = {other for other, _, _ in _entries(mapping)}
            is_nothing = isinstance(value, ast.Constant) and not value.value
            if name != "timeout" or is_nothing or "conn_timeout" in names:
                continue
            edit = beside(source, key, value, ["conn_timeout"])
            if isinstance(key, ast.keyword):
                edit = Edit(edit.start, edit.end, f"conn_timeout={source.code(value)}, ")
            yield Change((edit,), note=Spot(value.lineno, *_EXTRA))


def _is_default(made: operators.Made, options: Options) -> bool:
    is_ssh = "SSHOperator" in made.classes and operators.is_of_1(made, options)
    return is_ssh and not any(keyword(made.call, name) for name in ("timeout", "conn_timeout"))


def _entries(mapping: ast.expr) -> list[tuple[object, ast.expr, ast.expr | ast.keyword]]:
    if isinstance(mapping, ast.Call):
        return [(item.arg, item.value, item) for item in mapping.keywords]
    pairs = zip(mapping.keys, mapping.values, strict=True) if isinstance(mapping, ast.Dict) else ()
    return [(getattr(key, "value", None), value, key) for key, value in pairs if key is not None]


RULE = Rule(
    code="ssh-timeout",
    title="`timeout` of SSHOperator limits connecting, as it did; commands that say nothing for long go on, as they did",
    words=(b"SSHOperator",),
    before="""
from airflow.contrib.operators.ssh_operator import SSHOperator

load = SSHOperator(task_id="load", ssh_conn_id="files", command="load.sh", timeout=60)
""",
    after="""
from airflow.contrib.operators.ssh_operator import SSHOperator

load = SSHOperator(task_id="load", ssh_conn_id="files", command="load.sh", conn_timeout=60, cmd_timeout=None)
""",
    find=_find,
    finding="A `timeout` in the extra of the SSH connection is not read any more",
    is_for_2=True,
)
