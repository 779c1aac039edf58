"""For which Airflow a project was written is read from what pins, builds and runs it, before its imports are counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.migration.codemod.origin import default_timezone, source_version


@pytest.mark.parametrize(
    ("name", "text", "version"),
    [
        ("requirements.txt", "pandas\napache-airflow[postgres,ssh]==2.3.4 ; python_version < '3.9'\n", "2.3.4"),
        ("requirements.txt", "apache_airflow ~= 2.3.1\n", "2.3.1"),
        ("requirements.txt", "apache-airflow==2.3.*\n", "2.3.0"),
        ("requirements.txt", "apache-airflow>=2.3\n", ""),
        ("requirements.txt", "# apache-airflow==2.3.4\n", ""),
        ("requirements.txt", "apache-airflow-providers-amazon==2.3.4\n", ""),
        ("requirements.txt", "-c https://files.example.com/airflow/constraints-2.2.5/constraints-3.8.txt\n", "2.2.5"),
        ("requirements/base.txt", "apache-airflow==1.10.12\n", "1.10.12"),
        ("requirements-dev.txt", "apache-airflow==2.3.4\n", "2.3.4"),
        ("setup.py", "setup(install_requires=['apache-airflow==2.3.4'])\n", "2.3.4"),
        ("setup.cfg", "install_requires =\n    apache-airflow[google]==2.3.4\n", "2.3.4"),
        ("pyproject.toml", 'dependencies = ["apache-airflow==2.3.4"]\n', "2.3.4"),
        ("pyproject.toml", 'apache-airflow = "2.3.4"\n', "2.3.4"),
        ("pyproject.toml", 'apache-airflow = {version = "2.3.4", extras = ["ssh"]}\n', "2.3.4"),
        ("pyproject.toml", 'apache-airflow = "^2.3.4"\n', ""),
        ("poetry.lock", '[[package]]\nname = "apache-airflow"\nversion = "2.3.4"\n', "2.3.4"),
        ("Pipfile", 'apache-airflow = "==2.3.4"\n', "2.3.4"),
        ("Pipfile.lock", '"apache-airflow": {\n  "hashes": [\n "sha256:1"],\n  "index": "pypi",\n  "version": "==2.3.4"\n}', "2.3.4"),
        ("environment.yml", "dependencies:\n  - apache-airflow=2.3.4\n", "2.3.4"),
        ("Dockerfile", "FROM apache/airflow:2.3.4-python3.9\n", "2.3.4"),
        ("Dockerfile", "FROM --platform=linux/amd64 docker.io/apache/airflow:slim-2.3.4 AS base\n", "2.3.4"),
        ("Dockerfile", "FROM apache/airflow:2.3\n", "2.3.0"),
        ("Dockerfile", "FROM puckel/docker-airflow:1.10.9\n", "1.10.9"),
        ("Dockerfile", "FROM quay.io/astronomer/ap-airflow:2.3.4-onbuild\n", "2.3.4"),
        ("Dockerfile", "ARG AIRFLOW_VERSION=2.3.4\nFROM apache/airflow:${AIRFLOW_VERSION}\n", "2.3.4"),
        ("Dockerfile", "ENV AIRFLOW_VERSION 2.3.4\n", "2.3.4"),
        ("Dockerfile", "RUN pip install 'apache-airflow[ssh]==2.3.4'\n", "2.3.4"),
        ("Dockerfile", "FROM python:3.8.1\n", ""),
        ("docker/airflow/Dockerfile", "FROM apache/airflow:2.3.4\n", "2.3.4"),
        ("worker.Dockerfile", "FROM apache/airflow:2.3.4\n", "2.3.4"),
        ("docker-compose.yaml", "  image: ${AIRFLOW_IMAGE_NAME:-apache/airflow:2.3.4}\n", "2.3.4"),
        ("docker-compose-local.yml", '  image: "apache/airflow:2.3.4"\n', "2.3.4"),
        (".env", "AIRFLOW_VERSION=2.3.4\n", "2.3.4"),
        ("values.yaml", 'airflowVersion: "2.3.4"\n', "2.3.4"),
        ("values.yaml", "defaultAirflowTag: 2.3.4\n", "2.3.4"),
        ("infra/main.tf", 'resource "x" "y" {\n  airflow_version = "2.2.2"\n}\n', "2.2.2"),
        ("infra/main.tf", 'image_version = "composer-2.0.31-airflow-2.3.4"\n', "2.3.4"),
        ("Makefile", "AIRFLOW_VERSION ?= 2.3.4\n", "2.3.4"),
        ("install.sh", 'export AIRFLOW_VERSION="2.3.4"\n', "2.3.4"),
        (".github/workflows/test.yml", "run: pip install apache-airflow==2.3.4\n", "2.3.4"),
        ("node_modules/x/Dockerfile", "FROM apache/airflow:2.3.4\n", ""),
        ("README.md", "pip install apache-airflow==2.3.4\n", ""),
    ],
)  # fmt: skip
def test_what_names_the_version(name: str, text: str, version: str, tmp_path: Path) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text(text)
    (tmp_path / "sales.py").write_text("from airflow.decorators import dag\n")
    found, why = source_version(tmp_path)
    assert found == (version or "2.11.2")
    assert (f"{name} names it" in why) is bool(version)
    assert ("--from" in why) is not bool(version)


def test_what_is_pinned_goes_before_what_is_built_and_run(tmp_path: Path) -> None:
    for name, text in (
        (".env", "AIRFLOW_VERSION=2.1.0\n"),
        ("Dockerfile", "FROM apache/airflow:2.2.0\n"),
        ("requirements.txt", "apache-airflow==2.3.0\n"),
    ):
        (tmp_path / name).write_text(text)
    found, why = source_version(tmp_path)
    assert found == "2.3.0"
    assert "Dockerfile says 2.2.0" in why


def test_a_folder_of_dags_is_part_of_a_repository(tmp_path: Path) -> None:
    dags = tmp_path / "airflow/home/dags"
    dags.mkdir(parents=True)
    (tmp_path / "Dockerfile").write_text("FROM apache/airflow:2.3.4\nENV AIRFLOW__CORE__DEFAULT_TIMEZONE=Europe/Oslo\n")
    assert source_version(dags)[0] == "2.11.2"  # what is around is not known to be the project's
    (tmp_path / ".git").mkdir()
    assert source_version(dags)[0] == "2.3.4"
    assert default_timezone(dags) == "Europe/Oslo"
    (dags / "a.py").write_text("x = 1\n")
    assert source_version(dags / "a.py")[0] == "2.3.4"


def test_code_that_tells_nothing_newer_is_taken_for_the_last_2(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("from airflow import DAG\n")
    found, why = source_version(tmp_path)
    assert (found, "nothing tells" in why, "--from" in why) == ("2.11.2", True, True)
