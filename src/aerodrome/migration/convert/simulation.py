"""Runs a converted DAG on paper, with Airflow's trigger rules, so that it can be compared with the source's own semantics.

Rules as in Airflow 2.11 and 3.3 (ti_deps/deps/trigger_rule_dep.py, models/skipmixin.py): a branch skips its direct successors that are
neither chosen nor below a chosen one; a run fails when one of its leaves failed or has a failed upstream.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from aerodrome.migration.convert.contract import Dag, Rule, Task

State = Literal["success", "failed", "skipped", "upstream_failed"]
Outcomes = Callable[[Task], bool]  # does a task that really runs succeed?
Choices = Callable[[Task], str]  # the label that a branching task chooses


@dataclass(frozen=True)
class Run:
    """What happened: the tasks that really ran, in a possible order, and how the run ended."""

    executed: tuple[str, ...]
    states: Mapping[str, State]
    is_success: bool


class Simulator:
    """Simulates runs of one DAG; prepare it once, run it often."""

    def __init__(self, dag: Dag) -> None:
        self.tasks = {task.full_id: task for task in dag.tasks}
        self.before: dict[str, list[str]] = defaultdict(list)
        self.after: dict[str, list[str]] = defaultdict(list)
        for edge in dict.fromkeys(dag.edges):
            self.before[edge.after].append(edge.before)
            self.after[edge.before].append(edge.after)
        self.order = self._sorted()
        self.below: dict[str, set[str]] = {}
        for name in reversed(self.order):
            self.below[name] = {name}.union(*(self.below[child] for child in self.after[name]))
        self.leaves = [name for name in self.order if not self.after[name]]

    def run(self, outcomes: Outcomes, choices: Choices) -> Run:
        """Simulate one run."""
        states: dict[str, State] = {}
        executed: list[str] = []
        skipped: set[str] = set()
        for name in self.order:
            task = self.tasks[name]
            upstream = [states[item] for item in self.before[name]]
            state = "skipped" if name in skipped else _by_rule(task.trigger_rule, upstream)
            if state is None:
                state = self._execute(task, states, outcomes, choices, skipped)
                executed.append(name)
            states[name] = state
        is_success = not any(states[leaf] in ("failed", "upstream_failed") for leaf in self.leaves)
        return Run(tuple(executed), states, is_success)

    def _execute(
        self, task: Task, states: Mapping[str, State], outcomes: Outcomes, choices: Choices, skipped: set[str]
    ) -> State:
        if task.role in ("raises", "fails"):
            return "failed"
        label = None
        if task.watches:
            seen = states[task.begins or task.watches]
            if seen == "upstream_failed":
                return "failed"
            if seen == "skipped":
                skipped.update(self.after[task.full_id])
                return "skipped"
            label = "ok" if states[task.watches] == "success" else "error"
        elif task.choices:
            label = choices(task)
        if label is not None:
            chosen = next(item.tasks for item in task.choices if item.label == label)
            kept = set(chosen).union(*(self.below[item] for item in chosen))
            skipped.update(item for item in self.after[task.full_id] if item not in kept)
            return "success"
        return "success" if task.role == "control" or outcomes(task) else "failed"

    def _sorted(self) -> list[str]:
        waiting = {name: len(self.before[name]) for name in self.tasks}
        ready = [name for name in self.tasks if not waiting[name]]
        order = []
        while ready:
            order.append(name := ready.pop(0))
            for child in self.after[name]:
                waiting[child] -= 1
                if not waiting[child]:
                    ready.append(child)
        if len(order) != len(self.tasks):
            raise ValueError("the DAG has a cycle")
        return order


def _by_rule(rule: Rule, upstream: list[State]) -> State | None:
    """Give the state that the rule forces on a task, None when it runs; all upstream tasks have ended."""
    failed = sum(state in ("failed", "upstream_failed") for state in upstream)
    skipped = upstream.count("skipped")
    success = upstream.count("success")
    if not upstream or rule in ("all_done", "always", "one_done"):
        return None if rule != "one_done" or success or "failed" in upstream or not upstream else "skipped"
    if rule == "all_success":
        return "upstream_failed" if failed else "skipped" if skipped else None
    if rule == "none_failed":
        return "upstream_failed" if failed else None
    if rule == "none_failed_min_one_success":
        return "upstream_failed" if failed else "skipped" if not success else None
    if rule == "one_failed":
        return None if failed else "skipped"
    if rule == "one_success":
        return None if success else "upstream_failed" if failed else "skipped"
    raise ValueError(rule)
