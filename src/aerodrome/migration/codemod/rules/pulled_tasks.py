"""What a file shows of the tasks whose XComs are pulled: whether they are mapped, and under which key the newest of them stands.

Airflow 1.10 and 2.x store what a task returned after all that it pushed itself, so a value that is surely returned is the newest one.
"""

from __future__ import annotations

import ast

from aerodrome.migration.codemod.contract import Options
from aerodrome.migration.codemod.editing import has_open_end, keyword
from aerodrome.migration.codemod.rules import dags
from aerodrome.migration.codemod.rules.tasks import CONTEXTS
from aerodrome.migration.codemod.source import Source

RETURNED = "return_value"
_EXPANDING = (b".expand(", b".expand_kwargs(")
_PUSHING = (b"xcom_push(", b"XCom.set(")
_TASK = frozenset({"airflow.decorators.task", "airflow.sdk.task"})
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_RETURNING = frozenset({"BashOperator", "SSHOperator", "SimpleHttpOperator", "HttpOperator"})
"""Operators whose only XCom is what they return."""
_SURE = (ast.Dict, ast.List, ast.Tuple, ast.Set, ast.JoinedStr, ast.ListComp, ast.DictComp, ast.SetComp, ast.Compare)
_SURE_CALLS = ("str", "int", "float", "len", "list", "dict", "tuple", "set", "sorted", "bool")


def is_unmapped(source: Source, task_id: str, options: Options) -> bool:
    """Tell whether a task is surely not mapped: nothing of the project is, or the file makes it by a plain call."""
    if not is_expanding(source, options):
        return True
    made = [call for call in _operators(source, task_id) if not _is_within_function(source, call)]
    return len(made) == 1 and not _decorated(source, task_id) and not _is_expanded(source, made[0])


def is_expanding(source: Source, options: Options) -> bool:
    """Tell whether the project may have mapped tasks, which Airflow 1.10 did not know."""
    return not options.source_version.startswith("1.") and _is_said(source, options, _EXPANDING)


def _is_said(source: Source, options: Options, words: tuple[bytes, ...]) -> bool:
    project = options.project
    return any(word in source.text or (project is not None and project.mentioning(word)) for word in words)


def _is_expanded(source: Source, call: ast.Call) -> bool:
    return "partial" in (getattr(call.func, "attr", ""), getattr(source.parents[call], "attr", ""))


def _is_within_function(source: Source, node: ast.AST) -> bool:
    while node in source.parents:
        node = source.parents[node]
        if isinstance(node, _FUNCTIONS):
            return True
    return False


def _operators(source: Source, task_id: str) -> list[ast.Call]:
    return [
        call
        for call in source.each(ast.Call)
        if (item := keyword(call, "task_id")) and getattr(dags.constant(source, item.value), "value", None) == task_id
    ]


def _decorated(source: Source, task_id: str) -> list[ast.FunctionDef]:
    """Give the functions that @task makes this task of."""
    found = []
    for function in source.each(ast.FunctionDef):
        for item in function.decorator_list:
            named = keyword(item, "task_id") if isinstance(item, ast.Call) else None
            name = getattr(named.value, "value", None) if named else function.name
            if source.means(item.func if isinstance(item, ast.Call) else item, _TASK) and name == task_id:
                found.append(function)
    return found


def is_pushing(source: Source, task_id: str) -> bool:
    """Tell whether a task of the file returns something that is never None, and that is stored."""
    function = _maker(source, task_id)
    return function == RETURNED or (isinstance(function, ast.FunctionDef) and _is_sure(function))


def newest_key(source: Source, task_id: str, options: Options, *, is_only: bool) -> str | None:
    """Give the key of the newest XCom of a task, where the file shows it; `is_only`: it must be the only one."""
    function = _maker(source, task_id)
    if not isinstance(function, ast.FunctionDef):
        return function
    if is_only and function.decorator_list:
        return None  # @task may push the parts of a dictionary, too
    return _key_of(source, function, options, is_only=is_only)


def _maker(source: Source, task_id: str) -> ast.FunctionDef | str | None:
    """Give the function whose result a task pushes, or RETURNED for operators that push what they return and nothing else."""
    made, functions = _operators(source, task_id), _decorated(source, task_id)
    if len(made) + len(functions) != 1:
        return None
    if not made:
        return functions[0] if len(functions[0].decorator_list) == 1 else None
    call = made[0]
    classes = {name.rpartition(".")[2] for name in source.meanings(call.func)}
    said = [item for item in call.keywords if item.arg in ("do_xcom_push", "xcom_push")]
    if has_open_end(call) or any(getattr(item.value, "value", None) is not True for item in said):
        return None
    if classes and classes <= _RETURNING:
        return RETURNED
    item = keyword(call, "python_callable")
    if not classes or not classes <= {"PythonOperator"} or item is None:
        return None
    name = getattr(item.value, "id", "")
    functions = [node for node in source.tree.body if isinstance(node, ast.FunctionDef) and node.name == name]
    return functions[0] if len(functions) == 1 and not functions[0].decorator_list else None


def _is_sure(function: ast.FunctionDef) -> bool:
    """Tell whether a function surely returns something that is not None."""
    nodes = list(ast.walk(function))
    returned = [node for node in nodes if isinstance(node, ast.Return)]
    is_closed = isinstance(function.body[-1], ast.Return)
    is_plain = not any(isinstance(node, ast.Yield | ast.YieldFrom) for node in nodes)
    return is_plain and is_closed and all(node.value is not None and _is_value(node.value) for node in returned)


def _key_of(source: Source, function: ast.FunctionDef, options: Options, *, is_only: bool) -> str | None:
    nodes = list(ast.walk(function))
    if any(isinstance(node, ast.Yield | ast.YieldFrom) for node in nodes):
        return None
    returned = [node.value for node in nodes if isinstance(node, ast.Return) and node.value is not None]
    pushes = [node for node in nodes if isinstance(node, ast.Attribute) and node.attr == "xcom_push"]
    if _is_sure(function) and not is_only:
        return RETURNED
    if not pushes and (not _is_given_on(function) or not _is_said(source, options, _PUSHING)):
        return RETURNED
    if returned or _is_given_on(function):
        return None
    keys = {_pushed_key(source.parents[push]) for push in pushes}
    return keys.pop() if len(keys) == 1 else None


def _is_value(node: ast.expr) -> bool:
    """Tell whether an expression is never None."""
    if isinstance(node, ast.Constant):
        return node.value is not None
    return isinstance(node, _SURE) or (isinstance(node, ast.Call) and getattr(node.func, "id", "") in _SURE_CALLS)


def _pushed_key(call: ast.AST) -> str | None:
    if not isinstance(call, ast.Call) or has_open_end(call):
        return None
    item = keyword(call, "key")
    node = item.value if item else call.args[0] if call.args else None
    return str(node.value) if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _is_given_on(function: ast.FunctionDef) -> bool:
    """Tell whether a function gives its context or its task instance to something that may push as well."""
    parents = {child: node for node in ast.walk(function) for child in ast.iter_child_nodes(node)}
    for node in ast.walk(function):
        if not isinstance(node, ast.Name):
            continue
        parent = parents[node]
        if node.id == "get_current_context":
            return True
        if (
            node.id in ("ti", "task_instance")
            and isinstance(node.ctx, ast.Load)
            and not isinstance(parent, ast.Attribute)
        ):
            return True
        is_read = isinstance(parent, ast.Attribute) or (isinstance(parent, ast.Subscript) and parent.value is node)
        if (node.id in CONTEXTS or node.id == getattr(function.args.kwarg, "arg", "")) and not is_read:
            return True
        is_unseen = (
            isinstance(parent, ast.Subscript) and parent.value is node and not isinstance(parent.slice, ast.Constant)
        )
        if node.id in CONTEXTS and is_unseen:
            return True
    return False
