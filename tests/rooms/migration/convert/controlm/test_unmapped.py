"""Types of jobs that nothing converts are listed in a profile to fill in, which maps them once its entries are completed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from tests.rooms.migration.convert.controlm.sample import convert, dag_of

from aerodrome.migration.convert.contract import Conversion
from aerodrome.migration.convert.controlm.site import read_site
from aerodrome.migration.convert.emission import compose

CREATE = {"Type": "Job:SAP:R3:CREATE", "SapJobName": "A secret name", "ConnectionProfile": "SAP1"}
JOBS: dict[str, Any] = {
    "Kafka": {"Type": "Job:ApplicationIntegrator:AI Kafka [v*]", "AI-Topic": "t"},
    "One": {**CREATE, "Priority of it": "A"},
    "Two": CREATE,
    "Plain": {"Type": "Job:Command", "Command": "true"},
}


def conversion_of(folder: Path, jobs: dict[str, Any], profile: dict[str, Any] | None = None) -> Conversion:
    return convert(folder, json.dumps({"F": {"Type": "Folder", **jobs}}), profile, name="jobs.json")


def test_each_type_has_its_count_and_the_names_of_its_details(tmp_path: Path) -> None:
    text = compose(conversion_of(tmp_path, JOBS), "3.3")["job_types.yaml"]
    assert '# 2 jobs, the first: "F/One"' in text
    assert '"SapJobName" (2)' in text
    assert '"Priority of it" (1)' in text
    assert text.index("Job:SAP") < text.index("Kafka")
    assert "secret" not in text
    assert "Job:Command" not in text
    assert read_site(yaml.safe_load(text)).job_types == ()  # as written it changes nothing


def test_an_uncommented_entry_makes_the_jobs_real(tmp_path: Path) -> None:
    text = compose(conversion_of(tmp_path, JOBS), "3.3")["job_types.yaml"]
    lines = [line.replace("  # ", "  ", 1) if "command: " in line else line for line in text.splitlines()]
    profile = yaml.safe_load("\n".join(lines))
    assert profile["job_types"]["Job:SAP:R3:CREATE"] == {"command": "COMMAND {ConnectionProfile} {SapJobName}"}
    made = conversion_of(tmp_path, JOBS, profile)
    tasks = dag_of(made, "F").tasks
    assert {task.role for task in tasks if task.role in ("real", "raises")} == {"real"}
    assert "COMMAND SAP1 'A secret name'" in dict(dag_of(made, "F").task("Two").arguments).values()
    assert "job_types.yaml" not in compose(made, "3.3")


def test_names_with_ends_of_lines_stay_comments(tmp_path: Path) -> None:
    odd = {"Type": "Job:Odd \u2028thing", "a\x85b: c": "x", "d\ne": "y"}
    text = compose(conversion_of(tmp_path, {"J": odd}), "3.3")["job_types.yaml"]
    assert read_site(yaml.safe_load(text)).job_types == ()
    uncommented = "\n".join(
        line.replace("  # ", "  ", 1) if "command: " in line else line for line in text.splitlines()
    )
    made = conversion_of(tmp_path, {"J": odd}, yaml.safe_load(uncommented))
    assert dag_of(made, "F").task("J").role == "real"


def test_a_project_without_such_types_has_no_such_file(tmp_path: Path) -> None:
    assert "job_types.yaml" not in compose(conversion_of(tmp_path, {"Plain": JOBS["Plain"]}), "3.3")
