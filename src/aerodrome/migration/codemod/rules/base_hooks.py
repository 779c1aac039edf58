"""BaseHook's constructor took a `source` that it did not look at; today it takes the name of a logger, and no other word.

Read: BaseHook of apache-airflow 1.10.15 (`__init__(self, source)`), of 2.2 and 2.4 (LoggingMixin's `context`), of 2.11 and 3.3 (`logger_name`).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.source import Source

_OF_1 = "airflow.hooks.base_hook.BaseHook"
_HOOKS = frozenset({_OF_1, "airflow.hooks.base.BaseHook", "airflow.sdk.BaseHook"})
_OLD = ("source", "context")
_LOGGING = (2, 8)  # takes a logger's name by position


def _find(source: Source, options: Options) -> Iterator[Change | Spot]:
    for call in source.each(ast.Call):
        own = _hook_around(source, call)
        if own is None or not (isinstance(call.func, ast.Attribute) and call.func.attr == "__init__"):
            continue
        given = _given(source, call)
        if given is None:
            continue
        is_old = source.means(own.bases[0], {_OF_1}) or _is_older(options.source_version)
        named = [item for item in call.keywords if item.arg in _OLD]
        unread = [*(given if is_old else ()), *(item.value for item in named)]
        kept = [item for item in call.keywords if item not in named] + ([] if is_old else given)
        if not unread:
            continue
        if kept or not all(isinstance(value, ast.Constant | ast.Name | ast.Attribute) for value in unread):
            yield Spot(
                call.lineno,
                "BaseHook's constructor takes a logger's name and nothing else.",
                "Call it without arguments.",
            )
            continue
        own_self = source.code(call.args[0]) if len(call.args) > len(given) else ""
        yield Change((Edit(source.end(call.func), source.end(call), f"({own_self})"),))


def _given(source: Source, call: ast.Call) -> list[ast.expr] | None:
    """Give what stands by position, but for the hook itself; None when the call is not one of BaseHook's constructor."""
    owner = call.func.value  # type: ignore[attr-defined]
    if isinstance(owner, ast.Call) and getattr(owner.func, "id", "") == "super":
        return list(call.args)
    return list(call.args[1:]) if source.means(owner, _HOOKS) and call.args else None


def _hook_around(source: Source, node: ast.AST) -> ast.ClassDef | None:
    while node in source.parents:
        node = source.parents[node]
        if isinstance(node, ast.ClassDef):
            return node if node.bases and source.means(node.bases[0], _HOOKS) else None
    return None


def _is_older(version: str) -> bool:
    words = version.split(".")[:2]
    return all(word.isdigit() for word in words) and tuple(map(int, words)) < _LOGGING


RULE = Rule(
    code="base-hook",
    title="Hooks call BaseHook's constructor without the argument that it did not look at",
    words=(b"BaseHook",),
    before="""
from airflow.hooks.base_hook import BaseHook


class Prices(BaseHook):
    def __init__(self, url):
        super().__init__(source=None)
        self.url = url
""",
    after="""
from airflow.hooks.base_hook import BaseHook


class Prices(BaseHook):
    def __init__(self, url):
        super().__init__()
        self.url = url
""",
    find=_find,
    is_for_2=True,
)
