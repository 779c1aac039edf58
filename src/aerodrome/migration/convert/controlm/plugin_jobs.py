"""Jobs of plug-ins: the operator that their row in the table names, and DAGs of another Airflow job."""

from __future__ import annotations

import re

from aerodrome.migration.convert import symbols
from aerodrome.migration.convert.contract import ConnectionNeed, Expression
from aerodrome.migration.convert.controlm.plugins import PLUGINS, detail, items_of, profile_of
from aerodrome.migration.convert.controlm.site import connection_id
from aerodrome.migration.convert.controlm.workbench import Workbench


def plugin(bench: Workbench) -> None:
    plugin = PLUGINS[bench.job.kind]
    details = bench.job.details
    arguments: list[tuple[str, Expression]] = []
    for argument in plugin.arguments:
        value = detail(details, argument.details)
        if not value and argument.is_needed:
            bench.fail(
                "detail-missing",
                f"{plugin.operator.name} needs {argument.name}, which the definition does not have ({argument.details[0]}).",
            )
            return
        if value and argument.name == "application_args":
            arguments.append((argument.name, [bench.text(item) for item in items_of(value)]))
        elif value:
            arguments.append((argument.name, bench.text(value.strip('"') if argument.name != "payload" else value)))
    if bench.job.kind == "aws-batch" and (revision := detail(details, ("jobdefinitionrevision",))):
        arguments = [(name, f"{value}:{revision}" if name == "job_definition" else value) for name, value in arguments]
    if bench.job.kind == "web-service":
        endpoint = str(dict(arguments)["endpoint"])
        if host := re.match(r"(https?://[^/]+)(/.*)?\Z", endpoint):
            arguments = [(name, (host[2] or "/") if name == "endpoint" else value) for name, value in arguments]
            conn_id = connection_id("http", host[1].partition("://")[2])
            bench.connect(ConnectionNeed(conn_id, "http", host[1], why="web services"))
            bench.step("", plugin.operator, ("http_conn_id", conn_id), *arguments)
            return
    known = {name for argument in plugin.arguments for name in argument.details} | {"connectionprofile", "account"}
    left = [
        key
        for key in details
        if re.sub(r"[^a-z0-9]", "", re.sub(r"^(UCM|AI|WS|HDP)[-.]", "", key, flags=re.IGNORECASE).lower()) not in known
    ]
    if left:
        bench.note(
            "plugin-details", f"Details of the job that the operator does not take: {', '.join(sorted(left)[:12])}."
        )
    conn_id = bench.profile(profile_of(details) or plugin.conn_type, plugin.conn_type)
    bench.step("", plugin.operator, (plugin.connection, conn_id), *arguments, *plugin.fixed)


def airflow(bench: Workbench) -> None:
    dag_id = detail(bench.job.details, ("dagid", "dagname")).strip('"')
    if not dag_id:
        bench.fail("airflow-dag", "The job names no DAG.")
        return
    bench.note("airflow-dag", f"The DAG {dag_id} must be in the same Airflow as this one.")
    bench.step("", symbols.TRIGGER_DAG, ("trigger_dag_id", bench.text(dag_id)), ("wait_for_completion", True))


def sla(bench: Workbench) -> None:
    bench.note(
        "sla-service",
        f"The service {bench.job.details.get('ServiceName', bench.job.name)} and its deadline are not watched: add a deadline alert.",
    )
    bench.step("", symbols.EMPTY)
