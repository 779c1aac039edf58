"""Jobs whose failure a run would not show: in Airflow a run fails only through its last tasks, and any-rules and handlers swallow failures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Final

from aerodrome.migration.convert.contract import Edge, Task

_STRICT: Final = ("none_failed", "none_failed_min_one_success")


def unheard(tasks: Sequence[Task], edges: Sequence[Edge], ends: Collection[str]) -> list[str]:
    """Name the last tasks of jobs from which no chain leads to the end of the run that fails whenever they fail.

    A chain breaks at a rule that is met by others, and at `all_success` where another upstream task may be skipped: Airflow then skips
    the task as soon as it sees that (ti_deps/deps/trigger_rule_dep.py, 2.11.2 and 3.3.2), before the failure.
    """
    before: dict[str, set[str]] = defaultdict(set)
    after: dict[str, set[str]] = defaultdict(set)
    for edge in edges:
        before[edge.after].add(edge.before)
        after[edge.before].add(edge.after)
    by_name = {task.full_id: task for task in tasks}
    may_skip = any(_may_be_skipped(task) for task in tasks)
    heard: dict[str, bool] = {}

    def is_heard(name: str) -> bool:
        if name not in heard:
            heard[name] = not after[name] or any(_passes(by_name[item]) and is_heard(item) for item in after[name])
        return heard[name]

    def _passes(task: Task) -> bool:
        if task.choices or task.watches or any(by_name[item].choices for item in before[task.full_id]):
            return False  # a choice skips what is behind it, whatever else stands before that
        if task.trigger_rule in _STRICT:
            return True
        return task.trigger_rule == "all_success" and (len(before[task.full_id]) == 1 or not may_skip)

    for name in reversed(_sorted(by_name, before, after)):
        is_heard(name)
    return [task.full_id for task in tasks if task.full_id in ends and not heard.get(task.full_id, True)]


def _may_be_skipped(task: Task) -> bool:
    names = dict(task.arguments)
    return "pre_execute" in names or names.get("soft_fail") is True or bool(task.choices)


def _sorted(names: Collection[str], before: dict[str, set[str]], after: dict[str, set[str]]) -> list[str]:
    """Give the tasks in an order in which each stands behind those before it: no recursion, whatever the depth."""
    left = {name: len(before[name]) for name in names}
    order = [name for name in names if not left[name]]
    for name in order:
        for item in sorted(after[name]):
            left[item] -= 1
            if not left[item]:
                order.append(item)
    return order
