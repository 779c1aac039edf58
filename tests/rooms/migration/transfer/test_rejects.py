"""Every refused row stands in a file with its reason, once, whatever happened on the way. Without it an auditor must guess."""

from __future__ import annotations

import json
import pickle
import sqlite3
from base64 import b64decode
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from tests.rooms.migration.transfer.conftest import MemorySource, make_history, make_run, make_task

from aerodrome.migration.estate.history import RejectedRow
from aerodrome.migration.sources.airflow_db.conversion import convert_xcom
from aerodrome.migration.transfer import FileCheckpoint, RejectsFile, TargetDatabase, move_history
from aerodrome.migration.transfer.outcomes import Rejected

REFUSED = pickle.dumps(sqlite3.OperationalError("canary"))


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_pickle_that_json_cannot_hold_is_handed_on_as_it_is() -> None:
    rows: list[tuple[Any, ...]] = []
    rejected: list[RejectedRow] = []
    convert_xcom(("d", "r", "t", -1, "k", REFUSED, None), rows, rejected)
    assert rows == []
    assert (rejected[0].code, rejected[0].value) == ("xcom-pickled", REFUSED)
    assert "canary" not in repr(rejected)


def test_a_mark_forgets_what_came_after_it(tmp_path: Path) -> None:
    with RejectsFile(tmp_path / "r") as file:
        file.add("xcom", Rejected("a", "xcom-pickled", "why"), REFUSED)
        mark = file.mark()
        file.add("run", Rejected("b", "x", "why"))
        file.mark()
    with RejectsFile(tmp_path / "r") as file:
        file.go_back(mark)
        file.add("run", Rejected("c", "x", "why"))
    assert [line["key"] for line in lines(file.rejects)] == ["a", "c"]
    (kept,) = lines(file.values)
    assert b64decode(kept["value"]) == REFUSED
    assert [path.stat().st_mode & 0o777 for path in (file.rejects, file.values)] == [0o600, 0o600]


@pytest.mark.airflow
def test_no_row_is_missing_and_none_stands_twice(
    target: TargetDatabase, add_dags: Callable[..., None], tmp_path: Path
) -> None:
    dag_ids = [f"dag_{number:02}" for number in range(24)]
    add_dags(*dag_ids)
    source = MemorySource(batch=100)
    for dag_id in dag_ids:
        for kind, rows in make_history(dag_id, 2).items():
            source.rows.setdefault(kind, []).extend(rows)
        source.rows["run"].append(make_run(dag_id, 5, state="running"))
        source.rows["task_instance"].append(make_task(make_run(dag_id, 5), "extract"))
    source.rejected = [RejectedRow("dag_00/r/t[-1]/k", "xcom-pickled", "It is a pickle.", REFUSED)]

    class Dying(FileCheckpoint):
        lives = count(1)

        def save(self, state: dict[str, Any]) -> None:
            if next(self.lives) % 3 == 0:
                raise KeyboardInterrupt  # its lines are written, the checkpoint is not
            super().save(state)

    checkpoint = Dying(tmp_path / "checkpoint.json")
    for _ in range(100):
        try:
            with RejectsFile(tmp_path / "r") as file:
                outcome = move_history(source, target, dag_ids, checkpoint=checkpoint, rejects=file)
            break
        except KeyboardInterrupt:
            continue

    found = lines(file.rejects)
    assert len(found) == sum(item.failed_count for item in outcome.kinds)
    for kind, code, wanted in (
        ("run", "run-not-final", 24),
        ("task_instance", "run-not-there", 24),
        ("xcom", "xcom-pickled", 2),
    ):
        assert len([line for line in found if (line["kind"], line["code"]) == (kind, code)]) == wanted
    assert [line["key"] for line in lines(file.values)] == ["dag_00/r/t[-1]/k"] * 2  # a group of DAGs each
    assert "canary" not in file.rejects.read_text()
