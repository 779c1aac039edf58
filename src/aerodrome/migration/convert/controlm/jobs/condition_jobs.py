"""Jobs that add or delete a condition: plug-ins of sites that call Control-M itself (`AI ControlM Condition`, …).

They change the same Airflow variable for which jobs wait whose condition nobody in the exports adds (`controlm.condition.NAME.MMDD`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aerodrome.migration.convert import symbols
from aerodrome.migration.convert.contract import Code, Expression
from aerodrome.migration.convert.controlm import snippets
from aerodrome.migration.convert.controlm.jobs.workbench import Workbench
from aerodrome.migration.convert.controlm.plugins.details import action_of, detail

_TODAY: Final = "%%OMONTH.%%ODAY"
_UNDATED: Final = ("nodate", "stat", "static", "dateless")
_ON_THE_DAY: Final = ("", "today", "odat", "odate", "orderdate")


def condition_job(bench: Workbench) -> None:
    """Make the task that adds or deletes a condition; any other action raises."""
    details = bench.job.details
    name = detail(details, ("eventname", "conditionname", "condition", "event"))
    action = action_of(details) or "add"
    is_added = action.startswith(("add", "set", "create"))
    if not is_added and not action.startswith(("delete", "remove")):
        bench.fail("plugin-action", f"The action {action} of a job that changes conditions is not converted.")
        return
    if not name:
        bench.fail("detail-missing", "The job names no condition.")
        return
    kind = detail(details, ("odatetype", "datetype", "eventdatetype")).lower().replace(" ", "")
    day = detail(details, ("eventdatemmdd", "eventdate", "conditiondate", "date"))
    if kind in _ON_THE_DAY:
        endings = [_TODAY]
    elif kind in _UNDATED:
        endings = [""]
    elif kind == "any" and not is_added:
        endings = ["", _TODAY]
        bench.note(
            "condition-any-date", f"{name} is deleted without a date and for the order date, not for other dates."
        )
    elif kind.startswith("specific") and day:
        endings = [day]
    else:
        bench.fail("condition-date", f"A condition with the date {kind} {day} is not converted.")
        return
    is_needed = not is_added and detail(details, ("ignoreerrors",)).lower() in ("no", "n", "false")
    change(bench, name, endings, is_added=is_added, is_needed=is_needed)


def change(bench: Workbench, name: str, endings: Sequence[str], *, is_added: bool, is_needed: bool = False) -> None:
    """Add the task that changes a condition for dates: month and day, or "" without a date."""
    dates: list[Expression] = [bench.text(ending) for ending in endings]
    given: dict[str, Expression] = {
        "name": bench.text(name),
        "dates": dates,
        "is_added": is_added,
        "is_needed": is_needed,
    }
    bench.work.functions.append(snippets.CHANGE_EVENTS)
    bench.work.macros.add("odate")
    bench.note(
        "condition-job",
        f"It changes the Airflow variable of the condition {name}; jobs that wait for it by an edge or for a run do not see it.",
    )
    bench.step("", symbols.PYTHON, ("python_callable", Code("change_events")), ("op_kwargs", given))
