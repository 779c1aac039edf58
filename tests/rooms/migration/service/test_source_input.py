"""What people say about a source: which fields each kind needs, and that no secret stands in what is stored in the open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aerodrome.kernel.errors import Invalid
from aerodrome.migration.service.source_kinds import from_fields, restored
from aerodrome.migration.sources.airflow_archive.sealing import new_key
from aerodrome.migration.sources.cloud.contract import is_url, parts_of
from aerodrome.migration.sources.cloud.files import CloudFile
from aerodrome.migration.sources.contract import (
    ArchiveConfig,
    CloudConfig,
    DefinitionsConfig,
    RestConfig,
    SourceConfig,
)
from aerodrome.migration.sources.registry import KINDS

AWS = {"region": "eu-west-1", "access_key_id": "AKIA1", "secret_access_key": "canary-a", "session_token": "canary-b"}
COMPOSER = "projects/p/locations/l/environments/e"
GOOD: dict[str, tuple[dict[str, str], type]] = {
    "airflow-db": ({"database_url": "postgresql://u:canary-c@h/db", "fernet_keys": "canary-d"}, SourceConfig),
    "airflow-rest": ({"base_url": "https://a.example", "user": "u", "password": "canary-e"}, RestConfig),
    "starship": ({"base_url": "https://a.example", "token": "canary-f"}, RestConfig),
    "airflow-archive": ({"archive": "s3://bucket/estate.aerodrome", **AWS}, ArchiveConfig),
    "mwaa": ({"environment": "etl", "archive": "s3://bucket/estate.aerodrome", **AWS}, CloudConfig),
    "composer": ({"environment": COMPOSER, "service_account_key": '{"private_key": "canary-g"}'}, CloudConfig),
    "oozie": (
        {"definitions": "/", "server_url": "http://o.example:11000/oozie", "user": "u", "password": "canary-h"},
        DefinitionsConfig,
    ),
    "controlm": ({"definitions": "/"}, DefinitionsConfig),
}


@pytest.mark.parametrize("kind", KINDS)
def test_source_is_kept_in_two_parts_and_comes_back(kind: str, tmp_path: Path) -> None:
    fields, expected = GOOD[kind]
    given = {"dags_folder": str(tmp_path), **fields} if kind in ("airflow-db", "airflow-rest", "starship") else fields
    source = from_fields(kind, given).checked()
    plain, secrets = source.plain(), source.secrets()
    assert plain["kind"] == kind
    assert plain["label"]
    assert "canary" not in str(plain)
    assert "canary" not in repr(source)
    back = restored(plain, lambda name: secrets[name])
    assert back == source
    config = back.config("legacy", tmp_path / "mig")
    assert isinstance(config, expected)
    assert config.kind == kind
    assert "canary" not in repr(config)


@pytest.mark.parametrize(
    ("kind", "fields", "field"),
    [
        ("airflow-db", {"dags_folder": "/"}, "database_url"),
        ("airflow-rest", {"base_url": "https://a"}, "dags_folder"),
        ("airflow-rest", {"base_url": "https://u:p@a", "dags_folder": "/", "token": "t"}, "base_url"),
        ("starship", {"base_url": "https://a", "dags_folder": "/"}, "user"),
        ("airflow-archive", {}, "archive"),
        ("airflow-archive", {"archive": "/nowhere"}, "archive"),
        ("airflow-archive", {"archive": "gs://bucket"}, "archive"),
        ("mwaa", {"region": "eu-west-1"}, "environment"),
        ("mwaa", {"environment": "etl"}, "region"),
        ("mwaa", {"environment": "../x", "region": "eu-west-1"}, "environment"),
        ("mwaa", {"environment": "etl", "region": "eu-west-1", "access_key_id": "A"}, "secret_access_key"),
        ("composer", {"environment": "etl"}, "environment"),
        ("oozie", {}, "definitions"),
        ("oozie", {"definitions": "/nowhere"}, "definitions"),
        ("oozie", {"definitions": "/", "profile_file": "/nowhere"}, "profile_file"),
        ("oozie", {"definitions": "/", "server_url": "http://u:p@o.example/oozie"}, "server_url"),
        ("controlm", {"definitions": "/", "server_url": "http://c.example"}, "server_url"),
    ],
)
def test_wrong_field_is_named(kind: str, fields: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as wrong:
        from_fields(kind, fields).checked()
    assert wrong.value.details["field"] == field


def test_archive_with_and_without_its_own_key(tmp_path: Path) -> None:
    file = tmp_path / "estate.aerodrome"
    file.write_bytes(b"")
    key = new_key()
    own = from_fields("airflow-archive", {"archive": str(file), "archive_key": key.reveal()}).checked()
    assert own.secrets() == {"archive_key": key}
    older = {"kind": "airflow-archive", "label": str(file), "archive": str(file)}  # as stored before there was a choice
    assert restored(older, lambda _name: key) == own
    sealed = from_fields("airflow-archive", {"archive": str(file)}).checked()
    assert sealed.secrets() == {}
    assert restored(sealed.plain(), pytest.fail) == sealed


def test_unknown_kind_is_told() -> None:
    with pytest.raises(Invalid, match="cron"):
        from_fields("cron", {})


def test_address_of_an_object() -> None:
    assert parts_of("s3://bucket/a/b.x") == ("s3", "bucket", "a/b.x")
    assert is_url("gs://b/k")
    assert not is_url("/srv/s3/file")
    assert not is_url("http://x/y")
    source = from_fields("airflow-archive", GOOD["airflow-archive"][0])
    config = source.config("n", Path("/x"))
    assert isinstance(config, ArchiveConfig)
    assert isinstance(config.archive, CloudFile)
    assert config.archive.login.get("region") == "eu-west-1"
