from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from aerodrome.builds.bundles import BundleStore
from aerodrome.client.packing import pack
from aerodrome.kernel.errors import Conflict, Invalid


def project(folder: Path) -> Path:
    (folder / "dags/deep").mkdir(parents=True)
    (folder / "dags/one.py").write_text("print(1)\n")
    (folder / "dags/deep/zwölf.py").write_text("x = 12\n")
    (folder / "dags" / ("long_" * 25 + ".py")).write_text("pass\n")
    (folder / "include").mkdir()
    (folder / "include/big.bin").write_bytes(bytes(range(256)) * 9000)
    (folder / "include/run.sh").write_text("#!/bin/sh\n")
    (folder / "include/run.sh").chmod(0o755)
    (folder / "requirements.txt").write_text("requests\n")
    for ignored in (".git/config", "dags/__pycache__/one.pyc", ".venv/bin/python", "own/pyvenv.cfg", "own/bin/x"):
        (folder / ignored).parent.mkdir(parents=True, exist_ok=True)
        (folder / ignored).write_text("not wanted")
    return folder


def test_an_upload_gives_the_same_bundle_as_the_folder_itself(tmp_path: Path) -> None:
    folder = project(tmp_path / "project")
    blocks = list(pack(folder))
    bundles = BundleStore(tmp_path / "bundles")
    uploaded = bundles.put_archive(io.BytesIO(b"".join(blocks)))
    assert uploaded.digest == bundles.put(folder).digest
    assert uploaded.file_count == 6
    assert max(map(len, blocks)) < 2 << 20


def test_what_is_not_part_of_a_project_stays_at_home(tmp_path: Path) -> None:
    stream = io.BytesIO(b"".join(pack(project(tmp_path))))
    with tarfile.open(fileobj=stream) as archive:
        names = archive.getnames()
        assert archive.getmember("dags/one.py").mtime == 0
    assert not [name for name in names if "git" in name or "pyc" in name or "venv" in name or name.startswith("own")]


def test_progress_counts_the_files(tmp_path: Path) -> None:
    heard: list[tuple[int, int]] = []
    list(pack(project(tmp_path), lambda done, in_all: heard.append((done, in_all))))
    assert heard == [(number, 6) for number in range(1, 7)]


def test_a_folder_without_dags_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as caught:
        pack(tmp_path)
    assert caught.value.code == "project-without-dags"


def test_a_file_that_shrinks_meanwhile_ends_the_upload(tmp_path: Path) -> None:
    blocks = pack(project(tmp_path))
    next(blocks)
    (tmp_path / "include/big.bin").write_bytes(b"short")
    with pytest.raises(Conflict) as caught:
        list(blocks)
    assert caught.value.code == "project-changed"
