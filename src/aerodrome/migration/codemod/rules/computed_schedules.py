"""Schedules that only the running file knows keep their data intervals: by a small function that the file gets. Shared with `dag_defaults`."""

from __future__ import annotations

import ast

from aerodrome.migration.codemod.contract import Change, Edit
from aerodrome.migration.codemod.editing import replace
from aerodrome.migration.codemod.source import Source

INTERVAL = "airflow.timetables.interval"
CRON, DELTA = "CronDataIntervalTimetable", "DeltaDataIntervalTimetable"
NAME = "_with_data_interval"
_TEXT = f'''def {NAME}(schedule, timezone):
    """Give cron texts and timedeltas the data intervals that Airflow 2 gave them."""
    if isinstance(schedule, timedelta):
        return {DELTA}(schedule)
    if isinstance(schedule, str) and schedule not in ("@once", "@continuous"):
        return {CRON}(schedule, timezone=timezone)
    return schedule


'''
_IMPORTS = (("datetime", "timedelta"), (INTERVAL, CRON), (INTERVAL, DELTA))
_COMPUTED = (ast.Name, ast.Attribute, ast.Subscript, ast.JoinedStr)


def is_computed(value: ast.expr) -> bool:
    """Tell whether a schedule may turn out a cron text or a timedelta: a class, whose name is written large, makes a timetable or an asset."""
    if isinstance(value, ast.Call):
        func = value.func
        name = func.attr if isinstance(func, ast.Attribute) else func.id if isinstance(func, ast.Name) else "A"
        return not name.lstrip("_")[:1].isupper() and name != NAME
    if isinstance(value, ast.IfExp | ast.BoolOp):
        sides = [value.body, value.orelse] if isinstance(value, ast.IfExp) else value.values
        return any(is_computed(side) or isinstance(getattr(side, "value", None), str) for side in sides)
    return isinstance(value, _COMPUTED)


def pinned(source: Source, given: ast.expr, zone: str) -> Change | None:
    """Give the schedule its data intervals; None where the file uses the needed names for something else.

    A formatted text with blanks can only be a cron text. Everything else goes through the function, which stands before the statement that needs it first.
    """
    is_cron = isinstance(given, ast.JoinedStr) and any(
        isinstance(item, ast.Constant) and " " in str(item.value) for item in given.values
    )
    if is_cron:
        if not source.is_free(CRON, f"{INTERVAL}.{CRON}"):
            return None
        return Change((replace(source, given, f"{CRON}({source.code(given)}, timezone={zone})"),), ((INTERVAL, CRON),))
    if isinstance(given, ast.IfExp) and (text := _either(source, given, zone)) is not None:
        return Change((replace(source, given, text),), ((INTERVAL, CRON),))
    made = source.top.bound.get(NAME)
    if not made and not (
        source.is_free("timedelta", "datetime.timedelta")
        and source.is_free(CRON, f"{INTERVAL}.{CRON}")
        and source.is_free(DELTA, f"{INTERVAL}.{DELTA}")
        and source.is_free(NAME, "")
    ):
        return None
    call = replace(source, given, f"{NAME}({source.code(given)}, timezone={zone})")
    if made:
        return Change((call,))
    at = _before_statement(source, given)
    return Change((Edit(at, at, _TEXT.replace("\n", source.newline.decode())), call), _IMPORTS)


def _either(source: Source, given: ast.IfExp, zone: str) -> str | None:
    """Write `"0 2 * * *" if … else None` with the timetable in its place; None where a side is more than such a text."""
    sides = []
    for side in (given.body, given.orelse):
        value = side.value if isinstance(side, ast.Constant) else ...
        is_cron = isinstance(value, str) and " " in value.strip()
        if not is_cron and value is not None:
            return None
        sides.append(f"{CRON}({source.code(side)}, timezone={zone})" if is_cron else "None")
    is_free = source.is_free(CRON, f"{INTERVAL}.{CRON}") and sides != ["None", "None"]
    return f"{sides[0]} if {source.code(given.test)} else {sides[1]}" if is_free else None


def _before_statement(source: Source, node: ast.AST) -> int:
    """Give where the statement of the file begins that holds a node, with its decorators and the comments right above."""
    while not isinstance(parent := source.parents[node], ast.Module):
        node = parent
    line = min([node.lineno, *(item.lineno for item in getattr(node, "decorator_list", ()))])  # type: ignore[attr-defined]
    while line > 1 and source.text[source.line_start(line - 1) : source.line_start(line)].startswith(b"#"):
        line -= 1
    return source.line_start(line)
