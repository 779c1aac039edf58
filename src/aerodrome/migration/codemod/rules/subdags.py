"""SubDags become task groups of the same tasks, where it can be seen that nothing else depended on the SubDag.

The rule asks `subdag_factories` whether the function that makes the SubDag may become one that makes a group, and looks itself at each
SubDagOperator. A function and all its users change together, or none does, also over several files.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.editing import drop_item, keyword, replace
from aerodrome.migration.codemod.project import Project
from aerodrome.migration.codemod.rules.subdag_factories import Factory, read_factory
from aerodrome.migration.codemod.rules.subdag_mentions import edits_of_pulls, mentions
from aerodrome.migration.codemod.rules.subdag_plan import Plan, Use, is_within, plan_of, uses
from aerodrome.migration.codemod.source import Source

_GROUP = ("airflow.sdk", "TaskGroup")
_OLD_GROUP = "airflow.utils.task_group.TaskGroup"
_SCHEDULE = re.compile(r"\.schedule_interval\b")
"""Of the DAG, as the functions of SubDags are given it; Airflow 3 calls it otherwise."""
_HINT = "Write a TaskGroup: its tasks are tasks of the DAG, and their ids begin with the group's."
_NOTE = (
    "SubDags of this file are task groups now: their tasks are tasks of the DAG, and their ids begin with the group's."
)
_NOTE_HINT = (
    "Look for what names the SubDag (`dag.group`) or its tasks from outside: sensors, XComs, alerts, calls of the API."
)


def _find(source: Source, options: Options) -> Iterator[Change | Spot]:
    project = options.project or Project({options.file: source.text})
    if not project.mentioning(b"SubDagOperator"):
        return
    plan: Plan = project.once("subdags", lambda: plan_of(project))
    edits: list[Edit] = []
    lines: list[int] = []
    has_group = False
    for use in uses(source, options.file, project):
        if plan.is_changing(use):
            edits += _edits_of_use(source, use)
            lines.append(use.call.lineno)
            continue
        reason = use.reason or (plan.reasons.get(use.key, "") if use.key else "")
        yield Spot(
            use.call.lineno, f"SubDagOperator is gone, and this one cannot become a task group: {reason}.", _HINT
        )
    for file, name in plan.factories:
        if file != options.file or plan.reasons.get((file, name)):
            continue
        present = read_factory(source, name)
        if isinstance(present, Factory):
            edits += _edits_of_factory(source, present)
            has_group = True
    edits += edits_of_pulls(source, options.file, plan)
    yield from mentions(source, options.file, plan)
    if edits:
        is_there = source.has_import("TaskGroup", _OLD_GROUP) or not has_group
        note = Spot(min(lines), _NOTE, _NOTE_HINT) if lines else None
        yield Change(tuple(edits), () if is_there else (_GROUP,), note)


def _edits_of_use(source: Source, use: Use) -> Iterator[Edit]:
    call = use.call
    subdag = keyword(call, "subdag")
    made = subdag.value if subdag else call
    statement: ast.AST = call
    while not isinstance(statement, ast.stmt):
        statement = source.parents[statement]
    start, end = source.start(call), source.end(call)
    kept = [(source.start(made), source.end(made))]
    comments = [
        source.text[a:b].decode()
        for a, b in source.comments
        if start <= a < end and not any(x <= a < y for x, y in kept)
    ]
    newline = source.newline.decode()
    at = source.start(statement)
    indent = source.text[source.line_start(statement.lineno) : at].decode()
    head = "".join(f"{text}{newline}{indent}" for text in comments) if not indent.strip() else ""
    if use.dag and not is_within(source, call, use.dag) and (owner := keyword(call, "dag")):
        head += f"with {source.code(owner.value)}:{newline}{indent}    "
    if head:
        yield Edit(at, at, head)
    code = _SCHEDULE.sub(".schedule", source.code(made))
    outer = read_factory(source, use.around[1])
    if isinstance(outer, Factory):
        code = re.sub(rf"\b{outer.name}\.dag_id\b", f"{outer.name}.group_id", code)
    yield replace(source, call, code)


def _edits_of_factory(source: Source, factory: Factory) -> Iterator[Edit]:
    arguments = [f"group_id={factory.child}"]
    start = source.code(factory.start_date) if factory.start_date else ""
    defaults = source.code(factory.default_args) if factory.default_args else ""
    if start:
        arguments.append(f'default_args={{"start_date": {start}{f", **{defaults}" if defaults else ""}}}')
    elif defaults:
        arguments.append(f"default_args={defaults}")
    yield replace(source, factory.call, f"TaskGroup({', '.join(arguments)})")
    for call, item in factory.tasks:
        if factory.is_entered or _is_below(source, call, factory.name):
            yield drop_item(source, item)
        else:
            yield Edit(source.start(item), source.start(item) + len("dag"), "task_group")


def _is_below(source: Source, node: ast.AST, name: str) -> bool:
    """Tell whether a `with name:` stands around a call."""
    while node in source.parents:
        node = source.parents[node]
        if isinstance(node, ast.With) and any(getattr(item.context_expr, "id", "") == name for item in node.items):
            return True
    return False


RULE = Rule(
    code="subdag",
    title="A SubDag becomes a task group, when the function that makes it can be followed and nothing but the order of tasks depended on it",
    words=(b"SubDagOperator", b"DAG(", b"xcom_pull", b"external_dag_id"),
    before="""
from airflow import DAG
from airflow.operators.bash import BashOperator
from airflow.operators.subdag import SubDagOperator


def section(parent, child, args):
    part = DAG(dag_id=f"{parent}.{child}", default_args=args, schedule="@daily")
    first = BashOperator(task_id="first", bash_command="date", dag=part)
    first >> BashOperator(task_id="second", bash_command="date", dag=part)
    return part


with DAG("sales", schedule="@daily", default_args=ARGS, catchup=False) as dag:
    start = BashOperator(task_id="start", bash_command="date")
    start >> SubDagOperator(task_id="north", subdag=section("sales", "north", ARGS))
""",
    after="""
from airflow import DAG
from airflow.operators.bash import BashOperator
from airflow.operators.subdag import SubDagOperator
from airflow.sdk import TaskGroup


def section(parent, child, args):
    part = TaskGroup(group_id=child, default_args=args)
    first = BashOperator(task_id="first", bash_command="date", task_group=part)
    first >> BashOperator(task_id="second", bash_command="date", task_group=part)
    return part


with DAG("sales", schedule="@daily", default_args=ARGS, catchup=False) as dag:
    start = BashOperator(task_id="start", bash_command="date")
    start >> section("sales", "north", ARGS)
""",
    find=_find,
)
