"""Airflow's configuration: the promises that must hold whatever a person sets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aerodrome.airflowkit.config import (
    PASSWORDS,
    SECRETS_BACKEND,
    AirflowSetup,
    airflow_database_url,
    components,
    environment,
    local_base_url,
    passwords,
)
from aerodrome.airflowkit.versions import AirflowVersion
from aerodrome.kernel.errors import Invalid
from aerodrome.kernel.secret import Secret


def revealed(version: str = "3.3.2", **changes: Any) -> dict[str, str]:
    fields: dict[str, Any] = {
        "version": AirflowVersion.parse(version),
        "home": Path("/d/home"),
        "venv": Path("/v"),
        "project": Path("/d/project"),
        "pointer": Path("/d/current.json"),
        "support": Path("/s"),
        "port": 8811,
        "database_url": Secret("sqlite:////d/home/airflow.db"),
        "fernet_key": Secret("fernet"),
        "private_key_path": Path("/d/keys/jwt.pem"),
        "private_key_id": "kid",
        "key_set_path": Path("/d/keys/jwks.json"),
        "public_url": "http://127.0.0.1:8701/dep_1/",
    }
    setup = AirflowSetup(**{**fields, **changes})
    return {name: value.reveal() for name, value in environment(setup, {"PATH": "/usr/bin"}).items()}


def test_data_intervals_stay_as_in_airflow_2_unless_asked_otherwise() -> None:
    assert revealed()["AIRFLOW__SCHEDULER__CREATE_CRON_DATA_INTERVALS"] == "True"
    changed = revealed(config={"scheduler.create_cron_data_intervals": "False", "scheduler.catchup_by_default": "True"})
    assert changed["AIRFLOW__SCHEDULER__CREATE_CRON_DATA_INTERVALS"] == "False"
    assert changed["AIRFLOW__SCHEDULER__CATCHUP_BY_DEFAULT"] == "True"


def test_a_secrets_backend_of_the_team_is_asked_through_ours() -> None:
    paths: dict[str, Any] = {
        "environment_path": Path("/d/environment.sealed"),
        "environment_key_path": Path("/d/keys/environment.key"),
    }
    plain = revealed(**paths)
    assert plain["AIRFLOW__SECRETS__BACKEND"] == SECRETS_BACKEND
    assert plain["AERODROME_ENVIRONMENT"] == "/d/environment.sealed"
    assert "AERODROME_INNER_BACKEND" not in plain
    theirs = {"AIRFLOW__SECRETS__BACKEND": "team.Vault", "AIRFLOW__SECRETS__BACKEND_KWARGS": '{"url": "x"}'}
    wrapped = revealed(**paths, env=theirs)
    assert wrapped["AIRFLOW__SECRETS__BACKEND"] == SECRETS_BACKEND
    assert wrapped["AERODROME_INNER_BACKEND"] == "team.Vault"
    assert wrapped["AERODROME_INNER_BACKEND_KWARGS"] == '{"url": "x"}'
    workers = revealed(**paths, config={"workers.secrets_backend": "team.Workers"})
    assert workers["AIRFLOW__WORKERS__SECRETS_BACKEND"] == SECRETS_BACKEND
    assert workers["AERODROME_INNER_BACKEND"] == "team.Workers"


@pytest.mark.parametrize("version", ["2.11.2", "3.3.2"])
def test_nobody_can_open_it_to_the_network_or_swap_its_keys(version: str) -> None:
    plain = revealed(version)
    evil = {
        "api.host": "0.0.0.0",
        "webserver.web_server_host": "0.0.0.0",
        "core.fernet_key": "mine",
        "core.simple_auth_manager_users": "admin:admin",
        "api_auth.trusted_jwks_url": "http://evil.invalid",
        "api.auth_backends": "airflow.api.auth.backend.default",
        "webserver.config_file": "/evil.py",
    }
    owned = revealed(
        version,
        config={key: value for key, value in evil.items() if f"AIRFLOW__{key.replace('.', '__').upper()}" in plain},
        env={f"AIRFLOW__{key.replace('.', '__').upper()}": "evil" for key in ("core.fernet_key",)},
    )
    assert owned == plain


@pytest.mark.parametrize(("version", "host"), [("3.3.2", "--host"), ("2.11.2", "--hostname")])
def test_every_process_stays_on_loopback(version: str, host: str) -> None:
    commands = dict(components(AirflowVersion.parse(version), Path("/v"), 8811))
    for name in ("scheduler", "triggerer"):
        assert "--skip-serve-logs" in commands[name]
    web = next(iter(commands.values()))
    assert web[web.index(host) + 1] == "127.0.0.1"


def test_tasks_reach_the_api_without_the_platform() -> None:
    values = revealed()
    assert values["AIRFLOW__API__BASE_URL"] == "http://127.0.0.1:8701/dep_1/"
    assert values["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:8811/dep_1/execution/"
    assert local_base_url(8811, None) == "http://127.0.0.1:8811"


def test_airflow_2_forbids_a_trailing_slash_in_its_address() -> None:
    assert revealed("2.11.2")["AIRFLOW__WEBSERVER__BASE_URL"] == "http://127.0.0.1:8701/dep_1"


def test_executors_fit_the_database() -> None:
    postgres = Secret("postgresql+psycopg://u:p@127.0.0.1/db")
    assert revealed("2.11.2")["AIRFLOW__CORE__EXECUTOR"] == "SequentialExecutor"
    assert revealed("2.11.2", database_url=postgres)["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor"
    assert revealed("3.3.2")["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor"


def test_database_urls_take_airflows_own_drivers() -> None:
    assert airflow_database_url(Secret("postgresql+psycopg://u@h/d")).reveal() == "postgresql+psycopg2://u@h/d"
    assert airflow_database_url(Secret("sqlite:////x.db")).reveal() == "sqlite:////x.db?timeout=60"


def test_a_persons_own_variables_arrive_and_win_over_defaults() -> None:
    values = revealed(env={"COLOUR": Secret("blue"), "PYTHONPATH": "/mine", "AIRFLOW__CORE__PARALLELISM": "9"})
    assert values["COLOUR"] == "blue"
    assert values["PYTHONPATH"] == "/s:/d/project:/mine"
    assert values["AIRFLOW__CORE__PARALLELISM"] == "9"
    assert values["PATH"] == "/v/bin:/usr/bin"


def test_the_dag_bundle_is_ours() -> None:
    (bundle,) = json.loads(revealed()["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"])
    assert bundle["classpath"] == "aerodrome_airflow.bundle.DeployBundle"


def test_an_option_without_a_section_is_refused() -> None:
    with pytest.raises(Invalid) as caught:
        revealed(config={"parallelism": "4"})
    assert caught.value.code == "airflow-option-malformed"


def test_airflow_3_has_no_local_user_whose_password_anybody_knows() -> None:
    """3.0 and 3.1 do not start with an empty list of users: theirs has a password that no text equals."""
    for version in ("3.2.2", "3.3.2"):
        assert revealed(version)["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"] == ""
        assert passwords(AirflowVersion.parse(version)) is None
    for version in ("3.0.6", "3.1.8"):
        values = revealed(version)
        assert values["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"] == "nobody:viewer"
        assert values["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"] == f"/d/home/{PASSWORDS}"
        assert json.loads(passwords(AirflowVersion.parse(version)) or "") == {"nobody": None}
    assert passwords(AirflowVersion.parse("2.11.2")) is None
