"""A transfer by SQL or by text that is killed anywhere goes on where it stopped, into Airflow 3 and 2.11 alike.

AERODROME_MATRIX=1 (`make test-matrix`) moves by both into both.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.matrix import wide
from tests.rooms.migration.aged import Aged
from tests.rooms.migration.transfer import test_airflow2_lanes, test_sql_lane
from tests.rooms.migration.transfer.conftest import AIRFLOW, AIRFLOW2, add_dags_to, add_dags_to2

from aerodrome.kernel.clock import SystemClock
from aerodrome.kernel.secret import Secret
from aerodrome.migration.sources.registry import open_source
from aerodrome.migration.transfer import TargetDatabase, history, move_history
from aerodrome.runtimes.contract import AirflowAccess

pytestmark = pytest.mark.airflow
PROGRAM = Path(__file__).parent / "programs" / "move_lane.py"
ROOT = Path(__file__).parents[4]
DAG_IDS = test_sql_lane.DAG_IDS
KILLED_AFTER_LINES = (1, 4, 3)
CASES = [("sqlite", AIRFLOW), ("postgresql", AIRFLOW2)]


@pytest.mark.parametrize("case", [*CASES, *wide(("postgresql", AIRFLOW), ("sqlite", AIRFLOW2))], ids="-".join)
def test_kill_9_anywhere_loses_and_doubles_nothing(
    case: tuple[str, str],
    aged: Callable[..., Aged],
    request: pytest.FixtureRequest,
    fernet_key: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kind, airflow = case
    old = aged("2.11.2", kind)
    server = request.getfixturevalue("postgres_server")
    template = request.getfixturevalue("_postgres_target" if airflow == AIRFLOW else "_postgres_target2")
    content = test_sql_lane.content if airflow == AIRFLOW else test_airflow2_lanes.content
    urls = [server.create_database(f"t_{os.urandom(8).hex()}", template=template).reveal() for _ in range(2)]
    target, whole = (
        TargetDatabase(AirflowAccess("", airflow, Secret(url), Secret(fernet_key), Secret(""))) for url in urls
    )
    for database in (target, whole):
        (add_dags_to if airflow == AIRFLOW else add_dags_to2)(database, *DAG_IDS)
    checkpoint = tmp_path / "checkpoint.json"

    def start(pause_s: float) -> subprocess.Popen[str]:
        environment = {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")]), "PATH": os.environ["PATH"]}
        given = [
            old.url,
            old.fernet_key,
            urls[0],
            fernet_key,
            airflow,
            str(checkpoint),
            str(pause_s),
            ",".join(DAG_IDS),
        ]
        return subprocess.Popen([sys.executable, PROGRAM, *given], stdout=subprocess.PIPE, text=True, env=environment)

    for lines in KILLED_AFTER_LINES:
        process = start(0.01)
        assert process.stdout
        with process.stdout:
            for _ in range(lines):
                assert process.stdout.readline()
            process.kill()
        process.wait()
    process = start(0)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0
    done: dict[str, list[Any]] = {
        line.split()[1]: line.split()[2:] for line in output.splitlines() if line.startswith("done")
    }

    monkeypatch.setattr(history, "RUNS_PER_CHUNK", 3)  # borders that are others than before
    source = open_source(old.config, b"fingerprints", SystemClock())
    expected = move_history(source, whole, DAG_IDS)
    again = move_history(source, target, DAG_IDS)
    assert content(target) == content(whole)
    for item in expected.kinds:
        assert done[item.kind][:4] == [str(item.found), str(item.moved), str(item.failed_count), "True"]
        assert done[item.kind][4] == item.target_hash
    assert sum(item.moved for item in again.kinds) == 0
    source.close()
    target.close()
    whole.close()
    for url in urls:
        server.drop_database(url.rpartition("/")[2])
