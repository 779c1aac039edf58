"""Says what tasks of a SubDag ask for its own run, ids or skipping, wherever in the project that stands. Pure.

Whatever is not understood is a reason to leave the SubDag. Pulls of XComs are: see `subdag_pulls`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from aerodrome.migration.codemod.editing import keyword
from aerodrome.migration.codemod.project import Project
from aerodrome.migration.codemod.rules import dags, subdag_pulls
from aerodrome.migration.codemod.rules.subdag_factories import Factory, Key
from aerodrome.migration.codemod.rules.subdag_pulls import Ids
from aerodrome.migration.codemod.source import Source

_WORDS = frozenset(
    {"xcom_pull", "task_ids", "dag_run", "run_id", "task_instance_key_str", "AirflowSkipException", "trigger_rule", "pool_slots"}
)  # fmt: skip
_SKIPPING = re.compile(r"Branch|ShortCircuit|LatestOnly|\.branch|\.short_circuit|\.run_if$|\.skip_if$|\.SkipMixin$")
"""Of Airflow: what may skip tasks whatever it is given."""
_SKIPPING_WORDS = frozenset(
    {"soft_fail", "skipped_states", "skip_exit_code", "skip_on_exit_code", "skip_when_already_exists"}
)
"""Arguments that let a task be skipped where they are set; nothing skips by their defaults, but an `exit 99` of Bash in Airflow 2."""
_EXIT = re.compile(r"\bexit\s+99\b")
_TEMPLATE = re.compile(r"\{[{%][^}]*\b(dag|dag_run|run_id|ti|task|task_instance|task_instance_key_str|conf)\b")
_RUNNING = ("ti", "task_instance", "task", "dag")
"""What a running task has of itself, and whose ids change."""


class Look:
    """Looks at all that a function that makes a SubDag names, for what asks for the SubDag's own run, ids or skipping."""

    def __init__(self, source: Source, factory: Factory, project: Project, ids: Ids, *, is_nested: bool) -> None:
        self._source, self._function, self._call = source, factory.function, factory.call
        self._project, self._ids, self._parent = project, ids, None if is_nested else factory.parent
        self.pullers: set[Key] = set()

    def depends(self) -> str:
        """Say what depends on the SubDag; "" when nothing does."""
        own = set(ast.walk(self._call))
        has_sensor = False
        for place, root in _reached(self._source, self._function, self._project):
            if isinstance(root, str):
                return root
            known = self._known(place, root)
            for node in ast.walk(root):
                if node in own or node in known:
                    continue
                has_sensor = has_sensor or _name(node).endswith("Sensor")
                if why := self._asks(place, node, root) or _skips(place, node):
                    return why
        if has_sensor and _is_set_elsewhere(self._project):
            return "`soft_fail` or `skipped_states` in a dict of the project may skip a sensor: a skipped SubDag counted as a success"
        return next((why for key in sorted(self.pullers) if (why := self._of_puller(key))), "")

    def _known(self, place: Source, root: ast.AST) -> set[ast.AST]:
        """Give the nodes of pulls that are understood."""
        known: set[ast.AST] = set()
        parent = self._parent if root is self._function or self._parent is None else ""
        for node in ast.walk(root):
            if isinstance(node, ast.Call) and (pull := subdag_pulls.pull_of(place, node, self._ids, parent=parent)):
                known |= pull.nodes
                if pull.edits:
                    self._note(place, root)
        return known

    def _note(self, place: Source, root: ast.AST) -> None:
        self.pullers.add((self._project.file_of(place), _name_of(root)))

    def _of_puller(self, key: Key) -> str:
        """Say who else uses what pulls from its neighbours, and has groups of its own: there, their ids may be others."""
        file, name = key
        for other in self._project.mentioning(name.encode()):
            source = self._project.source(other)
            has_groups = any(word in self._project.text(other) for word in (b"TaskGroup", b"task_group"))
            if source and has_groups and (other == file or _imports(source, key, self._project)):
                return f"`{name}` pulls from other tasks, and may be used in a task group of {other} as well"
        return ""

    def _asks(self, place: Source, node: ast.AST, root: ast.AST) -> str:
        """Say what asks for the SubDag's own run or ids."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            text, edits, _ = subdag_pulls.pulls_of_text(place, node, self._ids, is_nested=self._parent is None)
            if edits:
                self._note(place, root)
            if node.value in _WORDS or _TEMPLATE.search(text):
                return f"`{node.value[:40]}` depends on the run or on the ids of the SubDag"
            return self._asks_by_file(node.value)
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "xcom_pull":
            code = " ".join(place.code(node).split())
            return f"`{code[:60]}` may pull from tasks of the SubDag, and it cannot be seen from which"
        if (name := _name(node)) in _WORDS:
            return f"`{name}` may depend on the run or on the ids of the SubDag"
        if isinstance(node, ast.keyword) and node.arg == "external_dag_id" and "." in _texts(node.value):
            return f"`{place.code(node.value)}` may be the id of a SubDag"
        if isinstance(node, ast.Attribute) and _is_own_id(place, node, self._function):
            return f"`{place.code(node)}` is another in a task group"
        return ""

    def _asks_by_file(self, text: str) -> str:
        """Say what a file asks that a task may render: pulls from other DAGs mean what they meant."""
        name = text.rpartition("/")[2]
        for file, template in self._project.templates.items():
            is_meant = "." in name and file.rpartition("/")[2] == name
            if is_meant and (found := _TEMPLATE.search(subdag_pulls.without_pulls(template, self._ids))):
                return f"`{found[1]}` in {file} depends on the run or on the ids of the SubDag"
        return ""


def of_argument(source: Source, value: ast.expr, ids: Ids) -> str:
    """Say what in an argument of the function asks for the SubDag's run or ids."""
    for node in ast.walk(value):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            text, edits, _ = subdag_pulls.pulls_of_text(source, node, ids)
            if edits or _TEMPLATE.search(text):
                return f"`{node.value[:40]}` depends on the run or on the ids of the SubDag"
    return ""


def _is_own_id(place: Source, node: ast.Attribute, factory: ast.FunctionDef) -> bool:
    """Tell `ti.task_id`, `context["dag"].dag_id` in what runs; where the DAG is made, such names are other things."""
    if node.attr not in ("dag_id", "task_id") or not isinstance(node.ctx, ast.Load):
        return False
    around: ast.AST | None = node
    while around is not None and not isinstance(around, ast.FunctionDef | ast.Lambda):
        around = place.parents.get(around)
    if around is None or around is factory:
        return False
    owner = node.value
    if isinstance(owner, ast.Subscript):
        return getattr(owner.slice, "value", None) in _RUNNING
    return isinstance(owner, ast.Name) and owner.id in (*_RUNNING, "self")


def _skips(place: Source, node: ast.AST) -> str:
    """Say what may skip tasks."""
    is_skipping = isinstance(node, ast.Name | ast.Attribute) and _means(place, node, _SKIPPING)
    if isinstance(node, ast.keyword) and node.arg in _SKIPPING_WORDS:
        is_skipping = not _is_nothing(node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        is_skipping = node.value in _SKIPPING_WORDS or _EXIT.search(node.value) is not None
    if not is_skipping:
        return ""
    what = str(node.value)[:40] if isinstance(node, ast.Constant) else _name(node)
    return f"`{what}` may skip tasks: a skipped SubDag counted as a success"


def _imports(source: Source, key: Key, project: Project) -> bool:
    return any(
        project.place_of(origin) == key
        for node in source.each(ast.Name, ast.Attribute)
        for origin in source.meanings(node)
    )


def _name_of(root: ast.AST) -> str:
    if isinstance(root, ast.Assign):
        return str(getattr(root.targets[0], "id", ""))
    return str(getattr(root, "name", ""))


def _means(place: Source, node: ast.AST, wanted: re.Pattern[str]) -> bool:
    return any(name.startswith("airflow.") and wanted.search(name) for name in place.meanings(node))


def _is_nothing(value: ast.expr) -> bool:
    """Tell `None`, `False` and empty lists."""
    is_empty = isinstance(value, ast.List | ast.Tuple | ast.Set) and not value.elts
    return is_empty or (isinstance(value, ast.Constant) and not value.value)


def _texts(value: ast.expr) -> str:
    return " ".join(
        node.value for node in ast.walk(value) if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def _is_set_elsewhere(project: Project) -> bool:
    """Tell whether default_args may let sensors skip: which dict reaches which task is not followed."""
    for word in ("soft_fail", "skipped_states"):
        for file in project.mentioning(word.encode()):
            source = project.source(file)
            for mapping in source.each(ast.Dict) if source else ():
                if (found := dags.entry(mapping, word)) and not _is_nothing(found[1]):
                    return True
            for call in source.each(ast.Call) if source else ():
                item = keyword(call, word)
                if getattr(call.func, "id", "") == "dict" and item and not _is_nothing(item.value):
                    return True
    return False


def _name(node: ast.AST) -> str:
    return str(getattr(node, "arg", None) or getattr(node, "attr", None) or getattr(node, "id", None) or "")


def _reached(
    source: Source, function: ast.FunctionDef, project: Project
) -> Iterator[tuple[Source, ast.FunctionDef | ast.ClassDef | ast.Assign | str]]:
    """Give a function, the functions, classes and values that it names, and so on, each with its file; a text when one cannot be followed."""
    waiting: list[tuple[Source, ast.FunctionDef | ast.ClassDef | ast.Assign]] = [(source, function)]
    seen: set[ast.AST] = {function}
    while waiting:
        place, current = waiting.pop()
        yield place, current
        inner = {node.name for node in ast.walk(current) if isinstance(node, ast.FunctionDef) and node is not current}
        for node in ast.walk(current):
            if not isinstance(node, ast.Name | ast.Attribute) or not isinstance(node.ctx, ast.Load):
                continue
            if isinstance(node, ast.Name) and node.id in inner:
                continue  # it stands here
            followed = _definition(place, node, project)
            if followed is not None and followed[1] not in seen:
                seen.add(followed[1])
                waiting.append(followed)
            elif (
                (followed is None or isinstance(followed[1], ast.Assign))
                and _is_callable(place, node)
                and not _is_known(place, node)
            ):
                yield place, f"`{place.code(node)}` cannot be followed"


def _definition(
    source: Source, node: ast.AST, project: Project
) -> tuple[Source, ast.FunctionDef | ast.ClassDef | ast.Assign] | None:
    """Give the function, the class or the text of the project that a name means."""
    if isinstance(node, ast.Name):
        for item in source.tree.body:
            if isinstance(item, ast.FunctionDef | ast.ClassDef) and item.name == node.id:
                return source, item
        if source.scope(node) is source.top or not _is_local(source, node):
            for item in source.tree.body:
                if _is_text(item, node.id):
                    return source, item  # type: ignore[return-value]
    for origin in source.meanings(node):
        file, name = project.place_of(origin) or ("", "")
        if (other := project.source(file)) is None:
            continue
        for item in other.tree.body:
            if (isinstance(item, ast.FunctionDef | ast.ClassDef) and item.name == name) or _is_text(item, name):
                return other, item  # type: ignore[return-value]
    return None


def _is_local(source: Source, node: ast.Name) -> bool:
    scope = source.scope(node)
    while scope is not source.top and scope is not None:
        if node.id in scope.bound:
            return True
        scope = scope.parent  # type: ignore[assignment]
    return False


def _is_text(item: ast.stmt, name: str) -> bool:
    """Tell whether a statement gives a name a value with a template in it."""
    if not isinstance(item, ast.Assign) or not any(getattr(target, "id", "") == name for target in item.targets):
        return False
    return any(
        isinstance(node, ast.Constant) and isinstance(node.value, str) and ("{{" in node.value or "{%" in node.value)
        for node in ast.walk(item.value)
    )


def _is_callable(source: Source, node: ast.AST) -> bool:
    """Tell whether a task will call what is named, or is made by it: a callable, a callback, a class that is none of Airflow's."""
    parent = source.parents.get(node)
    if isinstance(parent, ast.Call) and parent.func is node:
        return keyword(parent, "task_id") is not None and not any(
            name.startswith("airflow.") for name in source.meanings(node)
        )
    return isinstance(parent, ast.keyword) and (parent.arg or "").endswith(("_callable", "_callback", "_fn"))


def _is_known(source: Source, node: ast.AST) -> bool:
    """Tell whether it is of the standard library's plain functions: `print`, `time.sleep`."""
    if isinstance(node, ast.Name) and node.id == "print" and "print" not in source.top.bound:
        return True
    return source.means(node, {"time.sleep"})
