"""Folds the SubDags of Airflow 1.10 and 2 into their DAGs, where the other reading has a task group in their place. Pure.

A SubDag is a DAG of its own, `parent.child`, and a task `child` of its parent. The upgrade makes a group of it, whose tasks are
`child.task`; what can be compared is the parent as if the group had been there before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from aerodrome.parsing.contract import DagDifference, ParsedDag, ParseResult

REASON = "The SubDag became a task group: its tasks run in the DAG's own run, and their ids begin with the group's."


def folded(before: ParseResult, after: ParseResult) -> tuple[ParseResult, tuple[DagDifference, ...]]:
    """Give `before` with such SubDags folded in, and one difference (info) for each of them."""
    children = {dag.dag_id: dag for dag in before.dags if "." in dag.dag_id}
    targets = {dag.dag_id: dag for dag in after.dags}
    if not children:
        return before, ()
    gone: set[str] = set()
    found: list[DagDifference] = []
    dags: list[ParsedDag] = []
    for dag in before.dags:
        tasks = dict(dag.shape.get("tasks") or {})
        new = dict(targets[dag.dag_id].shape.get("tasks") or {}) if dag.dag_id in targets else {}
        for name, task in tuple(tasks.items()):
            child = children.get(f"{dag.dag_id}.{name}")
            is_group = name not in new and any(other.startswith(f"{name}.") for other in new)
            if child is None or not is_group or dict(task).get("operator") != "SubDagOperator":
                continue
            tasks = _with_group(tasks, name, child)
            gone.add(child.dag_id)
            found.append(DagDifference(dag.dag_id, f"tasks.{name}", "SubDagOperator", "TaskGroup", "info", REASON))
        dags.append(replace(dag, shape={**dag.shape, "tasks": tasks}) if tasks else dag)
    return replace(before, dags=tuple(dag for dag in dags if dag.dag_id not in gone)), tuple(found)


def _with_group(tasks: Mapping[str, Any], name: str, child: ParsedDag) -> dict[str, Any]:
    """Put the child's tasks in the place of its operator: what led to it leads to their first, their last lead on."""
    inner: dict[str, Any] = dict(child.shape.get("tasks") or {})
    after: list[str] = list(tasks[name].get("downstream") or ())
    fed = {other for task in inner.values() for other in task.get("downstream") or ()}
    roots = [f"{name}.{task_id}" for task_id in inner if task_id not in fed]
    made: dict[str, Any] = {}
    for task_id, task in tasks.items():
        if task_id == name:
            continue
        following = list(task.get("downstream") or ())
        if name in following:
            following = sorted({*following, *roots} - {name})
        made[task_id] = {**task, "downstream": following}
    for task_id, task in inner.items():
        following = [f"{name}.{other}" for other in task.get("downstream") or ()]
        made[f"{name}.{task_id}"] = {**task, "downstream": sorted(following or after)}
    return made
