"""A MariaDB server of a bench's own on loopback, as the metadata database of a source.

It says that it is a MySQL: SQLAlchemy 1.4 asks a MariaDB for sequences that Airflow's tables of users never made.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

VERSION = "5.7.10-log"
_WAIT_S = 60


@dataclass(frozen=True)
class MysqlServer:
    """A running server."""

    port: int
    socket: Path
    pid: int
    password: str = field(default_factory=lambda: secrets.token_urlsafe(16), repr=False)

    def create_database(self, name: str) -> str:
        """Give the SQLAlchemy URL of a user with all rights on a new database."""
        import pymysql

        with closing(pymysql.connect(unix_socket=str(self.socket), user="root")) as connection:
            cursor = connection.cursor()
            cursor.execute(f"create database {name} character set utf8mb3 collate utf8mb3_bin")
            cursor.execute(f"grant all on {name}.* to airflow@'127.0.0.1' identified by '{self.password}'")
        return f"mysql+pymysql://airflow:{self.password}@127.0.0.1:{self.port}/{name}"


@contextmanager
def running(folder: Path, port: int) -> Iterator[MysqlServer]:
    """Start a server below the folder, and end it."""
    if shutil.which("mariadbd") is None:
        raise SystemExit("MariaDB is missing: run scripts/setup matrix")
    user = f"--user={'root' if os.geteuid() == 0 else os.environ.get('USER', 'mysql')}"
    data, socket = folder / "data", folder / "s"
    subprocess.run(
        ["mariadb-install-db", "--no-defaults", "--skip-test-db", "--auth-root-authentication-method=normal",
         f"--datadir={data}", user],
        check=True, capture_output=True,
    )  # fmt: skip
    command = [
        "mariadbd", "--no-defaults", user, f"--datadir={data}", f"--socket={socket}", f"--port={port}",
        "--bind-address=127.0.0.1", "--explicit-defaults-for-timestamp=1", "--innodb-flush-log-at-trx-commit=0",
        "--innodb-buffer-pool-size=512M", f"--pid-file={folder / 'pid'}", f"--version={VERSION}",
    ]  # fmt: skip
    with (folder / "server.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            _await(socket, process, folder)
            yield MysqlServer(port, socket, process.pid)
        finally:
            process.terminate()
            process.wait(_WAIT_S)


def _await(socket: Path, process: subprocess.Popen[bytes], folder: Path) -> None:
    ask = ["mariadb-admin", "--no-defaults", f"--socket={socket}", "--user=root", "ping"]
    until = time.monotonic() + _WAIT_S
    while subprocess.run(ask, capture_output=True, check=False).returncode:
        if process.poll() is not None or time.monotonic() > until:
            raise SystemExit(f"MariaDB does not start: {(folder / 'server.log').read_text()[-2000:]}")
        time.sleep(0.2)
