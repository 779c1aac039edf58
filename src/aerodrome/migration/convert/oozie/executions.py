"""What becomes of the runs of a coordinator that come late: its <execution>, LAST_ONLY and NONE.

Oozie skips a run that waits or is ready when the next nominal time has come (LAST_ONLY), or when its own is more than a tolerance ago
(NONE; oozie.coord.execution.none.tolerance, one minute); one that has been submitted goes on (Oozie 4.x/5.x: CoordActionInputCheckXCommand,
CoordActionReadyXCommand, CoordinatorFunctionalSpec 6.3).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from aerodrome.migration.convert import symbols
from aerodrome.migration.convert.contract import Code, Function, Symbol, Task

SKIPPING: Final = ("LAST_ONLY", "NONE")
_TIMEZONE: Final = Symbol("timezone", {"2.11": "datetime", "3.3": "datetime"})
_LAST_ONLY: Final = '''NOMINAL_TIMES = {series}


def is_over(logical_date, dag_run):
    """Tell whether a scheduled run that has not begun is skipped: the next nominal time has come."""
    following = NOMINAL_TIMES.after(logical_date)
    return dag_run.run_type == "scheduled" and following is not None and datetime.now(timezone.utc) >= following
'''
_NONE: Final = '''
def is_over(logical_date, dag_run):
    """Tell whether a scheduled run that has not begun is skipped: its nominal time is more than a minute ago."""
    return dag_run.run_type == "scheduled" and datetime.now(timezone.utc) > logical_date + timedelta(minutes=1)
'''
_DUE: Final = '''
def is_due(logical_date, dag_run, **_):
    """Go on only while the run is not over; else the whole run is skipped."""
    return not is_over(logical_date, dag_run)
'''
_UNLESS: Final = '''
def unless_over(arrived):
    """Wait as `arrived` says, and no longer once the run is over."""

    def poke(logical_date, dag_run, **context):
        return is_over(logical_date, dag_run) or arrived(logical_date=logical_date, dag_run=dag_run, **context)

    return poke
'''


def gate(execution: str, series: tuple[str, Symbol], task_id: str, functions: dict[str, Function]) -> Task:
    """Make the task that skips a run which is over, with its functions. `series` are the nominal times as Python."""
    if execution == "NONE":
        over = Function("is_over", _NONE, (symbols.DATETIME, symbols.TIMEDELTA, _TIMEZONE))
    else:
        text = _LAST_ONLY.replace("{series}", series[0])
        over = Function("is_over", text, (symbols.DATETIME, _TIMEZONE, series[1]))
    functions[over.name] = over
    functions["is_due"] = Function("is_due", _DUE)
    return Task(
        task_id,
        symbols.SHORT_CIRCUIT,
        (("python_callable", Code("is_due")),),
        role="control",
        comment=f"Oozie's {execution}: a run that comes too late is skipped.",
    )


def until_over(task: Task, functions: dict[str, Function]) -> Task:
    """Let a task that waits stop when its run is over."""
    functions["unless_over"] = Function("unless_over", _UNLESS)
    arguments = tuple(
        (key, Code(f"unless_over({value.text})") if key == "python_callable" and isinstance(value, Code) else value)
        for key, value in task.arguments
    )
    return replace(task, arguments=arguments)
