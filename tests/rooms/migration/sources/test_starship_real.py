"""The Starship adapter against the plugin itself in an Airflow 2.11.2, held against the adapter over the same database.

AERODROME_MATRIX=1 (`make test-matrix`) runs it: the plugin is installed from the registry for it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Legacy
from tests.rooms.migration.sources.conftest import DATA, PROJECT
from tests.rooms.migration.sources.starship_server import RUN, TASK
from tests.rooms.migration.sources.test_airflow_rest import environment, quiet, rows_of, wait_for

from aerodrome.builds.contract import Venv
from aerodrome.kernel.clock import SystemClock
from aerodrome.kernel.errors import Conflict
from aerodrome.kernel.secret import Secret
from aerodrome.migration.estate.history import HistoryKind, HistoryWindow
from aerodrome.migration.sources.capture import capture
from aerodrome.migration.sources.contract import RestConfig, SourceAdapter, SourceConfig
from aerodrome.migration.sources.registry import open_source
from aerodrome.migration.sources.starship.adapter import StarshipSource

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.matrix,
]
PLUGIN = ("astronomer-starship==2.10.1",)
WINDOW = HistoryWindow(("daily_sales", "orders_mapped"))


@pytest.fixture(params=["session", "deny_all"])
def both(
    request: pytest.FixtureRequest,
    airflow_venv: Callable[..., Venv],
    legacy: Legacy,
    tmp_path: Path,
    free_port: Callable[[], int],
) -> Iterator[tuple[StarshipSource, SourceAdapter]]:
    """The plugin, and the database behind it. `session` is what Airflow 2.3 and newer allow, `deny_all` 2.0 to 2.2."""
    port, log = free_port(), tmp_path / "log"
    env = environment(tmp_path / "home", legacy.url, legacy.fernet_key)
    env["AIRFLOW__API__AUTH_BACKENDS"] = f"airflow.api.auth.backend.{request.param}"
    if request.param == "deny_all":
        # 2.11 adds `session` where the option does not hold its name (configuration.py, _upgrade_auth_backends); here it does
        env["AIRFLOW__API__AUTH_BACKENDS"] = "old_airflow.api.auth.backend.session"
        backend = tmp_path / "old" / "old_airflow" / "api" / "auth" / "backend" / "session.py"
        backend.parent.mkdir(parents=True)
        backend.write_text("from airflow.api.auth.backend.deny_all import *  # noqa: F403\n")
        env["PYTHONPATH"] = str(tmp_path / "old")
        # and with a public role, Flask-AppBuilder's default, it takes whoever is signed in for authenticated
        (tmp_path / "home").mkdir()
        (tmp_path / "home" / "webserver_config.py").write_text('AUTH_ROLE_PUBLIC = ""\n')
    python = airflow_venv("2.11.2", PLUGIN).path / "bin" / "python"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [python, "-W", "ignore", DATA / "serve_rest.py", str(port)], env=env, stdout=stream, stderr=stream
        )
    dags = PROJECT / "dags"
    url = f"http://127.0.0.1:{port}"
    wire = RestConfig("legacy", url, "reader", Secret("canary-rest-password"), Secret(""), dags, kind="starship")
    database = SourceConfig("airflow-db", "legacy", Secret(legacy.url), Secret(legacy.fernet_key), dags)
    sources = [open_source(config, b"fingerprints", SystemClock()) for config in (wire, database)]
    try:
        wait_for(process, f"{url}/health", log)
        assert isinstance(sources[0], StarshipSource)
        assert sources[0]._wire.has_rest is (request.param == "session")
        yield sources[0], sources[1]
    finally:
        for source in sources:
            source.close()
        process.terminate()
        process.wait(30)


def test_starship_says_what_the_database_says(both: tuple[StarshipSource, SourceAdapter], tmp_path: Path) -> None:
    source, behind = both
    described = source.describe()
    assert described.is_ok, described.probes
    has_rest = {probe.name: probe for probe in described.probes}["REST API"].is_ok
    estate = capture(source, "legacy", tmp_path / "wire", SystemClock(), quiet)
    direct = capture(behind, "legacy", tmp_path / "db", SystemClock(), quiet)
    for kind in ("connection", "variable", "pool", "file", "code_fact", "endpoint"):
        assert list(estate.records(kind)) == list(direct.records(kind)), kind
    there = {dag.dag_id: dag for dag in direct.records("dag")}
    found = {dag.dag_id: dag for dag in estate.records("dag")}
    assert list(found) == list(there)
    same: tuple[str, ...] = (
        "file",
        "is_paused",
        "schedule",
        "owners",
        "tags",
        "run_states",
        "runs_30d",
        "runs_365d",
        "duration_p95_s",
    )
    if has_rest:
        same += ("task_count", "next_logical_date", "datasets_in", "start_date")
    for dag_id, dag in found.items():
        for name in same:
            assert getattr(dag, name) == getattr(there[dag_id], name), (dag_id, name)
    names = [record.conn_id for record in direct.records("connection")]
    assert list(source.connection_values(names)) == list(behind.connection_values(names))

    kinds: tuple[HistoryKind, ...] = ("run", "task_instance", "task_try")
    for kind in kinds:
        got, wanted = rows_of(source, kind, WINDOW), rows_of(behind, kind, WINDOW)
        assert set(got) == set(wanted), kind
        for key, row in wanted.items():
            assert {k: v for k, v in got[key].items() if k != "note"} == {k: v for k, v in row.items() if k != "note"}


def test_states_and_pause_are_those_of_the_database(both: tuple[StarshipSource, SourceAdapter]) -> None:
    source, behind = both
    state, there = (each.dag_states(["daily_sales"])["daily_sales"] for each in both)
    unknown: dict[str, Any] = {} if source._wire.has_rest else {"next_run_after": there.next_run_after}
    assert replace(state, **unknown) == there
    source.pause_dag("daily_sales", "mark-1")
    assert behind.dag_states(["daily_sales"])["daily_sales"].is_paused
    with pytest.raises(Conflict):
        source.pause_dag("daily_sales", "mark-2")
    for _ in range(2):
        source.unpause_dag("daily_sales", "mark-1")
    assert not behind.dag_states(["daily_sales"])["daily_sales"].is_paused


def test_fake_has_the_fields_of_the_plugin(both: tuple[StarshipSource, SourceAdapter]) -> None:
    """Proves what the tests without an Airflow rest on."""
    reader = both[0]._wire
    run = reader.starship("dag_runs", dag_id="daily_sales", limit=1)["dag_runs"][0]
    task = reader.starship("task_instances", dag_id="daily_sales", limit=1)["task_instances"][0]
    assert (set(run), set(task)) == (set(RUN), set(TASK))


def test_a_session_opens_the_rest_api_alone(both: tuple[StarshipSource, SourceAdapter]) -> None:
    """Without Starship: the login page signs in where basic authentication is refused."""
    source, behind = both
    if not source._wire.has_rest:
        pytest.skip("nothing opens the REST API here")
    alone = open_source(replace(source._config, kind="airflow-rest"), b"fingerprints", SystemClock())
    try:
        assert alone.describe().is_ok
        for kind in ("run", "task_instance"):
            found = rows_of(alone, kind, WINDOW)
            assert list(found) == list(rows_of(behind, kind, WINDOW))
            assert found
    finally:
        alone.close()
