"""Virtualenvs: shared by content, built once, and every failure is one sentence."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aerodrome.airflowkit.versions import AirflowVersion
from aerodrome.builds import Venv, VenvSpec, VenvStore, venvs
from aerodrome.builds.locks import read_lock
from aerodrome.builds.pythons import find_python
from aerodrome.builds.uv import run_uv, shorten
from aerodrome.builds.venvs import MARKER
from aerodrome.kernel.errors import AerodromeError, Invalid, Unavailable


@pytest.mark.parametrize("version", ["2.11.2", "3.3.2"])
def test_shipped_locks_pin_everything_and_name_no_place(version: str) -> None:
    lock = read_lock(version, "3.11")
    assert lock is not None
    assert f"apache-airflow=={version}\n" in lock
    assert "psycopg2-binary==" in lock
    assert "://" not in lock
    assert all("==" in line for line in lock.splitlines() if not line.startswith("#"))
    assert read_lock(version, "3.9") is None


def test_no_lock_means_resolving_as_of_the_release() -> None:
    assert read_lock("3.2.2", "3.11") is None
    assert str(AirflowVersion.parse("3.2.2").exclude_newer) == "2026-06-01"


def test_the_digest_depends_on_what_is_wanted_only(tmp_path: Path) -> None:
    one, two = VenvStore(tmp_path / "a"), VenvStore(tmp_path / "b")
    spec = VenvSpec("3.3.2", "3.11", ("requests", "pandas"))
    assert one.digest(spec) == two.digest(VenvSpec("3.3.2", "3.11", ("pandas", "requests")))
    others = [VenvSpec("3.3.1", "3.11"), VenvSpec("3.3.2", "3.12"), VenvSpec("3.3.2", "3.11", ("requests",))]
    assert len({one.digest(other) for other in [spec, *others]}) == 4


def _made(root: Path, spec: VenvSpec, interpreter: Path) -> Path:
    """Write what the store knows a finished virtualenv by, with one script of Airflow."""
    path = VenvStore(root).path(spec)
    (path / "bin").mkdir(parents=True)
    (path / "bin/python").symlink_to(sys.executable)
    (path / "bin/airflow").write_text(f"#!{interpreter}\n")
    (path / MARKER).write_text(json.dumps({"digest": VenvStore(root).digest(spec), "packages": {}}))
    return path


def test_a_virtualenv_that_was_moved_is_not_taken_as_it_is(tmp_path: Path) -> None:
    spec = VenvSpec("2.11.2", "3.11")
    path = _made(tmp_path / "here", spec, VenvStore(tmp_path / "here").path(spec) / "bin/python")
    assert VenvStore(tmp_path / "here").ensure(spec).path == path
    (tmp_path / "here").rename(tmp_path / "there")
    assert venvs._read(VenvStore(tmp_path / "there").path(spec), spec, VenvStore(tmp_path).digest(spec)) is None


def test_a_folder_behind_a_link_is_known_by_its_real_path(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    spec, store = VenvSpec("2.11.2", "3.11"), VenvStore(tmp_path / "link")
    (tmp_path / "link").symlink_to(tmp_path / "real")  # after the store was made
    path = _made(tmp_path / "link", spec, tmp_path / "real" / store.path(spec).name / "bin/python")
    assert path == tmp_path / "real" / path.name
    assert store.ensure(spec).path == path
    later = datetime(2999, 1, 1, tzinfo=UTC)
    assert store.forget({tmp_path / "link" / path.name}, later) == ()
    assert store.forget(set(), later) == (path,)


def test_the_running_python_is_found_at_once() -> None:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    path = find_python(version)
    answer = subprocess.run(
        [path, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], capture_output=True, check=True
    )
    assert answer.stdout.decode().strip() == version


def test_a_python_that_cannot_be_had_is_named() -> None:
    with pytest.raises(Unavailable, match=r"Python 3\.99 ") as caught:
        find_python("3.99")
    assert caught.value.code == "python-missing"
    assert "python3.99" in caught.value.hint


def test_uvs_words_are_shortened_and_freed_of_credentials() -> None:
    text = "\x1b[31merror\x1b[0m: https://ann:pass@index.invalid/simple failed\n" * 40
    assert "pass" not in shorten(text)
    assert len(shorten(text).splitlines()) <= 12


def test_no_network_is_one_sentence(tmp_path: Path) -> None:
    target = tmp_path / "target"
    with pytest.raises(Unavailable) as caught:
        run_uv(["pip", "install", "--offline", "--no-cache", "--target", str(target), "x"])
    assert caught.value.code == "packages-unreachable"


@pytest.mark.parametrize(("name", "told"), [("mysqlclient", "default-libmysqlclient-dev"), ("sitelib", "ready-made")])
def test_a_package_that_cannot_be_built_is_named(name: str, told: str, tmp_path: Path) -> None:
    place = tmp_path / "source"
    place.mkdir()
    (place / "pyproject.toml").write_text(
        f'[project]\nname = "{name}"\nversion = "1.0"\n[build-system]\nrequires = []\n'
        'build-backend = "backend"\nbackend-path = ["."]\n'
    )
    (place / "backend.py").write_text("def build_wheel(*_):\n    raise Exception('no library')\n")
    with pytest.raises(Invalid) as caught:
        run_uv(["pip", "install", "--offline", "--no-cache", "--target", str(tmp_path / "target"), str(place)])
    assert caught.value.code == "package-build-failed"
    assert caught.value.message.startswith(name)
    assert told in (caught.value.hint or "")


@pytest.mark.airflow
def test_the_same_wish_is_the_same_folder_and_half_built_ones_are_mended(
    airflow_venv: Callable[..., Venv], tmp_path: Path
) -> None:
    ready = airflow_venv("3.3.2")
    assert ready.packages["apache-airflow-core"] == "3.3.2"
    assert airflow_venv("3.3.2") == ready
    store = VenvStore(tmp_path)
    spec = VenvSpec("3.3.2", "3.11")
    built = store.ensure(spec)
    (built.path / MARKER).unlink()
    shutil.rmtree(built.path / "bin")
    assert store.ensure(spec) == built
    answer = subprocess.run(
        [built.path / "bin/airflow", "version"],
        capture_output=True,
        check=True,
        env={"AIRFLOW_HOME": str(tmp_path / "home"), "PATH": os.environ["PATH"]},
    )
    assert answer.stdout.decode().strip().endswith("3.3.2")
    with pytest.raises(Invalid) as caught:
        store.ensure(VenvSpec("3.3.2", "3.11", ("apache-airflow==2.11.2",)))
    assert caught.value.code == "requirements-unresolvable"
    assert "Remove apache-airflow" in caught.value.hint
    assert len([path for path in tmp_path.iterdir() if (path / MARKER).exists()]) == 1


def build(root: str, says: multiprocessing.SimpleQueue[list[str]]) -> None:
    lines: list[str] = []
    try:
        VenvStore(Path(root)).ensure(VenvSpec("3.3.2", "3.11"), lines.append)
    except AerodromeError as error:
        lines = [str(error)]
    says.put(lines)


@pytest.mark.airflow
def test_two_processes_build_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    says: multiprocessing.SimpleQueue[list[str]] = context.SimpleQueue()
    builders = [context.Process(target=build, args=(str(tmp_path), says)) for _ in range(2)]
    for builder in builders:
        builder.start()
    for builder in builders:
        builder.join()
    assert sorted(len(says.get()) > 0 for _ in builders) == [False, True]
    says.close()
