"""`aerodrome assess --archive s3://… | gs://…`: the archive stays in its bucket, and what this machine is signed in with reads it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.conftest import Legacy
from tests.rooms.migration.sources.aws_server import ACCESS_KEY, REGION, SECRET_KEY, AwsServer, aws_server
from tests.rooms.migration.sources.google_server import BUCKET as GOOGLE_BUCKET
from tests.rooms.migration.sources.google_server import GoogleServer, google_server
from tests.rooms.migration.sources.place import Place

from aerodrome.builds.contract import Venv
from aerodrome.cli import assess
from aerodrome.cli.options import Offline
from aerodrome.kernel.errors import AerodromeError
from aerodrome.migration.sources.airflow_archive.sealing import new_key

BUCKET, KEY = "exports", "team/estate.aerodrome"


@pytest.fixture(scope="module")
def _aws() -> Iterator[AwsServer]:
    with aws_server() as server:
        server.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        yield server


@pytest.fixture
def aws(_aws: AwsServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AwsServer:
    """S3, and a machine that is signed in to it as people are: by variables."""
    _aws.denied.clear()
    _aws.asked.clear()
    _aws.s3.delete_object(Bucket=BUCKET, Key=KEY)
    for name, value in {
        "AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY, "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": _aws.url, "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"), "AWS_EC2_METADATA_DISABLED": "true",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    return _aws


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[GoogleServer]:
    """Google Cloud Storage, and a machine that has a service account's key file."""
    with google_server() as server:
        (tmp_path / "google.json").write_text(server.key)
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "google.json"))
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
        yield server


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "exporter.key"
    path.write_text(new_key().reveal())
    return path


def refused(address: str, key_file: Path) -> AerodromeError:
    with pytest.raises(AerodromeError) as error:
        assess.run(archive=address, archive_key=key_file)
    assert "canary" not in f"{error.value} {error.value.hint} {error.value.details}"
    return error.value


def test_what_cannot_be_read_of_s3_is_told_with_what_to_do(
    aws: AwsServer, key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"s3://{BUCKET}/{KEY}"
    assert refused(address, key_file).code == "object-missing"
    aws.s3.put_object(Bucket=BUCKET, Key=KEY, Body=b"no archive")
    assert refused(address, key_file).code == "archive-format"
    aws.denied.add("s3:GetObject")
    denied = refused(address, key_file)
    assert f"s3:GetObject on {address}" in denied.message
    assert f"Allow s3:GetObject on {address}" in denied.hint
    assert refused("s3://exports", key_file).code == refused("https://x/y", key_file).code == "object-address-malformed"
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    assert refused(address, key_file).code == "backend-sign-in-failed"


def test_what_cannot_be_read_of_google_is_told_with_what_to_do(
    google: GoogleServer, key_file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    address = f"gs://{GOOGLE_BUCKET}/{KEY}"
    assert refused(address, key_file).code == "object-missing"
    google.objects[KEY] = b"no archive"
    assert refused(address, key_file).code == "archive-format"
    google.denied.add("storage.objects.get")
    assert f"storage.objects.get on {address}" in refused(address, key_file).message
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    assert refused(address, key_file).code == "backend-sign-in-failed"


@pytest.mark.airflow
def test_an_archive_is_assessed_where_it_lies(
    airflow_venv: Callable[..., Venv],
    legacy: Legacy,
    aws: AwsServer,
    google: GoogleServer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As from the file itself, and read once."""
    place = Place(
        airflow_venv("2.11.2").path / "bin" / "python", tmp_path, new_key(), legacy.url, legacy.fernet_key
    )  # fmt: skip
    done: subprocess.CompletedProcess[bytes] = place.export()
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    key_file = tmp_path / "private.key"
    key_file.write_text(place.key.reveal())
    aws.s3.upload_file(str(place.archive), BUCKET, KEY)
    google.objects[KEY] = place.archive.read_bytes()
    aws.read.clear()
    found = []
    for address in (str(place.archive), f"s3://{BUCKET}/{KEY}", f"gs://{GOOGLE_BUCKET}/{KEY}"):
        assess.run(archive=address, archive_key=key_file, offline=Offline(output="json"))
        found.append(json.loads(capsys.readouterr().out))
    assert found[0]["findings"] == found[1]["findings"] == found[2]["findings"] != []
    assert "canary" not in json.dumps(found)
    assert aws.read == [f"{BUCKET}/{KEY}"]
