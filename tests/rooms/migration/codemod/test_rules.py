"""Every rule's example is its test; what a rule does not understand it leaves alone."""

from __future__ import annotations

import libcst as cst
import pytest

from aerodrome.migration.codemod import Options, Rule
from aerodrome.migration.codemod.rules import RULES


def apply(rule: Rule, source: str, options: Options | None = None) -> str:
    return rule.apply(cst.parse_module(source), options or Options())[0].code


def named(code: str) -> Rule:
    return next(rule for rule in RULES if rule.code == code)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_example(rule: Rule) -> None:
    assert apply(rule, rule.before) == rule.after
    assert apply(rule, rule.after) == rule.after
    compile(rule.after, rule.code, "exec")


@pytest.mark.parametrize(
    ("code", "source"),
    [
        ("catchup-default", "from airflow.sdk import DAG\nDAG('a', schedule='@daily')\n"),
        ("catchup-default", "from airflow import DAG\nDAG('a', schedule=None)\n"),
        ("catchup-default", "from airflow import DAG\nDAG('a', **options)\n"),
        ("catchup-default", "from airflow import DAG, Dataset\nDAG('a', schedule=[Dataset('x')])\n"),
        ("catchup-default", "from mine import DAG\nDAG('a', schedule='@daily')\n"),
        ("implicit-schedule", "from airflow import DAG\nDAG('a', 'text', '@daily')\n"),
        ("implicit-schedule", "from airflow import DAG\ntimedelta = 1\nDAG('a')\n"),
        ("days-ago", "from mine import days_ago\nx = days_ago(1)\n"),
        ("context-key", "x = '{{ params.execution_date }} execution_date'\n"),
        ("context-key", "x = row['execution_date']\n"),
        ("attribute-reference", "from airflow import models\nDAG = 1\nmodels.DAG('a')\n"),
        ("attribute-reference", "from airflow.utils.trigger_rule import TriggerRule\nTriggerRule.ALL_DONE\n"),
        ("sql-operator", "from mine import PostgresOperator\nPostgresOperator(postgres_conn_id='a')\n"),
    ],
)
def test_left_alone(code: str, source: str) -> None:
    assert apply(named(code), source) == source


def test_catchup_follows_the_source(tmp_path: object) -> None:
    source = "from airflow import DAG\nDAG('a', schedule='@daily')\n"
    assert apply(named("catchup-default"), source, Options(catchup_by_default=False)) == source


def test_bare_decorator_gets_its_schedule() -> None:
    source = "from airflow.decorators import dag\n\n@dag\ndef f():\n    pass\n"
    assert "@dag(schedule=timedelta(days=1))" in apply(named("implicit-schedule"), source)


def test_last_argument_keeps_comments_and_commas() -> None:
    source = "from airflow import DAG\ndag = DAG(\n    'a',  # name\n    schedule='@daily',  # nightly\n)\n"
    expected = (
        "from airflow import DAG\ndag = DAG(\n    'a',  # name\n    schedule='@daily', catchup=True,  # nightly\n)\n"
    )
    changed = apply(named("catchup-default"), source)
    assert "# name" in changed
    assert "# nightly" in changed
    assert "catchup=True" in changed
    compile(changed, "x", "exec")
    assert len(expected.splitlines()) <= len(changed.splitlines()) + 1


def test_templates_choose_quotes_that_the_string_does_not_use() -> None:
    source = "a = '{{ yesterday_ds_nodash }}'\nb = \"{{ yesterday_ds_nodash }}\"\n"
    changed = apply(named("context-key"), source)
    compile(changed, "x", "exec")
    assert 'replace("-", "")' in changed.splitlines()[0]
    assert "replace('-', '')" in changed.splitlines()[1]
