"""Deploys and rollbacks without pause while DAGs run every minute: is a run lost or doubled, does the server's memory grow.

python -m bench.soak [minutes, default 30] [--pause-s 5]

Three deployments (2.11.2 and twice 3.3.2), each with three DAGs: one runs every minute,
one takes longer than a deploy, one is mapped. Deploys of one changed DAG alternate with rollbacks. At the end every minute of the
schedule between the first run and the stop is looked for in the metadata databases: `lost_runs` are minutes without a run or runs
that failed, `double_runs` are minutes with two (Airflow's own unique key all but forbids these; a task that ran twice within one run
is not seen). The first two minutes are not counted: below ten minutes `expected_runs` is too small to prove anything. Memory is the PSS of the server, the median of the last quarter against that of the second
(the first one fills caches).
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import sqlalchemy as sa
from bench.rig import Airflow, Rig, load, note, rig, until, write_project

from aerodrome.client.client import Client
from aerodrome.client.models import Deploy
from aerodrome.kernel.errors import AerodromeError
from aerodrome.runtimes.local.usage import pss_bytes

_DAGS = """\
from __future__ import annotations

import datetime
import time

{imports}

START = datetime.datetime.fromisoformat("{start}")
OPTIONS = {{"start_date": START, "catchup": True, "is_paused_upon_creation": False, "max_active_runs": 8, "tags": ["{mark}"]}}


def wait(seconds):
    time.sleep(seconds)


with DAG("minutely", schedule="* * * * *", **OPTIONS):
    PythonOperator(task_id="short", python_callable=wait, op_args=[0.1]) >> PythonOperator(
        task_id="next", python_callable=wait, op_args=[0.1]
    )

with DAG("slow", schedule="*/2 * * * *", **OPTIONS):
    PythonOperator(task_id="long", python_callable=wait, op_args=[20])

with DAG("mapped", schedule="*/2 * * * *", **OPTIONS):
    PythonOperator.partial(task_id="each", python_callable=wait).expand(op_args=[[0.1], [0.2], [0.3]])
"""
_IMPORTS = {
    "2": "from airflow import DAG\nfrom airflow.operators.python import PythonOperator",
    "3": "from airflow.sdk import DAG\nfrom airflow.providers.standard.operators.python import PythonOperator",
}
_PATIENCE_S = 120.0
_EVERY = {"minutely": 1, "slow": 2, "mapped": 2}  # minutes


@dataclass
class Target:
    """One deployment under load."""

    id: str
    name: str
    version: str
    project: Path
    start: str = field(default_factory=lambda: datetime.now(UTC).replace(second=0, microsecond=0).isoformat())
    deploys: int = 0
    rollbacks: int = 0
    failures: list[str] = field(default_factory=list)


def run(minutes: float, pause_s: float) -> dict[str, object]:
    stop = threading.Event()
    memory: list[int] = []
    with rig() as the, tempfile.TemporaryDirectory() as folder:
        wanted = [("soak-a", "2.11.2"), ("soak-b", "3.3.2"), ("soak-c", "3.3.2")]
        targets = [_prepare(the, Path(folder), name, version) for name, version in wanted]
        began = datetime.now(UTC)
        watching = threading.Thread(target=_watch, args=(the, memory, stop), daemon=True)
        watching.start()
        hands = [threading.Thread(target=_change, args=(the, target, stop, pause_s), daemon=True) for target in targets]
        for hand in hands:
            hand.start()
        for minute in range(int(minutes) or 1):
            time.sleep(min(60.0, minutes * 60))
            note(
                f"minute {minute + 1}: {sum(target.deploys for target in targets)} deploys, server {memory[-1] >> 20} MB"
            )
        ended = datetime.now(UTC)
        stop.set()
        for hand in hands:
            hand.join(180)
        for incident in the.client.incidents.list(state="all"):
            note(f"incident of {incident.deployment_name}: {incident.code} {incident.subject} {incident.reason}")
        counted = [_count(the, target, began, ended) for target in targets]
    for target in targets:
        for failure in target.failures:
            note(f"{target.name}: {failure}")
    return {
        "minutes": round(minutes, 1),
        "deploys": sum(target.deploys for target in targets),
        "rollbacks": sum(target.rollbacks for target in targets),
        "failed_deploys": sum(len(target.failures) for target in targets),
        "expected_runs": sum(one["expected"] for one in counted),
        "lost_runs": sum(one["lost"] for one in counted),
        "double_runs": sum(one["double"] for one in counted),
        "memory_growth_share": _growth(memory),
        "server_mb": memory[-1] >> 20,
        "load": load(),
    }


def _prepare(the: Rig, folder: Path, name: str, version: str) -> Target:
    made = the.create(name, version, parallelism=8)
    target = Target(made.id, name, version, folder / name)
    _write(target, "v0")
    the.client.deploys.wait_live(made.id, the.client.deploys.create(made.id, target.project, "v0").id)
    airflow = Airflow(the.access(made.id))
    until(lambda: all(airflow.get(f"/dags/{dag}") for dag in _EVERY), 180, every_s=0.5)
    until(lambda: (airflow.get("/dags/minutely/dagRuns") or {}).get("total_entries"), 180, every_s=0.5)
    airflow.close()
    return target


def _write(target: Target, mark: str) -> None:
    text = _DAGS.format(mark=mark, imports=_IMPORTS[target.version[0]], start=target.start)
    write_project(target.project, {"dags/flows.py": text})


def _change(the: Rig, target: Target, stop: threading.Event, pause_s: float) -> None:
    """Deploy, and go back every third time."""
    number = 0
    with Client(the.server.url, the.token) as client:
        while not stop.wait(pause_s):
            number += 1
            try:
                made = _next(client, target, number)
                client.deploys.wait_live(target.id, made.id, 120)
            except AerodromeError as error:
                target.failures.append(str(error))


def _next(client: Client, target: Target, number: int) -> Deploy:
    if number % 3 == 0 and target.deploys > 1:
        before = next(one for one in client.deploys.list(target.id) if one.status == "superseded")
        made = client.versions.roll_back(target.id, before.number)
        target.rollbacks += 1
        return made
    _write(target, f"v{number}")
    made = client.deploys.create(target.id, target.project, f"v{number}")
    target.deploys += 1
    return made


def _watch(the: Rig, memory: list[int], stop: threading.Event) -> None:
    server = psutil.Process(the.server.pid)
    while True:
        memory.append(pss_bytes(server.pid))
        if stop.wait(5):
            return


def _growth(memory: list[int]) -> float:
    quarter = max(1, len(memory) // 4)
    before, after = statistics.median(memory[quarter : 2 * quarter] or memory), statistics.median(memory[-quarter:])
    return round((after - before) / before, 4)


def _count(the: Rig, target: Target, began: datetime, ended: datetime) -> dict[str, int]:
    """Look for a finished run of every scheduled minute from the first whole one after `began` to the last before `ended`."""
    engine = sa.create_engine(the.access(target.id).database_url.reveal(), poolclass=sa.NullPool)
    first = began.replace(second=0, microsecond=0) + timedelta(minutes=2)
    expected = lost = double = 0
    for dag, every in _EVERY.items():
        # a run of an interval starts at its end; Airflow names it by its beginning
        ends = [first + timedelta(minutes=n) for n in range(int((ended - first).total_seconds() // 60))]
        due = {end - timedelta(minutes=every) for end in ends if end.minute % every == 0}
        _settle(engine, dag, due)
        runs = _runs(engine, dag)
        expected += len(due)
        missing = [moment for moment in due if runs.get(moment) != ["success"] and len(runs.get(moment, [])) < 2]
        lost += len(missing)
        double += sum(len(runs.get(moment, [])) > 1 for moment in due)
        for moment in sorted(missing):
            note(f"{target.name}/{dag}: {moment:%H:%M} {runs.get(moment, 'is missing')}")
    engine.dispose()
    return {"expected": expected, "lost": lost, "double": double}


def _settle(engine: sa.Engine, dag: str, due: set[datetime]) -> None:
    """Wait until the runs that are due have ended, as long as one does within two minutes: late is not lost."""
    end, ended = time.monotonic() + _PATIENCE_S, -1
    while time.monotonic() < end:
        runs = _runs(engine, dag)
        count = sum(set(runs.get(moment, ["running"])) <= {"success", "failed"} for moment in due)
        if count == len(due):
            return
        if count > ended:
            end, ended = time.monotonic() + _PATIENCE_S, count
        time.sleep(2)


def _runs(engine: sa.Engine, dag: str) -> dict[datetime, list[str]]:
    query = sa.text("select data_interval_start, state from dag_run where dag_id = :dag and run_type = 'scheduled'")
    found: dict[datetime, list[str]] = {}
    with engine.connect() as connection:
        for moment, state in connection.execute(query, {"dag": dag}):
            at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
            at = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
            found.setdefault(at, []).append(state)
    return found


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("minutes", type=float, nargs="?", default=30)
    parser.add_argument("--pause-s", type=float, default=5)
    given = parser.parse_args()
    sys.stdout.write(json.dumps(run(given.minutes, given.pause_s)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
