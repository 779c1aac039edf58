"""Compares the command lines of a DAG, as Airflow renders them, with what Control-M writes for the same days."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any

import jinja2

from aerodrome.migration.convert.contract import Dag
from aerodrome.migration.convert.controlm.definitions.model import Job
from aerodrome.migration.convert.controlm.jobs.commands import unescaped
from aerodrome.migration.convert.controlm.proof.expansion import Expander, Moment, Unclear
from aerodrome.migration.convert.controlm.variables.autoedit import Scope, joined_lines, stored_key
from aerodrome.migration.convert.controlm.variables.scoping import scope_of
from aerodrome.migration.convert.controlm.world import Plan, World

DAYS = (date(2024, 2, 29), date(2025, 12, 31), date(2026, 1, 1), date(2026, 3, 1))
NOW = datetime(2026, 3, 2, 14, 5, 9, tzinfo=UTC)


class _Stored(dict[str, str]):
    """Every variable that the exports do not define, with a value that names it."""

    def __init__(self, scope: Scope) -> None:
        super().__init__()
        self.scope = scope

    def __missing__(self, name: str) -> str:
        return _stored(stored_key(name, self.scope))


def command_changes(world: World, plan: Plan, dag: Dag) -> Iterator[tuple[str, str, str] | None]:
    """Give for each job with a command or script and day the job, what Control-M runs and what the DAG runs; None when they are the same.

    A task that is nothing but the command must be equal to it. Where lines of its own stand around it (results, exported variables, the commands
    before and after), the pieces must stand in it as they are, in their order, and every exported variable must have its value.
    Jobs that raise and texts with several readings (a caveat says so) are left out.
    """
    tasks = {task.full_id: task for task in dag.tasks}
    for job in plan.folder.jobs():
        name = world.task_ids.get((plan.number, job.path))
        task = tasks.get(name) if name else None
        if job.kind not in ("command", "script", "embedded") or task is None or task.role != "real":
            continue
        arguments = dict(task.arguments)
        text = arguments.get("bash_command", arguments.get("command"))
        scope = scope_of(plan.folder, job, kept=world.keys_set)
        pieces = _pieces(job, scope.variables)
        if not isinstance(text, str) or not pieces:
            continue
        for day in DAYS:
            expander = Expander(
                scope.system, scope.variables, Moment(day, NOW, "r1", 1, world.site.is_week_from_sunday), _Stored(scope)
            )
            try:
                wanted = [expander.expand(piece).strip() for piece in pieces]
                given = {item.name: expander.expand(f"%%{item.name}") for item in job.variables}
            except Unclear:
                continue
            found = _render(text, dag, day)
            is_same = found.strip() == wanted[0] if _is_alone(job, found, pieces) else _stands_in(wanted, found)
            yield None if is_same and _exports_are(given, found) else (job.name, "\n".join(wanted), found)


def _pieces(job: Job, values: Mapping[str, str]) -> list[str]:
    """Give the texts that Control-M runs for a job, in their order: before, the command or script, after."""
    details = job.details
    if job.kind == "command":
        main = joined_lines(details.get("CMDLINE", ""))
    elif job.kind == "embedded":
        main = unescaped(joined_lines(details.get("INSTREAM_JCL", "")).replace("\r\n", "\n"))
    else:
        main = details.get("MEMNAME") or details.get("FILE_NAME", "")
    before, after = (details.get(key) or values.get(key, "") for key in ("PRECMD", "POSTCMD"))
    numbers = sorted(int(key[4:]) for key in values if re.fullmatch(r"PARM\d+", key))
    parameters = [f"%%PARM{number}" for number in numbers] if job.kind == "script" else []
    return [piece for piece in (before, main, *parameters, after) if piece.strip()] if main.strip() else []


def _is_alone(job: Job, found: str, pieces: list[str]) -> bool:
    """Say whether a task is nothing but one command: no reactions, no copies of its output, no exported variables."""
    is_bare = not (job.reactions or job.details.get("Output")) and "\nexport " not in f"\n{found}"
    return job.kind == "command" and len(pieces) == 1 and is_bare


def _stands_in(wanted: list[str], found: str) -> bool:
    at = 0
    for piece in wanted:
        at = found.find(piece, at)
        if at < 0:
            return False
        at += len(piece)
    return True


def _exports_are(given: Mapping[str, str], found: str) -> bool:
    """Say whether every variable at the head of a command has the value that Control-M gives it."""
    for name, value in re.findall(r"(?ms)^export (\w+)=('(?:[^']|'\\'')*'|\S*)$", found):
        if name in given and "".join(shlex.split(value)) != given[name] and value.strip("'") != given[name]:
            return False
    return True


class _Values:
    """Airflow's variables as a template sees them (VariableAccessor)."""

    def __getattr__(self, name: str) -> str:
        return _stored(name)


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
        "var": SimpleNamespace(value=_Values()),
    }
    return jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False).from_string(text).render(names)
