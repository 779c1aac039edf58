"""What default_args say, and an operator of Airflow 1.10 did not know, does not reach the operator of today either: it would be read there.

`scripts/defaults` makes the table: every argument that a constructor of today takes and that of 1.10.15 did not, with what it is when nobody says it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.arguments import added_arguments, changed_arguments
from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.editing import add_keyword, has_open_end, keyword
from aerodrome.migration.codemod.origin import is_of_1
from aerodrome.migration.codemod.rules import dags, operators
from aerodrome.migration.codemod.rules.renamed_arguments import RENAMED
from aerodrome.migration.codemod.source import Source

_ALSO = {"SSHOperator": {"timeout": "conn_timeout"}}
"""What other rules write into default_args."""


def _find(source: Source, options: Options) -> Iterator[Change | Spot]:
    said = _said(source)
    is_old = options.source_version.startswith("1.") or (not options.source_version and is_of_1(source.text))
    if not said or not is_old:
        return
    for made in operators.made(source):
        call = made.call
        added = {name: value for new in made.names for name, value in added_arguments().get(new, {}).items()}
        if made.node is not call.func or not keyword(call, "task_id") or has_open_end(call):
            continue
        edits: list[Edit] = []
        for name in sorted(said & added.keys()):
            if keyword(call, name):
                continue
            olds = _old_names(made, name)
            value = added[name]
            if any(old in said or keyword(call, old) for old in olds):
                continue
            if olds or not value or not isinstance(value[0], str | int | float | None):
                title = made.node.attr if isinstance(made.node, ast.Attribute) else source.code(made.node)
                yield Spot(
                    call.lineno,
                    f"{title} reads `{name}` of default_args; that of Airflow 1.10 did not know it.",
                    f"Say {name}=… here, as it was without; or take it out of default_args.",
                )
                continue
            code = f'"{value[0]}"' if isinstance(value[0], str) else repr(value[0])
            edits.append(add_keyword(source, call, name, code))
        if edits:
            yield Change((Edit(edits[0].start, edits[0].end, "".join(edit.text for edit in edits)),))


def _said(source: Source) -> set[str]:
    """Give the keys of the default_args that the file spells out."""
    found = {
        str(key.value)
        for mapping, way in dags.dictionaries(source, dags.ANY)
        if way == "default_args"
        for key in mapping.keys
        if isinstance(key, ast.Constant)
    }
    return found | {
        str(item.arg)
        for call, way in dags.dict_calls(source, dags.ANY)
        if way == "default_args"
        for item in call.keywords
    }


def _old_names(made: operators.Made, name: str) -> set[str]:
    """Give what the argument was called once, in this operator."""
    ways = [
        *(RENAMED.get(cls, {}).items() for cls in made.classes),
        *(changed_arguments()[new].renamed.items() for new in made.names if new in changed_arguments()),
        *(_ALSO.get(cls, {}).items() for cls in made.classes),
    ]
    return {old for pairs in ways for old, new in pairs if new == name or (isinstance(new, tuple) and name in new)}


RULE = Rule(
    code="unread-default",
    title="What default_args say and an operator of Airflow 1.10 did not know is kept from it",
    words=(b"default_args",),
    before="""
from airflow import DAG
from airflow.contrib.operators.gcs_to_bq import GoogleCloudStorageToBigQueryOperator

default_args = {"project_id": "shop"}
dag = DAG("sales", schedule=None, default_args=default_args)
load = GoogleCloudStorageToBigQueryOperator(task_id="load", bucket="shop", source_objects=["a.csv"], dag=dag)
""",
    after="""
from airflow import DAG
from airflow.contrib.operators.gcs_to_bq import GoogleCloudStorageToBigQueryOperator

default_args = {"project_id": "shop"}
dag = DAG("sales", schedule=None, default_args=default_args)
load = GoogleCloudStorageToBigQueryOperator(task_id="load", bucket="shop", source_objects=["a.csv"], dag=dag, project_id=None)
""",
    find=_find,
    is_for_2=True,
)
