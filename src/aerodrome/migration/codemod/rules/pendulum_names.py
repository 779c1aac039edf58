"""Names of pendulum 1, which Airflow 1.10 brought: Airflow 3 brings pendulum 3.

Source: pendulum's own table of changes from 1.x to 2.0 (its documentation, "Upgrading to 2.0"); 3.0 kept these names.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.editing import replace
from aerodrome.migration.codemod.source import Source

_RENAMED = {"Pendulum": "DateTime", "create": "datetime", "Interval": "Duration"}


def _find(source: Source, _options: Options) -> Iterator[Change | Spot]:
    for node in source.each(ast.ImportFrom):
        if node.module != "pendulum" or node.level:
            continue
        for alias in node.names:
            if new := _RENAMED.get(alias.name):
                text = f"{new} as {alias.asname or alias.name}"
                yield Change((Edit(source.start(alias), source.end(alias), text),))
    for attribute in source.each(ast.Attribute):
        new = _RENAMED.get(attribute.attr)
        if new and source.means(attribute.value, {"pendulum"}) and isinstance(attribute.ctx, ast.Load):
            end = source.end(attribute)
            yield Change((Edit(end - len(attribute.attr), end, new),))
    for call in source.each(ast.Call):
        if source.means(call.func, {"pendulum.utcnow"}) and not call.args and not call.keywords:
            owner = source.code(call.func).rpartition(".")[0]
            if owner:
                yield Change((replace(source, call, f'{owner}.now("UTC")'),))


RULE = Rule(
    code="pendulum-name",
    title="Names of pendulum 1 become those of pendulum 3",
    words=(b"pendulum",),
    before="""
import pendulum
from pendulum import Pendulum

start = pendulum.create(2020, 1, 1)
now = pendulum.utcnow()
""",
    after="""
import pendulum
from pendulum import DateTime as Pendulum

start = pendulum.datetime(2020, 1, 1)
now = pendulum.now("UTC")
""",
    find=_find,
    is_for_2=True,
)
