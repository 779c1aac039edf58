"""What stands behind jobs and folders: conditions that they change, jobs that they order, what they do after NOTOK."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from aerodrome.migration.convert import symbols
from aerodrome.migration.convert.contract import Choice, Code, Expression, Role, Symbol, Task
from aerodrome.migration.convert.controlm import snippets
from aerodrome.migration.convert.controlm.definitions.model import Job, Node
from aerodrome.migration.convert.controlm.draft import Draft
from aerodrome.migration.convert.controlm.effects import After, Effects
from aerodrome.migration.convert.controlm.names import sanitize
from aerodrome.migration.convert.controlm.waits.behind import Behind, order_behind
from aerodrome.migration.convert.controlm.waits.waiting import Waiting

Path = tuple[str, ...]


class Ending:
    """Makes what stands behind the ends of nodes in a draft. `ends`: their last tasks, `groups`: those of nodes, both by path."""

    def __init__(self, draft: Draft, waiting: Waiting, ends: Mapping[Path, str], groups: Mapping[Path, str]) -> None:
        self.draft, self.waiting = draft, waiting
        self._ends, self._groups = ends, groups
        self.notok: dict[Path, str] = {}  # of jobs: the control task that succeeds exactly when one has ended NOTOK
        self.tasks: dict[Path, list[str]] = defaultdict(list)  # of a job, from its first to its end
        self._routers: dict[Path, str] = {}
        self._behind: dict[str, Behind] = defaultdict(Behind)
        self._unawaited: dict[str, None] = {}

    def finish(self, node: Node) -> None:
        """Put everything into its order, when all jobs have been made. `node`: of whom the DAG is."""
        self._watch_all_tasks()
        order_behind(self.draft.built, self._behind)
        self._tell_unawaited(node)

    def _watch_all_tasks(self) -> None:
        """Let what follows a job that has ended NOTOK see the failure of any of its tasks."""
        several = {self._routers[path]: names for path, names in self.tasks.items() if path in self._routers}
        self.draft.built.tasks = [
            _watching(task, several[task.full_id]) if task.full_id in several else task
            for task in self.draft.built.tasks
        ]

    def _tell_unawaited(self, node: Node) -> None:
        if not self._unawaited:
            return
        text = f"Nobody in the exports waits for {', '.join(self._unawaited)}: it is added to, and deleted from, the Airflow variables all the same (controlm.condition.NAME.MMDD; without a date: controlm.condition.NAME), for DAGs that are converted apart. Where all exports are here, unawaited_conditions: drop in the profile leaves these tasks out."
        self.draft.account("OUTCOND", "caveat", node.origin, "condition-unawaited", text, node.name)

    def after_job(self, job: Job, effects: Effects, end: str) -> None:
        for item in effects.after:
            if item.event == "ok":
                self.react(item, job, end)
        behind = [item for item in effects.after if item.event == "notok"]
        if behind or job.path in self.notok or self.waiting.stores_on_notok(job):
            name = self.notok_gate(job)
            for item in behind:
                self.react(item, job, name)

    def notok_gate(self, job: Job) -> str:
        """Give the control task that succeeds exactly when a job has ended NOTOK."""
        if job.path in self.notok:
            return self.notok[job.path]
        end = self._ends[job.path]
        group, _, last = end.rpartition(".")
        router, gate, ok = (self.draft.free(f"{last}_{word}", group) for word in ("end", "notok", "ok"))
        self.notok[job.path], self._routers[job.path] = gate, router
        self._behind[end].own |= {router, gate, ok}
        self.draft.need(snippets.AFTER)
        arguments: tuple[tuple[str, Expression], ...] = (
            ("python_callable", Code("after")),
            ("op_kwargs", {"task_ids": [end], "notok": gate}),
        )
        choices = (Choice("ok", ()), Choice("error", (gate,)))
        self.draft.task(
            router,
            symbols.BRANCH,
            arguments,
            role="control",
            rule="all_done",
            before=(end,),
            choices=choices,
            watches=end,
            origin=job.origin,
        )
        self.draft.task(gate, symbols.EMPTY, (), role="control", before=(router,), origin=job.origin)
        self.draft.task(
            ok,
            symbols.EMPTY,
            (),
            role="control",
            before=(end,),
            origin=job.origin,
            comment="Keeps the run failed when the job has failed.",
        )
        return gate

    def react(self, item: After, node: Node, before: str) -> None:
        role: Role = "raises" if item.role == "raises" else "real"
        self.after_task(item.suffix, node, before, item.operator, item.arguments, role, is_seen=item.is_seen)

    def after_task(
        self,
        suffix: str,
        node: Node,
        before: str,
        operator: Symbol,
        arguments: tuple[tuple[str, Expression], ...],
        role: Role,
        *,
        is_seen: bool = False,
    ) -> None:
        """Add a task behind a node. `is_seen`: what it does counts for those that follow the node, which then follow it."""
        group = self._groups[node.path]
        name = self.draft.free(f"{sanitize(node.name)}_{sanitize(suffix)}", group)
        self.draft.task(name, operator, arguments, role=role, before=(before,), origin=node.origin)
        if is_seen:
            self._behind[before].chain.append(name)
        elif operator is not symbols.TRIGGER_DAG:
            self._behind[before].own.add(name)

    def change_tasks(self, node: Node, end: str, changes: Iterable[tuple[str, Expression, bool, str]]) -> None:
        for name, days, is_added, event in changes:
            self.draft.need_conditions()
            self.draft.need(snippets.CHANGE_CONDITION)
            before = end if event == "ok" or not isinstance(node, Job) else self.notok_gate(node)
            given: dict[str, Expression] = {"name": name, "days": days, "is_added": is_added}
            arguments: tuple[tuple[str, Expression], ...] = (
                ("python_callable", Code("change_condition")),
                ("op_kwargs", given),
            )
            is_awaited = name not in self.draft.world.unawaited
            self._unawaited |= {} if is_awaited else {name: None}
            suffix = f"{'adds' if is_added else 'deletes'}_{name}"[:200]
            self.after_task(suffix, node, before, symbols.PYTHON, arguments, "real", is_seen=is_awaited)
        for name, is_added, event in self.waiting.undated(node):
            before = end if event == "ok" or not isinstance(node, Job) else self.notok_gate(node)
            self._undated(node, before, name, is_added=is_added)

    def _undated(self, node: Node, before: str, name: str, *, is_added: bool) -> None:
        """Say that a condition is not changed for a date that cannot be said: a task that raises, where others wait for it."""
        if name in self.draft.world.unawaited:
            text = f"It changes {name} for another date, which cannot be said here, and nobody in the exports waits for it: DAGs that are converted apart do not see it."
            self.draft.account("OUTCOND", "caveat", node.origin, "condition-unawaited", text, node.name)
            return
        if not is_added:
            text = f"It deletes {name} for another date, which cannot be said here: its Airflow variable stays."
            self.draft.account("OUTCOND", "caveat", node.origin, "condition-delete", text, node.name)
            return
        reason = f"It adds {name} for another date, which cannot be said here: those that wait for it do not start."
        self.draft.account("OUTCOND", "raises", node.origin, "condition-date", reason, node.name)
        self.draft.need(snippets.RAISE)
        given: tuple[tuple[str, Expression], ...] = (("python_callable", Code("not_converted")), ("op_args", [reason]))
        self.after_task(f"adds_{name}"[:200], node, before, symbols.PYTHON, given, "raises")


def _watching(router: Task, names: Sequence[str]) -> Task:
    """Let a router look at all tasks of a job."""
    given = dict(router.arguments)
    kwargs = given["op_kwargs"]
    assert isinstance(kwargs, Mapping)  # noqa: S101
    given["op_kwargs"] = {**kwargs, "task_ids": list(names)}
    return replace(router, arguments=tuple(given.items()), begins=names[0] if len(names) > 1 else "")
