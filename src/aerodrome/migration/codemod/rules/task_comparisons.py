"""`first > second` as a statement: Airflow 1.10 compared the two tasks and went on, Airflow 2 and 3 refuse it (it is for outlets of lineage).

Sources: apache-airflow 1.10.15 (models/baseoperator.py: total_ordering), task SDK of 3.3.2 (BaseOperator.__gt__: "is not an outlet").
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.editing import keyword, replace
from aerodrome.migration.codemod.imports import is_alone
from aerodrome.migration.codemod.source import Source


def _find(source: Source, _options: Options) -> Iterator[Change | Spot]:
    statements = [
        node
        for node in source.each(ast.Expr)
        if isinstance(node.value, ast.Compare) and all(isinstance(op, ast.Gt | ast.Lt) for op in node.value.ops)
    ]
    tasks = _tasks(source) if statements else frozenset()
    for node in statements:
        value = node.value
        if isinstance(value, ast.Compare) and _names(value) <= tasks:
            note = Spot(
                node.lineno,
                f"`{source.code(node)}` compared tasks and ordered nothing; it is taken out.",
                "If an order was meant, write >> in its place: it would be a new one.",
            )
            yield Change((_without(source, node),), note=note)


def _names(value: ast.Compare) -> set[str]:
    """Give the names that are compared; "" stands for anything else."""
    return {item.id if isinstance(item, ast.Name) else "" for item in (value.left, *value.comparators)}


def _tasks(source: Source) -> frozenset[str]:
    """Give the names that the file gives to tasks, and to nothing else."""
    made: set[str] = set()
    other: set[str] = set()
    for node in source.each(ast.Assign):
        is_task = isinstance(node.value, ast.Call) and keyword(node.value, "task_id") is not None
        for target in node.targets:
            if isinstance(target, ast.Name):
                (made if is_task else other).add(target.id)
    return frozenset(made - other)


def _without(source: Source, node: ast.Expr) -> Edit:
    """Take the statement's line away; leave `pass` where something else stands there or nothing would be left."""
    start, end = source.line_start(node.lineno), source.line_end(node.end_lineno or node.lineno)
    siblings = getattr(source.parents[node], "body", [])
    if is_alone(source, node) and len(siblings) > 1 and not source.has_comment(start, end):
        return Edit(start, end, "")
    return replace(source, node, "pass")


RULE = Rule(
    code="task-comparison",
    title="A comparison of tasks, which never ordered them, goes",
    words=(b" > ", b" < "),
    before="""
from airflow.operators.bash_operator import BashOperator

first = BashOperator(task_id="first", bash_command="date")
second = BashOperator(task_id="second", bash_command="date")
first > second
""",
    after="""
from airflow.operators.bash_operator import BashOperator

first = BashOperator(task_id="first", bash_command="date")
second = BashOperator(task_id="second", bash_command="date")
""",
    find=_find,
    finding="compared tasks and ordered nothing",
    is_for_2=True,
)
