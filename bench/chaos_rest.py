"""A source over REST whose API fails: the web server of a real Airflow 2.11.2, and between it and the cutover somebody who breaks things.

For some seconds at a time each call hangs until the cutover gives up, is answered with 500 or 503, is done while the answer is cut
off in its middle, or finds nobody. Called by `bench.chaos_cutover`, over the same two databases.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from bench.rig import note
from bench.two_airflows import VERSIONS, TwoAirflows

from aerodrome.builds import VenvSpec, VenvStore

USER, PASSWORD = "chaos", "chaos"
"""Of an Airflow that listens on loopback for some minutes."""
MODES = ("hang", "500", "503", "cut", "refuse")
HANG_S = 4.0
"""Longer than the cutover waits for an answer here."""
ANSWER_S = 2.5


class BreakingProxy:
    """Passes calls on to an Airflow, unless it is told to break them; counts what it broke."""

    def __init__(self, port: int) -> None:
        self.mode = ""
        self.broken: Counter[str] = Counter()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the name is the library's
                pass

            def _pass(self) -> None:
                mode = proxy.mode
                if mode:
                    proxy.broken[mode] += 1
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if mode == "refuse":
                    self._slam()
                    return
                if mode == "hang":
                    time.sleep(HANG_S)
                    self._slam()
                    return
                if mode in ("500", "503"):
                    self._answer(int(mode), b'{"title": "broken on purpose"}')
                    return
                connection = HTTPConnection("127.0.0.1", port, timeout=60)
                try:
                    kept = {
                        key: value for key, value in self.headers.items() if key.lower() not in ("host", "connection")
                    }
                    connection.request(self.command, self.path, body, kept)
                    found = connection.getresponse()
                    content = found.read()
                except (OSError, HTTPException):
                    self._slam()
                    return
                finally:
                    connection.close()
                self._answer(found.status, content, is_cut=mode == "cut", date=found.headers.get("Date", ""))

            do_GET = do_POST = do_PATCH = do_DELETE = _pass  # noqa: N815 - the names are the library's

            def _answer(self, status: int, content: bytes, *, is_cut: bool = False, date: str = "") -> None:
                self.send_response_only(status)
                self.send_header("Date", date or self.date_time_string())
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content[: len(content) // 2] if is_cut else content)
                if is_cut:
                    self._slam()

            def _slam(self) -> None:
                """End the connection as a dying machine does: with a reset, nothing said."""
                self.wfile.flush()
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
                self.close_connection = True

            def finish(self) -> None:
                try:
                    super().finish()
                except (OSError, ValueError):
                    self.close_connection = True

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def break_for(self, mode: str, seconds: float) -> None:
        """Break every call for a while."""
        self.mode = mode
        time.sleep(seconds)
        self.mode = ""


@contextmanager
def served(world: TwoAirflows) -> Iterator[BreakingProxy]:
    """Serve the API of the source's database by Airflow's own web server, behind a proxy that can break it."""
    cache = Path(os.environ.get("AERODROME_TEST_CACHE", Path.home() / ".cache" / "aerodrome" / "tests"))
    venv = VenvStore(cache / "venvs").ensure(VenvSpec(VERSIONS["source"], "3.11", ()), lambda _line: None)
    home = world.folder / "web"
    home.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    settings = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": world.urls["source"].replace("+psycopg://", "+psycopg2://"),
        "AIRFLOW__API__AUTH_BACKENDS": "airflow.api.auth.backend.basic_auth",
        "AIRFLOW__WEBSERVER__SECRET_KEY": "0" * 32,
        "PATH": f"{venv.path / 'bin'}:{os.environ['PATH']}",
        "HOME": str(home),
    }
    airflow = str(venv.path / "bin" / "airflow")
    person = ["--username", USER, "--password", PASSWORD, "--role", "Admin", "--firstname", "a", "--lastname", "b"]
    subprocess.run(
        [airflow, "users", "create", *person, "--email", "a@example.org"], env=settings, check=True, capture_output=True
    )
    with (home / "web.log").open("wb") as log:
        process = subprocess.Popen(
            [airflow, "webserver", "--hostname", "127.0.0.1", "--port", str(port), "--workers", "2"],
            env=settings,
            stdout=log,
            stderr=log,
        )
        proxy = BreakingProxy(port)
        try:
            _await(f"http://127.0.0.1:{port}/health", process, home / "web.log")
            yield proxy
        finally:
            proxy.close()
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _await(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    note("waiting for the web server of the source")
    for _ in range(300):
        try:
            with urlopen(url, timeout=5) as answer:
                json.load(answer)
                return
        except (URLError, OSError, ValueError):
            if process.poll() is not None:
                break
            time.sleep(1)
    raise SystemExit(f"The web server did not start: {log.read_text(errors='replace')[-2000:]}")
