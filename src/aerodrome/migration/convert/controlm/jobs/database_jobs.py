"""Jobs that run SQL: queries, scripts and stored procedures of databases, and BigQuery."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final

from aerodrome.migration.convert import symbols
from aerodrome.migration.convert.contract import Expression, Symbol
from aerodrome.migration.convert.controlm.definitions.texts import chunks_of, plain_lines
from aerodrome.migration.convert.controlm.jobs.workbench import Workbench
from aerodrome.migration.convert.controlm.plugins.details import detail, profile_of

BIGQUERY: Final = Symbol(
    "BigQueryInsertJobOperator",
    {
        "2.11": "airflow.providers.google.cloud.operators.bigquery",
        "3.3": "airflow.providers.google.cloud.operators.bigquery",
    },
    {"2.11": "apache-airflow-providers-google", "3.3": "apache-airflow-providers-google"},
)


def database(bench: Workbench) -> None:
    details = bench.job.details
    query = detail(
        details,
        (
            "query",
            "sqlquery",
            "sqlstatement",
            "statement",
            "embeddedquery",
            "sqlcommand",
            "snowflakesqlstatement",
            "redshiftsqlstatement",
            "loadredshiftsqlstatement",
        ),
    )
    kind = detail(details, ("exectype",)).lower()
    query = query or chunks_of(details, "qtxt")
    script = detail(details, ("sqlscript", "script", "hivescript", "scriptfile"))
    procedure = detail(details, ("storedprocedure", "stpname", "procedure"))
    if kind and not any(word in kind for word in ("query", "script", "procedure")):
        bench.fail("database-kind", f"Database jobs of the kind {kind} are not converted.")
        return
    if "query" in kind:
        procedure = script = ""
    if procedure:
        schema = detail(details, ("schema", "stpschem"))
        package = detail(details, ("package", "stppackage"))
        values = _parameters(details)
        query = f"CALL {'.'.join(filter(None, (schema, package, procedure)))}({', '.join(values)})"
        if values:
            bench.note(
                "procedure-parameters",
                "The parameters of the stored procedure stand in its CALL, in the order of the export: texts and dates in quotes where the export says their type, others as they are.",
            )
    if not query and script:
        bench.note("sql-script", f"Copy {script} into dags/sql/ of this project: in Control-M it lies on the agent.")
        name = re.split(r"[\\/]", script)[-1]
        query = f"sql/{name}"
        query = query if query.endswith(".sql") else f"{query}.sql"
    if not query:
        bench.fail("database-empty", "The database job has no query, script or stored procedure that is understood.")
        return
    profile = profile_of(details) or bench.job.run_as or "database"
    conn_id = bench.profile(
        profile,
        {"hive": "hiveserver2", "snowflake": "snowflake", "redshift": "redshift"}.get(bench.job.kind, "generic"),
    )
    bench.step("", symbols.SQL, ("conn_id", conn_id), ("sql", bench.text(plain_lines(query))))


def bigquery(bench: Workbench) -> None:
    details = bench.job.details
    query = detail(details, ("sqlstatement", "query", "sqlquery", "runsqlquery"))
    if not query:
        bench.fail("bigquery-action", "Only BigQuery jobs that run a query are converted.")
        return
    if detail(details, ("runselectqueryandcopytotable",)):
        bench.fail("bigquery-action", "BigQuery jobs that copy the result of a query into a table are not converted.")
        return
    configuration: dict[str, Expression] = {"query": {"query": bench.text(plain_lines(query)), "useLegacySql": False}}
    project = detail(details, ("projectname", "projectid", "project"))
    conn_id = bench.profile(profile_of(details) or "google_cloud", "google_cloud_platform")
    extra: list[tuple[str, Expression]] = [("project_id", bench.text(project))] if project else []
    bench.step("", BIGQUERY, ("configuration", configuration), ("gcp_conn_id", conn_id), *extra)


def _literal(item: Mapping[str, object]) -> str:
    """Give a parameter as SQL writes it: in quotes when its type is a text or a date."""
    value = str(item.get("Value", item.get("value", "")))
    is_text = re.search(r"char|text|string|clob|date|time|uuid", str(item.get("Type", "")), re.IGNORECASE) is not None
    is_quoted = len(value) > 1 and value[0] == value[-1] == "'"
    return "'" + value.replace("'", "''") + "'" if is_text and not is_quoted else value


def _parameters(details: Mapping[str, str]) -> list[str]:
    """Give the parameters of a stored procedure: JSON lists of name and value, or numbered variables of XML exports."""
    if listed := details.get("Parameters") or details.get("STPParameters"):
        try:
            return [_literal(item) if isinstance(item, dict) else str(item) for item in json.loads(listed)]
        except (json.JSONDecodeError, AttributeError):
            return []
    numbered = sorted(
        (key, value) for key, value in details.items() if re.search(r"STP_PARAMS?-?P?\d+.*VALUE", key, re.IGNORECASE)
    )
    return [value for _, value in numbered]
