"""The installed command as real subprocesses, against a real `aerodrome serve` where one is needed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from aerodrome.cli.ci import MARKS

COMMAND = (sys.executable, "-m", "aerodrome.cli")
START_S = 60


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Person:
    """Somebody at a shell with a configuration folder of their own."""

    config_dir: Path

    def environment(self, **more: str) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("AERODROME_")
            and name not in {"CI", *MARKS}  # these tests run in CI, its persons do not
        }
        return kept | {"AERODROME_CONFIG_DIR": str(self.config_dir), "COLUMNS": "200"} | more

    def run(self, *words: str, typed: str = "", **env: str) -> Ran:
        done = subprocess.run(
            [*COMMAND, *words],
            input=typed,
            capture_output=True,
            text=True,
            env=self.environment(**env),
            timeout=120,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)


@dataclass
class Server:
    """A running `aerodrome serve` and what it wrote."""

    process: subprocess.Popen[str]
    home: Path
    url: str
    link: str | None
    log: Path

    @property
    def logged(self) -> str:
        return self.log.read_text()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@pytest.fixture
def person(tmp_path: Path) -> Person:
    return Person(tmp_path / "config")


@pytest.fixture(scope="module")
def serve(free_port: Callable[[], int], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    """Give a function that starts a server on a home folder and waits until it answers; all end with the module."""
    started: list[Server] = []

    def start(home: Path, *words: str) -> Server:
        folder = tmp_path_factory.mktemp("serve")
        log = folder / "log"
        environment = Person(folder).environment(AERODROME_HOME=str(home), PYTHONUNBUFFERED="1")
        with log.open("w") as stream, (folder / "out").open("w") as out:
            ports = ("--port", str(free_port()), "--gate-port", str(free_port()))
            process = subprocess.Popen(
                [*COMMAND, "serve", *ports, *words], stdout=out, stderr=stream, text=True, env=environment
            )
        end = time.monotonic() + START_S
        while "Aerodrome is at" not in (text := (folder / "out").read_text()) or not text.endswith("\n"):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.05)
        url = re.search(r"Aerodrome is at (\S+)", text)
        link = re.search(r"(\S+code=\S+)", text)
        assert url is not None
        server = Server(process, home, url[1], link[1] if link else None, log)
        started.append(server)
        return server

    yield start
    for server in started:
        if server.process.poll() is None:
            server.process.kill()
            server.process.wait(30)
