"""The whole story in one command: a real self-managed Airflow 2 ends up as a hosted Airflow 3, with proof.

If this breaks, the first thing that a newcomer tries does not work.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil
import pytest

from aerodrome.demo.selfmanaged import AIRFLOW_VERSION
from aerodrome.demo.source_files import SourceSecrets
from aerodrome.demo.story import FIRST_WAVE, TARGET_VERSION

pytestmark = [pytest.mark.airflow, pytest.mark.journey]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the demo ran, once for all tests here."""
    folder = tmp_path_factory.mktemp("demo")
    env = {**os.environ, "AERODROME_DEMO_HOME": str(folder / ".demo")}
    command = [sys.executable, "-m", "aerodrome.cli", "demo", "--exit"]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


@pytest.fixture
def report(told: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((told / "demo-report.json").read_text())
    return data


def test_report_names_both_versions_and_proves_what_moved(report: dict[str, Any]) -> None:
    assert (report["source_version"], report["target_version"]) == (AIRFLOW_VERSION, TARGET_VERSION)
    assert {"dag", "connection", "variable", "pool", "env_var"} <= report["kinds"].keys()
    for row in report["kinds"].values():
        assert row["found"] == row["moved"] > 0
        assert row["failed"] == 0
    assert {"run", "task_instance", "task_try", "xcom", "rendered"} == report["history"].keys()
    for row in report["history"].values():
        assert row["found"] == row["moved"] > 0
        assert row["source_hash"] == row["target_hash"]


def test_first_wave_ran_its_next_interval_in_the_target(report: dict[str, Any]) -> None:
    entries = {entry["dag_id"]: entry for entry in report["cutover"]}
    assert entries.keys() == set(FIRST_WAVE)
    for entry in entries.values():
        assert entry["first_target_state"] == "success"
        assert entry["first_target_interval"][0] == entry["last_source_interval"][1]


def test_page_of_the_report_stands_beside_it(told: Path) -> None:
    assert "<html" in (told / "demo-report.html").read_text()


def test_nothing_of_the_demo_is_left_running(told: Path) -> None:
    root = str(told)
    left = []
    for process in psutil.process_iter():
        try:
            if root in " ".join(process.cmdline()) or process.cwd().startswith(root):
                left.append(process.info if hasattr(process, "info") else process.cmdline())
        except psutil.Error:
            continue
    assert left == []


def test_no_secret_of_the_source_stands_in_reports_logs_or_estate(told: Path) -> None:
    hidden = SourceSecrets.read(told / ".demo" / "source" / "secrets.json")
    home = told / ".demo" / "platform" / "home"
    places = [
        told / "demo-report.json",
        told / "demo-report.html",
        told / ".demo" / "plan.yaml",
        told / ".demo" / "platform" / "server.log",
        home / "aerodrome.db",
        *(path for path in (home / "migrations").rglob("*") if path.is_file()),
        *(path for path in (home / "deployments").glob("*/logs/**/*") if path.is_file()),
    ]
    for place in places:
        content = place.read_bytes()
        found = [name for name, value in asdict(hidden).items() if value.encode() in content]
        assert found == [], place
