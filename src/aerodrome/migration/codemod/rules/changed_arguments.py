"""Arguments that the constructors of operators, sensors and hooks renamed or gave up, by a table of every provider."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.arguments import Arguments, changed_arguments
from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.editing import drop_item, has_open_end, keyword, rename_keyword
from aerodrome.migration.codemod.moves import table
from aerodrome.migration.codemod.rules.derived import base_of, derived
from aerodrome.migration.codemod.rules.receivers import made_by_super
from aerodrome.migration.codemod.source import Source

_THREE = 3
_CORE_OF_2 = ("airflow.providers.standard.", "airflow.sdk.")
"""What Airflow 2 itself brings still takes its old arguments."""

_IDLE = {
    "airflow.providers.slack.operators.slack_webhook.SlackWebhookOperator": frozenset({"link_names"}),
    "airflow.providers.google.cloud.transfers.azure_blob_to_gcs.AzureBlobStorageToGCSOperator": frozenset(
        {"file_path"}
    ),
}
"""What changes nothing that is done when it goes: a field that Slack does not read any more, the place of a temporary file."""


_HINTS = {
    "airflow.providers.amazon.aws.hooks.lambda_function.LambdaHook": "Give it to invoke_lambda(…) of the hook, which takes it today."
}


def _entry(source: Source, call: ast.Call) -> tuple[str, Arguments] | None:
    return _known(source.meanings(call.func) | made_by_super(source, call))


def _known(meanings: frozenset[str]) -> tuple[str, Arguments] | None:
    known, moves = changed_arguments(), table().moves
    for meaning in sorted(meanings):
        name = moves.get(meaning, meaning)
        if name in known:
            return name, known[name]
    return None


def _without(entry: Arguments, own: frozenset[str]) -> Arguments:
    """Leave out what the project's own classes take, and what they may be required to say."""
    said = own | {entry.renamed[word] for word in own if word in entry.renamed}
    rest = {old: new for old, new in entry.renamed.items() if old not in own}
    renamed = {old: new for old, new in rest.items() if new not in said}
    return Arguments(renamed, (entry.removed | rest.keys() - renamed.keys()) - own, ())


def _find(source: Source, options: Options) -> Iterator[Change | Spot]:
    yield from _attributes(source)
    through = {item.call: item for item in derived(source)}
    for call in source.each(ast.Call):
        if not call.keywords:
            continue
        found = _entry(source, call)
        if found is None and call in through:
            behind = _known(through[call].old)
            found = (behind[0], _without(behind[1], through[call].own)) if behind else None
        if found is None:
            continue
        name, entry = found
        if options.major < _THREE and name.startswith(_CORE_OF_2):
            continue
        title = name.rpartition(".")[2]
        idle = _IDLE.get(name, frozenset())
        edits = [*_edits(source, call, entry), *(drop_item(source, item) for item in call.keywords if item.arg in idle)]
        if edits:
            yield Change(tuple(edits))
        for item in call.keywords:
            if item.arg in idle:
                continue
            if (item.arg in entry.removed and not _is_nothing(item.value)) or _is_in_doubt(source, call, item, entry):
                new = entry.renamed.get(str(item.arg))
                hint = _HINTS.get(name, f"See what {title} of the new provider offers for it.")
                hint = f"{title} has `{new}` for it." if new else hint
                yield Spot(item.value.lineno, f"{title} does not take `{item.arg}` any more.", hint)
        missing = [word for word in entry.required if not keyword(call, word)]
        if missing and not call.args and not has_open_end(call) and keyword(call, "task_id"):
            yield Spot(
                call.lineno,
                f"{title} needs `{'`, `'.join(missing)}` now.",
                "Say it from what the old arguments meant.",
            )


def _attributes(source: Source) -> Iterator[Spot]:
    """Give what a derived class asks of itself by the name of an argument that its base calls otherwise now."""
    for node in source.each(ast.ClassDef):
        found = _known(base_of(source, node))
        if found is None:
            continue
        attributes = [
            item
            for item in ast.walk(node)
            if isinstance(item, ast.Attribute)
            and getattr(item.value, "id", "") == "self"
            and item.attr in found[1].renamed
        ]
        written = {item.attr for item in attributes if isinstance(item.ctx, ast.Store)}
        written |= {item.name for item in node.body if isinstance(item, ast.FunctionDef)}
        for item in attributes:
            if item.attr not in written and item.attr != found[1].renamed[item.attr]:
                title = found[0].rpartition(".")[2]
                yield Spot(
                    item.lineno,
                    f"{title} has no `{item.attr}` any more, which {node.name} asks of itself.",
                    f"It is `{found[1].renamed[item.attr]}`.",
                )


def _edits(source: Source, call: ast.Call, entry: Arguments) -> Iterator[Edit]:
    taken: set[str] = set()
    for item in call.keywords:
        new = entry.renamed.get(str(item.arg))
        if new and not keyword(call, new) and new not in taken:
            taken.add(new)
            yield rename_keyword(source, item, new)
        elif (new and not _is_in_doubt(source, call, item, entry)) or (
            item.arg in entry.removed and _is_nothing(item.value)
        ):
            yield drop_item(source, item)


def _is_in_doubt(source: Source, call: ast.Call, item: ast.keyword, entry: Arguments) -> bool:
    """Tell whether another argument says something else under the new name."""
    new = entry.renamed.get(str(item.arg))
    if not new:
        return False
    others = [
        other for other in call.keywords if other is not item and new in (other.arg, entry.renamed.get(str(other.arg)))
    ]
    return any(source.code(other.value) != source.code(item.value) for other in others)


def _is_nothing(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


RULE = Rule(
    code="changed-argument",
    title="Arguments of operators get the names that their providers gave them; those that are gone are found",
    words=(b"Operator", b"Sensor", b"Transfer", b"Hook"),
    before="""
from airflow.providers.google.cloud.transfers.gcs_to_bigquery import GCSToBigQueryOperator

load = GCSToBigQueryOperator(
    task_id="load",
    bucket="shop",
    source_objects=["sales.csv"],
    destination_project_dataset_table="shop.sales",
    bigquery_conn_id="warehouse",
    google_cloud_storage_conn_id="warehouse",
    delegate_to=None,
)
""",
    after="""
from airflow.providers.google.cloud.transfers.gcs_to_bigquery import GCSToBigQueryOperator

load = GCSToBigQueryOperator(
    task_id="load",
    bucket="shop",
    source_objects=["sales.csv"],
    destination_project_dataset_table="shop.sales",
    gcp_conn_id="warehouse",
)
""",
    find=_find,
    is_for_2=True,
)
