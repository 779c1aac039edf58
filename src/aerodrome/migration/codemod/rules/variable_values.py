"""Variable.set of something that is no text: Airflow 1.10 and 2 stored `str(value)`; 3 refuses it, and the task fails after its work.

Read: models/variable.py of 1.10.15 and 2.11.2; `_set_variable` and PutVariable (value: str | None) of 3.3.2's Task SDK.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.editing import has_open_end, keyword
from aerodrome.migration.codemod.rules.receivers import values_of_name
from aerodrome.migration.codemod.rules.tasks import context_value
from aerodrome.migration.codemod.rules.written_for import is_for_1, is_for_3
from aerodrome.migration.codemod.source import Source

_CLASSES = ("airflow.models.Variable", "airflow.models.variable.Variable", "airflow.sdk.Variable")
_SET, _GET = (frozenset(f"{name}.{method}" for name in _CLASSES) for method in ("set", "get"))
_AT_VALUE, _AT_FLAG = 1, 2
_TEXTS = frozenset({"json.dumps", "os.path.join", "os.path.basename", "os.path.dirname"})
_METHODS = ("isoformat", "strftime", "to_iso8601_string", "to_date_string", "to_datetime_string", "hexdigest")
"""Methods that give a text, whatever in use has them."""
_OF_TEXTS = ("format", "join", "replace", "strip", "lstrip", "rstrip", "lower", "upper", "title", "zfill")
_KEYS = ("ds", "ds_nodash", "ts", "ts_nodash", "ts_nodash_with_tz", "run_id", "task_instance_key_str")
_DEPTH = 4


def _find(source: Source, options: Options) -> Iterator[Change | Spot]:
    if is_for_3(source, options):
        return
    for call in source.each(ast.Call):
        if not source.means(call.func, _SET):
            continue
        flag = keyword(call, "serialize_json")
        said = flag.value if flag else None
        if is_for_1(source, options) and len(call.args) > _AT_FLAG:
            said = call.args[_AT_FLAG]  # 1.10 had no description there
            at = source.start(said)
            yield Change((Edit(at, at, "serialize_json="),))
            continue
        value = _value(call)
        if has_open_end(call) or value is None:
            continue
        if said is not None and not isinstance(said, ast.Constant):
            if not _is_text(source, value):
                yield Spot(
                    call.lineno,
                    "Variable.set takes texts only in Airflow 3, where serialize_json is not True.",
                    "Give str(value) where it is not.",
                )
        elif not (said and said.value) and not _is_text(source, value):
            if source.is_free("str", "str"):
                yield Change((Edit(source.start(value), source.end(value), f"str({source.code(value)})"),))
            else:
                yield Spot(call.lineno, "Variable.set takes texts only in Airflow 3.", "Give it a text.")


def _value(call: ast.Call) -> ast.expr | None:
    item = keyword(call, "value")
    if item is not None:
        return item.value
    return call.args[_AT_VALUE] if len(call.args) > _AT_VALUE else None


def _is_text(source: Source, node: ast.expr | None, depth: int = _DEPTH) -> bool:
    """Tell whether an expression is surely a text."""
    if node is None or depth == 0:
        return False
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str)
    if isinstance(node, ast.JoinedStr) or context_value(source, node) in _KEYS:
        return True
    if isinstance(node, ast.BinOp):
        is_sum = isinstance(node.op, ast.Add) and _is_text(source, node.right, depth - 1)
        return is_sum or (isinstance(node.op, ast.Add | ast.Mod) and _is_text(source, node.left, depth - 1))
    if isinstance(node, ast.IfExp):
        return _is_text(source, node.body, depth - 1) and _is_text(source, node.orelse, depth - 1)
    if isinstance(node, ast.Name):
        values = values_of_name(source, node)
        return bool(values) and all(_is_text(source, value, depth - 1) for value in values)
    return isinstance(node, ast.Call) and _gives_text(source, node, depth)


def _gives_text(source: Source, call: ast.Call, depth: int) -> bool:
    func = call.func
    if isinstance(func, ast.Name) and func.id in ("str", "repr") and source.is_free(func.id, func.id):
        return True
    if source.means(func, _GET):
        names = {item.arg for item in call.keywords}
        return len(call.args) == 1 and not names
    if source.means(func, _TEXTS):
        return True
    if not isinstance(func, ast.Attribute):
        return False
    return func.attr in _METHODS or (_is_text(source, func.value, depth - 1) and func.attr in _OF_TEXTS)


RULE = Rule(
    code="variable-text",
    title="What is stored as a variable is a text, as Airflow 1.10 and 2 made it",
    words=(b"Variable",),
    before="""
from datetime import datetime

from airflow.models import Variable


def save(last):
    Variable.set("watermark", last)
    Variable.set("saved_at", datetime.now())
    Variable.set("name", f"{last}.csv")
    Variable.set("all", [last], serialize_json=True)
""",
    after="""
from datetime import datetime

from airflow.models import Variable


def save(last):
    Variable.set("watermark", str(last))
    Variable.set("saved_at", str(datetime.now()))
    Variable.set("name", f"{last}.csv")
    Variable.set("all", [last], serialize_json=True)
""",
    find=_find,
)
