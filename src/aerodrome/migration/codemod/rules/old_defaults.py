"""What operators and hooks of Airflow 1.10 did when nobody said otherwise, and those of today do not: it is said.

Compared, by `scripts/defaults`: every constructor of apache-airflow 1.10.15 that moved, with the one of 3.3.2's providers. By hand: arguments that have another
name today, and those that 1.10 had not (ssh 5: 1.10 waited for a command that says nothing as long as it takes, today that ends after 10 s).
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from aerodrome.migration.codemod.arguments import Default, old_defaults
from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.editing import add_keyword, keyword, replace
from aerodrome.migration.codemod.rules import dags, operators
from aerodrome.migration.codemod.rules.derived import derived
from aerodrome.migration.codemod.rules.providers import sees_default_args
from aerodrome.migration.codemod.rules.renamed_arguments import of_schema
from aerodrome.migration.codemod.source import Source


@dataclass(frozen=True)
class _Old:
    argument: str
    code: str  # the default of 1.10
    ways: tuple[str, ...] = ()  # older names of the argument
    idle: str = ""  # an argument that 1.10 had beside it, and that the new one would be taken for
    words: tuple[str, ...] = ()  # what says it in a call, and in default_args only what 1.10 meant by it
    place: int | None = None  # among the arguments by position, -1 for none; None: not known


_GOOGLE = "airflow.providers.google.cloud"
_CHECKS = "airflow.operators.presto_check_operator.Presto"
_GLOBAL = _Old("region", '"global"')
_BIGQUERY = _Old("gcp_conn_id", '"bigquery_default"', ("bigquery_conn_id",))
_LOAD = _Old("gcp_conn_id", '"bigquery_default"', ("bigquery_conn_id",), "google_cloud_storage_conn_id")
_POD = _Old("on_finish_action", '"keep_pod"', ("is_delete_operator_pod",))
_OLD = {
    **{
        f"{_GOOGLE}.operators.bigquery.BigQuery{name}Operator": _BIGQUERY
        for name in (
            "Check", "ValueCheck", "IntervalCheck", "GetData", "DeleteTable", "DeleteDataset", "CreateEmptyDataset",
        )
    },
    **{
        f"airflow.contrib.operators.bigquery_operator.{name}Operator": _BIGQUERY
        for name in ("BigQueryCreateEmptyTable", "BigQueryCreateExternalTable")
    },
    f"{_GOOGLE}.hooks.bigquery.BigQueryHook": _BIGQUERY,
    f"{_GOOGLE}.transfers.bigquery_to_bigquery.BigQueryToBigQueryOperator": _BIGQUERY,
    f"{_GOOGLE}.transfers.bigquery_to_gcs.BigQueryToGCSOperator": _BIGQUERY,
    f"{_GOOGLE}.transfers.gcs_to_bigquery.GCSToBigQueryOperator": _LOAD,
    f"{_GOOGLE}.sensors.bigquery.BigQueryTableExistenceSensor": _Old(
        "gcp_conn_id", '"bigquery_default_conn"', ("bigquery_conn_id",)
    ),
    f"{_GOOGLE}.hooks.datastore.DatastoreHook": _Old(
        "gcp_conn_id", '"google_cloud_datastore_default"', ("datastore_conn_id",)
    ),
    "airflow.providers.amazon.aws.transfers.gcs_to_s3.GCSToS3Operator": _Old(
        "gcp_conn_id", '"google_cloud_storage_default"', ("google_cloud_storage_conn_id",)
    ),
    "airflow.providers.cncf.kubernetes.operators.pod.KubernetesPodOperator": _POD,
    f"{_GOOGLE}.operators.kubernetes_engine.GKEStartPodOperator": _POD,
    "airflow.providers.ssh.operators.ssh.SSHOperator": _Old("cmd_timeout", "None", words=("timeout",)),
    **{
        f"{_CHECKS}{name}Operator": _Old("conn_id", '"presto_default"', ("presto_conn_id",))
        for name in ("Check", "ValueCheck", "IntervalCheck")
    },
    "airflow.operators.druid_check_operator.DruidCheckOperator": _Old(
        "conn_id", '"druid_broker_default"', ("druid_broker_conn_id",)
    ),
    f"{_GOOGLE}.operators.dataproc.DataprocInstantiateWorkflowTemplateOperator": _GLOBAL,
    f"{_GOOGLE}.operators.dataproc.DataprocInstantiateInlineWorkflowTemplateOperator": _GLOBAL,
}  # fmt: skip
_QUIET = _Old("do_xcom_push", "False", ("xcom_push",))
_OUTPUTS = {
    "airflow.providers.ssh.operators.ssh.SSHOperator": _QUIET,
    "airflow.providers.http.operators.http.HttpOperator": _QUIET,
    "airflow.providers.docker.operators.docker.DockerOperator": _QUIET,
    f"{_GOOGLE}.operators.datastore.CloudDatastoreExportEntitiesOperator": _QUIET,
    f"{_GOOGLE}.operators.datastore.CloudDatastoreImportEntitiesOperator": _QUIET,
}
"""1.10.15 gave nothing to XCom unless `xcom_push` (SSH: `do_xcom_push`) was said; today all that a command wrote or a server answered is stored."""


def _find(source: Source, options: Options) -> Iterator[Change | Spot]:
    for made in operators.made(source):
        if made.node is made.call.func and operators.is_of_1(made, options):
            yield from _of_call(source, made, None)
    for item in derived(source):
        made = operators.Made(item.call, item.call.func, item.old, item.names, is_expanding=False)
        if operators.is_of_1(made, options) and getattr(item.call.func, "attr", "") != "partial":
            yield from _of_call(source, made, item.own)


def _of_call(source: Source, made: operators.Made, own: frozenset[str] | None) -> Iterator[Change | Spot]:
    """Say what is missing in a call; `own` are the names that constructors of the project know, None where it makes Airflow's class itself."""
    call = made.call
    more, is_shown = dags.spread(source, call)
    missing = [old for old in _wanted(made) if is_shown and _is_missing(source, call, old, own)]
    if own is not None:
        missing = [
            old for old in missing if not own & {old.argument, *old.ways, *old.words} and _is_inherited(made, old)
        ]
    missing = [old for old in missing if not more.keys() & {old.argument, *old.ways, *old.words}]
    if not missing:
        return
    other = keyword(call, missing[0].idle) if missing[0].idle else None
    is_hook = not keyword(call, "task_id") and "task_id" not in more
    if own is not None:
        is_hook = all(name.endswith("Hook") for name in made.names)
    note = of_schema(source, call, other) if other else None
    is_seen = is_hook or sees_default_args(source) or missing[0] is _QUIET  # hardly any default_args say that one
    note = note or (None if is_seen else _unseen(call, missing))
    if own and call.args:
        note = note or _by_place(call, missing)
    yield Change((_edit(source, call, missing, other),), note=note)


def _wanted(made: operators.Made) -> Iterator[_Old]:
    names = sorted({*made.names, *made.old})
    for table in (_OLD, _OUTPUTS):
        yield from (table[name] for name in names if name in table)
    for name in names:
        yield from (_read(default) for default in old_defaults().get(name, ()))


def _read(default: Default) -> _Old:
    code = f'"{default.value}"' if isinstance(default.value, str) else repr(default.value)
    return _Old(default.argument, code, place=default.place)


def _is_inherited(made: operators.Made, old: _Old) -> bool:
    """Tell whether a class of the project had this default, too: one with its own `execute` gave to XCom what that gave, but for SSH (1.10.15)."""
    return old is not _QUIET or "SSHOperator" in made.classes


def _is_missing(source: Source, call: ast.Call, old: _Old, own: frozenset[str] | None) -> bool:
    """Tell whether nothing says the argument; where default_args do they are renamed, and one of the call would be stronger."""
    if call.args and not own and (old.place is None or 0 <= old.place < len(call.args)):
        return False
    if old.argument in _IDLE and _IDLE[old.argument](source, call):
        return False
    names = (old.argument, *old.ways)
    return not any(keyword(call, name) for name in (*names, *old.words)) and not says(source, names)


def _has_tag(source: Source, call: ast.Call) -> bool:
    """Tell whether an image is pulled when it is not there, as Kubernetes does for those with a tag that is not `latest`, and for digests."""
    item = keyword(call, "image")
    value = dags.constant(source, item.value) if item else None
    name = getattr(value, "value", "")
    if not isinstance(name, str) or "{" in name:
        return False
    _, _, tag = name.rpartition("/")[2].partition(":")
    return "@" in name or tag not in ("", "latest")


def _is_without_header(source: Source, call: ast.Call) -> bool:
    """Tell whether no header is looked for in what is loaded: only where the schema is found out, in texts."""
    given = {word: item.value for word in ("source_format", "autodetect") if (item := keyword(call, word))}
    values = {word: getattr(dags.constant(source, node), "value", None) for word, node in given.items()}
    form = values.get("source_format")
    return values.get("autodetect", True) is False or (isinstance(form, str) and form.upper() not in _WITH_HEADERS)


_WITH_HEADERS = ("CSV", "GOOGLE_SHEETS")
_IDLE: dict[str, Callable[[Source, ast.Call], bool]] = {
    "image_pull_policy": _has_tag,
    "skip_leading_rows": _is_without_header,
}
"""Arguments that some calls need not say: both defaults do the same there."""


def _edit(source: Source, call: ast.Call, missing: list[_Old], other: ast.keyword | None) -> Edit:
    if other:  # the next round says the rest
        return replace(source, other, f"{missing[0].argument}={missing[0].code}")
    edits = [add_keyword(source, call, old.argument, old.code) for old in missing]
    return Edit(edits[0].start, edits[0].end, "".join(edit.text for edit in edits))


def says(source: Source, names: tuple[str, ...]) -> bool:
    """Tell whether a dict of the file has one of them as its key: not one that is part of another, or given under a name of its own."""
    keys = (key for mapping in source.each(ast.Dict) if _may_be_arguments(source, mapping) for key in mapping.keys)
    return any(isinstance(key, ast.Constant) and key.value in names for key in keys) or any(
        item.arg in names
        for call in source.each(ast.Call)
        if isinstance(call.func, ast.Name) and call.func.id == "dict"
        for item in call.keywords
    )


def _may_be_arguments(source: Source, mapping: ast.Dict) -> bool:
    parent = source.parents[mapping]
    if isinstance(parent, ast.keyword):
        return parent.arg in (None, "default_args")
    return not isinstance(parent, ast.Dict | ast.List | ast.Tuple) or None in getattr(parent, "keys", ())


def _unseen(call: ast.Call, missing: list[_Old]) -> Spot:
    said = [old for old in missing if old is not _QUIET]
    words = " and ".join(f"{old.argument} is {old.code}" for old in said)
    return Spot(
        call.lineno,
        f"{words} here, as Airflow 1.10 had it, unless default_args that this file does not show say otherwise.",
        f"If they do, take {' and '.join(old.argument for old in said)} out here.",
    )


def _by_place(call: ast.Call, missing: list[_Old]) -> Spot:
    words = " and ".join(f"{old.argument} is {old.code}" for old in missing)
    return Spot(
        call.lineno,
        f"{words} here, as Airflow 1.10 had it, unless the constructor of the class gives it on by place.",
        f"If it does, take {' and '.join(old.argument for old in missing)} out here.",
    )


RULE = Rule(
    code="old-default",
    title="What Airflow 1.10 did by default and the operators of today do not is said: BigQuery's and EMR's connections, pods that stay, commands over SSH that say nothing for long",
    words=(b"airflow",),  # a class of the project may be derived from one of them anywhere
    before="""
from airflow.contrib.operators.bigquery_to_gcs import BigQueryToCloudStorageOperator

export = BigQueryToCloudStorageOperator(
    task_id="export",
    source_project_dataset_table="shop.sales",
    destination_cloud_storage_uris=["gs://shop/sales.csv"],
)
""",
    after="""
from airflow.contrib.operators.bigquery_to_gcs import BigQueryToCloudStorageOperator

export = BigQueryToCloudStorageOperator(
    task_id="export",
    source_project_dataset_table="shop.sales",
    destination_cloud_storage_uris=["gs://shop/sales.csv"],
    gcp_conn_id="bigquery_default",
)
""",
    find=_find,
    is_for_2=True,
)
