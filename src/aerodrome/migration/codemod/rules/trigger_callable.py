"""TriggerDagRunOperator(python_callable=…) of Airflow 1.10: a function that only fills the payload becomes `conf=`.

Any other one is asked by an operator that the file then defines: it does what 1.10.15 did (airflow/operators/dagrun_operator.py): the function gets
the context and an object with `run_id` and `payload`, and nothing is triggered, and nothing fails, when it gives nothing back.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.editing import drop_item, keyword, replace
from aerodrome.migration.codemod.rules import operators
from aerodrome.migration.codemod.source import Source

_ARGUMENTS = 2  # the context and the run that is to be made


_OPERATOR, _ASKING = "TriggerDagRunOperator", "AskingTriggerDagRunOperator"
_CLASS = f"""class {_ASKING}({{base}}):
    \"\"\"Triggers as Airflow 1.10 did: a function fills the payload, or gives nothing back and nothing is triggered.\"\"\"

    def __init__(self, *, python_callable, **kwargs):
        super().__init__(**kwargs)
        self.python_callable = python_callable

    def execute(self, context):
        run = SimpleNamespace(run_id=f"trig__{{{{pendulum.now('UTC').isoformat()}}}}", payload=None)
        run = self.python_callable(context, run)
        if run:
            self.trigger_run_id, self.conf = run.run_id, run.payload
            super().execute(context)


"""
_IMPORTS = (("types", "SimpleNamespace"), ("pendulum", ""))


def _find(source: Source, _options: Options) -> Iterator[Change | Spot]:
    for made in operators.made(source):
        item = keyword(made.call, "python_callable")
        if _OPERATOR not in made.classes or item is None:
            continue
        payload = None if keyword(made.call, "conf") else _payload(source, made.call, item.value)
        if payload:
            yield Change((Edit(source.start(item), source.end(item.value), f"conf={payload}"),))
        elif payload is not None:
            yield Change((drop_item(source, item),))
        else:
            yield (found := _asking(source, made))
            if isinstance(found, Change) and len(found.edits) > 1:
                return  # the class is there for the others in the next round


def _asking(source: Source, made: operators.Made) -> Change | Spot:
    call = made.call
    is_defined = any(node.name == _ASKING for node in source.tree.body if isinstance(node, ast.ClassDef))
    is_free = all(source.is_free(name or module, f"{module}.{name}" if name else module) for module, name in _IMPORTS)
    others = {"conf", "trigger_run_id", "execution_date", "logical_date"}
    if made.node is not call.func or any(keyword(call, name) for name in others) or not (is_defined or is_free):
        return Spot(
            call.lineno,
            "TriggerDagRunOperator(python_callable=…) is gone, and this function does more than fill the payload.",
            "Give conf={…} with templates; where the function decides whether to trigger, put a ShortCircuitOperator before.",
        )
    edits = [replace(source, made.node, _ASKING)]
    if not is_defined:
        node: ast.AST = call
        while not isinstance(source.parents[node], ast.Module):
            node = source.parents[node]
        first = min([source.start(node), *(source.start(item) for item in getattr(node, "decorator_list", ()))])
        at = source.text.rfind(b"\n", 0, first) + 1
        text = _CLASS.format(base=source.code(made.node)).replace("\n", source.newline.decode())
        edits.insert(0, Edit(at, at, text))
    return Change(tuple(edits), _IMPORTS)


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
