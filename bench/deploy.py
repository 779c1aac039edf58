"""Seconds from the start of `aerodrome deploy` until Airflow's own API shows the new DAG, for deploys in a row.

python -m bench.deploy [--deploys 40] [--airflow 3.3.2] [--dags 20]

The platform is a real server, the deployment a real, healthy Airflow on SQLite. Each deploy changes one DAG of the project (its
tags, its documentation and its task); it is live when the API's details of that DAG, which Airflow makes from its serialized
form, show the new documentation. The next deploy starts when the one before is live and its command has ended.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

from bench.rig import Airflow, Rig, load, note, rig, until, write_project

_DAG = """\
from __future__ import annotations

import datetime

{imports}

with DAG(
    "flow_{number}",
    schedule=None,
    start_date=datetime.datetime(2024, 1, 1),
    catchup=False,
    tags=["{mark}"],
    doc_md="{mark}",
):
    first = BashOperator(task_id="first", bash_command="echo {mark}")
    first >> BashOperator(task_id="second", bash_command="echo {{{{ ds }}}}")
"""
_IMPORTS = {
    "2": "from airflow import DAG\nfrom airflow.operators.bash import BashOperator",
    "3": "from airflow.sdk import DAG\nfrom airflow.providers.standard.operators.bash import BashOperator",
}


def dag(number: int, mark: str, major: str) -> str:
    return _DAG.format(number=number, mark=mark, imports=_IMPORTS[major])


def run(deploys: int, version: str, dags: int) -> dict[str, object]:
    major = version[0]
    with rig() as the, tempfile.TemporaryDirectory() as folder:
        project = write_project(
            Path(folder), {f"dags/flow_{number}.py": dag(number, "v0", major) for number in range(dags)}
        )
        deployment = the.create("bench", version)
        first = the.deploy_command(project, deployment.id)
        first.communicate()
        airflow = Airflow(the.access(deployment.id))
        until(lambda: _mark(airflow, 0) == "v0", 120)
        seconds = [_one(the, airflow, project, deployment.id, index, major, dags) for index in range(1, deploys + 1)]
        airflow.close()
    ordered = sorted(seconds)
    return {
        "deploys": len(seconds),
        "median_s": round(statistics.median(ordered), 2),
        "p95_s": round(ordered[max(0, round(0.95 * len(ordered)) - 1)], 2),
        "max_s": round(ordered[-1], 2),
        "airflow": version,
        "dags": dags,
        "load": load(),
    }


def _one(the: Rig, airflow: Airflow, project: Path, deployment: str, index: int, major: str, dags: int) -> float:
    number, mark = index % dags, f"v{index}"
    (project / f"dags/flow_{number}.py").write_text(dag(number, mark, major))
    began = time.monotonic()
    command = the.deploy_command(project, deployment, "--description", mark)
    until(lambda: _mark(airflow, number) == mark, 60, every_s=0.02)
    seconds = time.monotonic() - began
    _, said = command.communicate()
    if command.returncode:
        raise RuntimeError(said.decode())
    note(f"deploy {index}: {seconds:.2f} s, the command {time.monotonic() - began:.2f} s")
    return seconds


def _mark(airflow: Airflow, number: int) -> str | None:
    found = airflow.get(f"/dags/flow_{number}/details")
    return None if found is None else found.get("doc_md")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--deploys", type=int, default=40)
    parser.add_argument("--airflow", default="3.3.2")
    parser.add_argument("--dags", type=int, default=20)
    given = parser.parse_args()
    sys.stdout.write(json.dumps(run(given.deploys, given.airflow, given.dags)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
