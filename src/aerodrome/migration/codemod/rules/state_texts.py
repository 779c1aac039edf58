"""Kinds and states of runs, and states of task instances, written out as text: Airflow 3 writes `DagRunType.MANUAL` where 2.x wrote `manual`.

Tried: in 2.4.3 and 2.11.2 states are texts and DagRunType writes its value; in tasks of 3.3.2 they are enumerations of the SDK
(airflow.sdk.api.datamodels._generated), which compare, concatenate and go into JSON as texts, and write their names.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Options, Rule, Spot
from aerodrome.migration.codemod.rules import written_blocks
from aerodrome.migration.codemod.rules.tasks import context_value
from aerodrome.migration.codemod.rules.written_for import is_for_3
from aerodrome.migration.codemod.rules.written_texts import texts
from aerodrome.migration.codemod.source import Source
from aerodrome.migration.codemod.templates import Inner, rewrite_source

_OF_RUN = ("run_type", "state")
_MAY_BE_NONE = ("ti", "task_instance")
_WORDS = re.compile(r"\.(?:run_type|state)\b")


def inside() -> Inner:
    """Give what rewrites Jinja blocks, one after the other."""
    write = written_blocks.writer(_is_in_block, _in_block, _WORDS)
    return lambda text, _quote: write(text)


def _is_in_block(node: ast.expr, named: written_blocks.Named) -> bool:
    if isinstance(node, ast.Name):
        return node.id in named
    if not isinstance(node, ast.Attribute) or not isinstance(node.value, ast.Name):
        return False
    return (node.value.id == "dag_run" and node.attr in _OF_RUN) or (
        node.value.id in _MAY_BE_NONE and node.attr == "state"
    )


def _in_block(code: str, _node: ast.expr, is_alone: bool) -> str:
    if not code.startswith(_MAY_BE_NONE):
        return f"{code}.value"
    told = f"{code}.value if {code} else {code}"
    return told if is_alone else f"({told})"


def _find(source: Source, options: Options) -> Iterator[Change | Spot]:
    if is_for_3(source, options):
        return
    yield from rewrite_source(source, inside())
    yield from texts(source, lambda node: _kind(source, node) != "", lambda code, node: _told(source, code, node))


def _kind(source: Source, node: ast.expr) -> str:
    """Give whose kind or state an expression is: "dag_run", "ti", or "" when it is none."""
    if not isinstance(node, ast.Attribute):
        return ""
    if node.attr not in _OF_RUN:
        return ""
    owner = context_value(source, node.value)
    if owner == "dag_run":
        return owner
    return "ti" if owner in _MAY_BE_NONE and node.attr == "state" else ""


def _told(source: Source, code: str, node: ast.expr) -> str:
    return f"{code}.value" if _kind(source, node) == "dag_run" else f"({code} and {code}.value)"


RULE = Rule(
    code="state-text",
    title="Kinds of runs and states are written out as they were",
    words=(b".run_type", b".state"),
    before="""
from airflow.decorators import task
from airflow.operators.bash import BashOperator

BashOperator(task_id="a", bash_command="echo {{ dag_run.run_type }} {% if dag_run.run_type == 'manual' %}by hand{% endif %}")


@task
def tell(dag_run=None):
    print(f"a {dag_run.run_type} run", "is " + dag_run.state, dag_run.run_type == "manual")


def alert(context):
    return "{} is {}".format(context["ti"].task_id, context["ti"].state)
""",
    after="""
from airflow.decorators import task
from airflow.operators.bash import BashOperator

BashOperator(task_id="a", bash_command="echo {{ dag_run.run_type.value }} {% if dag_run.run_type == 'manual' %}by hand{% endif %}")


@task
def tell(dag_run=None):
    print(f"a {dag_run.run_type.value} run", "is " + dag_run.state, dag_run.run_type == "manual")


def alert(context):
    return "{} is {}".format(context["ti"].task_id, (context["ti"].state and context["ti"].state.value))
""",
    find=_find,
)
