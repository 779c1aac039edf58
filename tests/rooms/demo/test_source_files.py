"""The files of the demo's source: nothing default, nothing readable by others, nothing that leaves the machine."""

from __future__ import annotations

import configparser
import stat
from dataclasses import asdict
from pathlib import Path

import pytest

from aerodrome.demo.source_files import SourceLayout, SourceSecrets, read_env_file, wish, write_files


@pytest.fixture
def layout(tmp_path: Path) -> SourceLayout:
    return SourceLayout(tmp_path / "source")


def _write(layout: SourceLayout) -> SourceSecrets:
    hidden = SourceSecrets.generate()
    write_files(layout, hidden, "postgresql+psycopg2://airflow:pa%24s@127.0.0.1:1/airflow", 8080, "LocalExecutor")
    return hidden


def test_secrets_are_random_shown_to_nobody_and_read_back(layout: SourceLayout) -> None:
    hidden = _write(layout)
    assert set(asdict(hidden).values()).isdisjoint(asdict(SourceSecrets.generate()).values())
    assert not any(value in repr(hidden) for value in asdict(hidden).values())
    assert SourceSecrets.read(layout.secrets_file) == hidden


def test_files_with_secrets_are_private(layout: SourceLayout) -> None:
    _write(layout)
    for path in (layout.secrets_file, layout.config_file, layout.env_file):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_config_is_read_as_it_was_meant_and_binds_to_loopback(layout: SourceLayout) -> None:
    hidden = _write(layout)
    config = configparser.ConfigParser()
    config.read(layout.config_file)
    assert config["database"]["sql_alchemy_conn"].endswith("pa%24s@127.0.0.1:1/airflow")
    assert config["core"]["fernet_key"] == hidden.fernet_key
    assert config["webserver"]["web_server_host"] == "127.0.0.1"
    assert config["usage_data_collection"]["enabled"] == "False"


def test_project_is_copied_with_plugins_and_include(layout: SourceLayout) -> None:
    _write(layout)
    for path in ("dags/till_minutely.py", "plugins/warehouse_load.py", "include/cornershop/calendar.py"):
        assert (layout.project / path).is_file()


def test_environment_has_a_connection_a_variable_and_a_secret(layout: SourceLayout) -> None:
    hidden = _write(layout)
    env = read_env_file(layout.env_file)
    assert hidden.ledger_password in env["AIRFLOW_CONN_LEDGER"]
    assert env["AIRFLOW_VAR_REPORT_CURRENCY"] == "EUR"
    assert env["PARTNER_WEBHOOK_TOKEN"] == hidden.webhook_token


def test_objects_cover_passwords_extras_json_and_sensitive_names(layout: SourceLayout) -> None:
    hidden = SourceSecrets.generate()
    asked = wish(layout, hidden, database_wait_s=1)
    by_id = {one["conn_id"]: one for one in asked["connections"]}
    assert by_id["partner_api"]["password"] == hidden.partner_password
    assert hidden.partner_token in by_id["partner_api"]["extra"]
    assert {"partner_api_key", "pricing_regions"} <= {one["key"] for one in asked["variables"]}
    assert len(asked["pools"]) == 2
