"""The dates of conditions that a DAG keeps as Airflow variables, compared with the dates that Control-M would ask for.

Control-M's side is read from the definition alone: ODAT is the order date, PREV and NEXT the order dates before and after it, +n and -n
days; STAT has none. The DAG's side are the functions of its file, run for the same order dates.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

from aerodrome.migration.convert.contract import Code, Dag, Task
from aerodrome.migration.convert.controlm.definitions.model import Node
from aerodrome.migration.convert.controlm.world import Plan

_DAYS = 20  # order dates that are compared


def date_changes(plan: Plan, dag: Dag) -> Iterator[str]:
    """Name the waits for stored conditions, and the changes of them, whose date is not that of Control-M."""
    space: dict[str, Any] = {"datetime": datetime, "timedelta": timedelta, "ZoneInfo": ZoneInfo}
    exec(
        "\n".join(
            function.source
            for function in dag.functions
            if "is_ordered" in function.name or "date" in function.name or function.name in ("condition_key", "earlier")
        ),
        space,
    )
    nodes = {node.origin.path: node for node in (plan.folder, *plan.folder.folders(), *plan.folder.jobs())}
    for task in dag.tasks:
        call = dict(task.arguments).get("python_callable")
        node = nodes.get(task.origin.path if task.origin else "")
        if node is None or not isinstance(call, Code) or call.text not in ("is_added", "change_condition"):
            continue
        yield from _of_task(plan, node, task, space)


def _of_task(plan: Plan, node: Node, task: Task, space: dict[str, Any]) -> Iterator[str]:
    given: Any = dict(task.arguments)["op_kwargs"]
    name, days = given["name"], given["days"]
    days = space[days.text] if isinstance(days, Code) else days
    words = [item.odate for item in (node.waits if "is_added" not in given else node.outs) if item.name == name]
    words += ["ODAT"] if name in plan.starts.values() else []  # a folder tells its cyclic jobs that it has started
    words += [
        action.values.get("ODATE", "ODAT") or "ODAT"
        for reaction in node.reactions
        for action in reaction.actions
        if "is_added" in given and action.kind == "cond" and action.values.get("NAME") == name
    ]
    dates = sorted(plan.dates_of(node))
    for place in range(1, min(len(dates) - 1, _DAYS)):
        run = SimpleNamespace(conf={"odate": f"{dates[place]:%Y%m%d}"})
        found = space["condition_key"](name, run, days).removeprefix(f"controlm.condition.{name}").lstrip(".")
        wanted = {_wanted(word.strip().upper(), dates, place) for word in words}
        if found and found not in wanted:
            yield f"{task.full_id}: {name} has the date {found} on {dates[place]}, in Control-M {sorted(wanted)}"
            return


def _wanted(word: str, dates: list[date], place: int) -> str:
    if word in ("PREV", "NEXT"):
        return f"{dates[place + (1 if word == 'NEXT' else -1)]:%m%d}"
    if word[:1] in ("+", "-") and word[1:].isdigit():
        return f"{dates[place] + timedelta(days=int(word)):%m%d}"
    return f"{dates[place]:%m%d}" if word in ("", "ODAT", "ODATE") else word
