"""What the context has not any more in Python, and functions that read all of it."""

from __future__ import annotations

import pytest

from aerodrome.migration.codemod import Options
from aerodrome.migration.codemod.engine import rewrite
from aerodrome.migration.codemod.rules import RULES

OURS = [rule for rule in RULES if rule.code == "context-contents"]
_TASK = "from airflow.operators.python import PythonOperator\n\n\ndef tell({head}):\n    {body}\n\n\nPythonOperator(task_id='a', python_callable=tell{more})\n"


def told(head: str, body: str, more: str = "", version: str = "2.9.3") -> list[str]:
    code = _TASK.format(head=head, body=body, more=more)
    return [spot.message for _, spot in rewrite(code.encode(), OURS, Options(source_version=version)).spots]


@pytest.mark.parametrize(
    "body",
    [
        "print(c)",
        "return str(c)",
        "return json.dumps(c)",
        "return f'{c}'",
        "return [k for k in c]",
        "return dict(c.items())",
        "return '{execution_date}'.format(**c)",
        "return '%(prev_ds)s' % c",
        "return text.format(**c)",
    ],
)
def test_reads_of_all_are_told(body: str) -> None:
    assert told("**c", body) == ["All of the context is read here, and Airflow 3 has other names in it."]
    assert told("**c", body, version="3.1.0") == []


@pytest.mark.parametrize(
    "body",
    [
        "return c['ds']",
        "return '{ds} {ti.task_id}'.format(**c)",
        "return '%(ds)s' % c",
        "helper(**c)",
        "d = {}; print(d)",
    ],
)
def test_other_uses_are_not(body: str) -> None:
    assert told("**c", body) == []


@pytest.mark.parametrize(
    ("head", "body", "name"),
    [
        ("conf, **c", "pass", "conf"),
        ("test_mode=False", "pass", "test_mode"),
        ("**c", "return c['test_mode']", "test_mode"),
        ("**c", "return c.get('expanded_ti_count')", "expanded_ti_count"),
    ],
)
def test_names_that_are_gone_are_told(head: str, body: str, name: str) -> None:
    assert told(head, body) == [f"`{name}` is no longer in the task context."]
    assert told(head, body, f", op_kwargs={{'{name}': 1}}") == []


def test_a_function_that_others_call_may_have_such_parameters() -> None:
    code = "import airflow\n\n\ndef load(conf, test_mode=False):\n    return conf\n\n\nload(1)\n"
    assert not rewrite(code.encode(), OURS, Options(source_version="2.9.3")).spots


def test_reads_of_all_are_told_once_a_file() -> None:
    assert told("**c", "print(c)\n    print(c)\n    print(c)") == [
        "All of the context is read here, and Airflow 3 has other names in it. So it is in 2 more lines of the file."
    ]
