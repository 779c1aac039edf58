"""A model of one Airflow with one DAG: enough scheduler to see what a cutover does to intervals.

It follows what Airflow does (models/dag.py, jobs/scheduler_job_runner.py, dag_processing/collection.py, 2.11.2 and
3.3.2): a scheduler makes at most one run per look from the row's next interval, and computes the next when the run has
ended (max_active_runs is 1 here; 2.11.2 steps on only then); every parse computes it anew from the newest scheduled run,
unless one still goes on; without catchup both skip to the newest complete interval.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from aerodrome.kernel.clock import ManualClock
from aerodrome.migration.estate.calendars import Calendar, Interval, due

DAG = "daily_sales"
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


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
