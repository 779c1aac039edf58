"""`aerodrome upgrade` writes only where it was told to, and its report holds everything."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from aerodrome.cli.upgrade import _warm_home, run
from aerodrome.kernel.errors import Conflict, Invalid

_OLD = "from airflow.operators.bash_operator import BashOperator\nfrom airflow import DAG\n\ndag = DAG('a', schedule_interval=None)\nBashOperator(task_id='b', dag=dag)\n"


def _project(folder: Path) -> Path:
    (folder / "dags").mkdir(parents=True)
    (folder / "dags" / "a.py").write_text(_OLD)
    return folder


def test_nothing_is_written_unless_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project = _project(tmp_path / "project")
    run(project, to_version="3.3", report=tmp_path / "report.json")
    assert (project / "dags" / "a.py").read_text() == _OLD
    shown = capsys.readouterr().out
    assert "+from airflow.providers.standard.operators.bash import BashOperator" in shown
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["source_version"] == "1.10.15"
    assert report["target_version"].startswith("3.3.")
    assert report["rules"]["moved-name"] == 1
    assert report["proof"] is None


def test_files_are_changed_where_they_are(tmp_path: Path) -> None:
    project = _project(tmp_path / "project")
    run(project, write=True, diff=False)
    once = (project / "dags" / "a.py").read_text()
    assert "schedule=None" in once
    run(project / "dags" / "a.py", write=True, diff=False)
    assert (project / "dags" / "a.py").read_text() == once


def test_only_what_a_person_accepted_is_written(tmp_path: Path) -> None:
    project = _project(tmp_path / "project")
    (project / "dags" / "b.py").write_text(_OLD + "# <b>&\n")
    run(project, diff=False, html=tmp_path / "review.html")
    shown = (tmp_path / "review.html").read_text()
    assert re.findall(r'name="accept" value="([^"]+)" checked', shown) == ["dags/a.py", "dags/b.py"]
    assert "<b>&" not in shown
    assert not re.search(r'(src|href)="|https?://', shown)  # it asks nobody for anything
    (tmp_path / "accepted.txt").write_text("dags/b.py\n")
    run(project, write=True, diff=False, only=tmp_path / "accepted.txt")
    assert (project / "dags" / "a.py").read_text() == _OLD
    assert "schedule=None" in (project / "dags" / "b.py").read_text()
    (tmp_path / "accepted.txt").write_text("dags/../../other.py\n")
    with pytest.raises(Invalid) as caught:
        run(project, write=True, diff=False, only=tmp_path / "accepted.txt")
    assert caught.value.code == "upgrade-only-unknown"
    with pytest.raises(Invalid):
        run(project, only=tmp_path / "accepted.txt")


def test_what_was_not_checked_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project = _project(tmp_path / "project")
    run(project, diff=False)
    assert "--as-of" not in capsys.readouterr().err
    (project / "requirements.txt").write_text("requests==2.0\n")
    run(project, diff=False)
    assert "not checked (--as-of DAY asks the package index)" in capsys.readouterr().err


def test_an_older_target_gets_its_newest_release(tmp_path: Path) -> None:
    project = _project(tmp_path / "project")
    run(project, to_version="2.11", diff=False, report=tmp_path / "report.json")
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["target_version"], report["files_changed"]) == ("2.11.2", 0)


def test_wrong_wishes_are_refused(tmp_path: Path) -> None:
    project = _project(tmp_path / "project")
    with pytest.raises(Invalid):
        run(project, write=True, out=tmp_path / "out")
    with pytest.raises(Invalid):
        run(project, to_version="3.9")
    with pytest.raises(Invalid) as caught:
        run(project, prove=True)
    assert caught.value.code == "upgrade-venv-needed"


def test_nothing_is_written_when_one_file_lies_outside_the_project(tmp_path: Path) -> None:
    project = _project(tmp_path / "project")
    outside = tmp_path / "shared.py"
    outside.write_text("from airflow.operators.dummy_operator import DummyOperator\n")
    (project / "dags/zz_shared.py").symlink_to(outside)
    before = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}
    with pytest.raises(Conflict) as told:
        run(project, write=True)
    assert told.value.code == "upgrade-link"
    assert {path: path.read_bytes() for path in project.rglob("*") if path.is_file()} == before


def test_a_file_whose_tasks_raise_is_not_accepted_beforehand(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = _project(tmp_path / "project")
    old = "from airflow.providers.google.cloud.operators.automl import AutoMLGetModelOperator\n\nAutoMLGetModelOperator(task_id='dag')\n"
    (project / "dags" / "b.py").write_text(old)
    run(project, diff=False, html=tmp_path / "review.html")
    shown = (tmp_path / "review.html").read_text()
    assert re.findall(r'name="accept" value="([^"]+)"( checked)?', shown) == [
        ("dags/a.py", " checked"),
        ("dags/b.py", ""),
    ]
    assert "not proved, tasks raise" in shown
    assert "AutoMLGetModelOperator stands in for" in capsys.readouterr().out
    run(project, diff=False, write=True, gone="keep")
    assert (project / "dags" / "b.py").read_text() == old


def test_interpreters_stay_for_one_proof_at_a_time_and_only_where_a_home_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with _warm_home() as first, _warm_home() as second:
        assert first == tmp_path / ".cache/aerodrome/proofs"
        assert second is None
    with _warm_home() as again:
        assert again == first
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    with _warm_home() as none:
        assert none is None


@pytest.mark.parametrize(("version", "shown"), [("2.3.4", "moment.isoformat()"), ("2.11.2", "str(moment)")])
def test_from_decides_what_the_code_meant(
    version: str, shown: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "sales.py"
    path.write_text("import pendulum\nfrom airflow import DAG\n\nmoment = pendulum.now()\nprint(str(moment), DAG)\n")
    run(path, from_version=version, write=True, diff=False)
    assert f"print({shown}, DAG)" in path.read_text()


def test_a_file_is_read_in_the_zone_of_its_project(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "airflow.cfg").write_text("[core]\ndefault_timezone = Europe/Oslo\n")
    path = tmp_path / "sales.py"
    path.write_text(
        "from datetime import datetime\nfrom airflow import DAG\n\n"
        'DAG("sales", schedule="@daily", start_date=datetime(2024, 1, 1), catchup=False)\n'
    )
    run(path, write=True, diff=False)
    assert "Europe/Oslo" in path.read_text()


def test_the_version_that_is_given_decides(tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "dags").mkdir(parents=True)
    old = "from airflow.contrib.operators.ssh_operator import SSHOperator\nSSHOperator(task_id='a', command='b')\n"
    (project / "dags" / "a.py").write_text(old)
    for name in ("b", "c"):
        (project / "dags" / f"{name}.py").write_text("from airflow.decorators import task\n")
    told = []
    for at, version in enumerate(("auto", "1.10.15", "2.9.3")):
        run(project, from_version=version, diff=False, out=tmp_path / str(at))
        told.append("cmd_timeout=None" in (tmp_path / str(at) / "dags/a.py").read_text())
    assert told == [False, True, False]
