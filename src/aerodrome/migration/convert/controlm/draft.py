"""The DAG in the making: its tasks, edges, functions and accounts, and names that are still free."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from aerodrome.migration.convert.contract import (
    Account,
    Choice,
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
from aerodrome.migration.convert.controlm.dates.gates import Gates
from aerodrome.migration.convert.controlm.dates.zones import zone_named
from aerodrome.migration.convert.controlm.definitions.model import Job, Node
from aerodrome.migration.convert.controlm.effects import Context, Effects, effects_of
from aerodrome.migration.convert.controlm.names import pool_of
from aerodrome.migration.convert.controlm.priorities import weight_of
from aerodrome.migration.convert.controlm.variables.autoedit import Compiled, Scope, compile_text
from aerodrome.migration.convert.controlm.variables.scoping import scope_of
from aerodrome.migration.convert.controlm.world import Plan, World

_ALONE: Final = (
    "all_done",
    "none_failed_min_one_success",
    "none_failed",
    "one_failed",
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
    packages: set[str] = field(default_factory=set)
    needs_approval: bool = False
    is_listed: bool = False  # the dates of a job are listed, and end with the horizon
    lasts: dict[str, str] = field(
        default_factory=dict
    )  # end of a job -> the task that has changed the last of what others see


class Draft:
    """One DAG while it is built. `is_apart` when it holds one job outside of its folder's DAG; `alone`: that job, where others order it."""

    def __init__(
        self, world: World, plan: Plan, *, is_apart: bool, alone: Job | None, tick: int, times: tuple[int, ...]
    ) -> None:
        self.alone = alone
        self.world, self.plan, self.is_apart, self.tick = world, plan, is_apart, tick
        self.times = times  # of a cyclic job whose cron expression chooses more than its times
        self.built = Built()
        self.gates = Gates(world.site.horizon, lambda dates: world.test_of(plan, dates))
        self.used: set[str] = set()
        self.stopped_by = (
            ""  # of the job in the making: the Airflow variable with the date on which it has stopped itself
        )

    def task(
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
    ) -> None:
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
            pool = pool_of(first.name)
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

    def job_id(self, path: tuple[str, ...]) -> str:
        full = self.world.task_ids[self.plan.number, path]
        return full.rpartition(".")[2] if self.is_apart else full

    def free(self, name: str, group: str) -> str:
        base = f"{group}.{name}" if group else name
        found, number = base, 1
        while found in self.used:
            number += 1
            found = f"{base}_{number}"
        self.used.add(found)
        return found

    def scope(self, job: Job | None) -> Scope:
        is_sunday = self.world.site.is_week_from_sunday
        return scope_of(self.plan.folder, job, kept=self.world.keys_set, is_week_from_sunday=is_sunday)

    def effects(self, node: Node) -> Effects:
        job = node if isinstance(node, Job) else None
        scope = self.scope(job)

        def text(value: str) -> Compiled:
            done = compile_text(value, scope)
            self.need_macros(done.macros)
            for name in done.unknown:
                self.built.unknown.setdefault(name, f"used by {'/'.join(node.path)}")
            return done

        context = Context(
            text,
            self.world.index.names,
            lambda folder, job: self.world.forced(self.plan.number, folder, job),
            self.world.elsewhere,
        )
        return effects_of(node, context)

    def need_macros(self, names: set[str]) -> None:
        self.built.macros |= names
        site = self.world.site.clock
        if "odate" in names:
            self.need(snippets.odate(site.timezone, site.new_day))
        if "now" in names:
            self.need(snippets.now(site.timezone))
        if "order_date" in names:
            self.need(snippets.odate(site.timezone, site.new_day))
        if "calcdate" in names:
            self.need(snippets.CALCDATE)
        if "at_time" in names:
            self.built.macros.add("odate")

    def need(self, function: Function) -> None:
        if function.name in ("only_on", "only_at", "not_after"):
            self.need_dates()
        self.built.functions.setdefault(function.name, function)

    def need_dates(self) -> None:
        site = self.world.site.clock
        for function in (snippets.odate(site.timezone, site.new_day), snippets.at_time(site.timezone, site.new_day)):
            self.built.functions.setdefault(function.name, function)

    def need_earlier(self) -> None:
        self.built.functions.setdefault("earlier", snippets.EARLIER)

    def need_conditions(self) -> None:
        site = self.world.site.clock
        self.built.functions.setdefault("odate", snippets.odate(site.timezone, site.new_day))
        self.need(snippets.CONDITION_KEY)

    def account(
        self, element: str, outcome: Outcome, origin: Origin, code: str = "", reason: str = "", name: str = ""
    ) -> None:
        self.built.accounts.append(Account(element, outcome, origin, code, reason, name))

    def zone(self, node: Node) -> str:
        site = self.world.site.clock.timezone
        if not node.timezone:
            return site
        found = zone_named(node.timezone)
        if found is None:
            text = f"The time zone {node.timezone} is not known: the times of the job are those of {site}."
            self._once("JOB@TIMEZONE", node, "timezone-unknown", text)
            return site
        if found != node.timezone or ("/" not in found and found.upper() not in ("UTC", "GMT", "Z", "ZULU")):
            text = f"The time zone {node.timezone} is taken as {found} of the tz database; the Control-M server has a list of its own, which may change its clock on other dates or never."
            self._once("JOB@TIMEZONE", node, "timezone-name", text)
        return found

    def _once(self, element: str, node: Node, code: str, text: str) -> None:
        made = Account(element, "caveat", node.origin, code, text, node.name)
        if made not in self.built.accounts:
            self.built.accounts.append(made)

    def guard(self, predicate: str | None) -> str | None:
        """Give the check that skips a task outside of its dates and times, or when its cyclic job has stopped itself."""
        check = None
        if self.times:
            self.need(snippets.only_at(self.world.site.clock.timezone))
            check = f"only_at({minutes_of_day(self.times)}, {predicate or 'None'})"
        elif predicate:
            self.need(snippets.ONLY_ON)
            check = f"only_on({predicate})"
        return f"not_stopped({self.stopped_by!r}, {check})" if self.stopped_by else check


def minutes_of_day(times: Iterable[int]) -> str:
    """Give times as Python text: a range where they are one."""
    listed = sorted(set(times))
    step = listed[1] - listed[0] if len(listed) > 2 else 0
    if step and listed == list(range(listed[0], listed[-1] + 1, step)):
        return f"range({listed[0]}, {listed[-1] + 1}, {step})"
    return "{" + ", ".join(map(str, listed)) + "}"


def at(node: Node, line: int) -> Origin:
    """Give the place of a line of a node."""
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
