"""Two model Airflows over one clock, and the platform between them, which can be killed at any call it makes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.rooms.migration.cutover.side import DAG, START, Run, Side
from tests.rooms.migration.plan.conftest import dag

from aerodrome.kernel.clock import ManualClock
from aerodrome.kernel.errors import AerodromeError, Conflict
from aerodrome.migration.cutover.context import CutoverContext
from aerodrome.migration.cutover.expectation import texts
from aerodrome.migration.cutover.requests import Hindrances
from aerodrome.migration.cutover.target import Judge, TargetDag, TargetRun
from aerodrome.migration.estate.calendars import Interval, calendar_of, is_on
from aerodrome.migration.estate.history import RUN_COLUMNS, HistoryBatch, HistoryWindow
from aerodrome.migration.estate.records import DagRecord
from aerodrome.migration.sources.contract import CarriedRuns, DagState, StoppedRuns


class Killed(Exception):
    """kill -9 of the platform: both Airflows go on."""


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
