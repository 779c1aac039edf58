"""The events of datasets that triggered a run: their attributes, and the keys of the mapping, which were addresses and are assets.

Read: `triggering_dataset_events` and DatasetEvent of 2.11.2; TriggeringAssetEventsAccessor and AssetEventDagRunReferenceResult of 3.3.2. The mapping
of Airflow 3 also has the aliases that events came by, with the same events once more.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.editing import replace
from aerodrome.migration.codemod.rules.receivers import values_of_name
from aerodrome.migration.codemod.rules.tasks import context_value, may_be_context
from aerodrome.migration.codemod.rules.written_for import original
from aerodrome.migration.codemod.source import Source
from aerodrome.migration.codemod.templates import rewrite_node, texts

_MAPPINGS = ("triggering_asset_events", "triggering_dataset_events")
_RENAMED = {"dataset": "asset", "uri": "asset.uri"}
_GONE = {
    "dataset_id": "Take event.asset.uri or event.asset.name.",
    "id": "An event has no number any more; take its source_run_id and timestamp.",
    "created_dagruns": "Ask the REST API: GET /api/v2/assets/events.",
}
_KEY = re.compile(
    r"\bfor\s+(\w+)\s*(?:,\s*\w+)?\s+in\s+triggering_(?:asset|dataset)_events(?:\.items\(\)|\.keys\(\)|\s|$)"
)
_IN_TEMPLATE = re.compile(r"(?<=\.)dataset\b(?!\s*\()")
_DATE_OF_RUN = re.compile(r"(?<=\bsource_dag_run\.)execution_date\b")
_DEPTH = 5


def rewrite_inside(text: str, quote: str) -> tuple[str, int]:
    """Rename what an event has, in a Jinja block that names the events themselves."""
    return _renamed(text, quote) if any(name in text for name in _MAPPINGS) else (text, 0)


def _renamed(text: str, _quote: str) -> tuple[str, int]:
    text, of_assets = _IN_TEMPLATE.subn("asset", text)
    text, of_runs = _DATE_OF_RUN.subn("logical_date", text)
    return text, of_assets + of_runs


def _find(source: Source, options: Options) -> Iterator[Change | Spot]:
    for node in source.each(ast.Attribute):
        if isinstance(node.ctx, ast.Load):
            yield from _attribute(source, node)
    is_old = _is_of_datasets(source, options)
    for place, key in _looked_for(source):
        if is_old or _is_text(key):
            yield _by_text(source, place, key)
    if is_old:
        for loop in _all_loops(source):
            if change := _keys(source, loop):
                yield change
        yield from _all_keys(source)
    yield from _templates(source)


def _looked_for(source: Source) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Give where something is looked for among the events, and what; another rule has texts in brackets."""
    for call in source.each(ast.Call):
        func = call.func
        if (
            isinstance(func, ast.Attribute)
            and func.attr in ("get", "pop")
            and call.args
            and _is_mapping(source, func.value)
        ):
            yield call, call.args[0]
    for compare in source.each(ast.Compare):
        for op, right in zip(compare.ops, compare.comparators, strict=True):
            if isinstance(op, ast.In | ast.NotIn) and _is_mapping(source, right):
                yield compare, compare.left
    for item in source.each(ast.Subscript):
        is_told = isinstance(item.slice, ast.Constant) and context_value(source, item.value) in _MAPPINGS
        if not is_told and _is_mapping(source, item.value):
            yield item, item.slice


def _is_of_datasets(source: Source, options: Options) -> bool:
    """Tell whether the file was written for Airflow 2, where keys are addresses."""
    return b"triggering_dataset_events" in original(source, options)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _by_text(source: Source, node: ast.expr, key: ast.expr) -> Spot:
    code = source.code(key)
    return Spot(
        node.lineno,
        f"Events of assets are not found by a text ({code}) any more.",
        f"Write Asset.ref(uri={code}), or AssetAlias({code}) for an alias, from airflow.sdk.",
    )


def _is_mapping(source: Source, node: ast.expr) -> bool:
    """Tell whether an expression is the mapping: by the context, or a name for what the context gives."""
    if isinstance(node, ast.Name) and context_value(source, node) not in _MAPPINGS:
        values = values_of_name(source, node)
        return len(values) == 1 and values[0] is not None and _is_given(source, values[0])
    return context_value(source, node) in _MAPPINGS or _is_given(source, node)


def _is_given(source: Source, node: ast.expr) -> bool:
    """Tell whether an expression is `context["triggering_…"]` or `context.get("triggering_…")`."""
    if isinstance(node, ast.BoolOp):
        return _is_given(source, node.values[0])
    owner: ast.expr | None = None
    key: ast.expr | None = None
    if isinstance(node, ast.Subscript):
        owner, key = node.value, node.slice
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get" and node.args:
        owner, key = node.func.value, node.args[0]
    name = getattr(key, "value", None)
    return owner is not None and name in _MAPPINGS and may_be_context(source, owner, str(name))


def _attribute(source: Source, node: ast.Attribute) -> Iterator[Change | Spot]:
    if node.attr == "consumed_dataset_events" and context_value(source, node.value) == "dag_run":
        yield Change((_named(source, node, "consumed_asset_events"),))
    elif node.attr == "execution_date" and getattr(node.value, "attr", "") == "source_dag_run":
        yield Change((_named(source, node, "logical_date"),))
    elif node.attr in _RENAMED and _is_event(source, node.value):
        yield Change((_named(source, node, _RENAMED[node.attr]),))
    elif node.attr in _GONE and _is_event(source, node.value):
        yield Spot(node.lineno, f"An event of an asset has no `{node.attr}` in Airflow 3's tasks.", _GONE[node.attr])


def _named(source: Source, node: ast.Attribute, new: str) -> Edit:
    end = source.end(node)
    return Edit(end - len(node.attr.encode()), end, new)


def _is_event(source: Source, node: ast.expr, depth: int = _DEPTH) -> bool:
    if depth == 0:
        return False
    if isinstance(node, ast.Subscript):
        is_part = isinstance(node.slice, ast.Slice)
        return not is_part and _is_events(source, node.value, depth - 1)
    if not isinstance(node, ast.Name):
        return False
    loops = list(_loops(source, node))
    if loops:
        return all(target is loop.target and _is_events(source, loop.iter, depth - 1) for loop, target in loops)
    values = values_of_name(source, node)
    return bool(values) and all(value is not None and _is_event(source, value, depth - 1) for value in values)


def _is_events(source: Source, node: ast.expr, depth: int = _DEPTH) -> bool:
    """Tell whether an expression is the list of the events of one asset."""
    if depth == 0:
        return False
    if isinstance(node, ast.Attribute):
        is_consumed = node.attr in ("consumed_asset_events", "consumed_dataset_events")
        return is_consumed and context_value(source, node.value) == "dag_run"
    if isinstance(node, ast.Subscript):
        is_part = isinstance(node.slice, ast.Slice)
        return _is_events(source, node.value, depth - 1) if is_part else _is_mapping(source, node.value)
    if isinstance(node, ast.Call):
        func = node.func
        if isinstance(func, ast.Name) and func.id in ("sorted", "list", "reversed", "tuple") and node.args:
            return _is_events(source, node.args[0], depth - 1)
        is_get = isinstance(func, ast.Attribute) and func.attr == "get"
        return is_get and _is_mapping(source, func.value)  # type: ignore[attr-defined]
    if not isinstance(node, ast.Name):
        return False
    loops = list(_loops(source, node))
    if loops:
        return all(_is_of_mapping(source, loop, target) for loop, target in loops)
    values = values_of_name(source, node)
    return bool(values) and all(value is not None and _is_events(source, value, depth - 1) for value in values)


def _is_of_mapping(source: Source, loop: ast.For | ast.comprehension, target: ast.expr) -> bool:
    """Tell whether a loop over the mapping puts a list of events there: `for key, events in ….items()`."""
    method = _method(source, loop.iter)
    if isinstance(loop.target, ast.Tuple):
        return method == "items" and len(loop.target.elts) == 2 and target is loop.target.elts[1]
    return method == "values" and target is loop.target


def _method(source: Source, node: ast.expr) -> str:
    """Give how the mapping is walked: "items", "values", "keys", "" for anything else."""
    while isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("list", "sorted", "tuple") and node.args:
        node = node.args[0]
    if isinstance(node, ast.GeneratorExp) and len(node.generators) == 1:  # what this rule made of it
        return _method(source, node.generators[0].iter)
    if _is_mapping(source, node):
        return "keys"
    is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and not node.args
    if is_call and _is_mapping(source, node.func.value):  # type: ignore[attr-defined]
        return str(node.func.attr)  # type: ignore[attr-defined]
    return ""


def _loops(source: Source, name: ast.Name) -> Iterator[tuple[ast.For | ast.comprehension, ast.expr]]:
    """Give the loops that put something into a name within its function, with the place that they put it in."""
    place = _function(source, name)
    for loop in _all_loops(source):
        parts = loop.target.elts if isinstance(loop.target, ast.Tuple) else [loop.target]
        for part in parts:
            if isinstance(part, ast.Name) and part.id == name.id and _function(source, loop) is place:
                yield loop, part


def _all_loops(source: Source) -> list[ast.For | ast.comprehension]:
    found: list[ast.For | ast.comprehension] = list(source.each(ast.For))
    return [*found, *source.each(ast.comprehension)]


def _function(source: Source, node: ast.AST) -> ast.AST:
    while node in source.parents and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        node = source.parents[node]
    return node


def _keys(source: Source, loop: ast.For | ast.comprehension) -> Change | None:
    """Let a loop that uses the keys have addresses, as it had."""
    method = _method(source, loop.iter)
    if method not in ("items", "keys"):
        return None
    parts = loop.target.elts if isinstance(loop.target, ast.Tuple) and method == "items" else [loop.target]
    key = parts[0]
    if isinstance(key, ast.Name) and not _is_used(source, loop, key.id):
        return None
    if isinstance(loop, ast.comprehension) and any(_is_asking(test) for test in loop.ifs):
        return None
    inner: ast.expr = loop.iter
    while isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name):
        inner = inner.args[0]
    if isinstance(inner, ast.GeneratorExp):
        return None  # what this rule made of it
    owner = inner.func.value if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute) else inner
    code = source.code(owner)
    quote = '"' if "'" in code else "'"
    if method == "keys":
        text = f"(key.uri for key in {code} if hasattr(key, {quote}uri{quote}))"
    else:
        text = f"((key.uri, events) for key, events in {code}.items() if hasattr(key, {quote}uri{quote}))"
    return Change((replace(source, inner, text),))


def _all_keys(source: Source) -> Iterator[Spot]:
    """Find the keys as a whole, for more than a loop: `set(events)`, `events.keys()`."""
    walked = {node for loop in _all_loops(source) for node in ast.walk(loop.iter)}
    for call in source.each(ast.Call):
        func = call.func
        is_list = getattr(func, "id", "") in ("list", "set", "sorted", "tuple") and len(call.args) == 1
        is_keys = isinstance(func, ast.Attribute) and func.attr == "keys" and _is_mapping(source, func.value)
        if call not in walked and (is_keys or (is_list and _is_mapping(source, call.args[0]))):
            yield Spot(
                call.lineno,
                "The keys of triggering_asset_events are assets; they were addresses.",
                "Take key.uri of those that have one: the aliases of the events are among them.",
            )


def _is_asking(test: ast.expr) -> bool:
    """Tell whether a test looks for assets: `hasattr(key, "uri")`."""
    return isinstance(test, ast.Call) and getattr(test.func, "id", "") == "hasattr"


def _is_used(source: Source, loop: ast.For | ast.comprehension, name: str) -> bool:
    """Tell whether a key is read for more than its address."""
    place = _function(source, loop)
    for node in source.each(ast.Name):
        if node.id != name or not isinstance(node.ctx, ast.Load) or _function(source, node) is not place:
            continue
        if getattr(source.parents[node], "attr", "") not in ("uri", "name", "extra"):
            return True
    return False


def _templates(source: Source) -> Iterator[Change | Spot]:
    for node in texts(source):
        code = source.code(node)
        if not any(name in code for name in _MAPPINGS):
            continue
        if change := rewrite_node(source, node, _renamed):
            yield change
        for key in {match[1] for match in _KEY.finditer(code)}:
            if re.search(rf"\b{key}\b(?!\s*,|\.uri\b|\.name\b|\s+in\b)", re.sub(r"\bfor\s+\w+", "", code)):
                yield Spot(
                    node.lineno,
                    f"`{key}` is an asset in Airflow 3; it was an address.",
                    f"Write {key}.uri where its text is meant.",
                )


RULE = Rule(
    code="asset-event",
    title="What a run's events of datasets are asked for has the names of Airflow 3",
    words=(b"triggering_", b"consumed_dataset_events", b"source_dag_run"),
    before="""
from airflow.decorators import task


@task
def report(triggering_dataset_events=None):
    for address, events in triggering_dataset_events.items():
        print(address, [(event.dataset.uri, event.dataset_id) for event in events])
""",
    after="""
from airflow.decorators import task


@task
def report(triggering_dataset_events=None):
    for address, events in ((key.uri, events) for key, events in triggering_dataset_events.items() if hasattr(key, 'uri')):
        print(address, [(event.asset.uri, event.dataset_id) for event in events])
""",
    find=_find,
    finding="has no `dataset_id`",
)
