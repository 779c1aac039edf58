"""Operators and hooks that callbacks and functions execute themselves: contexts, and messages of Slack."""

from __future__ import annotations

import pytest

from aerodrome.migration.codemod import Options
from aerodrome.migration.codemod.engine import Rewritten, rewrite
from aerodrome.migration.codemod.rules import RULES

HEAD = """from airflow.operators.python import PythonOperator
from airflow.providers.slack.hooks.slack_webhook import SlackWebhookHook
from airflow.providers.slack.operators.slack import SlackAPIPostOperator
from airflow.operators.sql import SQLCheckOperator
from mine import MineOperator


"""


def done(code: str, rule: str) -> Rewritten:
    ours = [item for item in RULES if item.code == rule]
    found = rewrite((HEAD + code).encode(), ours, Options(source_version="1.10.15"))
    assert rewrite(found.text, ours, Options(source_version="1.10.15")).text == found.text
    return found


_CALLED = "def alert(what):\n    post = SlackAPIPostOperator(task_id='a')\n    {}\n\n\nargs = dict(on_failure_callback=alert)\n"
_TASK = "def load(**all):\n    {}\n\n\nPythonOperator(task_id='a', python_callable=load)\n"
_HELPER = "def tell(text):\n    {}\n"


@pytest.mark.parametrize(
    ("around", "old", "new"),
    [
        (_CALLED, "return post.execute()", "return post.execute(what)"),
        (_CALLED, "return post.execute(**what)", "return post.execute(what)"),
        (_CALLED, "return post.execute(context=what)", None),
        (
            _TASK,
            "SQLCheckOperator(task_id='b', sql='c').execute()",
            "SQLCheckOperator(task_id='b', sql='c').execute(all)",
        ),
        (_HELPER, "SlackAPIPostOperator(task_id='a').execute()", "SlackAPIPostOperator(task_id='a').execute({})"),
        (_HELPER, "MineOperator(task_id='a').execute()", None),
        (_HELPER, "cursor.execute()", None),
    ],
)
def test_a_context_is_handed_over(around: str, old: str, new: str | None) -> None:
    code = around.replace("{}", old, 1)
    found = done(code, "operator-execute")
    assert found.text.decode() == HEAD + code.replace(old, new or old)
    assert not found.spots


def test_where_there_is_no_context_it_is_told() -> None:
    found = done(_HELPER.format("SQLCheckOperator(task_id='b', sql='c').execute()"), "operator-execute")
    assert "takes a context" in str(found.spots)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("SlackWebhookHook(http_conn_id='a', message=text, channel='#b').execute()", "SlackWebhookHook(http_conn_id='a').send(text=text, channel='#b')"),
        ("hook = SlackWebhookHook(message=text, blocks=[1])\n    hook.execute()", "hook = SlackWebhookHook()\n    hook.send(text=text, blocks=[1])"),
        ("hook = SlackWebhookHook(message=text)\n    text = 2\n    hook.execute()", None),
        ("hook = SlackWebhookHook(message=text)\n    if text:\n        hook.execute()", None),
        ("hook = SlackWebhookHook(message=text)\n    hook.execute()\n    hook.execute()", None),
        ("SlackWebhookHook(**text).execute()", None),
        ("SlackWebhookHook(slack_webhook_conn_id='a').send(text=text)", None),
    ],
)  # fmt: skip
def test_a_hook_of_slack_sends_its_message(old: str, new: str | None) -> None:
    code = _HELPER.replace("{}", old, 1)
    assert done(code, "slack-message").text.decode() == HEAD + code.replace(old, new or old)
