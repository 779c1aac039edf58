"""People look at the code upgrade before it is deployed, and reject files; the plan keeps it and the code step does so."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.rooms.migration.service.conftest import NAME, Desk

from aerodrome.kernel.errors import Conflict, Denied, Invalid, NotFound
from aerodrome.migration.service import code
from aerodrome.migration.service.folder import read_json
from aerodrome.migration.sources.contract import CodeFolders


def reviewed(desk: Desk) -> Mapping[str, Any]:
    desk.migrations.code_review.ask(desk.actor(), NAME)
    desk.work()
    return desk.migrations.code_review.changes(desk.actor("viewer"), NAME)


def changed(found: Mapping[str, Any]) -> list[str]:
    return [file["path"] for file in found["files"] if file["diff"]]


def test_a_review_shows_the_changes_before_anything_is_applied(desk: Desk) -> None:
    desk.connect()
    with pytest.raises(Conflict, match="no plan yet"):
        desk.migrations.code_review.ask(desk.actor(), NAME)
    desk.migrations.assess(desk.actor(), NAME)
    desk.work()
    with pytest.raises(NotFound):
        desk.migrations.code_review.changes(desk.actor(), NAME)
    with pytest.raises(Denied):
        desk.migrations.code_review.ask(desk.actor("viewer"), NAME)
    assert desk.migrations.code_review.state(desk.actor(), NAME) == {"status": "none", "error": None}
    assert desk.migrations.code_review.ask(desk.actor(), NAME)["status"] == "asked"
    desk.work()
    assert desk.migrations.code_review.state(desk.actor(), NAME)["status"] == "done"
    found = desk.migrations.code_review.changes(desk.actor("viewer"), NAME)
    assert "dags/daily_sales.py" in changed(found)
    assert found["rejected"] == []
    assert desk.view.tracks == ()  # nothing was applied


def test_a_rejected_file_stays_as_the_source_has_it(desk: Desk) -> None:
    desk.assessed()
    rejected = "dags/daily_sales.py"
    others = [path for path in changed(reviewed(desk)) if path != rejected]
    before = desk.migrations.plan(desk.actor(), NAME)
    plan = desk.migrations.code_review.decide(desk.actor(), NAME, [rejected])
    assert plan.digest != before.digest
    assert f"  rejected:\n    - {rejected}\n" in plan.text
    assert plan.text.replace(f"  rejected:\n    - {rejected}\n", "  rejected: []\n") == before.text
    step = next(step for step in plan.steps if step["key"] == "code.upgrade")
    assert step["params"]["rejected"] == [rejected]
    assert "1 file as the source has them" in step["title"]

    desk.migrations.apply(desk.actor(), NAME, plan.digest)
    desk.stop_before = {"deploy.bundle"}
    desk.work()
    row = desk.migrations.row_for(desk.actor(), NAME, "migration.read")
    folder = desk.migrations.folder_of(row)
    assert (folder.code / rejected).read_bytes() == (desk.legacy.project / rejected).read_bytes()
    assert all((folder.code / path).read_bytes() != (folder.gathered / path).read_bytes() for path in others)
    done = next(step for step in desk.view.tracks[0].steps if step.key == "code.upgrade")
    assert done.result is not None
    assert done.result["files_rejected"] == 1
    shown = desk.migrations.code_review.changes(desk.actor(), NAME)
    assert [file["path"] for file in shown["files"] if file["is_rejected"]] == [rejected]


def test_accepting_again_gives_the_plan_of_before(desk: Desk) -> None:
    desk.assessed()
    reviewed(desk)
    before = desk.migrations.plan(desk.actor(), NAME)
    desk.migrations.code_review.decide(desk.actor(), NAME, ["dags/daily_sales.py"])
    assert desk.migrations.code_review.decide(desk.actor(), NAME, []) == before
    with pytest.raises(Invalid, match=r"does not change dags/nowhere\.py") as error:
        desk.migrations.code_review.decide(desk.actor(), NAME, ["dags/nowhere.py"])
    assert error.value.code == "code-file-unknown"


def test_the_plan_can_ask_the_package_index(desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")  # there is none here: it is asked, and that it did not answer is said
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    desk.assessed()

    def said(found: Mapping[str, Any]) -> set[str]:
        return {item["rule"] for file in found["files"] for item in file["findings"]}

    assert "requirements-unchecked" not in said(reviewed(desk))
    plan = desk.migrations.plan(desk.actor(), NAME)
    dated = plan.text.replace("code:\n", "code:\n  requirements_as_of: 2026-09-01\n")
    plan = desk.migrations.save_plan(desk.actor(), NAME, dated)
    assert "requirements-unchecked" in said(reviewed(desk))
    desk.migrations.apply(desk.actor(), NAME, plan.digest)
    desk.stop_before = {"deploy.bundle"}
    desk.work()
    row = desk.migrations.row_for(desk.actor(), NAME, "migration.read")
    changes = read_json(desk.migrations.folder_of(row).code_json)
    assert changes is not None
    assert "requirements-unchecked" in said(changes)


def test_a_review_that_fails_says_why(desk: Desk) -> None:
    desk.assessed()
    row = desk.migrations.row_for(desk.actor(), NAME, "migration.read")
    folder = desk.migrations.folder_of(row)
    desk.migrations.code_review.ask(desk.actor(), NAME)
    for path in folder.estates.rglob("*"):
        if path.is_file():
            path.unlink()
    desk.work()
    seen = desk.migrations.code_review.state(desk.actor(), NAME)
    assert seen["status"] == "failed"
    assert seen["error"]["message"]


def test_the_newest_of_step_and_review_is_shown(desk: Desk) -> None:
    desk.assessed()
    row = desk.migrations.row_for(desk.actor(), NAME, "migration.read")
    folder = desk.migrations.folder_of(row)
    project = desk.legacy.project
    source = CodeFolders(project / "dags", None, None, None)
    code.review(folder, source, "3.3.2", catchup_by_default=True)
    code.upgrade_into(
        folder, CodeFolders(project / "dags", project / "plugins", None, None), "3.3.2", catchup_by_default=True
    )
    done = code.newest(folder)
    assert done is not None
    code.review(folder, source, "3.3.2", catchup_by_default=True)
    seen = code.newest(folder)
    assert seen is not None
    assert seen["files_total"] < done["files_total"]


def test_files_whose_tasks_raise_are_told_unless_the_plan_rejects_them(desk: Desk, tmp_path: Path) -> None:
    desk.assessed()
    row = desk.migrations.row_for(desk.actor(), NAME, "migration.read")
    folder = desk.migrations.folder_of(row)
    (dags := tmp_path / "old").mkdir()
    (dags / "train.py").write_text(
        "from airflow import DAG\nfrom airflow.providers.google.cloud.operators.automl import AutoMLGetModelOperator\n\n"
        "with DAG('train', schedule=None):\n    AutoMLGetModelOperator(task_id='a', model_id='m')\n"
    )
    (dags / "other.py").write_text("from airflow import DAG\n\nDAG('other', schedule_interval=None)\n")
    source = CodeFolders(dags, None, None, None)
    done = code.upgrade_into(folder, source, "3.3.2", catchup_by_default=True)
    assert done["files_raising"] == 1
    assert "in 1 files tasks raise" in done["summary"]
    assert set(read_json(folder.raising_json)) == {"dags/train.py"}
    files = desk.migrations.code_review.changes(desk.actor(), NAME)["files"]
    assert {file["path"]: file["is_raising"] for file in files} == {"dags/other.py": False, "dags/train.py": True}
    done = code.upgrade_into(folder, source, "3.3.2", catchup_by_default=True, rejected=["dags/train.py"])
    assert done["files_raising"] == 0
    assert read_json(folder.raising_json) == {}


@pytest.mark.parametrize(
    ("options", "zone"),
    [({"core.default_timezone": "Europe/Paris"}, "Europe/Paris"), ({"core.default_timezone": None}, ""), ({}, "")],
)
def test_the_zone_of_dates_is_that_of_the_sources_configuration(options: dict[str, str | None], zone: str) -> None:
    records = [SimpleNamespace(option=option, value=value) for option, value in options.items()]
    estate: Any = SimpleNamespace(records=lambda kind: records if kind == "config" else [])
    assert code.default_timezone(estate) == zone


def test_the_code_is_upgraded_as_the_source_read_it(desk: Desk, tmp_path: Path) -> None:
    dags = tmp_path / "shop" / "dags"
    dags.mkdir(parents=True)
    dags.joinpath("a.py").write_text(
        "from datetime import datetime\nfrom airflow import DAG\nfrom airflow.contrib.hooks.bigquery_hook import BigQueryHook\n\n"
        "dag = DAG('a', schedule_interval='@daily', default_args={'start_date': '2024-01-01'})\nhook = BigQueryHook()\n"
    )
    desk.assessed()
    folder = desk.migrations.folder_of(desk.migrations.row_for(desk.actor(), NAME, "migration.read"))
    for version, is_said in (("1.10.15", True), ("2.4.3", False)):
        code.review(
            folder,
            CodeFolders(dags, None, None, None),
            "3.3.2",
            catchup_by_default=True,
            default_timezone="Europe/Paris",
            source_version=version,
        )
        text = str(read_json(folder.review_json)["files"])
        assert "Europe/Paris" in text
        assert ("bigquery_default" in text) == is_said
