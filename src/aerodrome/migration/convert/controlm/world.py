"""All exports together, ready to be built: when each folder runs, which DAG each job is in, how its conditions are met."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from aerodrome.migration.convert.controlm.dates.lasting import Lasting
from aerodrome.migration.convert.controlm.dates.order_dates import Almanac
from aerodrome.migration.convert.controlm.dates.ordering import FolderOrder, Ordered, order_folder
from aerodrome.migration.convert.controlm.definitions.model import Export, Folder, Job, Node
from aerodrome.migration.convert.controlm.names import free, name_tasks, sanitize
from aerodrome.migration.convert.controlm.site import Site
from aerodrome.migration.convert.controlm.variables.scoping import keys_set
from aerodrome.migration.convert.controlm.waits.around import is_doing, starts_of
from aerodrome.migration.convert.controlm.waits.conditions import Index, index_of
from aerodrome.migration.convert.controlm.waits.forcing import (
    Target,
    forces_of,
    is_meant,
    jobs_meant,
    link_alone,
    met_by,
)
from aerodrome.migration.convert.controlm.waits.keeping import keep
from aerodrome.migration.convert.controlm.waits.lineage import crossing
from aerodrome.migration.convert.controlm.waits.linking import Links, Setting, link


@dataclass(frozen=True)
class Plan:
    """One folder: its DAG, when it runs, and why it does not."""

    number: int
    folder: Folder
    dag_id: str
    order: FolderOrder
    dates: frozenset[date]  # of the DAG: every date on which one of its jobs is ordered
    tick: int  # minutes after midnight at which its runs start
    is_scheduled: bool
    why_not: tuple[str, str] | None = None  # code, sentence
    apart: Mapping[tuple[str, ...], str] = field(default_factory=dict)  # cyclic jobs: path -> dag_id
    forced: Mapping[tuple[str, ...], str] = field(default_factory=dict)  # jobs that others order alone: path -> dag_id
    notes: tuple[tuple[str, str], ...] = ()
    is_by_hand: bool = False  # people order it, and the criteria of its jobs choose among them
    is_forced: bool = False  # other jobs order it, or one of its jobs, at any time
    is_at_any_time: bool = False  # other jobs order its DAG
    forced_inside: frozenset[tuple[str, ...]] = frozenset()  # of `forced`: those that a job of this folder orders
    starts: Mapping[tuple[str, ...], str] = field(
        default_factory=dict
    )  # folders for whose start their cyclic jobs wait: path -> the condition that says it

    @property
    def repeats(self) -> bool:
        """Say whether the whole folder repeats on its dates, which its DAG can do where all of its jobs have the same dates."""
        is_whole = not self.apart and all(item.dates == self.dates for item in self.order.jobs.values())
        return self.folder.cyclic is not None and self.is_scheduled and bool(self.dates) and is_whole

    @property
    def has_criteria(self) -> bool:
        """Say whether anything may choose a date for one of its jobs, known or not."""
        return bool(self.dates) or any(path not in self.apart for path, _ in self.order.unknown)

    @property
    def has_dag(self) -> bool:
        """Say whether the folder has a DAG of its own: for jobs, or for what the folder itself waits for and does."""
        return len(self.apart) < len(list(self.folder.jobs())) or not self.apart or is_doing(self.folder)

    def alone(self) -> list[Job]:
        """Give the jobs that others order alone, in DAGs of their own."""
        return [job for job in self.folder.jobs() if job.path in self.forced]

    def comes_with_folder(self, job: Job) -> bool:
        """Say whether nothing but the order of a SMART folder, which people give, brings a job: neither of them has criteria."""
        is_open = self.is_by_hand and self.folder.is_smart and self.ordered(job).code == "no-criteria"
        return is_open and not job.rule.is_never and job.path not in self.forced

    def ordered(self, job: Job) -> Ordered:
        return self.order.jobs[job.path]

    def is_daily(self, node: Node) -> bool:
        """Say whether a job, or the folder, is ordered on every date of the horizon."""
        dates = self.dates_of(node)
        return len(dates) > 1 and (max(dates) - min(dates)).days + 1 == len(dates)

    def is_only_forced(self, node: Node) -> bool:
        """Say whether a job, or all jobs of a folder, have no criteria: nothing orders them, somebody forces them."""
        jobs = [node] if isinstance(node, Job) else list(node.jobs()) if isinstance(node, Folder) else []
        found = [self.ordered(job) for job in jobs]
        return bool(found) and all(item.is_known and not item.dates and item.code == "no-criteria" for item in found)

    def dates_of(self, node: Node) -> frozenset[date]:
        """Give the order dates of a job, or of the folder; none when it is not ordered by itself."""
        dates = self.ordered(node).dates if isinstance(node, Job) else self.dates
        return dates if self.is_scheduled else frozenset()


@dataclass(frozen=True)
class World:
    export: Export
    site: Site
    plans: tuple[Plan, ...]
    links: Links
    index: Index
    crossing: frozenset[str]  # conditions that one folder adds and another one awaits
    keys_set: frozenset[str]  # Airflow variables that jobs set for others
    unawaited: frozenset[str]  # conditions that are kept though nobody here waits for them
    task_ids: Mapping[tuple[int, tuple[str, ...]], str]  # full task id of every job in its folder's DAG
    lasting: Lasting

    def test_of(self, plan: Plan, dates: frozenset[date]) -> str | None:
        """Give the test of a date that holds for ever for order dates of a folder or its jobs; None where they are listed."""
        return self.lasting.test_of(plan.number, plan.folder, plan.order, plan.apart, dates, is_by_hand=plan.is_by_hand)

    def forced(self, number: int, folder: str, job: str) -> Target:
        """Give what an order of a job or a folder starts."""
        same = [plan for plan in self.plans if plan.folder.name == folder]
        plan = next((item for item in same if item.number == number), None) or (same[0] if same else None)
        if plan is None:
            return Target()
        if not job:
            return _whole(plan)
        found = jobs_meant(plan.folder, job)
        if not found and any(is_meant(item, job) for item in plan.folder.folders()):
            return Target(refusal=("force-sub-folder", "a sub-folder has no DAG of its own"))
        if not found:  # exports can hold a part of a folder
            return Target()
        path = found[0].path
        if path in plan.apart:
            return Target(plan.apart[path], ("force-cyclic", f"The cyclic job {job} that it orders runs once for it."))
        if path not in plan.forced:
            return Target(plan.dag_id)
        text = ""
        if len(found) > 1:
            text = f"Several jobs of {folder} are named {job}: the first one is ordered, as Control-M does, {'/'.join(path)}."
            return Target(plan.forced[path], ("force-several", text))
        if plan.folder.is_adjusting:
            text = f"The job {job} that it orders runs alone: jobs that wait for it in {folder} are not started by it, for with ADJUST_COND they do not wait for what is not ordered."
        return Target(plan.forced[path], ("force-apart" if text else "", text))

    def elsewhere(self, folder: str, job: str) -> str:
        """Give the DAG of a folder, or of one of its jobs, that is in no export yet; never one that an export already has."""
        taken = {plan.dag_id.lower() for plan in self.plans}
        taken |= {name.lower() for plan in self.plans for name in (*plan.apart.values(), *plan.forced.values())}
        name = sanitize(folder)
        return free(f"{name}__{sanitize(job)}" if job else name, taken)


def _whole(plan: Plan) -> Target:
    """Give what the order of a whole folder starts."""
    names = ", ".join(path[-1] for path in plan.apart)
    if not plan.has_dag:
        return Target(refusal=("force-cyclic", f"all of its jobs are cyclic, and have DAGs of their own: {names}"))
    text = f"The folder {plan.folder.name} that it orders runs without its cyclic jobs, which have DAGs of their own: {names}."
    return Target(plan.dag_id, ("force-cyclic", text) if names else ("", ""))


def plan_world(export: Export, site: Site) -> World:
    """Plan every folder of an export."""
    almanac = Almanac(export.calendars, site.horizon, week_starts_on_sunday=site.is_week_from_sunday)
    names = {folder.name for folder in export.folders}
    forces = [force for folder in export.folders for force in forces_of(folder, names)]
    wanted = {force.name for force in forces}
    index = index_of(export.folders)
    taken: set[str] = set()
    plans: list[Plan] = []
    task_ids: dict[tuple[int, tuple[str, ...]], str] = {}
    for number, folder in enumerate(export.folders):
        plans.append(_plan(number, folder, export, site, almanac, wanted, taken, index.conditions))
        task_ids |= {(number, path): task_id for path, task_id in name_tasks(folder).items()}
    settings: dict[tuple[int, tuple[str, ...]], Setting] = {}
    for plan in plans:
        folder = plan.folder
        settings[plan.number, ()] = Setting(
            plan.dag_id,
            plan.is_scheduled,
            False,
            plan.is_daily(folder),
            bool(plan.dates_of(folder)),
            plan.dates_of(folder),
            plan.is_only_forced(folder),
            is_at_any_time=plan.is_at_any_time,
        )
        for job in folder.jobs():
            is_apart = job.path in plan.apart
            settings[plan.number, job.path] = Setting(
                plan.apart.get(job.path, plan.dag_id),
                plan.is_scheduled,
                is_apart,
                plan.is_daily(job),
                bool(plan.dates_of(job)),
                plan.dates_of(job),
                plan.is_only_forced(job),
                job.path in plan.forced,
                plan.is_at_any_time,
            )
    links = link(export.folders, index, settings)
    for plan in plans:
        for job in plan.alone():
            added = met_by(forces, plan.folder.name, job)
            has_dates = bool(plan.dates_of(job))
            link_alone(links, plan.number, job, added, is_daily=plan.is_daily(job), has_dates=has_dates)
    unawaited = keep(links, index, site.kept_conditions, is_keeping_unawaited=site.is_keeping_unawaited)
    return World(
        export,
        site,
        tuple(plans),
        links,
        index,
        crossing(export.folders, index),
        keys_set(export.folders),
        unawaited,
        task_ids,
        Lasting(site.horizon, export.rules, site.is_week_from_sunday),
    )


def _plan(
    number: int,
    folder: Folder,
    export: Export,
    site: Site,
    almanac: Almanac,
    wanted: set[tuple[str, str]],
    taken: set[str],
    conditions: frozenset[str],
) -> Plan:
    dag_id = free(sanitize(folder.name), taken)
    why_not, notes = _order_method(folder, site)
    is_by_hand = why_not is not None
    order = order_folder(folder, almanac, export.rules, is_by_hand=is_by_hand)
    jobs = list(folder.jobs())
    apart = {job.path: free(f"{dag_id}__{sanitize(job.name)}", taken) for job in jobs if job.cyclic is not None}
    forced: dict[tuple[str, ...], str] = {}
    own = {force.name[1] for force in forces_of(folder, {folder.name}) if force.name[0] == folder.name}
    orders = {job for name, job in wanted if name == folder.name}
    if len(jobs) > 1:
        forced = {
            j.path: free(f"{dag_id}__{sanitize(j.name)}", taken)
            for j in jobs
            if j.path not in apart and any(jobs_meant(folder, name)[:1] == [j] for name in orders)
        }
    starts = starts_of(folder, dag_id, (job for job in jobs if job.path in apart), conditions)
    is_whole = bool(starts) or (len(apart) == len(jobs) and is_doing(folder))  # it also runs on dates of cyclic jobs
    sets = {id(item.dates): item.dates for path, item in order.jobs.items() if is_whole or path not in apart}
    dates = almanac.one(frozenset[date]().union(*sets.values()))
    firsts = [
        _start(folder, replace(job, time_from=None) if job.path in apart else job, site)
        for job in jobs
        if (is_whole or job.path not in apart) and order.jobs[job.path].dates
    ]
    tick = min(firsts, key=site.clock.place, default=site.clock.new_day)
    if order.unknown:
        item = order.unknown[0][1]
        why_not = (item.code, item.reason)
    elif why_not is None and not dates and len(apart) < len(jobs):
        first = next(order.jobs[job.path] for job in jobs if job.path not in apart)
        why_not = (
            first.code or "no-criteria",
            first.reason or "No job of the folder has scheduling criteria: somebody orders it.",
        )
    is_scheduled = why_not is None and bool(dates or apart)
    if not is_scheduled:  # a run may begin at any time: each job waits for its own
        tick = site.clock.new_day
    return Plan(
        number,
        folder,
        dag_id,
        order,
        dates,
        tick,
        is_scheduled,
        why_not,
        apart,
        forced,
        notes,
        is_by_hand,
        bool(orders),
        "" in orders or (len(jobs) == 1 and any(is_meant(jobs[0], name) for name in orders)),
        frozenset(job.path for job in jobs if job.path in forced and any(is_meant(job, name) for name in own)),
        starts,
    )


def _start(folder: Folder, job: Job, site: Site) -> int:
    """Give the earliest minute at which a job may start; those of its folders count, and the latest of them wins."""
    around = [folder, *folder.around(job.path), job]
    times = [node.time_from % 1440 for node in around if node.time_from is not None and not node.timezone]
    return max([site.clock.new_day, *times], key=site.clock.place)


def _order_method(folder: Folder, site: Site) -> tuple[tuple[str, str] | None, tuple[tuple[str, str], ...]]:
    method = folder.order_method
    if method is None:
        text = (
            "The export does not say how the folder is ordered; it is taken as ordered every day, as its criteria say."
        )
        return None, (("order-method-unstated", text),)
    if method.upper() in ("SYSTEM", "AUTOMATIC", "AUTOMATIC (DAILY)"):
        return None, ()
    if not method or method.upper().startswith(("NONE", "MANUAL")):
        text = (
            f"The folder is ordered by hand (order method {method or 'None'}): its DAG has no schedule. A run skips the jobs "
            'whose criteria do not choose its date, as an order does; one with {"is_forced": true} runs all, as a force does.'
        )
        return ("manual-order", text), ()
    if (known := site.user_dailies.get(method)) is True:
        return None, ()
    text = (
        f"The folder is ordered by the user daily {method}, whose time is not in the export: its DAG has no schedule."
    )
    if known is False:
        text = f"The folder is ordered by the user daily {method}, which the profile says is not run."
    return ("user-daily", text), ()
