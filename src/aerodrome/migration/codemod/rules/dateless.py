"""Runs without a logical date: those that assets trigger, and those that the command line or REST triggers without one. In 2.x every run had one.

Read: execution_time/task_runner.py of apache-airflow-task-sdk 1.3.2 (ds, ts and their kin only stand in the context with a logical date),
cli/commands/dag_command.py and api_fastapi of 3.3.2 (no date is taken where none is given); TriggerDagRunOperator and the form of the UI give one.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Literal

from aerodrome.migration.codemod.contract import Change, Options, Rule, Spot
from aerodrome.migration.codemod.editing import keyword
from aerodrome.migration.codemod.rules import dags
from aerodrome.migration.codemod.rules.context_keys import is_filled
from aerodrome.migration.codemod.rules.tasks import context_value
from aerodrome.migration.codemod.rules.written_for import is_for_3
from aerodrome.migration.codemod.source import Source

_Kind = Literal["assets", "hand", ""]
_BLOCK = re.compile(r"\{[{%].*?[%}]\}", re.DOTALL)
_NAMES = (
    "ds", "ds_nodash", "ts", "ts_nodash", "ts_nodash_with_tz", "logical_date", "execution_date", "data_interval_start", "data_interval_end",
    "next_ds", "yesterday_ds", "tomorrow_ds",
)  # fmt: skip
_DATES = re.compile(rf"(\|\s*)?(?<![\w.'\"])({'|'.join(_NAMES)})\b(?!\s*=[^=])")
_ASSETS = ("Asset", "AssetAlias", "AssetAll", "AssetAny", "Dataset", "DatasetAlias")


def _find(source: Source, options: Options) -> Iterator[Change | Spot]:
    made = {call: _kind(source, call) for call in dags.calls(source, dags.ANY)}
    kinds = set(made.values())
    if kinds <= {""}:
        return
    common: _Kind = kinds.pop() if len(kinds) == 1 else ""
    by_hand: dict[int, set[str]] = {}
    by_assets: dict[int, set[str]] = {}
    for node, names in _asked(source):
        kind = dags.known_around(source, node, made, common)
        if kind:
            (by_assets if kind == "assets" else by_hand).setdefault(node.lineno, set()).update(names)
    for line, found in sorted(by_assets.items()):
        yield Spot(
            line,
            f"Assets trigger this DAG, and such runs of Airflow 3 have no {', '.join(sorted(found))}: what asks for it fails.",
            "Use dag_run.run_after, or what triggering_asset_events says.",
        )
    if by_hand and not is_for_3(source, options):
        missing = sorted(set().union(*by_hand.values()))
        yield Spot(
            min(by_hand),
            f"Nothing schedules this DAG, and runs that `airflow dags trigger` or REST make without a logical date have no {', '.join(missing)}: what asks for it fails.",
            "Trigger it with --logical-date (REST: logical_date), or use dag_run.run_after.",
        )


def _kind(source: Source, call: ast.Call) -> _Kind:
    item = keyword(call, "schedule") or keyword(call, "schedule_interval")
    if item is None:
        return ""
    value = dags.constant(source, item.value)
    if isinstance(value, ast.Constant) and value.value is None:
        return "hand"
    items = value.elts if isinstance(value, ast.List | ast.Tuple) else [value]
    made = [dags.constant(source, part) for part in items]
    is_all = made and all(
        isinstance(part, ast.Call) and any(name.rpartition(".")[2] in _ASSETS for name in source.meanings(part.func))
        for part in made
    )
    return "assets" if is_all else ""


def _asked(source: Source) -> Iterator[tuple[ast.expr, set[str]]]:
    """Give what asks for a date of the run, in templates and in Python: not filters, which have the names of some."""
    for text in source.each(ast.Constant):
        if isinstance(text.value, str) and "{" in text.value:
            blocks = _BLOCK.findall(text.value)
            if names := {name for block in blocks for pipe, name in _DATES.findall(block) if not pipe}:
                yield text, names
    keyed: list[tuple[ast.expr, object]] = [
        (node, getattr(node.slice, "value", None)) for node in source.each(ast.Subscript)
    ]
    keyed += [(node, node.id) for node in source.each(ast.Name) if isinstance(node.ctx, ast.Load)]
    for asking, key in keyed:
        is_asked = isinstance(key, str) and key in _NAMES and context_value(source, asking) == key
        if is_asked and not is_filled(source, asking, str(key)):
            yield asking, {str(key)}


RULE = Rule(
    code="no-logical-date",
    title="Dates of the run are found in DAGs that assets trigger, which have none, and in those that nothing schedules, which have one only where the trigger gives it",
    words=(b"Dataset", b"Asset", b"None"),
    before="""
from airflow import DAG, Dataset
from airflow.operators.bash import BashOperator

with DAG("report", schedule=[Dataset("s3://shop/sales")]):
    BashOperator(task_id="run", bash_command="report {{ ds }}")
""",
    after="""
from airflow import DAG, Dataset
from airflow.operators.bash import BashOperator

with DAG("report", schedule=[Dataset("s3://shop/sales")]):
    BashOperator(task_id="run", bash_command="report {{ ds }}")
""",
    find=_find,
    finding="such runs of Airflow 3 have no ds",
)
