"""The same with what real Airflows do: 2.11's and 3.3's own asset managers and schedulers on their own databases.

If this breaks, the small Airflow of `test_bridge.py` is not like the real ones.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.rooms.migration.bridge.test_bridge import _dag

from aerodrome.airflowkit.metadata import MetadataDatabase
from aerodrome.builds.contract import Venv
from aerodrome.kernel.clock import SystemClock
from aerodrome.kernel.secret import Secret
from aerodrome.migration.bridge import AssetLedger, Assets, Bridge
from aerodrome.migration.bridge.memory import MemoryFile
from aerodrome.migration.sources.airflow_db.states import event_position, pause

pytestmark = pytest.mark.airflow
DRIVER = Path(__file__).parents[3] / "data" / "asset_driver.py"
ORDERS = "s3://shop/orders"
PROJECT = """
import datetime
try:
    from airflow.sdk import DAG, Asset
    from airflow.providers.standard.operators.empty import EmptyOperator
except ImportError:
    from airflow import DAG
    from airflow.datasets import Dataset as Asset
    from airflow.operators.empty import EmptyOperator
ORDERS = Asset("s3://shop/orders")
with DAG("makes", schedule=None):
    EmptyOperator(task_id="make", outlets=[ORDERS])
for name in ("early", "late"):
    with DAG(name, schedule=[ORDERS], start_date=datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)):
        EmptyOperator(task_id="take")
"""


class Side:
    """A process of a real Airflow that does what it is told; see the driver."""

    def __init__(self, venv: Path, home: Path) -> None:
        (home / "dags").mkdir(parents=True)
        (home / "dags/flows.py").write_text(PROJECT)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
        environment |= {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        }
        self.log = home / "driver.log"
        with self.log.open("w") as log:
            self._process = subprocess.Popen(
                [venv / "bin/python", "-W", "ignore", DRIVER],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._answer()
        self.database = MetadataDatabase(Secret(f"sqlite:///{home}/airflow.db"))
        self._count = 0

    def tell(self, do: str, **more: Any) -> list[str]:
        """Give an order; the answer names the DAGs of runs that were made."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, **more}) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def happen(self) -> None:
        self._count += 1
        self.tell("register", uri=ORDERS, dag="makes", run=f"run-{self._count}")

    def schedule(self) -> list[str]:
        return self.tell("schedule")

    def _answer(self) -> list[str]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith(">> "):
                found: list[str] = json.loads(line[3:])
                return found
        raise AssertionError(self.log.read_text()[-3000:])

    def close(self) -> None:
        self.database.close()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.kill()
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(30)


@pytest.fixture
def sides(tmp_path: Path, airflow_venv: Callable[..., Venv]) -> Iterator[tuple[Side, Side]]:
    source = Side(airflow_venv("2.11.2").path, tmp_path / "source")
    target = Side(airflow_venv("3.3.2").path, tmp_path / "target")
    yield source, target
    source.close()
    target.close()


def test_events_of_real_airflows_reach_every_dag_once(sides: tuple[Side, Side], tmp_path: Path) -> None:
    source, target = sides
    dags = {"makes": replace(_dag("makes"), datasets_out=(ORDERS,))}
    dags |= {name: replace(_dag(name), datasets_in=(ORDERS,)) for name in ("early", "late")}
    held: set[str] = set()

    def ours(dag_ids: Collection[str]) -> set[str]:
        return held & set(dag_ids)

    def floor(dag_id: str) -> int:
        return event_position(source.database, dag_id) or 0

    clock = SystemClock()
    ledgers = AssetLedger(source.database), AssetLedger(target.database)
    bridge = Bridge("mig", *ledgers, Assets.of(dags.values()), MemoryFile(tmp_path / "bridge.json"), clock, ours, floor)

    def hold(dag_id: str) -> None:
        pause(source.database, clock, [dag_id], "aerodrome:mig")
        held.add(dag_id)

    def move(dag_id: str) -> None:
        bridge.before_start(dag_id)
        target.tell("pause", dag=dag_id, is_paused=False)
        bridge.after_start(dag_id)
        held.discard(dag_id)

    for dag_id in dags:
        target.tell("pause", dag=dag_id, is_paused=True)
    source.happen()
    assert source.schedule() == ["early", "late"]
    source.happen()  # queued, not yet started
    hold("early")
    source.happen()  # early is paused: Airflow itself forgets this one
    move("early")
    assert (source.schedule(), target.schedule()) == (["late"], ["early"])
    assert (bridge.tick(), target.schedule()) == (1, [])  # it stands there already: the row is found by its mark
    source.happen()
    bridge.tick()
    assert (source.schedule(), target.schedule()) == (["late"], ["early"])

    hold("makes")
    move("makes")
    target.happen()
    assert target.schedule() == ["early"]
    assert source.schedule() == []
    bridge.tick()
    assert (source.schedule(), target.schedule()) == (["late"], [])
    hold("late")
    target.happen()
    bridge.tick()
    assert (source.schedule(), target.schedule()) == ([], ["early"])
    move("late")
    assert (source.schedule(), target.schedule()) == ([], ["late"])
    bridge.tick()
    assert (source.schedule(), target.schedule()) == ([], [])
