"""TriggerDagRunOperator.execute(…) called within other code: in Airflow 3 it ends the task that calls it, with success.

There it raises DagRunTriggerException (providers/standard/operators/trigger_dagrun.py), which the task runner takes for the task's end: it triggers
that one run. As the last thing that a task does this means what it did; what would follow never happens, nor the runs of a loop after the first.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Options, Rule, Spot
from aerodrome.migration.codemod.rules.receivers import class_of, classes_of
from aerodrome.migration.codemod.rules.tasks import function_of
from aerodrome.migration.codemod.source import Source

_OPERATOR = "TriggerDagRunOperator"
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def _find(source: Source, _options: Options) -> Iterator[Change | Spot]:
    for call in source.each(ast.Call):
        func = call.func
        if not isinstance(func, ast.Attribute) or func.attr != "execute" or not _is_trigger(source, func.value):
            continue
        if _is_within_function(source, call) and not (function_of(source, call) and _is_last(source, call)):
            yield Spot(
                call.lineno,
                "execute() of a TriggerDagRunOperator ends the task that calls it in Airflow 3: only this run is triggered, and nothing after it is done.",
                "Make the runs by TriggerDagRunOperator.partial(…).expand(conf=[…]), or POST /api/v2/dags/{dag_id}/dagRuns; do what follows in a task of its own.",
            )


def _is_trigger(source: Source, owner: ast.expr) -> bool:
    if any(_is_named(name) for name in classes_of(source, owner)):
        return True
    names = {getattr(owner, "id", "")} if isinstance(owner, ast.Name) else set()
    if isinstance(owner, ast.Call):
        names = {getattr(owner.func, "id", "")}
    if names & {"self", "super"}:
        own = class_of(source, owner)
        if own is None or "self" in names:
            return False
        return any(_is_named(name) for base in own.bases for name in source.meanings(base))
    return any(
        node.name in names and any(_is_named(name) for base in node.bases for name in source.meanings(base))
        for node in source.each(ast.ClassDef)
    )


def _is_named(name: str) -> bool:
    return name.startswith("airflow.") and name.endswith(f".{_OPERATOR}")


def _is_within_function(source: Source, node: ast.AST) -> bool:
    while node in source.parents:
        node = source.parents[node]
        if isinstance(node, _FUNCTIONS):
            return True
    return False


def _is_last(source: Source, call: ast.Call) -> bool:
    """Tell whether nothing is done after a call: it is the last of its function, or of a branch at its end."""
    node: ast.AST = source.parents[call]
    if not isinstance(node, ast.Expr | ast.Return):
        return False
    is_return = isinstance(node, ast.Return)
    while not isinstance(node, _FUNCTIONS):
        parent = source.parents[node]
        if not isinstance(parent, ast.If | ast.FunctionDef):
            return False
        block = next((part for part in (parent.body, getattr(parent, "orelse", [])) if node in part), [])
        if not block or (block[-1] is not node and not is_return):
            return False
        node = parent
    return True


RULE = Rule(
    code="trigger-execute",
    title="Runs that a function triggers by TriggerDagRunOperator(…).execute(context) are found",
    words=(b"TriggerDagRunOperator",),
    before="""
from airflow.operators.python import PythonOperator
from airflow.operators.trigger_dagrun import TriggerDagRunOperator


def start(**context):
    for shop in ("north", "south"):
        TriggerDagRunOperator(task_id=shop, trigger_dag_id="report", conf={"shop": shop}).execute(context)


PythonOperator(task_id="start", python_callable=start)
""",
    after="""
from airflow.operators.python import PythonOperator
from airflow.operators.trigger_dagrun import TriggerDagRunOperator


def start(**context):
    for shop in ("north", "south"):
        TriggerDagRunOperator(task_id=shop, trigger_dag_id="report", conf={"shop": shop}).execute(context)


PythonOperator(task_id="start", python_callable=start)
""",
    find=_find,
    finding="only this run is triggered",
)
