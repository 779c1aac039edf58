"""SLAs, which Airflow 3 takes and ignores. A deadline alert is not the same, so it is proposed and never written.

Airflow 2 counts an SLA for one task, from the run's logical date, and only for scheduled runs (dag_processing/processor.py `manage_slas`,
2.11.2); 1.10 from the end of the interval. A deadline (airflow.sdk.DeadlineAlert, 3.1 and newer) is of the whole run, and its callback gets a
context, not lists of tasks.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Options, Rule, Spot
from aerodrome.migration.codemod.editing import drop_item, keyword
from aerodrome.migration.codemod.rules import dags
from aerodrome.migration.codemod.source import Source

_BEFORE_DEADLINES = "3.0."
_WITHOUT = (
    "Airflow 3.1 and newer have deadlines of whole runs. Until then: `dagrun_timeout=…` of the DAG fails a run that takes longer, counted from its start; "
    "or watch from outside, by GET /api/v2/dags/{dag_id}/dagRuns?state=running&state=queued."
)
_THREE = 3


def _find(source: Source, options: Options) -> Iterator[Change | Spot]:
    if options.major < _THREE:
        yield from _of_1(source, options)
        return
    callback = next(
        (item.value for call in source.each(ast.Call) if (item := keyword(call, "sla_miss_callback"))), None
    )
    for call in source.each(ast.Call):
        item = keyword(call, "sla")
        task, parent = keyword(call, "task_id"), source.parents.get(call)
        is_decorator = isinstance(parent, ast.FunctionDef) and call in parent.decorator_list
        if item and (task or is_decorator or dags.is_dict_call(call)):
            whose = f"task {source.code(task.value)}" if task else "tasks with these defaults"
            whose = f"task {parent.name}" if isinstance(parent, ast.FunctionDef) and not task else whose
            if _is_none(item.value) or (task and _is_never_checked(source, call)):
                yield Change((drop_item(source, item),))
            else:
                yield _spot(source, item.value, whose, callback, options)
        item = keyword(call, "sla_miss_callback")
        if item and source.means(call.func, dags.ANY):
            if _is_none(item.value) or dags.is_unscheduled(source, call):
                yield Change((drop_item(source, item),))
            else:
                message = "Airflow 3 never calls sla_miss_callback."
                hint = f"Call it from a deadline: see the SLAs of this file. {_callback(source, item.value)[1]}"
                hint = _WITHOUT if options.target.startswith(_BEFORE_DEADLINES) else hint
                yield Spot(item.value.lineno, message, hint)
    for mapping in source.each(ast.Dict):
        if (found := dags.entry(mapping, "sla")) is None:
            continue
        if _is_none(found[1]):
            yield Change((drop_item(source, found[1], first=source.start(found[0])),))
        else:
            yield _spot(source, found[1], "tasks with these defaults", callback, options)


def _of_1(source: Source, options: Options) -> Iterator[Spot]:
    """Find the SLAs that Airflow 1.10 counted otherwise than 2 does, which still has them."""
    if not options.source_version.startswith("1"):
        return
    given: list[tuple[ast.expr, ast.Call | None]] = [
        (item.value, call) for call in source.each(ast.Call) if (item := keyword(call, "sla"))
    ]
    given += [(found[1], None) for mapping in source.each(ast.Dict) if (found := dags.entry(mapping, "sla"))]
    for value, call in given:
        if _is_none(value) or (call is not None and keyword(call, "task_id") and _is_never_checked(source, call)):
            continue
        message = "Airflow 2 counts an SLA from the run's logical date, 1.10 did from the end of its interval: it is missed one interval earlier."
        hint = f"Add the length of the interval: sla={source.code(value)} + timedelta(days=1) for a daily DAG."
        yield Spot(value.lineno, message, hint)


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _is_never_checked(source: Source, call: ast.Call) -> bool:
    """Tell whether the task's DAG has no schedule: Airflow looked at SLAs of scheduled runs only."""
    own = dags.dag_of(source, call)
    return own is not None and dags.is_unscheduled(source, own)


def _spot(source: Source, value: ast.expr, whose: str, callback: ast.expr | None, options: Options) -> Spot:
    message = f"Airflow 3 ignores the SLA of {whose}: nobody is told when it is late."
    if options.target.startswith(_BEFORE_DEADLINES):
        return Spot(value.lineno, message, _WITHOUT)
    name, more = _callback(source, callback)
    alert = f"DeadlineAlert(reference=DeadlineReference.DAGRUN_LOGICAL_DATE, interval={source.code(value)}, callback=AsyncCallback({name}))"
    return Spot(
        value.lineno,
        message,
        f"A deadline is of the whole run, not of one task. If that will do: DAG(…, deadline={alert}), all from airflow.sdk. "
        f"Airflow 1.10 counted from the end of the interval: add its length then. {more}",
    )


def _callback(source: Source, node: ast.expr | None) -> tuple[str, str]:
    """Give a name for the callback, and what must be done about it."""
    if node is None:
        return (
            "tell",
            "`tell` is an async function of yours, in a module that the triggerer can import: SLA mails were sent by Airflow itself.",
        )
    name = source.code(node)
    return (
        name,
        f"`{name}` must become an async function that takes the context, not (dag, task_list, …), in a module that the triggerer can import.",
    )


RULE = Rule(
    code="sla",
    title="SLAs without effect are dropped; the others are found, with the deadline alert that comes near",
    words=(b"sla",),
    before="""
from airflow import DAG
from airflow.operators.bash import BashOperator

with DAG("by_hand", schedule=None, sla_miss_callback=tell):
    BashOperator(task_id="run", bash_command="date", sla=HOUR)

with DAG("nightly", schedule="@daily"):
    BashOperator(task_id="load", bash_command="date", sla=HOUR)
""",
    after="""
from airflow import DAG
from airflow.operators.bash import BashOperator

with DAG("by_hand", schedule=None):
    BashOperator(task_id="run", bash_command="date")

with DAG("nightly", schedule="@daily"):
    BashOperator(task_id="load", bash_command="date", sla=HOUR)
""",
    find=_find,
    finding='Airflow 3 ignores the SLA of task "load"',
    is_for_2=True,
)
