"""Functions that Airflow calls with the context of a task, and what they know of it. Shared by rules about what tasks do."""

from __future__ import annotations

import ast

from aerodrome.migration.codemod.editing import keyword
from aerodrome.migration.codemod.rules.callables import Function, handed
from aerodrome.migration.codemod.rules.callbacks import kinds_of
from aerodrome.migration.codemod.rules.callers import elsewhere
from aerodrome.migration.codemod.rules.given import given_to
from aerodrome.migration.codemod.rules.receivers import function_around, stores_of, values_of_attribute, values_of_name
from aerodrome.migration.codemod.source import Source

CONTEXTS = ("context", "kwargs", "ctx", "ti_context", "_context")
_METHODS = (
    "execute",
    "poke",
    "pre_execute",
    "post_execute",
    "choose_branch",
    "render_template_fields",
    "execute_complete",
    "notify",
)
_NO_OPERATOR = frozenset(
    {
        "object",
        "Protocol",
        "ABC",
        "Enum",
        "Exception",
        "NamedTuple",
        "TypedDict",
        "Thread",
        "TestCase",
        "BaseModel",
        "dict",
    }
)
"""Bases of other packages that have nothing of a task."""
_DECORATORS = frozenset({"airflow.decorators.task", "airflow.sdk.task"})
_TASK_INSTANCES = ("ti", "task_instance")
_OF_TASKS = (*_TASK_INSTANCES, "dag_run")
"""Keys of a context that no other dictionary has."""
_PARTS = {("ti", "dag_run"): "dag_run", ("ti", "task"): "task", ("task", "dag"): "dag"}
_MODELS = {"TaskInstance": "ti", "RuntimeTaskInstance": "ti", "RuntimeTaskInstanceProtocol": "ti", "DagRun": "dag_run"}
_OF_SCHEDULER = ("task_instance_mutation_hook", "on_task_instance_", "on_dag_run_")
"""Policies and listeners get rows of the database; so do methods of log handlers and executors."""
_DEPTH = 8


def function_of(source: Source, node: ast.AST) -> ast.FunctionDef | None:
    """Give the function around a node when Airflow itself calls it: a callable, a task or an operator's method; None otherwise."""
    while node in source.parents:
        node = source.parents[node]
        if isinstance(node, ast.Lambda | ast.AsyncFunctionDef):
            return None
        if isinstance(node, ast.FunctionDef):
            return node if is_called(source, node) else None
    return None


def is_called(source: Source, function: ast.FunctionDef) -> bool:
    """Tell whether Airflow calls a function with what a task has: a method of an operator, a task, a callable."""
    if isinstance(around := source.parents[function], ast.ClassDef):
        return (function.name in _METHODS or function.name in handed(source).resumed) and may_be_operator(
            source, around
        )
    for item in function.decorator_list:
        target = item.func if isinstance(item, ast.Call) else item
        while isinstance(target, ast.Attribute) and not source.means(target, _DECORATORS):
            target = target.value
        if source.means(target, _DECORATORS):
            return True
    return is_passed(source, function.name) and not any(
        isinstance(call.func, ast.Name) for call in handed(source).calls.get(function.name, ())
    )


def may_be_operator(source: Source, own: ast.ClassDef, depth: int = _DEPTH) -> bool:
    """Tell whether a class may be one of Airflow's tasks: not when it derives, by classes of the file, from none or from what is no operator."""
    for base in own.bases:
        name = base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "?")
        if name in _NO_OPERATOR:
            continue
        mine = [item for item in source.each(ast.ClassDef) if item.name == getattr(base, "id", "")]
        if depth == 0 or not mine or any(item is own or may_be_operator(source, item, depth - 1) for item in mine):
            return True
    return False


def is_passed(source: Source, name: str) -> bool:
    """Tell whether a function of the file is given to tasks, in the file or in others that import it, and to nobody else there."""
    others = elsewhere(source, name)
    return others is not None and (bool(others) or name in handed(source).tasks)


def task_instance(source: Source, node: ast.AST) -> str | None:
    """Give the code of the task instance that a place in a task's function has; None when it has none."""
    function = function_of(source, node)
    if function is None:
        return None
    names = [arg.arg for arg in (*function.args.args, *function.args.kwonlyargs)]
    for name in _TASK_INSTANCES:
        if name in names:
            return name
    context, quote = _context_of(source, function), quote_at(source, node)
    return f"{context}[{quote}ti{quote}]" if context else None


def quote_at(source: Source, node: ast.AST) -> str:
    """Give a quote that may stand where the node is: within an f-string not its own (Python 3.11 and older)."""
    while node in source.parents:
        node = source.parents[node]
        if isinstance(node, ast.JoinedStr) and source.code(node).endswith('"'):
            return "'"
    return '"'


def _context_of(source: Source, function: ast.FunctionDef) -> str | None:
    """Give the name that the context has in a function which Airflow calls: a method gets it first, others as `**context`, by whatever name."""
    if isinstance(source.parents[function], ast.ClassDef):
        return next((name for name in _names(function)[1:2]), None)
    return function.args.kwarg.arg if function.args.kwarg else None


def context_at(source: Source, node: ast.AST) -> str | None:
    """Give the name that the context has in the function around a node; None where nothing shows that it has one."""
    while node in source.parents and not isinstance(node, Function):
        node = source.parents[node]
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return None
    names = [*_names(node), *([node.args.kwarg.arg] if node.args.kwarg else [])]
    for name in names:
        if not stores_of(source, name, node) and is_parameter_context(source, node, name):
            return name
    return None


def context_value(source: Source, node: ast.expr, depth: int = _DEPTH) -> str:
    """Give the name of the context's value that an expression is: `dag_run`, `context["dag_run"]`, `ti.dag_run`; "" when it is none.

    The task instance is `ti` when it is reached by another way than its name.
    """
    if depth == 0:
        return ""
    if isinstance(node, ast.Name):
        return _of_name(source, node, depth)
    if isinstance(node, ast.Attribute):
        if node.attr not in ("dag_run", "task", "dag"):
            return ""
        return _PARTS.get((_kind(context_value(source, node.value, depth - 1)), node.attr), "")
    key: ast.expr | None = None
    if isinstance(node, ast.Subscript):
        owner, key = node.value, node.slice
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        owner = node.func.value
        if node.func.attr == "get_dagrun":
            return "dag_run" if _kind(context_value(source, owner, depth - 1)) == "ti" else ""
        if node.func.attr in ("get", "pop") and node.args:
            key = node.args[0]
    if not isinstance(key, ast.Constant) or not isinstance(key.value, str):
        return ""
    return key.value if is_context(source, owner, key.value, depth - 1) else ""


def run_of(source: Source, node: ast.expr) -> str:
    """Give the code of the run that a task instance belongs to, where it stands: of the context that the function has, else of the instance's own."""
    quote = quote_at(source, node)
    key = f"[{quote}dag_run{quote}]"
    owner = _source_of(source, node)
    if owner is not None:
        return f"{source.code(owner)}{key}"
    function = function_of(source, node)
    is_parameter = isinstance(node, ast.Name) and _parameter_of(source, node) is function
    if function is not None and is_parameter:
        if "dag_run" in _names(function) and not stores_of(source, "dag_run", function):
            return "dag_run"
        context = _context_of(source, function)
        if context and not stores_of(source, context, function):
            return f"{context}{key}"
    return f"{source.code(node)}.get_template_context(){key}"


def _source_of(source: Source, node: ast.expr) -> ast.expr | None:
    """Give the context that a task instance is taken from, as it may be written once more in the same place."""
    if isinstance(node, ast.Subscript):
        return node.value if isinstance(node.value, ast.Name) else None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
        return node.func.value if isinstance(node.func.value, ast.Name) else None
    if not isinstance(node, ast.Name) or _parameter_of(source, node) is not None:
        return None
    values = values_of_name(source, node)
    owner = _source_of(source, values[0]) if len(values) == 1 and values[0] is not None else None
    if not isinstance(owner, ast.Name) or function_around(source, owner) is not function_around(source, node):
        return None
    is_parameter = _parameter_of(source, owner) is not None
    return (
        owner
        if len(stores_of(source, owner.id, function_around(source, owner))) == (0 if is_parameter else 1)
        else None
    )


def _kind(name: str) -> str:
    return "ti" if name in _TASK_INSTANCES else name


def is_context(source: Source, node: ast.expr, key: str = "", depth: int = _DEPTH) -> bool:
    """Tell whether an expression is the context of a task, that is asked for `key`."""
    if depth == 0:
        return False
    if isinstance(node, ast.Call):
        if any(
            name.startswith("airflow.") and name.endswith(".get_current_context") for name in source.meanings(node.func)
        ):
            return True
        func = node.func
        is_asked = isinstance(func, ast.Attribute) and func.attr == "get_template_context"
        return is_asked and _kind(context_value(source, func.value, depth - 1)) == "ti"  # type: ignore[attr-defined]
    if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "self":
        kept = values_of_attribute(source, node)
        return all(value is not None and is_context(source, value, key, depth - 1) for value in kept)
    if not isinstance(node, ast.Name):
        return False
    place = _parameter_of(source, node)
    if place is None:
        values = values_of_name(source, node)
        return bool(values) and all(value is not None and is_context(source, value, key, depth - 1) for value in values)
    if isinstance(place, ast.Lambda):
        return _is_of_lambda(source, place, node.id)
    return is_parameter_context(source, place, node.id, key, depth)


def may_be_context(source: Source, node: ast.expr, key: str = "") -> bool:
    """Tell whether an expression is the context of a task, or has its usual name where nothing shows what it is."""
    if is_context(source, node, key):
        return True
    if not isinstance(node, ast.Name) or node.id not in CONTEXTS:
        return False
    place = _parameter_of(source, node)
    if place is None:
        return not values_of_name(source, node)
    if isinstance(place, ast.Lambda):
        return True
    if isinstance(place, ast.FunctionDef) and is_called(source, place):
        return False
    return not _calls(source, place)


def may_be_value(source: Source, node: ast.expr, name: str) -> bool:
    """Tell whether an expression is this value of the context, or has its usual name where nothing shows what it is."""
    if context_value(source, node) == name:
        return True
    if isinstance(node, ast.Subscript):
        return getattr(node.slice, "value", None) == name and may_be_context(source, node.value, name)
    if not isinstance(node, ast.Name) or node.id != name:
        return False
    place = _parameter_of(source, node)
    if place is None:
        return not values_of_name(source, node)
    if isinstance(place, ast.FunctionDef) and is_called(source, place):
        return False
    return isinstance(place, ast.Lambda) or not _calls(source, place)


def _is_of_lambda(source: Source, place: ast.Lambda, name: str) -> bool:
    hands = handed(source)
    if place in hands.lambdas:
        return _names(place)[:1] == [name]
    return place in hands.task_lambdas and place.args.kwarg is not None and place.args.kwarg.arg == name


def is_parameter_context(
    source: Source, place: ast.FunctionDef | ast.AsyncFunctionDef, name: str, key: str = "", depth: int = _DEPTH
) -> bool:
    """Tell whether a parameter of a function is the context: by Airflow, which calls it, else by its calls in the file, else by its name."""
    own = [item for item in _names(place) if item != "self"]
    if own[:1] == [name] and kinds_of(source, place):
        return True
    is_open = place.args.kwarg is not None and place.args.kwarg.arg == name
    if isinstance(place, ast.FunctionDef) and is_called(source, place):
        return name == _context_of(source, place)
    if place.name in handed(source).answering and is_open:
        return True
    if is_open:
        return _is_handed_open(source, place, key, depth) or (
            name in CONTEXTS and name != "kwargs" and not _calls(source, place)
        )
    given = _given(source, place, name)
    if not given:
        return name in CONTEXTS and name != "kwargs"
    return all(is_context(source, item, key, depth - 1) for item in given)


def is_handed_context(source: Source, node: ast.Name, key: str) -> bool:
    """Tell whether a parameter is the context of a task because every call in the file hands it over."""
    place = _parameter_of(source, node)
    if place is None or isinstance(place, ast.Lambda) or elsewhere(source, place.name) != ():
        return False
    given = _given(source, place, node.id)
    return bool(given) and all(is_context(source, item, key) for item in given)


def _is_handed_open(source: Source, function: ast.FunctionDef | ast.AsyncFunctionDef, key: str, depth: int) -> bool:
    """Tell whether `**kwargs` of a function is what a task got: nobody calls it here, or everybody with the context."""
    calls = _calls(source, function)
    if not calls:
        return key in _OF_TASKS and isinstance(function, ast.FunctionDef)
    spread = [[item.value for item in call.keywords if item.arg is None] for call in calls]
    return all(items and all(is_context(source, item, key, depth - 1) for item in items) for items in spread)


def _of_name(source: Source, node: ast.Name, depth: int) -> str:
    place = _parameter_of(source, node)
    if place is None:
        values = values_of_name(source, node)
        given = [item for item in values if item is None or not (isinstance(item, ast.Constant) and item.value is None)]
        found = {"" if item is None else context_value(source, item, depth - 1) for item in given}
        return found.pop() if len(found) == 1 else ""
    if isinstance(place, ast.Lambda):
        return ""
    if isinstance(place, ast.FunctionDef) and is_called(source, place):
        return node.id if node.id in _names(place) and _is_filled(source, place, node.id) else ""
    is_of_task = not isinstance(source.parents[place], ast.ClassDef) and not place.name.startswith(_OF_SCHEDULER)
    for arg in (*place.args.args, *place.args.kwonlyargs) if is_of_task else ():
        if arg.arg == node.id and arg.annotation is not None:
            models = (
                name.rpartition(".")[2]
                for name in sorted(source.meanings(arg.annotation))
                if name.startswith("airflow.")
            )
            said = [_MODELS[name] for name in models if name in _MODELS]
            if said:
                return said[0]
    items = _given(source, place, node.id)
    kinds = {_kind(context_value(source, item, depth - 1)) for item in items}
    return kinds.pop() if len(kinds) == 1 else ""


def _is_filled(source: Source, function: ast.FunctionDef, name: str) -> bool:
    """Tell whether Airflow fills a parameter, and neither op_kwargs nor a call of the file does."""
    if isinstance(source.parents[function], ast.ClassDef):
        return name != "self"
    given = given_to(source, function.name)
    return name != "task" if given is None else name not in given


def _parameter_of(source: Source, node: ast.Name) -> Function | None:
    """Give the function around whose parameter a name is; None when it is something else."""
    around: ast.AST = node
    while around in source.parents:
        inner, around = around, source.parents[around]
        if not isinstance(around, Function) or inner in getattr(around, "decorator_list", ()):
            continue
        args = around.args
        if node.id in _names(around) or node.id in {arg.arg for arg in (args.vararg, args.kwarg) if arg}:
            return around
        if any(isinstance(item, ast.Name) for item in stores_of(source, node.id, around)):
            return None
    return None


def _given(source: Source, function: ast.FunctionDef | ast.AsyncFunctionDef, name: str) -> list[ast.expr]:
    """Give what the file's calls of a function hand it as one parameter; nothing when one of them cannot be seen."""
    names = [item for item in _names(function) if item != "self"]
    found: list[ast.expr] = []
    for call in _calls(source, function):
        if any(isinstance(arg, ast.Starred) for arg in call.args) or any(item.arg is None for item in call.keywords):
            return []
        item = keyword(call, name)
        at = names.index(name) if name in names else len(call.args)
        if item is None and at >= len(call.args):
            return []
        found.append(item.value if item else call.args[at])
    return found


def _calls(source: Source, function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.Call]:
    """Give the calls of a function, or of a method of `self`, in the file; any call of a method that only this class has."""
    around = source.parents[function]
    is_method = isinstance(around, ast.ClassDef)
    calls = handed(source).calls.get(function.name, ())
    if isinstance(around, ast.ClassDef) and not may_be_operator(source, around):
        return [call for call in calls if isinstance(call.func, ast.Attribute)]
    return [
        call
        for call in calls
        if (
            getattr(getattr(call.func, "value", None), "id", "") == "self"
            if is_method
            else isinstance(call.func, ast.Name)
        )
    ]


def _names(function: Function) -> list[str]:
    args = function.args
    return [arg.arg for arg in (*args.posonlyargs, *args.args, *args.kwonlyargs)]
