"""Archive and REST of other versions of Airflow than 2.11.2, each made and run by that Airflow itself.

AERODROME_MATRIX=1 (`make test-matrix`) runs them: 3.3.2 in both ways, 1.10.15 through the exporter.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from tests.rooms.migration.aged import old_venv
from tests.rooms.migration.sources.test_airflow_rest import quiet, rows_of, wait_for

from aerodrome.builds.contract import Venv
from aerodrome.kernel.clock import SystemClock
from aerodrome.kernel.secret import Secret
from aerodrome.migration.estate.history import COLUMNS, HistoryWindow
from aerodrome.migration.estate.records import Record
from aerodrome.migration.sources.airflow_archive import unpacking
from aerodrome.migration.sources.airflow_archive.script import exporter
from aerodrome.migration.sources.airflow_archive.sealing import new_key, public_half
from aerodrome.migration.sources.contract import AnySourceConfig, ArchiveConfig, RestConfig, SourceAdapter, SourceConfig
from aerodrome.migration.sources.registry import open_source

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.matrix,
]
TINY_3 = """
import datetime
from airflow.sdk import dag, task

@dag(schedule="@daily", start_date=datetime.datetime(2026, 1, 1), catchup=False, tags=["tiny"])
def tiny():
    @task
    def one():
        return {"a": 1.10}
    one()

tiny()
"""


@dataclass
class Home:
    """An Airflow's home with a database of its own."""

    python: Path
    folder: Path
    fernet_key: str
    more: dict[str, str]

    @property
    def env(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTHONDONT"))}
        url = f"sqlite:///{self.folder / 'airflow.db'}"
        return kept | {
            "AIRFLOW_HOME": str(self.folder),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.folder / "dags"),
            "AIRFLOW__CORE__FERNET_KEY": self.fernet_key,
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url,
            "PATH": f"{self.python.parent}:{os.environ['PATH']}",
            **self.more,
        }

    def airflow(self, *words: str) -> None:
        done = subprocess.run(
            [self.python.parent / "airflow", *words], env=self.env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]

    def export(self, key: Secret) -> Path:
        script, archive = self.folder / "exporter.py", self.folder / "estate.aerodrome"
        script.write_text(exporter(public_half(key)))
        done = subprocess.run(
            [self.python, "-W", "ignore", script, "--out", archive], env=self.env, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return archive

    def database(self) -> SourceConfig:
        url = Secret(f"sqlite:///{self.folder / 'airflow.db'}")
        return SourceConfig("airflow-db", "tiny", url, Secret(self.fernet_key), self.folder / "dags")


@pytest.fixture(scope="module")
def airflow3(airflow_venv: Callable[..., Venv], tmp_path_factory: pytest.TempPathFactory) -> Home:
    folder = tmp_path_factory.mktemp("three")
    (folder / "dags").mkdir()
    (folder / "dags/tiny.py").write_text(TINY_3)
    (folder / "passwords.json").write_text(json.dumps({"reader": "canary-rest-password"}))
    more = {
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "reader:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(folder / "passwords.json"),
        "AIRFLOW__API_AUTH__JWT_SECRET": "x" * 64,
    }
    home = Home(airflow_venv("3.3.2").path / "bin" / "python", folder, Fernet.generate_key().decode(), more)
    home.airflow("db", "migrate")
    home.airflow(
        "connections", "add", "w", "--conn-type", "postgres", "--conn-host", "h", "--conn-password", "canary-p"
    )
    home.airflow("variables", "set", "region", "eu")
    home.airflow("variables", "set", "api_token", "canary-v")
    home.airflow("dags", "reserialize")
    home.airflow("dags", "test", "tiny", "2026-01-05")
    return home


def opened(config: AnySourceConfig) -> SourceAdapter:
    return open_source(config, b"fingerprints", SystemClock())


def records_of(source: SourceAdapter) -> dict[tuple[str, str], Record]:
    return {(record.kind, record.key): record for record in source.records(quiet)}


def test_archive_of_3_3_says_what_its_database_says(airflow3: Home, tmp_path: Path) -> None:
    key = new_key()
    picture = opened(ArchiveConfig("tiny", airflow3.export(key), key, tmp_path / "unpacked"))
    behind = opened(airflow3.database())
    description = picture.describe()
    assert (description.is_ok, description.airflow_version) == (True, "3.3.2"), description.probes
    found = records_of(picture)
    there = records_of(behind)
    # such rows stay in the source, and its size is that of its own files: an archive has no figure
    not_taken = {"measure:rows:log", "measure:rows:job", "measure:bytes:database"}
    for name, record in there.items():
        if record.kind not in ("config", "env_var", "package") and f"{name[0]}:{name[1]}" not in not_taken:
            assert name in found, name
            assert found[name] == record
    assert not {f"{kind}:{key}" for kind, key in found} & not_taken
    window = HistoryWindow(("tiny",))
    for kind in COLUMNS:
        assert [b.rows for b in picture.history(kind, window)] == [b.rows for b in behind.history(kind, window)], kind
    assert list(picture.connection_values(["w"])) == list(behind.connection_values(["w"]))


def test_rest_of_3_3_says_what_its_database_says(airflow3: Home, free_port: Callable[[], int]) -> None:
    port, log = free_port(), airflow3.folder / "log"
    with log.open("wb") as stream:
        words = ("api-server", "--port", str(port), "--host", "127.0.0.1", "--workers", "1")
        process = subprocess.Popen(
            [airflow3.python.parent / "airflow", *words], env=airflow3.env, stdout=stream, stderr=stream
        )
    try:
        wait_for(process, f"http://127.0.0.1:{port}/api/v2/version", log)
        dags = airflow3.folder / "dags"
        password = Secret("canary-rest-password")
        config = RestConfig("tiny", f"http://127.0.0.1:{port}", "reader", password, Secret(""), dags)
        source, behind = opened(config), opened(airflow3.database())
        description = source.describe()
        assert (description.is_ok, description.airflow_version) == (True, "3.3.2"), description.probes
        masked = next(probe for probe in description.probes if probe.name == "variable secrets")
        assert "api_token" in masked.message
        found = records_of(source)
        # REST tells no sizes, and the simple auth manager has no roles
        there = {name: record for name, record in records_of(behind).items() if record.kind not in ("measure", "role")}
        assert set(found) == set(there)
        for name in (("dag", "tiny"), ("pool", "default_pool"), ("variable", "region")):
            left_out = {"timetable", "tasks", "task_states"}
            assert {k: v for k, v in vars(found[name]).items() if k not in left_out} == {
                k: v for k, v in vars(there[name]).items() if k not in left_out
            }
        window = HistoryWindow(("tiny",))
        for kind in ("run", "task_instance"):
            assert rows_of(source, kind, window) == rows_of(behind, kind, window)
        assert [item.key for batch in source.history("xcom", window) for item in batch.rejected] == ["tiny"]
        assert source.dag_states(["tiny"]) == behind.dag_states(["tiny"])
        source.pause_dag("tiny", "mark-1")
        assert source.dag_states(["tiny"])["tiny"].mark == "mark-1"
        assert behind.dag_states(["tiny"])["tiny"].is_paused
        source.unpause_dag("tiny", "mark-1")
        source.close()
        behind.close()
    finally:
        process.terminate()
        process.wait(30)


def test_exporter_runs_in_1_10(tmp_path: Path, venv_cache: Path) -> None:
    python = old_venv(venv_cache, "1.10.15") / "bin" / "python"
    folder = tmp_path / "one"
    (folder / "dags").mkdir(parents=True)
    url = f"sqlite:///{folder / 'airflow.db'}"
    home = Home(python, folder, Fernet.generate_key().decode(), {"AIRFLOW__CORE__SQL_ALCHEMY_CONN": url})
    home.airflow("initdb")
    home.airflow("connections", "-a", "--conn_id", "w", "--conn_type", "postgres", "--conn_password", "canary-p")
    home.airflow("variables", "-s", "region", "eu")
    key = new_key()
    archive = home.export(key)
    assert b"canary-p" not in archive.read_bytes()
    picture = opened(ArchiveConfig("one", archive, key, tmp_path / "unpacked"))
    assert picture.describe().airflow_version == "1.10.15"
    found = [value.password for value in picture.connection_values(["w"])]
    assert found == [Secret("canary-p")]
    with sqlite3.connect(folder / "airflow.db") as before, sqlite3.connect(tmp_path / "unpacked/airflow.db") as after:
        for table in ("dag", "slot_pool", "dag_run", "task_instance", "variable", "xcom", "alembic_version"):
            rows = f"SELECT * FROM {table} ORDER BY 1"
            assert after.execute(rows).fetchall() == before.execute(rows).fetchall(), table
        assert before.execute("SELECT count(*) FROM connection").fetchone() == (
            after.execute("SELECT count(*) FROM connection").fetchone()
        )
    assert unpacking.check(archive, key).rows["variable"] == 1
