"""Real metadata databases of 2.11.2 and 3.3.2, made once per session and copied for every test."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.rooms.databases.history import fill_old

from aerodrome import databases
from aerodrome.builds.contract import Venv
from aerodrome.databases import AirflowTool, DatabaseSnapshot, UpgradeResult
from aerodrome.databases.airflows import run_migration
from aerodrome.databases.places import PostgresPlace, SqlitePlace, place_of
from aerodrome.kernel.secret import Secret
from aerodrome.runtimes.local.postgres import PostgresServer


def quiet(_line: str) -> None:
    """Take progress without a word."""


@dataclass(frozen=True)
class Upgraded:
    """A database that was 2.11.2's and is 3.3.2's, and its snapshot from before."""

    snapshot: DatabaseSnapshot
    newer: Secret
    result: UpgradeResult


@pytest.fixture(scope="session")
def older_tool(airflow_venv: Callable[..., Venv]) -> AirflowTool:
    return AirflowTool("2.11.2", airflow_venv("2.11.2").path, {"HOME": os.environ.get("HOME", "/"), "LANG": "C.UTF-8"})


@pytest.fixture(scope="session")
def newer_tool(airflow_venv: Callable[..., Venv]) -> AirflowTool:
    return AirflowTool("3.3.2", airflow_venv("3.3.2").path, {"HOME": os.environ.get("HOME", "/"), "LANG": "C.UTF-8"})


@pytest.fixture(scope="session")
def upgraded(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    older_tool: AirflowTool,
    newer_tool: AirflowTool,
) -> Callable[[str], Upgraded]:
    """Give a function `(dialect) -> Upgraded`; its database must be copied, not changed."""
    made: dict[str, Upgraded] = {}

    def make(dialect: str) -> Upgraded:
        if dialect in made:
            return made[dialect]
        folder = tmp_path_factory.mktemp(f"upgraded-{dialect}")
        if dialect == "sqlite":
            url = Secret(f"sqlite:///{folder / 'airflow.db'}")
            (folder / "airflow.db").touch()
        else:
            server: PostgresServer = request.getfixturevalue("postgres_server")
            url = server.create_database("upgraded_airflow")
        run_migration(older_tool, url, folder, is_guarded=False)
        fill_old(url)
        taken = databases.snapshot(url, folder / "snapshot", "2.11.2", quiet)
        result = databases.upgrade(url, older_tool, newer_tool, quiet)
        made[dialect] = Upgraded(taken, url, result)
        return made[dialect]

    return make


@pytest.fixture
def newer_url(database: str, upgraded: Callable[[str], Upgraded], tmp_path: Path) -> Iterator[Secret]:
    """A 3.3.2 database of this test's own, with the history from before the upgrade."""
    source = place_of(upgraded(database).newer)
    if isinstance(source, SqlitePlace):
        source.copy_to(tmp_path / "airflow.db")
        yield Secret(f"sqlite:///{tmp_path / 'airflow.db'}")
        return
    assert isinstance(source, PostgresPlace)
    copy = source.named(f"t_{os.urandom(8).hex()}")
    copy.create(template=source)
    yield copy.url
    for purpose in ("", "back", "upgrade", "restore", "old"):
        (copy.sibling(purpose) if purpose else copy).drop()


@pytest.fixture
def place_url(database: str, request: pytest.FixtureRequest, tmp_path: Path) -> Secret:
    """An empty database of this test's own, of each kind."""
    if database == "sqlite":
        (tmp_path / "place.db").touch()
        return Secret(f"sqlite:///{tmp_path / 'place.db'}")
    url: str = request.getfixturevalue("postgres_url")
    return Secret(url)
