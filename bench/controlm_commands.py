"""Compares the command lines of a DAG, as Airflow renders them, with what Control-M writes for the same days."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any

import jinja2

from aerodrome.migration.convert.contract import Dag
from aerodrome.migration.convert.controlm.autoedit import joined_lines, variable_key
from aerodrome.migration.convert.controlm.expansion import Expander, Moment, Unclear
from aerodrome.migration.convert.controlm.scoping import scope_of
from aerodrome.migration.convert.controlm.world import Plan, World

DAYS = (date(2024, 2, 29), date(2025, 12, 31), date(2026, 1, 1), date(2026, 3, 1))
NOW = datetime(2026, 3, 2, 14, 5, 9, tzinfo=UTC)


class _Stored(dict[str, str]):
    """Every variable that the exports do not define, with a value that names it."""

    def __missing__(self, name: str) -> str:
        return _stored(variable_key(name))


def command_changes(world: World, plan: Plan, dag: Dag) -> Iterator[tuple[str, str, str] | None]:
    """Give for each command job and day the job, what Control-M runs and what the DAG runs; None when they are the same.

    The command of a task may stand between lines of its own (results, exported variables): what Control-M runs must stand in it as it is.
    Jobs that raise and texts with several readings (a caveat says so) are left out.
    """
    tasks = {task.full_id: task for task in dag.tasks}
    for job in plan.folder.jobs():
        name = world.task_ids.get((plan.number, job.path))
        task = tasks.get(name) if name else None
        if job.kind != "command" or task is None or task.role != "real":
            continue
        arguments = dict(task.arguments)
        text = arguments.get("bash_command", arguments.get("command"))
        line = joined_lines(job.details.get("CMDLINE", job.details.get("Command", "")))
        if not isinstance(text, str) or not line.strip():
            continue
        scope = scope_of(plan.folder, job)
        for day in DAYS:
            expander = Expander(scope.system, scope.variables, Moment(day, NOW, "r1", 1), _Stored())
            try:
                wanted = expander.expand(line)
            except Unclear:
                continue
            found = _render(text, dag, day)
            yield None if wanted.strip() in found else (job.name, wanted, found)


def _stored(key: str) -> str:
    return f"value_of_{re.sub(r'[^A-Za-z0-9_]', '_', key)}"


def _render(text: str, dag: Dag, day: date) -> str:
    space: dict[str, Any] = {}
    carried = [item.source for item in dag.functions if item.name in ("odate", "calcdate")]
    exec("from datetime import datetime, timedelta\nfrom zoneinfo import ZoneInfo\n" + "\n".join(carried), space)
    names: Mapping[str, Any] = {
        **space,
        "dag_run": SimpleNamespace(conf={"odate": f"{day:%Y%m%d}"}, logical_date=NOW),
        "run_id": "r1",
        "ti": SimpleNamespace(try_number=1),
        "now": lambda: NOW,
        "var": SimpleNamespace(value=SimpleNamespace(get=_stored)),
    }
    return jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False).from_string(text).render(names)
