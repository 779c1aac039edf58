"""Tokens of Slack that stood in the code go into a connection: Slack's operators of today take them from nowhere else.

Source: apache-airflow-providers-slack 9.13 (operators/slack.py, operators/slack_webhook.py) against Airflow 1.10.15.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.editing import drop_item, keyword
from aerodrome.migration.codemod.rules import dags, operators
from aerodrome.migration.codemod.source import Source


def _find(source: Source, _options: Options) -> Iterator[Change | Spot]:
    for made in operators.made(source):
        if made.classes & {"SlackWebhookOperator", "SlackWebhookHook"} and (
            item := keyword(made.call, "webhook_token")
        ):
            yield from _webhook(source, made.call, item)
        elif made.classes & {"SlackAPIPostOperator", "SlackAPIFileOperator"} and (item := keyword(made.call, "token")):
            yield _to_connection(source, made.call, item, "slack_conn_id", "slack_api_default")
    yield from _of_default_args(source)


_OPERATORS = (
    (
        ("SlackAPIPostOperator", "SlackAPIFileOperator", "SlackAPIOperator"),
        "token",
        "slack_conn_id",
        "slack_api_default",
    ),
    (("SlackWebhookOperator",), "webhook_token", "slack_webhook_conn_id", "slack_default"),
)
"""Classes, their argument of before, the argument of their connection, and what it is when nobody says it."""


def _of_default_args(source: Source) -> Iterator[Spot]:
    """Tell a token that default_args gave to operators of Slack: it is given to nobody now, without a word."""
    classes = {name for made in operators.made(source) for name in made.classes}
    for names, token, argument, default in _OPERATORS:
        for mapping, way in dags.dictionaries(source, dags.ANY) if classes & set(names) else ():
            found = dags.entry(mapping, token)
            if way != "default_args" or found is None:
                continue
            said = dags.entry(mapping, argument)
            where = source.code(said[1]) if said else f'"{default}"'
            yield Spot(
                found[0].lineno,
                f"default_args gave the token to Slack's operators, which take it from a connection now, here {where} where the task names none.",
                f"Give the connection the token as its password, and take `{token}` out of default_args.",
            )


def _webhook(source: Source, call: ast.Call, item: ast.keyword) -> Iterator[Change | Spot]:
    """The token that was read from a connection's password is found there by the operator itself."""
    own = keyword(call, "http_conn_id") or keyword(call, "slack_webhook_conn_id")
    of = _connection_of(source, item.value)
    if of is None:
        yield _to_connection(source, call, item, "slack_webhook_conn_id", "slack_default")
    elif own is None:
        yield Change((Edit(source.start(item), source.end(item.value), f"slack_webhook_conn_id={of}"),))
    elif _is_none(own.value):
        edit = Edit(source.start(own), source.end(own.value), f"slack_webhook_conn_id={of}")
        yield Change((edit, drop_item(source, item)))
    elif source.code(own.value) == of:
        yield Change((drop_item(source, item),))
    else:
        note = Spot(
            call.lineno,
            f"Slack is called by the connection {of} now, whose password was the token; the address came from {source.code(own.value)}.",
            f"Give the connection {of} that address if it is not Slack's own.",
        )
        edit = Edit(source.start(own), source.end(own.value), f"slack_webhook_conn_id={of}")
        yield Change((edit, drop_item(source, item)), note=note)


def _to_connection(source: Source, call: ast.Call, item: ast.keyword, name: str, default: str) -> Change:
    """A token that stood in the code goes into a connection, which a person makes: the operator's own, else the provider's default one."""
    own = keyword(call, name) or (keyword(call, "http_conn_id") if name == "slack_webhook_conn_id" else None)
    is_said = own is not None and not _is_none(own.value)
    where = source.code(own.value) if own is not None and is_said else f'"{default}"'
    given = f"; the code had it from {source.code(item.value)}" if _is_elsewhere(item.value) else ""
    note = Spot(
        call.lineno,
        f"The token is no argument any more: Slack's operators take it from a connection, here {where}{given}.",
        f"Give the connection {where} the token as its password.",
    )
    if own is None:
        return Change((Edit(source.start(item), source.end(item.value), f"{name}={where}"),), note=note)
    said = () if is_said else (Edit(source.start(own), source.end(own.value), f"{name}={where}"),)
    return Change((*said, drop_item(source, item)), note=note)


def _is_none(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is None


def _is_elsewhere(value: ast.expr) -> bool:
    """Tell whether an expression only says where a token is, and not what it is."""
    if isinstance(value, ast.Call):
        name = value.func.attr if isinstance(value.func, ast.Attribute) else getattr(value.func, "id", "")
        return name in ("get", "getenv") and len(value.args) == 1 and not value.keywords
    return isinstance(value, ast.Name | ast.Attribute)


def _connection_of(source: Source, value: ast.expr) -> str | None:
    """Give the code of X where a value is the password of `get_connection(X)`, also through names that are bound once."""
    password = dags.constant(source, value)
    if not isinstance(password, ast.Attribute) or password.attr != "password":
        return None
    made = dags.constant(source, password.value)
    if not isinstance(made, ast.Call) or getattr(made.func, "attr", "") != "get_connection":
        return None
    given = [*made.args, *(item.value for item in made.keywords if item.arg == "conn_id")]
    if len(given) != 1 or len(made.args) + len(made.keywords) != 1:
        return None
    is_known = isinstance(given[0], ast.Constant) or (
        isinstance(given[0], ast.Name) and given[0].id in source.top.bound and source.is_free_below(given[0].id)
    )
    return source.code(given[0]) if is_known or password is value else None


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
