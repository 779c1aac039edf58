"""`dag >> task` gave a task its DAG in Airflow 1.10 (BaseOperator.__rrshift__ and __rshift__ of 1.10.15); later ones take arrows between tasks only.

`task.dag = dag` is what 1.10 did, does the same in every Airflow, and nothing when the task has that DAG already (`dag.add_task` raises then).
What it does not do either is give the task the default_args of the DAG: only an argument `dag=` or a `with` does.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.editing import keyword, replace
from aerodrome.migration.codemod.rules import dags
from aerodrome.migration.codemod.source import Source

_HINT = "Give the task dag=… where it is made, and take the DAG out of the arrows."
_OPERANDS = (ast.Name, ast.Attribute, ast.Subscript)


def _find(source: Source, _options: Options) -> Iterator[Change | Spot]:
    for arrow in source.each(ast.BinOp):
        if not isinstance(arrow.op, ast.RShift | ast.LShift):
            continue
        is_first = _is_dag(source, arrow.left)
        if is_first or _is_dag(source, arrow.right):
            dag, task = (arrow.left, arrow.right) if is_first else (arrow.right, arrow.left)
            yield _without_dag(source, arrow, dag, task) or Spot(
                arrow.lineno, f"`{source.code(dag)}` stands among the arrows of tasks, which Airflow 1.10 took.", _HINT
            )


def _without_dag(source: Source, arrow: ast.BinOp, dag: ast.expr, task: ast.expr) -> Change | None:
    """Write the arrow without its DAG; None where that cannot be seen to mean the same."""
    statement: ast.AST = source.parents[arrow]
    is_alone = isinstance(statement, ast.Expr)
    adding = f"{source.code(task)}.dag = {source.code(dag)}"
    if is_alone and isinstance(task, ast.Call):
        made = source.code(task)
        text = made if _has(source, dag, task) else f"{source.code(dag)}.add_task({made})"
        return Change((replace(source, arrow, text),))
    if is_alone and isinstance(task, _OPERANDS):
        return Change((replace(source, arrow, adding),))
    if (between := _between(source, arrow)) is None or (not is_alone and task is arrow.left):
        return None  # the value of `task >> dag` is the DAG
    if isinstance(task, ast.BinOp):
        return Change((between,))  # its tasks have a DAG: 1.10 refused arrows between tasks without one
    while not isinstance(statement, ast.stmt):
        statement = source.parents[statement]
    if _has(source, dag, task):
        return Change((between,))
    start = source.start(statement)
    indent = source.text[source.line_start(statement.lineno) : start].decode()
    if not isinstance(task, ast.Name) or not isinstance(statement, ast.Expr) or indent.strip():
        return None
    return Change((Edit(start, start, f"{adding}{source.newline.decode()}{indent}"), between))


def _between(source: Source, arrow: ast.BinOp) -> Edit | None:
    """Take the DAG and its arrow away; None where something else stands between it and the task."""
    end, start = source.end(arrow.left), source.start(arrow.right)
    if source.text[end:start].strip() not in (b">>", b"<<"):
        return None
    if _is_dag(source, arrow.left):
        return Edit(source.start(arrow.left), start, "")
    return Edit(end, source.end(arrow.right), "")


def _has(source: Source, dag: ast.expr, task: ast.expr) -> bool:
    """Tell whether a task was given the DAG when it was made."""
    made = dags.constant(source, task)
    given = keyword(made, "dag") if isinstance(made, ast.Call) else None
    return given is not None and source.code(given.value) == source.code(dag)


def _is_dag(source: Source, node: ast.expr) -> bool:
    """Tell whether a name is nothing but a DAG, wherever the file puts something into it."""
    if not isinstance(node, ast.Name):
        return False
    around: ast.AST = node
    while around in source.parents:
        around = source.parents[around]
        if isinstance(around, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and any(
            item.arg == node.id for item in ast.walk(around.args) if isinstance(item, ast.arg)
        ):
            return False
    values = [_value(source, item) for item in source.writes.get(node.id, ()) if isinstance(item, ast.Name)]
    return bool(values) and all(isinstance(item, ast.Call) and source.means(item.func, dags.ANY) for item in values)


def _value(source: Source, name: ast.Name) -> ast.expr | None:
    parent = source.parents[name]
    if isinstance(parent, ast.Assign) and name in parent.targets:
        return parent.value
    return parent.context_expr if isinstance(parent, ast.withitem) else None


RULE = Rule(
    code="dag-arrow",
    title="A task that an arrow gave its DAG is added to the DAG: Airflow 1.10 took `dag >> task`",
    words=(b"DAG",),
    before="""
from airflow import DAG
from airflow.operators.bash_operator import BashOperator

dag = DAG("sales", schedule_interval="@daily")
first = BashOperator(task_id="first", bash_command="date", dag=dag)
second = BashOperator(task_id="second", bash_command="date")
dag >> first >> second
third = BashOperator(task_id="third", bash_command="date")
third << dag
""",
    after="""
from airflow import DAG
from airflow.operators.bash_operator import BashOperator

dag = DAG("sales", schedule_interval="@daily")
first = BashOperator(task_id="first", bash_command="date", dag=dag)
second = BashOperator(task_id="second", bash_command="date")
first >> second
third = BashOperator(task_id="third", bash_command="date")
third.dag = dag
""",
    find=_find,
    is_for_2=True,
)
