"""The last history of a cutover into a real metadata database: moved ahead, then the rest; and runs that run again there.

If these break, a run that ended just before the pause is lost, the whole history moves while nobody runs the DAG, or a run that
was stopped in the source is cleared twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from tests.rooms.migration.plan.conftest import dag
from tests.rooms.migration.transfer.conftest import MemorySource, make_history
from tests.rooms.migration.transfer.test_handoff import state_of

from aerodrome.kernel.errors import NotFound
from aerodrome.migration.cutover.hosted import HostedTarget
from aerodrome.migration.service.syncing import OVERLAP, Syncing
from aerodrome.migration.transfer import TargetDatabase, move_history

pytestmark = pytest.mark.airflow


@dataclass
class WatchedSource(MemorySource):
    """Keeps from when on it was read again."""

    asked: list[datetime] = field(default_factory=list)

    def history_changed(self, dag_ids: Sequence[str], since: datetime) -> set[str]:
        self.asked.append(since)
        newer = {row["dag_id"] for row in self.rows["run"] if row["end_date"] > since}
        return newer & set(dag_ids)


def syncing(source: MemorySource, target: TargetDatabase) -> Syncing:
    return Syncing(source, target, {"daily": dag("daily")}, lambda _moved: "")


def test_what_moved_ahead_is_not_read_again_and_the_rest_follows(
    target: TargetDatabase, add_dags: Callable[..., None]
) -> None:
    add_dags("daily")
    rows = make_history("daily", 4)
    last = rows["run"][-1]["run_id"]  # goes on while the others move
    ended = {kind: [row for row in some if row["run_id"] != last] for kind, some in rows.items()}
    source = WatchedSource(rows=ended, states={"daily": state_of("daily", 4)})
    sync = syncing(source, target)

    sync.ahead(["daily"])
    moved_until = source.history_watermark(["daily"])
    assert moved_until is not None
    source.rows = rows
    outcome = sync(["daily"])["daily"]

    assert source.asked == [moved_until - OVERLAP]
    assert [kind["moved"] for kind in outcome["ahead"][0]["kinds"] if kind["kind"] == "run"] == [3]
    assert [kind["moved"] for kind in outcome["history"]["kinds"] if kind["kind"] == "run"] == [1]
    assert outcome["last_source_interval"][0] == "2026-03-04T00:00:00.000000Z"
    assert "ahead" not in sync(["daily"])["daily"]  # told once


def test_nothing_counts_as_moved_ahead_when_a_row_was_refused(
    target: TargetDatabase, add_dags: Callable[..., None]
) -> None:
    add_dags("daily")
    source = WatchedSource(rows=make_history("daily", 3), states={"daily": state_of("daily", 3)})
    source.rows["run"][0]["conf"] = "{no JSON"
    sync = syncing(source, target)
    sync.ahead(["daily"])
    sync(["daily"])
    assert source.asked == []  # all of it was read both times


@dataclass
class Api:
    """Notes which runs Airflow's API is asked to clear; it gives them a version, as Airflow does."""

    target: TargetDatabase
    cleared: list[str] = field(default_factory=list)

    def run_again(self, dag_id: str, run_id: str) -> None:
        self.cleared.append(run_id)
        version = UUID(int=1) if self.target.dialect == "postgresql" else UUID(int=1).hex
        with self.target.writing() as connection:
            connection.execute(
                text(
                    "insert into dag_version (id, version_number, dag_id, created_at, last_updated)"
                    " values (:id, 2, :dag, :now, :now)"
                ),
                {"id": version, "dag": dag_id, "now": datetime.now().astimezone()},
            )
            connection.execute(
                text("update dag_run set created_dag_version_id = :id, state = 'queued' where run_id = :run"),
                {"id": version, "run": run_id},
            )

    def backfill(self, *_: Any) -> None:
        raise NotImplementedError

    def ask_to_parse(self, _dag_id: str) -> None:
        raise NotImplementedError


def test_a_run_is_cleared_once_however_often_it_is_asked_for(
    target: TargetDatabase, add_dags: Callable[..., None]
) -> None:
    add_dags("daily")
    source = MemorySource(rows=make_history("daily", 3))
    move_history(source, target, ["daily"])
    api = Api(target)
    hosted = HostedTarget(target, api)
    run_id = source.rows["run"][1]["run_id"]
    assert [hosted.run_again("daily", [run_id]) for _ in range(2)] == [1, 0]
    assert api.cleared == [run_id]
    assert [run.run_id for run in hosted.own_runs(["daily"])["daily"]] == [run_id]  # it belongs to the target now
    with pytest.raises(NotFound) as error:
        hosted.run_again("daily", [run_id, "scheduled__never"])
    assert error.value.code == "stopped-run-missing"
