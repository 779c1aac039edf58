"""The Composer adapter against a fake of Google's APIs; the Airflow behind it is that of the REST tests."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Legacy
from tests.rooms.migration.sources.aws_server import through
from tests.rooms.migration.sources.conformance import keeps_the_contract
from tests.rooms.migration.sources.conftest import PROJECT
from tests.rooms.migration.sources.google_server import (
    BUCKET,
    ENVIRONMENT,
    PLACE,
    GoogleServer,
    an_environment,
    google_server,
)
from tests.rooms.migration.sources.place import Place
from tests.rooms.migration.sources.test_airflow_rest import Running, _running, quiet, rows_of, running  # noqa: F401 - fixtures

from aerodrome.builds.contract import Venv
from aerodrome.kernel.clock import SystemClock
from aerodrome.kernel.errors import Conflict, Denied, Invalid, NotFound, Unavailable
from aerodrome.kernel.secret import Secret
from aerodrome.migration.estate.history import HistoryWindow
from aerodrome.migration.sources.airflow_archive.sealing import new_key
from aerodrome.migration.sources.airflow_archive.unpacking import check
from aerodrome.migration.sources.airflow_rest.activity import TellsActivity
from aerodrome.migration.sources.capture import capture
from aerodrome.migration.sources.cloud.files import CloudFile
from aerodrome.migration.sources.cloud.google import GoogleApi
from aerodrome.migration.sources.contract import CloudConfig, SourceAdapter
from aerodrome.migration.sources.registry import code_of, list_environments, open_source


@pytest.fixture
def server() -> Iterator[GoogleServer]:
    with google_server() as state:
        for path in sorted((PROJECT / "dags").rglob("*.py")):
            state.objects[f"dags/{path.relative_to(PROJECT / 'dags')}"] = path.read_bytes()
        state.objects["plugins/shop/__init__.py"] = b"A = 1\n"
        state.objects["snapshots/etl_2026-11-28T04-00-00/metadata.json"] = b"{}"
        state.objects["snapshots/etl_2026-11-29T04-00-00/metadata.json"] = b"{}"
        state.environments[ENVIRONMENT] = an_environment(
            state,
            airflowConfigOverrides={"core-default_timezone": "Europe/Berlin", "smtp-smtp_password": "canary-smtp-g7"},
            pypiPackages={"pandas": ">=2", "requests": "", "apache-airflow-providers-http": "[x]==4.0"},
            envVariables={"STAGE": "prod", "SHOP_TOKEN": "canary-token-f6"},
        )
        yield state


@pytest.fixture
def config(server: GoogleServer, tmp_path: Path) -> CloudConfig:
    return CloudConfig("composer", "legacy", ENVIRONMENT, server.login, tmp_path / "mig" / "source")


@pytest.fixture
def source(config: CloudConfig) -> Iterator[SourceAdapter]:
    with closing(open_source(config, b"fingerprints")) as opened:
        yield opened


def probes_of(source: SourceAdapter) -> dict[str, Any]:
    return {probe.name: probe for probe in source.describe().probes}


def test_environment_is_probed_and_its_bucket_copied(
    source: SourceAdapter, config: CloudConfig, server: GoogleServer, tmp_path: Path
) -> None:
    described = source.describe()
    assert described.is_ok, [probe for probe in described.probes if not probe.is_ok]
    assert described.airflow_version == "2.11.2"
    told = {probe.name: probe for probe in described.probes}
    assert "2 in gs://" in told["snapshots"].message
    assert "2026-11-29" in told["snapshots"].message
    estate = capture(source, "legacy", tmp_path / "estate", SystemClock(), quiet)
    code = code_of(config)
    assert {path.name for path in code.dags_folder.iterdir()} == {path.name for path in (PROJECT / "dags").glob("*.py")}
    assert code.plugins_folder is not None
    assert (code.plugins_folder / "shop" / "__init__.py").read_bytes() == b"A = 1\n"
    assert code.requirements_file is not None
    assert code.requirements_file.read_text().splitlines() == [
        "apache-airflow-providers-http[x]==4.0",
        "pandas>=2",
        "requests",
    ]
    options = {record.option: record.value for record in estate.records("config")}
    assert options["core.default_timezone"] == "Europe/Berlin"
    assert options["smtp.smtp_password"] is None
    assert dict(source.env_values(["SHOP_TOKEN"])) == {"SHOP_TOKEN": Secret("canary-token-f6")}
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    for secret in (b"canary-smtp-g7", b"canary-token-f6", b"canary-google-token", b"PRIVATE KEY"):
        assert secret not in written
    assert server.tokens <= 4  # one for each of Composer, storage, and storage of the snapshots, kept while it is good


@pytest.mark.parametrize(
    ("permission", "resource"),
    [
        ("composer.environments.get", ENVIRONMENT),
        ("storage.objects.list", f"gs://{BUCKET}/"),
        ("storage.objects.get", f"gs://{BUCKET}/dags/"),
    ],
)
def test_missing_right_is_named_with_its_resource(
    source: SourceAdapter, server: GoogleServer, permission: str, resource: str
) -> None:
    server.denied.add(permission)
    described = source.describe()
    failed = [probe for probe in described.probes if not probe.is_ok and probe.is_required]
    assert any(permission in probe.message and resource in probe.message for probe in failed), failed
    assert "canary" not in str(described)


def test_airflow_that_does_not_know_the_account_says_so(source: SourceAdapter, server: GoogleServer) -> None:
    server.rest = lambda *_: (403, {"title": "Forbidden"})
    told = probes_of(source)
    assert not told["reading DAGs"].is_ok
    server.rest = lambda *_: (401, {"title": "Unauthorized"})
    assert "composer.user" in probes_of(source)["reading DAGs"].hint


def test_wrong_key_is_told_without_showing_it(config: CloudConfig, server: GoogleServer) -> None:
    with google_server() as other:  # its key is not the one that the token service knows
        key = other.key.replace(other.url, server.url)
    for secret, reason in ((key, "RefreshError"), ("canary-not-json", "no key file")):
        login = replace(config.login, credentials={"service_account_key": Secret(secret)})
        with closing(open_source(replace(config, login=login), b"x")) as source:
            described = source.describe()
        assert not described.is_ok
        assert reason in described.probes[0].message
        assert "canary" not in str(described)
        assert "PRIVATE" not in str(described)


def test_environments_are_listed_over_pages(server: GoogleServer) -> None:
    for name in "abcd":
        full = f"{PLACE}/environments/{name}"
        server.environments[full] = an_environment(server) | {"name": full}
    found = list_environments("composer", PLACE, server.login)
    assert [each["environment"].rpartition("/")[2] for each in found] == ["a", "b", "c", "d", "etl"]
    assert found[0]["airflow_version"] == "2.11.2"
    server.denied.add("composer.environments.list")
    with pytest.raises(Denied, match=r"composer\.environments\.list"):
        list_environments("composer", PLACE, server.login)
    with pytest.raises(Invalid, match="projects/PROJECT"):
        list_environments("composer", "europe-west1", server.login)


def test_composer_1_needs_an_archive(source: SourceAdapter, server: GoogleServer) -> None:
    server.environments[ENVIRONMENT]["config"]["softwareConfig"]["imageVersion"] = "composer-1.20.12-airflow-2.4.3"
    told = probes_of(source)
    assert not told["REST API"].is_ok
    assert "aerodrome export" in told["REST API"].hint
    with pytest.raises(Conflict):
        source.dag_states(["x"])
    assert isinstance(source, TellsActivity)
    with pytest.raises(Conflict):
        source.activity(datetime(2000, 1, 1, tzinfo=UTC))


def test_passing_failures_are_repeated_and_lasting_ones_told(server: GoogleServer) -> None:
    waits: list[float] = []
    api = GoogleApi("Composer", server.url, server.login, sleep=waits.append)
    server.failures[:] = [503, 429]
    assert api.get(f"/v1/{ENVIRONMENT}", "composer.environments.get", ENVIRONMENT)["state"] == "RUNNING"
    assert waits == [1.0, 2.0]
    server.failures[:] = [503] * 5
    with pytest.raises(Unavailable):
        api.get(f"/v1/{ENVIRONMENT}", "composer.environments.get", ENVIRONMENT)
    api.close()


def test_object_is_read_as_a_stream(server: GoogleServer) -> None:
    server.objects["exports/a b.aerodrome"] = bytes(range(256)) * 20_000
    file = CloudFile(f"gs://{BUCKET}/exports/a b.aerodrome", server.login)
    with file.open() as stream:
        assert stream.read(3) == b"\0\1\2"
        assert len(stream.read()) == 256 * 20_000 - 3
    before = file.stamp()
    server.objects["exports/a b.aerodrome"] += b"x"
    assert file.stamp() != before
    with pytest.raises(NotFound):
        CloudFile(f"gs://{BUCKET}/nothing", server.login).open()


@pytest.mark.airflow
def test_composer_says_what_its_database_says(
    running: Running,  # noqa: F811
    server: GoogleServer,
    source: SourceAdapter,
    tmp_path: Path,
) -> None:
    there = running.config
    server.rest = through(there.base_url, there.user, there.password.reveal())
    behind = running.behind()
    estate = capture(source, "legacy", tmp_path / "estate", SystemClock(), quiet)
    direct = capture(behind, "legacy", tmp_path / "db", SystemClock(), quiet)
    found, wanted = ({dag.dag_id: dag.schedule for dag in each.records("dag")} for each in (estate, direct))
    assert found == wanted
    window = HistoryWindow(("daily_sales", "orders_mapped"))
    for kind in ("run", "task_instance"):
        assert list(rows_of(source, kind, window)) == list(rows_of(behind, kind, window))
    source.pause_dag("daily_sales", "mark-1")
    assert behind.dag_states(["daily_sales"])["daily_sales"].is_paused
    source.unpause_dag("daily_sales", "mark-1")


@pytest.mark.airflow
def test_composer_keeps_the_contract_of_sources(
    running: Running,  # noqa: F811
    server: GoogleServer,
    source: SourceAdapter,
) -> None:
    there = running.config
    server.rest = through(there.base_url, there.user, there.password.reveal())
    keeps_the_contract(source, holds="daily_sales", leaves=("task_try", "xcom"))


@pytest.mark.airflow
@pytest.mark.matrix
@pytest.mark.parametrize("library", ["google-cloud-storage==2.19.0", "google-cloud-storage>=3.4"])
def test_exporter_writes_into_google_cloud_storage(
    library: str, airflow_venv: Callable[..., Venv], server: GoogleServer, legacy: Legacy, tmp_path: Path
) -> None:
    """With Google's own library, as Composer brings it."""
    server.is_open = True
    more = {"STORAGE_EMULATOR_HOST": server.url, "GOOGLE_CLOUD_PROJECT": "shop-prod"}
    python = airflow_venv("2.11.2", (library,)).path / "bin" / "python"
    place = Place(python, tmp_path, new_key(), legacy.url, legacy.fernet_key, more=more)
    out = f"gs://{BUCKET}/exports/estate.aerodrome"

    def run() -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(**place.command("--out", out), capture_output=True, check=False)

    server.denied.add("storage.objects.create")
    refused = run()
    assert refused.returncode == 1
    assert b"does not let this" in refused.stderr
    assert b"Traceback" not in refused.stderr
    assert "exports/estate.aerodrome" not in server.objects
    server.denied.clear()
    done = run()
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    server.is_open = False
    found = check(CloudFile(out, server.login), place.key)
    assert found.rows["dag"] == 5
    server.is_open = True
    again = run()
    assert again.returncode == 1
    assert b"is there already" in again.stderr
    place.url = f"sqlite:///{tmp_path}/nowhere.db"  # it breaks off after it began
    out = f"gs://{BUCKET}/exports/other.aerodrome"
    assert run().returncode == 1
    assert "exports/other.aerodrome" not in server.objects
