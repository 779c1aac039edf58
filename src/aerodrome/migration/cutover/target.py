"""What a cutover needs of the target's Airflow; `airflowkit.rest.AirflowRest` offers it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Protocol

from aerodrome.airflowkit.rest import RestDag, RestRun
from aerodrome.migration.estate.calendars import Interval


class TargetSide(Protocol):
    """One Airflow, as the acts see it."""

    def dag(self, dag_id: str) -> RestDag | None: ...

    def import_errors(self) -> list[tuple[str, str]]:
        """Give (file, traceback) pairs."""
        ...

    def dag_runs(self, dag_id: str) -> Iterator[RestRun]:
        """Give runs of every type, the newest first by run_after; read lazily."""
        ...

    def set_paused(self, dag_id: str, *, is_paused: bool) -> None: ...

    def backfill(self, dag_id: str, first: datetime, last: datetime) -> None:
        """Ask for runs of the intervals that start from `first` to `last`; existing runs stay. Conflict while one goes on."""
        ...

    def ask_to_parse(self, dag_id: str) -> None:
        """Ask the target's DAG processor to read the DAG's file soon; doing nothing is allowed."""
        ...


def newest_scheduled(target: TargetSide, dag_id: str) -> Interval | None:
    """Give the interval of the newest scheduled run."""
    return next((run.interval for run in target.dag_runs(dag_id) if run.run_type == "scheduled" and run.interval), None)


def scheduled_after(target: TargetSide, dag_id: str, last: Interval | None) -> list[RestRun]:
    """Give the scheduled runs whose interval starts after that of `last`, the oldest first."""
    found: list[RestRun] = []
    for run in target.dag_runs(dag_id):
        if run.run_type != "scheduled" or run.interval is None:
            continue
        if last is not None and run.interval[0] <= last[0]:
            break
        found.append(run)
    return found[::-1]
