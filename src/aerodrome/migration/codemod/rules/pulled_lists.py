"""xcom_pull of several tasks: what stands for those that pushed nothing, and whether it is a tuple.

Read: TaskInstance.xcom_pull of 1.10.15 (a tuple, None for each that pushed nothing), 2.0.2 to 2.2.5 (a list, None likewise), 2.3.4 to 2.11.2 (without them)
and RuntimeTaskInstance.xcom_pull of 3.3.2 (a list, None likewise). No version stores None that a task returned.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.editing import keyword
from aerodrome.migration.codemod.rules import dags, xcoms
from aerodrome.migration.codemod.rules.pulled_tasks import RETURNED, is_pushing
from aerodrome.migration.codemod.rules.receivers import values_of_name
from aerodrome.migration.codemod.rules.written_for import is_for_1, is_for_3
from aerodrome.migration.codemod.rules.xcoms import Verdict, argument
from aerodrome.migration.codemod.source import Source

_METHOD = "xcom_pull"
_DISPLAYS = (ast.List, ast.Tuple, ast.Set, ast.ListComp, ast.SetComp, ast.GeneratorExp)
_MAKERS = ("list", "tuple", "set", "sorted", "frozenset")
_SETS = ("upstream_task_ids", "downstream_task_ids", "task_ids", "task_dict")
_ONE = ("id", "name", "task", "str")
_STEADY = (
    "list",
    "len",
    "sum",
    "min",
    "max",
    "any",
    "all",
    "sorted",
    "set",
    "frozenset",
    "dict",
    "zip",
    "enumerate",
    "map",
    "filter",
    "tuple",
    "iter",
    "reversed",
)
_SKIPPING = (
    b"trigger_rule",
    b"Branch",
    b"branch",
    b"ShortCircuit",
    b"short_circuit",
    b"Skip",
    b"skip",
    b"LatestOnly",
    b"run_if",
)
_DEPTH = 4
_PIPE = " | reject({q}none{q}) | list"
_LEFT_OUT = "xcom_pull of several tasks left out those that pushed nothing; Airflow 3 gives None for each of them."
_FILTER = "Write [value for value in ti.xcom_pull(…) if value is not None]."
_MAYBE = "xcom_pull of several tasks, if task_ids are several here, left out those that pushed nothing; Airflow 3 gives None for each of them."
_TUPLE = "xcom_pull of several tasks gave a tuple, written (…) in a text; Airflow 3 gives a list, written […]."
_JOIN = "Join the values in the block: {{ ti.xcom_pull(…) | join(', ') }}."


def _find(source: Source, options: Options) -> Iterator[Change | Spot]:
    if is_for_3(source, options):
        return
    yield from xcoms.decided(source, _METHOD, lambda inner, call: asked(source, inner, call, options))


def asked(outer: Source, source: Source, call: ast.Call, options: Options) -> Verdict | None:
    """Say what a pull of several tasks needs. `outer` is the file; `source` holds the call: the file as well, or the text of a Jinja block."""
    is_block = source is not outer
    if is_for_1(outer, options):
        return _of_tuple(outer, source, call, is_block=is_block)
    if _keeps_none(options):
        return None
    tasks, indexes = argument(call, "task_ids"), keyword(call, "map_indexes")
    many = _is_many(outer, tasks) if tasks is not None else False
    if indexes is not None and _is_many(outer, indexes.value):
        many = True
    if many is False or (not is_block and _is_filtered(source, call)) or _are_pushing(outer, tasks, call):
        return None
    if many is None:
        return None if is_block else Verdict((), _MAYBE, _FILTER)
    key = argument(call, "key")
    is_returned = key is None or getattr(key, "value", None) == RETURNED
    why = "" if is_returned else "A None that was pushed under the key is left out as well here; Airflow 2 gave it."
    hint = "" if is_returned else "Push something else for nothing, where a task pushes None."
    if is_block:
        return Verdict((), why, hint, _PIPE, (_LEFT_OUT, "Add `| reject('none') | list` to it."))
    if _is_in_f_string(source, call):
        return Verdict((), _LEFT_OUT, _FILTER)
    start, end = source.start(call), source.end(call)
    edits = (Edit(start, start, "[value for value in "), Edit(end, end, " if value is not None]"))
    return Verdict(edits, why, hint)


def _of_tuple(outer: Source, source: Source, call: ast.Call, *, is_block: bool) -> Verdict | None:
    tasks = argument(call, "task_ids")
    if tasks is None or _is_many(outer, tasks) is not True:
        return None
    if is_block:
        return Verdict((), _TUPLE, _JOIN, is_if_printed=True)
    parent = source.parents[call]
    if isinstance(parent, ast.For | ast.comprehension | ast.Starred):
        return None
    if isinstance(parent, ast.Subscript) and not isinstance(parent.slice, ast.Slice):
        return None
    if isinstance(parent, ast.Call) and getattr(parent.func, "id", "") in _STEADY:
        return None
    if isinstance(parent, ast.Assign) and all(isinstance(item, ast.Tuple | ast.List) for item in parent.targets):
        return None
    if _is_in_f_string(source, call):
        return Verdict((), _TUPLE, "Write tuple(ti.xcom_pull(…)).")
    start, end = source.start(call), source.end(call)
    return Verdict((Edit(start, start, "tuple("), Edit(end, end, ")")))


def _keeps_none(options: Options) -> bool:
    """Tell whether the source is of 2.0 to 2.2, which gave None for what is not there."""
    parts = options.source_version.split(".")
    return parts[0] == "2" and len(parts) > 1 and parts[1].isdigit() and int(parts[1]) < 3


def _is_many(source: Source, node: ast.expr, depth: int = _DEPTH) -> bool | None:
    """Tell whether an argument is several things; None when it may be."""
    if isinstance(node, _DISPLAYS):
        return True
    if isinstance(node, ast.Constant | ast.JoinedStr):
        return False
    if isinstance(node, ast.Call):
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        return (
            True
            if name in (*_MAKERS, "keys", "values")
            else False
            if name in ("str", "format", "join", "replace", "get")
            else None
        )
    if isinstance(node, ast.BinOp):
        sides = [_is_many(source, side, depth) for side in (node.left, node.right)]
        return True if True in sides else False if False in sides else None
    if isinstance(node, ast.IfExp):
        sides = [_is_many(source, side, depth) for side in (node.body, node.orelse)]
        return sides[0] if sides[0] == sides[1] else None
    if isinstance(node, ast.Attribute):
        return True if node.attr in _SETS else False if node.attr.endswith(_ONE) else None
    if isinstance(node, ast.Subscript):
        key = getattr(node.slice, "value", None)
        return False if isinstance(key, str) and key.endswith(_ONE) else None
    if not isinstance(node, ast.Name) or depth == 0:
        return None
    return _of_name(source, node, depth)


def _of_name(source: Source, node: ast.Name, depth: int) -> bool | None:
    if node not in source.parents:  # of a Jinja block
        known = dags.constant(source, node)
        return None if known is node else _is_many(source, known, depth - 1)
    values = values_of_name(source, node)
    kinds = {None if value is None else _is_many(source, value, depth - 1) for value in values}
    if kinds in ({True}, {False}):
        return kinds.pop()
    stores = source.writes.get(node.id, ())
    is_each = any(isinstance(source.parents[item], ast.For | ast.comprehension) for item in stores)
    return False if is_each or node.id.endswith(_ONE) else None


def _is_filtered(source: Source, call: ast.Call) -> bool:
    """Tell whether what is nothing is left out already, or changes nothing."""
    parent = source.parents[call]
    if isinstance(parent, ast.comprehension):
        return any(_asks(item, parent.target) for item in parent.ifs)
    if isinstance(parent, ast.Call):
        is_filter = getattr(parent.func, "id", "") == "filter" and getattr(parent.args[0], "value", "") is None
        return is_filter or getattr(parent.func, "id", "") == "any"
    return False


def _asks(test: ast.expr, target: ast.expr) -> bool:
    name = ast.unparse(target)
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        return _asks(test.values[0], target)
    return ast.unparse(test) in (name, f"{name} is not None")


def _are_pushing(outer: Source, tasks: ast.expr | None, call: ast.Call) -> bool:
    """Tell whether all of these tasks surely push what is pulled, and none is skipped."""
    known = dags.constant(outer, tasks) if tasks is not None else None
    if (
        not isinstance(known, ast.List | ast.Tuple)
        or argument(call, "key")
        or argument(call, "dag_id")
        or keyword(call, "map_indexes")
    ):
        return False
    names = [getattr(dags.constant(outer, item), "value", None) for item in known.elts]
    if any(word in outer.text for word in _SKIPPING):
        return False
    return all(isinstance(name, str) and is_pushing(outer, name) for name in names)


def _is_in_f_string(source: Source, node: ast.AST) -> bool:
    while node in source.parents:
        node = source.parents[node]
        if isinstance(node, ast.JoinedStr):
            return True
    return False


RULE = Rule(
    code="xcom-several",
    title="xcom_pull of several tasks leaves out those that pushed nothing, or is a tuple, as it was",
    words=(b"xcom_pull",),
    before="""
from airflow.decorators import task


@task
def best(ti=None):
    return max(ti.xcom_pull(task_ids=["north", "south"]))


command = "tell {{ ti.xcom_pull(task_ids=['north', 'south']) | join(',') }}"


def ask(task_ids, ti):
    return ti.xcom_pull(task_ids=task_ids)
""",
    after="""
from airflow.decorators import task


@task
def best(ti=None):
    return max([value for value in ti.xcom_pull(task_ids=["north", "south"]) if value is not None])


command = "tell {{ ti.xcom_pull(task_ids=['north', 'south']) | reject('none') | list | join(',') }}"


def ask(task_ids, ti):
    return ti.xcom_pull(task_ids=task_ids)
""",
    find=_find,
    finding="if task_ids are several here",
)
