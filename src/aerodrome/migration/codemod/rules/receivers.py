"""Says of which class of Airflow the object is that a method is called on, where the file itself shows it. Pure.

A name counts when everything that the same function, or the file, ever puts into it is made by the same class; so does an attribute of `self`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.source import Source

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_BIGQUERY = ("airflow.contrib.hooks.bigquery_hook.", "airflow.providers.google.cloud.hooks.bigquery.")
_SFTP_HOOKS = frozenset({"airflow.contrib.hooks.sftp_hook.SFTPHook", "airflow.providers.sftp.hooks.sftp.SFTPHook"})
SFTP_CONNECTION = frozenset({"pysftp.Connection"})
"""What the get_conn() of SFTPHook gave, by the name that it had."""
_DEPTH = 8
_Values = list[ast.expr | None]


def classes_of(source: Source, node: ast.expr, depth: int = _DEPTH) -> frozenset[str]:
    """Give the dotted names of the class of an expression's value; none when it may be anything."""
    if depth == 0:
        return frozenset()
    if isinstance(node, ast.Call):
        return _made(source, node, depth)
    if isinstance(node, ast.Name) and node.id == "self":
        return _bases(source, node)
    if isinstance(node, ast.Name):
        return _same(source, values_of_name(source, node), depth) or _annotated(source, node)
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
        return _same(source, values_of_attribute(source, node), depth)
    return frozenset()


def defines(source: Source, func: ast.Attribute) -> bool:
    """Tell whether `self.method` is one that the class around writes itself."""
    own = class_of(source, func) if getattr(func.value, "id", "") == "self" else None
    return own is not None and any(getattr(item, "name", "") == func.attr for item in own.body)


def made_by_super(source: Source, call: ast.Call) -> frozenset[str]:
    """Give the class whose constructor `super().__init__(…)` calls, when the class around has one base."""
    func = call.func
    if not isinstance(func, ast.Attribute) or func.attr != "__init__" or not isinstance(func.value, ast.Call):
        return frozenset()
    is_super = getattr(func.value.func, "id", "") == "super"
    return frozenset(name for name in _bases(source, call) if name.startswith("airflow.")) if is_super else frozenset()


def _made(source: Source, call: ast.Call, depth: int) -> frozenset[str]:
    names = frozenset(name for name in source.meanings(call.func) if name.startswith("airflow."))
    if names or not isinstance(call.func, ast.Attribute):
        is_super = getattr(call.func, "id", "") == "super" and not call.args
        return names or (_bases(source, call) if is_super else frozenset())
    owners = classes_of(source, call.func.value, depth - 1)
    if call.func.attr == "get_conn" and owners and owners <= _SFTP_HOOKS:
        return SFTP_CONNECTION
    if call.func.attr == "get_conn":  # BigQuery's connection is a class of the hook's module
        return frozenset(f"{module}BigQueryConnection" for module in _BIGQUERY if f"{module}BigQueryHook" in owners)
    if call.func.attr == "cursor":
        return frozenset(f"{module}BigQueryCursor" for module in _BIGQUERY if f"{module}BigQueryConnection" in owners)
    if call.func.attr == "get_connection" and any(name.endswith("Hook") for name in owners):
        return frozenset({"airflow.models.connection.Connection"})
    return frozenset()


def _bases(source: Source, node: ast.AST) -> frozenset[str]:
    """Give what the class around a node is derived from, if it is from one class."""
    own = class_of(source, node)
    return source.meanings(own.bases[0]) if own is not None and len(own.bases) == 1 else frozenset()


def _same(source: Source, values: _Values, depth: int) -> frozenset[str]:
    """Give the class that all of some values are made by; `None` among them is nothing yet."""
    given = [value for value in values if not (isinstance(value, ast.Constant) and value.value is None)]
    found = {classes_of(source, value, depth - 1) if value is not None else frozenset() for value in given}
    return found.pop() if len(found) == 1 else frozenset()


def function_around(source: Source, node: ast.AST) -> ast.AST:
    """Give the function or lambda that something stands in; the file where there is none."""
    while node in source.parents:
        node = source.parents[node]
        if isinstance(node, _FUNCTIONS):
            return node
    return source.tree


def stores_of(source: Source, name: str, place: ast.AST) -> list[ast.Name]:
    """Give where a function, or the file, writes a name."""
    found = (node for node in source.writes.get(name, ()) if isinstance(node, ast.Name))
    return [node for node in found if function_around(source, node) is place]


def values_of_name(source: Source, name: ast.Name) -> _Values:
    """Give what is put into a name of the function around, else of the file; [None] when one cannot be seen."""
    place = function_around(source, name)
    while True:
        stores = stores_of(source, name.id, place)
        is_argument = isinstance(place, _FUNCTIONS) and any(arg.arg == name.id for arg in _arguments(place))
        if is_argument or _is_shared(source, name.id):
            return [None]
        if stores or place is source.tree:
            return [_value(source, node) for node in stores]
        place = function_around(source, place)


def _is_shared(source: Source, name: str) -> bool:
    """Tell whether a function writes a name of its surroundings."""
    return any(name in item.names for item in source.each(ast.Global)) or any(
        name in item.names for item in source.each(ast.Nonlocal)
    )


def _arguments(function: ast.AST) -> Iterator[ast.arg]:
    args: ast.arguments = function.args  # type: ignore[attr-defined]
    yield from (*args.posonlyargs, *args.args, *args.kwonlyargs)
    yield from (arg for arg in (args.vararg, args.kwarg) if arg)


def _annotated(source: Source, name: ast.Name) -> frozenset[str]:
    """Give the class that an argument of the function is said to be, if nothing else is ever put into it."""
    place = function_around(source, name)
    if not isinstance(place, _FUNCTIONS):
        return frozenset()
    for arg in _arguments(place):
        if arg.arg == name.id and arg.annotation is not None:
            others = stores_of(source, name.id, place)
            return frozenset() if others else source.meanings(arg.annotation)
    return frozenset()


def _value(source: Source, node: ast.AST) -> ast.expr | None:
    """Give what a name or an attribute is set to where it stands."""
    parent = source.parents[node]
    if isinstance(parent, ast.Assign) and node in parent.targets:
        return parent.value
    if isinstance(parent, ast.AnnAssign | ast.NamedExpr):
        return parent.value
    if isinstance(parent, ast.withitem):
        return parent.context_expr
    return None


def values_of_attribute(source: Source, attribute: ast.Attribute) -> _Values:
    """Give what the class around puts into an attribute of `self`; [None] when there is none."""
    own = class_of(source, attribute)
    if own is None:
        return [None]
    stores = [
        node
        for node in source.writes.get(attribute.attr, ())
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "self" and class_of(source, node) is own
    ]
    return [_value(source, node) for node in stores] or [None]


def class_of(source: Source, node: ast.AST) -> ast.ClassDef | None:
    """Give the class around a node."""
    while node in source.parents:
        node = source.parents[node]
        if isinstance(node, ast.ClassDef):
            return node
    return None
