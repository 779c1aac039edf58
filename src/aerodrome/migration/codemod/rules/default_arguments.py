"""Arguments that operators get from default_args by a name which their providers renamed: the new name is said beside the old one.

The old one stays: another operator of the DAG may still ask for it, and what nobody asks for is ignored.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.arguments import accepted_arguments, changed_arguments
from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.editing import keyword
from aerodrome.migration.codemod.rules import dags, operators
from aerodrome.migration.codemod.rules.renamed_arguments import RENAMED
from aerodrome.migration.codemod.source import Source


def _find(source: Source, _options: Options) -> Iterator[Change | Spot]:
    wanted = _renamed_here(source)
    if not wanted:
        return
    for mapping, way in dags.dictionaries(source, dags.ANY):
        if way != "default_args":
            continue
        for key, value in zip(mapping.keys, mapping.values, strict=True):
            name = getattr(key, "value", None)
            news = sorted(new for new in wanted.get(str(name), ()) if not dags.entry(mapping, new))
            if key is not None and news and isinstance(value, ast.Constant | ast.Name | ast.Attribute):
                yield Change((beside(source, key, value, news),))


def _renamed_here(source: Source) -> dict[str, set[str]]:
    """Give old name -> new names, of the operators of this file whose call does not say the argument itself."""
    common = accepted_arguments()[""]
    found: dict[str, set[str]] = {}
    for made in operators.made(source):
        if not keyword(made.call, "task_id"):
            continue
        ways = {old: new[0] for cls in made.classes for old, new in RENAMED.get(cls, {}).items() if len(new) == 1}
        for name in made.names:
            ways |= dict(changed_arguments()[name].renamed) if name in changed_arguments() else {}
        for old, new in ways.items():
            if old not in common and not keyword(made.call, old) and not keyword(made.call, new):
                found.setdefault(old, set()).add(new)
    return found


def beside(source: Source, key: ast.expr | ast.keyword, value: ast.expr, names: list[str]) -> Edit:
    """Write entries in front of one, with the layout of its own line."""
    start = source.start(key)
    line = source.text[source.text.rfind(b"\n", 0, start) + 1 : start].decode()
    gap = f",{source.newline.decode()}{line}" if not line.strip() else ", "
    quote = source.text[start : start + 1].decode()
    quote = quote if quote in "'\"" else '"'
    return Edit(start, start, "".join(f"{quote}{name}{quote}: {source.code(value)}{gap}" for name in names))


RULE = Rule(
    code="default-argument",
    title="What operators get from default_args has the names that their providers gave it, too",
    words=(b"default_args",),
    before="""
from airflow import DAG
from airflow.contrib.operators.pubsub_operator import PubSubTopicCreateOperator

default_args = {
    "project": "shop",
    "topic": "sales",
}
dag = DAG("sales", schedule=None, default_args=default_args)
make = PubSubTopicCreateOperator(task_id="make", dag=dag)
""",
    after="""
from airflow import DAG
from airflow.contrib.operators.pubsub_operator import PubSubTopicCreateOperator

default_args = {
    "project_id": "shop",
    "project": "shop",
    "topic": "sales",
}
dag = DAG("sales", schedule=None, default_args=default_args)
make = PubSubTopicCreateOperator(task_id="make", dag=dag)
""",
    find=_find,
    is_for_2=True,
)
