"""Reads a function that makes a SubDag, and says whether the same tasks in a group would mean the same. Pure.

Whatever is not understood is a reason to leave it: a wrong group is worse than a finding.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from aerodrome.migration.codemod.editing import has_open_end, keyword
from aerodrome.migration.codemod.project import Project
from aerodrome.migration.codemod.rules import dags
from aerodrome.migration.codemod.source import Source

_WITHOUT_EFFECT = frozenset(
    {"dag_id", "default_args", "start_date", "schedule", "schedule_interval", "timetable", "catchup", "description", "tags", "doc_md", "is_paused_upon_creation", "default_view", "orientation"}
)  # fmt: skip
"""Arguments of a SubDag's DAG that decide nothing about its runs, or that a group takes over.

Nor does its schedule, though it were None: 2.x's SubDagOperator makes the run itself, and 1.10.15 begins at the parent's date and ends there
(DAG.get_run_dates, of what DagBag.bag_dag says is a SubDag).
"""
_WORDS = frozenset(
    {"xcom_pull", "task_ids", "dag_run", "run_id", "task_instance_key_str", "AirflowSkipException", "get_current_context", "trigger_rule", "pool_slots"}
)  # fmt: skip
_SKIPPING = re.compile(r"Branch|ShortCircuit|LatestOnly|\.branch|\.short_circuit|\.run_if$|\.skip_if$|\.SkipMixin$")
"""Of Airflow: what may skip tasks whatever it is given."""
_SKIPPING_WORDS = frozenset(
    {"soft_fail", "skipped_states", "skip_exit_code", "skip_on_exit_code", "skip_when_already_exists"}
)
"""Arguments that let a task be skipped where they are set; nothing skips by their defaults, but an `exit 99` of Bash in Airflow 2."""
_NESTED = re.compile(r"\.SubDagOperator$")
_EXIT = re.compile(r"\bexit\s+99\b")
_TEMPLATE = re.compile(r"\{[{%][^}]*\b(dag|dag_run|run_id|ti|task|task_instance|task_instance_key_str|conf)\b")
_FORMATS = ("%s.%s", "{}.{}", "{0}.{1}")
_TWO = 2


@dataclass(frozen=True)
class Factory:
    """A function that makes a SubDag: its DAG call, the expression of the SubDag's own name, its tasks with their `dag=`."""

    function: ast.FunctionDef
    call: ast.Call
    name: str  # of the variable
    is_entered: bool  # `with DAG(…) as name`
    child: str
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


def read_factory(source: Source, name: str, project: Project) -> Factory | str:
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
    child = _child(source, call)
    if child is None:
        return "it cannot be seen which part of the dag_id is the SubDag's own name"
    tasks = _tasks(source, function, variable)
    if isinstance(tasks, str):
        return tasks
    if why := _depends(source, function, call, project):
        return why
    defaults, start = keyword(call, "default_args"), keyword(call, "start_date")
    value = start.value if start else None
    return Factory(function, call, variable, is_entered, child, defaults.value if defaults else None, value, tasks)


def _kept_in(function: ast.FunctionDef, call: ast.Call) -> tuple[str, bool] | None:
    returns = [node for node in ast.walk(function) if isinstance(node, ast.Return)]
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


def _child(source: Source, call: ast.Call) -> str | None:
    """Give the code of the SubDag's own name: what follows the first dot of its dag_id."""
    item = keyword(call, "dag_id")
    value = item.value if item else call.args[0] if call.args else None
    if isinstance(value, ast.Constant) and isinstance(value.value, str) and value.value.count(".") == 1:
        return f'"{value.value.partition(".")[2]}"'
    if isinstance(value, ast.JoinedStr):
        match = re.fullmatch(r"f(['\"])\{(\w+(?:\.\w+)?)\}\.(?:\{(\w+)\}|([\w-]+))\1", source.code(value))
        return (match[3] or f'"{match[4]}"') if match else None
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Mod):
        parts = value.right.elts if isinstance(value.right, ast.Tuple) else []
        is_plain = isinstance(value.left, ast.Constant) and value.left.value == _FORMATS[0]
        return source.code(parts[1]) if is_plain and len(parts) == _TWO else None
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr == "format":
        is_plain = getattr(value.func.value, "value", None) in _FORMATS and not value.keywords
        return source.code(value.args[1]) if is_plain and len(value.args) == _TWO else None
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add) and isinstance(value.left, ast.BinOp):
        is_plain = getattr(value.left.right, "value", None) == "." and isinstance(value.left.op, ast.Add)
        return source.code(value.right) if is_plain else None
    return None


def _tasks(source: Source, function: ast.FunctionDef, name: str) -> tuple[tuple[ast.Call, ast.keyword], ...] | str:
    """Give the tasks with `dag=name`; a reason when the name is used for anything else."""
    found: list[tuple[ast.Call, ast.keyword]] = []
    for node in ast.walk(function):
        if not isinstance(node, ast.Name) or node.id != name or not isinstance(node.ctx, ast.Load):
            continue
        parent = source.parents[node]
        if isinstance(parent, ast.keyword) and parent.arg == "dag":
            call = source.parents[parent]
            if isinstance(call, ast.Call) and keyword(call, "task_id") and not keyword(call, "task_group"):
                found.append((call, parent))
                continue
        if not isinstance(parent, ast.Return | ast.withitem):
            return f"`{name}` is used in `{function.name}` for more than making tasks"
    return tuple(found)


def _depends(source: Source, function: ast.FunctionDef, call: ast.Call, project: Project) -> str:
    """Say what in the function, or in what its tasks call, asks for the SubDag's own run, ids or skipping."""
    own = set(ast.walk(call))
    has_sensor = False
    for place, node in _reached(source, function, project):
        if isinstance(place, str):
            return place
        if node in own:
            continue
        has_sensor = has_sensor or _name(node).endswith("Sensor")
        if why := _asks(place, node) or _skips(place, node):
            return why
    if has_sensor and _is_set_elsewhere(project):
        return "`soft_fail` or `skipped_states` in a dict of the project may skip a sensor: a skipped SubDag counted as a success"
    return ""


def _asks(place: Source, node: ast.AST) -> str:
    """Say what asks for the SubDag's own run or ids."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        if node.value in _WORDS or _TEMPLATE.search(node.value):
            return f"`{node.value[:40]}` depends on the run or on the ids of the SubDag"
    elif (name := _name(node)) in _WORDS:
        return f"`{name}` may depend on the run or on the ids of the SubDag"
    elif isinstance(node, ast.keyword) and node.arg == "external_dag_id" and "." in _texts(node.value):
        return f"`{place.code(node.value)}` may be the id of a SubDag"
    elif isinstance(node, ast.Name | ast.Attribute) and _means(place, node, _NESTED):
        return "another SubDag is made in it: let the inner one be a task group first"
    return ""


def _skips(place: Source, node: ast.AST) -> str:
    """Say what may skip tasks."""
    is_skipping = isinstance(node, ast.Name | ast.Attribute) and _means(place, node, _SKIPPING)
    if isinstance(node, ast.keyword) and node.arg in _SKIPPING_WORDS:
        is_skipping = not _is_nothing(node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        is_skipping = node.value in _SKIPPING_WORDS or _EXIT.search(node.value) is not None
    if not is_skipping:
        return ""
    what = str(node.value)[:40] if isinstance(node, ast.Constant) else _name(node)
    return f"`{what}` may skip tasks: a skipped SubDag counted as a success"


def _means(place: Source, node: ast.AST, wanted: re.Pattern[str]) -> bool:
    return any(name.startswith("airflow.") and wanted.search(name) for name in place.meanings(node))


def _is_nothing(value: ast.expr) -> bool:
    """Tell `None`, `False` and empty lists."""
    is_empty = isinstance(value, ast.List | ast.Tuple | ast.Set) and not value.elts
    return is_empty or (isinstance(value, ast.Constant) and not value.value)


def _texts(value: ast.expr) -> str:
    return " ".join(
        node.value for node in ast.walk(value) if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def _is_set_elsewhere(project: Project) -> bool:
    """Tell whether default_args may let sensors skip: which dict reaches which task is not followed."""
    for word in ("soft_fail", "skipped_states"):
        for file in project.mentioning(word.encode()):
            source = project.source(file)
            for mapping in source.each(ast.Dict) if source else ():
                if (found := dags.entry(mapping, word)) and not _is_nothing(found[1]):
                    return True
            for call in source.each(ast.Call) if source else ():
                item = keyword(call, word)
                if getattr(call.func, "id", "") == "dict" and item and not _is_nothing(item.value):
                    return True
    return False


def _name(node: ast.AST) -> str:
    return str(getattr(node, "arg", None) or getattr(node, "attr", None) or getattr(node, "id", None) or "")


def _reached(source: Source, function: ast.FunctionDef, project: Project) -> Iterator[tuple[Source | str, ast.AST]]:
    """Give the nodes of a function, of the functions and classes it names, and so on; a text in place of the file when one cannot be followed."""
    waiting: list[tuple[Source, ast.FunctionDef | ast.ClassDef]] = [(source, function)]
    seen: set[ast.AST] = {function}
    while waiting:
        place, current = waiting.pop()
        for node in ast.walk(current):
            yield place, node
            if not isinstance(node, ast.Name | ast.Attribute) or not isinstance(node.ctx, ast.Load):
                continue
            followed = _definition(place, node, project)
            if followed is not None and followed[1] not in seen:
                seen.add(followed[1])
                waiting.append(followed)
            elif followed is None and _is_callable(place, node) and not _is_known(place, node):
                yield f"`{place.code(node)}` cannot be followed", node


def _definition(
    source: Source, node: ast.AST, project: Project
) -> tuple[Source, ast.FunctionDef | ast.ClassDef] | None:
    """Give the function or class of the project that a name means."""
    if isinstance(node, ast.Name):
        for item in source.tree.body:
            if isinstance(item, ast.FunctionDef | ast.ClassDef) and item.name == node.id:
                return source, item
    for origin in source.meanings(node):
        file, name = project.place_of(origin) or ("", "")
        if (other := project.source(file)) is None:
            continue
        for item in other.tree.body:
            if isinstance(item, ast.FunctionDef | ast.ClassDef) and item.name == name:
                return other, item
    return None


def _is_callable(source: Source, node: ast.AST) -> bool:
    """Tell whether a task will call what is named, or is made by it: a callable, a callback, a class that is none of Airflow's."""
    parent = source.parents.get(node)
    if isinstance(parent, ast.Call) and parent.func is node:
        return keyword(parent, "task_id") is not None and not any(
            name.startswith("airflow.") for name in source.meanings(node)
        )
    return isinstance(parent, ast.keyword) and (parent.arg or "").endswith(("_callable", "_callback", "_fn"))


def _is_known(source: Source, node: ast.AST) -> bool:
    """Tell whether it is of the standard library's plain functions: `print`, `time.sleep`."""
    if isinstance(node, ast.Name) and node.id == "print" and "print" not in source.top.bound:
        return True
    return source.means(node, {"time.sleep"})
