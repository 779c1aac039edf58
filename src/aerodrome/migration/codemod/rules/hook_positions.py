"""Constructors of hooks that take something else by position than they did: the arguments get their names, or the call is found.

Taken for something else, they would be wrong in silence: the region of AwsLogsHook("eu-west-1") would be a connection.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.editing import keyword
from aerodrome.migration.codemod.moves import table
from aerodrome.migration.codemod.positions import Order, Positions, changed_positions
from aerodrome.migration.codemod.rules.receivers import made_by_super
from aerodrome.migration.codemod.source import Source


def _find(source: Source, options: Options) -> Iterator[Change | Spot]:
    if options.source_version.startswith("3"):
        return
    for call in source.each(ast.Call):
        if not call.args:
            continue
        for name in sorted(source.meanings(call.func) | made_by_super(source, call)):
            if (known := _known(name, call, options)) is not None:
                yield from _of_call(source, call, name, known)
                break


def _known(name: str, call: ast.Call, options: Options) -> Positions | None:
    """Give what the class took. Names of 1.10 mean the class of the provider in Airflow 2."""
    new, known = table().moves.get(name, name), changed_positions()
    is_of_1 = not name.startswith("airflow.providers.")
    if _is_starred(call):  # the name may be today's already, and nothing can be done but to say it
        return next((entry for old, entry in known.items() if new in (old, table().moves.get(old))), None)
    return known.get(new if is_of_1 and options.source_version.startswith("2") else name)


def _is_starred(call: ast.Call) -> bool:
    return any(isinstance(arg, ast.Starred) for arg in call.args)


def _of_call(source: Source, call: ast.Call, name: str, known: Positions) -> Iterator[Change | Spot]:
    orders = {order[: len(call.args)] for order in known.orders}
    if not _is_starred(call):
        if not any(_is_other(order, known) for order in orders):
            return
        if not known.is_here and len(orders) == 1 and (edits := _named(source, call, orders.pop())):
            yield Change(tuple(edits))
            return
    title = table().moves.get(name, name).rpartition(".")[2]
    before = " or ".join(dict.fromkeys(", ".join(old for old, _ in order) for order in known.orders))
    what = "other arguments by position than older ones did" if known.today else "no arguments by position any more"
    yield Spot(call.lineno, f"{title} takes {what}.", f"Name them; the order was {before}.")


def _is_other(order: Order, known: Positions) -> bool:
    """Tell whether today's constructor takes one of these for something else, or does not take so many."""
    today = known.today[: len(order)]
    return tuple(new for _, new in order) != today


def _named(source: Source, call: ast.Call, order: Order) -> list[Edit]:
    """Name the arguments; none when one would be given twice, or nobody knows what it was."""
    names = [new or old for old, new in order]
    if len(order) < len(call.args) or len(set(names)) < len(names):
        return []
    if any(keyword(call, name) for pair in order for name in pair if name):
        return []
    return [Edit(at := source.start(arg), at, f"{name}=") for arg, name in zip(call.args, names, strict=True)]


RULE = Rule(
    code="hook-position",
    title="Arguments that constructors of hooks take for others today are named",
    words=(b"Hook",),
    before="""
from airflow.contrib.hooks.aws_logs_hook import AwsLogsHook
from airflow.contrib.hooks.aws_firehose_hook import AwsFirehoseHook


def send():
    AwsFirehoseHook("clicks", "eu-west-1").put_records(ROWS)
    return AwsLogsHook("eu-west-1")
""",
    after="""
from airflow.contrib.hooks.aws_logs_hook import AwsLogsHook
from airflow.contrib.hooks.aws_firehose_hook import AwsFirehoseHook


def send():
    AwsFirehoseHook(delivery_stream="clicks", region_name="eu-west-1").put_records(ROWS)
    return AwsLogsHook(region_name="eu-west-1")
""",
    find=_find,
    is_for_2=True,
)
