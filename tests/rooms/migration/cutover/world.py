"""A model of two Airflows over one clock: enough scheduler to see what a cutover does to intervals.

It follows what Airflow does (models/dag.py, jobs/scheduler_job_runner.py, dag_processing/collection.py, 2.11.2 and
3.3.2): a scheduler makes at most one run per look from the row's next interval, and computes the next when the run has
ended (max_active_runs is 1 here; 2.11.2 steps on only then); every parse computes it anew from the newest scheduled run,
unless one still goes on; without catchup both skip to the newest complete interval.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.rooms.migration.plan.conftest import dag

from aerodrome.kernel.clock import ManualClock
from aerodrome.kernel.errors import AerodromeError, Conflict
from aerodrome.migration.cutover import Conductor, Ended, Limits
from aerodrome.migration.cutover.context import CutoverContext, EventBridge
from aerodrome.migration.cutover.expectation import texts
from aerodrome.migration.cutover.requests import Hindrances
from aerodrome.migration.cutover.target import Judge, TargetDag, TargetRun
from aerodrome.migration.estate.calendars import Calendar, Interval, calendar_of, due, is_on
from aerodrome.migration.estate.history import RUN_COLUMNS, HistoryBatch, HistoryWindow
from aerodrome.migration.estate.records import DagRecord
from aerodrome.migration.plan.contract import Step
from aerodrome.migration.plan.handover import wave_steps
from aerodrome.migration.plan.needs import needs_of
from aerodrome.migration.service.conducting import act_of
from aerodrome.migration.sources.contract import CarriedRuns, DagState, StoppedRuns

DAG = "daily_sales"
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Killed(Exception):
    """kill -9 of the platform: both Airflows go on."""


@dataclass
class Run:
    interval: Interval
    ends_at: datetime
    run_type: str = "scheduled"
    is_ours: bool = True  # made by this side, not copied here
    result: str = "success"
    is_stopped: bool = False  # by us, for the other side to run it again

    def state(self, now: datetime) -> str:
        return self.result if now >= self.ends_at else "running"

    @property
    def run_id(self) -> str:
        return f"{self.run_type}__{self.interval[0].isoformat()}"


@dataclass
class Side:
    """One Airflow with one DAG."""

    clock: ManualClock
    calendar: Calendar
    catchup: bool
    run_s: float
    parse_every_s: float
    is_paused: bool
    next: Interval | None  # None: it has no schedule of its own
    runs: list[Run] = field(default_factory=list)
    parsed_at: datetime = START
    looked_at: datetime = START
    let_go: str | None = None
    is_held_back: bool = False  # until the next parse
    mark: str | None = None
    is_running: bool = True
    result: str = "success"
    is_full: bool = False  # a run goes on, and the scheduler steps on when it sees that it has ended

    def look(self) -> None:
        """Do what scheduler and DAG processor do now."""
        if not self.is_running:
            return
        now = self.clock.now()
        if self.is_paused:  # Airflow does not advance the runs of a paused DAG: they stand still
            for run in self.runs:
                if run.is_ours and run.state(now) == "running":
                    run.ends_at += now - self.looked_at
        self.looked_at = now
        is_busy = any(run.state(now) == "running" for run in self.runs)
        if not self.is_paused and self.is_full and not is_busy:
            self._step(now)
        if (
            not self.is_paused
            and self.next is not None
            and not self.is_held_back
            and self.next[1] <= now
            and not is_busy
        ):
            if any(run.interval == self.next for run in self.runs):
                self._step(now)
            else:
                ends_at = now + timedelta(seconds=self.run_s)
                self.runs.append(Run(self.next, ends_at, result=self.result))
                self.is_full = True
        if (now - self.parsed_at).total_seconds() >= self.parse_every_s:
            self.parse()

    def _step(self, now: datetime) -> None:
        self.is_full = False
        if self.next is not None:
            self.next = due(self.calendar, self.next, now, catchup=self.catchup)

    def parse(self) -> None:
        now = self.clock.now()
        self.parsed_at = now
        is_busy = any(run.state(now) == "running" for run in self.runs)
        self.is_held_back = False
        if not is_busy and (last := self.newest()):
            self.is_full = False
            self.next = due(self.calendar, last, now, catchup=self.catchup)

    def newest(self) -> Interval | None:
        return max((run.interval for run in self.runs if run.run_type == "scheduled"), default=None)

    @property
    def own(self) -> list[Interval]:
        return [run.interval for run in self.runs if run.is_ours and not run.is_stopped]


@dataclass
class World:
    """Two sides with some DAGs, and the platform between them, which can be killed at any call it makes."""

    schedule: str = "*/10 * * * *"
    kind: str = "cron"
    catchup: bool = False
    run_s: float = 30.0
    kill_at: int | None = None
    target_parse_s: float = 30.0
    was_paused: bool = False
    more: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # further DAGs: schedule, kind, catchup, run_s
    skew_s: float = 0.0  # how far the target's clock is ahead of the source's
    our_skew_s: float = 0.0  # how far our clock is ahead of the source's
    can_carry: bool = True
    can_stop: bool = True

    def __post_init__(self) -> None:
        self.clock = ManualClock(START)
        self.our_clock = ManualClock(START + timedelta(seconds=self.our_skew_s))
        self.target_clock = ManualClock(START + timedelta(seconds=self.skew_s))
        self.records: dict[str, DagRecord] = {}
        self.olds: dict[str, Side] = {}
        self.news: dict[str, Side] = {}
        first = {"schedule": self.schedule, "kind": self.kind, "catchup": self.catchup, "run_s": self.run_s}
        for dag_id, how in {DAG: first, **self.more}.items():
            self._add(dag_id, **{**first, **how})
        self.record, self.old, self.new = self.records[DAG], self.olds[DAG], self.news[DAG]
        self.calls = 0
        self.errors: list[tuple[str, str]] = []
        self.on_call: Callable[[str], None] = lambda _name: None
        self.in_target = True
        self.problems: dict[str, AerodromeError] = {}
        self.versions: dict[str, str] = {}

    def _add(self, dag_id: str, *, schedule: str, kind: str, catchup: bool, run_s: float) -> None:
        record = dag(dag_id, schedule=schedule, schedule_kind=kind, catchup=catchup, is_paused=self.was_paused)
        calendar = calendar_of(record)
        assert calendar is not None
        self.records[dag_id] = record
        begin = calendar.newest_complete(START)
        self.olds[dag_id] = Side(self.clock, calendar, catchup, run_s, 30.0, self.was_paused, begin)
        self.news[dag_id] = Side(self.target_clock, calendar, catchup, run_s, self.target_parse_s, True, begin)

    def _call(self, name: str) -> None:
        self.calls += 1
        if self.kill_at is not None and self.calls == self.kill_at:
            self.kill_at = None
            raise Killed
        self.on_call(name)

    def pass_time(self, seconds: float) -> None:
        """Let both Airflows live for a while, second by second."""
        for _ in range(max(1, round(seconds))):
            for clock in (self.clock, self.our_clock, self.target_clock):
                clock.advance(timedelta(seconds=1))
            for side in (*self.olds.values(), *self.news.values()):
                side.look()

    def context(self) -> CutoverContext:
        def sleep(seconds: float) -> None:
            if seconds <= 0:
                return  # only asks whether the platform goes down
            self._call("sleep")
            self.pass_time(seconds)

        return CutoverContext(
            source=self,
            target=_Target(self),
            sync=self._sync,
            dags=self.records,
            clock=self.our_clock,
            sleep=sleep,
            mark="aerodrome:mig_1",
            carried=self._carried if self.can_carry else None,
            hindrances=lambda _ids: {dag_id: Hindrances(error) for dag_id, error in self.problems.items()},
            versions=lambda dag_ids: {dag_id: self.versions[dag_id] for dag_id in dag_ids if dag_id in self.versions},
            stopping=self if self.can_stop else None,
        )

    def _sync(self, dag_ids: Sequence[str], _since: datetime | None) -> dict[str, dict[str, Any]]:
        self._call("sync")
        outcomes = {}
        for dag_id in dag_ids:
            old, new = self.olds[dag_id], self.news[dag_id]
            computed, have = new.next, {run.run_id for run in new.runs}
            for run in old.runs:
                if run.run_id not in have and run.state(self.clock.now()) != "running":
                    copied = Run(run.interval, run.ends_at, run.run_type, is_ours=False, result=run.result)
                    new.runs.append(copied)
                    self._call("sync.row")
            new.next = old.next
            self._call("sync.hand_off")
            outcomes[dag_id] = {
                "moved": len(new.runs) - len(have),
                "is_on_calendar": computed is not None and is_on(new.calendar, computed),
                "last_source_interval": texts(old.newest()),
            }
        return outcomes

    def _carried(self, dag_id: str) -> CarriedRuns:
        self._call("carried")
        runs = [
            {"run_id": run.run_id, "interval": run.interval, "run_type": run.run_type, "result": run.result}
            for run in self.news[dag_id].runs
            if run.is_ours
        ]
        return CarriedRuns(dag_id, runs, [], self.news[dag_id].next, None)

    # the source's side ---------------------------------------------------------------------------------------------

    def dag_states(self, dag_ids: Sequence[str]) -> dict[str, DagState]:
        self._call("dag_states")
        return {dag_id: self._state(dag_id, self.olds[dag_id]) for dag_id in dag_ids}

    def _state(self, dag_id: str, side: Side) -> DagState:
        running = sum(run.state(self.clock.now()) == "running" for run in side.runs)
        last = side.newest()
        return DagState(
            dag_id=dag_id,
            is_paused=side.is_paused,
            mark=side.mark if side.is_paused else None,
            next_logical_date=side.next[0] if side.next else None,
            next_interval=side.next,
            next_run_after=side.next[1] if side.next else None,
            last_interval=last,
            last_run_state="success" if last else None,
            let_go=side.let_go if not side.is_paused else None,
            in_flight={"run:running": running} if running else {},
        )

    def pause_dags(self, dag_ids: Sequence[str], mark: str) -> dict[str, AerodromeError]:
        self._call("pause_dags")
        for dag_id in dag_ids:
            old = self.olds[dag_id]
            old.is_paused, old.mark, old.let_go = True, mark, None
        self._call("pause_dags.after")
        return {}

    def unpause_dags(self, dag_ids: Sequence[str], mark: str) -> dict[str, AerodromeError]:
        self._call("unpause_dags")
        failed: dict[str, AerodromeError] = {}
        for dag_id in dag_ids:
            old = self.olds[dag_id]
            if mark not in {old.mark, old.let_go}:
                failed[dag_id] = Conflict("not ours", code="source-dag-not-ours")
                continue
            old.is_paused, old.mark, old.let_go = False, None, mark
        self._call("unpause_dags.after")
        return failed

    def hold_back(self, dag_id: str, mark: str) -> None:
        self._call("hold_back")
        old = self.olds[dag_id]
        if old.let_go == mark and not old.is_paused:
            old.is_held_back = True

    def stop_runs(self, dag_id: str, mark: str) -> None:
        self._call("stop_runs")
        old = self.olds[dag_id]
        assert (old.is_paused, old.mark) == (True, mark)
        for run in old.runs:
            if run.state(self.clock.now()) == "running":
                run.ends_at, run.result, run.is_stopped = self.clock.now(), "failed", True
        self._call("stop_runs.after")

    def stopped_runs(self, dag_ids: Sequence[str], mark: str) -> dict[str, StoppedRuns]:
        self._call("stopped_runs")
        found = {dag_id: tuple(run.run_id for run in self.olds[dag_id].runs if run.is_stopped) for dag_id in dag_ids}
        return {dag_id: StoppedRuns(ids) for dag_id, ids in found.items() if ids}

    def resume_runs(self, dag_id: str, mark: str, outcomes: Mapping[str, str]) -> None:
        self._call("resume_runs")
        for run in self.olds[dag_id].runs:
            if run.is_stopped and run.run_id in outcomes:
                run.is_ours, run.is_stopped, run.result = False, False, outcomes[run.run_id]
            elif run.is_stopped:
                run.ends_at, run.is_stopped = self.clock.now() + timedelta(seconds=5), False
                run.result = "success"
        self._call("resume_runs.after")

    def locked(self, _dag_ids: Sequence[str]) -> AbstractContextManager[None]:
        self._call("locked")
        return nullcontext()

    def history(self, _kind: str, window: HistoryWindow) -> Iterator[HistoryBatch]:
        names = ("run_id", "run_type", "state", "logical_date", "data_interval_start")
        rows = []
        for dag_id in window.dag_ids:
            for run in self.olds[dag_id].runs:
                start = run.interval[0]
                values = dict(zip(names, (run.run_id, run.run_type, run.result, start, start), strict=True))
                if run.state(self.clock.now()) != "running":
                    rows.append(tuple(values.get(column) for column in RUN_COLUMNS))
        yield HistoryBatch("run", RUN_COLUMNS, rows)

    def carry_runs(self, carried: CarriedRuns, mark: str) -> int:
        self._call("carry_runs")
        old = self.olds[carried.dag_id]
        assert mark in {old.mark, old.let_go}
        have = {run.run_id for run in old.runs}
        fresh = [run for run in carried.runs if run["run_id"] not in have]
        for run in fresh:
            done = Run(run["interval"], self.clock.now(), run["run_type"], is_ours=False, result=run["result"])
            old.runs.append(done)
        old.next = carried.next_interval
        self._call("carry_runs.after")
        return len(fresh)


@dataclass
class _Target:
    """The target's side of a world."""

    world: World

    def now(self) -> datetime:
        return self.world.target_clock.now()

    def dags(self, dag_ids: Sequence[str]) -> dict[str, TargetDag]:
        self.world._call("dags")
        return {dag_id: self._dag(dag_id) for dag_id in dag_ids} if self.world.in_target else {}

    def _dag(self, dag_id: str) -> TargetDag:
        side = self.world.news[dag_id]
        return TargetDag(
            dag_id=dag_id,
            is_paused=side.is_paused,
            is_stale=False,
            has_import_errors=False,
            file=f"{dag_id}.py",
            parsed_at=side.parsed_at,
            next_interval=side.next,
            next_run_after=side.next[1] if side.next else None,
            newest=side.newest(),
            started_by=None if side.is_paused else side.mark,
        )

    def import_errors(self) -> list[tuple[str, str]]:
        return self.world.errors

    def start(self, judges: Mapping[str, Judge], mark: str) -> dict[str, AerodromeError | TargetDag]:
        self.world._call("start")
        outcomes: dict[str, AerodromeError | TargetDag] = {}
        for dag_id, judge in judges.items():
            seen = self._dag(dag_id)
            outcomes[dag_id] = judge(seen) or seen
        for dag_id, outcome in outcomes.items():
            if isinstance(outcome, TargetDag):
                self.world.news[dag_id].is_paused, self.world.news[dag_id].mark = False, mark
        self.world._call("start.after")
        return outcomes

    def stop(self, dag_ids: Sequence[str], _mark: str) -> None:
        self.world._call("stop")
        for dag_id in dag_ids:
            self.world.news[dag_id].is_paused = True
        self.world._call("stop.after")

    def _runs(self, dag_id: str) -> list[tuple[Run, TargetRun]]:
        now = self.world.target_clock.now()
        return [
            (
                run,
                TargetRun(
                    run_id=run.run_id,
                    run_type=run.run_type,
                    state=run.state(now),
                    logical_date=run.interval[0],
                    interval=run.interval,
                    run_after=run.interval[1],
                ),
            )
            for run in sorted(self.world.news[dag_id].runs, key=lambda run: run.interval)
        ]

    def runs_after(self, lasts: Mapping[str, Interval | None]) -> dict[str, list[TargetRun]]:
        self.world._call("runs_after")
        return {
            dag_id: [
                seen
                for run, seen in self._runs(dag_id)
                if run.run_type == "scheduled" and (last is None or run.interval[0] > last[0])
            ]
            for dag_id, last in lasts.items()
        }

    def own_runs(self, dag_ids: Sequence[str]) -> dict[str, list[TargetRun]]:
        self.world._call("own_runs")
        return {dag_id: [seen for run, seen in self._runs(dag_id) if run.is_ours] for dag_id in dag_ids}

    def run_states(self, dag_id: str, moments: Collection[datetime]) -> dict[datetime, str]:
        self.world._call("run_states")
        return {seen.logical_date: seen.state for _, seen in self._runs(dag_id) if seen.logical_date in moments}  # type: ignore[misc]

    def backfill(self, dag_id: str, first: datetime, last: datetime) -> None:
        self.world._call("backfill")
        side, current = self.world.news[dag_id], first
        while current <= last:
            interval = (current, side.calendar.following(current))
            if not any(run.interval == interval for run in side.runs):
                side.runs.append(Run(interval, self.world.target_clock.now() + timedelta(seconds=5), "backfill"))
                self.world._call("backfill.row")
            current = interval[1]

    def run_again(self, dag_id: str, run_ids: Collection[str]) -> int:
        self.world._call("run_again")
        waiting = [run for run in self.world.news[dag_id].runs if run.run_id in run_ids and not run.is_ours]
        for run in waiting:
            run.is_ours, run.result = True, "success"
            run.ends_at = self.world.target_clock.now() + timedelta(seconds=5)
            self.world._call("run_again.row")
        return len(waiting)

    def ask_to_parse(self, _dag_id: str) -> None:
        self.world._call("ask_to_parse")


@dataclass
class MemoryLedger:
    """A journal in memory: it survives the kill of whoever writes it."""

    statuses: dict[str, str] = field(default_factory=dict)
    results: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    errors: dict[str, AerodromeError] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    halts: bool = False
    on_write: Callable[[], None] = lambda: None

    def begin(self, keys: Sequence[str]) -> None:
        self.on_write()
        assert not any(self.statuses.get(key) == "done" for key in keys)
        self.statuses |= dict.fromkeys(keys, "running")
        self.on_write()

    def done(self, results: Mapping[str, Mapping[str, Any]]) -> None:
        self.on_write()
        assert all(self.statuses[key] == "running" for key in results)
        self.statuses |= dict.fromkeys(results, "done")
        self.results |= results
        self.on_write()

    def failed(self, errors: Mapping[str, AerodromeError]) -> None:
        self.on_write()
        self.statuses |= dict.fromkeys(errors, "failed")
        self.errors |= errors

    def restart(self, keys: Sequence[str]) -> None:
        self.statuses |= dict.fromkeys(keys, "pending")

    def progress(self, texts: Mapping[str, str]) -> None:
        self.told += texts.values()

    def is_halted(self) -> bool:
        return self.halts


def wave(world: World, *kinds: str, **settings: Any) -> list[Step]:
    """The steps of one wave with every DAG of the world; `kinds` chooses some of them."""
    plan = {
        "policies": {
            "drain_deadline": 900, "on_deadline": "fail", "prove_limit": 120, "watch_limit": 4000, "missed": "report",
            **settings,
        },
        "dags": {},
    }  # fmt: skip
    steps = wave_steps({"name": "wave-1", "dags": list(world.records)}, plan, world.records)
    return [step for step in steps if not kinds or step.kind.removeprefix("cutover.") in kinds]


def conduct(
    world: World,
    ledger: MemoryLedger,
    steps: Sequence[Step],
    limits: Limits | None = None,
    events: EventBridge | None = None,
) -> Ended:
    """Walk steps as the service does."""
    context = replace(world.context(), events=events)
    done = {key: result for key, result in ledger.results.items() if ledger.statuses[key] == "done"}
    needs = needs_of(steps, world.records)
    return Conductor(
        context, steps, needs, done, lambda step, found: act_of(context, step, found), ledger, limits or Limits()
    ).run()
