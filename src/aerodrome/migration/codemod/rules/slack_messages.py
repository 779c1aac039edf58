"""SlackWebhookHook that was made with its message and then executed: the hook of today is made with a connection, and sends what it is given.

Source: SlackWebhookHook of 1.10.15 (contrib) and of the slack provider before 7 against 9.11: `send` hands on names that it does not know, as
channel, username and link_names, in the same payload.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.editing import has_open_end, replace
from aerodrome.migration.codemod.rules import operators
from aerodrome.migration.codemod.rules.receivers import stores_of
from aerodrome.migration.codemod.source import Source

_HOOK = "SlackWebhookHook"
_MOVED = {
    "message": "text",
    "attachments": "attachments",
    "blocks": "blocks",
    "channel": "channel",
    "username": "username",
    "icon_emoji": "icon_emoji",
    "icon_url": "icon_url",
}
_WIDTH = 110


def _find(source: Source, options: Options) -> Iterator[Change | Spot]:
    del options
    for made in operators.made(source):
        call = made.call
        if (
            _HOOK not in made.classes
            or has_open_end(call)
            or call.args
            or not any(item.arg in _MOVED for item in call.keywords)
        ):
            continue
        execution = _execution(source, call)
        if execution is None or execution.args or execution.keywords:
            continue
        sent = [f"{_MOVED[str(item.arg)]}={source.code(item.value)}" for item in call.keywords if item.arg in _MOVED]
        sent += [
            "link_names=1"
            for item in call.keywords
            if item.arg == "link_names" and getattr(item.value, "value", None) is True
        ]
        kept = [source.code(item) for item in call.keywords if item.arg not in _MOVED and item.arg != "link_names"]
        hook = f"{source.code(call.func)}({', '.join(kept)})"
        func: ast.Attribute = execution.func  # type: ignore[assignment]
        if func.value is call:
            yield Change((replace(source, execution, _sending(source, execution, hook, sent)),))
        else:
            owner = source.code(func.value)
            text = _sending(source, execution, owner, sent)
            yield Change((replace(source, call, hook), Edit(source.start(execution), source.end(execution), text)))


def _execution(source: Source, call: ast.Call) -> ast.Call | None:
    """Give the only call of execute() of a hook: on the spot, or by the statement that comes next."""
    parent = source.parents[call]
    if isinstance(parent, ast.Attribute):
        outer = source.parents[parent]
        return outer if parent.attr == "execute" and isinstance(outer, ast.Call) and outer.func is parent else None
    if not isinstance(parent, ast.Assign) or len(parent.targets) != 1 or not isinstance(parent.targets[0], ast.Name):
        return None
    name, place = parent.targets[0].id, _around(source, call)
    uses = [
        node
        for node in ast.walk(place)
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)
    ]
    if len(uses) != 1 or len(stores_of(source, name, place)) != 1:
        return None
    attribute = source.parents[uses[0]]
    found = source.parents.get(attribute)
    block = next(
        (part for _, part in ast.iter_fields(source.parents[parent]) if isinstance(part, list) and parent in part), []
    )
    at = block.index(parent) if parent in block else -1
    is_next = found is not None and 0 <= at < len(block) - 1 and found in ast.walk(block[at + 1])
    is_execute = (
        isinstance(attribute, ast.Attribute)
        and attribute.attr == "execute"
        and isinstance(block[at + 1] if is_next else None, ast.Expr | ast.Return)
    )
    return found if is_execute and isinstance(found, ast.Call) else None


def _around(source: Source, node: ast.AST) -> ast.AST:
    while node in source.parents:
        node = source.parents[node]
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            return node
    return source.tree


def _sending(source: Source, node: ast.Call, owner: str, sent: list[str]) -> str:
    line = source.text[source.line_start(node.lineno) : source.start(node)].decode()
    text = f"{owner}.send({', '.join(sent)})"
    if len(line) + len(text) <= _WIDTH or "\n" in text:
        return text
    indent = line[: len(line) - len(line.lstrip())]
    gap = f"{source.newline.decode()}{indent}    "
    return f"{owner}.send({gap}{f',{gap}'.join(sent)},{source.newline.decode()}{indent})"


RULE = Rule(
    code="slack-message",
    title="SlackWebhookHook sends its message, instead of being made with it",
    words=(_HOOK.encode(),),
    before="""
from airflow.providers.slack.hooks.slack_webhook import SlackWebhookHook


def alert(context):
    SlackWebhookHook(slack_webhook_conn_id="slack", message="failed", username="airflow", link_names=True).execute()
""",
    after="""
from airflow.providers.slack.hooks.slack_webhook import SlackWebhookHook


def alert(context):
    SlackWebhookHook(slack_webhook_conn_id="slack").send(text="failed", username="airflow", link_names=1)
""",
    find=_find,
)
