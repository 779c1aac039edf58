"""What a cutover needs of the target's Airflow, for many DAGs at once; `hosted.HostedTarget` offers it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from aerodrome.kernel.errors import AerodromeError
from aerodrome.migration.estate.calendars import Interval


@dataclass(frozen=True)
class TargetDag:
    """A DAG as the target's scheduler knows it now."""

    dag_id: str
    is_paused: bool
    is_stale: bool  # its file is gone
    has_import_errors: bool
    file: str
    parsed_at: datetime | None
    next_interval: Interval | None
    next_run_after: datetime | None
    newest: Interval | None = None  # of the newest scheduled run
    started_by: str | None = None  # our mark when it was us who unpaused it last


@dataclass(frozen=True)
class TargetRun:
    """One run in the target."""

    run_id: str
    run_type: str
    state: str
    logical_date: datetime | None
    interval: Interval | None
    run_after: datetime | None
    queued_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def is_finished(self) -> bool:
        return self.state in {"success", "failed"}


Judge = Callable[[TargetDag], AerodromeError | None]


class TargetSide(Protocol):
    """One Airflow, as the acts see it. DAGs that it does not have are missing in the answers."""

    def now(self) -> datetime:
        """Give the moment by the target's own clock."""
        ...

    def dags(self, dag_ids: Sequence[str]) -> dict[str, TargetDag]: ...

    def import_errors(self) -> list[tuple[str, str]]:
        """Give (file, traceback) pairs."""
        ...

    def start(self, judges: Mapping[str, Judge], mark: str) -> dict[str, AerodromeError | TargetDag]:
        """Unpause DAGs under our mark in one transaction, each only if its judge finds nothing wrong with it there."""
        ...

    def stop(self, dag_ids: Sequence[str], mark: str) -> None:
        """Pause DAGs."""
        ...

    def runs_after(self, lasts: Mapping[str, Interval | None]) -> dict[str, list[TargetRun]]:
        """Give per DAG its scheduled runs after an interval, the oldest first, at most some hundreds."""
        ...

    def own_runs(self, dag_ids: Sequence[str]) -> dict[str, list[TargetRun]]:
        """Give per DAG the runs that the target made itself, the oldest first."""
        ...

    def run_states(self, dag_id: str, moments: Collection[datetime]) -> dict[datetime, str]:
        """Give the states of the runs of these logical dates, of any type."""
        ...

    def backfill(self, dag_id: str, first: datetime, last: datetime) -> None:
        """Ask for runs of the intervals that start from `first` to `last`; existing runs stay. Conflict while one goes on."""
        ...

    def run_again(self, dag_id: str, run_ids: Collection[str]) -> int:
        """Run again what did not succeed of runs that came from the source; each at most once, however often it is asked.

        Gives how many were not asked for before. NotFound `stopped-run-missing` for a run that did not come.
        """
        ...

    def ask_to_parse(self, dag_id: str) -> None:
        """Ask the target's DAG processor to read the DAG's file soon; doing nothing is allowed."""
        ...
