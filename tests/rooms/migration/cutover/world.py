"""A model of two Airflows over one clock: enough scheduler to see what a cutover does to intervals.

It follows what Airflow does (models/dag.py, jobs/scheduler_job_runner.py, dag_processing/collection.py, 2.11.2 and
3.3.2): a scheduler makes at most one run per look from the row's next interval, then computes the next; every parse
computes it anew from the newest scheduled run; without catchup both skip to the newest complete interval.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from tests.rooms.migration.plan.conftest import dag

from aerodrome.airflowkit.rest import RestDag, RestRun
from aerodrome.kernel.clock import ManualClock
from aerodrome.kernel.errors import Conflict
from aerodrome.migration.cutover.context import CutoverContext
from aerodrome.migration.estate.calendars import Calendar, Interval, calendar_of, due
from aerodrome.migration.estate.history import RUN_COLUMNS, HistoryBatch
from aerodrome.migration.estate.records import DagRecord
from aerodrome.migration.sources.contract import DagState

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
    next: Interval
    runs: list[Run] = field(default_factory=list)
    parsed_at: datetime = START
    looked_at: datetime = START
    let_go: str | None = None
    is_held_back: bool = False  # until the next parse
    mark: str | None = None
    is_running: bool = True
    result: str = "success"

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
        if (
            not self.is_paused
            and not self.is_held_back
            and self.next[1] <= now
            and not any(run.state(now) == "running" for run in self.runs)
        ):
            if not any(run.interval == self.next for run in self.runs):
                ends_at = now + timedelta(seconds=self.run_s)
                self.runs.append(Run(self.next, ends_at, result=self.result))
            self.next = due(self.calendar, self.next, now, catchup=self.catchup)
        if (now - self.parsed_at).total_seconds() >= self.parse_every_s:
            self.parse()

    def parse(self) -> None:
        self.parsed_at = self.clock.now()
        self.is_held_back = False
        if last := self.newest():
            self.next = due(self.calendar, last, self.clock.now(), catchup=self.catchup)

    def newest(self) -> Interval | None:
        return max((run.interval for run in self.runs if run.run_type == "scheduled"), default=None)

    @property
    def own(self) -> list[Interval]:
        return [run.interval for run in self.runs if run.is_ours]


@dataclass
class World:
    """Two sides, and the platform between them, which can be killed at any call it makes."""

    schedule: str = "*/10 * * * *"
    kind: str = "cron"
    catchup: bool = False
    run_s: float = 30.0
    kill_at: int | None = None
    target_parse_s: float = 30.0
    was_paused: bool = False

    def __post_init__(self) -> None:
        self.clock = ManualClock(START)
        self.record: DagRecord = dag(
            DAG,
            schedule=self.schedule,
            schedule_kind=self.kind,
            catchup=self.catchup,
            is_paused=self.was_paused,
        )
        calendar = calendar_of(self.record)
        assert calendar is not None
        first = calendar.newest_complete(START)
        shared = (self.clock, calendar, self.catchup, self.run_s)
        self.old = Side(*shared, 30.0, self.was_paused, first)
        self.new = Side(*shared, self.target_parse_s, True, first)
        self.calls = 0
        self.errors: list[tuple[str, str]] = []
        self.on_call: Callable[[str], None] = lambda _name: None
        self.in_target = True

    def _call(self, name: str) -> None:
        self.calls += 1
        if self.kill_at is not None and self.calls == self.kill_at:
            self.kill_at = None
            raise Killed
        self.on_call(name)

    def pass_time(self, seconds: float) -> None:
        """Let both Airflows live for a while, second by second."""
        for _ in range(max(1, round(seconds))):
            self.clock.advance(timedelta(seconds=1))
            self.old.look()
            self.new.look()

    def context(self) -> CutoverContext:
        def sleep(seconds: float) -> None:
            self._call("sleep")
            self.pass_time(seconds)

        return CutoverContext(
            source=self,  # type: ignore[arg-type] # only the part that a cutover uses
            target=self,
            sync=self._sync,
            dags={DAG: self.record},
            clock=self.clock,
            sleep=sleep,
            mark="aerodrome:mig_1",
        )

    def _sync(self, _dag_id: str) -> dict[str, int]:
        self._call("sync")
        now = self.clock.now()
        have = {run.run_id for run in self.new.runs}
        for run in self.old.runs:
            if run.run_id not in have and run.state(now) != "running":
                self.new.runs.append(Run(run.interval, run.ends_at, run.run_type, is_ours=False))
                self._call("sync.row")
        return {"moved": len(self.new.runs) - len(have)}

    # the source's side ---------------------------------------------------------------------------------------------

    def dag_states(self, dag_ids: Sequence[str]) -> dict[str, DagState]:
        self._call("dag_states")
        now = self.clock.now()
        running = sum(run.state(now) == "running" for run in self.old.runs)
        last = self.old.newest()
        return {
            dag_id: DagState(
                dag_id=DAG,
                is_paused=self.old.is_paused,
                mark=self.old.mark if self.old.is_paused else None,
                next_logical_date=self.old.next[0],
                next_interval=self.old.next,
                next_run_after=self.old.next[1],
                last_interval=last,
                last_run_state="success" if last else None,
                let_go=self.old.let_go if not self.old.is_paused else None,
                in_flight={"run:running": running} if running else {},
            )
            for dag_id in dag_ids
        }

    def pause_dag(self, _dag_id: str, mark: str) -> None:
        self._call("pause_dag")
        self.old.is_paused, self.old.mark, self.old.let_go = True, mark, None
        self._call("pause_dag.after")

    def unpause_dag(self, _dag_id: str, mark: str) -> None:
        self._call("unpause_dag")
        if mark not in {self.old.mark, self.old.let_go}:
            raise Conflict("not ours", code="source-dag-not-ours")
        self.old.is_paused, self.old.mark, self.old.let_go = False, None, mark
        self._call("unpause_dag.after")

    def hold_back(self, _dag_id: str, mark: str) -> None:
        self._call("hold_back")
        if self.old.let_go == mark and not self.old.is_paused:
            self.old.is_held_back = True

    def history(self, _kind: str, _window: object) -> Iterator[HistoryBatch]:
        now = self.clock.now()
        rows = [
            tuple(run.run_id if column == "run_id" else None for column in RUN_COLUMNS)
            for run in self.old.runs
            if run.state(now) != "running"
        ]
        yield HistoryBatch("run", RUN_COLUMNS, rows)

    # the target's side ---------------------------------------------------------------------------------------------

    def dag(self, dag_id: str) -> RestDag | None:
        self._call("dag")
        if not self.in_target:
            return None
        side = self.new
        return RestDag(
            dag_id=dag_id,
            is_paused=side.is_paused,
            is_stale=False,
            has_import_errors=False,
            file=f"{dag_id}.py",
            parsed_at=side.parsed_at,
            bundle_version=None,
            next_logical_date=side.next[0],
            next_interval=side.next,
            next_run_after=side.next[1],
            file_token="",
        )

    def import_errors(self) -> list[tuple[str, str]]:
        return self.errors

    def dag_runs(self, dag_id: str) -> Iterator[RestRun]:
        self._call("dag_runs")
        now = self.clock.now()
        for run in sorted(self.new.runs, key=lambda run: run.interval, reverse=True):
            yield RestRun(
                dag_id=dag_id,
                run_id=run.run_id,
                run_type=run.run_type,
                state=run.state(now),
                logical_date=run.interval[0],
                interval=run.interval,
                run_after=run.interval[1],
                queued_at=None,
                started_at=None,
                ended_at=None,
                bundle_version=None,
            )

    def set_paused(self, _dag_id: str, *, is_paused: bool) -> None:
        self._call("set_paused")
        self.new.is_paused = is_paused
        self._call("set_paused.after")

    def backfill(self, _dag_id: str, first: datetime, last: datetime) -> None:
        self._call("backfill")
        calendar, current = self.new.calendar, first
        while current <= last:
            interval = (current, calendar.following(current))
            if not any(run.interval == interval for run in self.new.runs):
                self.new.runs.append(Run(interval, self.clock.now() + timedelta(seconds=5), "backfill"))
                self._call("backfill.row")
            current = interval[1]

    def ask_to_parse(self, _dag_id: str) -> None:
        self._call("ask_to_parse")
