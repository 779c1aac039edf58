"""Marked processes: found and stopped by identity, whatever happened to whoever started them."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from aerodrome.demo.processes import ProcessGroup, inherited_environment

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
STUBBORN = [
    sys.executable,
    "-c",
    (
        "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], start_new_session=True);"
        "print('ready', flush=True); time.sleep(60)"
    ),
]


@pytest.fixture
def group(tmp_path: Path) -> Iterator[ProcessGroup]:
    group = ProcessGroup(tmp_path / "state" / "processes.json")
    yield group
    group.stop(grace_s=0)


@pytest.fixture
def start(group: ProcessGroup, tmp_path: Path) -> Callable[[str, list[str]], int]:
    def run(name: str, command: list[str]) -> int:
        log = tmp_path / f"{name}.log"
        return group.start(name, command, env=inherited_environment(), cwd=tmp_path, log=log).pid

    return run


def test_another_program_finds_and_stops_what_was_started(
    group: ProcessGroup, start: Callable[[str, list[str]], int], tmp_path: Path
) -> None:
    pid = start("sleeper", SLEEP)
    again = ProcessGroup(tmp_path / "state" / "processes.json")
    known = again.find("sleeper")
    assert known is not None
    assert known.pid == pid
    again.stop(grace_s=5)
    assert group.find("sleeper") is None
    assert not (tmp_path / "state" / "processes.json").exists()


def test_stop_kills_what_ignores_term_and_children_that_left_the_session(
    group: ProcessGroup, start: Callable[[str, list[str]], int], tmp_path: Path
) -> None:
    start("stubborn", STUBBORN)
    until = time.monotonic() + 10
    while "ready" not in (tmp_path / "stubborn.log").read_text() and time.monotonic() < until:
        time.sleep(0.02)
    assert len(list(group.members())) == 2
    killed = group.stop(grace_s=0.2)
    assert len(killed) == 2
    assert list(group.members()) == []


def test_a_pid_used_again_by_somebody_else_is_not_taken_for_ours(group: ProcessGroup, tmp_path: Path) -> None:
    state = tmp_path / "state" / "processes.json"
    state.parent.mkdir()
    state.write_text(f'{{"mark": "m", "processes": [{{"name": "x", "pid": {os.getpid()}, "create_time": 1.0}}]}}')
    again = ProcessGroup(state)
    assert again.find("x") is None
    again.stop(grace_s=0)
    assert psutil.pid_exists(os.getpid())


def test_one_process_stops_alone(group: ProcessGroup, start: Callable[[str, list[str]], int]) -> None:
    start("one", SLEEP)
    start("two", SLEEP)
    group.stop_one("one")
    assert group.find("one") is None
    assert group.find("two") is not None


def test_environment_of_the_platform_does_not_reach_a_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AERODROME_DATABASE_URL", "canary")
    monkeypatch.setenv("AIRFLOW_HOME", "canary")
    monkeypatch.setenv("PYTHONPATH", "canary")
    assert "canary" not in inherited_environment().values()
