"""What hooks give to talk to a service with: clients of another library than under Airflow 1.10 are found; cx_Oracle is oracledb.

Compared: what get_conn() of each hook of apache-airflow 1.10.15 makes with what that of today's provider does (azure 12, google 22, oracle 4, slack 9 and others), and
the public names of cx_Oracle 8.3.0 with those of oracledb, of the modules, of Cursor and of Connection. SFTPHook and PostgresHook have rules of their own.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Options, Rule, Spot
from aerodrome.migration.codemod.editing import replace
from aerodrome.migration.codemod.moves import table
from aerodrome.migration.codemod.rules.receivers import classes_of, defines
from aerodrome.migration.codemod.source import Source

_AZURE, _GOOGLE = "airflow.providers.microsoft.azure.hooks", "airflow.providers.google.cloud.hooks"
_CLIENTS = {
    f"{_AZURE}.wasb.WasbHook": (
        "BlockBlobService of azure-storage", "BlobServiceClient of azure-storage-blob 12",
        "Use the hook's load_file, load_string, get_file, read_file, check_for_blob and delete_file, or get_blob_client(container, blob).",
    ),
    f"{_AZURE}.fileshare.AzureFileShareHook": (
        "FileService of azure-storage", "nothing",
        "Use the hook's load_data, get_file, list_files and create_directory, or its share_service_client.",
    ),
    f"{_AZURE}.cosmos.AzureCosmosDBHook": (
        "CosmosClient of azure-cosmos 3", "CosmosClient of azure-cosmos 4",
        "Use the hook's upsert_document, get_documents and create_collection, or get_database_client(…).get_container_client(…).",
    ),
    f"{_AZURE}.container_instance.AzureContainerInstanceHook": (
        "a client of azure-mgmt-containerinstance 1", "one of its later versions, whose long calls begin with begin_",
        "Use the hook's create_or_update, get_state, get_logs and delete.",
    ),
    "airflow.providers.cloudant.hooks.cloudant.CloudantHook": (
        "a database of cloudant", "CloudantV1 of ibmcloudant", "Write calls as CloudantV1 has them, with the name of the database.",
    ),
    f"{_GOOGLE}.cloud_build.CloudBuildHook": ("a discovery resource", "CloudBuildClient", "Use the hook's create_build_without_waiting_for_result, get_build and list_builds."),
    f"{_GOOGLE}.kms.CloudKMSHook": ("a discovery resource", "KeyManagementServiceClient", "Use the hook's encrypt and decrypt."),
    f"{_GOOGLE}.pubsub.PubSubHook": (
        "a discovery resource", "PublisherClient", "Use the hook's publish, pull, acknowledge, create_topic and create_subscription.",
    ),
    f"{_GOOGLE}.dataproc.DataprocHook": (
        "a discovery resource", "nothing: the hook has no connection", "Use get_job_client(region=…), get_cluster_client(region=…), or the hook's own methods.",
    ),
    "airflow.providers.opsgenie.hooks.opsgenie.OpsgenieAlertHook": (
        "a session of requests", "AlertApi of opsgenie-sdk", "Use the hook's create_alert(payload).",
    ),
    "airflow.providers.slack.hooks.slack_webhook.SlackWebhookHook": (
        "a session of requests", "WebhookClient of slack-sdk", "Use the hook's send(…).",
    ),
    "airflow.providers.atlassian.jira.hooks.jira.JiraHook": (
        "JIRA of the package jira", "Jira of atlassian-python-api", "Write calls as atlassian.Jira has them.",
    ),
    "airflow.providers.zendesk.hooks.zendesk.ZendeskHook": ("Zendesk of zdesk", "Zenpy", "Write calls as Zenpy has them, or use the hook's methods."),
}  # fmt: skip
_METHODS = ("get_conn",)
_KEPT = {f"{_AZURE}.wasb.WasbHook": "blob_service_client"}
"""Hooks that kept their client as `connection` in 1.10; what it is called today."""
_ORACLE = frozenset(
    {
        "airflow.hooks.OracleHook",
        "airflow.hooks.oracle_hook.OracleHook",
        "airflow.providers.oracle.hooks.oracle.OracleHook",
    }
)
_OWN = (
    "connect",
    "Connection",
    "SessionPool",
    "init_oracle_client",
    "clientversion",
    "makedsn",
    "SodaDoc",
    "buildtime",
)
"""What makes connections of cx_Oracle itself, which works otherwise in oracledb, or is not there."""


def _find(source: Source, options: Options) -> Iterator[Change | Spot]:
    if options.source_version.partition(".")[0] in ("", "1"):
        yield from _clients(source)
    yield from _oracle(source)


def _clients(source: Source) -> Iterator[Spot]:
    for node in source.each(ast.Attribute):
        is_call = node.attr in _METHODS and getattr(source.parents[node], "func", None) is node
        if not is_call and not (node.attr == "connection" and isinstance(node.ctx, ast.Load)):
            continue
        if source.meanings(node) or defines(source, node):
            continue
        for name in sorted({table().moves.get(name, name) for name in classes_of(source, node.value)}):
            title = name.rpartition(".")[2]
            if name in _CLIENTS and is_call:
                old, new, hint = _CLIENTS[name]
                yield Spot(
                    node.lineno, f"{title}.{node.attr}() gave {old} in Airflow 1.10, and gives {new} today.", hint
                )
            elif name in _KEPT and not is_call:
                old, new, hint = _CLIENTS[name]
                yield Spot(
                    node.lineno,
                    f"{title} has no `connection` any more, which was {old}; `{_KEPT[name]}` is {new}.",
                    hint,
                )


def _oracle(source: Source) -> Iterator[Change | Spot]:
    """`except cx_Oracle.DatabaseError`, `cursor.var(cx_Oracle.NUMBER)`: the hook's objects are of oracledb."""
    if not any(source.means(node, _ORACLE) for node in source.each(ast.Name, ast.Attribute)):
        return
    own = {f"cx_Oracle.{name}" for name in _OWN}
    used = [node for node in source.each(ast.Name, ast.Attribute) if source.means(node, own)]
    nodes: list[ast.Import | ast.ImportFrom] = [*source.each(ast.Import), *source.each(ast.ImportFrom)]
    for node in nodes:
        names = node.names
        is_from = isinstance(node, ast.ImportFrom) and node.module == "cx_Oracle" and not node.level
        is_plain = isinstance(node, ast.Import) and [item.name for item in names] == ["cx_Oracle"]
        if not is_from and not any(isinstance(node, ast.Import) and item.name == "cx_Oracle" for item in names):
            continue
        if used or not (is_plain or (is_from and not {item.name for item in names} & {*_OWN, "*"})):
            yield Spot(
                node.lineno,
                "OracleHook gives connections of oracledb, not of cx_Oracle: its errors and types are others.",
                "Take errors and types from oracledb where they go with the hook's connections.",
            )
        elif is_plain:
            yield Change((replace(source, node, f"import oracledb as {names[0].asname or 'cx_Oracle'}"),))
        else:
            yield Change((replace(source, node, source.code(node).replace("cx_Oracle", "oracledb", 1)),))


RULE = Rule(
    code="hook-client",
    title="Clients of another library that hooks give are found; errors and types of cx_Oracle beside OracleHook are those of oracledb",
    words=(b"get_conn", b".connection", b"cx_Oracle"),
    before="""
import cx_Oracle
from airflow.contrib.hooks.wasb_hook import WasbHook
from airflow.hooks.oracle_hook import OracleHook


def fetch():
    try:
        rows = OracleHook("shop").get_records("select name from sales")
    except cx_Oracle.DatabaseError:
        rows = []
    store = WasbHook("store")
    store.get_conn().create_blob_from_text("sales", "names", str(rows))
""",
    after="""
import oracledb as cx_Oracle
from airflow.contrib.hooks.wasb_hook import WasbHook
from airflow.hooks.oracle_hook import OracleHook


def fetch():
    try:
        rows = OracleHook("shop").get_records("select name from sales")
    except cx_Oracle.DatabaseError:
        rows = []
    store = WasbHook("store")
    store.get_conn().create_blob_from_text("sales", "names", str(rows))
""",
    find=_find,
    finding="WasbHook.get_conn() gave BlockBlobService",
    is_for_2=True,
)
