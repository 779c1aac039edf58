"""What a task may ask of its run, and what Airflow 3 changed about it: who triggered it, events of assets, links."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.editing import replace
from aerodrome.migration.codemod.rules.tasks import context_value, quote_at
from aerodrome.migration.codemod.source import Source

_BLOCK = re.compile(r"\{[{%].*?[%}]\}", re.DOTALL)
_IN_TEMPLATE = re.compile(r"\bdag_run\.external_trigger\b")
_BY_HAND = ("manual", "operator_triggered")
_EVENTS = ("outlet_events", "inlet_events", "triggering_asset_events", "triggering_dataset_events")


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
