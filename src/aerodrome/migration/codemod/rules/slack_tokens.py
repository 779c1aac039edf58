"""Tokens of Slack that stood in the code go into a connection: Slack's operators of today take them from nowhere else.

Source: apache-airflow-providers-slack 9.13 (operators/slack.py, operators/slack_webhook.py) against Airflow 1.10.15.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.editing import drop_item, keyword
from aerodrome.migration.codemod.rules import operators
from aerodrome.migration.codemod.source import Source


def _find(source: Source, _options: Options) -> Iterator[Change | Spot]:
    for made in operators.made(source):
        if made.classes & {"SlackWebhookOperator", "SlackWebhookHook"} and (
            item := keyword(made.call, "webhook_token")
        ):
            yield from _webhook(source, made.call, item)
        elif made.classes & {"SlackAPIPostOperator", "SlackAPIFileOperator"} and (item := keyword(made.call, "token")):
            yield _to_connection(source, made.call, item, "slack_conn_id", "slack_api_default")


def _webhook(source: Source, call: ast.Call, item: ast.keyword) -> Iterator[Change | Spot]:
    """The token that was read from a connection's password is found there by the operator itself."""
    if (keyword(call, "http_conn_id") or keyword(call, "slack_webhook_conn_id")) and _is_password(source, item.value):
        yield Change((drop_item(source, item),))
        return
    yield _to_connection(source, call, item, "slack_webhook_conn_id", "slack_default")


def _to_connection(source: Source, call: ast.Call, item: ast.keyword, name: str, default: str) -> Change:
    """A token that stood in the code goes into a connection, which a person makes: the operator's own, else the provider's default one."""
    own = keyword(call, name) or (keyword(call, "http_conn_id") if name == "slack_webhook_conn_id" else None)
    where = source.code(own.value) if own is not None else f'"{default}"'
    given = f"; the code had it from {source.code(item.value)}" if _is_elsewhere(item.value) else ""
    note = Spot(
        call.lineno,
        f"The token is no argument any more: Slack's operators take it from a connection, here {where}{given}.",
        f"Give the connection {where} the token as its password.",
    )
    edit = (
        drop_item(source, item)
        if own is not None
        else Edit(source.start(item), source.end(item.value), f"{name}={where}")
    )
    return Change((edit,), note=note)


def _is_elsewhere(value: ast.expr) -> bool:
    """Tell whether an expression only says where a token is, and not what it is."""
    if isinstance(value, ast.Call):
        name = value.func.attr if isinstance(value.func, ast.Attribute) else getattr(value.func, "id", "")
        return name in ("get", "getenv") and len(value.args) == 1 and not value.keywords
    return isinstance(value, ast.Name | ast.Attribute)


def _is_password(source: Source, value: ast.expr) -> bool:
    if isinstance(value, ast.Name):
        values = [
            item.value
            for item in source.each(ast.Assign)
            if any(isinstance(target, ast.Name) and target.id == value.id for target in item.targets)
        ]
        return bool(values) and all(_is_password(source, item) for item in values if not isinstance(item, ast.Name))
    return isinstance(value, ast.Attribute) and value.attr == "password"


RULE = Rule(
    code="slack-token",
    title="Tokens of Slack in the code give way to a connection, which a person gives the token",
    words=(b"token",),
    before="""
from airflow.contrib.operators.slack_webhook_operator import SlackWebhookOperator
from airflow.hooks.base_hook import BaseHook
from airflow.models import Variable
from airflow.operators.slack_operator import SlackAPIPostOperator

tell = SlackWebhookOperator(
    task_id="tell",
    http_conn_id="slack",
    webhook_token=BaseHook.get_connection("slack").password,
    message="done",
)
post = SlackAPIPostOperator(task_id="post", token=Variable.get("slack_token"), text="done")
""",
    after="""
from airflow.contrib.operators.slack_webhook_operator import SlackWebhookOperator
from airflow.hooks.base_hook import BaseHook
from airflow.models import Variable
from airflow.operators.slack_operator import SlackAPIPostOperator

tell = SlackWebhookOperator(
    task_id="tell",
    http_conn_id="slack",
    message="done",
)
post = SlackAPIPostOperator(task_id="post", slack_conn_id="slack_api_default", text="done")
""",
    find=_find,
    is_for_2=True,
    finding="The token is no argument any more",
)
