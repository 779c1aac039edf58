"""Where task logs lie is told from the options, and whether they can be read is tried: in a folder, in S3 and in Google's storage."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from tests.rooms.migration.sources.aws_server import ACCESS_KEY, REGION, SECRET_KEY, AwsServer, aws_server
from tests.rooms.migration.sources.google_server import BUCKET as GOOGLE_BUCKET
from tests.rooms.migration.sources.google_server import GoogleServer, google_server

from aerodrome.kernel.errors import Denied
from aerodrome.kernel.secret import Secret
from aerodrome.migration.sources.cloud.contract import CloudLogin
from aerodrome.migration.sources.contract import ConnectionValue
from aerodrome.migration.sources.task_logs.place import LogPlace, login_of, place_of
from aerodrome.migration.sources.task_logs.reading import open_logs, probe

BUCKET = "airflow-logs"
FOLDER = PurePosixPath("dag_id=daily")
FILE = FOLDER / "run_id=manual__x" / "task_id=load" / "attempt=1.log"
TEXT = b"[2026-11-01] INFO - loaded 3 rows\n"


@pytest.mark.parametrize(
    ("options", "place"),
    [
        ({"logging.base_log_folder": "/srv/logs"}, LogPlace("local", "/srv/logs")),
        ({"core.base_log_folder": "/srv/logs", "core.remote_logging": "False"}, LogPlace("local", "/srv/logs")),
        (
            {
                "core.remote_logging": "True",
                "core.remote_base_log_folder": "s3://b/logs/",
                "core.remote_log_conn_id": "lake",
            },
            LogPlace("s3", "s3://b/logs", "lake"),
        ),
        ({"logging.remote_logging": "true", "logging.remote_base_log_folder": "gs://b"}, LogPlace("gs", "gs://b")),
        (
            {"logging.remote_logging": "1", "logging.remote_base_log_folder": "wasb-logs"},
            LogPlace("wasb", "wasb-logs"),
        ),
        (
            {"logging.remote_logging": "True", "elasticsearch.host": "es:canary-es-h8@search.internal:9200"},
            LogPlace("elasticsearch", "search.internal:9200"),
        ),
        ({"logging.remote_logging": "True"}, LogPlace("other", "")),
    ],
)
def test_place_is_told_from_the_options(options: dict[str, str], place: LogPlace) -> None:
    assert place_of(options) == place
    assert "canary" not in place_of(options).label


def connection(**given: Any) -> ConnectionValue:
    plain = ConnectionValue("logs", "aws", None, None, None, None, None, None, None)
    extra = given.pop("extra", None)
    return replace(plain, **given, extra=None if extra is None else Secret(json.dumps(extra)))


def test_login_is_that_of_the_connection() -> None:
    place = LogPlace("s3", "s3://b/logs", "logs")
    key = connection(login="AKIA1", password=Secret("canary-1"), extra={"region_name": REGION, "role_arn": "arn:r"})
    assert login_of(place, key) == CloudLogin(
        {"access_key_id": "AKIA1", "region": REGION, "role_arn": "arn:r"}, {"secret_access_key": Secret("canary-1")}
    )
    assert login_of(place, connection(extra={"region_name": REGION})) == CloudLogin({"region": REGION}, {})
    assert login_of(place, connection(login="half a key")) == login_of(place, None) == CloudLogin()
    google = LogPlace("gs", "gs://b/logs", "logs")
    held = login_of(google, connection(extra={"keyfile_dict": {"private_key": "canary-2"}}))
    assert json.loads(held.credentials["service_account_key"].reveal()) == {"private_key": "canary-2"}
    assert login_of(google, connection(extra={"key_path": "/on/its/machine"})) == CloudLogin()


@pytest.fixture(scope="module")
def _aws() -> Iterator[AwsServer]:
    with aws_server() as server:
        server.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        yield server


@pytest.fixture
def aws(_aws: AwsServer) -> AwsServer:
    _aws.denied.clear()
    _aws.s3.put_object(Bucket=BUCKET, Key=f"prod/{FILE}", Body=TEXT)
    return _aws


@pytest.fixture
def google() -> Iterator[GoogleServer]:
    with google_server() as server:
        server.objects[f"prod/{FILE}"] = TEXT
        for number in range(5):  # more than a page
            server.objects[f"prod/{FOLDER}/run_id=r{number}/task_id=load/attempt=1.log"] = TEXT
        yield server


def copied(place: LogPlace, login: CloudLogin, target: Path) -> int:
    """Copy the one log; give when it was written."""
    logs = open_logs(place, login)
    assert logs is not None
    with closing(logs):
        assert logs.folder(PurePosixPath("dag_id=nobody")) is None
        folder = logs.folder(FOLDER)
        assert folder is not None
        assert folder.find(FOLDER / "no such file") is None
        found = folder.find(FILE)
        assert found is not None
        assert found.size_bytes == len(TEXT)
        folder.copy(FILE, target)
    assert target.read_bytes() == TEXT
    return found.modified_ns


def test_logs_in_s3_are_read_and_a_missing_right_is_named(aws: AwsServer, tmp_path: Path) -> None:
    place = LogPlace("s3", f"s3://{BUCKET}/prod")
    assert probe(place, aws.login).is_ok
    assert copied(place, aws.login, tmp_path / "one.log") > 0
    aws.denied.add("s3:GetObject")
    refused = probe(place, aws.login)
    assert (refused.is_ok, refused.is_required) == (False, False)
    assert f"s3:GetObject on s3://{BUCKET}/prod/{FILE}" in refused.message
    aws.denied.add("s3:ListBucket")
    logs = open_logs(place, aws.login)
    assert logs is not None
    with closing(logs), pytest.raises(Denied, match="s3:ListBucket"):
        logs.folder(FOLDER)


def test_the_connection_of_the_source_opens_them(aws: AwsServer) -> None:
    extra = {"region_name": REGION, "endpoint_url": aws.url}
    place = LogPlace("s3", f"s3://{BUCKET}/prod", "logs")
    login = login_of(place, connection(login=ACCESS_KEY, password=Secret(SECRET_KEY), extra=extra))
    assert probe(place, login).is_ok


def test_logs_in_google_cloud_storage_are_read(google: GoogleServer, tmp_path: Path) -> None:
    place = LogPlace("gs", f"gs://{GOOGLE_BUCKET}/prod")
    assert probe(place, google.login).is_ok
    moment = datetime(2026, 11, 1, 4, 5, 6, 789000, tzinfo=UTC).timestamp()
    assert copied(place, google.login, tmp_path / "one.log") == int(moment * 1_000_000_000)
    google.denied.add("storage.objects.list")
    assert "storage.objects.list" in probe(place, google.login).message


def test_what_is_not_read_is_said(tmp_path: Path) -> None:
    azure = probe(LogPlace("wasb", "wasb-logs"), CloudLogin())
    assert not azure.is_ok
    assert "Azure Blob Storage (wasb-logs)" in azure.message
    assert open_logs(LogPlace("elasticsearch", "search:9200"), CloudLogin()) is None
    assert open_logs(LogPlace("local", str(tmp_path / "none")), CloudLogin()) is None
    assert "not on this machine" in probe(LogPlace("local", str(tmp_path / "none")), CloudLogin()).message
    assert probe(LogPlace("local", str(tmp_path)), CloudLogin()).is_ok
    assert "names no bucket" in probe(LogPlace("s3", "s3://"), CloudLogin()).message
