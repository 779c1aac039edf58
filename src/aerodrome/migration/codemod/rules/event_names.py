"""`triggering_dataset_events` where it cannot be seen that a task's context is asked: only Airflow gives that name, and 3 calls it `triggering_asset_events`.

Read as {} where it is missing, by `.get`, it made tasks skip for ever in a run that succeeds. Where the project itself fills the name it stays.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.source import Source

_OLD, _NEW = "triggering_dataset_events", "triggering_asset_events"


def _find(source: Source, options: Options) -> Iterator[Change | Spot]:
    if _is_filled(source, options):
        return
    for node in source.each(ast.Constant):
        if node.value == _OLD and _is_asked_for(source, node):
            text = source.code(node)
            if text[1:-1] == _OLD:
                yield Change((Edit(source.start(node), source.end(node), f"{text[0]}{_NEW}{text[-1]}"),))
    for arg in source.each(ast.arg):
        if arg.arg == _OLD:
            yield Spot(
                arg.lineno,
                f"Airflow 3 gives no `{_OLD}`: if a task's context fills this parameter, it gets nothing.",
                f"Call it {_NEW}.",
            )


def _is_asked_for(source: Source, node: ast.Constant) -> bool:
    parent = source.parents[node]
    if isinstance(parent, ast.Subscript):
        return parent.slice is node and isinstance(parent.ctx, ast.Load)
    if isinstance(parent, ast.Call) and isinstance(parent.func, ast.Attribute):
        return parent.func.attr in ("get", "pop") and parent.args[:1] == [node]
    return isinstance(parent, ast.Compare) and parent.left is node and isinstance(parent.ops[0], ast.In | ast.NotIn)


def _is_filled(source: Source, options: Options) -> bool:
    """Tell whether a file of the project gives something that name itself."""
    project = options.project
    if project is None:
        return _fills(source)
    files = (project.source(file) for file in project.mentioning(_OLD.encode()))
    return bool(project.once("filled event names", lambda: any(_fills(file) for file in files if file)))


def _fills(source: Source) -> bool:
    keys = (key for node in source.each(ast.Dict) for key in node.keys)
    stored = (node.slice for node in source.each(ast.Subscript) if isinstance(node.ctx, ast.Store))
    words = (item.arg for call in source.each(ast.Call) for item in call.keywords)
    return any(getattr(key, "value", "") == _OLD for key in (*keys, *stored)) or _OLD in words


RULE = Rule(
    code="asset-event-name",
    title="triggering_dataset_events is triggering_asset_events wherever it is asked for",
    words=(_OLD.encode(),),
    before="""
def events_of(holder):
    return holder.info.get("triggering_dataset_events", {})
""",
    after="""
def events_of(holder):
    return holder.info.get("triggering_asset_events", {})
""",
    find=_find,
)
