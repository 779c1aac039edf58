"""`try_number` of a task instance in callbacks: before Airflow 2.10 it was the number of the next try there.

Read in 1.10.15, 2.3.4, 2.7.3 and 2.9.3 (TaskInstance.try_number): the try that runs while the state is `running`, else one more; and a task instance
has its last state before on_failure_callback, on_retry_callback, on_success_callback or on_skipped_callback is called. Since 2.10, and in tasks of
3.3.2 (RuntimeTaskInstance.try_number), it is the try itself, everywhere. In tasks, templates and on_execute_callback it always was.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.origin import is_of_1
from aerodrome.migration.codemod.rules.callables import Function, handed
from aerodrome.migration.codemod.rules.callbacks import AFTER_THE_END, kinds_of
from aerodrome.migration.codemod.rules.tasks import context_value, is_called
from aerodrome.migration.codemod.rules.written_for import original
from aerodrome.migration.codemod.source import Source

_FIRST_TRUE = (2, 10)
_NAME = "try_number"
_DEPTH = 5


def _find(source: Source, options: Options) -> Iterator[Change | Spot]:
    if not _is_of_next(source, options):
        return
    for node in source.each(ast.Attribute):
        if node.attr != _NAME or not isinstance(node.ctx, ast.Load) or _is_said(source, node):
            continue
        if context_value(source, node.value) not in ("ti", "task_instance"):
            continue
        function = _function(source, node)
        places = _kinds(source, function) if function is not None else {""}
        end = source.end(node)
        if places and places <= AFTER_THE_END:
            start = source.start(node)
            yield Change((Edit(start, start, "("), Edit(end, end, " + 1)")))
        elif places & AFTER_THE_END:
            yield Spot(
                node.lineno,
                "`try_number` was that of the next try in callbacks after a task's end, before Airflow 2.10, and is that of the try which ended; this function is called elsewhere, too.",
                "Write try_number + 1 in the callback, where the old number is meant.",
            )


def _is_of_next(source: Source, options: Options) -> bool:
    if not options.source_version:
        return is_of_1(original(source, options))
    words = options.source_version.split(".")
    return tuple(int(word) for word in words[:2] if word.isdigit()) < _FIRST_TRUE


def _is_said(source: Source, node: ast.Attribute) -> bool:
    """Tell whether it is `x.try_number + 1` already."""
    parent = source.parents[node]
    return (
        isinstance(parent, ast.BinOp)
        and isinstance(parent.op, ast.Add)
        and parent.left is node
        and getattr(parent.right, "value", None) == 1
    )


def _function(source: Source, node: ast.AST) -> Function | None:
    while node in source.parents:
        node = source.parents[node]
        if isinstance(node, Function):
            return node
    return None


def _kinds(source: Source, function: Function, depth: int = _DEPTH) -> set[str]:
    """Give as what a function is called: names of callbacks; "" for anything else."""
    found: set[str] = set(kinds_of(source, function))
    if isinstance(function, ast.Lambda):
        return found or {""}
    calls = handed(source).calls.get(function.name, ())
    if (
        depth == 0
        or function.name in handed(source).tasks
        or (isinstance(function, ast.FunctionDef) and is_called(source, function))
    ):
        return found | {""}
    for call in calls:
        around = _function(source, call)
        found |= _kinds(source, around, depth - 1) if around is not None and around is not function else {""}
    return found


RULE = Rule(
    code="try-number",
    title="try_number of callbacks is that of the next try, as it was before 2.10",
    words=(_NAME.encode(),),
    before="""
from airflow.operators.bash_operator import BashOperator


def alert(context):
    print("try", context["ti"].try_number - 1, "failed")


BashOperator(task_id="load", bash_command="load {{ ti.try_number }}", on_failure_callback=alert)
""",
    after="""
from airflow.operators.bash_operator import BashOperator


def alert(context):
    print("try", (context["ti"].try_number + 1) - 1, "failed")


BashOperator(task_id="load", bash_command="load {{ ti.try_number }}", on_failure_callback=alert)
""",
    find=_find,
)
