"""Finds the calls that make DAGs, and what they are given. Shared by the rules about DAGs."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import TypeVar

from aerodrome.migration.codemod.editing import keyword
from aerodrome.migration.codemod.rules.shared_dictionaries import ways_of
from aerodrome.migration.codemod.source import Source

CLASSES = frozenset({"airflow.DAG", "airflow.models.DAG", "airflow.models.dag.DAG"})
DECORATORS = frozenset({"airflow.decorators.dag", "airflow.decorators.dag.dag", "airflow.models.dag.dag"})
OLD = CLASSES | DECORATORS
"""2.x spellings only: what imports from airflow.sdk was written for 3.x and means what it says."""
ANY = OLD | {"airflow.sdk.DAG", "airflow.sdk.dag"}
DELTAS = frozenset({"datetime.timedelta", "pendulum.duration", "dateutil.relativedelta.relativedelta"})
SCHEDULES = ("schedule", "schedule_interval", "timetable")
T = TypeVar("T")
_POSITIONAL = 2  # dag_id and description; a third would be the schedule


def calls(source: Source, names: frozenset[str]) -> Iterator[ast.Call]:
    for node in source.each(ast.Call):
        if source.means(node.func, names):
            yield node


def is_open(source: Source, call: ast.Call, *names: str) -> bool:
    """Tell whether one of these arguments stands, or may stand, where the call itself does not show it."""
    more, is_seen = spread(source, call)
    return not is_seen or len(call.args) > _POSITIONAL or any(name in more for name in names)


def is_unscheduled(source: Source, call: ast.Call) -> bool:
    """Tell whether nothing is scheduled: triggered by hand or by datasets."""
    for name in SCHEDULES:
        if (item := keyword(call, name)) is None:
            continue
        value = constant(source, item.value)
        if isinstance(value, ast.BinOp) and not _is_timed(source, value):
            return True  # `Asset(…) & Asset(…)`
        if isinstance(value, ast.List | ast.Tuple) or (isinstance(value, ast.Constant) and value.value is None):
            return True
        if isinstance(value, ast.Call) and _is_of_assets(source, value):
            return True
    return False


def _is_of_assets(source: Source, call: ast.Call) -> bool:
    """Tell assets and aliases from what has a timetable beside them: `DatasetOrTimeSchedule(…)`."""
    names = {name.rpartition(".")[2] for name in source.meanings(call.func)}
    return any("Dataset" in name or "Asset" in name for name in names) and not any("Time" in name for name in names)


def _is_timed(source: Source, value: ast.BinOp) -> bool:
    """Tell whether something in a sum is none of assets: `timedelta(days=1) * 2`."""
    sides = (constant(source, side) for side in (value.left, value.right))
    return not all(
        (isinstance(side, ast.Call) and _is_of_assets(source, side))
        or (isinstance(side, ast.BinOp) and not _is_timed(source, side))
        for side in sides
    )


def dictionaries(source: Source, names: frozenset[str]) -> Iterator[tuple[ast.Dict, str]]:
    """Give dict literals that reach a DAG: ("default_args" or "**"), through a name of the file or directly."""
    assigned: dict[str, list[ast.Dict]] = {}
    for node in source.each(ast.Assign):
        if isinstance(node.value, ast.Dict):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    assigned.setdefault(target.id, []).append(node.value)
    for annotated in source.each(ast.AnnAssign):
        if isinstance(annotated.value, ast.Dict) and isinstance(annotated.target, ast.Name):
            assigned.setdefault(annotated.target.id, []).append(annotated.value)
    seen: set[ast.Dict] = set()

    def reached(node: ast.expr, way: str) -> Iterator[tuple[ast.Dict, str]]:
        for value in [node] if isinstance(node, ast.Dict) else assigned.get(getattr(node, "id", ""), []):
            if value in seen:
                continue
            seen.add(value)
            yield value, way
            if way == "**" and (inner := entry(value, "default_args")):
                yield from reached(inner[1], "default_args")

    for call in calls(source, names):
        for item in call.keywords:
            if item.arg in (None, "default_args"):
                yield from reached(item.value, item.arg or "**")
    for name, ways in ways_of(source, names).items():
        if len(ways) == 1 and "else" not in ways:
            yield from reached(ast.Name(name, ast.Load()), next(iter(ways)))


def dict_calls(source: Source, names: frozenset[str]) -> Iterator[tuple[ast.Call, str]]:
    """Give `dict(…)` calls that reach a DAG, as `dictionaries` gives literals."""
    assigned: dict[str, list[ast.Call]] = {}
    for node in source.each(ast.Assign):
        if is_dict_call(node.value):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    assigned.setdefault(target.id, []).append(node.value)  # type: ignore[arg-type]
    seen: set[ast.Call] = set()
    for call in calls(source, names):
        for item in call.keywords:
            if item.arg not in (None, "default_args"):
                continue
            found = [item.value] if is_dict_call(item.value) else assigned.get(getattr(item.value, "id", ""), [])
            for value in found:
                if value not in seen:
                    seen.add(value)  # type: ignore[arg-type]
                    yield value, item.arg or "**"  # type: ignore[misc]


def is_dict_call(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "dict" and not node.args


def spread(source: Source, call: ast.Call) -> tuple[dict[str, ast.expr], bool]:
    """Give what `**` adds to a call by name, and whether all of it can be seen."""
    found: dict[str, ast.expr] = {}
    is_seen = not any(isinstance(arg, ast.Starred) for arg in call.args)
    for item in call.keywords:
        if item.arg is not None:
            continue
        value = constant(source, item.value)
        if isinstance(value, ast.Dict) and all(isinstance(key, ast.Constant) for key in value.keys):
            found |= {str(key.value): item for key, item in zip(value.keys, value.values, strict=True)}  # type: ignore[union-attr]
        elif is_dict_call(value) and all(word.arg for word in value.keywords):  # type: ignore[attr-defined]
            found |= {str(word.arg): word.value for word in value.keywords}  # type: ignore[attr-defined]
        else:
            is_seen = False
    return found, is_seen


def constant(source: Source, node: ast.expr) -> ast.expr:
    """Follow a name that the file assigns once."""
    if not isinstance(node, ast.Name):
        return node
    values = [
        item.value
        for item in source.each(ast.Assign)
        if any(isinstance(target, ast.Name) and target.id == node.id for target in item.targets)
    ]
    is_once = (
        len(values) == 1
        and len([n for n in source.each(ast.Name) if n.id == node.id and isinstance(n.ctx, ast.Store)]) == 1
    )
    return values[0] if is_once else node


def start_date(source: Source, call: ast.Call) -> ast.expr | str:
    """Give the expression of a DAG's start_date: its own, else that of default_args; "none" or "unseen" when there is none."""
    more, is_seen = spread(source, call)
    start = keyword(call, "start_date")
    if start is not None or "start_date" in more:
        return start.value if start is not None else more["start_date"]
    defaults = keyword(call, "default_args")
    value = defaults.value if defaults is not None else more.get("default_args")
    if value is None:
        return "none" if is_seen else "unseen"
    mapping = constant(source, value)
    if is_dict_call(mapping) and all(word.arg for word in mapping.keywords):  # type: ignore[attr-defined]
        word = keyword(mapping, "start_date")  # type: ignore[arg-type]
        return word.value if word is not None else "none"
    if not isinstance(mapping, ast.Dict):
        return "unseen"
    return _last(source, mapping, "start_date")


def _last(source: Source, mapping: ast.Dict, name: str) -> ast.expr | str:
    """Give the value that a dict has in the end: `{**shared, "start_date": …}`; what `**` brings is followed where the file says it."""
    for key, value in reversed(list(zip(mapping.keys, mapping.values, strict=True))):
        if isinstance(key, ast.Constant) and key.value == name:
            return value
        if key is None:
            inner = constant(source, value)
            found = _last(source, inner, name) if isinstance(inner, ast.Dict) else "unseen"
            if found != "none":
                return found
    return "none"


def dag_of(source: Source, call: ast.Call) -> ast.Call | None:
    """Give the call that makes the DAG around a task: by `dag=`, else by the `with` or the decorator around it."""
    given = keyword(call, "dag")
    if given is not None:
        value = constant(source, given.value)
        if isinstance(value, ast.Call) and source.means(value.func, ANY):
            return value
        return _entered(source, given.value)
    node: ast.AST = call
    while node in source.parents:
        node = source.parents[node]
        if isinstance(node, ast.With):
            for item in node.items:
                made = constant(source, item.context_expr)
                if isinstance(made, ast.Call) and source.means(made.func, ANY):
                    return made
        if isinstance(node, ast.FunctionDef):
            decorators = [item for item in node.decorator_list if isinstance(item, ast.Call)]
            return next((item for item in decorators if source.means(item.func, ANY)), None)
    return None


def known_around(source: Source, node: ast.AST, known: Mapping[ast.Call, T], common: T) -> T:
    """Give what is known of the DAG that something stands in; `common`, which holds for all of the file's, where that cannot be seen."""
    calls: list[ast.Call] = []
    while node in source.parents:
        node = source.parents[node]
        if isinstance(node, ast.Call):
            calls.append(node)
    for call in (*(call for call in calls if keyword(call, "dag")), *calls[:1]):
        if (found := dag_of(source, call)) is not None and found in known:
            return known[found]
    return common


def _entered(source: Source, name: ast.expr) -> ast.Call | None:
    """Give the DAG that a `with DAG(…) as name` makes, when only one does."""
    found = [
        item.context_expr
        for node in source.each(ast.With)
        for item in node.items
        if isinstance(item.optional_vars, ast.Name) and item.optional_vars.id == getattr(name, "id", "")
    ]
    made = found[0] if len(found) == 1 else None
    return made if isinstance(made, ast.Call) and source.means(made.func, ANY) else None


def entry(mapping: ast.Dict, name: str) -> tuple[ast.Constant, ast.expr] | None:
    """Give key and value of a dict entry."""
    for key, value in zip(mapping.keys, mapping.values, strict=True):
        if isinstance(key, ast.Constant) and key.value == name:
            return key, value
    return None
