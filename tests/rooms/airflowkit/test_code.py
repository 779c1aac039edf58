"""What the reader of DAG code must name, and what it must leave alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aerodrome.airflowkit.code import facts, parse, plain_secrets


@pytest.mark.parametrize(
    ("source", "rule", "line"),
    [
        ("from airflow.utils.session import create_session", "orm-access", 1),
        ("from airflow import settings\nsettings.Session()", "orm-access", 2),
        ("from airflow.operators.subdag import SubDagOperator", "subdag", 1),
        ("default_args = {'sla': 3}", "sla", 1),
        ("BashOperator(sla=timedelta(1))", "sla", 1),
        ("x = '{{ next_ds }}'", "context-renamed", 1),
        ("x = '{{ prev_ds }}'", "context-key", 1),
        ("def f(**context):\n    return context['execution_date']", "context-renamed", 2),
        ("def f(execution_date):\n    pass", "context-key", 1),
        ("x = ti.execution_date", "context-key", 1),
        ("ti.xcom_pull(key='a')", "xcom-pull-all", 1),
        ("run('copy {{ ti.xcom_pull(key=\"(a)\") | quote }} b')", "xcom-pull-all", 1),
        ("run(f'copy {{{{ task_instance.xcom_pull() }}}} {b}')", "xcom-pull-all", 1),
        ("call('airflow trigger_dag x')", "old-cli", 1),
        ("call('airflow list_dags')", "old-cli", 1),
        ("call('airflow variables -s a b')", "old-cli", 1),
        ("get('http://a/api/v1/dags')", "old-rest-api", 1),
        ("get(f'{base}/api/v1/connections/{name}')", "old-rest-api", 1),
        ("get('/api/v1/')", "old-rest-api", 1),
        ("get('https://airflow.mill.example/api/v1/')", "old-rest-api", 1),
        ("get('http://localhost:8080/api/v1/users')", "old-rest-api", 1),
        ("get('https://mill.example/api/experimental/test')", "old-rest-api", 1),
        ("class A(BaseOperator):\n    pass", "custom-operator", 1),
        ("x = Variable.get('a')", "variable-at-parse", 1),
        ("from airflow.contrib.hooks.x import Y", "contrib", 1),
        ("API_KEY = 'sk-12345'", "plain-secret", 1),
        ("connect('postgresql://u:hunter22@h/d')", "plain-secret", 1),
    ],
)
def test_named(source: str, rule: str, line: int) -> None:
    assert (rule, line) in {(fact.rule, fact.line) for fact in facts(source)}


@pytest.mark.parametrize(
    "source",
    [
        "password = os.environ['PASSWORD']",
        "token_file = '/run/token'",
        "password = '{{ var.value.password }}'",
        "x = 'execution_date'",
        "x = '{{ params.execution_date }}'",
        "def f():\n    return Variable.get('a')",
        "ti.xcom_pull(task_ids='a')",
        'run(\'{{ ti.xcom_pull(task_ids="a", key="b") }}\')',
        "run('{{ ti.xcom_pull(\"a\") }} xcom_pull(key=1)')",
        "BashOperator(sla=None)",
        "get('https://mill.example/api/v1/')",
        "get('https://mill.example/api/v1/users?airflow=1')",
        "get('/api/v1/grain/sacks')",
        "call('airflow variables get a; airflow connections list; airflow pools list')",
        "def (",
    ],
)
def test_left_alone(source: str) -> None:
    assert facts(source) == ()


def test_facts_never_show_a_secret() -> None:
    source = "DB_PASSWORD = 'canary-1'\nu = 'mysql://a:canary-2@h'\nd = {'api_key': 'canary-3'}\n"
    tree = parse(source)
    assert tree is not None
    assert len(list(plain_secrets(tree))) == 3
    assert "canary" not in repr(facts(source))


@given(st.text(max_size=200))
def test_any_text_is_read(source: str) -> None:
    facts(source)
