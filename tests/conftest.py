"""What every test may use: databases, a clock that is moved by hand, virtualenvs with a real Airflow.

`--db=both` (default) runs every test that takes `store` on SQLite and on PostgreSQL. Without PostgreSQL's programs the
second half fails and says what to install; `--db=sqlite` leaves it out on purpose.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from playwright.sync_api import Browser, sync_playwright
from tests.matrix import IS_WIDE

from aerodrome.builds.contract import Venv
from aerodrome.kernel.clock import ManualClock
from aerodrome.kernel.errors import AerodromeError, Conflict
from aerodrome.runtimes.local.postgres import PostgresServer, new_password
from aerodrome.store import Store, open_store
from aerodrome.store.tables.registry import all_tables

_TEMPLATE = "aerodrome_template"
_LOOPBACK = ("127.", "::1", "localhost", "0.0.0.0")  # connecting to 0.0.0.0 reaches this machine
_guard = {"is_on": False}
CHROMIUM_ARGUMENTS = (
    "--no-sandbox",  # tests may run as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# a test says what is right, not how fast a loaded machine is
settings.register_profile("aerodrome", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("aerodrome")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--db", choices=("sqlite", "postgresql", "both"), default="both", help="databases to test on")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what only the matrix runs."""
    if not IS_WIDE:
        left_out = [item for item in items if item.get_closest_marker("matrix")]
        items[:] = [item for item in items if not item.get_closest_marker("matrix")]
        config.hook.pytest_deselected(items=left_out)


def pytest_configure() -> None:
    sys.addaudithook(_close_the_outside)
    _guard["is_on"] = True


def _close_the_outside(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse connections of this process that leave the machine. Child processes (uv, Airflow) are not concerned."""
    if event != "socket.connect" or not _guard["is_on"]:
        return
    address = arguments[1]
    if isinstance(address, tuple) and not str(address[0]).startswith(_LOOPBACK):
        raise RuntimeError(f"a test tried to reach {address[0]}; only this machine may be reached")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "database" in metafunc.fixturenames:
        wanted = metafunc.config.getoption("--db")
        names = ("sqlite", "postgresql") if wanted == "both" else (wanted,)
        metafunc.parametrize("database", names)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 3, 1, 12, 0, tzinfo=UTC))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """Give a function that names a port on which nobody listens now."""
    return _free_port


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A PostgreSQL server of this test run, without crash safety, removed at the end."""
    folder, password = tmp_path_factory.mktemp("postgres"), new_password()
    try:
        server = PostgresServer(folder, _free_port(), password=password, is_fast=True)
    except AerodromeError as error:
        pytest.fail(f"{error.message} {error.hint} To leave PostgreSQL out: pytest --db=sqlite", pytrace=False)
    try:
        for _ in range(5):  # another test process may have taken the port in between
            with contextlib.suppress(Conflict):
                server.start()
                break
            server = PostgresServer(folder, _free_port(), password=password, is_fast=True)
        with _stopped_when_we_die(server.folder):
            yield server
    finally:
        server.delete()


_WATCH = """
import os, shutil, signal, sys, time
sys.stdin.read()  # ends when the test process is gone, however it went
folder = sys.argv[1]
try:
    pid = int(open(folder + "/data/postmaster.pid").readline())
    os.kill(pid, signal.SIGQUIT)
    for _ in range(100):
        time.sleep(0.1)
        os.kill(pid, 0)
except (FileNotFoundError, ProcessLookupError):
    pass
shutil.rmtree(folder, ignore_errors=True)
"""


@contextlib.contextmanager
def _stopped_when_we_die(folder: Path) -> Iterator[None]:
    """Have the server stopped and removed also when this process is killed."""
    command = [sys.executable, "-c", _WATCH, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as watcher:
        try:
            yield
        finally:
            watcher.kill()  # alive and well: the fixture tidies up itself


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A fresh, empty PostgreSQL database of this test (`postgresql+psycopg://…`)."""
    name = f"t_{os.urandom(8).hex()}"
    yield postgres_server.create_database(name).reveal()
    postgres_server.drop_database(name)


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    _make_tables(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def _postgres_template(request: pytest.FixtureRequest) -> str:
    server: PostgresServer = request.getfixturevalue("postgres_server")
    _make_tables(server.create_database(_TEMPLATE).reveal())
    return _TEMPLATE


def _make_tables(url: str) -> None:
    store = open_store(url)
    all_tables().create_all(store.engine)  # quicker than the revisions; test_schema proves that they are equal
    store.close()


@pytest.fixture
def empty_database_url(database: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a fresh database without any table, on each database of `--db`."""
    if database == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def store_url(database: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a fresh database with the platform's schema, on each database of `--db`."""
    if database == "sqlite":
        path = tmp_path / "store.db"
        shutil.copyfile(request.getfixturevalue("_sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    template = request.getfixturevalue("_postgres_template")
    name = f"t_{os.urandom(8).hex()}"
    yield server.create_database(name, template=template).reveal()
    server.drop_database(name)


@pytest.fixture
def store(store_url: str, clock: ManualClock) -> Iterator[Store]:
    """The platform's store on a fresh database, on each database of `--db`."""
    store = open_store(store_url, clock)
    yield store
    store.close()


@pytest.fixture(scope="session")
def venv_cache() -> Path:
    """Where slow-to-make things are kept between test runs (AERODROME_TEST_CACHE)."""
    default = Path.home() / ".cache" / "aerodrome" / "tests"
    return Path(os.environ.get("AERODROME_TEST_CACHE", default))


@pytest.fixture(scope="session")
def airflow_venv(venv_cache: Path) -> Callable[..., Venv]:
    """Give a function `(version, requirements=(), python="3.11") -> Venv` that makes or finds a real Airflow."""
    from aerodrome.builds import VenvSpec, VenvStore

    venvs = VenvStore(venv_cache / "venvs")

    def ensure(version: str, requirements: tuple[str, ...] = (), python: str = "3.11") -> Venv:
        return venvs.ensure(VenvSpec(version, python, requirements), lambda _line: None)

    return ensure


@dataclass(frozen=True)
class Legacy:
    """A self-managed Airflow 2.11.2 as a source: a real metadata database with history, its key and its project."""

    database: Path
    fernet_key: str
    project: Path

    @property
    def url(self) -> str:
        return f"sqlite:///{self.database}"


@pytest.fixture(scope="session")
def _legacy(airflow_venv: Callable[..., Venv], tmp_path_factory: pytest.TempPathFactory) -> Legacy:
    from cryptography.fernet import Fernet
    from tests.rooms.migration.sources.conftest import PROJECT, make_source

    home, key = tmp_path_factory.mktemp("legacy"), Fernet.generate_key().decode()
    made = Legacy(home / "airflow.db", key, PROJECT)
    make_source(airflow_venv("2.11.2"), home, made.url, key)
    return made


@pytest.fixture
def legacy(_legacy: Legacy, tmp_path: Path) -> Legacy:
    """A source of this test's own."""
    path = tmp_path / "legacy.db"
    shutil.copyfile(_legacy.database, path)
    return replace(_legacy, database=path)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """This machine's Chromium, headless; one for the whole run, because Playwright allows one conversation a thread."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.fail("Chromium is missing: make setup", pytrace=False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(CHROMIUM_ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def mysql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Any]]:
    """Give a function `(kind) -> MariaServer` of this test run: "mariadb", or "mysql": one that says it is a MySQL 5.7."""
    from tests.rooms.migration import mariadb

    running: dict[str, Any] = {}
    with contextlib.ExitStack() as stack:

        def give(kind: str) -> Any:
            if kind not in running:
                version = "5.7.10-log" if kind == "mysql" else None
                opened = mariadb.running(tmp_path_factory.mktemp(kind), _free_port(), version)
                running[kind] = stack.enter_context(opened)
            return running[kind]

        yield give


@pytest.fixture(scope="session")
def aged(
    venv_cache: Path,
    airflow_venv: Callable[..., Venv],
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Callable[..., Any]:
    """Give a function `(version, database="sqlite") -> Aged`: a real metadata database of that Airflow, made once a run."""
    from cryptography.fernet import Fernet
    from tests.rooms.migration import aged as makers

    made: dict[tuple[str, str, tuple[str, ...]], Any] = {}

    def make(version: str, database: str = "sqlite", *options: str) -> Any:
        known = made.get((version, database, options))
        if known is not None:
            return known
        home, key = tmp_path_factory.mktemp("aged"), Fernet.generate_key().decode()
        if database == "sqlite":
            url = f"sqlite:///{home / 'airflow.db'}"
        elif database in ("mysql", "mariadb"):
            url = request.getfixturevalue("mysql_server")(database).create_database(f"aged_{os.urandom(4).hex()}")
        else:
            server: PostgresServer = request.getfixturevalue("postgres_server")
            url = server.create_database(f"aged_{os.urandom(4).hex()}").reveal().replace("+psycopg:", "+psycopg2:")
        more: tuple[str, ...] = makers.MYSQL_PACKAGES if database in ("mysql", "mariadb") else ()
        if version.startswith("3."):
            more = (*more, *makers.MYSQL_PACKAGES_OF_3) if more else ()
            makers.make_new(airflow_venv(version, more).path, home, url, key)
        else:
            is_hosted = not (makers.LOCKS / f"airflow-{version}.txt").exists()
            venv = airflow_venv(version, more).path if is_hosted else makers.old_venv(venv_cache, version)
            makers.make_old(venv, home, url, key, *options)
        made[version, database, options] = makers.Aged(version, url, key)
        return made[version, database, options]

    return make
