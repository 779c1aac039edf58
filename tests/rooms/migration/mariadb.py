"""A real MariaDB server of a test run, on loopback, without crash safety.

It can say that it is a MySQL: SQLAlchemy 1.4 asks a MariaDB for sequences that Airflow's users table never made, so Airflow 2
runs on MySQL only (https://airflow.apache.org/docs/apache-airflow/2.3.4/howto/set-up-database.html: "MariaDB ... not supported").
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pymysql
import pytest

PASSWORD = "canary-maria-password"  # of a server that lives as long as its test run


@dataclass(frozen=True)
class MariaServer:
    """A running server. `url` names a database with all rights, for Airflow and for us."""

    port: int
    socket: Path

    def create_database(self, name: str) -> str:
        self.execute(
            f"create database {name} character set utf8mb3 collate utf8mb3_bin",
            f"grant all on {name}.* to airflow@'127.0.0.1' identified by '{PASSWORD}'",
        )
        return f"mysql+pymysql://airflow:{PASSWORD}@127.0.0.1:{self.port}/{name}"

    def reader(self, name: str) -> str:
        """Give the URL of a user that may only read the database."""
        self.execute(f"grant select on {name}.* to reader@'127.0.0.1' identified by '{PASSWORD}'")
        return f"mysql://reader:{PASSWORD}@127.0.0.1:{self.port}/{name}"

    def execute(self, *statements: str) -> None:
        with closing(pymysql.connect(unix_socket=str(self.socket), user="root")) as connection:
            for statement in statements:
                connection.cursor().execute(statement)


@contextmanager
def running(folder: Path, port: int, version: str | None = None) -> Iterator[MariaServer]:
    """Start a server below the folder, and end it."""
    if shutil.which("mariadbd") is None:
        pytest.fail("MariaDB is missing: run scripts/setup matrix", pytrace=False)
    user = [f"--user={'root' if os.geteuid() == 0 else os.environ.get('USER', 'mysql')}"]
    data, socket = folder / "data", folder / "s"
    made = subprocess.run(
        ["mariadb-install-db", "--no-defaults", "--skip-test-db", "--auth-root-authentication-method=normal",
         f"--datadir={data}", *user],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stdout[-2000:] + made.stderr[-2000:]
    command = [
        "mariadbd", "--no-defaults", *user, f"--datadir={data}", f"--socket={socket}", f"--port={port}",
        "--bind-address=127.0.0.1", "--explicit-defaults-for-timestamp=1", "--innodb-flush-log-at-trx-commit=0",
        "--default-time-zone=+05:30",  # not UTC: a reader that trusts the server's zone would shift every moment
        f"--pid-file={folder / 'pid'}", *([f"--version={version}"] if version else []),
    ]  # fmt: skip
    with (folder / "server.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            server = MariaServer(port, socket)
            _await(server, process, folder)
            yield server
        finally:
            process.terminate()
            process.wait(30)


def _await(server: MariaServer, process: subprocess.Popen[bytes], folder: Path) -> None:
    ask = ["mariadb-admin", "--no-defaults", f"--socket={server.socket}", "--user=root", "ping"]
    for _ in range(120):
        assert process.poll() is None, (folder / "server.log").read_text()[-3000:]
        if subprocess.run(ask, capture_output=True, check=False).returncode == 0:
            return
        time.sleep(0.5)
    raise AssertionError((folder / "server.log").read_text()[-3000:])
