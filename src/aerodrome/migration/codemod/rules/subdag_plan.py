"""Decides for a whole project which SubDags become task groups. Pure.

A function that makes SubDags and all its users change together, over several files, and so do SubDags within a SubDag.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from aerodrome.migration.codemod.editing import has_open_end, keyword
from aerodrome.migration.codemod.project import Project
from aerodrome.migration.codemod.rules import dags
from aerodrome.migration.codemod.rules.subdag_factories import OPERATORS, Factory, Key, is_same, read_factory
from aerodrome.migration.codemod.rules.subdag_pulls import Ids
from aerodrome.migration.codemod.rules.subdag_tasks import Look, of_argument
from aerodrome.migration.codemod.source import Source

_GROUPS = ("airflow.sdk.TaskGroup", "airflow.utils.task_group.TaskGroup")
_TAKEN = frozenset({"task_id", "subdag", "dag", "default_args", "executor", "doc_md"})
_RULES = frozenset({"all_success", "all_done", "none_failed", "none_failed_min_one_success", "none_skipped"})
"""Trigger rules that see a group's last tasks as they saw the SubDag's one."""
_DEEP = 5


@dataclass(frozen=True)
class Use:
    """One SubDagOperator. `reason` says why it must stay."""

    file: str
    call: ast.Call
    dag: ast.Call | None  # that makes the DAG it belongs to
    key: Key | None  # file and name of the function that makes its SubDag
    around: Key  # the function of the file that it stands in; its name is "" when in none
    reason: str


@dataclass(frozen=True)
class Plan:
    """What the whole project says: functions by their place, and why one must stay."""

    factories: Mapping[Key, Factory]
    reasons: Mapping[Key, str]
    pullers: frozenset[Key]  # what tasks of changing SubDags run, with pulls that must be written otherwise
    ids: Ids  # of the SubDags that change, as far as they are plain texts
    is_vague: bool  # True: some of them are not

    @property
    def is_any(self) -> bool:
        return any(key not in self.reasons for key in self.factories)

    def is_changing(self, use: Use) -> bool:
        return not use.reason and use.key in self.factories and use.key not in self.reasons


def plan_of(project: Project) -> Plan:
    found = [
        (use, source)
        for file in project.mentioning(b"SubDagOperator")
        if (source := project.source(file))
        for use in uses(source, file, project)
    ]
    counts = Counter(use.key for use, _ in found)
    ids = _Ids(found)
    known = ids.all()
    nested = {use.key for use, _ in found if use.around in counts}
    factories: dict[Key, Factory] = {}
    reasons: dict[Key, str] = {}
    pullers: dict[Key, set[Key]] = {}
    for key in counts:
        made = project.source(key[0]) if key else None
        if key is None or made is None:
            continue
        factory = read_factory(made, key[1])
        if isinstance(factory, str):
            reasons[key] = factory
            continue
        factories[key] = factory
        look = Look(made, factory, project, known, is_nested=key in nested)
        if why := look.depends():
            reasons[key] = why
        pullers[key] = look.pullers
    for use, source in found:
        if use.key is not None and (why := use.reason or _of_arguments(source, use, factories.get(use.key), known)):
            reasons.setdefault(use.key, why)
    for key in factories:
        if _calls_of(project, key) != counts[key]:
            reasons.setdefault(key, f"`{key[1]}` is used for something else, too")
        text = project.source(key[0])
        if text and not any(text.is_free("TaskGroup", origin) for origin in _GROUPS):
            reasons.setdefault(key, "the name TaskGroup is taken in its file")
    _together([use for use, _ in found], reasons, counts)
    changing = [key for key in factories if key not in reasons]
    seen = {name: place for use, _ in found if use.key in changing for name, place in ids.places(use).items()}
    return Plan(
        factories,
        reasons,
        frozenset(name for key in changing for name in pullers[key]),
        seen,
        is_vague=any(not ids.places(use) for use, _ in found if use.key in changing),
    )


class _Ids:
    """The dag_ids of SubDags, where they can be seen."""

    def __init__(self, found: Sequence[tuple[Use, Source]]) -> None:
        self._found = found

    def all(self) -> dict[str, tuple[str, str]]:
        return {name: place for use, _ in self._found for name, place in self.places(use).items()}

    def places(self, use: Use, depth: int = 0) -> dict[str, tuple[str, str]]:
        """Give "sales.north" -> ("sales", "north"); of a SubDag within a SubDag one for each of those around."""
        source = next(source for other, source in self._found if other is use)
        child = keyword(use.call, "task_id")
        name = _text(source, child.value if child else None)
        if name is None or depth > _DEEP:
            return {}
        outer = [other for other, _ in self._found if other.key == use.around]
        if outer:
            around = [item for other in outer for item in self.places(other, depth + 1).items()]
            return {f"{parent}.{name}": (root, f"{group}.{name}") for parent, (root, group) in around}
        parent = _id_of(source, use.dag)
        return {f"{parent}.{name}": (parent, name)} if parent else {}


def _id_of(source: Source, dag: ast.Call | None) -> str | None:
    if dag is None:
        return None
    item = keyword(dag, "dag_id")
    value = item.value if item else dag.args[0] if dag.args else None
    around = source.parents[dag]
    if value is None and isinstance(around, ast.FunctionDef):  # of a decorator
        return around.name
    return _text(source, value)


def _text(source: Source, node: ast.expr | None) -> str | None:
    value = dags.constant(source, node) if node is not None else None
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else None


def _together(found: Sequence[Use], reasons: dict[Key, str], counts: Mapping[Key | None, int]) -> None:
    """Let a SubDag within a SubDag stay when the one around it stays, and the other way round."""
    links = [(use.key, use.around) for use in found if use.around in counts]
    for _ in range(len(links) + 1):
        for inner, around in links:
            if inner is None or inner in reasons:
                reasons.setdefault(around, "another SubDag is made in it, which cannot become one")
            elif around in reasons:
                reasons[inner] = "the SubDag around it cannot become one"


def uses(source: Source, file: str, project: Project) -> Iterator[Use]:
    for call in source.each(ast.Call):
        if source.means(call.func, OPERATORS):
            key = _factory_of(source, file, call, project)
            around = (file, _function_of(source, call))
            dag = _dag_of(source, call, around[1])
            reason = _of_call(source, call, dag) if key else "no function of the project makes its SubDag"
            yield Use(file, call, dag, key, around, reason)


def _function_of(source: Source, node: ast.AST) -> str:
    """Give the name of the function of the file that a node stands in."""
    while not isinstance(parent := source.parents[node], ast.Module):
        node = parent
    return node.name if isinstance(node, ast.FunctionDef) else ""


def _dag_of(source: Source, call: ast.Call, around: str) -> ast.Call | None:
    """Give what makes the DAG of a SubDagOperator; within a function that makes a SubDag, that."""
    outer = read_factory(source, around) if around else ""
    if isinstance(outer, Factory):
        given = keyword(call, "dag")
        is_named = given is not None and getattr(given.value, "id", "") == outer.name
        return outer.call if is_named or (given is None and _is_below(source, call, outer)) else None
    return dags.dag_of(source, call)


def _is_below(source: Source, node: ast.AST, factory: Factory) -> bool:
    """Tell whether a `with` of the SubDag that a function makes stands around a node."""
    while node in source.parents:
        node = source.parents[node]
        if isinstance(node, ast.With) and any(
            item.context_expr is factory.call or getattr(item.context_expr, "id", "") == factory.name
            for item in node.items
        ):
            return True
    return False


def _factory_of(source: Source, file: str, call: ast.Call, project: Project) -> Key | None:
    subdag = keyword(call, "subdag")
    if subdag is None or not isinstance(subdag.value, ast.Call):
        return None
    name = subdag.value.func
    if isinstance(name, ast.Name) and any(
        isinstance(node, ast.FunctionDef) and node.name == name.id for node in source.tree.body
    ):
        return (file, name.id) if source.top.bound.get(name.id) == {""} else None  # else an import means something else
    places = [place for origin in source.meanings(name) if (place := project.place_of(origin))]
    return places[0] if len(places) == 1 else None


def _calls_of(project: Project, key: Key) -> int:
    """Count the mentions of a function that are not its definition or an import of it."""
    file, name = key
    count = 0
    for other in project.mentioning(name.encode()):
        if (source := project.source(other)) is None:
            continue
        for node in source.each(ast.Name, ast.Attribute):
            is_own = other == file and isinstance(node, ast.Name) and node.id == name
            count += is_own or any(project.place_of(origin) == key for origin in source.meanings(node))
    return count


def _of_call(source: Source, call: ast.Call, dag: ast.Call | None) -> str:
    """Say why a SubDagOperator cannot go, by what it is given and where it stands."""
    if has_open_end(call) or call.args:
        return "its arguments cannot all be seen"
    if strange := sorted({str(item.arg) for item in call.keywords} - _TAKEN):
        return f"a task group has no {', '.join(strange)}"
    if dag is None:
        return "the DAG that it belongs to cannot be seen"
    if not is_within(source, call, dag) and not isinstance(source.parents[call], ast.Assign | ast.Expr):
        return "the DAG that it belongs to is not entered by a `with` there"
    if why := _of_variable(source, call):
        return why
    for value in _trigger_rules(source):
        if not isinstance(value, ast.Constant) or value.value not in _RULES:
            return f"the trigger rule {source.code(value)} in the file may see several last tasks where it saw one"
    return ""


def _trigger_rules(source: Source) -> Iterator[ast.expr]:
    for call in source.each(ast.Call):
        yield from (item.value for item in call.keywords if item.arg == "trigger_rule")
    for mapping in source.each(ast.Dict):
        if found := dags.entry(mapping, "trigger_rule"):
            yield found[1]


def is_within(source: Source, call: ast.Call, dag: ast.Call) -> bool:
    """Tell whether the DAG is the current one where the call stands."""
    owner = source.parents[dag]
    name = getattr(owner.targets[0], "id", "") if isinstance(owner, ast.Assign) else ""
    node: ast.AST = call
    while node in source.parents:
        node = source.parents[node]
        if isinstance(node, ast.With) and any(
            dags.constant(source, item.context_expr) is dag
            or (
                name
                and getattr(item.context_expr, "id", "") == name
                and _function_of(source, node) == _function_of(source, dag)
            )
            for item in node.items
        ):
            return True
        if isinstance(node, ast.FunctionDef):
            return dag in node.decorator_list
    return False


def _of_variable(source: Source, call: ast.Call) -> str:
    """Say what else than its place among the tasks is asked of the task."""
    parent = source.parents[call]
    if isinstance(parent, ast.Assign):
        if len(parent.targets) != 1 or not isinstance(parent.targets[0], ast.Name):
            return "it is kept in something else than one name"
        name = parent.targets[0].id
        loads = [node for node in source.each(ast.Name) if node.id == name and isinstance(node.ctx, ast.Load)]
        return (
            ""
            if all(_is_order(source, node) for node in loads)
            else f"`{name}` is used for more than the order of tasks"
        )
    return (
        "" if isinstance(parent, ast.Expr) or _is_order(source, call) else "it is used for more than the order of tasks"
    )


def _is_order(source: Source, node: ast.AST) -> bool:
    parent = source.parents[node]
    while isinstance(parent, ast.List | ast.Tuple):
        node, parent = parent, source.parents[parent]
    if isinstance(parent, ast.BinOp):
        return isinstance(parent.op, ast.RShift | ast.LShift)
    if isinstance(parent, ast.Expr):
        return True
    if isinstance(parent, ast.Attribute):
        return parent.attr in ("set_upstream", "set_downstream")
    if isinstance(parent, ast.Call) and node is not parent.func:
        name = getattr(parent.func, "id", getattr(parent.func, "attr", ""))
        return name in ("set_upstream", "set_downstream", "chain", "cross_downstream")
    return False


def _of_arguments(source: Source, use: Use, factory: Factory | None, ids: Ids) -> str:
    """Say whether the DAG gives its tasks defaults that the SubDag's tasks did not have, or what else the call gives them."""
    own, subdag = use.dag, keyword(use.call, "subdag")
    if own is None or subdag is None or not isinstance(subdag.value, ast.Call):
        return "the DAG that it belongs to cannot be seen"
    if factory is None:
        return ""  # it stays anyway
    if why := of_argument(source, subdag.value, ids):
        return why
    more, is_seen = dags.spread(source, own)
    given = keyword(own, "default_args")
    defaults = given.value if given else more.get("default_args")
    if not is_seen:
        return "the arguments of its DAG cannot all be seen"
    if use.around[1] and (why := _of_parent(source, use, subdag.value, factory)):
        return why
    if defaults is None:
        return ""
    inner = factory.bound(factory.default_args, subdag.value)
    if inner is None:
        return "the default_args of the DAG would reach its tasks, which had none or others"
    if isinstance(inner, ast.Attribute) and inner.attr == "default_args" and isinstance(inner.value, ast.Name):
        return ""  # those of the DAG itself
    is_seen_here = use.key is not None and (use.key[0] == use.file or inner is not factory.default_args)
    return "" if is_seen_here and is_same(inner, defaults) else "its default_args are not those of the DAG"


def _of_parent(source: Source, use: Use, made: ast.Call, factory: Factory) -> str:
    """Say what but its name a SubDag takes from the `dag_id` of the SubDag around it, which a group has not."""
    outer = read_factory(source, use.around[1])
    if not isinstance(outer, Factory) or f"{outer.name}." not in source.code(made):
        return ""
    own = set(ast.walk(factory.call))
    others = [
        node
        for node in ast.walk(factory.function)
        if isinstance(node, ast.Name) and node.id == factory.parent and node not in own
    ]
    return f"`{factory.parent}` is used for more than its name" if others else ""
