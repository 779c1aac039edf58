"""BigQueryCreateExternalTableOperator, which became a table's resource in the words of Google's API.

The mapping is that of the old hook (apache-airflow-providers-google 10.17, hooks/bigquery.py: create_external_table), with its defaults. A schema in
Cloud Storage is read by the new operator when it runs (gcs_schema_object) and put beside the external data, where 10.18 and newer put every schema.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.editing import before_statement, has_open_end
from aerodrome.migration.codemod.rules import dags, delegation
from aerodrome.migration.codemod.rules.bigquery import CONNECTIONS, TASK
from aerodrome.migration.codemod.rules.calls import rewritten
from aerodrome.migration.codemod.source import Source

_MODULE = "airflow.providers.google.cloud.operators.bigquery"
_OLD = frozenset(
    f"{module}.BigQueryCreateExternalTableOperator"
    for module in ("airflow.contrib.operators.bigquery_operator", _MODULE)
)
_CREATE = "BigQueryCreateTableOperator"
_PLACE = "_bigquery_place"
_PLACE_TEXT = f'''def {_PLACE}(name):
    """Give project.dataset.table as arguments, as BigQueryHook divided it; within {{{{ }}}} nothing divides."""
    *head, rest = re.split(r":(?![^{{]*\\}}\\}})", name)
    *words, table = re.split(r"\\.(?![^{{]*\\}}\\}})", rest)
    dataset = words.pop() if words else ""  # the task fails, and not the file
    project = ":".join(head) or ".".join(words)
    return {{"dataset_id": dataset, "table_id": table}} | ({{"project_id": project}} if project else {{}})


'''
"""Goes into a file whose tables only the running file knows."""
_CSV = {
    "skip_leading_rows": ("skipLeadingRows", "0"),
    "field_delimiter": ("fieldDelimiter", '","'),
    "quote_character": ("quote", ""),
    "allow_quoted_newlines": ("allowQuotedNewlines", "False"),
    "allow_jagged_rows": ("allowJaggedRows", "False"),
}
_STORED = ("schema_object", "gcs_schema_bucket", "google_cloud_storage_conn_id")
_ID = re.compile(r"[\w$-]+")
_PARTS = (2, 3)  # dataset and table, with the project before them or without


def _find(source: Source, _options: Options) -> Iterator[Change | Spot]:
    if not source.is_free(_CREATE, f"{_MODULE}.{_CREATE}"):
        return
    is_made = False
    for call in source.each(ast.Call):
        if not source.means(call.func, _OLD):
            continue
        arguments = None if has_open_end(call) or call.args else _arguments(source, call)
        if arguments is None:
            yield Spot(
                call.lineno,
                "The operator that makes an external table takes the table in the words of Google's API.",
                f'Write {_CREATE}(dataset_id=…, table_id=…, table_resource={{"externalDataConfiguration": {{…}}}}).',
            )
            continue
        change = rewritten(source, call, _MODULE, _CREATE, arguments)
        if any(item.startswith(f"**{_PLACE}(") for item in arguments) and not source.top.bound.get(_PLACE):
            if is_made:
                continue  # the function is made for another one this time; the next round finds it there
            is_made = True
            at = before_statement(source, call)
            function = Edit(at, at, _PLACE_TEXT.replace("\n", source.newline.decode()))
            change = replace(change, edits=(function, *change.edits), imports=(("re", ""), *change.imports))
        yield delegation.noted(call, change)


def _arguments(source: Source, call: ast.Call) -> list[str] | None:
    items = {
        str(item.arg): item.value
        for item in call.keywords
        if not (isinstance(item.value, ast.Constant) and item.value.value is None)
    }
    rest: list[str] = []
    for name in [*items]:
        if name in CONNECTIONS:
            rest.append(f"gcp_conn_id={source.code(items.pop(name))}")
        elif name == delegation.OLD:
            rest.append(f"{delegation.NEW}={source.code(items.pop(name))}")
        elif name in TASK:
            rest.append(f"{name}={source.code(items.pop(name))}")
    stored = {name: items.pop(name) for name in _STORED if name in items}
    resource = items.pop("table_resource", None)
    if resource is not None:
        # the operator looked at nothing else then, not at a schema in Cloud Storage either (6.4 to 15.1)
        place = None if items.keys() - {"bucket", "source_objects"} else _of_resource(source, resource)
        text = source.code(resource)
    else:
        if "schema_object" in stored:
            if "schema_fields" in items or "bucket" not in items or _kind(items) == "DATASTORE_BACKUP":
                return None  # which of the two it is can be seen only when it runs; a backup of Datastore has a schema of its own
            rest += _schema(source, stored, items["bucket"])
        told = items.pop("destination_project_dataset_table", None)
        place = _of_name(source, told) or _at_run_time(source, told)
        text = _resource(source, items) or ""
    if not place or not text:
        return None
    is_open = place[0].startswith("**")
    return [*rest, f"table_resource={text}", *place] if is_open else [*rest, *place, f"table_resource={text}"]


def _at_run_time(source: Source, value: ast.expr | None) -> list[str] | None:
    """Have the running file divide a name that it alone knows; what a template says of it, not even that file knows."""
    if not isinstance(value, ast.Call | ast.Name | ast.Attribute | ast.Subscript | ast.JoinedStr):
        return None
    code = source.code(value)
    return None if "{{" in code else [f"**{_PLACE}({code})"]


def _schema(source: Source, stored: dict[str, ast.expr], bucket: ast.expr) -> Iterator[str]:
    """Give the schema's place in Cloud Storage; the operator reads it from there when it runs, as the old one did."""
    place = stored.get("gcs_schema_bucket", bucket)
    yield f'gcs_schema_object="gs://" + {_operand(source, place)} + "/" + {_operand(source, stored["schema_object"])}'
    if "google_cloud_storage_conn_id" in stored:
        yield f"google_cloud_storage_conn_id={source.code(stored['google_cloud_storage_conn_id'])}"


def _operand(source: Source, node: ast.expr) -> str:
    is_one = isinstance(node, ast.Name | ast.Constant | ast.JoinedStr | ast.Attribute | ast.Call | ast.Subscript)
    return source.code(node) if is_one else f"({source.code(node)})"


def _kind(items: dict[str, ast.expr]) -> object:
    form = items.get("source_format")
    return "CSV" if form is None else getattr(form, "value", None)


def _of_resource(source: Source, resource: ast.expr) -> list[str] | None:
    """Give the arguments that the resource's own tableReference is."""
    mapping = dags.constant(source, resource)
    found = dags.entry(mapping, "tableReference") if isinstance(mapping, ast.Dict) else None
    if found is None or not isinstance(found[1], ast.Dict):
        return None
    values = {key: dags.entry(found[1], key) for key in ("projectId", "datasetId", "tableId")}
    names = {"projectId": "project_id", "datasetId": "dataset_id", "tableId": "table_id"}
    if not values["datasetId"] or not values["tableId"]:
        return None
    return [f"{names[key]}={source.code(value[1])}" for key, value in values.items() if value]


def _of_name(source: Source, value: ast.expr | None) -> list[str] | None:
    """Split "project.dataset.table" or f"{DATASET}.table" where each part is seen to be one."""
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        words = value.value.replace(":", ".").split(".")
        parts = [f'"{word}"' for word in words] if all(_ID.fullmatch(word) for word in words) else []
    elif isinstance(value, ast.JoinedStr):
        parts = _formatted(source, value)
    else:
        parts = []
    if len(parts) not in _PARTS:
        return None
    return [
        f"{name}={part}" for name, part in zip(("table_id", "dataset_id", "project_id"), reversed(parts), strict=False)
    ][::-1]


def _formatted(source: Source, value: ast.JoinedStr) -> list[str]:
    groups: list[list[str]] = [[]]
    for item in value.values:
        if isinstance(item, ast.Constant):
            for index, word in enumerate(str(item.value).split(".")):
                if index:
                    groups.append([])
                if word and not _ID.fullmatch(word):
                    return []
                groups[-1] += [word] if word else []
        elif isinstance(item, ast.FormattedValue) and item.conversion == -1 and not item.format_spec:
            if not _is_one_word(source, item.value):
                return []
            groups[-1].append("{" + source.code(item.value) + "}")
    if not all(groups):
        return []
    texts = ["".join(group) for group in groups]
    if any('"' in text for text in texts):
        return []
    return [
        text[1:-1] if len(group) == 1 and text[0] == "{" else f'f"{text}"' if "{" in text else f'"{text}"'
        for text, group in zip(texts, groups, strict=True)
    ]


def _is_one_word(source: Source, node: ast.expr) -> bool:
    """Tell whether a name holds no dot: a text, or what the environment says instead of such a text."""
    value = dags.constant(source, node)
    if isinstance(value, ast.Call):
        is_read = source.means(value.func, ("os.environ.get", "os.getenv")) and len(value.args) in _PARTS
        value = value.args[-1] if is_read else value
    return isinstance(value, ast.Constant) and isinstance(value.value, str) and _ID.fullmatch(value.value) is not None


def _resource(source: Source, items: dict[str, ast.expr]) -> str | None:
    bucket, objects = items.pop("bucket", None), items.pop("source_objects", None)
    kind = _kind(items)
    items.pop("source_format", None)
    if bucket is None or objects is None or not isinstance(kind, str) or kind == "GOOGLE_SHEETS":
        return None

    def code(name: str, default: str) -> str:
        return source.code(items.pop(name)) if name in items else default

    outer = {
        "autodetect": code("autodetect", "False"),
        "sourceFormat": f'"{kind}"',
        "sourceUris": f'["gs://" + {source.code(bucket)} + "/" + name for name in {source.code(objects)}]',
        "compression": code("compression", '"NONE"'),
    }
    if "max_bad_records" in items:
        outer["maxBadRecords"] = code("max_bad_records", "0")
    if "schema_fields" in items:
        outer["schema"] = f'{{"fields": {code("schema_fields", "")}}}'
    options = {new: text for old, (new, default) in _CSV.items() if (text := code(old, default))}
    if kind == "CSV":
        outer["csvOptions"] = "{" + ", ".join(f'"{name}": {text}' for name, text in options.items()) + "}"
    table = {"externalDataConfiguration": "{" + ", ".join(f'"{name}": {text}' for name, text in outer.items()) + "}"}
    if "labels" in items:
        table["labels"] = code("labels", "")
    if "encryption_configuration" in items:
        table["encryptionConfiguration"] = code("encryption_configuration", "")
    return None if items else "{" + ", ".join(f'"{name}": {text}' for name, text in table.items()) + "}"


RULE = Rule(
    code="bigquery-external-table",
    title="BigQueryCreateExternalTableOperator becomes BigQueryCreateTableOperator(table_resource=…)",
    words=(b"BigQueryCreateExternalTableOperator",),
    before="""
from airflow.providers.google.cloud.operators.bigquery import BigQueryCreateExternalTableOperator

DATASET = "shop"
make = BigQueryCreateExternalTableOperator(
    task_id="make",
    bucket="sales",
    source_objects=["2024.csv"],
    destination_project_dataset_table=f"{DATASET}.sales",
    skip_leading_rows=1,
    schema_fields=FIELDS,
)
""",
    after="""
from airflow.providers.google.cloud.operators.bigquery import BigQueryCreateExternalTableOperator
from airflow.providers.google.cloud.operators.bigquery import BigQueryCreateTableOperator

DATASET = "shop"
make = BigQueryCreateTableOperator(
    task_id="make",
    dataset_id=DATASET,
    table_id="sales",
    table_resource={"externalDataConfiguration": {"autodetect": False, "sourceFormat": "CSV", "sourceUris": ["gs://" + "sales" + "/" + name for name in ["2024.csv"]], "compression": "NONE", "schema": {"fields": FIELDS}, "csvOptions": {"skipLeadingRows": 1, "fieldDelimiter": ",", "allowQuotedNewlines": False, "allowJaggedRows": False}}},
)
""",
    find=_find,
    is_for_2=True,
)
