"""What is read of a source's code through links. If this breaks, code that Airflow runs is not assessed, and does not move."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.migration.service.code import gather
from aerodrome.migration.sources.code_reading import CodeReading, walk
from aerodrome.migration.sources.contract import CodeFolders

OLD = "from airflow import DAG\n\nDAG('a', schedule_interval=None)\n"


@pytest.fixture
def folders(tmp_path: Path) -> CodeFolders:
    (tmp_path / "dags/own").mkdir(parents=True)
    (tmp_path / "common/deep").mkdir(parents=True)
    (tmp_path / "dags/own/a.py").write_text(OLD)
    (tmp_path / "common/deep/b.py").write_text(OLD)
    (tmp_path / "common/c.py").write_text(OLD)
    (tmp_path / "dags/common").symlink_to("../common")
    (tmp_path / "dags/c_again.py").symlink_to(tmp_path / "common/c.py")
    (tmp_path / "dags/alias.py").symlink_to("own/a.py")
    (tmp_path / "dags/circle").symlink_to(".")
    (tmp_path / "dags/gone.py").symlink_to("nowhere.py")
    return CodeFolders(tmp_path / "dags", None, None, None)


def test_code_behind_links_is_listed_read_and_moved(folders: CodeFolders, tmp_path: Path) -> None:
    listed = [path.relative_to(folders.dags_folder).as_posix() for path in walk(folders.dags_folder)]
    assert listed == ["alias.py", "c_again.py", "common/c.py", "common/deep/b.py", "own/a.py"]
    facts = list(CodeReading.of(folders).facts())
    assert {fact.path for fact in facts if fact.rule == "AIR301"} == set(listed)
    assert {fact.path for fact in facts if fact.rule == "left-out"} == {"circle", "gone.py"}
    left = gather(folders, tmp_path / "gathered")
    assert {item.path for item in left} == {"dags/circle", "dags/gone.py"}
    assert all((tmp_path / "gathered/dags" / name).is_file() for name in listed)
