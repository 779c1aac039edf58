"""Copies of folders with links. If this breaks, DAG code is missing after a migration, or a link in a circle ends it."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from aerodrome.kernel.errors import Invalid
from aerodrome.kernel.trees import LeftOut, copy_tree

NOBODY = 65_534


@pytest.fixture
def project(tmp_path: Path) -> Path:
    project = tmp_path / "project"
    (project / "dags/shared").mkdir(parents=True)
    (project / "dags/a.py").write_text("a")
    (project / "dags/shared/b.py").write_text("b")
    (project / ".git").mkdir()
    (project / ".git/config").write_text("private")
    return project


def copied(project: Path, into: Path) -> list[LeftOut]:
    return copy_tree(project, into, lambda name: name == ".git")


def test_links_inside_stay_links_also_from_an_absolute_path(project: Path, tmp_path: Path) -> None:
    (project / "dags/alias.py").symlink_to((project / "dags/a.py").resolve())
    (project / "plugins").symlink_to("dags/shared")
    assert copied(project, tmp_path / "out") == []
    assert (tmp_path / "out/dags/alias.py").resolve() == (tmp_path / "out/dags/a.py").resolve()
    assert (tmp_path / "out/plugins/b.py").read_text() == "b"
    assert (tmp_path / "out/plugins").is_symlink()
    assert not (tmp_path / "out/.git").exists()


def test_links_to_elsewhere_become_what_they_lead_to(project: Path, tmp_path: Path) -> None:
    (tmp_path / "common/deep").mkdir(parents=True)
    (tmp_path / "common/deep/c.py").write_text("c")
    (tmp_path / "common/back").symlink_to(tmp_path / "common")
    (project / "dags/common").symlink_to(tmp_path / "common")
    (project / "dags/c.py").symlink_to(tmp_path / "common/deep/c.py")
    (project / "dags/private").symlink_to("../.git/config")
    assert copied(project, tmp_path / "out") == [LeftOut("dags/common/back", "it is a link to a folder above itself")]
    for name in ("dags/c.py", "dags/common/deep/c.py", "dags/private"):
        assert (tmp_path / "out" / name).is_file()
        assert not (tmp_path / "out" / name).is_symlink()


def test_what_cannot_be_copied_is_told(project: Path, tmp_path: Path) -> None:
    (project / "dags/circle").symlink_to(".")
    (project / "dags/self").symlink_to("self")
    (project / "dags/everything").symlink_to("/")
    (project / "dags/gone.py").symlink_to("/nowhere/at/all.py")
    os.mkfifo(project / "dags/pipe")
    assert {(item.path, item.reason.rpartition(" ")[2]) for item in copied(project, tmp_path / "out")} == {
        ("dags/circle", "itself"),
        ("dags/self", "nowhere"),
        ("dags/everything", "itself"),
        ("dags/gone.py", "nowhere"),
        ("dags/pipe", "folder"),
    }
    assert sorted(item.name for item in (tmp_path / "out/dags").iterdir()) == ["a.py", "shared"]


def test_a_file_without_the_right_to_read_it_is_named(project: Path) -> None:
    """Also where root runs the tests: nobody reads then."""
    with TemporaryDirectory() as scratch:
        Path(scratch).chmod(0o755)
        there, into = Path(scratch, "project"), Path(scratch, "out")
        shutil.copytree(project, there)
        into.mkdir()
        into.chmod(0o777)
        (there / "dags/a.py").chmod(0)
        before = os.geteuid()
        if before == 0:
            os.seteuid(NOBODY)
        try:
            with pytest.raises(Invalid) as told:
                copied(there, into)
        finally:
            os.seteuid(before)
    assert told.value.code == "file-unreadable"
    assert told.value.details["file"].endswith("dags/a.py")


def test_the_right_to_run_is_kept(project: Path, tmp_path: Path) -> None:
    (project / "dags/run.sh").write_text("true")
    (project / "dags/run.sh").chmod(0o755)
    copied(project, tmp_path / "out")
    assert (tmp_path / "out/dags/run.sh").stat().st_mode & stat.S_IXUSR
