"""XCom.get_one, get_value and set, called by tasks: those of Airflow 3's XCom take other arguments.

BaseXCom of 3.3.2 (airflow.sdk.bases.xcom, which airflow.models.XCom leads to): get_one(*, key, dag_id, task_id, run_id, map_index, include_prior_dates),
get_value(*, ti_key, key), set(key, value, *, dag_id, task_id, run_id, map_index); none has a date or a session. In 2.11.2 a key of None was any key, the newest.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.editing import drop_item, has_open_end, keyword, replace
from aerodrome.migration.codemod.rules.database_models import WAYS, model_of
from aerodrome.migration.codemod.rules.tasks import context_value, task_instance
from aerodrome.migration.codemod.source import Source

_NEEDED = {
    "get_one": ("key", "dag_id", "task_id", "run_id"),
    "get_value": ("ti_key", "key"),
    "set": ("dag_id", "task_id", "run_id"),
}
_POSITIONAL = {"get_one": 0, "get_value": 0, "set": 2}
_DATES = ("execution_date", "logical_date")


def _find(source: Source, options: Options) -> Iterator[Change | Spot]:
    del options
    for call in source.each(ast.Call):
        func = call.func
        if not isinstance(func, ast.Attribute) or func.attr not in _NEEDED or has_open_end(call):
            continue
        if model_of(source, func.value) != "XCom":
            continue
        edits = _edits(source, call)
        if edits is None:
            what = ", ".join(_NEEDED[func.attr])
            yield Spot(
                call.lineno,
                f"`XCom.{func.attr}` of Airflow 3's tasks needs {what}, by name, and takes no date.",
                WAYS["XCom"],
            )
        elif edits:
            yield Change(tuple(edits))


def _edits(source: Source, call: ast.Call) -> list[Edit] | None:
    """Give what makes a call one of Airflow 3's; None when it cannot be made one."""
    method = call.func.attr  # type: ignore[attr-defined]
    names = {str(item.arg) for item in call.keywords}
    edits = []
    if (session := keyword(call, "session")) is not None:
        edits.append(drop_item(source, session))
    for name in _DATES:
        if (date := keyword(call, name)) is None:
            continue
        owner = task_instance(source, call)
        if owner is None or "run_id" in names or context_value(source, date.value) not in _DATES:
            return None
        edits.append(replace(source, date, f"run_id={owner}.run_id"))
        names.add("run_id")
    key = keyword(call, "ti_key")
    if (
        key is not None
        and isinstance(key.value, ast.Attribute)
        and key.value.attr == "key"
        and context_value(source, key.value.value) in ("ti", "task_instance")
    ):
        edits.append(Edit(source.end(key.value.value), source.end(key.value), ""))
    if len(call.args) > _POSITIONAL[method] or not names.issuperset(_NEEDED[method]):
        return None
    said = keyword(call, "key")
    if said is not None and isinstance(said.value, ast.Constant) and said.value.value is None:
        return None
    return edits


RULE = Rule(
    code="xcom-model",
    title="XCom.get_one, get_value and set are called as those of Airflow 3",
    words=(b"XCom",),
    before="""
from airflow.models import XCom
from airflow.operators.python import PythonOperator


def load(ti, execution_date, **context):
    rows = XCom.get_one(execution_date=execution_date, key="rows", task_id="count", dag_id=ti.dag_id, session=None)
    last = XCom.get_one(run_id=ti.run_id, task_id="count", dag_id=ti.dag_id)
    return rows, last, XCom.get_value(ti_key=ti.key, key="rows")


PythonOperator(task_id="load", python_callable=load)
""",
    after="""
from airflow.models import XCom
from airflow.operators.python import PythonOperator


def load(ti, execution_date, **context):
    rows = XCom.get_one(run_id=ti.run_id, key="rows", task_id="count", dag_id=ti.dag_id)
    last = XCom.get_one(run_id=ti.run_id, task_id="count", dag_id=ti.dag_id)
    return rows, last, XCom.get_value(ti_key=ti, key="rows")


PythonOperator(task_id="load", python_callable=load)
""",
    find=_find,
    finding="`XCom.get_one` of Airflow 3's tasks needs key",
)
