"""A team that is not ready for Airflow 3 moves to a hosted Airflow 2.11: the whole way, by the server.

Runs with AERODROME_MATRIX=1 (`make test-matrix`).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from tests.journeys.conftest import _SOURCE_HISTORY, FIRST_WAVE, NAME, STEP_S, new_source
from tests.journeys.server import Server, runs_of

from aerodrome.builds.contract import Venv
from aerodrome.demo.plan_edit import choose_first_wave, choose_python
from aerodrome.demo.selfmanaged import AIRFLOW_VERSION, SelfManagedAirflow, python_version
from aerodrome.demo.source_files import project_requirements
from aerodrome.settings.model import Settings

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.journey,
    pytest.mark.matrix,
]
TARGET = "2.11.2"


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_airflow_2_lands_on_2_11_and_goes_on(
    kind: str,
    tmp_path: Path,
    venv_cache: Path,
    airflow_venv: Callable[..., Venv],
    free_port: Callable[[], int],
) -> None:
    venv = airflow_venv(AIRFLOW_VERSION, project_requirements(), python_version())
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    (home / "venvs").symlink_to(venv_cache / "venvs")
    server = Server(Settings(home=home, port=free_port(), gate_port=free_port()), tmp_path / "server.log")
    source = SelfManagedAirflow(tmp_path / "source")
    try:
        server.start()
        source.start(venv.path, lambda _text: None)
        source.await_history(lambda _text: None, wanted=_SOURCE_HISTORY, timeout_s=4 * STEP_S)
        with server.sign_in("journey") as client:
            client.workspaces.create("shop")
            client.migrations.connect(NAME, "shop", new_source(source))
            client.migrations.assess(NAME)
            client.migrations.watch(NAME, lambda _seen: None, timeout_s=60)
            text = choose_python(
                choose_first_wave(client.migrations.plan(NAME)["text"], FIRST_WAVE, "first"), python_version()
            )
            text = text.replace('airflow: "3.3.2"', f'airflow: "{TARGET}"').replace(
                "database: sqlite", f"database: {kind}"
            )
            digest = client.migrations.save_plan(NAME, text)["digest"]
            client.migrations.apply(NAME, digest)
            client.migrations.watch(NAME, lambda _seen: None, timeout_s=2 * STEP_S)
            client.migrations.cutover(NAME, "first")
            moved = client.migrations.watch(NAME, lambda _seen: None, timeout_s=2 * STEP_S)
            assert (moved.status, moved.target_version) == ("applied", TARGET)
            report = client.migrations.report(NAME)
            client.migrations.ask_difference(NAME, FIRST_WAVE)
            difference = client.migrations.wait_difference(NAME, lambda _text: None, timeout_s=STEP_S)
            here = runs_of(source.database_url())
            there = runs_of(server.reach(str(moved.data["target_deployment_id"])).database_url)
    finally:
        server.stop()
        server.remove_deployments()
        source.remove()

    for name, row in report["history"]["kinds"].items():
        assert row["found"] == row["moved"] + row["failed"], name
        assert row["source_hashes"] == row["target_hashes"], name
    assert all(not row["missing"] and not row["different"] for row in difference["totals"].values())
    for dag_id in FIRST_WAVE:
        before = [run for run in here if run.dag_id == dag_id and run.run_type == "scheduled"]
        after = [run for run in there if run.dag_id == dag_id and run.run_type == "scheduled"]
        assert before
        assert after[: len(before)] == before, "the old runs are there"
        assert len(after) > len(before)
        assert after[len(before)].state == "success"
        for one, other in pairwise(after):
            assert one.end == other.begin, "nothing twice, nothing missing"
