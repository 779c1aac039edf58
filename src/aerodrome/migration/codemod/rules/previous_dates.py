"""`prev_execution_date`, `prev_ds` in templates: made from the date of the run where the schedule has one step for ever, which is a cron in UTC or a timedelta.

Read: get_template_context of 1.10.15 and 2.4.3: of runs that somebody or another DAG triggered it is the date of the run itself. Airflow 3 has nothing like it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Options, Rule
from aerodrome.migration.codemod.editing import keyword
from aerodrome.migration.codemod.rules import dags, zones
from aerodrome.migration.codemod.rules.computed_schedules import CRON, DELTA
from aerodrome.migration.codemod.rules.written_for import is_for_3
from aerodrome.migration.codemod.source import Source
from aerodrome.migration.codemod.templates import Inner, rewrite_node, texts

_FILTERS = {"prev_execution_date": "", "prev_ds": " | ds", "prev_ds_nodash": " | ds_nodash"}
_NAME = re.compile(rf"(?<![\w.'\"])({'|'.join(sorted(_FILTERS, key=len, reverse=True))})\b(?!\s*=[^=])")
_PRESETS = {"@hourly": "hours=1", "@daily": "days=1", "@midnight": "days=1", "@weekly": "days=7"}
_CRONS = (
    (re.compile(r"\*/(\d+) \* \* \* \*"), "minutes", 60),
    (re.compile(r"\d+ \*/(\d+) \* \* \*"), "hours", 24),
    (re.compile(r"\d+ ()\* \* \* \*"), "hours", 0),
    (re.compile(r"\d+ \d+ ()\* \* \*"), "days", 0),
)
_WEEKLY = re.compile(r"\d+ \d+ \* \* [0-7]")
_UNITS = ("weeks", "days", "hours", "minutes", "seconds")
_BY_HAND = ("manual", "operator_triggered")


def _find(source: Source, options: Options) -> Iterator[Change]:
    if is_for_3(source, options) or options.major < 3:
        return
    steps = {call: _step(source, call, options) for call in dags.calls(source, dags.ANY)}
    common = next(iter(steps.values())) if len(set(steps.values())) == 1 else ""
    for node in texts(source):
        step = dags.known_around(source, node, steps, common) if _NAME.search(source.code(node)) else ""
        if step and (change := rewrite_node(source, node, _inside(step))):
            yield change


def _inside(step: str) -> Inner:
    def rewrite(text: str, quote: str) -> tuple[str, int]:
        kinds = ", ".join(f"{quote}{kind}{quote}" for kind in _BY_HAND)
        date = f"(logical_date if dag_run.run_type in ({kinds}) else logical_date - macros.timedelta({step}))"

        def name(found: re.Match[str]) -> str:
            new = date + _FILTERS[found[1]]
            return new if text.strip() == found[1] or "|" not in new else f"({new})"

        return _NAME.subn(name, text)

    return rewrite


def _step(source: Source, call: ast.Call, options: Options) -> str:
    """Give the arguments of the timedelta from one run of a DAG to the next: "days=1"; "" where there is no such."""
    item = next((item for name in dags.SCHEDULES if (item := keyword(call, name))), None)
    value = dags.constant(source, item.value) if item else None
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        return _of_cron(value.value) if zones.zone(source, call, options.zone) == '"UTC"' else ""
    if not isinstance(value, ast.Call):
        return ""
    name = source.code(value.func).rpartition(".")[2]
    if name == CRON and value.args and isinstance(value.args[0], ast.Constant):
        zone = keyword(value, "timezone")
        is_utc = zone is not None and getattr(zone.value, "value", "") == "UTC"
        return _of_cron(str(value.args[0].value)) if is_utc else ""
    if name == DELTA and len(value.args) == 1:
        inner = dags.constant(source, value.args[0])
        return _of_delta(source, inner) if isinstance(inner, ast.Call) else ""
    return _of_delta(source, value)


def _of_delta(source: Source, value: ast.Call) -> str:
    is_plain = all(
        item.arg in _UNITS and isinstance(item.value, ast.Constant) and isinstance(item.value.value, int)
        for item in value.keywords
    )
    if not source.means(value.func, {"datetime.timedelta"}) or value.args or not value.keywords or not is_plain:
        return ""
    return ", ".join(source.code(item) for item in value.keywords)


def _of_cron(cron: str) -> str:
    cron = " ".join(cron.split())
    if cron in _PRESETS:
        return _PRESETS[cron]
    if _WEEKLY.fullmatch(cron):
        return "days=7"
    for pattern, unit, whole in _CRONS:
        if found := pattern.fullmatch(cron):
            count = int(found[1] or 1)
            return f"{unit}={count}" if not whole or (count and whole % count == 0) else ""
    return ""


RULE = Rule(
    code="previous-date",
    title="The date of the run before is computed in templates, where the schedule has one step for ever",
    words=(b"prev_execution_date", b"prev_ds"),
    before="""
from airflow import DAG
from airflow.operators.bash import BashOperator
from datetime import datetime

with DAG("sales", schedule="@daily", start_date=datetime(2024, 1, 1)):
    BashOperator(task_id="load", bash_command="load {{ prev_ds }} {{ prev_execution_date.year }}")
""",
    after="""
from airflow import DAG
from airflow.operators.bash import BashOperator
from datetime import datetime

with DAG("sales", schedule="@daily", start_date=datetime(2024, 1, 1)):
    BashOperator(task_id="load", bash_command="load {{ (logical_date if dag_run.run_type in ('manual', 'operator_triggered') else logical_date - macros.timedelta(days=1)) | ds }} {{ (logical_date if dag_run.run_type in ('manual', 'operator_triggered') else logical_date - macros.timedelta(days=1)).year }}")
""",
    find=_find,
)
