"""`next_execution_date`, `next_ds` under a timetable that is no cron and no delta with data intervals: it was the date of the next run, and is the end of this one's interval.

Read: get_next_execution_date of models/taskinstance.py, 2.4.3: the logical date of what the timetable gives next. A timetable of one's own may leave a gap
between two intervals, and CronTriggerTimetable has intervals without a length. The rules that write the names anew hold for intervals that follow each other.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Options, Rule, Spot
from aerodrome.migration.codemod.editing import keyword
from aerodrome.migration.codemod.rules import dags
from aerodrome.migration.codemod.rules.written_for import is_for_3, original
from aerodrome.migration.codemod.source import Source

_NEXT = re.compile(rb"\bnext_(?:execution_date|ds|ds_nodash)\b")
_SEAMLESS = ("CronDataIntervalTimetable", "DeltaDataIntervalTimetable", "NullTimetable", "OnceTimetable")
_ASSETS = ("Asset", "Dataset")


def _find(source: Source, options: Options) -> Iterator[Change | Spot]:
    found = _NEXT.search(original(source, options))
    if found is None or options.major < 3 or is_for_3(source, options):
        return
    for call in dags.calls(source, dags.ANY):
        item = next((item for name in dags.SCHEDULES if (item := keyword(call, name))), None)
        name = _timetable(source, item.value) if item else ""
        if item and name:
            yield Spot(
                item.value.lineno,
                f"{found[0].decode()} was the date of the run that {name} gives next; it is data_interval_end now, which is the same only where intervals follow each other without a gap.",
                "Where they do not, compute the date by the timetable's own rule.",
            )


def _timetable(source: Source, value: ast.expr) -> str:
    """Give the name of a class that makes a timetable of which nobody knows that its intervals follow each other."""
    made = dags.constant(source, value)
    if not isinstance(made, ast.Call):
        return ""
    name = source.code(made.func).rpartition(".")[2]
    is_class = name.lstrip("_")[:1].isupper() and not name.startswith(_ASSETS)
    return name if is_class and name not in _SEAMLESS else ""


RULE = Rule(
    code="next-date",
    title="The date of the next run is found under timetables whose intervals need not follow each other",
    words=(b"next_execution_date", b"next_ds", b"data_interval_end"),
    before="""
from airflow import DAG
from airflow.operators.bash import BashOperator
from workdays import WorkdayTimetable

with DAG("sales", schedule=WorkdayTimetable()):
    BashOperator(task_id="load", bash_command="load {{ ds }} {{ next_ds }}")
""",
    after="""
from airflow import DAG
from airflow.operators.bash import BashOperator
from workdays import WorkdayTimetable

with DAG("sales", schedule=WorkdayTimetable()):
    BashOperator(task_id="load", bash_command="load {{ ds }} {{ next_ds }}")
""",
    find=_find,
    finding="next_ds was the date of the run that WorkdayTimetable gives next",
)
