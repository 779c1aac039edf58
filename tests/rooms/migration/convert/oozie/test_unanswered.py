"""What HDFS does not answer is neither yes nor no: exit code 1 of `hdfs dfs -test` is "no" only where nothing is written down."""

from __future__ import annotations

import re
import shlex
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from aerodrome.migration.convert.contract import Dag
from aerodrome.migration.convert.oozie.actions import HOLDS
from aerodrome.migration.convert.oozie.reading import read

_WORKFLOW = """<workflow-app xmlns="uri:oozie:workflow:0.5" name="w"><start to="choose"/>
  <decision name="choose"><switch><case to="end">${fs:exists('/out/_SUCCESS')}</case><default to="wipe"/></switch></decision>
  <action name="wipe"><fs><chmod path="/out" permissions="750"/></fs><ok to="end"/><error to="k"/></action>
  <kill name="k"><message>no</message></kill><end name="end"/></workflow-app>"""
_DATA = """<coordinator-app xmlns="uri:oozie:coordinator:0.4" name="c" frequency="${coord:days(1)}" start="2026-01-05T00:00Z" end="2027-01-01T00:00Z"
  timezone="UTC"><datasets><dataset name="raw" frequency="${coord:days(1)}" initial-instance="2026-01-01T00:00Z" timezone="UTC">
  <uri-template>/raw/${YEAR}${MONTH}${DAY}</uri-template></dataset></datasets>
  <input-events><data-in name="raw" dataset="raw"><instance>${coord:WHICH}</instance></data-in></input-events>LOGIC
  <action><workflow><app-path>/elsewhere</app-path></workflow></action></coordinator-app>"""
_DOWN = "test: Call From edge to nn:8020 failed on connection exception"
_NOISE = "2026-01-05 00:00:00,000 WARN util.NativeCodeLoader: Unable to load native-hadoop library"


def client(folder: Path, monkeypatch: pytest.MonkeyPatch, said: str, code: int) -> None:
    """Put a client of HDFS on the path that writes a line down and ends with a code."""
    (folder / "bin").mkdir(exist_ok=True)
    (folder / "bin" / "hdfs").write_text(f"#!/bin/bash\necho {shlex.quote(said)} >&2\nexit {code}\n")
    (folder / "bin" / "hdfs").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:/usr/bin:/bin")


class Shell:
    """Runs what is sent through SSH here."""

    def __init__(self, ssh_conn_id: str) -> None:
        self.ssh_conn_id = ssh_conn_id

    def get_conn(self) -> Any:
        return self

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None: ...

    def exec_command(self, command: str) -> tuple[None, Any, None]:
        done = subprocess.run(["bash", "-c", command], capture_output=True, check=False)
        channel = SimpleNamespace(recv_exit_status=lambda: done.returncode)
        return None, SimpleNamespace(read=lambda: done.stdout, channel=channel), None


def functions(dag: Dag, **more: Any) -> dict[str, Any]:
    names: dict[str, Any] = {"subprocess": subprocess, "shlex": shlex, "re": re, "SSHHook": Shell, **more}
    for function in dag.functions:
        exec(function.source_in("3.3"), names)
    return names


@pytest.mark.parametrize("runner", ["local", "ssh"])
def test_a_branch_is_not_taken_without_an_answer(tmp_path: Path, runner: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "workflow.xml").write_text(_WORKFLOW)
    (dag,) = read(tmp_path, {"runner": runner}).dags
    decide = functions(dag, AirflowFailException=RuntimeError)["decide_choose"]
    given: dict[str, Any] = {"params": {}, "ti": None, "dag_run": None, "run_id": "r"}
    for said, code, wanted in (("", 0, []), ("", 1, ["wipe"]), (_NOISE, 1, ["wipe"]), (_NOISE, 0, [])):
        client(tmp_path, monkeypatch, said, code)
        assert decide(**given) == wanted
    client(tmp_path, monkeypatch, "ERROR StatusLogger No Log4j 2 configuration file found", 1)
    assert decide(**given) == ["wipe"]
    client(tmp_path, monkeypatch, "test: `/out/*': No such file or directory", 1)
    assert decide(**given) == ["wipe"]
    for said in (_DOWN, "Error: Could not find or load main class", "ERROR: JAVA_HOME is not set"):
        client(tmp_path, monkeypatch, said, 1)
        with pytest.raises(ConnectionError, match=re.escape(said)):
            decide(**given)
    client(tmp_path, monkeypatch, "-test: java.net.UnknownHostException: nn", 255)
    with pytest.raises(RuntimeError, match="255"):
        decide(**given)


@pytest.mark.parametrize("which", ["current(0)", "latest(0)"])
@pytest.mark.parametrize("logic", ["", "<input-logic><or><data-in dataset='raw'/></or></input-logic>"])
def test_a_wait_asks_again(tmp_path: Path, which: str, logic: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "coordinator.xml").write_text(_DATA.replace("WHICH", which).replace("LOGIC", logic))
    (dag,) = read(tmp_path, {}).dags
    (task,) = (item for item in dag.tasks if item.is_waiting)
    moment = datetime(2026, 1, 6, tzinfo=UTC)

    class Series:
        """Stands for the instances of the plugin: the one of the run."""

        def __init__(self, *_: object, **__: object) -> None: ...
        def between(self, *_: object) -> list[datetime]:
            return [moment]

        def latest(self, *given: Any) -> list[datetime] | None:
            return [moment] if given[-1](moment) else None

        def latest_so_far(self, *given: Any) -> tuple[list[datetime], bool]:
            return ([moment], True) if given[-1](moment) else ([], False)

    names = functions(
        dag,
        Instances=Series,
        oozie_instances=SimpleNamespace(Instances=Series),
        PokeReturnValue=lambda done, _: done,
        AirflowFailException=RuntimeError,
    )
    callable_ = dict(task.arguments)["python_callable"]
    wait = names[callable_.text]  # type: ignore[union-attr]
    run = SimpleNamespace(start_date=moment, queued_at=moment)
    for said, code, wanted in (("", 0, True), ("", 1, False), (_DOWN, 1, False)):
        client(tmp_path, monkeypatch, said, code)
        assert wait(params={}, logical_date=moment, dag_run=run) is wanted
    client(tmp_path, monkeypatch, "", 127)
    with pytest.raises(RuntimeError, match="127"):
        wait(params={}, logical_date=moment, dag_run=run)


@pytest.mark.parametrize(
    ("said", "code", "wanted", "ends"),
    [("", 0, "yes on", 0), ("", 1, "on", 0), (_NOISE, 1, "on", 0), (_DOWN, 1, "", 1), ("-test: no host", 255, "", 1)],
)
def test_a_script_ends_without_an_answer(
    tmp_path: Path, said: str, code: int, wanted: str, ends: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    client(tmp_path, monkeypatch, said, code)
    script = f"set -e\n{HOLDS}\nif holds hdfs dfs -test -d /x; then echo yes; fi\necho on"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert (" ".join(done.stdout.split()), done.returncode) == (wanted, ends)
    assert said in done.stderr
    (tmp_path / "workflow.xml").write_text(_WORKFLOW)
    command = str(dict(read(tmp_path, {}).dags[0].task("wipe").arguments)["bash_command"])
    assert HOLDS in command
    assert "if holds hdfs dfs -test -d /out; then" in command
