"""The MWAA adapter: rights, bucket, InvokeRestApi; with a real Airflow 2.11.2 behind it, and its archive in S3."""

from __future__ import annotations

import io
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from tests.rooms.migration.service.conftest import NAME, Desk, desk  # noqa: F401 - a fixture
from tests.rooms.migration.sources.aws_server import (
    ACCESS_KEY,
    BUCKET,
    ENVIRONMENT,
    LISTS,
    REGION,
    SECRET_KEY,
    AwsServer,
    an_environment,
    aws_server,
    nothing_there,
    through,
)
from tests.rooms.migration.sources.beside import assets_of, configs_of, put_into
from tests.rooms.migration.sources.conformance import keeps_the_contract
from tests.rooms.migration.sources.conftest import PROJECT
from tests.rooms.migration.sources.place import Place
from tests.rooms.migration.sources.test_airflow_rest import Running, _running, quiet, rows_of, running  # noqa: F401 - fixtures
from tests.rooms.web.conftest import platform, url  # noqa: F401 - fixtures

from aerodrome.builds.contract import Venv
from aerodrome.client.client import Client
from aerodrome.client.migrations import CloudAccount, NewManaged
from aerodrome.kernel.clock import ManualClock, SystemClock
from aerodrome.kernel.errors import Conflict, Denied, Invalid, NotFound
from aerodrome.kernel.secret import Secret
from aerodrome.migration.estate.history import HistoryWindow
from aerodrome.migration.sources.airflow_archive.frames import frames
from aerodrome.migration.sources.airflow_archive.sealing import new_key
from aerodrome.migration.sources.airflow_rest.activity import TellsActivity
from aerodrome.migration.sources.capture import capture
from aerodrome.migration.sources.cloud.files import CloudFile, unzip
from aerodrome.migration.sources.contract import ArchiveConfig, CloudConfig, SourceAdapter
from aerodrome.migration.sources.mwaa.invoke import LONGEST_PATH
from aerodrome.migration.sources.registry import code_of, list_environments, open_source


@pytest.fixture(scope="module")
def _server() -> Iterator[AwsServer]:
    with aws_server() as server:
        yield server


@pytest.fixture
def server(_server: AwsServer) -> AwsServer:
    """An environment as a team has it: DAGs, plugins.zip in an older version, requirements, a startup script."""
    _server.denied.clear()
    s3 = _server.s3
    names = {each["Name"] for each in s3.list_buckets()["Buckets"]}
    for name in names:
        for page in (s3.list_object_versions(Bucket=name).get(what, ()) for what in ("Versions", "DeleteMarkers")):
            for each in page:
                s3.delete_object(Bucket=name, Key=each["Key"], VersionId=each["VersionId"])
    if BUCKET not in names:
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    for path in sorted((PROJECT / "dags").rglob("*.py")):
        s3.put_object(Bucket=BUCKET, Key=f"dags/{path.relative_to(PROJECT / 'dags')}", Body=path.read_bytes())
    s3.put_object(Bucket=BUCKET, Key="dags/__pycache__/x.pyc", Body=b"x")
    older = s3.put_object(Bucket=BUCKET, Key="plugins.zip", Body=zipped({"shop/__init__.py": "A = 1\n"}))
    s3.put_object(Bucket=BUCKET, Key="plugins.zip", Body=b"not what the environment runs")
    s3.put_object(Bucket=BUCKET, Key="requirements.txt", Body=(PROJECT / "requirements.txt").read_bytes())
    script = "#!/bin/sh\nexport STAGE='prod'\nexport SHOP_TOKEN=canary-token-f6 # secret\nexport NOW=$(date)\n"
    s3.put_object(Bucket=BUCKET, Key="startup.sh", Body=script.encode())
    _server.asked.clear()
    _server.rest = nothing_there
    _server.environments.clear()
    _server.environments[ENVIRONMENT] = an_environment(
        PluginsS3Path="plugins.zip",
        PluginsS3ObjectVersion=older["VersionId"],
        RequirementsS3Path="requirements.txt",
        StartupScriptS3Path="startup.sh",
        AirflowConfigurationOptions={"core.default_timezone": "Europe/Berlin", "smtp.smtp_password": "canary-smtp-g7"},
    )
    return _server


def zipped(files: dict[str, str]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return packed.getvalue()


@pytest.fixture
def config(server: AwsServer, tmp_path: Path) -> CloudConfig:
    return CloudConfig("mwaa", "legacy", ENVIRONMENT, server.login, tmp_path / "mig" / "source")


@pytest.fixture
def source(config: CloudConfig) -> Iterator[SourceAdapter]:
    with closing(open_source(config, b"fingerprints")) as opened:
        yield opened


def probes_of(source: SourceAdapter) -> dict[str, Any]:
    return {probe.name: probe for probe in source.describe().probes}


def test_environment_is_probed_and_its_bucket_copied(
    source: SourceAdapter, config: CloudConfig, server: AwsServer, tmp_path: Path
) -> None:
    described = source.describe()
    assert described.is_ok, [probe for probe in described.probes if not probe.is_ok]
    assert described.airflow_version == "2.11.2"
    told = {probe.name: probe for probe in described.probes}
    assert "mw1.medium, 1 to 10 workers" in told["environment"].message
    assert "NOW" in told["environment variables"].message
    assert not config.folder.exists()  # probing copies nothing
    estate = capture(source, "legacy", tmp_path / "estate", SystemClock(), quiet)
    code = code_of(config)
    assert {path.name for path in code.dags_folder.iterdir()} == {path.name for path in (PROJECT / "dags").glob("*.py")}
    assert code.plugins_folder is not None
    assert (code.plugins_folder / "shop" / "__init__.py").read_text() == "A = 1\n"
    assert code.requirements_file is not None
    assert code.requirements_file.read_bytes() == (PROJECT / "requirements.txt").read_bytes()
    options = {record.option: record for record in estate.records("config")}
    assert (options["core.default_timezone"].value, options["core.default_timezone"].origin) == (
        "Europe/Berlin",
        "file",
    )
    assert options["smtp.smtp_password"].value is None
    assert [record.name for record in estate.records("env_var")] == ["SHOP_TOKEN", "STAGE"]
    assert dict(source.env_values(["SHOP_TOKEN"])) == {"SHOP_TOKEN": Secret("canary-token-f6")}
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"canary-token-f6" not in written
    assert b"canary-smtp-g7" not in written
    assert b"canary-secret-access-key" not in written
    assert {action for action in server.asked if action.startswith("airflow:")} == {
        "airflow:GetEnvironment",
        "airflow:InvokeRestApi",
    }


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("airflow:GetEnvironment", f"environment/{ENVIRONMENT}"),
        ("airflow:InvokeRestApi", f"role/{ENVIRONMENT}/Op"),
        ("s3:ListBucket", f"s3://{BUCKET}/"),
        ("s3:GetObject", f"s3://{BUCKET}/dags/"),
        ("s3:GetObjectVersion", f"s3://{BUCKET}/plugins.zip"),
    ],
)
def test_missing_right_is_named_with_its_resource(
    source: SourceAdapter, server: AwsServer, action: str, resource: str
) -> None:
    server.denied.add(action)
    described = source.describe()
    failed = [probe for probe in described.probes if not probe.is_ok and probe.is_required]
    assert not described.is_ok
    assert any(action in probe.message and resource in probe.message for probe in failed), failed
    assert any(f"Allow {action} on" in probe.hint for probe in failed)
    assert "canary" not in str(described)


def test_environments_are_listed_over_pages(server: AwsServer) -> None:
    for name in ("a", "b", "c", "d"):
        server.environments[name] = an_environment(Name=name, AirflowVersion="2.2.2", Status="UPDATING")
    found = list_environments("mwaa", "", server.login)
    assert [each["environment"] for each in found] == ["a", "b", "c", "d", ENVIRONMENT]
    assert found[0] == {"environment": "a", "status": "UPDATING", "airflow_version": "2.2.2"}
    server.denied.add("airflow:GetEnvironment")
    assert list_environments("mwaa", "", server.login)[0]["airflow_version"] == ""
    server.denied.add("airflow:ListEnvironments")
    with pytest.raises(Denied, match="airflow:ListEnvironments"):
        list_environments("mwaa", "", server.login)
    with pytest.raises(Invalid, match="region"):
        list_environments("mwaa", "", replace(server.login, settings={}))


def test_unknown_environment_and_old_airflow_are_told(
    config: CloudConfig, server: AwsServer, source: SourceAdapter
) -> None:
    with closing(open_source(replace(config, environment="nowhere"), b"x")) as other:
        missing = probes_of(other)["environment"]
    assert "no MWAA environment nowhere" in missing.message
    assert "migrate environments" in missing.hint
    server.environments[ENVIRONMENT]["AirflowVersion"] = "2.2.2"  # before InvokeRestApi
    told = probes_of(source)
    assert not told["REST API"].is_ok
    assert told["REST API"].is_required
    assert "aerodrome export" in told["REST API"].hint
    assert told["CLI token"].is_ok
    with pytest.raises(Conflict) as refused:
        source.pause_dag("daily_sales", "mark")
    assert refused.value.code == "source-without-rest"
    for acts in (source.pause_dags, source.unpause_dags):
        assert {key: error.code for key, error in acts(["a", "b"], "mark").items()} == dict.fromkeys(
            "ab", "source-without-rest"
        )
    assert isinstance(source, TellsActivity)
    with pytest.raises(Conflict, match="nothing can be paused or watched"):
        source.activity(datetime(2000, 1, 1, tzinfo=UTC))


def test_long_name_is_left_open_not_lost(source: SourceAdapter, server: AwsServer) -> None:
    """InvokeRestApi passes paths of 64 characters: a DAG with a longer name is known, its tasks are said to be not."""
    name = "a" * 60
    dag = {
        "dag_id": name, "fileloc": "/usr/local/airflow/dags/x.py", "is_paused": False, "is_active": True, "owners": [],
        "tags": [], "description": None, "schedule_interval": None, "is_subdag": False,
    }  # fmt: skip

    def rest(method: str, path: str, query: dict[str, Any], body: Any) -> tuple[int, Any]:
        del method, query, body
        found = [dag] if path == "/dags" else []
        return 200, {LISTS[path]: found, "total_entries": len(found)}

    server.rest = rest
    record = next(record for record in source.records(quiet) if record.kind == "dag")
    assert record.key == name
    assert "tasks" in record.unread  # type: ignore[attr-defined]
    with pytest.raises(Invalid) as too_long:
        source.pause_dag(name, "mark")
    assert too_long.value.code == "source-path-too-long"
    assert LONGEST_PATH == 64


def test_zip_that_reaches_outside_is_refused(tmp_path: Path) -> None:
    bad = tmp_path / "plugins.zip"
    bad.write_bytes(zipped({"../../evil.py": "x"}))
    with pytest.raises(Invalid) as outside:
        unzip(bad, tmp_path / "in" / "plugins")
    assert outside.value.code == "source-file-outside"
    assert not (tmp_path / "evil.py").exists()
    bad.write_bytes(b"PK nothing")
    with pytest.raises(Invalid) as broken:
        unzip(bad, tmp_path / "in" / "plugins")
    assert broken.value.code == "source-zip-unusable"


@pytest.fixture
def place(
    airflow_venv: Callable[..., Venv],
    running: Running,  # noqa: F811
    server: AwsServer,
    tmp_path: Path,
) -> Place:
    """An exporter in the environment, whose Python has boto3 as the one of MWAA has."""
    folder, libraries = tmp_path / "worker", tmp_path / "libraries"
    folder.mkdir()
    libraries.mkdir()
    ours = Path(boto3.__file__).parents[1]
    for name in ("boto3", "botocore", "s3transfer", "jmespath"):
        (libraries / name).symlink_to(ours / name)
    database = running.database.database_url.reveal()
    key = running.database.fernet_keys.reveal()
    more = {"PYTHONPATH": str(libraries), "AERODROME_EXPORT_ENDPOINT_URL": server.url, "AWS_DEFAULT_REGION": REGION}
    more |= {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
    more["AWS_REQUEST_CHECKSUM_CALCULATION"] = "when_required"
    python = airflow_venv("2.11.2").path / "bin" / "python"
    return Place(python, folder, new_key(), database, key, more=more)


def exported(place: Place, out: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(**place.command("--out", out), capture_output=True, check=False)


@pytest.mark.airflow
def test_mwaa_says_what_its_database_says(
    running: Running,  # noqa: F811
    server: AwsServer,
    source: SourceAdapter,
    tmp_path: Path,
) -> None:
    there = running.config
    server.rest = through(there.base_url, there.user, there.password.reveal())
    behind = running.behind()
    assert source.describe().is_ok
    estate = capture(source, "legacy", tmp_path / "estate", SystemClock(), quiet)
    direct = capture(behind, "legacy", tmp_path / "db", SystemClock(), quiet)
    found, wanted = ({dag.dag_id: dag for dag in each.records("dag")} for each in (estate, direct))
    assert list(found) == list(wanted)
    for dag_id, dag in found.items():
        for name in ("file", "schedule", "task_count", "run_states", "next_logical_date", "duration_p95_s"):
            assert getattr(dag, name) == getattr(wanted[dag_id], name), (dag_id, name)
    window = HistoryWindow(("daily_sales", "orders_mapped"))
    for kind in ("run", "task_instance"):
        assert list(rows_of(source, kind, window)) == list(rows_of(behind, kind, window))
    watermark = source.history_watermark(window.dag_ids)
    assert watermark is not None
    assert rows_of(source, "run", replace(window, since=watermark)) == {}
    assert isinstance(source, TellsActivity)
    long_ago, itself = datetime(2000, 1, 1, tzinfo=UTC), running.open()
    assert isinstance(itself, TellsActivity)
    seen, wants = source.activity(long_ago), itself.activity(long_ago)
    assert (seen.runs, seen.unpaused, seen.in_flight) == (wants.runs, wants.unpaused, wants.in_flight)
    assert seen.events is not None
    source.pause_dag("daily_sales", "mark-1")
    assert behind.dag_states(["daily_sales"])["daily_sales"].is_paused
    assert source.dag_states(["daily_sales"])["daily_sales"].mark == "mark-1"
    source.unpause_dag("daily_sales", "mark-1")


@pytest.mark.airflow
def test_archive_in_its_bucket_brings_what_rest_hides(
    running: Running,  # noqa: F811
    server: AwsServer,
    config: CloudConfig,
    place: Place,
    tmp_path: Path,
    clock: ManualClock,
) -> None:
    there = running.config
    server.rest = through(there.base_url, there.user, there.password.reveal())
    out = f"s3://{BUCKET}/exports/estate.aerodrome"
    server.denied.add("s3:PutObject")
    refused = exported(place, out)
    assert refused.returncode == 1
    assert b"AccessDenied" in refused.stderr
    assert b"Traceback" not in refused.stderr
    server.denied.clear()
    done = exported(place, out)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    again = exported(place, out)
    assert again.returncode == 1
    assert b"is there already" in again.stderr
    assert server.s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []) == []
    archive = CloudFile(out, server.login)
    assert [frame.kind for frame in frames(archive, place.key)][-1] == "end"
    picture = ArchiveConfig("legacy", archive, place.key, tmp_path / "mig" / "archive")
    with closing(open_source(replace(config, archive=picture), b"fingerprints", clock)) as source:
        described = source.describe()
        assert described.is_ok, [probe for probe in described.probes if not probe.is_ok]
        told = {probe.name: probe for probe in described.probes}
        assert "The archive is whole" in told["archive: archive"].message
        assert "connection secrets" not in told
        estate = capture(source, "legacy", tmp_path / "estate", SystemClock(), quiet)
        assert estate.counts["connection"] == 4
        values = {value.conn_id: value for value in source.connection_values(["warehouse"])}
        assert values["warehouse"].password == Secret("canary-conn-password-a1")
        window = HistoryWindow(("daily_sales", "orders_mapped"))
        assert rows_of(source, "run", window)
        xcoms = [row for batch in source.history("xcom", window) for row in batch.rows]
        assert xcoms
        source.pause_dag("daily_sales", "mark-2")  # the living Airflow, not the picture
        assert source.dag_states(["daily_sales"])["daily_sales"].mark == "mark-2"
        source.unpause_dag("daily_sales", "mark-2")
        assert code_of(replace(config, archive=picture)).dags_folder.is_relative_to(tmp_path / "mig" / "archive")
    server.s3.delete_object(Bucket=BUCKET, Key="exports/estate.aerodrome")
    with closing(open_source(picture, b"fingerprints", clock)) as unpacked:  # no more needed
        assert unpacked.describe().is_ok
    with pytest.raises(NotFound):
        archive.open()


@pytest.mark.airflow
def test_mwaa_keeps_the_contract_of_sources(
    running: Running,  # noqa: F811
    server: AwsServer,
    source: SourceAdapter,
) -> None:
    there = running.config
    server.rest = through(there.base_url, there.user, there.password.reveal())
    with put_into(running.database.database_url.reveal()):
        behind = running.behind()
        keeps_the_contract(source, holds="daily_sales", leaves=("task_try", "xcom"))
        assert (assets_of(source), configs_of(source)) == (assets_of(behind), configs_of(behind))
        assert all(assets_of(source).values())
        assert configs_of(source)


@pytest.mark.airflow
@pytest.mark.matrix
def test_mwaa_with_an_archive_keeps_the_contract_of_sources(
    running: Running,  # noqa: F811
    server: AwsServer,
    config: CloudConfig,
    place: Place,
    tmp_path: Path,
    clock: ManualClock,
) -> None:
    """With a REST API beside the archive, and without one, as before Airflow 2.4."""
    there = running.config
    server.rest = through(there.base_url, there.user, there.password.reveal())
    with put_into(running.database.database_url.reveal()):
        assert exported(place, str(place.archive)).returncode == 0
        picture = ArchiveConfig("legacy", place.archive, place.key, tmp_path / "mig" / "archive")
        with closing(open_source(replace(config, archive=picture), b"fingerprints", clock)) as source:
            keeps_the_contract(source, holds="daily_sales")
        server.environments[ENVIRONMENT]["AirflowVersion"] = "2.2.2"
        behind = running.behind()
        with closing(open_source(replace(config, archive=picture), b"fingerprints", clock)) as source:
            keeps_the_contract(source, holds=None, unwatched="nothing can be paused or watched")
            assert (assets_of(source), configs_of(source)) == (assets_of(behind), configs_of(behind))


@pytest.mark.airflow
def test_exporter_without_boto3_says_so(place: Place) -> None:
    place.more.pop("PYTHONPATH")
    for out, library in (("s3://b/k", b"boto3"), ("gs://b/k", b"google-cloud-storage")):
        done = exported(place, out)
        assert done.returncode == 1
        assert library in done.stderr
        assert b"Traceback" not in done.stderr
    assert b"--out takes" in exported(place, "ftp://b/k").stderr
    assert [path.name for path in place.folder.iterdir()] == ["exporter.py"]


@pytest.mark.airflow
def test_mwaa_is_connected_by_the_client(desk: Desk, url: str, server: AwsServer) -> None:  # noqa: F811
    desk.platform.fleet.create_workspace(desk.actor("admin"), "data")
    account = CloudAccount(REGION, "", "", server.url, ACCESS_KEY, Secret(SECRET_KEY))
    with Client(url, desk.platform.token_of("operator")) as client:
        found = client.migrations.environments("mwaa", "", account)
        assert [each["environment"] for each in found] == [ENVIRONMENT]
        for changes, name in (
            ({"environment": "1 !"}, "environment"),
            ({"account": replace(account, region="")}, "region"),
            ({"account": replace(account, secret_access_key=Secret(""))}, "secret_access_key"),
            ({"archive": "s3://nokey"}, "archive"),
        ):
            wrong: Any = {"kind": "mwaa", "environment": ENVIRONMENT, "account": account, **changes}
            with pytest.raises(Invalid) as refused:
                client.migrations.connect(NAME, "data", NewManaged(**wrong))
            assert refused.value.details["field"] == name
        server.denied.add("s3:ListBucket")
        with pytest.raises(Invalid, match="s3:ListBucket"):
            client.migrations.connect(NAME, "data", NewManaged("mwaa", ENVIRONMENT, account))
        server.denied.clear()
        made = client.migrations.connect(NAME, "data", NewManaged("mwaa", ENVIRONMENT, account))
        assert (made.data["source_kind"], made.data["source_label"]) == ("mwaa", f"{ENVIRONMENT} ({REGION})")
        assert "canary" not in str(made.data)
        assert ACCESS_KEY not in str(made.data)
        client.migrations.assess(NAME)
        desk.work()
    viewer = desk.platform.token_of("viewer")
    with Client(url, viewer) as looking, pytest.raises(Denied):
        looking.migrations.environments("mwaa", "", account)
