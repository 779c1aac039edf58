"""What goes wrong at a terminal: a sentence, a next step, an exit code, and nothing kept or changed.

The source is a real Airflow 2.11 metadata database; nothing is started but `aerodrome serve`. If this breaks, somebody's
first try ends in a traceback, or half of something stands in the platform.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from tests.journeys.server import Server
from tests.rooms.cli.conftest import Person, Ran
from tests.rooms.migration.sources.conftest import PROJECT, make_source

from aerodrome.builds.contract import Venv
from aerodrome.runtimes.local.postgres import PostgresServer
from aerodrome.settings.model import Settings

pytestmark = [pytest.mark.airflow, pytest.mark.journey]
INVALID, NOT_FOUND, CONFLICT = 2, 3, 5


@dataclass(frozen=True)
class Desk:
    """Somebody signed in at a terminal, a server, and a source's metadata database."""

    person: Person
    server: Server
    database: Path
    fernet_key: str

    def connect(self, name: str, *more: str, url: str | None = None, key: str | None = None, dags: str = "") -> Ran:
        env = {
            "AERODROME_SOURCE_DATABASE_URL": url or f"sqlite:///{self.database}",
            "AERODROME_SOURCE_FERNET_KEY": key or self.fernet_key,
        }
        dags = dags or str(PROJECT / "dags")
        return self.person.run("migrate", "connect", name, "--workspace", "shop", "--dags", dags, *more, **env)

    def rows(self) -> dict[str, int]:
        """Count the rows of every table, of the source and of the platform; what is only remembered about asking aside."""
        counted = {}
        for path in (self.database, self.server.settings.home / "aerodrome.db"):
            with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
                tables = connection.execute("select name from sqlite_master where type = 'table'").fetchall()
                for (table,) in tables:
                    (counted[f"{path.name}:{table}"],) = connection.execute(
                        f'select count(*) from "{table}"'
                    ).fetchone()
            connection.close()
        return counted

    def files(self) -> set[str]:
        """Give what lies below the platform's migrations and deployments."""
        home = self.server.settings.home
        return {str(path) for name in ("migrations", "deployments") for path in (home / name).rglob("*")}


@pytest.fixture(scope="module")
def desk(
    airflow_venv: Callable[..., Venv], tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]
) -> Iterator[Desk]:
    root = tmp_path_factory.mktemp("refusals")
    key = Fernet.generate_key().decode()
    make_source(airflow_venv("2.11.2"), root, f"sqlite:///{root / 'airflow.db'}", key)
    (root / "home").mkdir(mode=0o700)
    server = Server(Settings(home=root / "home", port=free_port(), gate_port=free_port()), root / "server.log")
    person = Person(root / "config")
    server.start()
    try:
        assert person.run("login", server.first_link()).code == 0
        assert person.run("workspace", "create", "shop").code == 0
        yield Desk(person, server, root / "airflow.db", key)
    finally:
        server.stop()


@pytest.fixture(scope="module")
def planned(desk: Desk) -> str:
    """A migration with a plan, by name."""
    assert desk.connect("planned").code == 0
    assert desk.person.run("migrate", "assess", "planned").code == 0
    return "planned"


def refused(ran: Ran, code: int) -> str:
    """Check that it ended as a refusal should; gives the sentence."""
    assert ran.code == code, ran.err
    assert ran.out == ""
    lines = ran.err.strip().splitlines()
    assert lines[0].startswith("error: ")
    assert lines[-1].startswith("next: ")
    assert len(lines[-1]) > len("next: ")
    assert "Traceback" not in ran.err
    assert "canary" not in ran.err
    return lines[0].removeprefix("error: ")


def test_a_wrong_fernet_key_is_told(desk: Desk) -> None:
    before = desk.rows(), desk.files()
    wrong = Fernet.generate_key().decode()
    ran = desk.connect("wrong-key", key=wrong)
    assert "fernet" in refused(ran, INVALID).lower()
    assert wrong not in ran.err
    assert (desk.rows(), desk.files()) == before


def test_a_key_that_is_none_is_told(desk: Desk) -> None:
    before = desk.rows(), desk.files()
    assert "fernet" in refused(desk.connect("no-key", key="canary-not-a-key"), INVALID).lower()
    assert (desk.rows(), desk.files()) == before


def test_a_database_that_does_not_answer_is_told(desk: Desk, free_port: Callable[[], int]) -> None:
    before = desk.rows(), desk.files()
    url = f"postgresql://airflow:canary-pw@127.0.0.1:{free_port()}/airflow"
    assert "does not answer" in refused(desk.connect("away", url=url), INVALID)
    assert (desk.rows(), desk.files()) == before


def test_a_wrong_database_password_is_told(desk: Desk, postgres_server: PostgresServer) -> None:
    before = desk.rows(), desk.files()
    url = re.sub(r":[^:@/]+@", ":canary-wrong@", postgres_server.create_database("refusals").reveal())
    try:
        assert "password" in refused(desk.connect("locked", url=url), INVALID).lower()
    finally:
        postgres_server.drop_database("refusals")
    assert (desk.rows(), desk.files()) == before


def test_a_database_of_something_else_is_told(desk: Desk, tmp_path: Path) -> None:
    before = desk.rows(), desk.files()
    with sqlite3.connect(tmp_path / "other.db") as connection:
        connection.execute("create table dag (x)")
    connection.close()
    refused(desk.connect("other", url=f"sqlite:///{tmp_path / 'other.db'}"), INVALID)
    assert (desk.rows(), desk.files()) == before


def test_a_folder_that_does_not_exist_is_named(desk: Desk, tmp_path: Path) -> None:
    before = desk.rows(), desk.files()
    sentence = refused(desk.connect("nowhere", dags=str(tmp_path / "nowhere")), INVALID)
    assert "dags" in sentence
    assert str(tmp_path / "nowhere") in sentence
    assert (desk.rows(), desk.files()) == before


def test_a_plan_edited_wrongly_is_refused_with_line_and_field(desk: Desk, planned: str, tmp_path: Path) -> None:
    text = desk.person.run("migrate", "plan", planned).out
    lines = text.splitlines()
    number = next(index for index, line in enumerate(lines, 1) if re.match(r"\s*parallelism:", line))
    lines[number - 1] = lines[number - 1].split(":")[0] + ": many"
    (tmp_path / "plan.yaml").write_text("\n".join(lines))
    before = desk.rows(), desk.files()
    ran = desk.person.run("migrate", "plan", planned, "--file", str(tmp_path / "plan.yaml"))
    sentence = refused(ran, INVALID)
    assert f"line {number}" in ran.err.lower()
    assert "parallelism" in sentence
    assert desk.person.run("migrate", "plan", planned).out == text
    assert (desk.rows(), desk.files()) == before


def test_applying_another_plan_than_the_one_looked_at_is_refused(desk: Desk, planned: str) -> None:
    before = desk.rows(), desk.files()
    refused(desk.person.run("migrate", "apply", planned, "--plan-digest", "0" * 64), CONFLICT)
    assert (desk.rows(), desk.files()) == before
    assert desk.person.run("deployment", "list", "-o", "json").data == []


def test_cutting_over_before_applying_is_refused(desk: Desk, planned: str) -> None:
    wave = desk.person.run("migrate", "show", planned, "-o", "json").data["waves"][0]
    before = desk.rows(), desk.files()
    refused(desk.person.run("migrate", "cutover", planned, "--wave", wave), CONFLICT)
    refused(desk.person.run("migrate", "cutover", planned, "--wave", "no-such-wave"), NOT_FOUND)
    assert (desk.rows(), desk.files()) == before


def test_nothing_of_the_source_s_secrets_was_logged(desk: Desk, planned: str) -> None:
    log = desk.server.log.read_text()
    assert desk.fernet_key not in log
    assert "canary" not in log
    assert "Traceback" not in log
