"""Compares a converted DAG with its workflow: both run on paper, over all outcomes of small graphs and a sample of large ones."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product

from aerodrome.migration.convert.contract import Dag, Task
from aerodrome.migration.convert.oozie.interpreter import JobRun, run_job
from aerodrome.migration.convert.oozie.model import Workflow
from aerodrome.migration.convert.simulation import Simulator

ALL_UP_TO = 1024
SAMPLE = 300


@dataclass(frozen=True)
class Difference:
    """One outcome for which the DAG does something else than the job."""

    failed: tuple[str, ...]  # actions that fail
    chosen: tuple[tuple[str, str], ...]
    what: str  # executed, order, state


def prove_flow(
    workflow: Workflow, dag: Dag, seed: int = 7, flows: Mapping[str, Workflow] | None = None
) -> tuple[Difference, ...]:
    """Give the differences (at most ten); a workflow that Oozie refuses has none to compare.

    `flows` are the workflows by file: those that stand as groups in the DAG run in place of their actions.
    """
    if workflow.defects:
        return ()
    inner = {group.group_id: (flows or {})[group.origin.file] for group in dag.groups if group.origin is not None}
    parts = {"": workflow, **inner}
    order = [(_full(prefix, node.name), node) for prefix, part in parts.items() for node in part.order()]
    raising = {task.full_id for task in dag.tasks if task.role == "raises"}
    decisions = {name: list(node.following) for name, node in order if node.kind == "decision"}
    if raising & set(decisions):
        return ()  # the DAG stops there, and says why
    if raising - {name for name, _ in order}:
        return ()
    actions = [name for name, node in order if node.kind == "action" and name not in inner]
    simulator = Simulator(dag)
    found: list[Difference] = []
    for failed, chosen in _outcomes([name for name in actions if name not in raising], decisions, seed):
        failing = failed | (raising & set(actions))
        job = _run_parts(parts, "", failing, chosen)

        def succeeds(task: Task, failing: frozenset[str] = failing) -> bool:
            return task.full_id not in failing

        def chooses(task: Task, chosen: dict[str, str] = chosen) -> str:
            return chosen[task.full_id]

        run = simulator.run(succeeds, chooses)
        executed = [name for name in run.executed if name in set(actions)]
        what = ""
        if set(executed) != set(job.executed):
            what = f"executed {sorted(set(executed) ^ set(job.executed))}"
        elif run.is_success != job.is_success:
            what = f"state {'success' if run.is_success else 'failed'}"
        elif any(after not in simulator.below[before] for before, after in job.causes):
            what = "order"
        if what:
            found.append(Difference(tuple(sorted(failing)), tuple(sorted(chosen.items())), what))
            if len(found) == 10:
                break
    return tuple(found)


def _full(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def _run_parts(
    parts: Mapping[str, Workflow], prefix: str, failing: frozenset[str], chosen: Mapping[str, str]
) -> JobRun:
    """Run the job of a workflow; an action that is a workflow runs a job of its own, and ends as that does."""
    jobs: dict[str, JobRun] = {}

    def succeeds(name: str) -> bool:
        full = _full(prefix, name)
        if full not in parts:
            return full not in failing
        jobs[full] = _run_parts(parts, full, failing, chosen)
        return jobs[full].is_success

    run = run_job(parts[prefix], succeeds, lambda name: chosen[_full(prefix, name)])

    def members(name: str) -> tuple[str, ...]:
        full = _full(prefix, name)
        return jobs[full].executed if full in jobs else (full,)

    causes = {pair for job in jobs.values() for pair in job.causes}
    causes |= {(one, two) for before, after in run.causes for one in members(before) for two in members(after)}
    executed = tuple(item for name in run.executed for item in members(name))
    return JobRun(executed, frozenset(causes), run.is_success)


def _outcomes(
    actions: list[str], decisions: dict[str, list[str]], seed: int
) -> Iterator[tuple[frozenset[str], dict[str, str]]]:
    total = 2 ** len(actions)
    for choices in decisions.values():
        total *= len(choices)
    if total <= ALL_UP_TO:
        for chosen in product(*decisions.values()):
            for failed in product((False, True), repeat=len(actions)):
                yield (
                    frozenset(name for name, is_failed in zip(actions, failed, strict=True) if is_failed),
                    dict(zip(decisions, chosen, strict=True)),
                )
        return
    chance = random.Random(seed)  # noqa: S311
    singles: list[frozenset[str]] = [frozenset(), *(frozenset({name}) for name in actions)]
    for number in range(max(SAMPLE, len(singles))):
        share = chance.choice((0.05, 0.15, 0.4))
        failed_set = (
            singles[number] if number < len(singles) else frozenset(name for name in actions if chance.random() < share)
        )
        yield failed_set, {name: chance.choice(choices) for name, choices in decisions.items()}
