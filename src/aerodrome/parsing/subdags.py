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
        new = dict(targets[dag.dag_id].shape.get("tasks") or {}) if dag.dag_id in targets else {}
        groups: list[str] = []
        tasks = _tasks(dag, "", new, children, groups)
        gone |= {f"{dag.dag_id}.{name}" for name in groups}
        found += [
            DagDifference(dag.dag_id, f"tasks.{name}", "SubDagOperator", "TaskGroup", "info", REASON) for name in groups
        ]
        dags.append(replace(dag, shape={**dag.shape, "tasks": tasks}) if tasks else dag)
    return replace(before, dags=tuple(dag for dag in dags if dag.dag_id not in gone)), tuple(found)


def _tasks(
    dag: ParsedDag, prefix: str, new: Mapping[str, Any], children: Mapping[str, ParsedDag], groups: list[str]
) -> dict[str, Any]:
    """Give a DAG's tasks with those of its SubDags, and of theirs, in their places; `groups` gets the names of these, `prefix` is that of the DAG itself."""
    tasks = dict(dag.shape.get("tasks") or {})
    for name, task in tuple(tasks.items()):
        child, group = children.get(f"{dag.dag_id}.{name}"), f"{prefix}{name}"
        is_group = group not in new and any(other.startswith(f"{group}.") for other in new)
        if child is None or not is_group or dict(task).get("operator") != "SubDagOperator":
            continue
        groups.append(group)
        tasks = _with_group(tasks, name, _tasks(child, f"{group}.", new, children, groups))
    return tasks


def _with_group(tasks: Mapping[str, Any], name: str, inner: Mapping[str, Any]) -> dict[str, Any]:
    """Put the tasks of a SubDag in the place of its operator: what led to it leads to their first, their last lead on."""
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
