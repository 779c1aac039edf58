"""Environment variables keep their meaning in Airflow 3, and nothing of the source's machine comes along."""

from __future__ import annotations

from tests.rooms.migration.transfer.conftest import MemorySource

from aerodrome.migration.transfer.config_moves import RENAMED, place_of
from aerodrome.migration.transfer.environment import env_values, scheduler_options


def test_airflow_2_keeps_the_names_of_options() -> None:
    env = {
        "AIRFLOW__CORE__DAG_CONCURRENCY": "7",
        "AIRFLOW__SCHEDULER__PARSING_PROCESSES": "3",
        "AIRFLOW__CORE__CHECK_SLAS": "False",
        "AIRFLOW__CORE__FERNET_KEY": "canary-fernet",
        "AIRFLOW__WEBSERVER__SECRET_KEY": "canary-key",
        "PATH": "/bin",
    }
    moved = env_values(MemorySource(env=env), list(env), is_airflow2=True)
    kept = ["AIRFLOW__CORE__CHECK_SLAS", "AIRFLOW__CORE__DAG_CONCURRENCY", "AIRFLOW__SCHEDULER__PARSING_PROCESSES"]
    assert (sorted(moved.values), dict(moved.renamed)) == (kept, {})
    assert {item.code for item in moved.dropped} == {"option-not-moved", "env-of-machine"}


def test_options_move_to_their_new_name_and_owned_ones_stay() -> None:
    env = {
        "AIRFLOW__CORE__DAG_CONCURRENCY": "7",
        "AIRFLOW__SCHEDULER__PARSING_PROCESSES": "3",
        "AIRFLOW__WEBSERVER__INSTANCE_NAME": "ours",
        "AIRFLOW__SMTP__SMTP_HOST": "mail",
        "AIRFLOW__CORE__FERNET_KEY": "canary-fernet",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD": "cat /x",
        "AIRFLOW__WEBSERVER__SECRET_KEY": "canary-key",
        "AIRFLOW__CORE__CHECK_SLAS": "False",
        "AIRFLOW_CONN_DB": "postgres://canary",
        "SALES_TOKEN": "canary-token",
        "PATH": "/bin",
        "AIRFLOW_HOME": "/old",
        "not a name": "x",
    }
    moved = env_values(MemorySource(env=env), list(env))

    assert {name: value.reveal() for name, value in moved.values.items()} == {
        "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": "7",
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "3",
        "AIRFLOW__API__INSTANCE_NAME": "ours",
        "AIRFLOW__SMTP__SMTP_HOST": "mail",
        "AIRFLOW_CONN_DB": "postgres://canary",
        "SALES_TOKEN": "canary-token",
    }
    assert {item.key: item.code for item in moved.dropped} == {
        "AIRFLOW__CORE__FERNET_KEY": "option-not-moved",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD": "option-not-moved",
        "AIRFLOW__WEBSERVER__SECRET_KEY": "option-not-moved",
        "AIRFLOW__CORE__CHECK_SLAS": "option-not-moved",
        "PATH": "env-of-machine",
        "AIRFLOW_HOME": "env-of-machine",
        "not a name": "env-name-invalid",
    }
    assert all(item.message for item in moved.dropped)
    assert "canary" not in repr(moved) + str(moved.as_data())


def test_a_command_keeps_its_suffix_when_the_option_is_renamed() -> None:
    name = "AIRFLOW__SCHEDULER__STATSD_HOST_CMD"
    assert env_values(MemorySource(env={name: "echo"}), [name]).renamed == {name: "AIRFLOW__METRICS__STATSD_HOST_CMD"}


def test_two_names_for_one_option_do_not_fight() -> None:
    env = {"AIRFLOW__SCHEDULER__MAX_THREADS": "1", "AIRFLOW__SCHEDULER__PARSING_PROCESSES": "2"}
    moved = env_values(MemorySource(env=env), list(env))
    assert [item.code for item in moved.dropped] == ["env-doubled"]


def test_no_renamed_option_points_to_another_rename() -> None:
    chained = {old: new for old, new in RENAMED.items() if new in RENAMED and new != "api.page_size"}
    assert chained == {}
    assert place_of("webserver.page_size") == ("api.page_size", "")


def test_schedules_keep_their_meaning_unless_the_source_said_otherwise() -> None:
    assert scheduler_options({}) == {
        "scheduler.create_cron_data_intervals": "True",
        "scheduler.create_delta_data_intervals": "True",
        "scheduler.catchup_by_default": "True",
    }
    assert scheduler_options({"scheduler.catchup_by_default": "False"})["scheduler.catchup_by_default"] == "False"
