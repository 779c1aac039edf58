"""What operators and hooks of Airflow 1.10 did when nobody said otherwise, and those of today do not: it is said.

Compared: every constructor of apache-airflow 1.10.15 that moved, with the one of 3.3.2's providers (google 22, cncf.kubernetes 10,
apache.spark 6, amazon 9, ssh 5: 1.10 waited for a command that says nothing as long as it takes, today that ends after 10 s).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.editing import add_keyword, has_open_end, keyword, replace
from aerodrome.migration.codemod.rules import operators
from aerodrome.migration.codemod.rules.providers import sees_default_args
from aerodrome.migration.codemod.rules.renamed_arguments import of_schema
from aerodrome.migration.codemod.source import Source


@dataclass(frozen=True)
class _Old:
    argument: str
    code: str  # the default of 1.10
    ways: tuple[str, ...] = ()  # older names of the argument
    idle: str = ""  # an argument that 1.10 had beside it, and that the new one would be taken for


_GOOGLE = "airflow.providers.google.cloud"
_BIGQUERY = _Old("gcp_conn_id", '"bigquery_default"', ("bigquery_conn_id",))
_LOAD = _Old("gcp_conn_id", '"bigquery_default"', ("bigquery_conn_id",), "google_cloud_storage_conn_id")
_POD = _Old("on_finish_action", '"keep_pod"', ("is_delete_operator_pod",))
_SPARK = _Old("name", '"airflow-spark"')
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
    "airflow.providers.ssh.operators.ssh.SSHOperator": _Old("cmd_timeout", "None", ("timeout",)),
    "airflow.providers.apache.spark.operators.spark_submit.SparkSubmitOperator": _SPARK,
    "airflow.providers.apache.spark.operators.spark_jdbc.SparkJDBCOperator": _SPARK,
}  # fmt: skip
_QUIET = _Old("do_xcom_push", "False", ("xcom_push",))
_OUTPUTS = {
    "airflow.providers.ssh.operators.ssh.SSHOperator": _QUIET,
    "airflow.providers.http.operators.http.HttpOperator": _QUIET,
    "airflow.providers.docker.operators.docker.DockerOperator": _QUIET,
}
"""1.10.15 gave nothing to XCom unless `xcom_push` (SSH: `do_xcom_push`) was said; today all that a command wrote or a server answered is stored."""


def _find(source: Source, options: Options) -> Iterator[Change | Spot]:
    for made in operators.made(source):
        call = made.call
        if made.node is not call.func or not operators.is_of_1(made, options) or call.args or has_open_end(call):
            continue
        wanted = [
            table[name] for table in (_OLD, _OUTPUTS) for name in sorted({*made.names, *made.old}) if name in table
        ]
        missing = [old for old in wanted if _is_missing(source, call, old)]
        if not missing:
            continue
        other = keyword(call, missing[0].idle) if missing[0].idle else None
        is_hook = not keyword(call, "task_id")
        note = of_schema(source, call, other) if other else None
        is_seen = is_hook or sees_default_args(source) or missing[0] is _QUIET  # hardly any default_args say that one
        note = note or (None if is_seen else _unseen(call, missing[0]))
        yield Change((_edit(source, call, missing, other),), note=note)


def _is_missing(source: Source, call: ast.Call, old: _Old) -> bool:
    """Tell whether nothing says the argument; where default_args do they are renamed, and one of the call would be stronger."""
    names = (old.argument, *old.ways)
    return not any(keyword(call, name) for name in names) and not _says(source, names)


def _edit(source: Source, call: ast.Call, missing: list[_Old], other: ast.keyword | None) -> Edit:
    if other:
        return replace(source, other, f"{missing[0].argument}={missing[0].code}")
    edits = [add_keyword(source, call, old.argument, old.code) for old in missing]
    return Edit(edits[0].start, edits[0].end, "".join(edit.text for edit in edits))


def _says(source: Source, names: tuple[str, ...]) -> bool:
    """Tell whether a dict of the file has one of them as its key."""
    keys = (key for mapping in source.each(ast.Dict) for key in mapping.keys)
    return any(isinstance(key, ast.Constant) and key.value in names for key in keys) or any(
        item.arg in names
        for call in source.each(ast.Call)
        if isinstance(call.func, ast.Name) and call.func.id == "dict"
        for item in call.keywords
    )


def _unseen(call: ast.Call, old: _Old) -> Spot:
    return Spot(
        call.lineno,
        f"{old.argument} is {old.code} here, as Airflow 1.10 had it, unless default_args that this file does not show say otherwise.",
        f"If they do, take {old.argument} out here.",
    )


RULE = Rule(
    code="old-default",
    title="What Airflow 1.10 did by default and the operators of today do not is said: BigQuery's connection, pods that stay, commands over SSH that say nothing for long",
    words=(
        b"BigQuery",
        b"bigquery",
        b"Datastore",
        b"KubernetesPod",
        b"GKEPod",
        b"SparkSubmit",
        b"SparkJDBC",
        b"ToS3",
        b"SSHOperator",
        b"HttpOperator",
        b"DockerOperator",
    ),
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
