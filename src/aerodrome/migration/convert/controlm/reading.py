"""Reads every Control-M definition below a path into a conversion."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from aerodrome.migration.convert import symbols
from aerodrome.migration.convert.contract import (
    Account,
    Code,
    ConnectionNeed,
    Conversion,
    Dag,
    Expression,
    ExtraFile,
    Function,
    Origin,
    PoolNeed,
    Question,
    Task,
    VariableNeed,
)
from aerodrome.migration.convert.controlm import snippets
from aerodrome.migration.convert.controlm.accounting import cutover_notes
from aerodrome.migration.convert.controlm.building import Builder
from aerodrome.migration.convert.controlm.dates.cycles import notes_of
from aerodrome.migration.convert.controlm.dates.scheduling import Timing, cyclic_timing, folder_timing, no_schedule
from aerodrome.migration.convert.controlm.definitions.gathering import gather
from aerodrome.migration.convert.controlm.definitions.model import Folder, Job
from aerodrome.migration.convert.controlm.draft import Built
from aerodrome.migration.convert.controlm.jobs.unmapped import FILE, skeleton
from aerodrome.migration.convert.controlm.jobs.work import is_convertible
from aerodrome.migration.convert.controlm.names import is_lost, pool_of
from aerodrome.migration.convert.controlm.site import read_site
from aerodrome.migration.convert.controlm.waits.around import has_other_zone, within
from aerodrome.migration.convert.controlm.waking import awake
from aerodrome.migration.convert.controlm.world import Plan, World, plan_world

_ASKED = (
    "calendar-missing",
    "days-not-understood",
    "days-need-calendar",
    "weekdays-need-calendar",
    "user-daily",
    "schedule-unknown",
)


def read(path: Path, profile: Mapping[str, Any]) -> Conversion:
    """Read definitions and convert them. Invalid when the profile is wrong; broken files stand in `rejected`."""
    site = read_site(profile)
    export = gather(path)
    world = plan_world(export, site)
    return _Converter(world).convert()


class _Converter:
    def __init__(self, world: World) -> None:
        self.world, self.site = world, world.site
        self.dags: list[Dag] = []
        self.connections: dict[str, ConnectionNeed] = {}
        self.variables: dict[str, VariableNeed] = {}
        self.questions: list[Question] = []
        self.packages: set[str] = set()
        self.needs_approval = False
        self.lasts: dict[tuple[str, str], str] = {}  # DAG and end of a job -> the last task with what others see

    def convert(self) -> Conversion:
        for plan in self.world.plans:
            self._folder(plan)
        self.dags = [
            replace(dag, tasks=tuple(self._waiting_for_lasts(task) for task in dag.tasks)) for dag in self.dags
        ]
        self.dags = awake(self.dags)
        export = self.world.export
        files: tuple[ExtraFile, ...] = (
            (ExtraFile("plugins/controlm_approval.py", snippets.CONFIRM_FILE, ("2.11",)),)
            if self.needs_approval
            else ()
        )
        unknown = (
            (plan.folder.name, job)
            for plan in self.world.plans
            for job in plan.folder.jobs()
            if not is_convertible(job, self.site)
        )
        if text := skeleton(unknown):
            files += (ExtraFile(FILE, text),)
        return Conversion(
            "controlm",
            tuple(self.dags),
            definitions=len(export.folders) + len(export.rejected),
            files=files,
            connections=tuple(self.connections.values()),
            pools=tuple(self._pools()),
            variables=tuple(self.variables.values()),
            questions=tuple(self.questions),
            rejected=export.rejected,
            others=export.others,
            accounts=export.accounts,
            packages=tuple(sorted(self.packages)),
        )

    def _waiting_for_lasts(self, task: Task) -> Task:
        """Let a wait for a job of another DAG be one for what the job does last for others to see."""
        if task.operator is not symbols.EXTERNAL_SENSOR:
            return task
        given = dict(task.arguments)
        last = self.lasts.get((str(given["external_dag_id"]), str(given.get("external_task_id"))))
        return replace(task, arguments=tuple((given | {"external_task_id": last}).items())) if last else task

    def _folder(self, plan: Plan) -> None:
        folder = plan.folder
        jobs = [job for job in folder.jobs() if job.path not in plan.apart]
        timing = (
            folder_timing(plan.dates, plan.tick, self.site)
            if plan.is_scheduled and plan.dates
            else no_schedule(self.site)
        )
        if plan.has_dag:
            head: list[Account] = []
            if folder.cyclic is not None:
                again = cyclic_timing(_as_job(folder), plan.dates, self.site) if plan.repeats else None
                timing = again or timing
                head.append(_repetition(folder, is_told=again is not None))
            dates = timing.dates
            built = Builder(self.world, plan, jobs, tick=plan.tick, times=timing.times, dates=dates).build()
            head = [*folder.accounts, *head, *self._folder_accounts(plan, timing)]
            runs = 1 if folder.cyclic is not None else None
            self._add(plan, plan.dag_id, built, timing, head, folder.name, folder.description, folder.origin, runs=runs)
        else:
            self._ask(plan)
        for job in folder.jobs():
            if job.path in plan.apart:
                self._cyclic(plan, job, is_first=not plan.has_dag and job.path == next(iter(plan.apart)))
            elif job.path in plan.forced:
                built = Builder(self.world, plan, [job], is_apart=True, tick=self.site.clock.new_day).build()
                built.accounts = [self._alone(plan, job)]
                title = f"{folder.name}/{job.name}, ordered alone by other jobs"
                about = f"What is to know about the job stands in the DAG {plan.dag_id}, which has it, too."
                about = "\n\n".join(filter(None, (job.description, about)))
                self._add(plan, plan.forced[job.path], built, no_schedule(self.site), [], title, about, job.origin)

    def _alone(self, plan: Plan, job: Job) -> Account:
        """Say what becomes of a job that others order alone."""
        names = self.world.links.awaited_alone(plan.number, job)
        if not names:
            return Account("JOB/forced", "converted", job.origin, name=job.name)
        text = f"Ordered alone, it waits for the Airflow variables of its conditions: {', '.join(names)}."
        return Account("JOB/forced", "caveat", job.origin, "force-conditions", text, job.name)

    def _cyclic(self, plan: Plan, job: Job, *, is_first: bool) -> None:
        ordered = plan.ordered(job)
        is_elsewhere = has_other_zone(plan.folder, job, self.site.clock)
        held = within(plan.folder, job, self.site.clock)
        is_sayable = plan.is_scheduled and ordered.is_known and not is_elsewhere
        timing = cyclic_timing(held, ordered.dates, self.site) if is_sayable else None
        accounts: list[Account] = []
        if timing is None:
            code, text = "cyclic-unscheduled", "The cyclic job has no schedule: see its folder."
            if plan.is_scheduled and ordered.is_known and ordered.dates:
                code, text = (
                    ("cyclic-zone", "The times of the cyclic job are those of another time zone: it has no schedule.")
                    if is_elsewhere
                    else (
                        "cyclic-times",
                        "The times of the cyclic job cannot be said (no interval, or one that is no number of minutes): it has no schedule.",
                    )
                )
                self.questions.append(Question(code, f"{'/'.join(job.path)}: {text}", job.origin, plan.apart[job.path]))
            accounts.append(Account("JOB@CYCLIC", "caveat", job.origin, code, text, job.name))
            timing = no_schedule(self.site)
        else:
            text = "It starts at its times of the day; a run that lasts longer delays the next one, and is not followed by a wait from its end."
            accounts += [
                Account("JOB@CYCLIC", "caveat", job.origin, code, note, job.name)
                for code, note in notes_of(held, self.site.clock)
            ]
            assert job.cyclic is not None  # noqa: S101
            is_exact = job.cyclic.kind == "times" or job.cyclic.counted_from == "target"
            if job.cyclic.kind == "sequence":
                text += " After the last interval of the sequence it does not run again on that date."
            accounts.append(
                Account(
                    "JOB@CYCLIC",
                    "converted" if is_exact else "caveat",
                    job.origin,
                    "" if is_exact else "cyclic-drift",
                    "" if is_exact else text,
                    job.name,
                )
            )
        if is_first:
            accounts = [*plan.folder.accounts, *self._folder_accounts(plan, timing), *accounts]
        built = Builder(
            self.world, plan, [job], is_apart=True, tick=self.site.clock.new_day, times=timing.times, dates=timing.dates
        ).build()
        title = f"{plan.folder.name}/{job.name}, a cyclic job"
        self._add(plan, plan.apart[job.path], built, timing, accounts, title, job.description, job.origin, runs=1)

    def _add(
        self,
        plan: Plan,
        dag_id: str,
        built: Built,
        timing: Timing,
        accounts: list[Account],
        title: str,
        description: str,
        origin: Origin,
        runs: int | None = None,
    ) -> None:
        functions: list[Function] = [*timing.functions, *built.functions.values()]
        arguments: list[tuple[str, Expression]] = []
        if built.macros:
            names = sorted(built.macros)
            arguments.append(
                ("user_defined_macros", Code("{" + ", ".join(f'"{name}": {name}' for name in names) + "}"))
            )
        shown = plan.folder.name if dag_id == plan.dag_id else origin.path
        if is_lost(shown):
            arguments.append(("dag_display_name", shown))
        for name, why in built.unknown.items():
            self.variables.setdefault(name, VariableNeed(name, None, why))
        for need in built.connections:
            known = self.connections.setdefault(need.conn_id, need)
            if _who(known) != _who(need):
                text = f"The connection {need.conn_id} is that of two: {_shown(known)} and {_shown(need)}, whose names differ only in marks or case. Give one of them another connection."
                found = Account("connection", "caveat", origin, "connection-shared", text, need.conn_id)
                accounts = accounts if found in accounts else [*accounts, found]
        self.packages |= built.packages
        self.lasts |= {(dag_id, end): last for end, last in built.lasts.items()}
        self.needs_approval = self.needs_approval or built.needs_approval
        tags = list(dict.fromkeys(["controlm", *filter(None, (plan.folder.application, plan.folder.sub_application))]))
        listed = timing.ends
        if listed is not None and (timing.dates is None or built.is_listed):
            text = f"Its dates are listed, up to {listed}: convert again with newer calendars before then."
            accounts = [*accounts, Account("schedule", "caveat", origin, "dates-listed", text, plan.folder.name)]
        elif built.is_listed:
            text = f"Dates of its jobs are listed, up to {self.site.horizon.last}: convert again before then, with newer calendars; later its tasks fail."
            accounts = [*accounts, Account("schedule", "caveat", origin, "dates-listed", text, plan.folder.name)]
        doc = f"Control-M folder {title}." + (f"\n\n{description}" if description else "")
        self.dags.append(
            Dag(
                dag_id,
                tuple(built.tasks),
                tuple(dict.fromkeys(built.edges)),
                tuple(built.groups),
                timing.schedule,
                functions=tuple(functions),
                max_active_runs=runs or _runs_of(plan),
                arguments=tuple(arguments),
                tags=tuple(tags[:5]),
                doc=doc,
                origin=origin,
                accounts=(*accounts, *built.accounts),
            )
        )

    def _folder_accounts(self, plan: Plan, timing: Timing) -> list[Account]:
        folder = plan.folder
        self._ask(plan)
        notes = [*plan.notes, *cutover_notes(self.world, plan)]
        if plan.why_not is not None:
            notes.append(plan.why_not)
        elif timing.schedule.expression is not None:
            if not self.site.is_zone_known:
                notes.append(
                    (
                        "zone-assumed",
                        "The export does not say the time zone of the server: times are taken as UTC (profile key timezone).",
                    )
                )
            if not self.site.is_new_day_known:
                notes.append(
                    (
                        "new-day-assumed",
                        "The export does not say when the Control-M day begins: it is taken as midnight (profile key new_day).",
                    )
                )
        rules = {rule for item in plan.order.jobs.values() for rule in item.rules}
        if not self.site.is_week_known and any(rule.counts_week for rule in rules):
            text = "The export does not say on which day the week of the site begins: WEEKDAYS are numbered from Monday (profile key week_starts_on)."
            notes.append(("week-start-assumed", text))
        if any(rule.is_retroactive for rule in rules):
            notes.append(("retroactive", "RETRO orders dates again that Control-M missed; the DAG does not catch up."))
        if not notes:
            return [Account("FOLDER", "converted", folder.origin, name=folder.name)]
        return [Account("FOLDER", "caveat", folder.origin, code, text, folder.name) for code, text in notes]

    def _ask(self, plan: Plan) -> None:
        seen: set[tuple[str, str]] = set()
        reasons = [plan.why_not] if plan.why_not else []
        reasons += [(item.code, item.reason) for _, item in plan.order.unknown]
        for code, reason in reasons:
            if code in _ASKED and (code, reason) not in seen:
                seen.add((code, reason))
                text = f"{plan.folder.name}: {reason} Its DAG has no schedule until somebody says when it runs."
                if code == "calendar-missing":
                    text = f"{plan.folder.name}: {reason} Export the calendar next to the folders and convert again; until then the DAG has no schedule."
                self.questions.append(Question(code, text, plan.folder.origin, plan.dag_id))

    def _pools(self) -> list[PoolNeed]:
        largest: dict[str, int] = defaultdict(int)
        kinds: dict[str, set[str]] = defaultdict(set)
        for folder in self.world.export.folders:
            for job in folder.jobs():
                for resource in job.resources[:1]:
                    largest[resource.name] = max(largest[resource.name], resource.quantity)
                    kinds[resource.name].add(resource.kind)
        needs = []
        for name in sorted(largest):
            known = self.site.pools.get(name) or self.world.export.pools.get(name)
            if known:
                needs.append(PoolNeed(pool_of(name), known, "Control-M resource"))
            elif "shared" in kinds[name]:
                needs.append(
                    PoolNeed(pool_of(name), 100, "Control-M control resource: an exclusive job takes all of it")
                )
            elif "exclusive" in kinds[name]:
                needs.append(PoolNeed(pool_of(name), 1, "Control-M control resource, exclusive"))
            else:
                text = f"The resource {name}: its maximum is not in the exports; the pool gets {largest[name]} slots, the most that one job takes."
                self.questions.append(Question("resource-maximum", text, Origin("")))
                needs.append(
                    PoolNeed(pool_of(name), largest[name], "Control-M quantitative resource; set its real maximum")
                )
        return needs


def _who(need: ConnectionNeed) -> tuple[str, ...]:
    """Say whom a connection is of; names of hosts have no case."""
    if need.conn_type in ("ssh", "http", "sftp"):
        return (need.why.lower(), need.host.lower(), need.login)
    return (need.why, need.host.lower(), need.login)


def _shown(need: ConnectionNeed) -> str:
    where = "@".join(part for part in (need.login, need.host) if part)
    return f"{need.why} ({where})" if where else need.why


def _as_job(folder: Folder) -> Job:
    """Give a job that repeats at the times of a cyclic folder."""
    return Job(
        folder.name,
        folder.path,
        time_from=folder.time_from,
        time_to=folder.time_to,
        has_open_end=folder.has_open_end,
        cyclic=folder.cyclic,
    )


def _repetition(folder: Folder, *, is_told: bool) -> Account:
    text = "The folder repeats in Control-M; here it runs once on each date: its times cannot be said, or its jobs have other dates than it."
    if is_told:
        text = "It starts at its times of the day; a run that lasts longer delays the next one. Folders that wait for its jobs wait for its first run of the date."
    return Account("FOLDER@CYCLIC", "caveat", folder.origin, "folder-cyclic", text, folder.name)


def _runs_of(plan: Plan) -> int | None:
    """Give how many runs may be open at once when jobs wait for days: one for each date; None where Airflow's own limit is enough."""
    longest = max((job.max_wait or 0 for job in plan.folder.jobs() if job.waits), default=0)
    return longest + 2 if longest > 13 else None
