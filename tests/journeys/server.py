"""`aerodrome serve` as a process that is killed and started again, and both Airflows' databases as rows."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import sqlalchemy as sa

from aerodrome.access import SYSTEM
from aerodrome.builds import BundleStore, VenvStore
from aerodrome.client.client import Client
from aerodrome.demo.processes import inherited_environment
from aerodrome.fleet.context import FleetContext
from aerodrome.fleet.service import Fleet
from aerodrome.kernel.clock import SystemClock
from aerodrome.kernel.errors import Unavailable
from aerodrome.kernel.secret import Secret
from aerodrome.runtimes.contract import AirflowAccess
from aerodrome.runtimes.local.runtime import LocalRuntime
from aerodrome.secretstores import LocalSecretStore, open_keyring
from aerodrome.settings.model import Settings
from aerodrome.store import open_store
from aerodrome.web.credentials import SESSION_COOKIE

LEASE_S = 2
_LINK = re.compile(r"(http://\S+/login\?code=aero_link_[A-Za-z0-9_-]+)\s")


@dataclass
class Server:
    """One server on one home. `log` has all that it ever logged; what it told people stands beside it, in `said`."""

    settings: Settings
    log: Path
    kills: int = 0
    secrets: dict[str, str] = field(default_factory=dict, repr=False)  # its own credentials, as people came by them
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def said(self) -> Path:
        return self.log.with_suffix(".said")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.settings.port}"

    @property
    def gate_url(self) -> str:
        return f"http://127.0.0.1:{self.settings.gate_port}"

    def start(self) -> None:
        env = {
            **inherited_environment(),
            "AERODROME_HOME": str(self.settings.home),
            "AERODROME_PORT": str(self.settings.port),
            "AERODROME_GATE_PORT": str(self.settings.gate_port),
            "AERODROME_WORKER_LEASE_S": str(LEASE_S),
            "AERODROME_WORKER_POLL_S": "0.2",
            "AERODROME_LOG_LEVEL": "debug",
            "PYTHONUNBUFFERED": "1",
        }
        command = [sys.executable, "-m", "aerodrome.cli", "serve"]
        with self.log.open("ab") as log, self.said.open("ab") as said:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=log, env=env)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)
        self.kills += 1

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(30)
            self.process = None

    def first_link(self) -> str:
        """Give the one-time link that the first start printed."""
        return str(until(lambda: _LINK.search(self.said.read_text() if self.said.exists() else ""), 60)[1])

    def sign_in(self, name: str) -> Client:
        """Use the link of the first start, and give a client with a token made by it."""
        code = self.first_link().partition("code=")[2]
        with Client(self.url) as stranger:
            made = until(lambda: _answer(lambda: stranger.tokens.exchange(Secret(code), name)), 30)
        self.secrets |= {"login code": code, "API token": made.text.reveal()}
        return Client(self.url, made.text)

    def session_of(self, client: Client, person: str) -> str:
        """Sign a person in to the pages with a one-time link, as a browser does, and give the session cookie."""
        code = client.users.login_link(person).url.reveal().partition("code=")[2]
        answer = httpx2.post(f"{self.url}/login", data={"code": code}, trust_env=False)
        session = str(answer.cookies[SESSION_COOKIE])
        self.secrets |= {f"login code of {person}": code, f"session of {person}": session}
        return session

    def reach(self, deployment: str) -> AirflowAccess:
        """Tell how the platform itself reaches that Airflow."""
        with closing(open_store(self.settings.store_url.reveal())) as store:
            fleet = Fleet(
                FleetContext(
                    store,
                    BundleStore(self.settings.bundles_dir),
                    VenvStore(self.settings.venvs_dir),
                    LocalRuntime(self.settings.deployments_dir),
                    LocalSecretStore(store, open_keyring(self.settings.home)),
                    SystemClock(),
                    gate_url=self.settings.gate_url,
                )
            )
            return fleet.access(SYSTEM, deployment)

    def remove_deployments(self) -> None:
        runtime = LocalRuntime(self.settings.deployments_dir)
        for folder in self.settings.deployments_dir.glob("dep_*"):
            runtime.delete(folder.name)
        end_postgres(runtime)


def end_postgres(runtime: LocalRuntime) -> None:
    """End the managed PostgreSQL of a platform, with its data, where it still runs."""
    managed = runtime.databases.managed
    if managed.is_wanted():
        server = managed.ensure()
        managed.stop()
        server.delete()


def until(look: Callable[[], Any], timeout_s: float = 90, every_s: float = 0.05) -> Any:
    """Look until there is something."""
    end = time.monotonic() + timeout_s
    while not (seen := look()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(every_s)
    return seen


def _answer(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except Unavailable:
        return None


@dataclass(frozen=True)
class Run:
    """A row of dag_run, of either Airflow."""

    dag_id: str
    run_id: str
    run_type: str
    state: str
    begin: datetime
    end: datetime
    started: datetime | None
    tasks: int


def runs_of(url: Secret) -> list[Run]:
    """Give all runs in a metadata database, by DAG and interval."""
    query = sa.text(
        "select r.dag_id, r.run_id, r.run_type, r.state, r.data_interval_start, r.data_interval_end, r.start_date,"
        " (select count(*) from task_instance t where t.dag_id = r.dag_id and t.run_id = r.run_id)"
        " from dag_run r order by r.dag_id, r.data_interval_start"
    )
    return [
        Run(row[0], row[1], row[2], row[3], _moment(row[4]), _moment(row[5]), _moment(row[6]), row[7])
        for row in _rows(url, query)
    ]


def paused_of(url: Secret) -> Mapping[str, bool]:
    return {dag_id: bool(value) for dag_id, value in _rows(url, sa.text("select dag_id, is_paused from dag"))}


def _rows(url: Secret, query: sa.TextClause) -> list[Any]:
    engine = sa.create_engine(url.reveal(), poolclass=sa.NullPool)
    try:
        with engine.connect() as connection:
            return list(connection.execute(query).all())
    finally:
        engine.dispose()


def _moment(value: Any) -> Any:
    """Read a moment; SQLite gives it as text in UTC."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    if moment is None:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
