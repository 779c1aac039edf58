"""Bundles: the same project is the same bundle everywhere, and nothing foreign gets in."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from aerodrome.builds import BundleStore
from aerodrome.builds.trees import PARTS
from aerodrome.kernel.errors import Invalid, NotFound


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    for name, text in {
        "dags/a.py": "A = 1",
        "dags/team/b.sql": "select 1",
        "plugins/p.py": "P = 1",
        "include/i.py": "I = 1",
        "requirements.txt": "requests==2.32.0  # pinned\n\n# comment\npendulum\n",
        "README.md": "words",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def bundles(tmp_path: Path) -> BundleStore:
    return BundleStore(tmp_path / "bundles")


def test_a_bundle_holds_the_project_and_its_facts(bundles: BundleStore, project: Path) -> None:
    bundle = bundles.put(project)
    assert set(bundle.parts) == set(PARTS)
    assert bundle.file_count == 6
    assert bundle.requirements == ("requests==2.32.0", "pendulum")
    assert (bundle.path / "dags/team/b.sql").read_text() == "select 1"
    assert bundles.get(bundle.digest) == bundle


def test_times_rubbish_and_order_do_not_change_the_digest(bundles: BundleStore, project: Path) -> None:
    first = bundles.put(project)
    os.utime(project / "dags/a.py", (1, 1))
    for name in ("dags/__pycache__/a.pyc", ".git/HEAD", "venv/pyvenv.cfg", "my-env/pyvenv.cfg", "airflow.db", ".env"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text("rubbish")
    assert bundles.put(project) == first
    assert len(list((bundles._root).iterdir())) == 1


def test_folders_that_only_look_like_rubbish_stay(bundles: BundleStore, project: Path) -> None:
    for name in ("dags/env/x.py", "include/logs/y.py"):
        (project / name).parent.mkdir(parents=True)
        (project / name).write_text("X = 1")
    assert (bundles.put(project).path / "dags/env/x.py").exists()
    assert (bundles.put(project).path / "include/logs/y.py").exists()


@pytest.mark.parametrize(
    ("name", "part"),
    [("dags/a.py", "dags"), ("plugins/p.py", "plugins"), ("requirements.txt", "requirements"), ("x.cfg", "other")],
)
def test_a_change_changes_its_own_part_only(bundles: BundleStore, project: Path, name: str, part: str) -> None:
    first = bundles.put(project)
    (project / name).write_text("changed")
    second = bundles.put(project)
    assert second.digest != first.digest
    assert [key for key in PARTS if first.parts[key] != second.parts[key]] == [part]
    assert (first.path / "dags/a.py").read_text() == "A = 1"


def test_links_inside_are_followed_and_links_outside_refused(bundles: BundleStore, project: Path) -> None:
    (project / "dags/inside.py").symlink_to("a.py")
    assert (bundles.put(project).path / "dags/inside.py").read_text() == "A = 1"
    (project / "dags/outside.py").symlink_to("/etc/passwd")
    with pytest.raises(Invalid, match=r"dags/outside\.py leaves the project folder") as caught:
        bundles.put(project)
    assert caught.value.code == "project-link-outside"


def test_a_link_to_a_folder_above_ends(bundles: BundleStore, project: Path) -> None:
    (project / "dags/loop").symlink_to("..")
    with pytest.raises(Invalid, match="above itself"):
        bundles.put(project)


def test_a_folder_without_dags_is_refused(bundles: BundleStore, tmp_path: Path) -> None:
    with pytest.raises(Invalid) as caught:
        bundles.put(tmp_path)
    assert caught.value.code == "project-without-dags"
    with pytest.raises(Invalid) as caught:
        bundles.put(tmp_path / "nowhere")
    assert caught.value.code == "project-missing"


def test_options_in_requirements_name_their_line_and_airflow_constraints_are_left_out(
    bundles: BundleStore, project: Path
) -> None:
    constraints = "-c https://example.invalid/constraints-2.11.2/constraints-3.11.txt"
    (project / "requirements.txt").write_text(f"{constraints}\nrequests\n")
    assert bundles.put(project).requirements == ("requests",)
    (project / "requirements.txt").write_text("requests\n-r other.txt\n")
    with pytest.raises(Invalid, match="line 2: the option -r"):
        bundles.put(project)


def test_an_unknown_digest_is_not_found(bundles: BundleStore) -> None:
    for digest in ("f" * 64, "../../etc"):
        with pytest.raises(NotFound):
            bundles.get(digest)


Packer = Callable[[tarfile.TarFile], None]


def archive(pack: Packer) -> io.BytesIO:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        pack(tar)
    stream.seek(0)
    return stream


def add(tar: tarfile.TarFile, name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> None:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    tar.addfile(member, io.BytesIO())


def add_twice(tar: tarfile.TarFile) -> None:
    add(tar, "dags/a.py")
    add(tar, "dags/a.py")


@pytest.mark.parametrize("top", [".", "my-project"])
def test_an_upload_is_the_same_bundle_as_its_folder(bundles: BundleStore, project: Path, top: str) -> None:
    stream = archive(lambda tar: tar.add(project, top))
    assert bundles.put_archive(stream) == bundles.put(project)


@pytest.mark.parametrize(
    "pack",
    [
        lambda tar: add(tar, "../evil.py"),
        lambda tar: add(tar, "/etc/evil"),
        lambda tar: add(tar, "dags/link", tarfile.SYMTYPE, "/etc/passwd"),
        lambda tar: add(tar, "dags/hard", tarfile.LNKTYPE, "/etc/passwd"),
        lambda tar: add(tar, "dags/device", tarfile.CHRTYPE),
        add_twice,
    ],
)
def test_dangerous_uploads_are_refused(bundles: BundleStore, tmp_path: Path, pack: Packer) -> None:
    with pytest.raises(Invalid) as caught:
        bundles.put_archive(archive(pack))
    assert caught.value.code == "archive-unsafe"
    assert list(bundles._root.iterdir()) == []
    assert not (tmp_path / "evil.py").exists()


def test_broken_and_huge_uploads_are_refused(bundles: BundleStore) -> None:
    with pytest.raises(Invalid) as caught:
        bundles.put_archive(io.BytesIO(b"this is no archive"))
    assert caught.value.code == "archive-unreadable"
    with pytest.raises(Invalid) as caught:
        bundles.put_archive(archive(add_huge))
    assert caught.value.code == "project-too-big"


def add_huge(tar: tarfile.TarFile) -> None:
    member = tarfile.TarInfo("dags/huge.bin")
    member.size = 1 << 40
    assert tar.fileobj is not None
    tar.fileobj.write(member.tobuf())  # the head only: who believes it would fill the disk


def sent(project: Path) -> list[tuple[str, io.BytesIO]]:
    """The files as a browser names them: the folder that was chosen stands in front."""
    files = sorted(path for path in project.rglob("*") if path.is_file())
    return [(f"{project.name}/{path.relative_to(project)}", io.BytesIO(path.read_bytes())) for path in files]


def test_a_folder_that_a_browser_sent_is_the_same_bundle(bundles: BundleStore, project: Path) -> None:
    assert bundles.put_files(sent(project)).digest == bundles.put(project).digest


@pytest.mark.parametrize("name", ["../dags/a.py", "/dags/a.py", "project/../../a.py", "a.py", "project/dags/a.py/b.py"])
def test_a_sent_file_stays_in_its_folder(bundles: BundleStore, project: Path, name: str) -> None:
    with pytest.raises(Invalid) as caught:
        bundles.put_files([*sent(project), (name, io.BytesIO(b"x"))])
    assert caught.value.code == "archive-unsafe"
