"""The sealed file of a deployment, and Airflow's side of it. Breaks for everybody whose tasks look a connection up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aerodrome.airflowkit import config
from aerodrome.kernel.secret import Secret
from aerodrome.runtimes.contract import AirflowEnvironment
from aerodrome.runtimes.local import commands, environment
from aerodrome.runtimes.local.layout import Layout

SOURCE = Path(config.__file__).parents[2]

# Asks as Airflow does, while the file changes below it: prints what it gets, line by line.
ASKING = """
import json, sys
from airflow.models import Connection, Variable
from airflow.exceptions import AirflowNotFoundException
for line in sys.stdin:
    kind, name = json.loads(line)
    try:
        got = Variable.get(name) if kind == "variable" else Connection.get_connection_from_secrets(name).get_uri()
    except (KeyError, AirflowNotFoundException):
        got = None
    print("GOT " + json.dumps(got), flush=True)
"""
TEAM = """
from airflow.secrets import BaseSecretsBackend
class Team(BaseSecretsBackend):
    def __init__(self, prefix, fails=False):
        self.prefix, self.fails = prefix, fails
    def get_conn_value(self, conn_id):
        return None
    def get_variable(self, key):
        if self.fails:
            raise RuntimeError("canary-of-an-error")
        return self.prefix + key if key == "both" else None
"""


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    (tmp_path / "dep" / "keys").mkdir(parents=True)
    return Layout(tmp_path / "dep")


def sealed(**more: Any) -> AirflowEnvironment:
    return AirflowEnvironment(
        {"wh": Secret(json.dumps({"conn_type": "postgres", "host": "db", "password": "canary-pw"}))},
        {"colour": Secret("canary-blue"), "both": Secret("ours")},
        **more,
    )


def test_the_file_shows_nothing_and_is_written_only_when_something_changed(layout: Layout) -> None:
    assert environment.seal(layout, sealed())
    path = environment.sealed_path(layout)
    before = path.stat()
    assert not environment.seal(layout, sealed())
    assert path.stat() == before
    assert b"canary" not in path.read_bytes()
    assert [file.stat().st_mode & 0o777 for file in (path, environment.key_path(layout))] == [0o600, 0o600]
    assert environment.seal(layout, AirflowEnvironment())
    assert path.stat().st_ino != before.st_ino
    environment.key_path(layout).unlink()
    assert environment.seal(layout, AirflowEnvironment())


def test_a_command_ends_in_time_with_all_its_children(tmp_path: Path) -> None:
    told = commands.run(
        [sys.executable, "-c", "print(input())"], dict(os.environ), tmp_path, given="hello\n", timeout_s=30
    )
    assert (told.exit_code, told.output) == (0, "hello\n")
    script = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(600)'])"
    late = commands.run([sys.executable, "-c", script], dict(os.environ), tmp_path, given="", timeout_s=0.5)
    assert late.exit_code is None


@pytest.mark.airflow
@pytest.mark.parametrize("version", ["2.11.2", "3.3.2"])
def test_airflow_finds_what_is_sealed_and_sees_changes(
    layout: Layout, tmp_path: Path, airflow_venv: Callable[..., Any], version: str
) -> None:
    (tmp_path / "team_backend.py").write_text(TEAM)
    variables = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "PYTHONPATH": f"{SOURCE}:{tmp_path}",
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__SECRETS__BACKEND": config.SECRETS_BACKEND,
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "_AIRFLOW_PROCESS_CONTEXT": "server",
        "AIRFLOW_VAR_ONLY_ENV": "from the environment",
        "AERODROME_ENVIRONMENT": str(environment.sealed_path(layout)),
        "AERODROME_ENVIRONMENT_KEY": str(environment.key_path(layout)),
    }
    log = tmp_path / "log"
    heard: list[str] = []  # Airflow logs to standard output too
    with (
        log.open("w") as errors,
        subprocess.Popen(
            [str(airflow_venv(version).path / "bin/python"), "-c", ASKING],
            env=variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None

        def ask(kind: str, name: str) -> str | None:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps([kind, name]) + "\n")
            process.stdin.flush()
            for line in process.stdout:
                if line.startswith("GOT "):
                    answer: str | None = json.loads(line.removeprefix("GOT "))
                    return answer
                heard.append(line)
            raise AssertionError(log.read_text())

        # nothing sealed yet: Airflow looks on elsewhere
        assert ask("variable", "only_env") == "from the environment"
        environment.seal(layout, sealed())
        assert ask("variable", "colour") == "canary-blue"
        assert ask("connection", "wh") == "postgres://:canary-pw@db"
        environment.seal(layout, AirflowEnvironment(variables={"colour": Secret("red")}))
        assert ask("variable", "colour") == "red"

        # the team's own backend is asked first; when it fails, ours still answers
        team = "team_backend.Team"
        environment.seal(layout, sealed(backend_class=team, backend_kwargs={"prefix": Secret("team-")}))
        assert ask("variable", "both") == "team-both"
        assert ask("variable", "colour") == "canary-blue"
        environment.seal(layout, sealed(backend_class=team, backend_kwargs={"prefix": "", "fails": True}))
        assert ask("variable", "both") == "ours"
        environment.seal(layout, sealed(backend_class="no_such_module.Backend"))
        assert ask("variable", "both") == "ours"

        # a broken file leaves what was read before, says so once, and a good one counts again
        good = environment.sealed_path(layout).read_bytes()
        environment.sealed_path(layout).write_text("broken")
        assert ask("variable", "colour") == "canary-blue"
        assert ask("variable", "colour") == "canary-blue"
        environment.sealed_path(layout).write_bytes(good)
        assert ask("variable", "colour") == "canary-blue"
        process.stdin.close()
        process.wait(30)
    said = log.read_text() + "".join(heard)
    assert "canary" not in said
    assert said.count("cannot be read (InvalidToken)") == 1, said
