"""A real Airflow 2 that serves its REST API for a bench, with a user that signs in with a password at each call."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

from aerodrome.builds import Venv
from aerodrome.kernel.secret import Secret

USER = "reader"
_WAIT_S = 300


@contextmanager
def serving(venv: Venv, home: Path, database_url: str, port: int, password: Secret, workers: int = 2) -> Iterator[str]:
    """Serve on loopback; gives the address."""
    env = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database_url.replace("+psycopg://", "+psycopg2://"),
        "AIRFLOW__API__AUTH_BACKENDS": "airflow.api.auth.backend.basic_auth",
        "PATH": f"{venv.path / 'bin'}:{os.environ['PATH']}",
        "HOME": str(home),
    }
    program = venv.path / "bin" / "airflow"
    made = ["users", "create", "--role", "Admin", "--username", USER, "--firstname", "R", "--lastname", "E"]
    made += ["--email", "reader@example.org"]
    asked = (
        f"{password.reveal()}\n" * 2
    )  # without a terminal the command reads it from here; argv is for everybody to see
    subprocess.run(
        [program, *made], env=env, check=True, capture_output=True, input=asked, text=True, start_new_session=True
    )
    command = [str(program), "webserver", "--hostname", "127.0.0.1", "--port", str(port), "--workers", str(workers)]
    with (home / "webserver.log").open("wb") as log:
        process = subprocess.Popen(command, env=env, stdout=log, stderr=log, start_new_session=True)
    address = f"http://127.0.0.1:{port}"
    try:
        until = time.monotonic() + _WAIT_S
        while not _answers(address):
            if process.poll() is not None or time.monotonic() > until:
                raise SystemExit(f"Airflow's web server does not start: {home / 'webserver.log'}")
            time.sleep(0.5)
        yield address
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)


def _answers(address: str) -> bool:
    try:
        return httpx2.get(f"{address}/health", timeout=10, trust_env=False).is_success
    except httpx2.TransportError:
        return False
