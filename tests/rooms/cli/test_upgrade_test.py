"""`aerodrome dev upgrade-test` over a real project, with both real Airflows: what it says, writes and exits with."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.rooms.migration.sources.conftest import PROJECT

from aerodrome.builds.contract import Venv
from aerodrome.cli.dev import upgrade_test
from aerodrome.cli.options import Offline
from aerodrome.parsing import warm

pytestmark = pytest.mark.airflow
BROKEN = """
import pendulum
from airflow import DAG
from airflow.operators.bash import BashOperator
from airflow.models.dagpickle import DagPickle

print(DagPickle)

with DAG("lost", start_date=pendulum.datetime(2024, 1, 1), schedule="@daily", catchup=False):
    BashOperator(task_id="a", bash_command="true")
"""


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home of the test's own: both Airflows stay started in it after a proof, until the test ends."""
    place = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(place))
    yield place
    for name in ("source", "target"):
        warm.end_all(place / ".cache" / "aerodrome" / "proofs" / name / "warm")


def snapshot(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_real_project_is_upgraded_and_proved_in_a_copy(
    airflow_venv: Callable[..., Venv], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = tmp_path / "project"
    shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("__pycache__"))
    (project / "dags" / "broken.py").unlink()  # it has no start_date: whether it would catch up is a finding
    before = snapshot(project)
    wishes = {
        "from_version": "2.11.2",
        "source_venv": airflow_venv("2.11.2").path,
        "target_venv": airflow_venv("3.3.2").path,
        "report": tmp_path / "report.json",
        "html": tmp_path / "page.html",
    }
    upgrade_test(project, **wishes)  # type: ignore[arg-type]  # no exit: nothing is broken or different
    assert snapshot(project) == before
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["source_version"], report["target_version"]) == ("2.11.2", "3.3.2")
    verdicts = {item["file"]: item["verdict"] for item in report["proof"]["files"]}
    assert verdicts["dags/daily_sales.py"] in ("equal", "equal-but-for")
    assert sum(report["proof"]["verdicts"].values()) == len(verdicts)
    assert "dags/daily_sales.py" in (tmp_path / "page.html").read_text()
    said = capsys.readouterr()
    assert "nothing was written" in said.err
    assert "--- a/" not in said.out  # no diff

    (project / "dags" / "lost.py").write_text(BROKEN)
    with pytest.raises(SystemExit) as ended:
        upgrade_test(project, **wishes, offline=Offline(output="json"))  # type: ignore[arg-type]
    assert ended.value.code == 1
    answer = json.loads(capsys.readouterr().out)
    lost = next(item for item in answer["proof"]["files"] if item["file"] == "dags/lost.py")
    assert lost["verdict"] == "broken"
    assert "dagpickle" in lost["reason"]
