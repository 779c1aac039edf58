"""Inlets and outlets of before Airflow 3: lineage of objects of its own, which Airflow 3 takes for assets, or for nothing, without a word.

Read: airflow/lineage of 1.10.15 and 2.11.2; tried on 3.3.2: `inlets="auto"` becomes the four inlets a, u, t and o, a dict the list of its keys.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Options, Rule, Spot
from aerodrome.migration.codemod.editing import keyword
from aerodrome.migration.codemod.rules import dags
from aerodrome.migration.codemod.source import Source

_AUTO = frozenset({"airflow.lineage.AUTO"})
_HINT = (
    "Name the assets, inlets=[Asset(…)], or take it out: when tasks run never depended on it, "
    "only what a lineage backend got and the XComs pipeline_inlets and pipeline_outlets."
)


def _find(source: Source, _options: Options) -> Iterator[Change | Spot]:
    for name in ("inlets", "outlets"):
        for call in source.each(ast.Call):
            if (item := keyword(call, name)) and (keyword(call, "task_id") or dags.is_dict_call(call)):
                yield from _spots(source, name, item.value)
        for mapping in source.each(ast.Dict):
            if found := dags.entry(mapping, name):
                yield from _spots(source, name, found[1])
    for node in source.each(ast.ImportFrom):
        if node.module == "airflow.lineage" and any(alias.name == "AUTO" for alias in node.names):
            yield Spot(
                node.lineno,
                "`airflow.lineage.AUTO` is gone: a file that imports it cannot be read.",
                f"Drop it. {_HINT}",
            )


def _spots(source: Source, name: str, value: ast.expr) -> Iterator[Spot]:
    items = value.elts if isinstance(value, ast.List | ast.Tuple | ast.Set) else [value]
    texts = [item.value for item in items if isinstance(item, ast.Constant) and isinstance(item.value, str)]
    is_auto = any(text.lower() == "auto" for text in texts) or any(source.means(item, _AUTO) for item in items)
    if is_auto:
        what = "took over what the tasks before it had as outlets; Airflow 3 has no such inlets"
    elif isinstance(value, ast.Dict):
        what = "is a dict, as Airflow 1.10 had it; Airflow 3 takes the names of its keys for assets"
    elif texts:
        what = "names tasks, whose outlets it took over; Airflow 3 has no such inlets"
    else:
        return
    yield Spot(value.lineno, f"`{name}={source.code(value)[:40]}` {what}.", _HINT)


RULE = Rule(
    code="lineage",
    title="Inlets and outlets that Airflow 3 would take for something else are found",
    words=(b"inlets", b"outlets", b"airflow.lineage"),
    before="""
from airflow.lineage import AUTO
from airflow.operators.bash import BashOperator

load = BashOperator(task_id="load", bash_command="load", inlets=AUTO)
""",
    after="""
from airflow.lineage import AUTO
from airflow.operators.bash import BashOperator

load = BashOperator(task_id="load", bash_command="load", inlets=AUTO)
""",
    find=_find,
    finding="took over what the tasks before it had as outlets",
)
