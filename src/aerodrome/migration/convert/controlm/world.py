"""All exports together, ready to be built: when each folder runs, which DAG each job is in, how its conditions are met."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from zlib import crc32

from aerodrome.migration.convert.controlm.dates.lasting import Lasting
from aerodrome.migration.convert.controlm.dates.order_dates import Almanac
from aerodrome.migration.convert.controlm.dates.ordering import FolderOrder, Ordered, order_folder
from aerodrome.migration.convert.controlm.definitions.model import Export, Folder, Job, Node
from aerodrome.migration.convert.controlm.site import Site
from aerodrome.migration.convert.controlm.variables.scoping import keys_set
from aerodrome.migration.convert.controlm.waits.conditions import Index, index_of
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
    forced_inside: frozenset[tuple[str, ...]] = frozenset()  # of `forced`: those that a job of this folder orders

    @property
    def repeats(self) -> bool:
        """Say whether the whole folder repeats on its dates, which its DAG can do where all of its jobs have the same dates."""
        is_whole = not self.apart and all(item.dates == self.dates for item in self.order.jobs.values())
        return self.folder.cyclic is not None and self.is_scheduled and bool(self.dates) and is_whole

    @property
    def has_criteria(self) -> bool:
        """Say whether anything may choose a date for one of its jobs, known or not."""
        return bool(self.dates) or any(path not in self.apart for path, _ in self.order.unknown)

    def comes_with_folder(self, job: Job) -> bool:
        """Say whether nothing but the order of a SMART folder, which people give, brings a job: neither of them has criteria."""
        is_open = self.is_by_hand and self.folder.is_smart and self.ordered(job).code == "no-criteria"
        return is_open and job.path not in self.forced

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

    def forced(self, number: int, folder: str, job: str) -> tuple[str, str]:
        """Give the DAG that runs a forced job or folder and a caveat; "" when it is not in the exports."""
        same = [plan for plan in self.plans if plan.folder.name == folder]
        plan = next((item for item in same if item.number == number), None) or (same[0] if same else None)
        if plan is None:
            return "", ""
        if not job:
            return plan.dag_id, ""
        found = next((item for item in plan.folder.jobs() if item.name == job), None)
        if found is None:
            return "", ""
        if found.path in plan.apart:
            return plan.apart[found.path], ""
        if found.path not in plan.forced:
            return plan.dag_id, ""
        return plan.forced[
            found.path
        ], f"The job {job} that it orders runs alone: jobs that wait for it in {folder} are not started by it."

    def elsewhere(self, folder: str, job: str) -> str:
        """Give the DAG of a folder, or of one of its jobs, that is in no export yet; never one that an export already has."""
        taken = {plan.dag_id.lower() for plan in self.plans}
        taken |= {name.lower() for plan in self.plans for name in (*plan.apart.values(), *plan.forced.values())}
        name = sanitize(folder)
        return _free(f"{name}__{sanitize(job)}" if job else name, taken)


def plan_world(export: Export, site: Site) -> World:
    """Plan every folder of an export."""
    almanac = Almanac(export.calendars, site.horizon, week_starts_on_sunday=site.is_week_from_sunday)
    wanted = {name for folder in export.folders for name in _forced_names(folder)}
    taken: set[str] = set()
    plans: list[Plan] = []
    task_ids: dict[tuple[int, tuple[str, ...]], str] = {}
    for number, folder in enumerate(export.folders):
        plans.append(_plan(number, folder, export, site, almanac, wanted, taken))
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
            )
    index = index_of(export.folders)
    links = link(export.folders, index, settings)
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


def _forced_names(folder: Folder) -> Iterator[tuple[str, str]]:
    """Give the folder and the job ("" for all) of everything that the jobs of a folder order."""
    for node in (folder, *folder.folders(), *folder.jobs()):
        for reaction in node.reactions:
            for action in reaction.actions:
                if action.kind == "force":
                    name = (
                        action.values.get("TABLE_NAME")
                        or action.values.get("FOLDER_NAME")
                        or action.values.get("FOLDER")
                        or folder.name
                    )
                    yield name, action.values.get("NAME", "").strip()


def _plan(
    number: int,
    folder: Folder,
    export: Export,
    site: Site,
    almanac: Almanac,
    wanted: set[tuple[str, str]],
    taken: set[str],
) -> Plan:
    dag_id = _free(sanitize(folder.name), taken)
    why_not, notes = _order_method(folder, site)
    is_by_hand = why_not is not None
    order = order_folder(folder, almanac, export.rules, is_by_hand=is_by_hand)
    jobs = list(folder.jobs())
    apart = {job.path: _free(f"{dag_id}__{sanitize(job.name)}", taken) for job in jobs if job.cyclic is not None}
    forced: dict[tuple[str, ...], str] = {}
    own = set(_forced_names(folder))
    if len(jobs) > 1:
        forced = {
            j.path: _free(f"{dag_id}__{sanitize(j.name)}", taken)
            for j in jobs
            if (folder.name, j.name) in wanted and j.path not in apart
        }
    sets = {id(item.dates): item.dates for path, item in order.jobs.items() if path not in apart}
    dates = almanac.one(frozenset[date]().union(*sets.values()))
    starts = [_start(folder, job, site) for job in jobs if job.path not in apart and order.jobs[job.path].dates]
    tick = min(starts, key=site.clock.place, default=site.clock.new_day)
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
        any(name == folder.name for name, _ in wanted),
        frozenset(path for path in forced if (folder.name, path[-1]) in own),
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


def sanitize(name: str) -> str:
    """Make a name that Airflow takes as a DAG or task id; what it does not take becomes `_`."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", name).strip("_")[:200] or "unnamed"


def pool_of(name: str) -> str:
    """Name the pool of a resource: letters that Airflow takes for a key; a name that is changed keeps a mark of its own."""
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "_", name)
    return name if plain == name else f"{plain[:200]}_{crc32(name.encode()):08x}"


def _free(name: str, taken: set[str]) -> str:
    found, number = name, 1
    while found.lower() in taken:
        number += 1
        found = f"{name}_{number}"
    taken.add(found.lower())
    return found


def name_tasks(folder: Folder) -> dict[tuple[str, ...], str]:
    """Give the full task id of every job and the group id of every sub-folder, by path; equal names are numbered.

    A group inside of another one has no name that a task or group outside of all groups has: Airflow compares it without its prefix
    (TaskGroup, used_group_ids, 2.11.2; 3.3.2 does not mind).
    """
    names: dict[tuple[str, ...], str] = {}
    outermost: set[str] = set()

    def walk(inside: Folder, group: str) -> None:
        taken: set[str] = set() if group else outermost
        inner: list[tuple[Folder, str]] = []
        for member in inside.members:
            others = taken | outermost if isinstance(member, Folder) else taken
            own = _free(sanitize(member.name), others)
            taken.add(own.lower())
            full = f"{group}.{own}" if group else own
            names[member.path] = full
            if isinstance(member, Folder):
                inner.append((member, full))
        for member, full in inner:
            walk(member, full)

    walk(folder, "")
    return names
