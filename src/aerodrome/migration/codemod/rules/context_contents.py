"""What else a task's context has not any more in Python, and functions that write or go over all of it.

Read: get_template_context of 1.10.15, 2.11.2 and of the task SDK 1.3.2 (3.3.2). `conf`, `test_mode` and `expanded_ti_count` (2.3 on) are gone, `tables` of 1.10, too; new are
partition_key, partition_date, task_state_store, task_reschedule_count and, where assets are named, asset_state_store. A parameter without a
default that is gone fails; one with a default silently keeps it.
"""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Callable, Iterator

from aerodrome.airflowkit.code import HINTS_IN_PYTHON
from aerodrome.migration.codemod.contract import Change, Options, Rule, Spot
from aerodrome.migration.codemod.rules.context_keys import is_filled
from aerodrome.migration.codemod.rules.given import given_by_all
from aerodrome.migration.codemod.rules.tasks import is_called, is_context
from aerodrome.migration.codemod.rules.written_for import is_for_3
from aerodrome.migration.codemod.source import Source

_GONE = {
    "test_mode": "Nothing says it: compare dag_run.run_type, or ask a variable of your own.",
    "expanded_ti_count": "Count what is expanded.",
    "tables": "Use params['tables'], which it was.",
}
_OF_PARAMETERS = {**_GONE, "conf": HINTS_IN_PYTHON["conf"]}
_READERS = ("print", "pprint", "str", "repr", "dumps", "dict", "list", "sorted", "debug", "info", "warning", "error")
_PARTS = ("items", "keys", "values")
_PERCENT = re.compile(r"%\((\w+)\)")
_WHAT = "All of the context is read here, and Airflow 3 has other names in it."
_HINT = f"Gone are {', '.join(sorted({*HINTS_IN_PYTHON, *_GONE}))}; new are partition_key, partition_date, task_state_store, task_reschedule_count. Take the names that are meant."


def _find(source: Source, options: Options) -> Iterator[Change | Spot]:
    if is_for_3(source, options):
        return
    yield from _keys(source)
    yield from _parameters(source)
    lines: set[int] = set()
    for node in source.each(ast.Name):
        if isinstance(node.ctx, ast.Load) and _is_read(source, node) and is_context(source, node):
            lines.add(node.lineno)
    if lines:  # once a file: tutorials do it in every task
        others = f" So it is in {len(lines) - 1} more lines of the file." if len(lines) > 1 else ""
        yield Spot(min(lines), _WHAT + others, _HINT)


def _keys(source: Source) -> Iterator[Spot]:
    asked = [(node.value, node.slice) for node in source.each(ast.Subscript)]
    asked += [
        (call.func.value, call.args[0])
        for call in source.each(ast.Call)
        if isinstance(call.func, ast.Attribute) and call.func.attr in ("get", "pop") and call.args
    ]
    for owner, key in asked:
        name = str(getattr(key, "value", ""))
        if name in _GONE and is_context(source, owner, name) and not is_filled(source, key, name):
            yield _gone(key.lineno, name)


def _parameters(source: Source) -> Iterator[Spot]:
    for function in source.each(ast.FunctionDef):
        wanted = [arg for arg in (*function.args.args, *function.args.kwonlyargs) if arg.arg in _OF_PARAMETERS]
        if not wanted or isinstance(source.parents[function], ast.ClassDef) or not is_called(source, function):
            continue
        given = given_by_all(source, function.name)
        yield from (_gone(arg.lineno, arg.arg) for arg in wanted if arg.arg not in given)


def _gone(line: int, name: str) -> Spot:
    return Spot(line, f"`{name}` is no longer in the task context.", _OF_PARAMETERS[name])


def _is_read(source: Source, node: ast.Name) -> bool:
    """Tell whether a mapping is written out, gone over, or asked for names that are gone by a text."""
    parent = source.parents[node]
    if isinstance(parent, ast.Call):
        name = getattr(parent.func, "attr", getattr(parent.func, "id", ""))
        return node in parent.args and name in _READERS
    if isinstance(parent, ast.Attribute):
        return parent.attr in _PARTS and isinstance(source.parents[parent], ast.Call)
    if isinstance(parent, ast.FormattedValue | ast.For | ast.comprehension):
        return True
    if isinstance(parent, ast.keyword) and parent.arg is None:
        func = source.parents[parent].func  # type: ignore[attr-defined]
        is_format = isinstance(func, ast.Attribute) and func.attr == "format"
        return is_format and _asks_for_gone(func.value, _fields)
    return (
        isinstance(parent, ast.BinOp)
        and isinstance(parent.op, ast.Mod)
        and _asks_for_gone(parent.left, _PERCENT.findall)
    )


def _asks_for_gone(template: ast.expr, names_of: Callable[[str], list[str]]) -> bool:
    if not isinstance(template, ast.Constant) or not isinstance(template.value, str):
        return True
    return any(name in HINTS_IN_PYTHON or name in _GONE for name in names_of(template.value))


def _fields(template: str) -> list[str]:
    try:
        return [re.split(r"[.\[]", name)[0] for _, name, _, _ in string.Formatter().parse(template) if name]
    except ValueError:
        return []


RULE = Rule(
    code="context-contents",
    title="Reads of what the context has not any more, and of all of it, are found",
    words=(b"context", b"kwargs", b"**", b"conf", b"test_mode", b"expanded_ti_count", b"tables"),
    before="""
from pprint import pprint

from airflow.operators.python import PythonOperator


def tell(conf=None, **kwargs):
    pprint(kwargs)


PythonOperator(task_id="tell", python_callable=tell)
""",
    after="""
from pprint import pprint

from airflow.operators.python import PythonOperator


def tell(conf=None, **kwargs):
    pprint(kwargs)


PythonOperator(task_id="tell", python_callable=tell)
""",
    find=_find,
    finding="All of the context is read here",
)
