"""Files of a deployment: logs that stay small, releases that switch at once, ports that two never share."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from aerodrome.runtimes.local import releases
from aerodrome.runtimes.local.identity import ProcessIdentity, identify, is_alive, started_at
from aerodrome.runtimes.local.layout import Layout, read_json, remove_drafts, write_json
from aerodrome.runtimes.local.logfiles import open_log, read_tail, rotate
from aerodrome.runtimes.local.ports import PortBook


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout.of(tmp_path, "dep_files")
    layout.folder.mkdir()
    return layout


def make_project(folder: Path, **texts: str) -> Path:
    for name, text in {"dags_a": "A = 1", "plugins_p": "P = 1", "include_i": "I = 1", **texts}.items():
        part, _, stem = name.partition("_")
        (folder / part).mkdir(parents=True, exist_ok=True)
        (folder / part / f"{stem}.py").write_text(text)
    return folder


_KILLED_WRITE = """
import os, signal, sys
from pathlib import Path
from aerodrome.kernel.files import write_text
os.fsync = lambda handle: os.kill(os.getpid(), signal.SIGKILL)
write_text(Path(sys.argv[1]), "canary")
"""


def test_a_write_that_was_killed_leaves_nothing_behind(layout: Layout) -> None:
    """The wish holds environment variables of tasks: half a file of it must not lie about for ever."""
    write_json(layout.desired, {"generation": 1})
    killed = subprocess.run([sys.executable, "-c", _KILLED_WRITE, str(layout.desired)], check=False)
    assert killed.returncode == -9
    (draft,) = (path for path in layout.folder.iterdir() if path != layout.desired)
    assert draft.read_text() == "canary"
    assert draft.stat().st_mode & 0o077 == 0
    remove_drafts(layout.desired)
    assert list(layout.folder.iterdir()) == [layout.desired]
    assert read_json(layout.desired) == {"generation": 1}


def test_a_log_is_rotated_while_its_writer_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "logs/scheduler.log"
    writer = open_log(path)
    for number in range(6):
        os.write(writer, f"line {number}\n".encode())
        rotate(path, max_bytes=10)
    os.write(writer, b"last\n")
    os.close(writer)
    assert path.read_text() == "last\n"
    assert path.with_name("scheduler.log.1").read_text() == "line 4\nline 5\n"
    assert sorted(file.name for file in path.parent.iterdir()) == [
        "scheduler.log", "scheduler.log.1", "scheduler.log.2", "scheduler.log.3",
    ]  # fmt: skip
    assert list(read_tail(path, 2)) == ["line 5", "last"]
    assert list(read_tail(path, 0)) == []
    assert list(read_tail(tmp_path / "none.log", 5)) == []


def test_the_tail_of_a_long_log_is_exact(tmp_path: Path) -> None:
    path = tmp_path / "long.log"
    path.write_text("".join(f"{number} {'x' * 100}\n" for number in range(5000)))
    tail = list(read_tail(path, 1500))
    assert len(tail) == 1500
    assert tail[0].startswith("3500 ")


def test_a_switch_is_whole_and_an_old_release_can_come_back(layout: Layout, tmp_path: Path) -> None:
    one = releases.install(layout, make_project(tmp_path / "one"), "1" * 64)
    releases.switch(layout, one)
    two = releases.install(layout, make_project(tmp_path / "two", dags_a="A = 2"), "2" * 64)
    assert (layout.project / "dags/a.py").read_text() == "A = 1"
    releases.switch(layout, two)
    assert (layout.project / "dags/a.py").read_text() == "A = 2"
    assert (layout.releases / one / "dags/a.py").read_text() == "A = 1"
    before = time.time() - 1
    releases.switch(layout, one)
    assert read_json(layout.pointer) == {"version": one, "releases": str(layout.releases), "bundles": {}}
    assert (layout.project / "dags/a.py").stat().st_mtime > before  # Airflow reads it again at once


def test_without_a_deploy_there_are_empty_folders(layout: Layout) -> None:
    releases.switch(layout, releases.install(layout, None, None))
    assert sorted(path.name for path in layout.project.iterdir()) == ["dags", "include", "plugins"]


def test_several_bundles_change_in_one_replacement_of_the_pointer(layout: Layout, tmp_path: Path) -> None:
    project = releases.install(layout, make_project(tmp_path / "one"), "1" * 64)
    team = releases.install(layout, make_project(tmp_path / "team", dags_t="T = 1"), "2" * 64)
    releases.switch(layout, project, {"team": team})
    pointer = read_json(layout.pointer)
    assert pointer == {"version": project, "releases": str(layout.releases), "bundles": {"team": team}}
    seen_before = layout.pointer.stat().st_mtime_ns
    releases.switch(layout, project, {"team": team})
    assert layout.pointer.stat().st_mtime_ns == seen_before  # the same again writes nothing
    releases.switch(layout, project)
    assert (read_json(layout.pointer) or {})["bundles"] == {}


def test_what_is_live_kept_or_young_survives_the_tidying(layout: Layout, tmp_path: Path) -> None:
    names = [releases.install(layout, make_project(tmp_path / "p"), f"{number:064d}") for number in range(10)]
    long_ago = time.time() - 3 * 24 * 3600
    for number, name in enumerate(names[:-1]):
        os.utime(layout.releases / name, (long_ago + number, long_ago + number))
    releases.switch(layout, names[0], {"team": names[1]})
    for name in names[:2]:
        os.utime(layout.releases / name, (long_ago, long_ago))
    gone = releases.tidy(layout, {names[2]})
    stay = {names[0], names[1], names[2], names[-1], *names[-3:-1]}  # live, live, kept, young, the newest
    assert set(gone) == set(names) - stay
    assert {path.name for path in layout.releases.iterdir()} == stay
    assert (layout.project / "dags/a.py").read_text() == "A = 1"


def test_a_copy_of_a_bundle_is_its_own(layout: Layout, tmp_path: Path) -> None:
    project = make_project(tmp_path / "one")
    (project / "dags/big.sql").write_bytes(b"x" * 3_000_000)
    (project / "dags/tool.sh").write_text("#!/bin/sh")
    (project / "dags/tool.sh").chmod(0o755)
    version = releases.install(layout, project, "1" * 64)
    copy = layout.releases / version / "dags"
    assert (copy / "big.sql").read_bytes() == b"x" * 3_000_000
    assert os.access(copy / "tool.sh", os.X_OK)
    (copy / "a.py").write_text("a task wrote here")
    assert (project / "dags/a.py").read_text() == "A = 1"


@pytest.mark.parametrize(
    ("name", "is_restart"),
    [("dags_a", False), ("tests_t", False), ("plugins_p", True), ("include_i", True), ("shared_s", True)],
)
def test_only_loaded_files_ask_for_a_restart(tmp_path: Path, name: str, is_restart: bool) -> None:
    before = releases.fixed_digest(make_project(tmp_path / "one"))
    after = releases.fixed_digest(make_project(tmp_path / "two", **{name: "changed"}))
    assert (before != after) is is_restart


def test_files_with_secrets_are_private_and_replaced_whole(layout: Layout) -> None:
    write_json(layout.desired, {"a": 1})
    write_json(layout.desired, {"a": 2})
    assert json.loads(layout.desired.read_text()) == {"a": 2}
    assert layout.desired.stat().st_mode & 0o077 == 0
    assert [path.name for path in layout.folder.iterdir()] == ["desired.json"]


@pytest.mark.parametrize("name", ["../x", "", "a/b", ".hidden"])
def test_ids_that_are_no_folder_names_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="cannot name a folder"):
        Layout.of(tmp_path, name)


def test_ports_are_never_shared(tmp_path: Path) -> None:
    book = PortBook(tmp_path)
    given: list[int] = []
    threads = [
        threading.Thread(target=lambda name=name: given.append(book.reserve(name, keep=False)))
        for name in (f"dep_{number}" for number in range(12))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(given)) == 12
    assert book.reserve("dep_0", keep=False) == book.port_of("dep_0")
    book.release("dep_0")
    assert book.port_of("dep_0") is None


def test_an_identity_is_more_than_a_pid() -> None:
    me = identify(os.getpid())
    assert me is not None
    assert is_alive(me)
    assert abs(started_at(me) - time.time()) < 24 * 3600
    assert not is_alive(ProcessIdentity(me.pid, me.start_ticks - 1, me.boot_id))
    assert not is_alive(ProcessIdentity(me.pid, me.start_ticks, "another boot"))
