"""What stands around DAG code: options that moved, old commands and images are renamed or named with their line."""

from __future__ import annotations

from pathlib import Path, PurePath

import pytest

from aerodrome.migration.codemod import upgrade
from aerodrome.migration.codemod.requirements import providers_of
from aerodrome.migration.codemod.surroundings import is_concerned, upgrade_surroundings


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("AIRFLOW__SCHEDULER__STATSD_ALLOW_LIST=a\n", "AIRFLOW__METRICS__METRICS_ALLOW_LIST=a\n"),  # renamed twice
        ("AIRFLOW__CORE__SQL_ALCHEMY_CONN_CMD=x\r\n", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD=x\r\n"),
        ("AIRFLOW__WEBSERVER__PAGE_SIZE=9\n", "AIRFLOW__API__PAGE_SIZE=9\n"),
        ("AIRFLOW__CORE__EXECUTOR=LocalExecutor\n", "AIRFLOW__CORE__EXECUTOR=LocalExecutor\n"),
        ("# AIRFLOW__CORE__DAG_CONCURRENCY=4\n", "# AIRFLOW__CORE__DAG_CONCURRENCY=4\n"),
    ],
)
def test_variables_get_the_names_of_their_options(before: str, after: str) -> None:
    new, rules, findings = upgrade_surroundings(before, ".env")
    assert (new, findings) == (after, ())
    assert rules == ({"config-variable": 1} if before != after else {})
    assert upgrade_surroundings(new, ".env")[0] == new


@pytest.mark.parametrize(
    ("file", "text", "line", "rule"),
    [
        ("run.sh", "set -e\nairflow db init\n", 2, "old-cli"),
        ("Makefile", "run:\n\tairflow backfill -s 2020-01-01 sales\n", 2, "old-cli"),
        ("compose.yaml", "services:\n  web:\n    image: apache/airflow:2.9.3\n", 3, "airflow-image"),
        ("run.sh", "curl $HOST/api/experimental/dags/sales/dag_runs\n", 1, "old-rest-api"),
        ("airflow.cfg", "[core]\nexecutor = X\ndag_concurrency = 4\n", 3, "config-option"),
        (".env", "AIRFLOW__API__AUTH_BACKEND=x\n", 1, "config-option"),  # its value means something else now
        (".env", "AIRFLOW__CORE__ENABLE_XCOM_PICKLING=True\n", 1, "config-option"),
    ],
)
def test_what_a_person_must_look_at_is_named(file: str, text: str, line: int, rule: str) -> None:
    new, rules, findings = upgrade_surroundings(text, file)
    assert (new, rules) == (text, {})
    assert [(item.line, item.rule) for item in findings] == [(line, rule)]
    assert all(item.hint for item in findings)


@pytest.mark.parametrize("text", ["airflow db migrate\n", "airflow dags trigger sales\n", "airflow tasks test a b\n", "myairflow run\n"])  # fmt: skip
def test_commands_that_are_there_still_are_left_alone(text: str) -> None:
    assert upgrade_surroundings(text, "run.sh") == (text, {}, ())


def test_which_files_are_looked_at() -> None:
    looked = [name for name in ("Dockerfile", "a/Dockerfile.dev", ".env", "x.sh", "airflow.cfg", "notes.md", "dag.py", "a.sql") if is_concerned(PurePath(name))]  # fmt: skip
    assert looked == ["Dockerfile", "a/Dockerfile.dev", ".env", "x.sh", "airflow.cfg"]


def test_packages_that_a_module_imports_of_other_providers_are_required_too() -> None:
    code = b"from airflow.providers.google.cloud.operators.kubernetes_engine import GKEStartPodOperator\n"
    assert providers_of(code) == {"apache-airflow-providers-google", "apache-airflow-providers-cncf-kubernetes"}
    code = b"from airflow.providers.google.cloud.operators.gcs import GCSListObjectsOperator\n"
    assert providers_of(code) == {"apache-airflow-providers-google"}


def test_packages_that_only_the_image_of_the_source_brought_are_required(tmp_path: Path) -> None:
    """Airflow's own images bring the providers of the clouds; no requirements.txt of a team names them."""
    before = tmp_path / "before"
    before.mkdir()
    (before / "a.py").write_text("from airflow.providers.google.cloud.hooks.gcs import GCSHook\n")
    (before / "requirements.txt").write_text("apache-airflow==2.9.3\npandas\n")
    upgrade(before, tmp_path / "after", "3.3.2")
    assert (tmp_path / "after" / "requirements.txt").read_text() == "pandas\napache-airflow-providers-google\n"
    (before / "requirements.txt").unlink()
    done = upgrade(before, tmp_path / "other", "3.3.2")
    assert [(item.rule, item.file) for item in done.findings] == [("provider-needed", "requirements.txt")]


@pytest.mark.parametrize(
    ("old", "package"),
    [
        ("from airflow.operators.postgres_operator import PostgresOperator", "postgres"),
        ("from airflow.providers.microsoft.mssql.operators.mssql import MsSqlOperator", "microsoft-mssql"),
        ("from airflow.operators.mysql_operator import MySqlOperator", "mysql"),
    ],
)
def test_the_database_of_a_general_operator_brings_its_own_package(old: str, package: str, tmp_path: Path) -> None:
    """SQLExecuteQueryOperator imports no database: its provider is found by the connection's type when the task runs."""
    before = tmp_path / "before"
    before.mkdir()
    (before / "a.py").write_text(f"{old}\n\ntask = {old.rsplit(' ', 1)[1]}(task_id='t', sql='select 1')\n")
    (before / "requirements.txt").write_text("")
    upgrade(before, tmp_path / "after", "3.3.2")
    assert "SQLExecuteQueryOperator" in (tmp_path / "after" / "a.py").read_text()
    assert f"apache-airflow-providers-{package}\n" in (tmp_path / "after" / "requirements.txt").read_text()
