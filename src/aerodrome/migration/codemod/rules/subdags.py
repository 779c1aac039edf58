"""SubDags become task groups of the same tasks, where it can be seen that nothing else depended on the SubDag.

The rule asks `subdag_factories` whether the function that makes the SubDag may become one that makes a group, and looks itself at each
SubDagOperator. A function and all its users change together, or none does, also over several files.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.editing import drop_item, has_open_end, keyword, replace
from aerodrome.migration.codemod.project import Project
from aerodrome.migration.codemod.rules import dags
from aerodrome.migration.codemod.rules.subdag_factories import Factory, is_same, read_factory
from aerodrome.migration.codemod.source import Source

OPERATORS = frozenset(
    f"airflow.{module}SubDagOperator" for module in ("operators.subdag.", "operators.subdag_operator.", "operators.")
)
_GROUP = ("airflow.sdk", "TaskGroup")
_GROUPS = ("airflow.sdk.TaskGroup", "airflow.utils.task_group.TaskGroup")
_TAKEN = frozenset({"task_id", "subdag", "dag", "default_args", "executor", "doc_md"})
_RULES = frozenset({"all_success", "all_done", "none_failed", "none_failed_min_one_success", "none_skipped"})
"""Trigger rules that see a group's last tasks as they saw the SubDag's one."""
_SCHEDULE = re.compile(r"\.schedule_interval\b")
"""Of the DAG, as the functions of SubDags are given it; Airflow 3 calls it otherwise."""
_HINT = "Write a TaskGroup: its tasks are tasks of the DAG, and their ids begin with the group's."
_NOTE = (
    "SubDags of this file are task groups now: their tasks are tasks of the DAG, and their ids begin with the group's."
)
_NOTE_HINT = (
    "Look for what names the SubDag (`dag.group`) or its tasks from outside: sensors, XComs, alerts, calls of the API."
)
Key = tuple[str, str]


@dataclass(frozen=True)
class _Use:
    """One SubDagOperator. `reason` says why it must stay."""

    file: str
    call: ast.Call
    key: Key | None  # file and name of the function that makes its SubDag
    reason: str


@dataclass(frozen=True)
class _Plan:
    """What the whole project says: functions by their place, and why one must stay."""

    factories: Mapping[Key, Factory]
    reasons: Mapping[Key, str]


def _find(source: Source, options: Options) -> Iterator[Change | Spot]:
    project = options.project or Project({options.file: source.text})
    if not project.mentioning(b"SubDagOperator"):
        return
    plan: _Plan = project.once("subdags", lambda: _plan(project))
    edits: list[Edit] = []
    lines: list[int] = []
    has_group = False
    for use in _uses(source, options.file, project):
        reason = use.reason or (plan.reasons.get(use.key, "") if use.key else "")
        if reason or use.key not in plan.factories:
            yield Spot(
                use.call.lineno, f"SubDagOperator is gone, and this one cannot become a task group: {reason}.", _HINT
            )
            continue
        edits += _edits_of_use(source, use.call)
        lines.append(use.call.lineno)
    for file, name in plan.factories:
        if file != options.file or plan.reasons.get((file, name)):
            continue
        present = read_factory(source, name, project)
        if isinstance(present, Factory):
            edits += _edits_of_factory(source, present)
            has_group = True
    if edits:
        is_there = source.has_import("TaskGroup", _GROUPS[1]) or not has_group
        note = Spot(min(lines), _NOTE, _NOTE_HINT) if lines else None
        yield Change(tuple(edits), () if is_there else (_GROUP,), note)


def _plan(project: Project) -> _Plan:
    factories: dict[Key, Factory] = {}
    reasons: dict[Key, str] = {}
    counts: dict[Key, int] = {}
    for file in project.mentioning(b"SubDagOperator"):
        source = project.source(file)
        for use in _uses(source, file, project) if source else ():
            if use.key is None:
                continue
            counts[use.key] = counts.get(use.key, 0) + 1
            if use.reason:
                reasons.setdefault(use.key, use.reason)
            made = project.source(use.key[0])
            found = read_factory(made, use.key[1], project) if made else "its file cannot be read"
            if isinstance(found, str):
                reasons[use.key] = found
            else:
                factories[use.key] = found
                if source and (why := _of_arguments(source, use.call, found, is_own=use.key[0] == file)):
                    reasons.setdefault(use.key, why)
    for key in factories:
        if _calls_of(project, key) != counts[key]:
            reasons.setdefault(key, f"`{key[1]}` is used for something else, too")
        text = project.source(key[0])
        if text and not any(text.is_free("TaskGroup", origin) for origin in _GROUPS):
            reasons.setdefault(key, "the name TaskGroup is taken in its file")
    return _Plan(factories, reasons)


def _uses(source: Source, file: str, project: Project) -> Iterator[_Use]:
    for call in source.each(ast.Call):
        if source.means(call.func, OPERATORS):
            key = _factory_of(source, file, call, project)
            yield _Use(
                file, call, key, _of_call(source, call) if key else "no function of the project makes its SubDag"
            )


def _factory_of(source: Source, file: str, call: ast.Call, project: Project) -> Key | None:
    subdag = keyword(call, "subdag")
    if subdag is None or not isinstance(subdag.value, ast.Call):
        return None
    name = subdag.value.func
    if isinstance(name, ast.Name) and any(
        isinstance(node, ast.FunctionDef) and node.name == name.id for node in source.tree.body
    ):
        return (file, name.id) if source.top.bound.get(name.id) == {""} else None  # else an import means something else
    places = [place for origin in source.meanings(name) if (place := project.place_of(origin))]
    return places[0] if len(places) == 1 else None


def _calls_of(project: Project, key: Key) -> int:
    """Count the mentions of a function that are not its definition or an import of it."""
    file, name = key
    count = 0
    for other in project.mentioning(name.encode()):
        if (source := project.source(other)) is None:
            continue
        for node in source.each(ast.Name, ast.Attribute):
            is_own = other == file and isinstance(node, ast.Name) and node.id == name
            count += is_own or any(project.place_of(origin) == key for origin in source.meanings(node))
    return count


def _of_call(source: Source, call: ast.Call) -> str:
    """Say why a SubDagOperator cannot go, by what it is given and where it stands."""
    if has_open_end(call) or call.args:
        return "its arguments cannot all be seen"
    if strange := sorted({str(item.arg) for item in call.keywords} - _TAKEN):
        return f"a task group has no {', '.join(strange)}"
    if dags.dag_of(source, call) is None:
        return "the DAG that it belongs to cannot be seen"
    if not _is_within(source, call) and not isinstance(source.parents[call], ast.Assign | ast.Expr):
        return "the DAG that it belongs to is not entered by a `with` there"
    if why := _of_variable(source, call):
        return why
    for value in _trigger_rules(source):
        if not isinstance(value, ast.Constant) or value.value not in _RULES:
            return f"the trigger rule {source.code(value)} in the file may see several last tasks where it saw one"
    return ""


def _trigger_rules(source: Source) -> Iterator[ast.expr]:
    for call in source.each(ast.Call):
        yield from (item.value for item in call.keywords if item.arg == "trigger_rule")
    for mapping in source.each(ast.Dict):
        if found := dags.entry(mapping, "trigger_rule"):
            yield found[1]


def _is_within(source: Source, call: ast.Call) -> bool:
    """Tell whether the DAG is the current one where the call stands."""
    own = dags.dag_of(source, call)
    node: ast.AST = call
    while node in source.parents:
        node = source.parents[node]
        if isinstance(node, ast.With) and any(dags.constant(source, item.context_expr) is own for item in node.items):
            return True
        if isinstance(node, ast.FunctionDef):
            return own in node.decorator_list
    return False


def _of_variable(source: Source, call: ast.Call) -> str:
    """Say what else than its place among the tasks is asked of the task."""
    parent = source.parents[call]
    if isinstance(parent, ast.Assign):
        if len(parent.targets) != 1 or not isinstance(parent.targets[0], ast.Name):
            return "it is kept in something else than one name"
        name = parent.targets[0].id
        loads = [node for node in source.each(ast.Name) if node.id == name and isinstance(node.ctx, ast.Load)]
        return (
            ""
            if all(_is_order(source, node) for node in loads)
            else f"`{name}` is used for more than the order of tasks"
        )
    return (
        "" if isinstance(parent, ast.Expr) or _is_order(source, call) else "it is used for more than the order of tasks"
    )


def _is_order(source: Source, node: ast.AST) -> bool:
    parent = source.parents[node]
    while isinstance(parent, ast.List | ast.Tuple):
        node, parent = parent, source.parents[parent]
    if isinstance(parent, ast.BinOp):
        return isinstance(parent.op, ast.RShift | ast.LShift)
    if isinstance(parent, ast.Expr):
        return True
    if isinstance(parent, ast.Attribute):
        return parent.attr in ("set_upstream", "set_downstream")
    if isinstance(parent, ast.Call) and node is not parent.func:
        name = getattr(parent.func, "id", getattr(parent.func, "attr", ""))
        return name in ("set_upstream", "set_downstream", "chain", "cross_downstream")
    return False


def _of_arguments(source: Source, call: ast.Call, factory: Factory, *, is_own: bool) -> str:
    """Say whether the DAG gives its tasks defaults that the SubDag's tasks did not have."""
    own = dags.dag_of(source, call)
    subdag = keyword(call, "subdag")
    if own is None or subdag is None or not isinstance(subdag.value, ast.Call):
        return "the DAG that it belongs to cannot be seen"
    more, is_seen = dags.spread(source, own)
    given = keyword(own, "default_args")
    defaults = given.value if given else more.get("default_args")
    if not is_seen:
        return "the arguments of its DAG cannot all be seen"
    if defaults is None:
        return ""
    inner = factory.bound(factory.default_args, subdag.value)
    if inner is None:
        return "the default_args of the DAG would reach its tasks, which had none or others"
    if isinstance(inner, ast.Attribute) and inner.attr == "default_args" and isinstance(inner.value, ast.Name):
        return ""  # those of the DAG itself
    is_seen_here = is_own or inner is not factory.default_args
    return "" if is_seen_here and is_same(inner, defaults) else "its default_args are not those of the DAG"


def _edits_of_use(source: Source, call: ast.Call) -> Iterator[Edit]:
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
    if not _is_within(source, call) and (owner := keyword(call, "dag")):
        head += f"with {source.code(owner.value)}:{newline}{indent}    "
    if head:
        yield Edit(at, at, head)
    yield replace(source, call, _SCHEDULE.sub(".schedule", source.code(made)))


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
    words=(b"SubDagOperator", b"DAG("),
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
