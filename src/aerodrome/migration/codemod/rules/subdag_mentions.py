"""What names SubDags that became task groups, or their tasks, from elsewhere: pulls are written anew, the rest is found. Pure."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Edit, Spot
from aerodrome.migration.codemod.editing import keyword
from aerodrome.migration.codemod.rules.subdag_plan import Plan
from aerodrome.migration.codemod.rules.subdag_pulls import pull_of, pulls_of_text
from aerodrome.migration.codemod.source import Source

_HINT = "It is a task group of the DAG {root} now: write dag_id {root}, and `{group}.` before the ids of tasks."


def edits_of_pulls(source: Source, file: str, plan: Plan) -> Iterator[Edit]:
    """Give the edits that let pulls of a file mean the same, in tasks of the SubDags that change and elsewhere."""
    if b"xcom_pull" not in source.text or not plan.is_any:
        return
    inside = _inside(source, file, plan)
    for call in source.each(ast.Call):
        if pull := pull_of(source, call, plan.ids, is_inside=call in inside, parent="" if call in inside else None):
            yield from pull.edits
    for node in source.each(ast.Constant):
        if isinstance(node.value, str):
            yield from pulls_of_text(source, node, plan.ids, is_inside=node in inside)[1]


def mentions(source: Source, file: str, plan: Plan) -> Iterator[Spot]:
    """Find pulls and sensors whose SubDag or task may be one of those that change."""
    if not plan.is_any:
        return
    inside = _inside(source, file, plan)
    groups = {(root, group) for root, group in plan.ids.values()}
    for call in source.each(ast.Call):
        if getattr(call.func, "attr", "") == "xcom_pull" and call not in inside:
            item = keyword(call, "dag_id")
            value = item.value if item else call.args[1] if len(call.args) > 1 else None
            if value is not None and (why := _of_dag(source, value, plan)):
                yield Spot(
                    call.lineno,
                    f"This pulls from a SubDag that became a task group, or may: {why}.",
                    _hint(value, plan),
                )
        item = keyword(call, "external_dag_id")
        if item is None:
            continue
        task = keyword(call, "external_task_id")
        pair = (getattr(item.value, "value", None), getattr(task.value, "value", None) if task else None)
        if pair in groups:
            hint = "Write external_task_group_id=… instead of external_task_id=…: it waits for all tasks of the group."
            yield Spot(call.lineno, f"This waits for the SubDag `{pair[1]}`, which is a task group now.", hint)
        elif why := _of_dag(source, item.value, plan):
            yield Spot(
                call.lineno,
                f"This waits for a SubDag that became a task group, or may: {why}.",
                _hint(item.value, plan),
            )


def _of_dag(source: Source, value: ast.expr, plan: Plan) -> str:
    """Say why a dag_id may be that of a SubDag that changed."""
    texts = [node.value for node in ast.walk(value) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    if isinstance(value, ast.Constant):
        is_meant = value.value in plan.ids or (plan.is_vague and "." in str(value.value))
    else:
        is_meant = any("." in text for text in texts)
    return f"`{source.code(value)[:60]}`" if is_meant else ""


def _hint(value: ast.expr, plan: Plan) -> str:
    root, group = plan.ids.get(str(getattr(value, "value", "")), ("…", "GROUP"))
    return _HINT.format(root=root, group=group)


def _inside(source: Source, file: str, plan: Plan) -> set[ast.AST]:
    """Give the nodes that only tasks of changing SubDags run."""
    names = {name for place, name in plan.pullers if place == file}
    return {
        node
        for item in source.tree.body
        if getattr(item, "name", "") in names
        or (isinstance(item, ast.Assign) and any(getattr(target, "id", "") in names for target in item.targets))
        for node in ast.walk(item)
    }
