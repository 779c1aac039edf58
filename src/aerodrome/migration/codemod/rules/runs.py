"""What a task may ask of its run, and what Airflow 3 changed about it: who triggered it, dates that may be missing, events of assets, links."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.editing import keyword, replace
from aerodrome.migration.codemod.rules import dags
from aerodrome.migration.codemod.rules.tasks import context_value, quote_at
from aerodrome.migration.codemod.source import Source

_BLOCK = re.compile(r"\{[{%].*?[%}]\}", re.DOTALL)
_IN_TEMPLATE = re.compile(r"\bdag_run\.external_trigger\b")
_BY_HAND = ("manual", "operator_triggered")
_DATES = re.compile(
    r"(?<![\w.'\"])(ds|ds_nodash|ts|ts_nodash|logical_date|execution_date|data_interval_start|data_interval_end|next_ds|yesterday_ds|tomorrow_ds)\b"
)
_EVENTS = ("outlet_events", "inlet_events", "triggering_asset_events", "triggering_dataset_events")
_ASSETS = ("Asset", "AssetAlias", "AssetAll", "AssetAny", "Dataset", "DatasetAlias")


def _external(source: Source, _options: Options) -> Iterator[Change | Spot]:
    """A run that somebody or another DAG triggered: run_type says it (airflow.utils.types.DagRunType, 3.3.2)."""
    for node in source.each(ast.Attribute):
        if (
            node.attr == "external_trigger"
            and isinstance(node.ctx, ast.Load)
            and context_value(source, node.value) == "dag_run"
        ):
            quote = quote_at(source, node)
            kinds = ", ".join(f"{quote}{kind}{quote}" for kind in _BY_HAND)
            yield Change((replace(source, node, f"({source.code(node.value)}.run_type in ({kinds}))"),))
    for text in source.each(ast.Constant):
        if (
            not isinstance(text.value, str)
            or "external_trigger" not in text.value
            or isinstance(source.parents[text], ast.JoinedStr)
        ):
            continue
        code = source.code(text)
        quote = '"' if code.rstrip().endswith("'") else "'"
        kinds = ", ".join(f"{quote}{kind}{quote}" for kind in _BY_HAND)
        new = code
        for block in _BLOCK.findall(code):
            new = new.replace(block, _IN_TEMPLATE.sub(f"(dag_run.run_type in ({kinds}))", block))
        if new != code:
            yield Change((Edit(source.start(text), source.end(text), new),))


def _dateless(source: Source, _options: Options) -> Iterator[Change | Spot]:
    """Runs that assets trigger have no logical date and no data interval in Airflow 3; in 2.x they had."""
    made = [call for call in dags.calls(source, dags.ANY) if _is_of_assets(source, call)]
    if not made or len(made) != len(list(dags.calls(source, dags.ANY))):
        return
    seen: set[int] = set()
    for text in source.each(ast.Constant):
        if not isinstance(text.value, str) or text.lineno in seen:
            continue
        names = {name for block in _BLOCK.findall(text.value) for name in _DATES.findall(block)}
        if names:
            seen.add(text.lineno)
            yield Spot(
                text.lineno,
                f"Assets trigger this DAG, and such runs of Airflow 3 have no {', '.join(sorted(names))}: the template fails.",
                "Use dag_run.run_after, or what triggering_asset_events says.",
            )


def _is_of_assets(source: Source, call: ast.Call) -> bool:
    item = keyword(call, "schedule")
    if item is None:
        return False
    value = dags.constant(source, item.value)
    items = value.elts if isinstance(value, ast.List | ast.Tuple) else [value]
    made = [dags.constant(source, part) for part in items]
    return bool(made) and all(
        isinstance(part, ast.Call) and any(name.rpartition(".")[2] in _ASSETS for name in source.meanings(part.func))
        for part in made
    )


def _event_keys(source: Source, _options: Options) -> Iterator[Change | Spot]:
    for node in source.each(ast.Subscript):
        is_text = isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str)
        if is_text and context_value(source, node.value) in _EVENTS:
            key = source.code(node.slice)
            yield Spot(
                node.lineno,
                f"Events of assets are not found by a text ({key}) any more.",
                f"Write Asset.ref(uri={key}), or AssetAlias({key}) for an alias, from airflow.sdk.",
            )


def _links(source: Source, _options: Options) -> Iterator[Change | Spot]:
    for node in source.each(ast.ClassDef):
        if not any(getattr(base, "id", getattr(base, "attr", "")) == "BaseOperatorLink" for base in node.bases):
            continue
        for method in node.body:
            if isinstance(method, ast.FunctionDef) and method.name == "get_link" and _takes(method, "dttm"):
                yield Spot(
                    method.lineno,
                    "get_link of an operator's link takes no date any more.",
                    "Take ti_key: get_link(self, operator, *, ti_key).",
                )


def _takes(function: ast.FunctionDef, name: str) -> bool:
    return name in {arg.arg for arg in (*function.args.args, *function.args.kwonlyargs)}


EXTERNAL = Rule(
    code="external-trigger",
    title="dag_run.external_trigger becomes a question about the kind of the run",
    words=(b"external_trigger",),
    before="""
from airflow.decorators import task


@task
def report(**context):
    return context["dag_run"].external_trigger


command = "run {{ 'by hand' if dag_run.external_trigger else 'planned' }}"
""",
    after="""
from airflow.decorators import task


@task
def report(**context):
    return (context["dag_run"].run_type in ("manual", "operator_triggered"))


command = "run {{ 'by hand' if (dag_run.run_type in ('manual', 'operator_triggered')) else 'planned' }}"
""",
    find=_external,
)
DATELESS = Rule(
    code="no-logical-date",
    title="Templates with dates in DAGs that assets trigger are found: such runs have no dates",
    words=(b"Dataset", b"Asset"),
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
    find=_dateless,
    finding="such runs of Airflow 3 have no ds",
)
EVENT_KEYS = Rule(
    code="asset-event-key",
    title="Events of datasets that are looked for by a text are found",
    words=(b"_events",),
    before="""
from airflow.decorators import task


@task
def report(**context):
    context["outlet_events"]["s3://shop/sales"].extra = {"rows": 3}
""",
    after="""
from airflow.decorators import task


@task
def report(**context):
    context["outlet_events"]["s3://shop/sales"].extra = {"rows": 3}
""",
    find=_event_keys,
    finding='not found by a text ("s3://shop/sales")',
)
LINKS = Rule(
    code="operator-link",
    title="Links of operators with the signature of before 2.3 are found",
    words=(b"BaseOperatorLink",),
    before="""
class ShopLink(BaseOperatorLink):
    def get_link(self, operator, dttm):
        return "https://shop.example"
""",
    after="""
class ShopLink(BaseOperatorLink):
    def get_link(self, operator, dttm):
        return "https://shop.example"
""",
    find=_links,
    finding="takes no date any more",
)
