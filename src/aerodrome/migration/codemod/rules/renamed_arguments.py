"""Arguments of operators and hooks of providers that are called otherwise today.

Found by comparing the constructors of Airflow 1.10.15 and of providers of 2022 with those of the providers of 3.3.2 (2026-09).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TypeAlias

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.editing import drop_item, keyword
from aerodrome.migration.codemod.rules import operators
from aerodrome.migration.codemod.rules.derived import derived
from aerodrome.migration.codemod.rules.operators import Made
from aerodrome.migration.codemod.source import Source

_Names: TypeAlias = dict[str, tuple[str, ...]]
_AWS: _Names = {"s3_conn_id": ("aws_conn_id",)}
_PROJECT: _Names = {"project": ("project_id",)}
_VERTEX = "airflow.providers.google.cloud.operators.vertex_ai."
_CHECKED: _Names = {"presto_conn_id": ("conn_id",), "druid_broker_conn_id": ("conn_id",)}
RENAMED: dict[str, _Names] = {
    "AssetOrTimeSchedule": {"datasets": ("assets",)},
    "AthenaOperator": {"max_tries": ("max_polling_attempts",)},
    "AthenaSensor": {"max_retires": ("max_retries",)},
    "BranchDayOfWeekOperator": {"use_task_execution_day": ("use_task_logical_date",)},
    "CloudBuildCreateBuildOperator": {"body": ("build",)},
    "CloudDataTransferServiceListOperationsOperator": {"filter": ("request_filter",)},
    "CopyFromExternalStageToSnowflakeOperator": {"s3_keys": ("files",)},
    "DataprepGetJobsForJobGroupOperator": {"job_id": ("job_group_id",)},
    "DayOfWeekSensor": {"use_task_execution_day": ("use_task_logical_date",)},
    "FSHook": {"conn_id": ("fs_conn_id",)},
    "GCSToLocalFilesystemOperator": {"object": ("object_name",)},
    "GCSToS3Operator": {"bucket": ("gcs_bucket",)},
    "GKEStartPodOperator": {"node_selectors": ("node_selector",)},
    "GoogleDriveToGCSOperator": {"destination_bucket": ("bucket_name",), "destination_object": ("object_name",)},
    "ImapAttachmentToS3Operator": _AWS,
    "KubernetesPodOperator": {"node_selectors": ("node_selector",)},
    "MongoHook": {"conn_id": ("mongo_conn_id",)},
    "MongoToS3Operator": _AWS,
    "OpsgenieCreateAlertOperator": {"visibleTo": ("visible_to",)},
    "PubSubCreateSubscriptionOperator": {
        "topic_project": ("project_id",),
        "subscription_project": ("subscription_project_id",),
    },
    "PubSubCreateTopicOperator": _PROJECT,
    "PubSubDeleteSubscriptionOperator": _PROJECT,
    "PubSubDeleteTopicOperator": _PROJECT,
    "PubSubPublishMessageOperator": _PROJECT,
    "PubSubPullSensor": _PROJECT,
    "S3ToSFTPOperator": _AWS,
    "SFTPToS3Operator": _AWS,
    "SFTPHook": {"ftp_conn_id": ("ssh_conn_id",)},
    "SQLCheckOperator": _CHECKED,
    "SQLIntervalCheckOperator": _CHECKED,
    "SQLValueCheckOperator": _CHECKED,
    "SSHHook": {"timeout": ("conn_timeout",)},
    "SalesforceHook": {"conn_id": ("salesforce_conn_id",)},
    "SlackWebhookHook": {"http_conn_id": ("slack_webhook_conn_id",)},
    "SlackWebhookOperator": {"http_conn_id": ("slack_webhook_conn_id",)},
}


_OF_SLACK = (
    "Slack's hook takes the webhook's token from the password of the connection {}, and from nowhere else in it."
)
_SLACK_HINT = "If the token stands in its extra (webhook_token) or in its host, make it the password; its type may be HTTP or Slack's."
"""Source: SlackWebhookHook of apache-airflow-providers-slack 9.10; up to 7 it also looked into the extra."""


def _find(source: Source, _options: Options) -> Iterator[Change | Spot]:
    for made, own in _made(source):
        for item in made.call.keywords:
            if item.arg is None or item.arg in own:
                continue
            new = _new_names(made, item.arg)
            if new and not own.isdisjoint(new):
                yield Spot(
                    item.value.lineno,
                    f"{item.arg} is {new[0]} today, which the class that is called here says itself.",
                    f"Say {new[0]} in one of the two.",
                )
            elif new:
                yield _renamed(source, made.call, item, new)
            elif item.arg == "google_cloud_storage_conn_id" and _is_idle(source, made, item):
                yield Change((drop_item(source, item),), note=of_schema(source, made.call, item))
            elif item.arg == "ssh_hook" and "SFTPOperator" in made.classes:
                yield _ssh_hook(source, item)
            elif (
                item.arg == "sync"
                and isinstance(item.value, ast.Constant)
                and item.value.value is True
                and made.is_in(_VERTEX)
            ):
                yield Change((drop_item(source, item),))  # the operators always wait


def _made(source: Source) -> Iterator[tuple[Made, frozenset[str]]]:
    """Give the calls, also those that reach an operator through a class of the project, with what that takes itself."""
    for made in operators.made(source):
        yield made, frozenset()
    for item in derived(source):
        yield Made(item.call, item.call.func, item.old, item.names, is_expanding=False), item.own


def _new_names(made: Made, name: str) -> tuple[str, ...] | None:
    for cls in made.classes:
        if new := RENAMED.get(cls, {}).get(name):
            return new
    return None


def _renamed(source: Source, call: ast.Call, item: ast.keyword, new: tuple[str, ...]) -> Change | Spot:
    value = source.code(item.value)
    rivals = [other for other in call.keywords if other is not item and other.arg in new]
    if any(source.code(other.value) != value for other in rivals):
        return Spot(
            item.value.lineno,
            f"{item.arg} is {new[0]} today, and two different values would be it.",
            f"Write {new[0]}=… once; use one connection that may do both.",
        )
    if rivals:
        return Change((drop_item(source, item),))
    if len(new) == 1:
        start = source.start(item)
        note = _OF_SLACK if item.arg == "http_conn_id" else ""
        return Change(
            (Edit(start, start + len(str(item.arg).encode()), new[0]),),
            note=Spot(item.value.lineno, note.format(value), _SLACK_HINT) if note else None,
        )
    return Change((Edit(source.start(item), source.end(item.value), ", ".join(f"{name}={value}" for name in new)),))


def _is_idle(source: Source, made: Made, item: ast.keyword) -> bool:
    """Tell whether a load into BigQuery names a connection beside BigQuery's: Cloud Storage's was for `schema_object` only."""
    other = keyword(made.call, "bigquery_conn_id") or keyword(made.call, "gcp_conn_id")
    is_load = "GCSToBigQueryOperator" in made.classes
    return is_load and other is not None and source.code(other.value) != source.code(item.value)


def of_schema(source: Source, call: ast.Call, item: ast.keyword) -> Spot | None:
    """Say that a load into BigQuery reads its schema by another connection now."""
    schema = keyword(call, "schema_object")
    if schema is None or (isinstance(schema.value, ast.Constant) and not schema.value.value):
        return None
    return Spot(
        item.value.lineno,
        f"The schema_object was read by the connection {source.code(item.value)}; gcp_conn_id, which loads the data, reads it now.",
        "Let the account of gcp_conn_id read the bucket of the schema.",
    )


def _ssh_hook(source: Source, item: ast.keyword) -> Change | Spot:
    """SFTPOperator makes its own hook; one that only names a connection says as much by the connection."""
    made = item.value
    if isinstance(made, ast.Name):
        name = made.id
        values = [
            each.value for each in source.each(ast.Assign) if any(getattr(t, "id", "") == name for t in each.targets)
        ]
        made = values[0] if len(values) == 1 else made
    if isinstance(made, ast.Call) and any(name.endswith(".SSHHook") for name in source.meanings(made.func)):
        given = made.keywords[0].value if len(made.keywords) == 1 and made.keywords[0].arg == "ssh_conn_id" else None
        given = made.args[0] if len(made.args) == 1 and not made.keywords else given
        if isinstance(given, ast.Constant | ast.Name) and (len(made.args) + len(made.keywords)) == 1:
            return Change((Edit(source.start(item), source.end(item.value), f"ssh_conn_id={source.code(given)}"),))
    return Spot(
        item.value.lineno, "SFTPOperator takes no ssh_hook any more.", "Write ssh_conn_id=… or sftp_hook=SFTPHook(…)."
    )


RULE = Rule(
    code="renamed-argument",
    title="Arguments of operators and hooks of providers get the names that today's providers know",
    words=tuple(
        sorted(
            {name.encode() for names in RENAMED.values() for name in names}
            | {b"google_cloud_storage_conn_id", b"ssh_hook", b"sync"}
        )
    ),
    before="""
from airflow.contrib.operators.s3_to_sftp_operator import S3ToSFTPOperator
from airflow.contrib.operators.slack_webhook_operator import SlackWebhookOperator

send = S3ToSFTPOperator(task_id="send", s3_conn_id="aws", s3_bucket="sales", s3_key="a.csv", sftp_path="/a.csv")
tell = SlackWebhookOperator(
    task_id="tell",
    http_conn_id="slack",
    message="done",
)
""",
    after="""
from airflow.contrib.operators.s3_to_sftp_operator import S3ToSFTPOperator
from airflow.contrib.operators.slack_webhook_operator import SlackWebhookOperator

send = S3ToSFTPOperator(task_id="send", aws_conn_id="aws", s3_bucket="sales", s3_key="a.csv", sftp_path="/a.csv")
tell = SlackWebhookOperator(
    task_id="tell",
    slack_webhook_conn_id="slack",
    message="done",
)
""",
    find=_find,
    is_for_2=True,
)
