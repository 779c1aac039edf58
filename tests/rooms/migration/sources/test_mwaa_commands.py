"""Airflow's command line in MWAA: what InvokeRestApi cannot do, over tokens; with a real Airflow 2.3.4 behind it in the matrix."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.rooms.migration.aged import Aged, environment, old_venv
from tests.rooms.migration.sources.aws_server import (
    BUCKET,
    ENVIRONMENT,
    REGION,
    AwsServer,
    an_environment,
    aws_server,
    no_commands,
    through_cli,
)

from aerodrome.cli import export
from aerodrome.kernel.errors import Conflict, Denied, Invalid, NotFound, Unavailable
from aerodrome.migration.sources.airflow_archive.script import exporter
from aerodrome.migration.sources.airflow_archive.sealing import new_key, public_half
from aerodrome.migration.sources.contract import CloudConfig, Probe
from aerodrome.migration.sources.mwaa.environment import MwaaEnvironment
from aerodrome.migration.sources.registry import open_source, start_exporter

OUT = f"s3://{BUCKET}/exports/estate.aerodrome"
LISTED = {
    ("dags", "list"): [
        {"dag_id": "aerodrome_export", "filepath": "exporter.py", "owner": "airflow", "paused": "True"},
        {"dag_id": "daily_orders", "filepath": "orders.py", "owner": "sales", "paused": "False"},
    ],
    ("variables", "list"): [{"key": "region"}, {"key": "api_token"}],
}


@pytest.fixture(scope="module")
def _server() -> Iterator[AwsServer]:
    with aws_server() as server:
        server.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        server.s3.put_object(Bucket=BUCKET, Key="dags/orders.py", Body=b"x = 1")
        yield server


@pytest.fixture
def server(_server: AwsServer) -> AwsServer:
    """An environment with an Airflow of before InvokeRestApi."""
    _server.denied.clear()
    _server.asked.clear()
    _server.cli, _server.is_private, _server.tokens = no_commands, False, 0
    _server.environments.clear()
    _server.environments[ENVIRONMENT] = an_environment(AirflowVersion="2.2.2")
    return _server


def scripted(words: list[str]) -> tuple[int, str, str]:
    """As Airflow 2.3.4 answers: warnings before a list, and the words of an exception last."""
    listed = LISTED.get((words[0], words[1]))
    if listed is not None and words[2:] == ["-o", "json"]:
        return 200, f"/usr/lib/x.py:3 DeprecationWarning: old\n{json.dumps(listed)}\n", ""
    if words[:2] == ["dags", "unpause"]:
        return 200, f"Dag: {words[2]}, paused: False\n", ""
    if words[:2] == ["dags", "trigger"]:
        return 200, f"Created <DagRun {words[2]} @ 2026-11-30: manual__2026-11-30, externally triggered: True>\n", ""
    return 403, "", ""


def probes_of(server: AwsServer, tmp_path: Path) -> dict[str, Probe]:
    config = CloudConfig("mwaa", "legacy", ENVIRONMENT, server.login, tmp_path / "source")
    with closing(open_source(config, b"x")) as source:
        return {probe.name: probe for probe in source.describe().probes}


def test_what_commands_list_is_told_where_rest_is_not(server: AwsServer, tmp_path: Path) -> None:
    server.cli = scripted
    told = probes_of(server, tmp_path)
    assert told["CLI token"].is_ok
    assert (
        told["commands"].message
        == "2 DAGs, 1 of them not paused, and 2 variables are listed; the exporter's DAG is there."
    )
    assert "aerodrome export start" in told["commands"].hint
    assert not told["REST API"].is_ok
    assert "canary" not in str(told)


def test_what_hinders_commands_is_told(server: AwsServer, tmp_path: Path) -> None:
    failed = probes_of(server, tmp_path)["commands"]
    assert "no such command dags" in failed.message
    server.is_private = True
    assert "VPC" in probes_of(server, tmp_path)["commands"].hint
    server.denied.add("airflow:CreateCliToken")
    refused = probes_of(server, tmp_path)["commands"]
    assert f"airflow:CreateCliToken on environment/{ENVIRONMENT}" in refused.message
    assert not refused.is_required


def test_exporter_is_started(server: AwsServer) -> None:
    sent: list[list[str]] = []

    def cli(words: list[str]) -> tuple[int, str, str]:
        sent.append(words)
        return scripted(words)

    server.cli = cli
    assert "Created <DagRun aerodrome_export" in start_exporter(ENVIRONMENT, server.login, OUT)
    assert sent == [
        ["dags", "unpause", "aerodrome_export"],
        ["dags", "trigger", "aerodrome_export", "--conf", json.dumps({"out": OUT})],
    ]
    assert server.asked.count("airflow:CreateCliToken") == 2  # each command has a token of its own: they end after 60 s


def test_exporter_that_cannot_be_started_says_why(server: AwsServer) -> None:
    server.cli = lambda words: (
        400,
        "",
        f"airflow.exceptions.DagNotFound: Dag: {words[2]} does not exist in 'dag' table",
    )
    with pytest.raises(NotFound) as missing:
        start_exporter(ENVIRONMENT, server.login, OUT)
    assert missing.value.code == "source-exporter-missing"
    server.cli = lambda _words: (403, "", "")
    with pytest.raises(Denied) as refused:
        start_exporter(ENVIRONMENT, server.login, OUT)
    assert refused.value.code == "source-command-refused"
    server.is_private = True
    with pytest.raises(Unavailable):
        start_exporter(ENVIRONMENT, server.login, OUT)
    with pytest.raises(Invalid, match="no place in S3"):
        start_exporter(ENVIRONMENT, server.login, f"gs://{BUCKET}/x")
    server.environments[ENVIRONMENT] = an_environment(AirflowVersion="3.0.6")
    with pytest.raises(Conflict) as useless:
        start_exporter(ENVIRONMENT, server.login, OUT)
    assert useless.value.code == "source-task-without-database"


def test_export_start_tells_what_comes_next(
    server: AwsServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server.cli = scripted
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-secret-access-key")
    export.start(mwaa=ENVIRONMENT, out=OUT, region=REGION, endpoint_url=server.url)
    shown = capsys.readouterr()
    assert "manual__2026-11-30" in shown.out
    assert f"aerodrome assess --archive {OUT}" in shown.err
    assert "canary" not in shown.out + shown.err


@pytest.mark.airflow
@pytest.mark.matrix
def test_a_real_airflow_takes_the_commands(
    server: AwsServer, aged: Callable[..., Aged], venv_cache: Path, tmp_path: Path
) -> None:
    old = aged("2.3.4", "sqlite")
    python = old_venv(venv_cache, "2.3.4") / "bin" / "python"
    dags = tmp_path / "dags"
    dags.mkdir()
    env = environment(python.parents[1], tmp_path, old.url, old.fernet_key, AIRFLOW__CORE__DAGS_FOLDER=str(dags))
    server.cli = through_cli(python, env)
    with closing(MwaaEnvironment(ENVIRONMENT, server.login)) as opened:
        with pytest.raises(NotFound) as missing:
            opened.start_exporter(OUT)
        assert missing.value.code == "source-exporter-missing"
        (dags / "exporter.py").write_text(exporter(public_half(new_key())))
        server.cli(["dags", "reserialize"])
        assert "aerodrome_export" in {row["dag_id"] for row in opened.commands.rows("dags", "list")}
        assert "api_token" in {row["key"] for row in opened.commands.rows("variables", "list")}
        assert "aerodrome_export" in opened.start_exporter(OUT)
    where = "dag_id = 'aerodrome_export'"
    assert old.count(f"select count(*) from dag_run where {where} and state = 'queued'") == 1
    assert old.count(f"select count(*) from dag where {where} and not is_paused") == 1
