"""A transfer that is killed goes on where it stopped and ends as if nothing had happened."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from tests.rooms.migration.transfer.conftest import MemorySource, make_history

from aerodrome.migration.transfer import TargetDatabase, move_history

pytestmark = pytest.mark.airflow
ROOT = Path(__file__).parents[4]
PROGRAM = Path(__file__).parent / "programs" / "move_slowly.py"
DAGS = [f"dag_{number:02}" for number in range(24)]  # two groups, so that checkpoints matter
KILLED_AFTER_LINES = (1, 40, 150, 60)


def start(url: str, fernet_key: str, checkpoint: Path, pause_s: float) -> subprocess.Popen[str]:
    environment = {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")]), "PATH": os.environ["PATH"]}
    return subprocess.Popen(
        [sys.executable, PROGRAM, url, fernet_key, str(checkpoint), str(pause_s), ",".join(DAGS)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )


def content(target: TargetDatabase) -> dict[str, list[Any]]:
    with target.reading() as connection:
        return {
            table: sorted(repr(tuple(row)) for row in connection.execute(text(f"select * from {table}")))
            for table in ("task_instance", "task_instance_history", "task_instance_note")
        } | {
            "runs": sorted(map(repr, connection.execute(text("select dag_id, run_id, state, conf from dag_run")))),
            "xcoms": sorted(map(repr, connection.execute(text("select dag_id, run_id, key, value from xcom")))),
        }


def test_kill_9_anywhere_loses_and_doubles_nothing(
    target: TargetDatabase, target_url: str, fernet_key: str, add_dags: Callable[..., None], tmp_path: Path
) -> None:
    add_dags(*DAGS)
    checkpoint = tmp_path / "checkpoint.json"
    for lines in KILLED_AFTER_LINES:
        process = start(target_url, fernet_key, checkpoint, 0.002)
        assert process.stdout
        with process.stdout:
            for _ in range(lines):
                assert process.stdout.readline()
            process.kill()
        assert process.wait() == -9
    assert checkpoint.exists()

    process = start(target_url, fernet_key, checkpoint, 0)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    done = {line.split()[1]: line.split()[2:] for line in output.splitlines() if line.startswith("done")}
    assert {kind: values[:4] for kind, values in done.items()} == {
        "run": ["168", "168", "0", "True"],
        "task_instance": ["336", "336", "0", "True"],
        "task_try": ["168", "168", "0", "True"],
        "xcom": ["168", "168", "0", "True"],
        "rendered": ["168", "168", "0", "True"],
    }
    after_kills = content(target)

    source = MemorySource(batch=500)
    for dag_id in DAGS:
        for kind, rows in make_history(dag_id, 7).items():
            source.rows.setdefault(kind, []).extend(rows)
    again = move_history(source, target, DAGS)
    assert content(target) == after_kills
    assert [item.target_hash for item in again.kinds] == [values[4] for values in done.values()]
    assert sum(item.moved for item in again.kinds) == 0
