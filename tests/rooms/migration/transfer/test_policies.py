"""A row that was moved before differs now: the plan's policy decides, and every row that it keeps is told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from tests.rooms.migration.transfer.conftest import MemorySource, make_history

from aerodrome.migration.transfer import TargetDatabase, move_history
from aerodrome.migration.transfer.outcomes import HistoryPolicy

pytestmark = pytest.mark.airflow


def _states(target: TargetDatabase) -> list[str]:
    with target.reading() as connection:
        return list(connection.scalars(text("select state from dag_run order by logical_date")))


def _notes(target: TargetDatabase) -> list[str]:
    with target.reading() as connection:
        return list(connection.scalars(text("select content from dag_run_note order by content")))


@pytest.mark.parametrize(
    ("policy", "states", "codes"),
    [
        ("source-wins", ["success", "failed", "success"], {}),
        ("target-wins", ["failed", "success", "success"], {"target-wins": 3}),
        ("newest", ["failed", "failed", "success"], {"target-newer": 2}),
    ],
)
def test_the_policy_decides_which_row_stands(
    policy: HistoryPolicy,
    states: list[str],
    codes: dict[str, int],
    target: TargetDatabase,
    add_dags: Callable[..., None],
) -> None:
    add_dags("daily")
    source = MemorySource(rows=make_history("daily", 3))
    move_history(source, target, ["daily"], policy=policy)
    runs: list[dict[str, Any]] = source.rows["run"]
    later = {"late": runs[2]["end_date"] + timedelta(days=30)}
    with target.writing() as connection:  # as a person does in the target: a state set by hand, a note written
        connection.execute(
            text("update dag_run set state = 'failed', updated_at = :late where run_id = :id"),
            later | {"id": runs[0]["run_id"]},
        )
        connection.execute(text("update dag_run_note set content = 'ours', updated_at = :late"), later)
    runs[1] |= {"state": "failed", "end_date": runs[1]["end_date"] + timedelta(days=60), "note": None}
    runs[2] |= {"note": "theirs"}
    with target.writing() as connection:
        connection.execute(
            text(
                "insert into dag_run_note (dag_run_id, content, created_at, updated_at) "
                "select id, 'mine', :late, :late from dag_run where run_id = :id"
            ),
            later | {"id": runs[2]["run_id"]},
        )

    moved = move_history(source, target, ["daily"], policy=policy)

    assert moved.is_proven
    assert _states(target) == states
    assert moved.of("run").failed_by_code == codes
    assert _notes(target) == sorted(["ours", "theirs" if policy == "source-wins" else "mine"])
    again = move_history(source, target, ["daily"], policy=policy)
    assert (again.of("run").moved, again.of("run").failed_by_code) == (0, codes)


def test_no_policy_changes_what_the_target_ran_itself(target: TargetDatabase, add_dags: Callable[..., None]) -> None:
    add_dags("daily")
    source = MemorySource(rows=make_history("daily", 1))
    move_history(source, target, ["daily"])
    with target.writing() as connection:
        connection.execute(text("update dag_run set state = 'failed', last_scheduling_decision = updated_at"))
    source.rows["run"][0]["end_date"] += timedelta(days=60)
    moved = move_history(source, target, ["daily"], policy="newest")
    assert moved.of("run").failed_by_code == {"row-belongs-to-target": 1}
    assert _states(target) == ["failed"]
