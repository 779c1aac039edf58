"""Reads what pulls XComs in and around SubDags, and writes it for the groups that take their place. Pure.

A task of a SubDag calls its neighbours by their ids; in a group these begin with the group's, which the task itself knows:
`ti.task.task_group.child_id("load")` is "north.load" in the group north, and "load" where a task has none (airflow.sdk TaskGroup, 3.3.2).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from aerodrome.migration.codemod.contract import Change, Edit
from aerodrome.migration.codemod.editing import apply
from aerodrome.migration.codemod.source import Source, read

Ids = Mapping[str, tuple[str, str]]
"""SubDags by their dag_id: "sales.north" -> ("sales", "north"), the DAG and the group."""
_ORDER = ("task_ids", "dag_id", "key", "include_prior_dates")
_NAMED = frozenset({*_ORDER, "default", "map_indexes"})
_INSTANCES = ("ti", "task_instance")
_BLOCK = re.compile(r"\{[{%].*?[%}]\}", re.DOTALL)
_PULL = re.compile(r"\b(?:ti|task_instance)\s*\.\s*xcom_pull\(")
_OPEN = re.compile(r"[%{}]")
"""What a text has that something else is put into."""


@dataclass(frozen=True)
class Pull:
    """A pull that is understood. `is_own`: of tasks of the SubDag itself; `edits`: what lets it mean the same in a group."""

    is_own: bool
    edits: tuple[Edit, ...]
    nodes: frozenset[ast.AST]  # that it answers for


def pull_of(
    source: Source, call: ast.Call, ids: Ids, *, is_inside: bool = True, parent: str | None = ""
) -> Pull | None:
    """Read a call of xcom_pull; None when it is none, or is not understood.

    `is_inside`: a task of a SubDag makes it. `parent`: the name that holds the DAG's id there, "" when none does, None when what is around
    may be a SubDag as well.
    """
    func = call.func
    if not isinstance(func, ast.Attribute) or func.attr != "xcom_pull" or not _is_instance(func.value):
        return None
    given = _given(call)
    if given is None or not source.code(func).endswith("xcom_pull"):
        return None
    dag, tasks = given.get("dag_id"), given.get("task_ids")
    nodes: set[ast.AST] = {call, func, *ast.walk(func.value), *(ast.walk(dag) if dag else ())}
    nodes |= {item for item in call.keywords if item.arg in ("task_ids", "dag_id")}
    if _is_none(dag):
        texts = _texts(source, tasks) if is_inside else None
        if texts is None:
            return None if is_inside else Pull(False, (), frozenset(nodes))
        prefix = f"{source.code(func.value)}.task.task_group.child_id("
        made = [edit for item in texts for edit in _around(source, item, prefix)]
        return Pull(True, tuple(made), frozenset(nodes))
    if isinstance(dag, ast.Constant) and isinstance(dag.value, str) and not _OPEN.search(dag.value):
        if dag.value not in ids:
            return None if "." in dag.value else Pull(False, (), frozenset(nodes))
        literals = _literals(source, tasks)
        if literals is None or not _is_plain(source, dag):
            return None
        root, group = ids[dag.value]
        at = source.start(dag)
        edits = [Edit(at + 1, source.end(dag) - 1, root)]
        edits += [Edit(at := source.start(item) + 1, at, f"{group}.") for item in literals]
        return Pull(False, tuple(edits), frozenset(nodes))
    if parent and isinstance(dag, ast.Name) and dag.id == parent:
        return Pull(False, (), frozenset(nodes))
    if parent is not None and isinstance(dag, ast.Attribute) and source.code(dag).endswith(".parent_dag.dag_id"):
        owner = dag.value
        edit = Edit(source.end(owner) - len(".parent_dag"), source.end(owner), "")
        return Pull(False, (edit,), frozenset(nodes))
    return None


def pulls_of_text(
    source: Source, node: ast.Constant, ids: Ids, *, is_inside: bool = True, is_nested: bool = False
) -> tuple[str, list[Edit], bool]:
    """Give a text without the pulls that are understood, the edits of the file for these, and whether one is of the SubDag's own tasks."""
    value = str(node.value)
    if "xcom_pull" not in value:
        return value, [], False
    code = source.code(node)
    if isinstance(source.parents.get(node), ast.JoinedStr) or "\\" in "".join(_BLOCK.findall(code)):
        return value, [], False
    rest, edits, is_own = [], [], False
    at = 0
    for start, end, pull, text in _in_text(code, ids, is_inside=is_inside, is_nested=is_nested):
        rest.append(code[at:start])
        at = end
        is_own = is_own or pull.is_own
        if text != code[start:end]:
            place = source.start(node)
            edits.append(Edit(place + len(code[:start].encode()), place + len(code[:end].encode()), text))
    return "".join([*rest, code[at:]]), edits, is_own


def without_pulls(text: str, ids: Ids) -> str:
    """Give a template without the pulls of other DAGs' tasks, which mean in a group what they meant before."""
    at, rest = 0, []
    for start, end, pull, _ in _in_text(text, ids):
        if not pull.is_own and not pull.edits:
            rest.append(text[at:start])
            at = end
    return "".join([*rest, text[at:]])


def _in_text(
    code: str, ids: Ids, *, is_inside: bool = True, is_nested: bool = False
) -> Iterator[tuple[int, int, Pull, str]]:
    for block in _BLOCK.finditer(code):
        for found in _PULL.finditer(block[0]):
            for close in re.finditer(r"\)", block[0][found.end() :]):
                text = block[0][found.start() : found.end() + close.end()]
                source = read(text.encode()) if "#" not in text else None
                if source is None:
                    continue
                call = source.each(ast.Call).__next__()
                pull = pull_of(
                    source, call, ids, is_inside=is_inside, parent=None if is_nested or not is_inside else ""
                )
                if pull is not None:
                    start = block.start() + found.start()
                    new = apply(source, [Change(pull.edits)]).decode() if pull.edits else text
                    yield start, start + len(text), pull, new
                break


def _is_instance(node: ast.expr) -> bool:
    """Tell `ti`, `context["ti"]`, `get_current_context()["ti"]`, `context.get("ti")`, and any other plain name but `self`."""
    if isinstance(node, ast.Name):
        return node.id not in ("self", "cls", "XCom")
    if isinstance(node, ast.Subscript):
        return getattr(node.slice, "value", None) in _INSTANCES and _is_context(node.value)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
        return [getattr(arg, "value", None) in _INSTANCES for arg in node.args] == [True] and _is_context(
            node.func.value
        )
    return False


def _is_context(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) or (
        isinstance(node, ast.Call) and not node.args and getattr(node.func, "id", "") == "get_current_context"
    )


def _given(call: ast.Call) -> dict[str, ast.expr] | None:
    """Give the arguments by name; None when one cannot be seen or is not known."""
    if any(isinstance(arg, ast.Starred) for arg in call.args) or len(call.args) > len(_ORDER):
        return None
    if any(item.arg not in _NAMED for item in call.keywords):
        return None
    given = dict(zip(_ORDER, call.args, strict=False))
    return given | {str(item.arg): item.value for item in call.keywords}


def _is_none(node: ast.expr | None) -> bool:
    return node is None or (isinstance(node, ast.Constant) and node.value is None)


def _literals(source: Source, node: ast.expr | None) -> list[ast.Constant] | None:
    """Give the ids that a pull names, when all of them stand there."""
    items = node.elts if isinstance(node, ast.List | ast.Tuple) else [node]
    found = [item for item in items if isinstance(item, ast.Constant) and _is_plain(source, item)]
    return found if found and len(found) == len(items) else None


def _texts(source: Source, node: ast.expr | None) -> list[ast.expr] | None:
    """Give the ids that a pull names, when each is one text for certain, though it be made there."""
    items = node.elts if isinstance(node, ast.List | ast.Tuple) else [node]
    found = [item for item in items if item is not None and _is_text(source, item)]
    return found if found and len(found) == len(items) else None


def _is_text(source: Source, node: ast.expr) -> bool:
    if isinstance(node, ast.Constant):
        return _is_plain(source, node)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
        return isinstance(node.left, ast.Constant) and isinstance(node.left.value, str)
    if isinstance(node, ast.Call):
        is_format = isinstance(node.func, ast.Attribute) and node.func.attr == "format"
        owner = node.func.value if isinstance(node.func, ast.Attribute) else None
        is_made = is_format and isinstance(owner, ast.Constant) and isinstance(owner.value, str)
        return is_made or (getattr(node.func, "id", "") == "str" and len(node.args) == 1)
    return isinstance(node, ast.JoinedStr)


def _is_plain(source: Source, node: ast.Constant) -> bool:
    """Tell a text in plain quotes that nothing is put into."""
    if not isinstance(node.value, str) or _OPEN.search(node.value):
        return False
    code = source.code(node)
    return code in (f"'{node.value}'", f'"{node.value}"')


def _around(source: Source, node: ast.AST, prefix: str) -> tuple[Edit, Edit]:
    start, end = source.start(node), source.end(node)
    return Edit(start, start, prefix), Edit(end, end, ")")
