"""Supervision with real processes of a toy Airflow: would anybody notice a crash, a stolen port, a killed supervisor?"""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from tests.listening import listening_addresses

from aerodrome.kernel.errors import Invalid, Unavailable
from aerodrome.kernel.secret import Secret
from aerodrome.runtimes.conformance import RuntimeConformance, pids, wait_until
from aerodrome.runtimes.contract import Observation, RuntimeSpec
from aerodrome.runtimes.local.launch import start_shim
from aerodrome.runtimes.local.layout import Layout
from aerodrome.runtimes.local.runtime import LocalRuntime

CANARY = "canary-4f1c9e-secret"


class TestLocalRuntime(RuntimeConformance):
    """The local runtime behaves as every runtime does."""


def healthy(runtime: LocalRuntime) -> Observation:
    return wait_until(runtime, "dep_test", lambda seen: seen.health == "healthy")


def shim_pid(root: Path) -> int:
    pid: int = json.loads((root / "dep_test/status.json").read_text())["shim"]["pid"]
    return pid


def family_of(root: Path) -> list[psutil.Process]:
    shim = psutil.Process(shim_pid(root))
    return [shim, *shim.children(recursive=True)]


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_killed_component_is_started_again(runtime: LocalRuntime, spec: RuntimeSpec) -> None:
    runtime.apply(spec)
    before = pids(healthy(runtime))
    os.kill(before["scheduler"] or 0, signal.SIGKILL)
    after = wait_until(
        runtime,
        "dep_test",
        lambda seen: seen.health == "healthy" and pids(seen)["scheduler"] not in {None, before["scheduler"]},
    )
    scheduler = next(component for component in after.components if component.name == "scheduler")
    assert scheduler.restarts == 1
    assert scheduler.last_exit_code == -signal.SIGKILL
    assert {**pids(after), "scheduler": None} == {**before, "scheduler": None}


def test_a_component_that_keeps_crashing_waits_longer_and_says_why(runtime: LocalRuntime, spec: RuntimeSpec) -> None:
    runtime.apply(replace(spec, env={"TOY_CRASH": "triggerer"}))
    seen = wait_until(runtime, "dep_test", lambda seen: any(component.restarts >= 2 for component in seen.components))
    assert seen.health == "degraded"
    assert "triggerer ended with exit code 3. See its log." in seen.reasons
    runtime.apply(replace(spec, env={"TOY_CRASH": "scheduler"}))
    wait_until(runtime, "dep_test", lambda seen: seen.health == "unhealthy")


def test_airflow_outlives_the_process_that_applied_it(runtime: LocalRuntime, spec: RuntimeSpec, tmp_path: Path) -> None:
    script = tmp_path / "server.py"
    script.write_text(
        f"""
import sys, time
from pathlib import Path
from aerodrome.kernel.secret import Secret
from aerodrome.runtimes.contract import RuntimeSpec
from aerodrome.runtimes.local.runtime import LocalRuntime
runtime = LocalRuntime(Path({str(tmp_path / "runtime")!r}))
runtime.apply(RuntimeSpec("dep_test", 1, "3.3.2", "3.11", Path({str(spec.venv)!r}), Path({str(spec.project)!r}), "a" * 64,
    Secret({spec.fernet_key.reveal()!r}), Secret({spec.signing_key.reveal()!r}), env=dict(CANARY=Secret({CANARY!r})), parallelism=2,
    public_url={spec.public_url!r}))
print("applied", flush=True)
time.sleep(600)
"""
    )
    server = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, start_new_session=True)
    assert server.stdout is not None
    assert server.stdout.readline() == b"applied\n"
    before = pids(healthy(runtime))
    os.killpg(server.pid, signal.SIGKILL)
    server.wait()
    server.stdout.close()
    time.sleep(1)
    assert pids(healthy(runtime)) == before
    runtime.apply(spec)  # the restarted server adopts what runs
    time.sleep(1)
    assert pids(healthy(runtime)) == before


def test_a_new_supervisor_adopts_what_a_killed_one_left(
    runtime: LocalRuntime, spec: RuntimeSpec, tmp_path: Path
) -> None:
    runtime.apply(spec)
    before = pids(healthy(runtime))
    os.kill(shim_pid(tmp_path / "runtime"), signal.SIGKILL)
    lost = wait_until(runtime, "dep_test", lambda seen: seen.health == "degraded")
    assert pids(lost) == before
    runtime.apply(spec)
    assert pids(healthy(runtime)) == before
    os.kill(before["triggerer"] or 0, signal.SIGKILL)
    wait_until(
        runtime,
        "dep_test",
        lambda seen: seen.health == "healthy" and pids(seen)["triggerer"] not in {None, before["triggerer"]},
    )


def test_stop_without_a_supervisor_still_ends_everything(
    runtime: LocalRuntime, spec: RuntimeSpec, tmp_path: Path
) -> None:
    runtime.apply(spec)
    healthy(runtime)
    processes = family_of(tmp_path / "runtime")
    processes[0].kill()
    processes[0].wait(5)
    runtime.stop("dep_test", 2)
    assert [process for process in processes if is_alive(process)] == []
    assert runtime.observe("dep_test").health == "stopped"


def test_the_stop_ladder_ends_stubborn_families(runtime: LocalRuntime, spec: RuntimeSpec, tmp_path: Path) -> None:
    runtime.apply(replace(spec, env={"TOY_STUBBORN": "scheduler"}))
    healthy(runtime)
    wait_until(runtime, "dep_test", lambda _: len(family_of(tmp_path / "runtime")) == 6)
    processes = family_of(tmp_path / "runtime")
    began = time.monotonic()
    runtime.stop("dep_test", 1)
    assert 1 <= time.monotonic() - began < 8
    assert [process for process in processes if is_alive(process)] == []


def test_a_drain_waits_for_the_scheduler_before_it_ends_the_others(
    runtime: LocalRuntime, spec: RuntimeSpec, tmp_path: Path
) -> None:
    runtime.apply(replace(spec, env={"TOY_STUBBORN": "scheduler"}))
    healthy(runtime)
    processes = family_of(tmp_path / "runtime")
    began = time.monotonic()
    runtime.stop("dep_test", grace_s=5, drain_s=2)
    assert 2 <= time.monotonic() - began < 8  # the scheduler would not end: the window, and then all at once
    assert [process for process in processes if is_alive(process)] == []


def test_a_stolen_port_is_named_and_the_next_apply_takes_another(runtime: LocalRuntime, spec: RuntimeSpec) -> None:
    runtime.apply(spec)
    url = healthy(runtime).base_url
    assert url is not None
    runtime.stop("dep_test", 2)
    port = int(url.split(":")[2].split("/")[0])
    with socket.create_server(("127.0.0.1", port)):
        runtime.apply(spec)
        assert healthy(runtime).base_url != url
    # taken between the choice of the port and the start
    runtime.stop("dep_test", 2)
    desired = json.loads((runtime._root / "dep_test/desired.json").read_text())
    with socket.create_server(("127.0.0.1", desired["port"])):
        (runtime._root / "dep_test/desired.json").write_text(json.dumps({**desired, "is_running": True}))
        start_shim(Layout.of(runtime._root, "dep_test"))
        seen = wait_until(runtime, "dep_test", lambda seen: seen.health == "unhealthy")
        assert any(f"Port {desired['port']} is used by another program." in reason for reason in seen.reasons)
        runtime.apply(spec)
        assert healthy(runtime).base_url != desired["base_url"]


def test_no_port_left_is_one_sentence(tmp_path: Path, spec: RuntimeSpec) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Unavailable, match="No port between") as caught:
            LocalRuntime(tmp_path / "runtime", range(port, port + 1)).apply(spec)
    assert caught.value.code == "no-free-port"


def test_secrets_are_in_no_command_line_and_in_no_open_file(
    runtime: LocalRuntime, spec: RuntimeSpec, tmp_path: Path
) -> None:
    runtime.apply(spec)
    healthy(runtime)
    secrets = [CANARY, spec.fernet_key.reveal(), spec.signing_key.reveal().splitlines()[1]]
    for process in family_of(tmp_path / "runtime"):
        assert not any(secret in " ".join(process.cmdline()) for secret in secrets)
    folder = tmp_path / "runtime/dep_test"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
        if path.is_file() and path.name != "desired.json":
            assert not any(secret in path.read_text(errors="replace") for secret in secrets), path


def test_everything_listens_on_loopback(runtime: LocalRuntime, spec: RuntimeSpec, tmp_path: Path) -> None:
    runtime.apply(spec)
    healthy(runtime)
    assert listening_addresses(family_of(tmp_path / "runtime")) == {"127.0.0.1"}


def test_a_failing_migration_is_told_and_tried_again(runtime: LocalRuntime, spec: RuntimeSpec) -> None:
    runtime.apply(replace(spec, env={"TOY_MIGRATE": "fail"}, config={"core.auth_manager": "x"}))
    seen = wait_until(runtime, "dep_test", lambda seen: seen.health == "unhealthy")
    assert "exit code 1" in seen.reasons[0]
    assert "the toy cannot migrate" in list(runtime.logs("dep_test", "database", 5))
    runtime.apply(spec)
    healthy(runtime)


def test_the_supervisor_changes_no_version_by_itself(runtime: LocalRuntime, spec: RuntimeSpec) -> None:
    runtime.apply(replace(spec, airflow_version="2.11.2"))
    healthy(runtime)
    runtime.apply(replace(spec, generation=2))
    seen = wait_until(runtime, "dep_test", lambda seen: seen.health == "unhealthy")
    assert "Only a deploy changes the version" in seen.reasons[0]


def test_a_folder_without_airflow_is_refused(runtime: LocalRuntime, spec: RuntimeSpec, tmp_path: Path) -> None:
    with pytest.raises(Invalid) as caught:
        runtime.apply(replace(spec, venv=tmp_path, fernet_key=Secret("x")))
    assert caught.value.code == "venv-without-airflow"
