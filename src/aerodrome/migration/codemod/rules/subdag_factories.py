"""Reads a function that makes a SubDag, and says whether the same tasks in a group would mean the same. Pure.

Whatever is not understood is a reason to leave it: a wrong group is worse than a finding.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from aerodrome.migration.codemod.editing import has_open_end, keyword
from aerodrome.migration.codemod.rules import dags
from aerodrome.migration.codemod.source import Source

_WITHOUT_EFFECT = frozenset(
    {"dag_id", "default_args", "start_date", "schedule", "schedule_interval", "timetable", "catchup", "description", "tags", "doc_md", "is_paused_upon_creation", "default_view", "orientation"}
)  # fmt: skip
"""Arguments of a SubDag's DAG that decide nothing about its runs, or that a group takes over.

Nor does its schedule, though it were None: 2.x's SubDagOperator makes the run itself, and 1.10.15 begins at the parent's date and ends there
(DAG.get_run_dates, of what DagBag.bag_dag says is a SubDag).
"""
OPERATORS = frozenset(
    f"airflow.{module}SubDagOperator" for module in ("operators.subdag.", "operators.subdag_operator.", "operators.")
)
"""The class and the places it was imported from."""
_FORMATS = ("%s.%s", "{}.{}", "{0}.{1}")
_TWO = 2
Key = tuple[str, str]


@dataclass(frozen=True)
class Factory:
    """A function that makes a SubDag: its DAG call, the expression of the SubDag's own name, its tasks with their `dag=`."""

    function: ast.FunctionDef
    call: ast.Call
    name: str  # of the variable
    is_entered: bool  # `with DAG(…) as name`
    child: str
    parent: str  # what its dag_id has of the DAG around, as code
    default_args: ast.expr | None
    start_date: ast.expr | None
    tasks: tuple[tuple[ast.Call, ast.keyword], ...]

    def bound(self, value: ast.expr | None, call: ast.Call) -> ast.expr | None:
        """Give what a parameter is when `call` calls the function; any other expression is itself."""
        if not isinstance(value, ast.Name):
            return value
        names = [arg.arg for arg in self.function.args.args]
        if value.id not in names:
            return value
        at = names.index(value.id)
        if at < len(call.args):
            return call.args[at]
        item = keyword(call, value.id)
        return item.value if item else None


def is_same(one: ast.expr, other: ast.expr) -> bool:
    return ast.dump(one) == ast.dump(other)


def read_factory(source: Source, name: str) -> Factory | str:
    """Give the function, or the reason why it must stay as it is."""
    found = [node for node in source.tree.body if isinstance(node, ast.FunctionDef) and node.name == name]
    if len(found) != 1 or found[0].decorator_list or found[0].args.vararg or found[0].args.kwarg:
        return f"`{name}` is not one plain function"
    function = found[0]
    calls = [node for node in ast.walk(function) if isinstance(node, ast.Call) and source.means(node.func, dags.ANY)]
    if len(calls) != 1:
        return f"`{name}` does not make exactly one DAG"
    call = calls[0]
    if has_open_end(call) or len(call.args) > 1:
        return f"the arguments of the DAG in `{name}` cannot all be seen"
    if strange := sorted({str(item.arg) for item in call.keywords} - _WITHOUT_EFFECT):
        return f"its DAG has {', '.join(strange)}, which a task group has not"
    kept = _kept_in(function, call)
    if kept is None:
        return f"the DAG in `{name}` is not kept in one name and returned at the end"
    variable, is_entered = kept
    names = _names(source, function, call)
    if names is None:
        return "it cannot be seen which part of the dag_id is the SubDag's own name"
    parent, child = names
    tasks = _tasks(source, function, variable)
    if isinstance(tasks, str):
        return tasks
    defaults, start = keyword(call, "default_args"), keyword(call, "start_date")
    value = start.value if start else None
    given = defaults.value if defaults else None
    return Factory(function, call, variable, is_entered, child, parent, given, value, tasks)


def _kept_in(function: ast.FunctionDef, call: ast.Call) -> tuple[str, bool] | None:
    inner = {
        node
        for item in ast.walk(function)
        if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and item is not function
        for node in ast.walk(item)
    }
    returns = [node for node in ast.walk(function) if isinstance(node, ast.Return) and node not in inner]
    last = function.body[-1]
    for node in function.body:
        name, is_entered = None, isinstance(node, ast.With)
        if isinstance(node, ast.Assign) and node.value is call and len(node.targets) == 1:
            name = getattr(node.targets[0], "id", None)
        elif isinstance(node, ast.With) and len(node.items) == 1 and node.items[0].context_expr is call:
            name = getattr(node.items[0].optional_vars, "id", None)
            if name and node.body[-1:] == returns and getattr(returns[0].value, "id", None) == name:
                return name, True
        if name and returns == [last] and getattr(returns[0].value, "id", None) == name:
            stores = [
                item
                for item in ast.walk(function)
                if isinstance(item, ast.Name) and item.id == name and isinstance(item.ctx, ast.Store)
            ]
            return (name, is_entered) if len(stores) == 1 else None
    return None


def _names(source: Source, function: ast.FunctionDef, call: ast.Call) -> tuple[str, str] | None:
    """Give the code of both parts of the dag_id: the DAG's, and the SubDag's own name, which follows its first dot."""
    item = keyword(call, "dag_id")
    value = item.value if item else call.args[0] if call.args else None
    value = _set_once(function, value)
    if isinstance(value, ast.Constant) and isinstance(value.value, str) and value.value.count(".") == 1:
        return f'"{value.value.partition(".")[0]}"', f'"{value.value.partition(".")[2]}"'
    if isinstance(value, ast.JoinedStr):
        match = re.fullmatch(r"f(['\"])\{(\w+(?:\.\w+)?)\}\.(?:\{(\w+)\}|([\w-]+))\1", source.code(value))
        return (match[2], match[3] or f'"{match[4]}"') if match else None
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Mod):
        parts = value.right.elts if isinstance(value.right, ast.Tuple) else []
        is_plain = isinstance(value.left, ast.Constant) and value.left.value == _FORMATS[0]
        return (source.code(parts[0]), source.code(parts[1])) if is_plain and len(parts) == _TWO else None
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr == "format":
        is_plain = getattr(value.func.value, "value", None) in _FORMATS and not value.keywords
        parts = value.args
        return (source.code(parts[0]), source.code(parts[1])) if is_plain and len(parts) == _TWO else None
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add) and isinstance(value.left, ast.BinOp):
        is_plain = getattr(value.left.right, "value", None) == "." and isinstance(value.left.op, ast.Add)
        return (source.code(value.left.left), source.code(value.right)) if is_plain else None
    return None


def _set_once(function: ast.FunctionDef, value: ast.expr | None) -> ast.expr | None:
    """Follow a name that the function gives a value once, of names that it does not change; anything else is itself."""
    if not isinstance(value, ast.Name):
        return value
    given = [node for node in function.body if isinstance(node, ast.Assign) and len(node.targets) == 1]
    found = [node.value for node in given if getattr(node.targets[0], "id", None) == value.id]
    stores = [node.id for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
    if len(found) != 1 or stores.count(value.id) != 1:
        return value
    used = {node.id for node in ast.walk(found[0]) if isinstance(node, ast.Name)}
    return found[0] if used.isdisjoint(stores) else value


def _tasks(source: Source, function: ast.FunctionDef, name: str) -> tuple[tuple[ast.Call, ast.keyword], ...] | str:
    """Give the tasks with `dag=name`; a reason when the name is used for anything else."""
    found: list[tuple[ast.Call, ast.keyword]] = []
    for node in ast.walk(function):
        if not isinstance(node, ast.Name) or node.id != name or not isinstance(node.ctx, ast.Load):
            continue
        parent = source.parents[node]
        if isinstance(parent, ast.keyword) and parent.arg == "dag":
            call = source.parents[parent]
            if isinstance(call, ast.Call) and source.means(call.func, OPERATORS):
                continue  # it becomes a group itself
            if isinstance(call, ast.Call) and keyword(call, "task_id") and not keyword(call, "task_group"):
                found.append((call, parent))
                continue
        if not isinstance(parent, ast.Return | ast.withitem) and not _is_of_inner(source, node):
            return f"`{name}` is used in `{function.name}` for more than making tasks"
    return tuple(found)


def _is_of_inner(source: Source, node: ast.Name) -> bool:
    """Tell whether it is the `name.dag_id` that a SubDag of the SubDag gets its name from."""
    at: ast.AST = source.parents[node]
    if not isinstance(at, ast.Attribute) or at.attr != "dag_id":
        return False
    while isinstance(at, ast.expr | ast.keyword):
        at, before = source.parents[at], at
        if isinstance(at, ast.Call) and source.means(at.func, OPERATORS):
            return isinstance(before, ast.keyword) and before.arg == "subdag"
    return False


def is_only_called(source: Source, origin: str) -> bool:
    """Tell whether a file does nothing with SubDagOperator but to call it: neither derives from it, nor lists it, nor asks for it."""
    calls = {call.func for call in source.each(ast.Call)}
    nodes: list[ast.Name | ast.Attribute] = [*source.each(ast.Name), *source.each(ast.Attribute)]
    return all(
        node in calls or not isinstance(node.ctx, ast.Load) or origin not in source.meanings(node) for node in nodes
    )
