"""Functions that Airflow calls with the context of a task, and what they know of it. Shared by rules about what tasks do."""

from __future__ import annotations

import ast

from aerodrome.migration.codemod.editing import keyword
from aerodrome.migration.codemod.rules.callers import elsewhere
from aerodrome.migration.codemod.source import Source

CONTEXTS = ("context", "kwargs", "ctx", "ti_context", "_context")
_METHODS = ("execute", "poke", "pre_execute", "post_execute")
_DECORATORS = frozenset({"airflow.decorators.task", "airflow.sdk.task"})
_TASK_INSTANCES = ("ti", "task_instance")


def function_of(source: Source, node: ast.AST) -> ast.FunctionDef | None:
    """Give the function around a node when Airflow itself calls it: a callable, a task or an operator's method; None otherwise."""
    while node in source.parents:
        node = source.parents[node]
        if isinstance(node, ast.Lambda | ast.AsyncFunctionDef):
            return None
        if isinstance(node, ast.FunctionDef):
            return node if _is_called(source, node) else None
    return None


def _is_called(source: Source, function: ast.FunctionDef) -> bool:
    if isinstance(source.parents[function], ast.ClassDef):
        return function.name in _METHODS
    for item in function.decorator_list:
        target = item.func if isinstance(item, ast.Call) else item
        while isinstance(target, ast.Attribute) and not source.means(target, _DECORATORS):
            target = target.value
        if source.means(target, _DECORATORS):
            return True
    return is_passed(source, function.name) and not any(
        getattr(call.func, "id", "") == function.name for call in source.each(ast.Call)
    )


def is_passed(source: Source, name: str) -> bool:
    """Tell whether a function of the file is given to tasks, in the file or in others that import it, and to nobody else there."""
    others = elsewhere(source, name)
    return others is not None and (
        bool(others)
        or any(
            (given := keyword(call, "python_callable")) and getattr(given.value, "id", "") == name
            for call in source.each(ast.Call)
        )
    )


def task_instance(source: Source, node: ast.AST) -> str | None:
    """Give the code of the task instance that a place in a task's function has; None when it has none."""
    function = function_of(source, node)
    if function is None:
        return None
    names = [arg.arg for arg in (*function.args.args, *function.args.kwonlyargs)]
    for name in _TASK_INSTANCES:
        if name in names:
            return name
    context, quote = _context_of(function), quote_at(source, node)
    return f"{context}[{quote}ti{quote}]" if context else None


def quote_at(source: Source, node: ast.AST) -> str:
    """Give a quote that may stand where the node is: within an f-string not its own (Python 3.11 and older)."""
    while node in source.parents:
        node = source.parents[node]
        if isinstance(node, ast.JoinedStr) and source.code(node).endswith('"'):
            return "'"
    return '"'


def _context_of(function: ast.FunctionDef) -> str | None:
    names = [arg.arg for arg in (*function.args.args, *function.args.kwonlyargs)]
    found = [name for name in names if name in CONTEXTS and name != "kwargs"]
    if function.args.kwarg:
        found.append(function.args.kwarg.arg)
    return found[0] if found else None


def context_value(source: Source, node: ast.expr) -> str:
    """Give the name of the context's value that an expression is: `dag_run`, `context["dag_run"]`; "" when it is none."""
    function = function_of(source, node)
    if function is None:
        return ""
    if isinstance(node, ast.Name):
        names = [arg.arg for arg in (*function.args.args, *function.args.kwonlyargs)]
        if node.id in names:
            return node.id
        values = [
            item.value
            for item in ast.walk(function)
            if isinstance(item, ast.Assign) and any(getattr(target, "id", "") == node.id for target in item.targets)
        ]
        return context_value(source, values[0]) if len(values) == 1 and not isinstance(values[0], ast.Name) else ""
    is_item = isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant)
    if is_item and getattr(node.value, "id", "") == _context_of(function):  # type: ignore[attr-defined]
        return str(node.slice.value)  # type: ignore[attr-defined]
    return ""


def given_to(source: Source, name: str) -> set[str] | None:
    """Give the parameters of a function that its callers name: they are not the context's. None when that cannot be seen."""
    found: set[str] = set()
    others = elsewhere(source, name)
    if others is None:
        return None
    passing = list(others)
    for call in source.each(ast.Call):
        if isinstance(call.func, ast.Name) and call.func.id == name:
            if call.args or any(item.arg is None for item in call.keywords):
                return None
            found |= {str(item.arg) for item in call.keywords}
        if any(item.arg == "python_callable" and getattr(item.value, "id", "") == name for item in call.keywords):
            passing.append(call)
    for item in (item for call in passing for item in call.keywords):
        if item.arg == "op_args":
            return None
        if item.arg != "op_kwargs":
            continue
        keys = item.value.keys if isinstance(item.value, ast.Dict) else [None]
        if not all(isinstance(key, ast.Constant) for key in keys):
            return None
        found |= {str(key.value) for key in keys if isinstance(key, ast.Constant)}
    return found
