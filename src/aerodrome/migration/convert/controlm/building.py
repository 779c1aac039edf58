"""Builds the DAG of a folder, or of one job that runs apart, from its plan: tasks, edges, gates, and the account of every element."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from aerodrome.migration.convert import symbols
from aerodrome.migration.convert.contract import (
    Code,
    Expression,
    Group,
    Role,
)
from aerodrome.migration.convert.controlm import snippets
from aerodrome.migration.convert.controlm.accounting import job_accounts, node_accounts, unknown_accounts
from aerodrome.migration.convert.controlm.definitions.model import Folder, Job
from aerodrome.migration.convert.controlm.draft import Built, Draft
from aerodrome.migration.convert.controlm.effects import Effects
from aerodrome.migration.convert.controlm.ending import Ending
from aerodrome.migration.convert.controlm.jobs.work import work_of
from aerodrome.migration.convert.controlm.jobs.workbench import Work
from aerodrome.migration.convert.controlm.names import is_lost, sanitize
from aerodrome.migration.convert.controlm.waits.around import around
from aerodrome.migration.convert.controlm.waits.conditions import Producer
from aerodrome.migration.convert.controlm.waits.holding import Holding
from aerodrome.migration.convert.controlm.waits.lineage import added, with_assets
from aerodrome.migration.convert.controlm.waits.upstream import Upstream
from aerodrome.migration.convert.controlm.waits.waiting import Waiting
from aerodrome.migration.convert.controlm.watching import unheard
from aerodrome.migration.convert.controlm.world import Plan, World


class Builder:
    """Builds one DAG. `jobs` are those that it holds; `is_apart` when it holds one job outside of its folder's DAG."""

    def __init__(
        self,
        world: World,
        plan: Plan,
        jobs: Sequence[Job],
        *,
        is_apart: bool = False,
        tick: int = 0,
        times: tuple[int, ...] = (),
        dates: frozenset[date] | None = None,
    ) -> None:
        alone = jobs[0] if is_apart and jobs[0].path not in plan.apart else None
        self.draft = Draft(world, plan, is_apart=is_apart, alone=alone, tick=tick, times=times)
        self.waiting = Waiting(self.draft, self._end_of)
        self.holding = Holding(self.draft, dates)
        self.jobs = jobs
        self._here = {job.path for job in jobs}
        self._ends: dict[tuple[str, ...], str] = {}
        self._starts: dict[tuple[str, ...], str] = {}
        self._group: dict[tuple[str, ...], str] = {}
        self.ending = Ending(self.draft, self.waiting, self._ends, self._group)

    def build(self) -> Built:
        """Build tasks, edges and accounts."""
        for job in self.jobs:
            self._ends[job.path] = self.draft.job_id(job.path)
            self.draft.used.add(self._ends[job.path])
            self._group[job.path] = self._ends[job.path].rpartition(".")[0]
        if not self.draft.is_apart:
            folder = self.draft.plan.folder
            inner = {
                item.path: self.draft.world.task_ids[self.draft.plan.number, item.path] for item in folder.folders()
            }
            self._group |= {folder.path: "", **inner}
            self._containers(folder, "")
        for job in self.jobs:
            self._job(job)
        if not self.draft.is_apart:
            self._finish(self.draft.plan.folder)
        self.ending.finish(self.jobs[0] if self.draft.is_apart else self.draft.plan.folder)
        self._watch()
        self._show_conditions()
        self.draft.built.is_listed = self.draft.gates.is_listed
        self.draft.built.functions |= {item.name: item for item in self.draft.gates.functions}
        return self.draft.built

    def _watch(self) -> None:
        """Add the task that fails the run where nothing else would show that a job has failed."""
        built = self.draft.built
        names = unheard(built.tasks, built.edges, {self._ends[job.path] for job in self.jobs})
        if not names:
            return
        self.draft.need(snippets.FAIL_RUN)
        self.draft.task(
            self.draft.free("job_failed", ""),
            symbols.PYTHON,
            (("python_callable", Code("fail_run")),),
            role="fails",
            rule="one_failed",
            before=tuple(names),
            origin=self.draft.plan.folder.origin,
            comment="Fails the run when one of these jobs has failed: what follows them goes on without them.",
        )

    def _show_conditions(self) -> None:
        """Let assets show the conditions between folders."""
        names = self.draft.world.crossing
        folder = self.draft.plan.folder
        folders = () if self.draft.is_apart else (folder, *folder.folders())
        produced: dict[str, list[str]] = {}
        awaited: dict[str, list[str]] = {}
        for node in (*folders, *self.jobs):
            start = self._ends[node.path] if isinstance(node, Job) else self._starts.get(node.path, "")
            ends = {"ok": self._ends.get(node.path, ""), "notok": self.ending.notok.get(node.path, "")}
            awaited.setdefault(start, []).extend(wait.name for wait in node.waits if wait.name in names)
            for event, end in ends.items():
                produced.setdefault(end, []).extend(added(node, names, event))
        self.draft.built.tasks = with_assets(self.draft.built.tasks, produced, awaited)

    # ---- folders and sub-folders

    def _containers(self, folder: Folder, group: str) -> None:
        self._start_gate(folder, group)
        if folder.path in self.draft.plan.starts:
            self._tell_start(folder)
        for inner in (member for member in folder.members if isinstance(member, Folder)):
            name = self.draft.world.task_ids[self.draft.plan.number, inner.path]
            self.draft.built.groups.append(Group(name, inner.description))
            self.draft.account("SUB_FOLDER", "converted", inner.origin, name=inner.name)
            self._containers(inner, name)

    def _start_gate(self, folder: Folder, group: str) -> None:
        """Make what lets a folder start: the folder around it, its time, its conditions, its confirmation."""
        parent = self._starts.get(folder.path[:-1])
        held = self.holding.time(folder, f"{folder.name}_not_before", group, None)
        timed = tuple(name for name in held if name != parent)
        if folder.waits or folder.must_confirm or (timed and (parent or not self.holding.is_start(timed))):
            also = (*((parent,) if parent else ()), *timed)
            gate = self.waiting.upstream(folder, also, group, None)
            name = self.draft.free(f"{sanitize(folder.name)}_starts", group)
            self._starts[folder.path] = name
            upstream = self.holding.approval(folder, gate, group, None)
            self.draft.task(
                name, symbols.EMPTY, (), role="control", rule=upstream.rule, before=upstream.ids, origin=folder.origin
            )
        elif timed:
            self._starts[folder.path] = timed[0]
        elif parent:
            self._starts[folder.path] = parent

    def _tell_start(self, folder: Folder) -> None:
        """Let the cyclic jobs of a folder, which run in DAGs of their own, see that it has started."""
        self.draft.need_conditions()
        self.draft.need(snippets.CHANGE_CONDITION)
        given: dict[str, Expression] = {"name": self.draft.plan.starts[folder.path], "days": 0, "is_added": True}
        arguments: tuple[tuple[str, Expression], ...] = (
            ("python_callable", Code("change_condition")),
            ("op_kwargs", given),
        )
        self.ending.after_task("tells_start", folder, self._starts[folder.path], symbols.PYTHON, arguments, "real")

    def _behind_start(self, job: Job, predicate: str | None) -> str | None:
        """Give the task behind which a job may start: the start of its folder, also where that is in another DAG; none for one that is ordered alone."""
        if not self.draft.is_apart:
            return self._starts.get(job.path[:-1])
        plan = self.draft.plan
        held = [folder for folder in around(plan.folder, job) if folder.path in plan.starts]
        if self.draft.alone is not None or not held:
            return None
        return self.waiting.started(held[-1], "", predicate)

    def _finish(self, folder: Folder) -> None:
        """End gates of folders that add conditions or react, inner ones first."""
        for inner in (member for member in folder.members if isinstance(member, Folder)):
            self._finish(inner)
        effects = self.draft.effects(folder)
        name = self._ends.get(folder.path)
        changes = self.waiting.changes(folder)
        undated = self.waiting.undated(folder)
        if any(name in self.draft.world.unawaited for name, *_ in changes) and not self._has_end(folder):
            names = [name for name, *_ in changes if name in self.draft.world.unawaited]
            text = f"It ends with its cyclic jobs, which run in DAGs of their own: {', '.join(names)}, for which nobody in the exports waits, is not changed."
            self.draft.account("FOLDER", "caveat", folder.origin, "folder-end-cyclic", text, folder.name)
            changes = [item for item in changes if item[0] not in names]
        has_ok = bool(effects.on_ok) or any(item.event == "ok" for item in effects.after)
        if name is None and (has_ok or changes or undated):
            name = self._end_gate(folder)
        self.draft.built.accounts += effects.accounts
        unknown_accounts(self.draft, folder, effects.unknown)
        node_accounts(self.draft, folder)
        self._after_notok(folder, effects)
        if name is None:
            return
        callbacks: list[tuple[str, Expression]] = []
        if effects.on_ok:
            callbacks.append(("on_success_callback", effects.on_ok))
        if callbacks:
            self.draft.built.tasks = [
                replace(t, arguments=(*t.arguments, *callbacks)) if t.full_id == name else t
                for t in self.draft.built.tasks
            ]
        for item in effects.after:
            if item.event == "ok":
                self.ending.react(item, folder, name)
        self.ending.change_tasks(folder, name, changes)

    def _after_notok(self, folder: Folder, effects: Effects) -> None:
        """Make the task that stands for the end NOTOK of a folder: it succeeds when one of its jobs has failed, and is skipped else."""
        behind = [item for item in effects.after if item.event == "notok"]
        if not behind and not effects.on_notok:
            return
        what = "FOLDER/ON" if folder.path == self.draft.plan.folder.path else "SUB_FOLDER/ON"
        if not self._has_end(folder):
            text = "Its jobs are cyclic and run in DAGs of their own: its actions for NOTOK do not happen."
            self.draft.account(what, "caveat", folder.origin, "folder-notok", text, folder.name)
            return
        text = "Its actions for NOTOK happen as soon as one of its jobs has failed for good, in Control-M when all of them have ended."
        self.draft.account(what, "caveat", folder.origin, "folder-notok", text, folder.name)
        name = self.draft.free(f"{sanitize(folder.name)}_notok", self._group[folder.path])
        self.draft.task(
            name,
            symbols.EMPTY,
            (("on_success_callback", effects.on_notok),) if effects.on_notok else (),
            role="control",
            rule="one_failed",
            before=tuple(self._ends[job.path] for job in folder.jobs() if job.path in self._here),
            origin=folder.origin,
        )
        for item in behind:
            self.ending.react(item, folder, name)

    def _has_end(self, folder: Folder) -> bool:
        return any(job.path in self._here for job in folder.jobs())

    def _end_gate(self, folder: Folder) -> str:
        if folder.path in self._ends:
            return self._ends[folder.path]
        group = self._group[folder.path]
        name = self.draft.free(f"{sanitize(folder.name)}_ended", group)
        self._ends[folder.path] = name
        inside = tuple(self._ends[job.path] for job in folder.jobs() if job.path in self._here)
        elsewhere = [job.name for job in folder.jobs() if job.path not in self._here]
        what = "FOLDER" if folder.path == self.draft.plan.folder.path else "SUB_FOLDER"
        if not inside:
            reason = f"{folder.name} ends when its cyclic jobs have ended, which run in DAGs of their own: nothing here says when."
            self.draft.account(what, "raises", folder.origin, "folder-end", reason, folder.name)
            self.draft.need(snippets.RAISE)
            given = (("python_callable", Code("not_converted")), ("op_args", [reason]))
            self.draft.task(name, symbols.PYTHON, given, role="raises", origin=folder.origin)
            return name
        if elsewhere:
            text = f"Its end does not wait for its cyclic jobs, which run in DAGs of their own: {', '.join(elsewhere)}."
            self.draft.account(what, "caveat", folder.origin, "folder-end-cyclic", text, folder.name)
        self.draft.task(
            name,
            symbols.EMPTY,
            (),
            role="control",
            rule="none_failed_min_one_success",
            before=inside,
            origin=folder.origin,
        )
        return name

    def _end_of(self, producer: Producer) -> str:
        if not producer.is_job:
            plan = self.draft.plan
            return self._end_gate(next(f for f in (plan.folder, *plan.folder.folders()) if f.path == producer.path))
        if producer.event == "ok":
            return self._ends[producer.path]
        return self.ending.notok_gate(next(job for job in self.jobs if job.path == producer.path))

    # ---- jobs

    def _job(self, job: Job) -> None:
        group = self._group[job.path]
        effects = self.draft.effects(job)
        self.draft.stopped_by = effects.stopped_by
        scope = self.draft.scope(job)
        work = work_of(job, scope, self.draft.world.site, self.draft.world.export.profiles, effects)
        ordered = self.draft.plan.ordered(job)
        predicate = self.holding.predicate(job)
        zone_of = self.draft.zone(job)
        start = self._behind_start(job, predicate)
        timed = self.holding.time(job, f"{sanitize(job.name)}_not_before", group, predicate)
        also = (*((start,) if start else ()), *(name for name in timed if name != start))
        upstream = self.waiting.upstream(job, also, group, predicate)
        upstream = self.holding.approval(job, upstream, group, predicate)
        self._steps(job, work, effects, upstream, predicate, zone_of)
        end = self._ends[job.path]
        self.ending.after_job(job, effects, end)
        self.ending.change_tasks(job, end, self.waiting.changes(job))
        self.draft.built.accounts += effects.accounts
        job_accounts(self.draft, job, work, effects.unknown)
        is_left_out = predicate is not None or self.draft.plan.is_scheduled
        if not ordered.dates and ordered.is_known and ordered.reason and is_left_out:
            code = ordered.code or "never-ordered"
            self.draft.account("JOB/schedule", "caveat", job.origin, code, ordered.reason, job.name)
        elif not ordered.is_known:
            self.draft.account("JOB/schedule", "caveat", job.origin, ordered.code, ordered.reason, job.name)
        for function in (*work.functions, *effects.functions):
            self.draft.need(function)
        self.draft.need_macros(work.macros)
        self.draft.built.connections += work.connections
        self.draft.built.packages |= work.packages

    def _steps(
        self, job: Job, work: Work, effects: Effects, upstream: Upstream, predicate: str | None, zone: str
    ) -> None:
        end = self._ends[job.path]
        group, _, last = end.rpartition(".")
        before = upstream
        check = self.holding.check(job, predicate, zone)
        first = ""
        for number, step in enumerate(work.steps):
            is_last = number == len(work.steps) - 1
            task_id = end if is_last else self.draft.free(f"{last}{step.suffix or f'_{number + 1}'}", group)
            if not number:
                before = self.holding.chosen(job, task_id, before, group, predicate)
            arguments: list[tuple[str, Expression]] = [
                (key, value.replace("@first@", first) if isinstance(value, str) else value)
                for key, value in step.arguments
            ]
            first = first or ("" if step.is_setting else task_id)
            operator = step.operator
            if (
                check and operator is symbols.EMPTY
            ):  # an EmptyOperator never runs its checks: the scheduler only marks it
                operator, arguments = symbols.PYTHON, [("python_callable", Code("do_nothing"))]
                self.draft.need(snippets.DO_NOTHING)
            if check:
                arguments.append(("pre_execute", Code(check)))
            if is_last and effects.on_ok:
                arguments.append(("on_success_callback", effects.on_ok))
            if effects.on_notok:
                arguments.append(("on_failure_callback", effects.on_notok))
                if effects.retries:
                    arguments.append(("on_retry_callback", effects.on_notok))
            if operator is symbols.SSH and step.operator is symbols.SSH:
                arguments = [item for item in arguments if item[0] != "cmd_timeout"] + [("cmd_timeout", None)]
            if is_last and is_lost(job.name):
                arguments.append(("task_display_name", job.name))
            role: Role = "raises" if work.failure else "real"
            self.draft.task(
                task_id,
                operator,
                tuple(arguments),
                role=role,
                rule=before.rule,
                before=before.ids,
                job=job,
                effects=effects,
                queue=work.queue,
                is_waiting=step.is_waiting,
            )
            before = Upstream((task_id,))
            self.ending.tasks[job.path].append(task_id)
