"""`self.xcom_push(context, …)` and `self.xcom_pull(context, …)` of operators, which airflow.sdk.BaseOperator has not: the task instance has both.

In 1.10.15 and 2.11.2 (models/baseoperator.py) they are `context["ti"].xcom_push(…)` and `context["ti"].xcom_pull(…)` with the same arguments.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.editing import drop_item, keyword, replace
from aerodrome.migration.codemod.rules import xcoms
from aerodrome.migration.codemod.rules.receivers import class_of, values_of_name
from aerodrome.migration.codemod.rules.tasks import quote_at
from aerodrome.migration.codemod.source import Source

_METHODS = ("xcom_push", "xcom_pull")


def _find(source: Source, options: Options) -> Iterator[Change | Spot]:
    for call in source.each(ast.Call):
        func = call.func
        if not isinstance(func, ast.Attribute) or func.attr not in _METHODS or _is_defined(source, func, options):
            continue
        item = keyword(call, "context")
        context = item.value if item else call.args[0] if call.args else None
        if context is None or not (item or xcoms.is_context(source, context)):
            continue
        quote = quote_at(source, call)
        owner = replace(source, func.value, f"{source.code(context)}[{quote}ti{quote}]")
        yield Change((owner, _without(source, call, item or context)))


def _without(source: Source, call: ast.Call, item: ast.AST) -> Edit:
    items = sorted([*call.args, *call.keywords], key=source.start)
    if item is items[0] and len(items) > 1:
        return Edit(source.start(item), source.start(items[1]), "")
    return drop_item(source, item) if len(items) > 1 else Edit(source.start(item), source.end(item), "")


def _is_defined(source: Source, func: ast.Attribute, options: Options) -> bool:
    """Tell whether the project's own classes say what the method is."""
    owner = func.value
    if isinstance(owner, ast.Name) and owner.id not in ("self", "cls"):
        values = values_of_name(source, owner)
        made = [value.func for value in values if isinstance(value, ast.Call)]
        return any(_has(source, getattr(node, "id", ""), func.attr, options) for node in (owner, *made))
    own = class_of(source, func)
    if own is None:
        return False
    is_super = isinstance(owner, ast.Call) and getattr(owner.func, "id", "") == "super"
    return any(_has(source, getattr(base, "id", ""), func.attr, options) for base in own.bases) or (
        not is_super and _writes(own, func.attr)
    )


def _writes(node: ast.ClassDef, method: str) -> bool:
    return any(getattr(item, "name", "") == method for item in node.body)


def _has(source: Source, name: str, method: str, options: Options, depth: int = 5) -> bool:
    """Tell whether a class of the file, or one that the project may have, writes a method or gets it from such a class."""
    if not name or depth == 0:
        return False
    own = next((item for item in source.each(ast.ClassDef) if item.name == name), None)
    if own is not None:
        bases = [getattr(base, "id", "") for base in own.bases]
        return _writes(own, method) or any(_has(source, base, method, options, depth - 1) for base in bases)
    is_of_airflow = any(origin.startswith("airflow.") for origin in source.top.bound.get(name, ()))
    is_imported = name in source.top.bound and not is_of_airflow
    return is_imported and options.project is not None and bool(options.project.mentioning(f"def {method}(".encode()))


RULE = Rule(
    code="operator-xcom",
    title="XComs that operators push and pull by themselves go by the task instance",
    words=(b"xcom_push", b"xcom_pull"),
    before="""
from airflow.models import BaseOperator


class LoadOperator(BaseOperator):
    def execute(self, context):
        day = self.xcom_pull(context, task_ids="find", key="day")
        self.xcom_push(context, "rows", load(day))
""",
    after="""
from airflow.models import BaseOperator


class LoadOperator(BaseOperator):
    def execute(self, context):
        day = context["ti"].xcom_pull(task_ids="find", key="day")
        context["ti"].xcom_push("rows", load(day))
""",
    find=_find,
)
