"""Compares a day of Control-M with the run of the DAG that was made of the folder: jobs that ran, in which order, and how the run ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date
from functools import partial
from itertools import product
from random import Random

from aerodrome.migration.convert.contract import Code, Dag, Task
from aerodrome.migration.convert.controlm.proof.day import Awaited, Day, Path, awaited, run_day
from aerodrome.migration.convert.controlm.world import Plan, World
from aerodrome.migration.convert.simulation import Choices, Outcomes, Run, Simulator, State

_EXHAUSTIVE = 8  # jobs up to which every outcome is tried


@dataclass(frozen=True)
class Difference:
    """Jobs that ran only on one side, for one date and one set of failing jobs; or another order, or another end."""

    dag_id: str
    day: date | None
    failing: tuple[Path, ...]
    only_in_source: tuple[Path, ...]
    only_in_dag: tuple[Path, ...]
    unordered: tuple[tuple[Path, str], ...] = ()  # jobs that the DAG may run before a condition for which they wait
    end: str = ""  # how the run ended, where it should have ended otherwise


def compare(world: World, plan: Plan, dag: Dag, samples: int = 64) -> Iterator[Difference]:
    """Compare a folder with its DAG: every kind of date, outcomes of all jobs (sampled when there are many), outside conditions or none.

    Conditions that are kept outside of the DAG are present or absent as a whole.
    """
    jobs = [job.path for job in plan.folder.jobs() if job.path not in plan.apart]
    ends = {world.task_ids[plan.number, path]: path for path in jobs}
    runner = _Runner(dag, ends)
    outside = _outside(world, plan)
    refused = _refused(world, plan)
    made_outside = outside - _outside(world, plan, ("edge",))
    edges = _edges(world, plan)
    fails_waiting = plan.folder.is_adjusting  # there a wait that ends without its condition fails (conditions-adjusted)
    has_more = any(task.role == "raises" and task.full_id not in ends for task in dag.tasks)
    for day, ordered in _kinds_of_days(plan, jobs).items():
        for failing in _outcomes(jobs, samples):
            for is_met in (True, False) if outside else (True,):
                present = outside if is_met else frozenset[Awaited]()
                missing = refused if is_met else refused | made_outside
                gone = () if is_met or fails_waiting else (made_outside, outside)
                source = run_day(plan.folder, ordered, partial(_is_ok, failing), present, missing, gone, refused)
                run = runner.run_of(ordered, failing, is_met=is_met)
                found = {path for name, path in runner.parts.items() if run.states[name] in ("success", "failed")}
                only_source = tuple(sorted(set(source.executed) - found))
                only_dag = tuple(sorted(found - set(source.executed)))
                unordered = tuple(sorted(runner.unordered(source, edges)))
                end = ""
                if (
                    not has_more
                    and not (fails_waiting and not is_met)
                    and run.is_success == bool(set(source.executed) - source.ended_ok)
                ):
                    end = "success" if run.is_success else "failed"
                if only_source or only_dag or unordered or end:
                    yield Difference(dag.dag_id, day, tuple(sorted(failing)), only_source, only_dag, unordered, end)


def _is_ok(failing: AbstractSet[Path], path: Path) -> bool:
    return path not in failing


def _kinds_of_days(plan: Plan, jobs: list[Path]) -> dict[date | None, frozenset[Path]]:
    """Give one date for every set of jobs that are ordered together; None: a run that forces all jobs.

    Where nobody knows the dates of a job, it can be ordered on every date: a run of the DAG has it.
    """
    kinds: dict[frozenset[Path], date] = {}
    unknown = {path for path, _ in plan.order.unknown}
    unknown |= {job.path for job in plan.folder.jobs() if plan.comes_with_folder(job)}
    for day in sorted(plan.dates):
        ordered = frozenset(path for path in jobs if path in unknown or day in plan.order.jobs[path].dates)
        kinds.setdefault(ordered, day)
    found: dict[date | None, frozenset[Path]] = {} if plan.is_scheduled else {None: frozenset(jobs)}
    return found | {day: ordered for ordered, day in kinds.items()}


def _edges(world: World, plan: Plan) -> set[tuple[Path, str]]:
    """Give the conditions of jobs that are edges of the DAG, whoever adds them."""
    found = set()
    for job in plan.folder.jobs():
        for wait in job.waits:
            if all(link.kind == "edge" for link in world.links.of(plan.number, job, wait)):
                found.add((job.path, wait.name))
    return found


def _outcomes(jobs: list[Path], samples: int) -> Iterator[frozenset[Path]]:
    if len(jobs) <= _EXHAUSTIVE:
        for marks in product((False, True), repeat=len(jobs)):
            yield frozenset(path for path, fails in zip(jobs, marks, strict=True) if fails)
        return
    random = Random(len(jobs))  # noqa: S311  (the same samples every time)
    yield frozenset()
    for _ in range(samples):
        share = random.random() / 2
        yield frozenset(path for path in jobs if random.random() < share)


def _outside(world: World, plan: Plan, kinds: tuple[str, ...] = ("sensor", "stored", "never")) -> AbstractSet[Awaited]:
    """Give what nodes of the folder wait for and the DAG does not make itself."""
    return {
        awaited(node, wait)
        for node in (plan.folder, *plan.folder.folders(), *plan.folder.jobs())
        for wait in node.waits
        if any(way.kind in kinds for way in world.links.of(plan.number, node, wait))
    }


def _refused(world: World, plan: Plan) -> AbstractSet[Awaited]:
    """Give what nodes of the folder wait for and no producer can meet in Airflow: tasks raise for it."""
    return {
        awaited(node, wait)
        for node in (plan.folder, *plan.folder.folders(), *plan.folder.jobs())
        for wait in node.waits
        if (ways := world.links.of(plan.number, node, wait)) and all(way.kind == "never" for way in ways)
    }


class _Runner(Simulator):
    """Runs a DAG with jobs that are not ordered, and with sensors that see their condition or time out."""

    def __init__(self, dag: Dag, ends: Mapping[str, Path]) -> None:
        super().__init__(dag)
        self._ends = ends
        firsts = {task.begins: ends[task.watches] for task in dag.tasks if task.begins}
        self.parts = {**ends, **firsts}  # tasks of jobs: their ends, and first ones whose failure something looks for
        self._places = {"/".join(path): path for path in ends.values()}
        self._ordered: AbstractSet[Path] = set()
        self._is_met = True

    def run_of(self, ordered: AbstractSet[Path], failing: AbstractSet[Path], *, is_met: bool) -> Run:
        """Run the DAG for a date on which these jobs are ordered, and these of them fail."""
        self._ordered, self._is_met = ordered, is_met
        return super().run(lambda task: self.parts.get(task.full_id) not in failing, self._chosen)

    def _chosen(self, task: Task) -> str:
        """Say whether the job of a choice is ordered."""
        path = self._places.get(task.origin.path) if task.origin is not None else None
        return "ordered" if path in self._ordered else "left out"

    def unordered(self, source: Day, edges: AbstractSet[tuple[Path, str]]) -> Iterator[tuple[Path, str]]:
        """Name the jobs that may start before any of the jobs that had added a condition for them."""
        names = {path: name for name, path in self._ends.items()}
        for path, conditions in source.met_by.items():
            for condition, producers in conditions.items():
                if (path, condition) in edges and not any(names[path] in self.below[names[by]] for by in producers):
                    yield path, condition

    def _execute(
        self, task: Task, states: Mapping[str, State], outcomes: Outcomes, choices: Choices, skipped: set[str]
    ) -> State:
        path = self.parts.get(task.full_id)
        if path is None and task.role == "raises" and task.origin is not None:
            path = self._places.get(task.origin.path)  # it stands for a wait of the job
        if path is not None and path not in self._ordered and any(name == "pre_execute" for name, _ in task.arguments):
            return "skipped"
        if task.is_waiting and path is None:
            call = dict(task.arguments).get("python_callable")
            is_file = isinstance(call, Code) and call.text != "is_added"
            is_clock = is_file or task.operator.name not in ("ExternalTaskSensor", "PythonSensor")
            unmet: State = "failed" if dict(task.arguments).get("soft_fail") is False else "skipped"
            return "success" if is_clock or self._is_met else unmet
        if task.full_id in self._ends and task.role == "raises":
            return "success" if outcomes(task) else "failed"
        return super()._execute(task, states, outcomes, choices, skipped)
