"""The managed PostgreSQL server: one per platform home, one database and one role with a random password per deployment.

Called by fleet through `runtimes.metadatabases`. All state is in files, so a restarted platform finds the server as it was: the
port and the wish in `keeper.json`, the superuser's password in a file of mode 0600. The keeper (see keeper.py) outlives us.
"""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aerodrome.kernel.errors import Unavailable
from aerodrome.kernel.files import write_text
from aerodrome.kernel.secret import Secret
from aerodrome.runtimes.local import keeper
from aerodrome.runtimes.local.layout import read_json, write_json
from aerodrome.runtimes.local.logfiles import open_log
from aerodrome.runtimes.local.postgres import PostgresServer, new_password

_START_S = 60.0
_TUNED = """\
max_connections = 400
shared_buffers = 128MB
wal_compression = on
max_wal_size = 1GB
checkpoint_timeout = 15min
random_page_cost = 1.1
log_checkpoints = off
log_min_error_statement = panic
"""
_LAUNCHER = """\
import subprocess, sys
subprocess.Popen([sys.argv[1], "-P", "-m", "aerodrome.runtimes.local.keeper", sys.argv[2]], start_new_session=True)
"""


class ManagedPostgres:
    """The one server below a platform's home. Cheap to make; nothing starts before the first database is asked for."""

    def __init__(self, folder: Path, *, is_fast: bool = False) -> None:
        """`folder` keeps the wish and the password; the data stand below it, or where the server's user may walk to."""
        self.folder = folder
        self._is_fast = is_fast

    def is_wanted(self) -> bool:
        """Tell whether the server was ever made and is to run."""
        wish = read_json(self.folder / keeper.WISH)
        return wish is not None and bool(wish["is_running"])

    def ensure(self, timeout_s: float = _START_S) -> PostgresServer:
        """Have the server run and kept; give it. Unavailable when there are no programs or it does not come up."""
        with self._locked():
            return self._ensure(timeout_s)

    def create(self, name: str, password: Secret) -> Secret:
        """Make a database with a role of its own; give the URL. Repeating sets the password and changes nothing else."""
        with self._locked():
            return self._ensure(_START_S).create_owned(name, password)

    def drop(self, name: str) -> None:
        """Drop what belongs to the role, and the role. The server stops when it was the last one."""
        with self._locked():
            if not self.is_wanted():
                return
            server = self._ensure(_START_S)
            server.drop_owned(name)
            if not server.owned():
                self._stop(server)

    def is_empty(self, name: str) -> bool:
        """Tell whether nothing was ever written into the database of that name."""
        with self._locked():
            return not self.is_wanted() or self._ensure(_START_S).is_empty(name)

    def names(self) -> list[str]:
        """Give the names of all databases made by `create`."""
        with self._locked():
            return self._ensure(_START_S).owned() if self.is_wanted() else []

    def stop(self) -> None:
        """Stop the keeper and the server; data stay. `ensure` starts them again."""
        with self._locked():
            if (server := self._server()) is not None:
                self._stop(server)

    def _ensure(self, timeout_s: float) -> PostgresServer:
        server = self._server() or self._describe_new()
        wish = {**server.start_command(), "port": server.port, "is_running": True}
        if not server.data.exists():  # the port is written down first: a server made before a crash is found again
            write_json(self.folder / keeper.WISH, {**wish, "is_running": False})
            server.start(timeout_s)
        if read_json(self.folder / keeper.WISH) != wish:
            write_json(self.folder / keeper.WISH, wish)
        deadline = time.monotonic() + timeout_s
        while not (keeper.is_kept(self.folder) and server.is_running() and server.is_answering()):
            if not keeper.is_kept(self.folder):
                self._launch()
            if time.monotonic() > deadline:
                status = read_json(self.folder / keeper.STATUS) or {}
                raise Unavailable(
                    f"The managed PostgreSQL server does not start. {status.get('reason') or ''}".strip(),
                    code="managed-postgres-down",
                    hint=f"Read {server.log}.",
                    retry_after_s=10,
                )
            time.sleep(0.05)
        return server

    def _server(self) -> PostgresServer | None:
        wish = read_json(self.folder / keeper.WISH)
        if wish is None:
            return None
        return self._describe(int(wish["port"]), Secret((self.folder / "superuser").read_text()))

    def _describe_new(self) -> PostgresServer:
        path = self.folder / "superuser"
        if not path.exists():
            write_text(path, new_password().reveal())
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        return self._describe(port, Secret(path.read_text()))

    def _describe(self, port: int, password: Secret) -> PostgresServer:
        return PostgresServer(self.folder / "server", port, password=password, is_fast=self._is_fast, settings=_TUNED)

    def _stop(self, server: PostgresServer) -> None:
        wish = read_json(self.folder / keeper.WISH)
        if wish is not None:
            write_json(self.folder / keeper.WISH, {**wish, "is_running": False})
        deadline = time.monotonic() + 10
        while keeper.is_kept(self.folder) and time.monotonic() < deadline:
            time.sleep(0.05)
        server.stop()

    def _launch(self) -> None:
        output = open_log(self.folder / keeper.LOG)
        package_root = Path(__file__).resolve().parents[3]
        try:
            # a child of a child: it must not be ours, or our death would matter to it
            subprocess.run(
                [sys.executable, "-P", "-c", _LAUNCHER, sys.executable, str(self.folder)],
                env={"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(package_root), "PYTHONUNBUFFERED": "1"},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                check=True,
                timeout=20,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise Unavailable(
                "The keeper of the managed PostgreSQL server could not be started.",
                code="managed-postgres-down",
                hint=f"See {self.folder / keeper.LOG}.",
            ) from error
        finally:
            os.close(output)
        deadline = time.monotonic() + 5
        while not keeper.is_kept(self.folder) and time.monotonic() < deadline:
            time.sleep(0.02)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self.folder / "managed.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)
