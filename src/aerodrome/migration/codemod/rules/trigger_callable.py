"""TriggerDagRunOperator(python_callable=…) of Airflow 1.10: a function that only fills the payload becomes `conf=`."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.editing import drop_item, keyword
from aerodrome.migration.codemod.rules import operators
from aerodrome.migration.codemod.source import Source

_ARGUMENTS = 2  # the context and the run that is to be made


def _find(source: Source, _options: Options) -> Iterator[Change | Spot]:
    for made in operators.made(source):
        item = keyword(made.call, "python_callable")
        if "TriggerDagRunOperator" not in made.classes or item is None:
            continue
        payload = _payload(source, made.call, item.value)
        if payload is None or keyword(made.call, "conf"):
            yield Spot(
                made.call.lineno,
                "TriggerDagRunOperator(python_callable=…) is gone, and this function does more than fill the payload.",
                "Give conf={…} with templates; where the function decides whether to trigger, put a ShortCircuitOperator before.",
            )
        elif payload:
            yield Change((Edit(source.start(item), source.end(item.value), f"conf={payload}"),))
        else:
            yield Change((drop_item(source, item),))


def _payload(source: Source, call: ast.Call, node: ast.expr) -> str | None:
    """Give the code of the payload, "" when there is none; None when the function cannot be replaced by it."""
    found = [
        item for item in source.tree.body if isinstance(item, ast.FunctionDef) and item.name == getattr(node, "id", "")
    ]
    if len(found) != 1 or len(found[0].args.args) != _ARGUMENTS or found[0].decorator_list:
        return None
    context, run = (arg.arg for arg in found[0].args.args)
    body = [item for item in found[0].body if not (isinstance(item, ast.Expr) and isinstance(item.value, ast.Constant))]
    last = body.pop() if body else None
    if not isinstance(last, ast.Return) or getattr(last.value, "id", "") != run:
        return None
    if not body:
        return ""
    first = body[0]
    target = first.targets[0] if len(body) == 1 and isinstance(first, ast.Assign) and len(first.targets) == 1 else None
    is_payload = (
        isinstance(target, ast.Attribute) and target.attr == "payload" and getattr(target.value, "id", "") == run
    )
    return _as_conf(source, call, first.value, context) if is_payload and isinstance(first, ast.Assign) else None


def _as_conf(source: Source, call: ast.Call, value: ast.expr, context: str) -> str | None:
    """Write a payload of plain values; a text among the operator's params becomes its template."""
    if not isinstance(value, ast.Dict):
        return None
    parts = []
    for key, item in zip(value.keys, value.values, strict=True):
        if not isinstance(key, ast.Constant) or not isinstance(key.value, str) or "{{" in key.value:
            return None
        code = source.code(item)
        if not (isinstance(item, ast.Constant) and "{{" not in code and "{%" not in code):
            name = _param(call, item, context)
            if name is None:
                return None
            code = f'"{{{{ params.{name} }}}}"'
        parts.append(f"{source.code(key)}: {code}")
    return "{" + ", ".join(parts) + "}"


def _param(call: ast.Call, node: ast.expr, context: str) -> str | None:
    """Give the name of `context["params"]["name"]`, when the operator itself gives a text for it."""
    if not isinstance(node, ast.Subscript) or not isinstance(node.value, ast.Subscript):
        return None
    is_params = getattr(node.value.value, "id", "") == context and getattr(node.value.slice, "value", None) == "params"
    name, params = getattr(node.slice, "value", None), keyword(call, "params")
    if (
        not is_params
        or not isinstance(name, str)
        or not name.isidentifier()
        or not params
        or not isinstance(params.value, ast.Dict)
    ):
        return None
    for key, value in zip(params.value.keys, params.value.values, strict=True):
        if getattr(key, "value", None) == name:
            return name if isinstance(value, ast.Constant) and isinstance(value.value, str) else None
    return None


RULE = Rule(
    code="trigger-callable",
    title="TriggerDagRunOperator's python_callable becomes conf, where it only fills the payload",
    words=(b"TriggerDagRunOperator",),
    before="""
from airflow.operators.dagrun_operator import TriggerDagRunOperator


def fill(context, run):
    run.payload = {"country": context["params"]["country"], "full": True}
    return run


then = TriggerDagRunOperator(task_id="then", trigger_dag_id="report", python_callable=fill, params={"country": "nl"})
""",
    after="""
from airflow.operators.dagrun_operator import TriggerDagRunOperator


def fill(context, run):
    run.payload = {"country": context["params"]["country"], "full": True}
    return run


then = TriggerDagRunOperator(task_id="then", trigger_dag_id="report", conf={"country": "{{ params.country }}", "full": True}, params={"country": "nl"})
""",
    find=_find,
    is_for_2=True,
)
