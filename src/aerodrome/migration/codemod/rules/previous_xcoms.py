"""What the task instance of an earlier run is asked for: in Airflow 3 it is a bare answer without methods; and XComs for a later date.

`RuntimeTaskInstance.get_previous_ti` (3.3.2) gives a PreviousTIResponse; `xcom_pull(run_id=…)` reads the XComs of that run.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.editing import add_keyword, drop_item, has_open_end, keyword, replace
from aerodrome.migration.codemod.rules import xcoms
from aerodrome.migration.codemod.rules.receivers import values_of_name
from aerodrome.migration.codemod.rules.tasks import context_value
from aerodrome.migration.codemod.source import Source

_GETTER = "get_previous_ti"
_FIELDS = frozenset(
    {"task_id", "dag_id", "run_id", "logical_date", "start_date", "end_date", "state", "try_number", "map_index", "duration"}
)  # fmt: skip
_DATES = ("execution_date", "logical_date")


def _previous(source: Source, _options: Options) -> Iterator[Change | Spot]:
    for node in source.each(ast.Attribute):
        if not isinstance(node.ctx, ast.Load) or node.attr in _FIELDS:
            continue
        values = _values(source, node.value)
        asked = [value for value in values if isinstance(value, ast.Call) and _is_asked(source, value)]
        if not asked:
            continue
        is_sole = len(values) == 1
        if is_sole and node.attr == "execution_date":
            end = source.end(node)
            yield Change((Edit(end - len(node.attr), end, "logical_date"),))
        elif is_sole and node.attr == "xcom_pull" and (change := _pulled(source, node, asked[0])):
            yield change
        else:
            yield Spot(
                node.lineno,
                f"What {_GETTER} gives has no `{node.attr}` in Airflow 3's tasks.",
                f"It has {', '.join(sorted(_FIELDS))}; pull by ti.xcom_pull(task_ids=…, run_id=previous.run_id).",
            )


def _values(source: Source, node: ast.expr) -> list[ast.expr | None]:
    """Give what an expression may be; a name that is None at first is not counted as that."""
    values = values_of_name(source, node) if isinstance(node, ast.Name) else [node]
    return [value for value in values if not xcoms.is_none(value)]


def _is_asked(source: Source, call: ast.Call) -> bool:
    func = call.func
    return isinstance(func, ast.Attribute) and func.attr == _GETTER and not xcoms.is_other(source, func.value)


def _pulled(source: Source, func: ast.Attribute, asked: ast.Call) -> Change | None:
    """`ti.get_previous_ti().xcom_pull(…)` becomes `ti.xcom_pull(…, run_id=ti.get_previous_ti().run_id)`."""
    call = source.parents[func]
    if not isinstance(call, ast.Call) or call.func is not func or has_open_end(call):
        return None
    tasks = xcoms.argument(call, "task_ids")
    owner = asked.func.value  # type: ignore[attr-defined]
    is_steady = isinstance(owner, ast.Name) or (isinstance(owner, ast.Subscript) and isinstance(owner.value, ast.Name))
    if tasks is None or xcoms.is_none(tasks) or keyword(call, "run_id") or not is_steady:
        return None
    if isinstance(owner, ast.Name) and isinstance(func.value, ast.Name) and len(values_of_name(source, owner)) > 1:
        return None
    edits = (
        replace(source, func.value, source.code(owner)),
        add_keyword(source, call, "run_id", f"{source.code(func.value)}.run_id"),
    )
    return Change(edits)


def _later(source: Source, _options: Options) -> Iterator[Change | Spot]:
    for call in (*xcoms.calls(source, "xcom_push"), *xcoms.calls(source, "xcom_pull")):
        if (session := keyword(call, "session")) is not None:
            yield Change((drop_item(source, session),))
            continue
        date = xcoms.argument(call, "execution_date")
        if date is None or has_open_end(call):
            continue
        if xcoms.is_none(date) or _is_own_date(source, date):
            yield Change((_without(source, call, date),))
        else:
            yield Spot(
                call.lineno,
                "xcom_push takes no date in Airflow 3: an XCom is of the run that pushes it.",
                "Leave execution_date out, and let the later run pull with include_prior_dates=True, map_indexes=None.",
            )


def _without(source: Source, call: ast.Call, date: ast.expr) -> Edit:
    if (item := keyword(call, "execution_date")) is not None:
        return drop_item(source, item)
    before = call.args[call.args.index(date) - 1]
    comma = source.text.rfind(b",", source.end(before), source.start(date))
    return Edit(comma, source.end(date), "")


def _is_own_date(source: Source, node: ast.expr) -> bool:
    """Tell whether a date is that of the run itself."""
    if context_value(source, node) in _DATES:
        return True
    if isinstance(node, ast.Attribute) and node.attr in _DATES:
        return context_value(source, node.value) in ("ti", "task_instance", "dag_run")
    return False


PREVIOUS = Rule(
    code="previous-task",
    title="What an earlier run pushed is pulled by its run_id",
    words=(b"get_previous_ti",),
    before="""
from airflow.decorators import task


@task
def compare(ti=None):
    before = ti.get_previous_ti()
    if before:
        return before.xcom_pull(task_ids="count"), before.execution_date, before.log_url
""",
    after="""
from airflow.decorators import task


@task
def compare(ti=None):
    before = ti.get_previous_ti()
    if before:
        return ti.xcom_pull(task_ids="count", run_id=before.run_id), before.logical_date, before.log_url
""",
    find=_previous,
    finding="has no `log_url`",
)
LATER = Rule(
    code="xcom-later-date",
    title="xcom_push with the date of the run itself needs none; with another one it is found",
    words=(b"xcom_push", b"xcom_pull"),
    before="""
from airflow.decorators import task


@task
def count(ti=None, logical_date=None, **context):
    ti.xcom_push("rows", 3, execution_date=logical_date)
    ti.xcom_push("rows", 4, execution_date=context["data_interval_end"])
""",
    after="""
from airflow.decorators import task


@task
def count(ti=None, logical_date=None, **context):
    ti.xcom_push("rows", 3)
    ti.xcom_push("rows", 4, execution_date=context["data_interval_end"])
""",
    find=_later,
    finding="xcom_push takes no date",
)
