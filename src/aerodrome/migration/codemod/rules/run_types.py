"""Runs that datasets triggered: their kind, and what their run_id begins with, is `asset_triggered` in Airflow 3 (airflow.utils.types.DagRunType)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.source import Source
from aerodrome.migration.codemod.templates import rewrite_source

_OLD, _NEW = "dataset_triggered", "asset_triggered"
_MEMBER = "airflow.utils.types.DagRunType.DATASET_TRIGGERED"
_OF_RUNS = re.compile(r"\brun_(?:type|id)\b|\bDagRunType\b")
_QUOTED = re.compile(rf"""(?<=['"]){_OLD}(?=(?:__)?\\?['"])""")


def rewrite_inside(text: str, _quote: str) -> tuple[str, int]:
    """Rename the kind in a Jinja block that asks for it."""
    return _QUOTED.subn(_NEW, text) if _OF_RUNS.search(text) else (text, 0)


def _find(source: Source, _options: Options) -> Iterator[Change | Spot]:
    yield from rewrite_source(source, rewrite_inside)
    for node in source.each(ast.Attribute):
        if node.attr == "DATASET_TRIGGERED" and source.means(node, {_MEMBER}):
            end = source.end(node)
            yield Change((Edit(end - len(node.attr), end, "ASSET_TRIGGERED"),))
    for text in source.each(ast.Constant):
        parent = source.parents[text]
        if text.value not in (_OLD, f"{_OLD}__") or isinstance(parent, ast.JoinedStr) or _has_new(parent):
            continue
        if _is_asked(source, text):
            start = source.start(text) + source.code(text).index(_OLD)
            yield Change((Edit(start, start + len(_OLD), _NEW),))
        elif _OF_RUNS.search(source.text.decode()):
            yield Spot(
                text.lineno,
                f"No run is of the kind {_OLD} in Airflow 3.",
                f"Write {_NEW}, where it is the kind of a run or what its run_id begins with.",
            )


def _has_new(node: ast.AST) -> bool:
    """Tell whether a collection has both kinds: it is for both Airflows."""
    items = [*getattr(node, "elts", []), *getattr(node, "keys", [])]
    return any(str(getattr(item, "value", "")).startswith(_NEW) for item in items)


def _is_asked(source: Source, text: ast.Constant) -> bool:
    """Tell whether a text is compared with the kind of a run, or with what its id begins with."""
    node: ast.AST = source.parents[text]
    while isinstance(node, ast.List | ast.Tuple | ast.Set | ast.MatchValue | ast.MatchOr | ast.match_case):
        node = source.parents[node]
    if isinstance(node, ast.Compare):
        return any(_is_of_run(item) for item in (node.left, *node.comparators))
    if isinstance(node, ast.Match):
        return _is_of_run(node.subject)
    is_start = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "startswith"
    return is_start and _is_of_run(node.func.value)  # type: ignore[attr-defined]


def _is_of_run(node: ast.expr) -> bool:
    return any(
        getattr(item, "attr", "") in _NAMES
        or getattr(item, "id", "") in _NAMES
        or (isinstance(item, ast.Constant) and item.value in _NAMES)
        for item in ast.walk(node)
    )


_NAMES = ("run_type", "run_id")
RULE = Rule(
    code="run-type",
    title="Runs that datasets triggered are asked for by their new kind",
    words=(_OLD.encode(), b"DATASET_TRIGGERED"),
    before="""
from airflow.decorators import task


@task
def report(dag_run=None, run_id=None):
    return dag_run.run_type == "dataset_triggered" or run_id.startswith("dataset_triggered__")


command = "run {{ 'all' if dag_run.run_type == 'dataset_triggered' else ds }}"
""",
    after="""
from airflow.decorators import task


@task
def report(dag_run=None, run_id=None):
    return dag_run.run_type == "asset_triggered" or run_id.startswith("asset_triggered__")


command = "run {{ 'all' if dag_run.run_type == 'asset_triggered' else ds }}"
""",
    find=_find,
)
