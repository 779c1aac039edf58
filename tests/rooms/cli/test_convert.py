"""`aerodrome convert` writes a project, counts every element, and refuses what it cannot do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.rooms.migration.convert.oozie.estates import write_estate

from aerodrome.cli.convert import run
from aerodrome.kernel.errors import Conflict, Invalid, NotFound


def test_a_project_with_its_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_estate(tmp_path / "source")
    (tmp_path / "profile.yaml").write_text("runner: ssh\nssh: {conn_id: edge}\nrunners: {shell: local}\n")
    out = tmp_path / "out"
    run("oozie", source, out=out, profile=tmp_path / "profile.yaml", report=tmp_path / "report.json")
    assert "daily" in capsys.readouterr().out
    assert sorted(path.name for path in (out / "dags").iterdir()) == ["daily_dag.py"]
    assert 'ssh_conn_id="edge"' in (out / "dags/daily_dag.py").read_text()
    assert "edge:" in (out / "connections.yaml").read_text()
    assert "apache-airflow-providers-ssh" in (out / "requirements.txt").read_text()
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["definitions"] == 3
    assert sum(report["totals"].values()) == sum(len(dag["elements"]) for dag in report["dags"])
    assert report["totals"]["raises"] == 1


def test_strict_is_strict_and_html_is_told(tmp_path: Path) -> None:
    source = write_estate(tmp_path / "source")
    with pytest.raises(SystemExit) as caught:
        run("oozie", source, out=tmp_path / "out", strict=True, report=tmp_path / "report.html")
    assert caught.value.code == 1
    page = (tmp_path / "report.html").read_text()
    assert "action type that is known" in page
    assert "<script" not in page


def test_wrong_wishes_are_refused(tmp_path: Path) -> None:
    source = write_estate(tmp_path / "source")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/a").touch()
    (tmp_path / "bad.yaml").write_text("a: [")
    (tmp_path / "empty").mkdir()
    with pytest.raises(Conflict):
        run("oozie", source, out=tmp_path / "full")
    with pytest.raises(Invalid):
        run("cron", source, out=tmp_path / "out")
    with pytest.raises(Invalid):
        run("oozie", source, out=tmp_path / "out", profile=tmp_path / "bad.yaml")
    with pytest.raises(Invalid):
        run("oozie", tmp_path / "empty", out=tmp_path / "out")
    with pytest.raises(NotFound):
        run("oozie", tmp_path / "none", out=tmp_path / "out")


@pytest.mark.parametrize(
    ("source", "broken", "foreign"),
    [
        ("oozie", {"workflow.xml": "garbage"}, {"beans.xml": "<beans/>", "notes.xml": "garbage"}),
        ("controlm", {"a.xml": '<DEFTABLE><FOLDER FOLDER_NAME="a">'}, {"b.xml": "garbage", "c.json": "[1, 2"}),
    ],
)
def test_every_file_is_told_of_when_nothing_comes_of_them(
    source: str, broken: dict[str, str], foreign: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "source"
    folder.mkdir()
    for name, text in {**broken, **foreign}.items():
        (folder / name).write_text(text)
    with pytest.raises(SystemExit) as caught:
        run(source, folder, out=tmp_path / "out", report=tmp_path / "report.json")
    assert caught.value.code == 1
    assert not (tmp_path / "out").exists()
    report = json.loads((tmp_path / "report.json").read_text())
    assert [item["file"] for item in report["rejected"]] == list(broken)
    assert report["others"] == list(foreign)
    told = capsys.readouterr()
    assert all(name in told.out + told.err for name in (*broken, *foreign))
