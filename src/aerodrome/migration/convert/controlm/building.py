"""Builds the DAG of a folder, or of one job that runs apart, from its plan: tasks, edges, gates, and the account of every element."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aerodrome.migration.convert import symbols
from aerodrome.migration.convert.contract import (
    Account,
    Call,
    Choice,
    Code,
    ConnectionNeed,
    Edge,
    Expression,
    Function,
    Group,
    Origin,
    Outcome,
    Role,
    Rule,
    Symbol,
    Task,
)
from aerodrome.migration.convert.controlm import snippets
from aerodrome.migration.convert.controlm.autoedit import Compiled, compile_text
from aerodrome.migration.convert.controlm.conditions import event_of, is_ambiguous, tree_of
from aerodrome.migration.convert.controlm.effects import Context, Effects, effects_of
from aerodrome.migration.convert.controlm.gates import Gates
from aerodrome.migration.convert.controlm.linking import Link, days_of
from aerodrome.migration.convert.controlm.model import Folder, Job, Node, Wait
from aerodrome.migration.convert.controlm.priorities import weight_of
from aerodrome.migration.convert.controlm.scoping import scope_of
from aerodrome.migration.convert.controlm.times import clock
from aerodrome.migration.convert.controlm.upstream import Upstream, upstream_of
from aerodrome.migration.convert.controlm.work import work_of
from aerodrome.migration.convert.controlm.workbench import Work
from aerodrome.migration.convert.controlm.world import Plan, World, sanitize

TIME_SENSOR: Final = Symbol(
    "DateTimeSensorAsync",
    {"2.11": "airflow.sensors.date_time", "3.3": "airflow.providers.standard.sensors.date_time"},
    {"3.3": "apache-airflow-providers-standard"},
)
APPROVAL: Final = Symbol(
    "ApprovalOperator",
    {"2.11": "controlm_approval", "3.3": "airflow.providers.standard.operators.hitl"},
    {"3.3": "apache-airflow-providers-standard"},
)

_ALONE: Final = (
    "all_done",
    "none_failed_min_one_success",
    "none_failed",
)  # rules that mean something for one task, too


@dataclass
class Built:
    """A DAG in the making."""

    tasks: list[Task] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    functions: dict[str, Function] = field(default_factory=dict)
    accounts: list[Account] = field(default_factory=list)
    connections: list[ConnectionNeed] = field(default_factory=list)
    unknown: dict[str, str] = field(default_factory=dict)  # Airflow variables that somebody must create: name -> why
    macros: set[str] = field(default_factory=set)
    needs_approval: bool = False


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
        self.world, self.plan, self.jobs, self.is_apart, self.tick = world, plan, jobs, is_apart, tick
        self.times, self.dates = (
            times,
            dates,
        )  # of a cyclic job whose cron expression chooses more than its times and dates
        self.built = Built()
        self.gates = Gates(world.site.horizon)
        self._here = {job.path for job in jobs}
        self._used: set[str] = set()
        self._ends: dict[tuple[str, ...], str] = {}
        self._notok: dict[tuple[str, ...], str] = {}
        self._starts: dict[tuple[str, ...], str] = {}
        self._group: dict[tuple[str, ...], str] = {}

    def build(self) -> Built:
        """Build tasks, edges and accounts."""
        for job in self.jobs:
            self._ends[job.path] = self._job_id(job.path)
            self._used.add(self._ends[job.path])
            self._group[job.path] = self._ends[job.path].rpartition(".")[0]
        if not self.is_apart:
            self._containers(self.plan.folder, "")
        for job in self.jobs:
            self._job(job)
        if not self.is_apart:
            self._finish(self.plan.folder)
        self.built.functions |= {item.name: item for item in self.gates.functions}
        return self.built

    # ---- folders and sub-folders

    def _containers(self, folder: Folder, group: str) -> None:
        self._group[folder.path] = group
        if (
            folder.waits
            or folder.must_confirm
            or (folder.path != self.plan.folder.path and folder.time_from is not None)
        ):
            parent = self._starts.get(folder.path[:-1])
            also = (*((parent,) if parent else ()), *self._time(folder, f"{folder.name}_not_before", group, None))
            gate = self._upstream(folder, also, group, None)
            name = self._free(f"{sanitize(folder.name)}_starts", group)
            self._starts[folder.path] = name
            upstream = self._approval(folder, gate, group, None)
            self._task(
                name, symbols.EMPTY, (), role="control", rule=upstream.rule, before=upstream.ids, origin=folder.origin
            )
        elif folder.path[:-1] in self._starts:
            self._starts[folder.path] = self._starts[folder.path[:-1]]
        for inner in (member for member in folder.members if isinstance(member, Folder)):
            name = self.world.task_ids[self.plan.number, inner.path]
            self.built.groups.append(Group(name, inner.description))
            self._account("SUB_FOLDER", "converted", inner.origin, name=inner.name)
            self._containers(inner, name)

    def _finish(self, folder: Folder) -> None:
        """End gates of folders that add conditions or react, inner ones first."""
        for inner in (member for member in folder.members if isinstance(member, Folder)):
            self._finish(inner)
        effects = self._effects(folder)
        is_top = folder.path == self.plan.folder.path
        name = self._ends.get(folder.path)
        changes = self._changes(folder)
        if name is None and (effects.after or effects.on_ok or effects.on_notok or changes):
            name = self._end_gate(folder)
        self.built.accounts += effects.accounts
        self._node_accounts(folder)
        if name is None:
            return
        callbacks: list[tuple[str, Expression]] = []
        if effects.on_ok:
            callbacks.append(("on_success_callback", effects.on_ok))
        if callbacks:
            self.built.tasks = [
                replace(t, arguments=(*t.arguments, *callbacks)) if t.full_id == name else t for t in self.built.tasks
            ]
        if effects.on_notok or any(item.event == "notok" for item in effects.after):
            text = "Its actions for NOTOK do not happen for a folder: they belong to its jobs here."
            self._account(
                "FOLDER/ON" if is_top else "SUB_FOLDER/ON", "caveat", folder.origin, "folder-notok", text, folder.name
            )
        for item in effects.after:
            if item.event == "ok":
                self._after_task(
                    item.suffix,
                    folder,
                    name,
                    item.operator,
                    item.arguments,
                    "raises" if item.role == "raises" else "real",
                )
        self._change_tasks(folder, name, changes)

    def _end_gate(self, folder: Folder) -> str:
        if folder.path in self._ends:
            return self._ends[folder.path]
        group = self._group[folder.path]
        name = self._free(f"{sanitize(folder.name)}_ended", group)
        self._ends[folder.path] = name
        inside = tuple(self._ends[job.path] for job in folder.jobs() if job.path in self._here)
        self._task(
            name,
            symbols.EMPTY,
            (),
            role="control",
            rule="none_failed_min_one_success",
            before=inside,
            origin=folder.origin,
        )
        return name

    # ---- jobs

    def _job(self, job: Job) -> None:
        group = self._group[job.path]
        effects = self._effects(job)
        scope = scope_of(self.plan.folder, job)
        work = work_of(job, scope, self.world.site, self.world.export.profiles, effects.exit_rules)
        ordered = self.plan.ordered(job)
        predicate = self._predicate(job)
        zone_of = self._zone(job)
        start = self._starts.get(job.path[:-1]) if not self.is_apart else None
        also = (*((start,) if start else ()), *self._time(job, f"{sanitize(job.name)}_not_before", group, predicate))
        upstream = self._upstream(job, also, group, predicate)
        upstream = self._approval(job, upstream, group, predicate)
        self._steps(job, work, effects, upstream, predicate, zone_of)
        end = self._ends[job.path]
        self._after_job(job, effects, end)
        self._change_tasks(job, end, self._changes(job))
        self.built.accounts += effects.accounts
        self._job_accounts(job, work)
        if not ordered.dates and ordered.is_known and ordered.reason and self.plan.is_scheduled:
            code = ordered.code or "never-ordered"
            self._account("JOB/schedule", "caveat", job.origin, code, ordered.reason, job.name)
        elif not ordered.is_known:
            self._account("JOB/schedule", "caveat", job.origin, ordered.code, ordered.reason, job.name)
        for function in (*work.functions, *effects.functions):
            self._need(function)
        self._macros(work.macros)
        self.built.connections += work.connections

    def _steps(
        self, job: Job, work: Work, effects: Effects, upstream: Upstream, predicate: str | None, zone: str
    ) -> None:
        end = self._ends[job.path]
        group, _, last = end.rpartition(".")
        before = upstream
        check = self._check(job, predicate, zone)
        for number, step in enumerate(work.steps):
            is_last = number == len(work.steps) - 1
            task_id = end if is_last else self._free(f"{last}{step.suffix or f'_{number + 1}'}", group)
            arguments: list[tuple[str, Expression]] = list(step.arguments)
            operator = step.operator
            if (
                check and operator is symbols.EMPTY
            ):  # an EmptyOperator never runs its checks: the scheduler only marks it
                operator, arguments = symbols.PYTHON, [("python_callable", Code("do_nothing"))]
                self._need(snippets.DO_NOTHING)
            if check:
                arguments.append(("pre_execute", Code(check)))
            if is_last and effects.on_ok:
                arguments.append(("on_success_callback", effects.on_ok))
            if is_last and effects.on_notok:
                arguments.append(("on_failure_callback", effects.on_notok))
                if effects.retries:
                    arguments.append(("on_retry_callback", effects.on_notok))
            if operator is symbols.SSH and step.operator is symbols.SSH:
                arguments = [item for item in arguments if item[0] != "cmd_timeout"] + [("cmd_timeout", None)]
            role: Role = "raises" if work.failure else "real"
            self._task(
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
                raw=True,
            )
            before = Upstream((task_id,))

    def _after_job(self, job: Job, effects: Effects, end: str) -> None:
        for item in effects.after:
            if item.event == "ok":
                self._after_task(
                    item.suffix, job, end, item.operator, item.arguments, "raises" if item.role == "raises" else "real"
                )
        behind = [item for item in effects.after if item.event == "notok"]
        if behind or job.path in self._notok or self._stores_on_notok(job):
            name = self._notok_gate(job)
            for item in behind:
                self._after_task(
                    item.suffix, job, name, item.operator, item.arguments, "raises" if item.role == "raises" else "real"
                )

    def _notok_gate(self, job: Job) -> str:
        """Give the control task that succeeds exactly when a job has ended NOTOK."""
        if job.path in self._notok:
            return self._notok[job.path]
        end = self._ends[job.path]
        group, _, last = end.rpartition(".")
        router, gate, ok = (self._free(f"{last}_{word}", group) for word in ("end", "notok", "ok"))
        self._notok[job.path] = gate
        self._need(snippets.AFTER)
        arguments: tuple[tuple[str, Expression], ...] = (
            ("python_callable", Code("after")),
            ("op_kwargs", {"task_id": end, "notok": gate}),
        )
        choices = (Choice("ok", ()), Choice("error", (gate,)))
        self._task(
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
        self._task(gate, symbols.EMPTY, (), role="control", before=(router,), origin=job.origin)
        self._task(
            ok,
            symbols.EMPTY,
            (),
            role="control",
            before=(end,),
            origin=job.origin,
            comment="Keeps the run failed when the job has failed.",
        )
        return gate

    def _after_task(
        self,
        suffix: str,
        node: Node,
        before: str,
        operator: Symbol,
        arguments: tuple[tuple[str, Expression], ...],
        role: Role,
    ) -> None:
        group = self._group[node.path]
        name = self._free(f"{sanitize(node.name)}_{sanitize(suffix)}", group)
        self._task(name, operator, arguments, role=role, before=(before,), origin=node.origin)

    # ---- conditions

    def _upstream(self, node: Node, also: tuple[str, ...], group: str, predicate: str | None) -> Upstream:
        count = 0

        def gate(ids: tuple[str, ...], rule: Rule) -> str:
            nonlocal count
            count += 1
            name = self._free(f"{sanitize(node.name)}_{'any' if rule == 'one_success' else 'all'}_{count}", group)
            self._task(name, symbols.EMPTY, (), role="control", rule=rule, before=ids, origin=node.origin)
            return name

        def leaf(wait: Wait) -> tuple[str, ...]:
            return tuple(
                self._link(node, wait, link, group, predicate)
                for link in self.world.links.of(self.plan.number, node, wait)
            )

        if self.is_apart and node.path in self.plan.forced and node.path not in self.plan.apart:
            if node.waits:
                names = ", ".join(wait.name for wait in node.waits)
                self._account(
                    "INCOND",
                    "caveat",
                    node.origin,
                    "force-conditions",
                    f"Ordered alone, it does not wait for {names}.",
                    node.name,
                )
            return Upstream(also)
        found = upstream_of(tree_of(node.waits), leaf, gate, also)
        if self.plan.folder.is_adjusting and node.waits and found.rule == "all_success":
            text = "ADJUST_COND: conditions of jobs that are not ordered on a date count as met; so do those of jobs whose window has passed."
            self._account("INCOND", "caveat", node.origin, "conditions-adjusted", text, node.name)
            return Upstream(found.ids, "none_failed")
        return found

    def _link(self, node: Node, wait: Wait, link: Link, group: str, predicate: str | None) -> str:
        base = f"{sanitize(node.name)}_waits_{sanitize(wait.name)}"[:240]
        if link.kind == "edge" and link.producer is not None:
            path = link.producer.path
            if not link.producer.is_job:
                folder = next(item for item in (self.plan.folder, *self.plan.folder.folders()) if item.path == path)
                return self._end_gate(folder)
            return (
                self._ends[path]
                if link.producer.event == "ok"
                else self._notok_gate(next(job for job in self.jobs if job.path == path))
            )
        if link.kind == "never":
            self._need(snippets.RAISE)
            reason = f"The in-condition {wait.name} with the date {wait.odate} is not converted."
            self._account("INCOND", "raises", _at(node, wait.line), link.why, reason, node.name)
            name = self._free(base, group)
            self._task(
                name,
                symbols.PYTHON,
                (("python_callable", Code("not_converted")), ("op_args", [reason])),
                role="raises",
                origin=node.origin,
            )
            return name
        limit = timedelta(days=(node.max_wait or 0) + 1)
        options: list[tuple[str, Expression]] = [
            ("mode", "reschedule"),
            ("poke_interval", 60),
            ("timeout", limit),
            ("soft_fail", not self.plan.folder.is_adjusting),
        ]
        if guard := self._guard(predicate):
            options.append(("pre_execute", Code(guard)))
        if link.kind == "sensor" and link.producer is not None:
            return self._run_sensor(node, link, base, group, options, predicate)
        self._need_conditions()
        self._need(snippets.IS_ADDED)
        given: dict[str, Expression] = {"name": wait.name, "days": link.days}
        name = self._free(base, group)
        arguments: list[tuple[str, Expression]] = [
            ("python_callable", Code("is_added")),
            ("op_kwargs", given),
            *options,
        ]
        self._task(name, symbols.PYTHON_SENSOR, tuple(arguments), is_waiting=True, origin=node.origin)
        return name

    def _run_sensor(
        self,
        node: Node,
        link: Link,
        base: str,
        group: str,
        options: list[tuple[str, Expression]],
        predicate: str | None,
    ) -> str:
        assert link.producer is not None  # noqa: S101
        source = self.world.plans[link.producer.folder]
        task_id = self.world.task_ids[link.producer.folder, link.producer.path]
        arguments: list[tuple[str, Expression]] = [("external_dag_id", source.dag_id), ("external_task_id", task_id)]
        if link.is_previous or link.days or source.tick != self.tick or self.is_apart:
            arguments.append(("execution_date_fn", Code(self._run_of(source, link, predicate, node))))
        name = self._free(f"{base}_{sanitize(link.producer.path[-1])}"[:240], group)
        self._task(name, symbols.EXTERNAL_SENSOR, (*arguments, *options), is_waiting=True, origin=node.origin)
        return name

    def _run_of(self, source: Plan, link: Link, predicate: str | None, node: Node) -> str:
        """Give the function that finds the run of another DAG for the same (or an earlier) order date."""
        self._need_dates()
        name = f"run_of_{sanitize(source.dag_id).replace('-', '_').lower()}"
        step, about = "", "the same order date"
        imports: tuple[Symbol, ...] = ()
        if link.is_previous:
            ordered = self.plan.ordered(node).dates if isinstance(node, Job) else self.plan.dates
            test = self.gates.predicate(ordered) if ordered else predicate or "bool"
            name, about, imports = f"{name}_before_{test}", "the order date before this one", (symbols.TIMEDELTA,)
            step = f"    day -= timedelta(days=1)\n    while not {test}(day):\n        day -= timedelta(days=1)\n"
        elif link.days:
            name, about, imports = (
                f"{name}_{'plus' if link.days > 0 else 'minus'}_{abs(link.days)}",
                f"the order date {link.days:+} days",
                (symbols.TIMEDELTA,),
            )
            step = f"    day += timedelta(days={link.days})\n"
        source_text = f'\ndef {name}(logical_date, **_):\n    """Give the run of {source.dag_id} for {about}."""\n    day = order_date(logical_date)\n{step}    return at_time(day, {source.tick})\n'
        self._need(Function(name, source_text, imports))
        return name

    def _changes(self, node: Node) -> list[tuple[str, int | None, bool, str]]:
        """Give the stored conditions that a node changes: (name, days, is added, event)."""
        found: list[tuple[str, int | None, bool, str]] = []
        wanted = self.world.links.stored

        def add(name: str, odate: str, is_added: bool, event: str) -> None:
            days = days_of(odate)
            dates = [kept for kept in sorted(wanted.get(name, ()), key=str) if kept is None or isinstance(days, int)]
            own = days if isinstance(days, int) else 0
            found.extend((name, None if kept is None else own, is_added, event) for kept in dates)

        for out in node.outs:
            add(out.name, out.odate, out.sign == "+", "ok")
        for reaction in node.reactions:
            event = event_of(reaction.statement, reaction.code)
            for action in reaction.actions:
                if action.kind == "cond" and event is not None:
                    sign = action.values.get("SIGN", "+").strip() or "+"
                    add(
                        action.values.get("NAME", ""),
                        action.values.get("ODATE", "ODAT") or "ODAT",
                        sign in ("+", "ADD"),
                        event,
                    )
        return list(dict.fromkeys(found))

    def _stores_on_notok(self, job: Job) -> bool:
        return any(event == "notok" for *_, event in self._changes(job))

    def _change_tasks(self, node: Node, end: str, changes: Iterable[tuple[str, int | None, bool, str]]) -> None:
        for name, days, is_added, event in changes:
            self._need_conditions()
            self._need(snippets.CHANGE_CONDITION)
            before = end if event == "ok" or not isinstance(node, Job) else self._notok_gate(node)
            given: dict[str, Expression] = {"name": name, "days": days, "is_added": is_added}
            arguments: tuple[tuple[str, Expression], ...] = (
                ("python_callable", Code("change_condition")),
                ("op_kwargs", given),
            )
            self._after_task(
                f"{'adds' if is_added else 'deletes'}_{name}"[:200], node, before, symbols.PYTHON, arguments, "real"
            )

    # ---- time, approval, dates

    def _time(self, node: Node, name: str, group: str, predicate: str | None) -> tuple[str, ...]:
        place = self.world.site.clock.place
        is_cyclic = self.is_apart and isinstance(node, Job) and node.cyclic is not None
        if node.time_from is None or is_cyclic:
            return ()
        if not node.timezone and place(node.time_from % 1440) <= place(self.tick):
            return ()
        self._need_dates()
        self._macros({"at_time"})
        zone = self._zone(node)
        shown = f", zone='{zone}'" if zone != self.world.site.clock.timezone else ""
        target = f"{{{{ at_time(odate(dag_run), {node.time_from % 1440}{shown}).isoformat() }}}}"
        options: list[tuple[str, Expression]] = [("target_time", target)]
        if guard := self._guard(predicate):
            options.append(("pre_execute", Code(guard)))
        full = self._free(sanitize(name), group)
        self._task(
            full,
            TIME_SENSOR,
            tuple(options),
            is_waiting=True,
            origin=node.origin,
            comment=f"TIMEFROM {clock(node.time_from % 1440)}",
        )
        return (full,)

    def _approval(self, node: Node, upstream: Upstream, group: str, predicate: str | None) -> Upstream:
        if not node.must_confirm:
            return upstream
        self.built.needs_approval = True
        name = self._free(f"{sanitize(node.name)}_confirm", group)
        options: list[tuple[str, Expression]] = [("subject", f"Confirm {'/'.join(node.path)}")]
        if guard := self._guard(predicate):
            options.append(("pre_execute", Code(guard)))
        self._task(
            name, APPROVAL, tuple(options), is_waiting=True, rule=upstream.rule, before=upstream.ids, origin=node.origin
        )
        return Upstream((name,))

    def _predicate(self, job: Job) -> str | None:
        """Give the predicate that skips a job on dates of its DAG on which it is not ordered; None when there is no such date."""
        ordered = self.plan.ordered(job)
        if self.dates is not None:
            self._need_dates()
            return self.gates.predicate(self.dates)
        if self.is_apart or not ordered.is_known or not self.plan.is_scheduled or ordered.dates == self.plan.dates:
            return None
        self._need_dates()
        return self.gates.predicate(ordered.dates)

    def _check(self, job: Job, predicate: str | None, zone: str) -> str | None:
        if job.time_to is not None and not job.has_open_end and not (self.is_apart and job.cyclic):
            place = self.world.site.clock.place
            is_next_day = place(job.time_to % 1440) <= place((job.time_from or self.world.site.clock.new_day) % 1440)
            self._need_dates()
            self._need(snippets.NOT_AFTER)
            extra = f", {predicate}" if predicate else ""
            days = (job.max_wait or 0) + (1 if is_next_day else 0)
            return f"not_after({job.time_to % 1440}, {days}, {zone!r}{extra})"
        return self._guard(predicate)

    def _guard(self, predicate: str | None) -> str | None:
        """Give the check that skips a task outside of its dates and times."""
        if self.times:
            self._need(snippets.only_at(self.world.site.clock.timezone))
            return f"only_at({set(self.times)!r}, {predicate or 'None'})"
        if predicate:
            self._need(snippets.ONLY_ON)
            return f"only_on({predicate})"
        return None

    def _zone(self, node: Node) -> str:
        site = self.world.site.clock.timezone
        if not node.timezone:
            return site
        try:
            return ZoneInfo(node.timezone).key
        except (ZoneInfoNotFoundError, ValueError):
            text = f"The time zone {node.timezone} is not known: the times of the job are those of {site}."
            self._account("JOB@TIMEZONE", "caveat", node.origin, "timezone-unknown", text, node.name)
            return site

    # ---- parts

    def _task(
        self,
        full_id: str,
        operator: Symbol,
        arguments: tuple[tuple[str, Expression], ...],
        *,
        role: Role = "real",
        rule: Rule = "all_success",
        before: tuple[str, ...] = (),
        choices: tuple[Choice, ...] = (),
        watches: str = "",
        is_waiting: bool = False,
        origin: Origin | None = None,
        comment: str = "",
        job: Job | None = None,
        effects: Effects | None = None,
        queue: str = "",
        raw: bool = False,
    ) -> None:
        del raw
        group, _, task_id = full_id.rpartition(".")
        task = Task(
            task_id,
            operator,
            arguments,
            trigger_rule=rule if len(before) > 1 or rule in _ALONE else "all_success",
            role=role,
            group=group,
            choices=choices,
            watches=watches,
            is_waiting=is_waiting,
            origin=job.origin if job else origin,
            comment=comment,
        )
        if job is not None and effects is not None:
            task = self._with_job(task, job, effects, queue)
        self.built.tasks.append(task)
        self.built.edges += [Edge(item, full_id) for item in before]

    def _with_job(self, task: Task, job: Job, effects: Effects, queue: str) -> Task:
        pool, slots = ("", 1)
        if job.resources:
            first = job.resources[0]
            pool = first.name
            slots = (
                first.quantity
                if first.kind == "quantitative"
                else shared_slots(self.world)
                if first.kind == "exclusive" and _is_shared(self.world, first.name)
                else 1
            )
        weight = weight_of(job.priority)
        arguments = (*task.arguments, ("weight_rule", "absolute")) if weight != 1 else task.arguments
        return replace(
            task,
            arguments=arguments,
            retries=effects.retries,
            retry_delay=effects.retry_delay if effects.retries else None,
            pool=pool,
            pool_slots=slots,
            queue=queue,
            priority_weight=weight,
            doc=job.description,
        )

    def _job_id(self, path: tuple[str, ...]) -> str:
        full = self.world.task_ids[self.plan.number, path]
        return full.rpartition(".")[2] if self.is_apart else full

    def _free(self, name: str, group: str) -> str:
        base = f"{group}.{name}" if group else name
        found, number = base, 1
        while found in self._used:
            number += 1
            found = f"{base}_{number}"
        self._used.add(found)
        return found

    def _effects(self, node: Node) -> Effects:
        scope = scope_of(self.plan.folder, node if isinstance(node, Job) else None)

        def text(value: str) -> Compiled:
            done = compile_text(value, scope)
            self._macros(done.macros)
            for name in done.unknown:
                self.built.unknown.setdefault(name, f"used by {'/'.join(node.path)}")
            return done

        return effects_of(node, Context(text, lambda folder, job: self.world.forced(self.plan.number, folder, job)))

    def _macros(self, names: set[str]) -> None:
        self.built.macros |= names
        site = self.world.site.clock
        if "odate" in names:
            self._need(snippets.odate(site.timezone, site.new_day))
        if "now" in names:
            self._need(snippets.now(site.timezone))
        if "calcdate" in names:
            self._need(snippets.CALCDATE)
        if "at_time" in names:
            self.built.macros.add("odate")

    def _need(self, function: Function) -> None:
        if function.name in ("only_on", "only_at", "not_after"):
            self._need_dates()
        self.built.functions.setdefault(function.name, function)

    def _need_dates(self) -> None:
        site = self.world.site.clock
        for function in (snippets.odate(site.timezone, site.new_day), snippets.at_time(site.timezone, site.new_day)):
            self.built.functions.setdefault(function.name, function)

    def _need_conditions(self) -> None:
        site = self.world.site.clock
        self.built.functions.setdefault("odate", snippets.odate(site.timezone, site.new_day))
        self._need(snippets.CONDITION_KEY)

    # ---- the account

    def _account(
        self, element: str, outcome: Outcome, origin: Origin, code: str = "", reason: str = "", name: str = ""
    ) -> None:
        self.built.accounts.append(Account(element, outcome, origin, code, reason, name))

    def _job_accounts(self, job: Job, work: Work) -> None:
        element = f"JOB/{job.kind}"
        if work.failure:
            self._account(element, "raises", job.origin, work.failure[0], work.failure[1], job.name)
        elif not work.notes:
            self._account(element, "converted", job.origin, name=job.name)
        for code, text in work.notes:
            self._account(element, "caveat", job.origin, code, text, job.name)
        for name in work.unknown:
            self.built.unknown.setdefault(name, f"used by {'/'.join(job.path)}")
            text = (
                f"%%{name.removeprefix('controlm.')} is not defined in the exports: it is the Airflow variable {name}."
            )
            self._account("JOB/variable", "caveat", job.origin, "variable-unknown", text, job.name)
        self._node_accounts(job)

    def _node_accounts(self, node: Node) -> None:
        if is_ambiguous(node.waits):
            text = (
                "AND and OR are mixed without parentheses: each mark joins its condition to the one before, AND first."
            )
            self._account("INCOND", "caveat", node.origin, "condition-order", text, node.name)
        own = {wait.name for wait in node.waits}
        for wait in node.waits:
            self._wait_account(node, wait)
        for out in node.outs:
            if (
                out.sign == "-"
                and out.name not in own
                and out.name not in self.world.links.stored
                and self.world.index.of(out.name, self.plan.number)
            ):
                text = (
                    f"It deletes {out.name}, which is an edge or a run here: later jobs of the same date still see it."
                )
                self._account("OUTCOND", "caveat", _at(node, out.line), "condition-delete", text, node.name)
            elif (
                out.sign == "-"
                and out.name in own
                and self.world.index.waiters(out.name, self.plan.number) > 1
                and out.name not in self.world.links.stored
            ):
                text = f"It deletes {out.name} after use, for which other jobs wait, too: here all of them run, in Control-M those that started before."
                self._account("OUTCOND", "caveat", _at(node, out.line), "condition-shared", text, node.name)
            else:
                self._account("OUTCOND", "converted", _at(node, out.line), name=node.name)
        for number, resource in enumerate(node.resources):
            element = "QUANTITATIVE" if resource.kind == "quantitative" else "CONTROL"
            if not isinstance(node, Job):
                text = f"The resource {resource.name} is held by a whole folder, which a pool cannot: its jobs do not take it."
                self._account(element, "caveat", _at(node, resource.line), "resource-folder", text, node.name)
            elif number:
                text = f"A task has one pool: {node.resources[0].name} is used, {resource.name} is not."
                self._account(element, "caveat", _at(node, resource.line), "resource-second", text, node.name)
            else:
                self._account(element, "converted", _at(node, resource.line), name=node.name)
        for variable in node.variables:
            self._account("VARIABLE", "converted", _at(node, variable.line), name=variable.name)
        if node.is_critical:
            text = "CRITICAL reserves resources for the job; here only its priority weight counts."
            self._account("JOB@CRITICAL", "caveat", node.origin, "critical", text, node.name)
        if node.time_to is not None and (node.max_wait or 0) > 0 and isinstance(node, Job) and not node.cyclic:
            text = f"It may wait {node.max_wait} days; it is skipped after {clock(node.time_to % 1440)} of the last of them, without a window on each day."
            self._account("JOB@TIMETO", "caveat", node.origin, "window-days", text, node.name)
        if not isinstance(node, Job) and (node.time_to is not None):
            text = "The end of the time window of a folder is not applied to its jobs."
            self._account("FOLDER@TIMETO", "caveat", node.origin, "folder-window", text, node.name)

    def _wait_account(self, node: Node, wait: Wait) -> None:
        links = self.world.links.of(self.plan.number, node, wait)
        origin = _at(node, wait.line)
        if any(link.kind == "never" for link in links):
            return  # told where the raising task was made
        why = next((link.why for link in links if link.kind == "stored"), "")
        if not why:
            has_previous = any(link.is_previous for link in links)
            text = "The first run has no run before it to wait for: mark its sensor as success." if has_previous else ""
            self._account(
                "INCOND", "caveat" if text else "converted", origin, "condition-first" if text else "", text, node.name
            )
            return
        key = f"controlm.condition.{wait.name}"
        texts = {
            "condition-unknown-producer": f"Nothing in the exports adds {wait.name}: the job waits for the Airflow variable {key} with its date, which whoever adds it sets.",
            "condition-undated": f"{wait.name} has no date: it is kept as the Airflow variable {key}.",
            "condition-stored": f"{wait.name} cannot be an edge or a wait for a run (a circle, a cyclic job or another date): it is kept as the Airflow variable {key} with its date.",
        }
        self._account("INCOND", "caveat", origin, why, texts[why], node.name)


def _at(node: Node, line: int) -> Origin:
    return Origin(node.origin.file, node.origin.path, line or node.origin.line)


def shared_slots(world: World) -> int:
    """Give the slots of a control resource that is used shared somewhere: an exclusive user takes them all."""
    del world
    return 100


def _is_shared(world: World, name: str) -> bool:
    return any(
        r.kind == "shared" and r.name == name
        for folder in world.export.folders
        for job in folder.jobs()
        for r in job.resources
    )


def start_of(world: World, plan: Plan) -> datetime:
    """Give the start date of a DAG: the first date of the horizon, in the site's zone."""
    first: date = min(plan.dates, default=world.site.horizon.first)
    first = max(first, world.site.horizon.first)
    return datetime(first.year, first.month, first.day, tzinfo=ZoneInfo(world.site.clock.timezone))


def call_events(moments: Sequence[datetime]) -> Call:
    """Give the timetable of listed moments."""
    return Call(symbols.EVENTS, (), (("event_dates", list(moments)),))
