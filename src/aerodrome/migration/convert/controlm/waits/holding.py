"""What holds a job back besides conditions: its time, its window, its confirmation, and dates on which it is not ordered."""

from __future__ import annotations

from datetime import date
from typing import Final

from aerodrome.migration.convert import symbols
from aerodrome.migration.convert.contract import (
    Choice,
    Code,
    Expression,
    Symbol,
)
from aerodrome.migration.convert.controlm import snippets
from aerodrome.migration.convert.controlm.dates.ordering import Ordered
from aerodrome.migration.convert.controlm.definitions.model import Job, Node
from aerodrome.migration.convert.controlm.definitions.times import clock
from aerodrome.migration.convert.controlm.draft import Draft
from aerodrome.migration.convert.controlm.names import sanitize
from aerodrome.migration.convert.controlm.waits.upstream import Upstream

TIME_SENSOR: Final = Symbol(
    "DateTimeSensorAsync",
    {"2.11": "airflow.sensors.date_time", "3.3": "airflow.providers.standard.sensors.date_time"},
    {"3.3": "apache-airflow-providers-standard"},
)
START_SENSOR: Final = Symbol(
    "DateTimeSensor",
    {"2.11": "airflow.sensors.date_time", "3.3": "airflow.providers.standard.sensors.date_time"},
    {"3.3": "apache-airflow-providers-standard"},
)
APPROVAL: Final = Symbol(
    "ApprovalOperator",
    {"2.11": "controlm_approval", "3.3": "airflow.providers.standard.operators.hitl"},
    {"3.3": "apache-airflow-providers-standard"},
)


class Holding:
    """Makes checks and waits in a draft. `dates`: those of a job that runs apart."""

    def __init__(self, draft: Draft, dates: frozenset[date] | None) -> None:
        self.draft, self.dates = draft, dates
        self._start = ""

    def time(self, node: Node, name: str, group: str, predicate: str | None) -> tuple[str, ...]:
        """Wait for the time from which a node may run, which a run that somebody orders can come before, too."""
        place = self.draft.world.site.clock.place
        is_cyclic = self.draft.is_apart and isinstance(node, Job) and node.cyclic is not None
        if node.time_from is None or is_cyclic:
            return ()
        if not node.timezone and not place(node.time_from % 1440):
            return ()  # every run of a date begins after its new day
        if not node.timezone and place(node.time_from % 1440) <= place(self.draft.tick):
            if self._is_behind_others(node):
                return ()
            if place(node.time_from % 1440) == place(self.draft.tick):
                return (self._start_of_run(),)
        zone = self.draft.zone(node)
        shown = f", zone='{zone}'" if zone != self.draft.world.site.clock.timezone else ""
        target = self._moment(node.time_from % 1440, shown)
        options: list[tuple[str, Expression]] = [("target_time", target)]
        if guard := self.draft.guard(predicate):
            options.append(("pre_execute", Code(guard)))
        full = self.draft.free(sanitize(name), group)
        self.draft.task(
            full,
            TIME_SENSOR,
            tuple(options),
            is_waiting=True,
            origin=node.origin,
            comment=f"TIMEFROM {clock(node.time_from % 1440)}",
        )
        return (full,)

    def _moment(self, minutes: int, shown: str = "") -> str:
        self.draft.need_dates()
        self.draft.need_macros({"at_time"})
        return f"{{{{ at_time(odate(dag_run), {minutes}{shown}).isoformat() }}}}"

    def _start_of_run(self) -> str:
        """Give the sensor that holds a run which somebody orders before the time of the schedule; it is done at once in those of the schedule."""
        if not self._start:
            self._start = self.draft.free("not_before", "")
            minutes = self.draft.tick % 1440
            options: list[tuple[str, Expression]] = [
                ("target_time", self._moment(minutes)),
                ("mode", "reschedule"),
                ("poke_interval", 60),
            ]
            self.draft.task(
                self._start,
                START_SENSOR,
                tuple(options),
                is_waiting=True,
                origin=self.draft.plan.folder.origin,
                comment=f"TIMEFROM {clock(minutes)}, also of runs that are ordered before",
            )
        return self._start

    def is_start(self, names: tuple[str, ...]) -> bool:
        """Say whether a wait is for nothing but the time of the schedule."""
        return names == (self._start,)

    def _is_behind_others(self, node: Node) -> bool:
        """Say whether what a node waits for anyway does not come before the time of the schedule."""
        place = self.draft.world.site.clock.place
        plan = self.draft.plan
        jobs = [job for job in plan.folder.jobs() if job.path not in plan.apart]
        if self.draft.is_apart or not all(plan.ordered(job).dates for job in jobs):
            return False  # a job without criteria can be forced before
        if place((node.time_from or 0) % 1440) < place(self.draft.tick):
            return True  # it is held by the time of a folder around it, or its jobs have later ones
        if not isinstance(node, Job) or not node.waits or plan.folder.is_adjusting:
            return False
        links = [link for wait in node.waits for link in self.draft.world.links.of(plan.number, node, wait)]
        return bool(links) and all(link.kind == "edge" for link in links)

    def approval(self, node: Node, upstream: Upstream, group: str, predicate: str | None) -> Upstream:
        """Wait for the confirmation of a node, where it asks for one."""
        if not node.must_confirm:
            return upstream
        self.draft.built.needs_approval = True
        name = self.draft.free(f"{sanitize(node.name)}_confirm", group)
        options: list[tuple[str, Expression]] = [("subject", f"Confirm {'/'.join(node.path)}")]
        if guard := self.draft.guard(predicate):
            options.append(("pre_execute", Code(guard)))
        self.draft.task(
            name, APPROVAL, tuple(options), is_waiting=True, rule=upstream.rule, before=upstream.ids, origin=node.origin
        )
        return Upstream((name,))

    def chosen(self, job: Job, task_id: str, upstream: Upstream, group: str, predicate: str | None) -> Upstream:
        """Skip a job at once on dates on which it is not ordered, where those that wait for it go on without it (ADJUST_COND)."""
        if not self.draft.plan.folder.is_adjusting or self.draft.is_apart or predicate is None or not upstream.ids:
            return upstream
        self.draft.need_dates()
        self.draft.need(snippets.WHEN_ORDERED)
        before = upstream.ids
        if upstream.rule == "one_success" and len(before) > 1:  # the choice is no reason to start
            gate = self.draft.free(f"{sanitize(job.name)}_any", group)
            self.draft.task(
                gate, symbols.EMPTY, (), role="control", rule=upstream.rule, before=before, origin=job.origin
            )
            upstream, before = Upstream((gate,)), (gate,)
        name = self.draft.free(f"{sanitize(job.name)}_is_ordered", group)
        given: dict[str, Expression] = {"task_id": task_id, "is_ordered": Code(predicate)}
        arguments: tuple[tuple[str, Expression], ...] = (
            ("python_callable", Code("when_ordered")),
            ("op_kwargs", given),
        )
        choices = (Choice("ordered", (task_id,)), Choice("left out", ()))
        self.draft.task(name, symbols.BRANCH, arguments, role="control", choices=choices, origin=job.origin)
        return Upstream((*before, name), upstream.rule)

    def predicate(self, job: Job) -> str | None:
        """Give the predicate that skips a job on dates of its DAG on which it is not ordered; None when there is no such date."""
        ordered = self.draft.plan.ordered(job)
        if self.dates is not None:
            self.draft.need_dates()
            return self.draft.gates.predicate(self.dates)
        if self.draft.is_apart or not ordered.is_known or not self._is_choosing(job, ordered):
            return None
        self.draft.need_dates()
        return self.draft.gates.predicate(ordered.dates)

    def _is_choosing(self, job: Job, ordered: Ordered) -> bool:
        """Say whether an order leaves out the job on some dates of the DAG; one by hand can be for any date."""
        plan = self.draft.plan
        if plan.is_scheduled:
            return ordered.dates != plan.dates
        if not plan.has_criteria:  # an order would bring nothing: whoever starts the DAG forces all of it
            is_left_out = job.rule.is_never and any(plan.comes_with_folder(other) for other in plan.folder.jobs())
            return is_left_out or job.path in plan.forced_inside
        horizon = self.draft.gates.horizon
        return not plan.comes_with_folder(job) and len(ordered.dates) <= (horizon.last - horizon.first).days

    def check(self, job: Job, predicate: str | None, zone: str) -> str | None:
        """Give the check that skips a job outside of its window or its dates; None when it always runs."""
        if job.time_to is not None and not job.has_open_end and not (self.draft.is_apart and job.cyclic):
            place = self.draft.world.site.clock.place
            is_next_day = place(job.time_to % 1440) <= place(
                (job.time_from or self.draft.world.site.clock.new_day) % 1440
            )
            self.draft.need_dates()
            self.draft.need(snippets.NOT_AFTER)
            extra = f", {predicate}" if predicate else ""
            days = (job.max_wait or 0) + (1 if is_next_day else 0)
            return f"not_after({job.time_to % 1440}, {days}, {zone!r}{extra})"
        return self.draft.guard(predicate)
