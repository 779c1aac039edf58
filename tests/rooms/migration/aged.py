"""Makes real metadata databases of old and new Airflow versions, whose runs Airflow itself executed.

Versions that Aerodrome does not host come from locks in `tests/data/locks`, on Python 3.8 or 3.7. Airflow 3 executes its runs with
its real scheduler (it has no way to run a task in one process).
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine, make_url, text

from aerodrome.builds.pythons import find_python
from aerodrome.builds.uv import run_uv
from aerodrome.databases import tools
from aerodrome.kernel.digest import digest_of
from aerodrome.kernel.errors import Unavailable
from aerodrome.kernel.secret import Secret
from aerodrome.migration.sources.contract import SourceConfig

DATA = Path(__file__).parents[2] / "data"
PROJECT = DATA / "aged_project"
LOCKS = DATA / "locks"
OLD_PYTHON = "3.8"
PYTHONS = {"1.10.10": "3.7", "1.10.11": "3.7"}
"""Of what does not run on OLD_PYTHON."""
BY_PIP = frozenset({"1.10.10", "1.10.11", "1.10.12"})
"""Their metadata is malformed (a version in the list of an extra), and only pip before 24.1 installs them."""
MYSQL_PACKAGES, MYSQL_PACKAGES_OF_3 = ("pymysql",), ("aiomysql",)
"""What an Airflow of today needs for MySQL; those of old have it in their locks."""
DAYS = 3
"""Scheduled runs of `daily_orders`."""


@dataclass(frozen=True)
class Aged:
    """A source: its version, where its database is, and the key of its secrets."""

    version: str
    url: str  # SQLAlchemy
    fernet_key: str

    @property
    def config(self) -> SourceConfig:
        return SourceConfig(
            kind="airflow-db",
            name=f"airflow {self.version}",
            database_url=Secret(self.url),
            fernet_keys=Secret(self.fernet_key),
            dags_folder=PROJECT / "dags",
        )

    def count(self, sql: str) -> int:
        """Ask the database without any code of ours."""
        engine = create_engine(self.url.replace("+psycopg2", "+psycopg"))
        try:
            with engine.connect() as connection:
                return int(connection.scalar(text(sql)) or 0)
        finally:
            engine.dispose()


def copied(old: Aged, encoding: str = "UTF8") -> Aged:
    """Copy a source in PostgreSQL into a database of its own, for tests that change it; the server's end is the copy's."""
    url, name = make_url(old.url), f"copied_{os.urandom(4).hex()}"
    place = url.set(drivername="postgresql", database="postgres").render_as_string(hide_password=False)
    with psycopg.connect(place, autocommit=True) as connection:
        major = connection.info.server_version // 10_000
        connection.execute(
            f"create database {name} encoding '{encoding}' template template0 lc_collate 'C' lc_ctype 'C'"
        )
    dump = run_in_postgres(old, tools.find("pg_dump", major), "--encoding=UTF8", str(url.database))
    copy = replace(old, url=url.set(database=name).render_as_string(hide_password=False))
    run_in_postgres(copy, tools.find("psql", major), "--quiet", "--set=ON_ERROR_STOP=1", name, data=dump)
    return copy


def run_in_postgres(old: Aged, *command: str | Path, data: bytes = b"") -> bytes:
    """Run a client of PostgreSQL where a source is."""
    url = make_url(old.url)
    where = {
        "PGHOST": url.host or "",
        "PGPORT": str(url.port),
        "PGUSER": url.username or "",
        "PGPASSWORD": url.password or "",
    }
    return subprocess.run(command, env=os.environ | where, input=data, capture_output=True, check=True).stdout


def old_venv(cache: Path, version: str) -> Path:
    """Give the virtualenv of a version that Aerodrome does not host, made once per lock."""
    lock = LOCKS / f"airflow-{version}.txt"
    path = cache / "aged" / f"{version}-{digest_of(lock.read_text())[:12]}"
    if not (path / "ready").exists():
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        shutil.rmtree(draft, ignore_errors=True)
        python = _python(PYTHONS.get(version, OLD_PYTHON))
        run_uv(["venv", "--no-project", "--no-config", "--relocatable", "--python", str(python), str(draft)])
        wanted = lock
        if version in BY_PIP:
            wanted = draft / "lock.txt"
            lines = lock.read_text().splitlines(keepends=True)
            wanted.write_text("".join(line for line in lines if not line.startswith("apache-airflow==")))
        run_uv(["pip", "sync", "--python", str(draft / "bin/python"), str(wanted)])
        if version in BY_PIP:
            _install_by_pip(_python(OLD_PYTHON), draft / "bin/python", f"apache-airflow=={version}")
        (draft / "ready").touch()
        if not path.exists():
            draft.rename(path)
    return path


def _python(version: str) -> Path:
    """Give a Python of old, or skip: few systems still have one."""
    try:
        return find_python(version)
    except Unavailable as error:
        pytest.skip(f"Airflow of those days needs it: {error.message}")


def _install_by_pip(pip_of: Path, into: Path, requirement: str) -> None:
    """Let the pip that came with an old Python install one package into another environment."""
    done = subprocess.run(
        [pip_of, "-m", "pip", "--disable-pip-version-check", "--python", into, "install", "--no-deps", requirement],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]


def environment(venv: Path, home: Path, url: str, fernet_key: str, **more: str) -> dict[str, str]:
    """Give the environment for programs of any Airflow version."""
    return {
        "PATH": f"{venv / 'bin'}:/usr/bin:/bin",
        "HOME": str(home),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
        "AIRFLOW__CORE__FERNET_KEY": fernet_key,
        "AIRFLOW__CORE__SQL_ALCHEMY_CONN": url,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url,
    } | more


def make_old(venv: Path, home: Path, url: str, fernet_key: str, *options: str) -> None:
    """Make the database of a 1.10 or 2.x and execute its runs."""
    done = subprocess.run(
        [venv / "bin" / "python", "-W", "ignore", DATA / "make_aged_source.py", str(DAYS), *options],
        env=environment(venv, home, url, fernet_key),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]


def make_new(venv: Path, home: Path, url: str, fernet_key: str) -> None:
    """Make the database of a 3.x: its DAG processor parses, its scheduler creates and executes the runs."""
    port = _free_port()
    env = environment(
        venv,
        home,
        url,
        fernet_key,
        AGED_DAYS=str(DAYS),
        AIRFLOW__CORE__EXECUTOR="LocalExecutor",
        AIRFLOW__CORE__PARALLELISM="2",
        AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION="False",
        AIRFLOW__CORE__EXECUTION_API_SERVER_URL=f"http://127.0.0.1:{port}/execution/",
        AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS="admin:admin",
        AIRFLOW__API__PORT=str(port),
        AIRFLOW__API__BASE_URL=f"http://127.0.0.1:{port}",
        AIRFLOW__API_AUTH__JWT_SECRET="s" * 64,
        AIRFLOW__SCHEDULER__CREATE_CRON_DATA_INTERVALS="True",
        AIRFLOW__SCHEDULER__CREATE_DELTA_DATA_INTERVALS="True",
        AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES="1",
        **({"PYTHONPATH": str(DATA / "mysqldb")} if url.startswith("mysql") else {}),
    )
    _run(env, "db", "migrate")
    _run(env, "connections", "add", "warehouse", "--conn-type", "postgres", "--conn-host", "warehouse.internal",
         "--conn-password", "canary-conn-password-a1", "--conn-extra", '{"token": "canary-conn-extra-b2"}')  # fmt: skip
    _run(env, "variables", "set", "api_token", "canary-variable-c3")
    _run(env, "pools", "set", "warehouse_pool", "3", "")
    daily = "select count(*) from dag_run where run_type = 'scheduled' and dag_id = 'daily_orders' and state"
    source = Aged("", url, fernet_key)
    with ExitStack() as running:
        running.enter_context(_running(env, home, "api-server", "--host", "127.0.0.1", "--workers", "1"))
        _await(lambda: _answers(port), home)  # a task that finds no server fails before it begins
        running.enter_context(_running(env, home, "dag-processor"))
        running.enter_context(_running(env, home, "scheduler", "-s"))
        _await(lambda: source.count("select count(*) from dag where dag_id = 'by_hand'") == 1, home)
        _run(env, "dags", "trigger", "by_hand", "--conf", '{"full": true, "since": "2026-01-01"}')
        _run(env, "dags", "trigger", "by_hand", "--conf", "{}")
        by_hand = "select count(*) from dag_run where state = 'success' and dag_id = 'by_hand'"
        _await(lambda: source.count(f"{daily} = 'success'") >= 1 and source.count(by_hand) == 2, home)
        _await(lambda: source.count(f"{daily} in ('success', 'failed')") >= DAYS, home)
        # From 02:00 UTC there is one day more than that. Runs are made in the transaction that writes what is due next, so
        # nothing begins any more when all three lie ahead; while a DAG is at its limit of runs, it has no date.
        ahead = "select count(*) from dag where next_dagrun_create_after > current_timestamp"
        unfinished = "select count(*) from dag_run where state in ('running', 'queued')"
        _await(lambda: source.count(ahead) == 3 and source.count(unfinished) == 0, home)
    _run(env, "dags", "pause", "by_hand")
    _run(env, "dags", "trigger", "by_hand", "--conf", '{"live": true}')  # nobody starts it: must not move


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _run(env: dict[str, str], *arguments: str) -> None:
    program = Path(env["PATH"].split(":")[0]) / "airflow"
    done = subprocess.run([program, *arguments], env=env, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v2/version", timeout=5) as answer:
            return bool(answer.status == HTTPStatus.OK)
    except OSError:
        return False


@contextmanager
def _running(env: dict[str, str], home: Path, *arguments: str) -> Iterator[None]:
    program = Path(env["PATH"].split(":")[0]) / "airflow"
    with (home / f"{arguments[0]}.log").open("wb") as log:
        process = subprocess.Popen(
            [program, *arguments], env=env, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a component with its children: they share the group that it began."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _await(is_done: Callable[[], bool], home: Path, limit_s: float = 600) -> None:
    until = time.monotonic() + limit_s
    while time.monotonic() < until:
        if is_done():
            return
        time.sleep(1)
    logs = "\n".join(f"== {path.name}\n{path.read_text()[-2500:]}" for path in sorted(home.glob("*.log")))
    raise AssertionError(f"Airflow did not get that far in {limit_s:.0f} s\n{logs}")
