"""Days that left the task context (`next_ds`, `yesterday_ds`, …), made from what is there, where Python reads them in a task's function.

`ds_add` and the day of the interval's end are what templates get as well. `prev_ds` has no equal.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Options, Rule
from aerodrome.migration.codemod.editing import replace
from aerodrome.migration.codemod.rules.given import given_to
from aerodrome.migration.codemod.rules.tasks import function_of, may_be_context
from aerodrome.migration.codemod.source import Source

_EQUALS = {
    "next_ds": "{data_interval_end}.strftime({q}%Y-%m-%d{q})",
    "next_ds_nodash": "{data_interval_end}.strftime({q}%Y%m%d{q})",
    "yesterday_ds": "{macros}.ds_add({ds}, -1)",
    "tomorrow_ds": "{macros}.ds_add({ds}, 1)",
    "yesterday_ds_nodash": "{macros}.ds_add({ds}, -1).replace({q}-{q}, {q}{q})",
    "tomorrow_ds_nodash": "{macros}.ds_add({ds}, 1).replace({q}-{q}, {q}{q})",
}
_PARTS = ("data_interval_end", "macros", "ds")


def _find(source: Source, _options: Options) -> Iterator[Change]:
    for node in source.each(ast.Subscript):
        if isinstance(node.ctx, ast.Load):
            yield from _made(source, node, node.value, node.slice)
    for call in source.each(ast.Call):
        if isinstance(call.func, ast.Attribute) and call.func.attr == "get" and len(call.args) == 1:
            yield from _made(source, call, call.func.value, call.args[0])


def _made(source: Source, node: ast.expr, owner: ast.expr, key: ast.expr) -> Iterator[Change]:
    if not isinstance(owner, ast.Name) or not isinstance(key, ast.Constant) or key.value not in _EQUALS:
        return
    name = str(key.value)
    if not may_be_context(source, owner, name):
        return
    function = _function(source, node)
    code = source.code(key)
    if function is None or code[1:-1] != name:
        return
    given = given_to(source, function.name)
    parts_of = [part for part in _PARTS if f"{{{part}}}" in _EQUALS[name]]
    if given is None or not given.isdisjoint((name, *parts_of)) or _is_written(function, owner.id, name):
        return
    if owner.id == "kwargs" and function_of(source, node) is not function:  # another file may call it with its own
        return
    named = {arg.arg for arg in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)}
    quote = code[-1]
    parts = {}
    for part in parts_of:
        is_named = part in named and owner.id not in named
        if is_named and any(isinstance(item.ctx, ast.Store) for item in _names(function, part)):
            return
        parts[part] = part if is_named else f"{owner.id}[{quote}{part}{quote}]"
    yield Change((replace(source, node, _EQUALS[name].format(q=quote, **parts)),))


def _names(function: ast.AST, name: str) -> Iterator[ast.Name]:
    return (item for item in ast.walk(function) if isinstance(item, ast.Name) and item.id == name)


def _is_written(function: ast.FunctionDef, owner: str, name: str) -> bool:
    """Tell whether the function puts the key there itself, or something else into the name of its context."""
    if any(not isinstance(item.ctx, ast.Load) for item in _names(function, owner)):
        return True
    items = [
        item for item in ast.walk(function) if isinstance(item, ast.Subscript) and not isinstance(item.ctx, ast.Load)
    ]
    methods = [
        item for item in ast.walk(function) if isinstance(item, ast.Attribute) and item.attr in ("update", "setdefault")
    ]
    return any(
        getattr(item.slice, "value", None) == name and getattr(item.value, "id", "") == owner for item in items
    ) or any(getattr(item.value, "id", "") == owner for item in methods)


def _function(source: Source, node: ast.AST) -> ast.FunctionDef | None:
    """Give the function around that has the context for itself: no function within it, no lambda."""
    while node in source.parents:
        node = source.parents[node]
        if isinstance(node, ast.Lambda | ast.AsyncFunctionDef):
            return None
        if isinstance(node, ast.FunctionDef):
            return node
    return None


RULE = Rule(
    code="context-date",
    title="Days that left the task context are made from what is there, in Python",
    words=(b"next_ds", b"yesterday_ds", b"tomorrow_ds"),
    before="""
def load(ds, **context):
    return context["next_ds"], context["yesterday_ds"]
""",
    after="""
def load(ds, **context):
    return context["data_interval_end"].strftime("%Y-%m-%d"), context["macros"].ds_add(ds, -1)
""",
    find=_find,
)
