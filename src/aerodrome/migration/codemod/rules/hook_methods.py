"""Calls of methods of hooks get the names that today's hooks know; what they do not take or have any more is found.

Where the order of arguments is another, what is given by position is named: taken for something else, it would be wrong in silence.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.editing import has_open_end, keyword, rename_keyword
from aerodrome.migration.codemod.methods import Method, changed_methods, method_names
from aerodrome.migration.codemod.moves import table
from aerodrome.migration.codemod.rules.receivers import classes_of, defines
from aerodrome.migration.codemod.source import Source

_BIGQUERY = "airflow.providers.google.cloud.hooks.bigquery."
_JOB = "Write the job: BigQueryHook(…).insert_job(configuration={…}); see the method of the old hook for what it put there."
_ON_THE_HOOK = "Call it on BigQueryHook(…) itself, by the names that the method has there."
_SPREAD = "Look at what * and ** give: names must be those of today."
_CLIENT = "Give it to the hook: AwsBaseHook(…, client_type=…), or resource_type=…."
_HINTS = {
    **{
        f"{_BIGQUERY}{cls}.{method}": _JOB
        for cls in ("BigQueryHook", "BigQueryBaseCursor", "BigQueryCursor")
        for method in ("run_query", "run_extract", "run_copy", "run_load", "run_with_configuration")
    },
    **{
        f"{_BIGQUERY}{cls}.{method}": _ON_THE_HOOK
        for cls in ("BigQueryBaseCursor", "BigQueryCursor")
        for method in (
            "create_empty_dataset", "delete_dataset", "get_dataset", "get_datasets_list", "get_schema", "insert_all",
            "run_grant_dataset_view_access", "run_table_upsert", "update_dataset", "get_dataset_tables",
        )
    },
}  # fmt: skip
_REMOVED = {"client_type": _CLIENT, "resource_type": _CLIENT}


def _find(source: Source, options: Options) -> Iterator[Change | Spot]:
    for call in source.each(ast.Call):
        if not isinstance(call.func, ast.Attribute) or call.func.attr not in method_names():
            continue
        if source.meanings(call.func):
            continue
        for name, is_first in sorted(_known(source, call.func, options)):
            method = changed_methods()[name].get(call.func.attr)
            if method is not None:
                yield from _of_call(source, call, f"{name}.{call.func.attr}", method, is_first=is_first)
                break


def _known(source: Source, func: ast.Attribute, options: Options) -> Iterator[tuple[str, bool]]:
    """Give the classes of today that the table knows, each with whether Airflow 1.10's is meant."""
    if defines(source, func):
        return
    for name in classes_of(source, func.value):
        is_old = not name.startswith("airflow.providers.") and options.source_version.partition(".")[0] in ("", "1")
        new = table().moves.get(name, name)
        if new in changed_methods():
            yield new, is_old


def _of_call(source: Source, call: ast.Call, name: str, method: Method, *, is_first: bool) -> Iterator[Change | Spot]:
    title = ".".join(name.rsplit(".", 2)[1:])
    if method.is_gone:
        hint = _HINTS.get(name, f"See what {title.partition('.')[0]} of the new provider offers for it.")
        yield Spot(call.lineno, f"{title}() is gone.", hint)
        return
    if is_first and method.positions and call.args and not any(isinstance(arg, ast.Starred) for arg in call.args):
        named = _named(source, call, method)
        if named is not None:
            yield Change(tuple(named))
            return  # the next round goes on
    edits: list[Edit] = []
    taken: set[str] = set()
    for item in call.keywords:
        new = method.renamed.get(str(item.arg))
        if new and not keyword(call, new) and new not in taken:
            taken.add(new)
            edits.append(rename_keyword(source, item, new))
        elif new:
            yield Spot(item.value.lineno, f"{title}() does not take `{item.arg}` any more.", f"It is `{new}` today.")
        elif item.arg in method.removed:
            hint = _REMOVED.get(str(item.arg), f"See what {title}() of the new provider offers for it.")
            yield Spot(item.value.lineno, f"{title}() does not take `{item.arg}` any more.", hint)
    if edits:
        note = Spot(call.lineno, f"{title}() calls arguments otherwise today, and not all can be seen here.", _SPREAD)
        yield Change(tuple(edits), note=note if has_open_end(call) else None)
    yield from _of_the_rest(call, title, method)


def _of_the_rest(call: ast.Call, title: str, method: Method) -> Iterator[Spot]:
    """What positions and what is missing leave to a person."""
    if method.positions and (len(call.args) > method.most or any(isinstance(arg, ast.Starred) for arg in call.args)):
        yield Spot(
            call.lineno,
            f"{title}() takes {method.most or 'no'} arguments by position, in another order than Airflow 1.10.",
            f"Name them: 1.10 had {', '.join(old for old, _ in method.positions)}.",
        )
    missing = [word for word in method.required if not keyword(call, word)]
    if missing and not call.args and not has_open_end(call):
        yield Spot(call.lineno, f"{title}() needs `{'`, `'.join(missing)}` now.", "Say it from what the call meant.")


def _named(source: Source, call: ast.Call, method: Method) -> list[Edit] | None:
    """Name what is given by position; None when the hook of today has no name for one of them, and more than it takes stand there."""
    given = list(zip(call.args, method.positions, strict=False))
    if len(given) < len(call.args) or any(keyword(call, name) for _, pair in given for name in pair if name):
        return None
    if any(not new for _, (_, new) in given) and len(call.args) > method.most:
        return None
    return [Edit(at := source.start(arg), at, f"{new or old}=") for arg, (old, new) in given]


RULE = Rule(
    code="hook-method",
    title="Arguments of hooks' methods get the names that today's hooks know; where their order is another they are named; methods that are gone are found",
    words=(b"Hook",),
    before="""
from airflow.contrib.hooks.bigquery_hook import BigQueryHook
from airflow.contrib.hooks.gcs_hook import GoogleCloudStorageHook


def fetch():
    files = GoogleCloudStorageHook(google_cloud_storage_conn_id="files")
    files.download(bucket="shop", object="sales.csv", filename="/tmp/sales.csv")
    warehouse = BigQueryHook(bigquery_conn_id="warehouse")
    if warehouse.table_exists("shop", "sales", "daily"):
        warehouse.get_conn().cursor().run_query("select 1")
""",
    after="""
from airflow.contrib.hooks.bigquery_hook import BigQueryHook
from airflow.contrib.hooks.gcs_hook import GoogleCloudStorageHook


def fetch():
    files = GoogleCloudStorageHook(google_cloud_storage_conn_id="files")
    files.download(bucket_name="shop", object_name="sales.csv", filename="/tmp/sales.csv")
    warehouse = BigQueryHook(bigquery_conn_id="warehouse")
    if warehouse.table_exists(project_id="shop", dataset_id="sales", table_id="daily"):
        warehouse.get_conn().cursor().run_query("select 1")
""",
    find=_find,
    finding="BigQueryCursor.run_query() is gone.",
    is_for_2=True,
)
