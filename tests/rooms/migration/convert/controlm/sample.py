"""Small Control-M definitions for tests, and what the converter makes of them."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from croniter import croniter

from aerodrome.migration.convert.contract import Call, Code, Conversion, Dag, Task
from aerodrome.migration.convert.controlm.reading import read

EXPORTS = Path(__file__).parent / "exports"


def convert(folder: Path, text: str, profile: Mapping[str, Any] | None = None, name: str = "export.xml") -> Conversion:
    """Write one export and convert it. Folders without an order method are taken as ordered every day."""
    (folder / name).write_text(
        text if text.lstrip().startswith(("<?", "<DEF", "{")) else f"<DEFTABLE>{text}</DEFTABLE>"
    )
    return read(folder, profile or {})


def dag_of(conversion: Conversion, dag_id: str) -> Dag:
    return next(dag for dag in conversion.dags if dag.dag_id == dag_id)


def functions_of(dag: Dag) -> dict[str, Any]:
    """Run the functions of a DAG file, as they are emitted, and give them by name; Airflow's own names are stand-ins."""
    space: dict[str, Any] = {}
    exec(
        "from datetime import datetime, timedelta\nfrom zoneinfo import ZoneInfo\n"
        "class AirflowSkipException(Exception): pass\nclass AirflowFailException(Exception): pass\n"
        + "\n".join(function.source for function in dag.functions),
        space,
    )
    return space


def runs(dag: Dag, first: datetime, last: datetime) -> list[datetime]:
    """Give the moments (in the zone of the schedule, naive) at which a DAG runs."""
    call = dag.schedule.expression
    assert isinstance(call, Call)
    if call.symbol.name == "CronTriggerTimetable":
        found, ticks = [], croniter(str(call.arguments[0]), first - timedelta(seconds=1))
        while (moment := ticks.get_next(datetime)) <= last:
            found.append(moment)
        return found
    code = dict(call.keywords)["event_dates"]
    assert isinstance(code, Code)
    space = functions_of(dag)
    clock = code.text.split("{day}T")[1][:5]
    listed = [datetime.fromisoformat(f"{day}T{clock}") for day in space["ORDER_DATES"]]
    return [moment for moment in listed if first <= moment <= last]


def check_of(dag: Dag, task_id: str) -> str | None:
    """Give the text of the check that skips a task on some dates."""
    found = dict(dag.task(task_id).arguments).get("pre_execute")
    return found.text if isinstance(found, Code) else None


def days(first: date, count: int) -> list[date]:
    return [first + timedelta(days=number) for number in range(count)]


def dag(folder: Path, job: str, profile: dict[str, object] | None = None) -> Dag:
    text = f'<FOLDER FOLDER_NAME="F" FOLDER_ORDER_METHOD="SYSTEM">{job}</FOLDER>'
    return dag_of(convert(folder, text, profile), "F")


def arguments(task: Task) -> dict[str, object]:
    return dict(task.arguments)


JSON_JOB = '{{"F": {{"Type": "Folder", "J": {{"Type": "Job:{kind}", {rest}}}}}}}'


def json_task(folder: Path, kind: str, rest: str, profile: dict[str, object] | None = None) -> tuple[Dag, Task]:
    made = dag_of(convert(folder, JSON_JOB.format(kind=kind, rest=rest), profile, "jobs.json"), "F")
    return made, made.task("J")


def output_of(task: Task) -> tuple[int, str]:
    """Run the command of a task, which has no template in it."""
    done = subprocess.run(
        ["bash", "-c", str(arguments(task)["bash_command"])], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout
