"""A real metadata database of Airflow 2.11.2, made once per run and database by Airflow itself, copied for each test."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from aerodrome.builds.contract import Venv
from aerodrome.kernel.clock import ManualClock
from aerodrome.kernel.secret import Secret
from aerodrome.migration.estate.archive import Estate
from aerodrome.migration.sources.capture import capture
from aerodrome.migration.sources.contract import SourceAdapter, SourceConfig
from aerodrome.migration.sources.registry import open_source
from aerodrome.runtimes.local.postgres import PostgresServer

DATA = Path(__file__).parents[3] / "data"
PROJECT = DATA / "source_project"
_TEMPLATE = "airflow_source_template"


def make_source(venv: Venv, home: Path, url: str, fernet_key: str) -> None:
    env = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("AIRFLOW") and name != "PYTHONDONTWRITEBYTECODE"
    }
    env |= {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
        "AIRFLOW__CORE__FERNET_KEY": fernet_key,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url,
    }
    done = subprocess.run(
        [venv.path / "bin" / "python", "-W", "ignore", DATA / "make_source.py", "10"],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]


@pytest.fixture(scope="session")
def fernet_key() -> str:
    return Fernet.generate_key().decode()


@pytest.fixture(scope="session")
def _sqlite_source(
    airflow_venv: Callable[..., Venv], tmp_path_factory: pytest.TempPathFactory, fernet_key: str
) -> Path:
    home = tmp_path_factory.mktemp("sqlite-source")
    make_source(airflow_venv("2.11.2"), home, f"sqlite:///{home / 'airflow.db'}", fernet_key)
    return home / "airflow.db"


@pytest.fixture(scope="session")
def _postgres_source(
    airflow_venv: Callable[..., Venv],
    postgres_server: PostgresServer,
    tmp_path_factory: pytest.TempPathFactory,
    fernet_key: str,
) -> str:
    url = postgres_server.create_database(_TEMPLATE).reveal().replace("+psycopg:", "+psycopg2:")
    make_source(airflow_venv("2.11.2"), tmp_path_factory.mktemp("postgres-source"), url, fernet_key)
    return _TEMPLATE


@pytest.fixture
def source_url(database: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The metadata database of a self-managed Airflow, this test's own copy."""
    if database == "sqlite":
        path = tmp_path / "airflow.db"
        shutil.copyfile(request.getfixturevalue("_sqlite_source"), path)
        yield f"sqlite:///{path}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    template = request.getfixturevalue("_postgres_source")
    name = f"s_{os.urandom(8).hex()}"
    yield server.create_database(name, template=template).reveal().replace("+psycopg:", "+psycopg2:")
    server.drop_database(name)


@pytest.fixture
def config(source_url: str, fernet_key: str) -> SourceConfig:
    return SourceConfig(
        kind="airflow-db",
        name="legacy",
        database_url=Secret(source_url),
        fernet_keys=Secret(fernet_key),
        dags_folder=PROJECT / "dags",
        plugins_folder=PROJECT / "plugins",
        include_folder=PROJECT / "include",
        requirements_file=PROJECT / "requirements.txt",
        config_file=PROJECT / "airflow.cfg",
        env_file=PROJECT / "scheduler.env",
    )


@pytest.fixture
def open_one(clock: ManualClock) -> Iterator[Callable[[SourceConfig], SourceAdapter]]:
    opened: list[Any] = []

    def opener(config: SourceConfig) -> SourceAdapter:
        opened.append(open_source(config, b"fingerprints", clock))
        source: SourceAdapter = opened[-1]
        return source

    yield opener
    for source in opened:
        source.close()


@pytest.fixture
def source(config: SourceConfig, open_one: Callable[[SourceConfig], SourceAdapter]) -> SourceAdapter:
    return open_one(config)


@pytest.fixture
def estate(source: SourceAdapter, clock: ManualClock, tmp_path: Path) -> Estate:
    return capture(source, "legacy", tmp_path / "estate", clock, lambda _what, _done, _total: None)
