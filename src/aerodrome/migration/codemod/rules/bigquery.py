"""BigQuery operators that became requests in the words of Google's API: a query job, a table's resource.

The mapping is that of the old hooks (apache-airflow-providers-google 10.17, hooks/bigquery.py: run_query, create_empty_table).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.editing import before_statement, has_open_end
from aerodrome.migration.codemod.rules import delegation
from aerodrome.migration.codemod.rules.calls import TASK_ARGUMENTS, rewritten
from aerodrome.migration.codemod.source import Source

_MODULE = "airflow.providers.google.cloud.operators.bigquery"
_OLD = ("airflow.contrib.operators.bigquery_operator", "airflow.operators.bigquery_operator", _MODULE)
_QUERY = frozenset(
    f"{module}.{name}" for module in _OLD for name in ("BigQueryOperator", "BigQueryExecuteQueryOperator")
)
_TABLE = frozenset(f"{module}.BigQueryCreateEmptyTableOperator" for module in _OLD)
_JOB, _CREATE = "BigQueryInsertJobOperator", "BigQueryCreateTableOperator"
TASK = TASK_ARGUMENTS | {"impersonation_chain", "location"}
CONNECTIONS = ("bigquery_conn_id", "gcp_conn_id", "google_cloud_conn_id")
_OF_1 = frozenset({"udf_config", "api_resource_configs", "sla"})
"""Arguments of 1.10.15 that have no place in the job; what is not among them and the others was ignored there."""
_IN_QUERY = {
    "use_legacy_sql": "useLegacySql",
    "write_disposition": "writeDisposition",
    "create_disposition": "createDisposition",
    "allow_large_results": "allowLargeResults",
    "flatten_results": "flattenResults",
    "maximum_billing_tier": "maximumBillingTier",
    "maximum_bytes_billed": "maximumBytesBilled",
    "schema_update_options": "schemaUpdateOptions",
    "query_params": "queryParameters",
    "priority": "priority",
    "time_partitioning": "timePartitioning",
    "encryption_configuration": "destinationEncryptionConfiguration",
}
_IN_TABLE = {
    "time_partitioning": "timePartitioning",
    "labels": "labels",
    "view": "view",
    "materialized_view": "materializedView",
    "encryption_configuration": "encryptionConfiguration",
}
_AS_ONE = {"destination_dataset_table", "query_params", "write_disposition", "schema_update_options"}
"""What a job of one statement alone can have."""
_NAMES = ("projectId", "datasetId", "tableId")
_OF_DESTINATION = {"writeDisposition", "createDisposition", "allowLargeResults", "flattenResults"}
_PATH = re.compile(r"(?:((?:[^.:{}]|\{\{.*?\}\})+)[.:])?((?:[^.:{}]|\{\{.*?\}\})+)\.((?:[^.:{}]|\{\{.*?\}\})+)")


_SPLIT = "_bigquery_table"
_SPLIT_TEXT = f'''def {_SPLIT}(name):
    """Give project.dataset.table in the words of Google's API, as BigQueryHook divided it; within {{{{ }}}} nothing divides."""
    if name is None:
        return None
    *head, rest = re.split(r":(?![^{{]*\\}}\\}})", name)
    *words, dataset, table = re.split(r"\\.(?![^{{]*\\}}\\}})", rest)
    project = ":".join(head) or ".".join(words)
    return {{"datasetId": dataset, "tableId": table}} | ({{"projectId": project}} if project else {{}})


'''
"""Goes into a file whose tables only the running file knows."""


def _queries(source: Source, options: Options) -> Iterator[Change | Spot]:
    if not source.is_free(_JOB, f"{_MODULE}.{_JOB}"):
        return
    is_made = False
    for call in source.each(ast.Call):
        if not source.means(call.func, _QUERY):
            continue
        text = None if has_open_end(call) or call.args else _query_job(source, call, options)
        if text is None:
            yield Spot(
                call.lineno,
                "The operator that runs a query became a job in the words of Google's API.",
                f'Write {_JOB}(configuration={{"query": {{"query": …, "useLegacySql": …}}}}).',
            )
            continue
        change = rewritten(source, call, _MODULE, _JOB, text)
        if any(f": {_SPLIT}(" in item for item in text) and not source.top.bound.get(_SPLIT):
            if is_made:
                continue  # the function is made for another one this time; the next round finds it there
            is_made = True
            at = before_statement(source, call)
            function = Edit(at, at, _SPLIT_TEXT.replace("\n", source.newline.decode()))
            change = replace(change, edits=(function, *change.edits), imports=(("re", ""), *change.imports))
        yield delegation.noted(call, change)


def _query_job(source: Source, call: ast.Call, options: Options) -> list[str] | None:
    items = {str(item.arg): item.value for item in call.keywords}
    sql = items.pop("sql", None) or items.pop("bql", None)
    if sql is None or (isinstance(sql, ast.List | ast.Tuple) and not _is_script(sql, items)):
        return None
    is_of_1 = any(".contrib." in name for name in source.meanings(call.func))
    is_many = isinstance(sql, ast.List | ast.Tuple)
    query = {"query": f'";\\n".join({source.code(sql)})' if is_many else source.code(sql), "useLegacySql": "True"}
    rest: list[str] = []
    outer: dict[str, str] = {}
    for name, value in items.items():
        code = source.code(value)
        is_none = isinstance(value, ast.Constant) and value.value is None
        if is_none and name not in TASK:
            continue
        if name in _IN_QUERY:
            query[_IN_QUERY[name]] = code
        elif name == "cluster_fields":
            query["clustering"] = f'{{"fields": {code}}}'
        elif name == "labels":
            outer["labels"] = code
        elif name == "destination_dataset_table":
            if (table := _table(source, value)) is None:
                return None
            query["destinationTable"] = table
        elif name in CONNECTIONS:
            rest.append(f"gcp_conn_id={code}")
        elif name in TASK:
            rest.append(f"{name}={code}")
        elif name == delegation.OLD:
            rest.append(f"{delegation.NEW}={code}")
        elif not is_of_1 or name in _OF_1:
            return None  # else Airflow 1.10 did not know it either, and went on
    if "destinationTable" not in query:  # without one they never had an effect (hooks/bigquery.py: run_query)
        query = {name: code for name, code in query.items() if name not in _OF_DESTINATION}
    else:  # what the old operator said when nobody else did
        query.setdefault("writeDisposition", '"WRITE_EMPTY"')
        query.setdefault("createDisposition", '"CREATE_IF_NEEDED"')
    if is_of_1 and options.source_version[:1] in ("", "1") and not any(name in items for name in CONNECTIONS):
        rest.append('gcp_conn_id="bigquery_default"')  # its default; today's is google_cloud_default
    inner = ", ".join(f'"{name}": {code}' for name, code in query.items())
    extra = "".join(f', "{name}": {code}' for name, code in outer.items())
    return [*rest, f'configuration={{"query": {{{inner}}}{extra}}}']


def _is_script(sql: ast.List | ast.Tuple, items: dict[str, ast.expr]) -> bool:
    """Tell whether several statements can be one script of GoogleSQL: it does them in order, too, and ends at the first that fails."""
    is_standard = getattr(items.get("use_legacy_sql"), "value", True) is False
    texts = all(isinstance(item, ast.JoinedStr | ast.Constant) for item in sql.elts)
    lasts = (item.values[-1] if isinstance(item, ast.JoinedStr) and item.values else item for item in sql.elts)
    endings = (str(item.value) for item in lasts if isinstance(item, ast.Constant))
    is_plain = not any(text.rstrip().endswith((";", ".sql")) for text in endings)
    return is_standard and texts and is_plain and bool(sql.elts) and not _AS_ONE & items.keys()


def _table(source: Source, value: ast.expr) -> str | None:
    if isinstance(value, ast.JoinedStr) and (table := _formatted(source.code(value))):
        return table
    if not isinstance(value, ast.Constant):
        is_free = source.top.bound.get(_SPLIT) or (source.is_free(_SPLIT, "") and source.is_free("re", "re"))
        return f"{_SPLIT}({source.code(value)})" if is_free else None
    if not isinstance(value.value, str) or '"' in value.value:
        return None
    if (match := _PATH.fullmatch(value.value)) is None:
        return None
    names = zip(_NAMES, match.groups(), strict=True)
    return "{" + ", ".join(f'"{key}": "{name}"' for key, name in names if name) + "}"


def _formatted(code: str) -> str | None:
    """Split f"{PROJECT}.{DATASET}.sales" at the dots between the braces."""
    quote = code[-1]
    if code[:2] != f"f{quote}" or code.count(quote) != 2:
        return None
    words, depth = [""], 0
    for char in code[2:-1]:
        depth += (char == "{") - (char == "}")
        if depth == 0 and (char == "." or (char == ":" and len(words) == 1)):
            words.append("")
        else:
            words[-1] += char
    if len(words) != len(_NAMES) or not all(words):
        return None
    return "{" + ", ".join(f'"{key}": f{quote}{word}{quote}' for key, word in zip(_NAMES, words, strict=True)) + "}"


def _tables(source: Source, _options: Options) -> Iterator[Change | Spot]:
    if not source.is_free(_CREATE, f"{_MODULE}.{_CREATE}"):
        return
    for call in source.each(ast.Call):
        if not source.means(call.func, _TABLE):
            continue
        text = None if has_open_end(call) or call.args else _table_resource(source, call)
        if text is None:
            yield Spot(
                call.lineno,
                "The operator that makes an empty table takes the table in the words of Google's API.",
                f'Write {_CREATE}(table_resource={{"schema": {{"fields": […]}}}}).',
            )
            continue
        yield rewritten(source, call, _MODULE, _CREATE, text)


def _table_resource(source: Source, call: ast.Call) -> list[str] | None:
    resource: dict[str, str] = {}
    rest: list[str] = []
    for item in call.keywords:
        name, code = str(item.arg), source.code(item.value)
        value = item.value.value if isinstance(item.value, ast.Constant) else ...
        if value is None:
            continue
        if name == "schema_fields":
            resource["schema"] = f'{{"fields": {code}}}'
        elif name == "cluster_fields":
            resource["clustering"] = f'{{"fields": {code}}}'
        elif name in _IN_TABLE:
            resource[_IN_TABLE[name]] = code
        elif name == "exists_ok" and isinstance(value, bool):
            rest += [] if value else ['if_exists="fail"']
        elif name in CONNECTIONS:
            rest.append(f"gcp_conn_id={code}")
        elif name in TASK or name in ("dataset_id", "table_id", "project_id", "gcs_schema_object", "google_cloud_storage_conn_id", "if_exists", "table_resource"):  # fmt: skip
            rest.append(f"{name}={code}")
        else:
            return None
    if any(text.startswith("table_resource=") for text in rest):
        return None if resource else rest
    return [*rest, "table_resource={" + ", ".join(f'"{name}": {code}' for name, code in resource.items()) + "}"]


QUERY = Rule(
    code="bigquery-query",
    title="BigQueryOperator becomes BigQueryInsertJobOperator(configuration=…)",
    words=(b"BigQueryOperator", b"BigQueryExecuteQueryOperator"),
    before="""
from airflow.contrib.operators.bigquery_operator import BigQueryOperator

load = BigQueryOperator(
    task_id="load",
    sql="select 1",
    use_legacy_sql=False,
    destination_dataset_table="shop.sales",
    bigquery_conn_id="warehouse",
)
""",
    after="""
from airflow.contrib.operators.bigquery_operator import BigQueryOperator
from airflow.providers.google.cloud.operators.bigquery import BigQueryInsertJobOperator

load = BigQueryInsertJobOperator(
    task_id="load",
    gcp_conn_id="warehouse",
    configuration={"query": {"query": "select 1", "useLegacySql": False, "destinationTable": {"datasetId": "shop", "tableId": "sales"}, "writeDisposition": "WRITE_EMPTY", "createDisposition": "CREATE_IF_NEEDED"}},
)
""",
    find=_queries,
    is_for_2=True,
)
TABLE = Rule(
    code="bigquery-table",
    title="BigQueryCreateEmptyTableOperator becomes BigQueryCreateTableOperator(table_resource=…)",
    words=(b"BigQueryCreateEmptyTableOperator",),
    before="""
from airflow.providers.google.cloud.operators.bigquery import BigQueryCreateEmptyTableOperator

make = BigQueryCreateEmptyTableOperator(task_id="make", dataset_id="shop", table_id="sales", schema_fields=FIELDS)
""",
    after="""
from airflow.providers.google.cloud.operators.bigquery import BigQueryCreateEmptyTableOperator
from airflow.providers.google.cloud.operators.bigquery import BigQueryCreateTableOperator

make = BigQueryCreateTableOperator(task_id="make", dataset_id="shop", table_id="sales", table_resource={"schema": {"fields": FIELDS}})
""",
    find=_tables,
    is_for_2=True,
)
