"""The source of the demo: a self-managed Airflow 2 as a team runs it on a machine of its own, really running.

Not through our runtime, on purpose: it has its own virtualenv, metadata database, configuration and processes, and the
platform meets it as it would meet any other. The story starts and stops it; nothing here knows about the platform.
"""

from __future__ import annotations

import json
import shutil
import socket
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

import sqlalchemy as sa

from aerodrome.airflowkit.versions import AirflowVersion
from aerodrome.demo.processes import ProcessGroup, inherited_environment
from aerodrome.demo.source_files import (
    SourceLayout,
    SourceSecrets,
    read_env_file,
    wish,
    write_files,
    write_private,
)
from aerodrome.kernel.errors import Broken, Unavailable
from aerodrome.kernel.secret import Secret
from aerodrome.migration.sources.contract import SourceConfig
from aerodrome.runtimes.local.postgres import PostgresServer, find_binaries

AIRFLOW_VERSION = "2.11.2"
COMPONENTS = ("scheduler", "triggerer", "webserver")
HISTORY_WANTED: Mapping[str, int] = {
    "till_minutely": 2,
    "stock_levels": 1,
    "door_counter": 1,
    "sales_hourly": 2,
    "sales_report": 1,
    "customers_daily": 1,
    "prices_mapped": 1,
    "promo_branching": 1,
    "partner_sync": 1,
    "shop_metrics": 1,
    "housekeeping": 1,
    "data_quality": 1,
}

# Without PostgreSQL the source runs on SQLite, where Airflow 2 works on one task at a time, each in a process of its own.
HISTORY_WANTED_ON_SQLITE: Mapping[str, int] = dict.fromkeys(
    ("till_minutely", "stock_levels", "door_counter", "sales_hourly", "partner_sync", "housekeeping"), 1
)

Progress = Callable[[str], None]


def python_version() -> str:
    """Give the Python for the source: ours when that Airflow runs on it, else the newest that it runs on."""
    ours = f"{sys.version_info.major}.{sys.version_info.minor}"
    possible = AirflowVersion.parse(AIRFLOW_VERSION).pythons
    return ours if ours in possible else possible[-1]


@dataclass(frozen=True)
class SourceFacts:
    """What a person would know about this Airflow after setting it up."""

    airflow_version: str
    database: str  # postgresql | sqlite
    database_port: int
    web_port: int
    venv: Path

    @property
    def web_url(self) -> str:
        return f"http://127.0.0.1:{self.web_port}"


class SelfManagedAirflow:
    """One self-managed Airflow below one folder. Safe to make again on the same folder after a crash: `stop` then works."""

    def __init__(self, root: Path) -> None:
        self.layout = SourceLayout(root.absolute())
        self._group = ProcessGroup(self.layout.state_file)
        self.seconds: dict[str, float] = {}

    def start(self, venv: Path, progress: Progress) -> SourceFacts:
        """Make everything afresh and start it; returns when all components run. Earlier data of the folder is removed."""
        self.stop()
        shutil.rmtree(self.layout.root, ignore_errors=True)
        self.layout.root.mkdir(parents=True, mode=0o700)
        hidden = SourceSecrets.generate()
        has_postgres = _has_postgres()
        web_port, database_port = _free_ports(2)
        facts = SourceFacts(
            AIRFLOW_VERSION, "postgresql" if has_postgres else "sqlite", database_port, web_port, venv.absolute()
        )
        data = {**facts.__dict__, "venv": str(facts.venv)}
        write_private(self.layout.facts_file, json.dumps(data))
        write_files(
            self.layout,
            hidden,
            self._database_url(facts, hidden, "postgresql+psycopg2").reveal(),
            web_port,
            "LocalExecutor" if has_postgres else "SequentialExecutor",
        )
        began = time.monotonic()
        with ThreadPoolExecutor(1) as pool:
            server = pool.submit(self._start_database, facts, hidden) if has_postgres else None
            self._prepare(facts, hidden, progress)
            if server:
                server.result()
        self.seconds["prepare"] = round(time.monotonic() - began, 1)
        began = time.monotonic()
        progress("starting scheduler, triggerer and webserver")
        for component in COMPONENTS:
            self.start_component(component)
        self._await_web(facts)
        self.seconds["components"] = round(time.monotonic() - began, 1)
        return facts

    def facts(self) -> SourceFacts:
        data = json.loads(self.layout.facts_file.read_text())
        return SourceFacts(**{**data, "venv": Path(data["venv"])})

    def secrets(self) -> SourceSecrets:
        return SourceSecrets.read(self.layout.secrets_file)

    def config(self, name: str = "corner-shop") -> SourceConfig:
        """Give what the platform is told about this source."""
        hidden, project = self.secrets(), self.layout.project
        return SourceConfig(
            kind="airflow-db",
            name=name,
            database_url=self.database_url(),
            fernet_keys=Secret(hidden.fernet_key),
            dags_folder=project / "dags",
            plugins_folder=project / "plugins",
            include_folder=project / "include",
            requirements_file=project / "requirements.txt",
            config_file=self.layout.config_file,
            env_file=self.layout.env_file,
        )

    def database_url(self) -> Secret:
        """Give the SQLAlchemy URL of the metadata database, for psycopg 3."""
        return self._database_url(self.facts(), self.secrets(), "postgresql+psycopg")

    def start_component(self, component: str) -> None:
        """Start scheduler, triggerer or webserver unless it runs; its output goes to logs/<component>.log."""
        if self._group.find(component):
            return
        facts = self.facts()
        options = {
            "scheduler": ["-s"],
            "triggerer": ["-s"],
            "webserver": ["--hostname", "127.0.0.1", "--port", str(facts.web_port), "--workers", "1"],
        }
        command = [str(facts.venv / "bin" / "airflow"), component, *options[component]]
        log = self.layout.logs / f"{component}.log"
        self._group.start(component, command, env=self.environment(), cwd=self.layout.root, log=log)

    def stop_component(self, component: str) -> None:
        self._group.stop_one(component)

    def is_running(self, component: str) -> bool:
        return self._group.find(component) is not None

    def environment(self) -> dict[str, str]:
        """Give the environment of the processes: the unit's own part and the environment file."""
        venv = self.facts().venv
        base = inherited_environment()
        return {
            **base,
            "AIRFLOW_HOME": str(self.layout.home),
            "PATH": f"{venv / 'bin'}:{base.get('PATH', '/usr/bin:/bin')}",
            "PYTHONPATH": str(self.layout.project),
            "PYTHONWARNINGS": "ignore",
            **read_env_file(self.layout.env_file),
        }

    def successes(self) -> dict[str, int]:
        """Count the successful runs of each DAG; data_quality counts its failed run, it is there for that."""
        query = sa.text("select dag_id, state, count(*) from dag_run group by dag_id, state")
        engine = sa.create_engine(self.database_url().reveal(), poolclass=sa.NullPool)
        with engine.connect() as connection:
            rows = connection.execute(query).all()
        wanted = {"data_quality": "failed"}
        return {dag_id: count for dag_id, state, count in rows if state == wanted.get(dag_id, "success")}

    def await_history(
        self, progress: Progress, timeout_s: float = 240, wanted: Mapping[str, int] | None = None
    ) -> dict[str, int]:
        """Wait until each DAG has that many finished runs, really run; gives the counts."""
        if wanted is None:
            wanted = HISTORY_WANTED if self.facts().database == "postgresql" else HISTORY_WANTED_ON_SQLITE
        began = time.monotonic()
        while True:
            have = self.successes()
            done = sum(have.get(dag_id, 0) >= count for dag_id, count in wanted.items())
            progress(f"{done} of {len(wanted)} DAGs have their history, {sum(have.values())} runs finished")
            if done == len(wanted):
                self.seconds["history"] = round(time.monotonic() - began, 1)
                return have
            if dead := [name for name in COMPONENTS if not self.is_running(name)]:
                raise Broken(f"The source's {dead[0]} ended.", code="demo-source-died", hint=self._read(dead[0]))
            if time.monotonic() - began > timeout_s:
                lacking = sorted(dag_id for dag_id, count in wanted.items() if have.get(dag_id, 0) < count)
                raise Unavailable(
                    f"The source made no history for {', '.join(lacking)} within {timeout_s:.0f} s.",
                    code="demo-history-missing",
                    hint=self._read("scheduler"),
                )
            time.sleep(0.5)

    def stop(self, grace_s: float = 8, *, keeps_database: bool = False) -> None:
        """Stop the components and the database by identity; nothing runs afterwards. Safe to repeat.

        A database whose data lies outside our folder is removed, unless somebody keeps it to start it again.
        """
        self._group.stop(grace_s)
        if self.layout.facts_file.exists() and self.layout.secrets_file.exists():
            facts = self.facts()
            if facts.database == "postgresql":
                server = self._server(facts, self.secrets())
                server.stop(grace_s)
                if (
                    server.moved_because and not keeps_database
                ):  # its data lies outside our folder, where nobody would look for it
                    server.delete()

    def start_database(self) -> None:
        """Start only the database again after a stop that kept it, so that what stands in it can be read."""
        facts = self.facts()
        if facts.database == "postgresql":
            self._server(facts, self.secrets()).start()

    def remove(self) -> None:
        """Stop everything and remove all files, the database's among them."""
        self.stop()
        if self.layout.facts_file.exists() and self.facts().database == "postgresql":
            self._server(self.facts(), self.secrets()).delete()
        shutil.rmtree(self.layout.root, ignore_errors=True)

    def _start_database(self, facts: SourceFacts, hidden: SourceSecrets) -> None:
        server = self._server(facts, hidden)
        server.delete()  # an earlier demo's data, which may lie outside our folder (PostgresServer.moved_because)
        server.start()
        server.create_database("airflow")

    def _server(self, facts: SourceFacts, hidden: SourceSecrets) -> PostgresServer:
        folder, password = self.layout.root / "postgres", Secret(hidden.database_password)
        return PostgresServer(folder, facts.database_port, password=password, user="airflow", is_fast=True)

    def _database_url(self, facts: SourceFacts, hidden: SourceSecrets, driver: str) -> Secret:
        if facts.database == "sqlite":
            return Secret(f"sqlite:///{self.layout.home / 'airflow.db'}")
        return Secret(f"{driver}://airflow:{hidden.database_password}@127.0.0.1:{facts.database_port}/airflow")

    def _prepare(self, facts: SourceFacts, hidden: SourceSecrets, progress: Progress) -> None:
        titles = {
            "imported": "creating the metadata database",
            "migrated": "adding connections, variables, pools and a user",
            "filled": "reading the DAGs",
        }
        asked = self.layout.root / "prepare.json"
        write_private(asked, json.dumps(wish(self.layout, hidden, database_wait_s=60)))
        log = self.layout.logs / "prepare.log"
        progress("starting its database server")
        with as_file(files("aerodrome.demo") / "inside" / "prepare_source.py") as script:
            command = [str(facts.venv / "bin" / "python"), str(script), str(asked)]
            child = self._group.start("prepare", command, env=self.environment(), cwd=self.layout.root, log=log)
            told: set[str] = set()
            while child.poll() is None:
                for word in log.read_text(errors="replace").split("\n"):
                    if word in titles and word not in told:
                        told.add(word)
                        progress(titles[word])
                time.sleep(0.1)
        asked.unlink()
        if child.returncode:
            raise Broken("The source could not be prepared.", code="demo-prepare-failed", hint=self._read("prepare"))

    def _await_web(self, facts: SourceFacts, timeout_s: float = 90) -> None:
        deadline = time.monotonic() + timeout_s
        while not _answers(facts.web_port):
            if not self.is_running("webserver") or time.monotonic() > deadline:
                hint = self._read("webserver")
                raise Broken("The source's webserver does not answer.", code="demo-source-died", hint=hint)
            time.sleep(0.2)

    def _read(self, name: str) -> str:
        path = self.layout.logs / f"{name}.log"
        return f"Read {path}; it ends with: " + " | ".join(path.read_text(errors="replace").splitlines()[-3:])


def _has_postgres() -> bool:
    try:
        find_binaries()
    except Unavailable:
        return False
    return True


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=0.5).close()
    except OSError:
        return False
    return True
