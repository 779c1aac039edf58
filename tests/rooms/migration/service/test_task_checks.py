"""Test tasks of the checklist. If these break, a list says that tasks reach a database which no task ever tried.

The small tests run anywhere; the whole way needs a real Airflow 3.3 (`make test-matrix`).
"""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest
from tests.journeys.conftest import app as app  # noqa: PLC0414 - a fixture

from aerodrome.access import SYSTEM
from aerodrome.airflowkit.rest import AirflowRest
from aerodrome.bootstrap import App
from aerodrome.fleet.service import NewDeployment
from aerodrome.migration.service.proofs import task_checks
from aerodrome_airflow import dependency

QUESTIONS: list[task_checks.Question] = [{"host": "db'.example", "port": 5432}, {"conn_id": 'a"b\\c'}]


def test_the_dag_holds_its_questions_and_another_set_is_another_dag() -> None:
    dag_id, code = task_checks.dag_of(QUESTIONS)
    found: dict[str, object] = {}
    line = next(line for line in code.splitlines() if line.startswith("QUESTIONS"))
    exec(f"import json\n{line}", found)
    assert found["QUESTIONS"] == QUESTIONS
    compile(code, "checks.py", "exec")
    assert task_checks.dag_of(QUESTIONS) == (dag_id, code)
    assert task_checks.dag_of(QUESTIONS[:1])[0] != dag_id
    assert [task_checks.can_run(version) for version in ("2.11.2", "3.0.6", "3.3.2")] == [False, True, True]


def test_a_host_is_tried_as_a_task_does() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))  # it has a port, and nobody listens there
        for server, is_reached in ((listening, True), (deaf, False)):
            asked = {"host": "127.0.0.1", "port": server.getsockname()[1]}
            assert dependency.answer(asked)["is_reached"] is is_reached


@pytest.mark.airflow
@pytest.mark.matrix
def test_tasks_of_a_real_airflow_answer_and_nothing_of_them_stays(app: App, tmp_path: Path) -> None:
    fleet = app.fleet
    fleet.create_workspace(SYSTEM, "shop")
    wish = NewDeployment(
        "main", "shop", airflow_version="3.3.2", python_version=f"3.{sys.version_info.minor}", parallelism=4
    )
    made = fleet.create_deployment(SYSTEM, wish)
    project = tmp_path / "project"
    (project / "dags").mkdir(parents=True)
    (project / "dags/own.py").write_text("from airflow.sdk import DAG\nwith DAG('own', schedule=None):\n    pass\n")
    first = fleet.deploy(SYSTEM, made.id, app.bundles.put(project))
    fleet.wait_live(SYSTEM, first.id, 300)
    fleet.wait_healthy(SYSTEM, made.id, 120)
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        there, gone = listening.getsockname()[1], deaf.getsockname()[1]
        questions = [
            {"host": "127.0.0.1", "port": there},
            {"host": "127.0.0.1", "port": gone},
            {"host": "ledger.example", "port": None},
            {"conn_id": "nobody"},
        ]
        texts: list[str] = []
        found = task_checks.ask(fleet, app.bundles, SYSTEM, made.id, questions, tmp_path / "draft", texts.append)
    assert [answer.get("is_reached") for answer in found] == [True, False, False, None]
    assert (found[3]["outcome"], "is found by a task" in found[3]["message"]) == ("missing", True)
    assert texts[0] == "putting 4 test tasks into the target"
    with AirflowRest.of(fleet.access(SYSTEM, made.id)) as rest:
        assert [dag.dag_id for dag in rest.dags() if not dag.is_stale] == ["own"]
    newest = fleet.list_deploys(SYSTEM, made.id, limit=1)[0]
    assert newest.status == "live"
    assert not (tmp_path / "draft").exists()
