"""Runs a workflow on paper as Oozie does, for the proof: which actions run, in which order, and how the job ends.

Oozie stops the other branches of a fork when one is killed, at a moment that nobody can predict. Here a kill comes last: every other
branch goes on as far as it can, as it does in Airflow. That is one of Oozie's own outcomes, the one with the most actions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from aerodrome.migration.convert.oozie.model import Workflow


@dataclass(frozen=True)
class JobRun:
    executed: tuple[str, ...]  # actions
    causes: frozenset[tuple[str, str]]  # (earlier action, later action) along the ways that were taken
    is_success: bool


def run_job(workflow: Workflow, outcomes: Callable[[str], bool], chooses: Callable[[str], str]) -> JobRun:
    """Run a job: `outcomes` says whether an action succeeds, `chooses` where a decision goes."""
    forks = _fork_sizes(workflow)
    waiting: list[tuple[str, frozenset[str]]] = [(workflow.start, frozenset())]
    arrived: dict[str, list[frozenset[str]]] = defaultdict(list)
    executed: list[str] = []
    causes: set[tuple[str, str]] = set()
    is_killed = is_ended = False
    while waiting:
        name, past = waiting.pop(0)
        node = workflow.node(name)
        match node.kind:
            case "end":
                is_ended = True
            case "kill":
                is_killed = True
            case "decision":
                waiting.append((chooses(name), past))
            case "fork":
                waiting += [(to, past) for to in node.to]
            case "join":
                arrived[name].append(past)
                if len(arrived[name]) == forks.get(name, 1):
                    waiting.append((node.to[0], frozenset().union(*arrived[name])))
            case _:
                if name in executed:
                    continue  # Oozie does not start an action of a job twice
                causes |= {(before, name) for before in past}
                executed.append(name)
                waiting.append((node.ok if outcomes(name) else node.error, past | {name}))
    return JobRun(tuple(executed), frozenset(causes), is_ended and not is_killed)


def _fork_sizes(workflow: Workflow) -> dict[str, int]:
    """Give for each join how many branches its fork has: the join that all of them can reach first."""
    sizes: dict[str, int] = {}
    order = [node.name for node in workflow.order()]
    for name in order:
        node = workflow.node(name)
        if node.kind != "fork":
            continue
        common: set[str] | None = None
        for to in node.to:
            seen, stack = set(), [to]
            while stack:
                item = stack.pop()
                if item not in seen:
                    seen.add(item)
                    stack += workflow.node(item).following
            common = seen if common is None else common & seen
        depth = 0
        joins = [item for item in order if item in (common or set()) and workflow.node(item).kind == "join"]
        del depth
        if joins:
            sizes.setdefault(joins[0], len(node.to))
    return sizes
