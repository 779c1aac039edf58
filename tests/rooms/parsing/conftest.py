"""Real Airflows of both majors that read project folders of a test."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from aerodrome.airflowkit import config
from aerodrome.airflowkit.versions import AirflowVersion
from aerodrome.builds.contract import Venv
from aerodrome.kernel.secret import Secret
from aerodrome.parsing import ParseLimits, ParseResult, ParseSetting, parse, warm

VERSIONS = ("2.11.2", "3.3.2")
LIMITS = ParseLimits(file_s=10, memory_mb=512)
DAG = """
import datetime
from airflow import DAG
{more}
with DAG("{dag_id}", schedule="@daily", start_date=datetime.datetime(2026, 1, 1), catchup=False):
    {task}
"""
EMPTY = {
    "2.11.2": "from airflow.operators.empty import EmptyOperator",
    "3.3.2": "from airflow.providers.standard.operators.empty import EmptyOperator",
}


def dag_text(version: str, dag_id: str, more: str = "", task: str = 'EmptyOperator(task_id="only")') -> str:
    """Write a file with one small DAG."""
    return DAG.format(dag_id=dag_id, more=f"{EMPTY[version]}\n{more}", task=task)


@dataclass
class Reader:
    """One exact Airflow and one project that it reads."""

    version: str
    venv: Path
    folder: Path
    home: Path
    environment: dict[str, str | Secret] = field(default_factory=dict)
    database: str = ""

    @property
    def project(self) -> Path:
        return self.folder / "project"

    @property
    def setting(self) -> ParseSetting:
        place = self.home / "deployment"  # the same for all tests, so that they share an interpreter
        setup = config.AirflowSetup(
            version=AirflowVersion.parse(self.version),
            home=place / "home",
            venv=self.venv,
            project=place / "project",
            pointer=place / "current.json",
            support=Path(config.__file__).parents[2],
            port=1,
            database_url=Secret(self.database or f"sqlite:///{place}/none.db"),
            fernet_key=Secret("A" * 43 + "="),
            private_key_path=place / "jwt.pem",
            private_key_id="own",
            key_set_path=place / "jwks.json",
            env=self.environment,
        )
        return ParseSetting(self.venv, self.version, config.environment(setup, {"PATH": "/usr/bin:/bin"}), self.home)

    def write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            path = self.project / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def add(self, dag_id: str, more: str = "", task: str = 'EmptyOperator(task_id="only")') -> None:
        self.write({f"dags/{dag_id}.py": dag_text(self.version, dag_id, more, task)})

    def read(self, limits: ParseLimits = LIMITS) -> ParseResult:
        return parse(self.project, self.setting, limits=limits, timeout_s=120)


@pytest.fixture(scope="session")
def parsing_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the interpreters of this test run stay warm; all end with it."""
    home = tmp_path_factory.mktemp("parsing")
    yield home
    warm.end_all(home)


@pytest.fixture(params=VERSIONS)
def reader(
    request: pytest.FixtureRequest, airflow_venv: Callable[..., Venv], tmp_path: Path, parsing_home: Path
) -> Reader:
    version: str = request.param
    made = Reader(version, airflow_venv(version).path, tmp_path, parsing_home)
    (made.project / "dags").mkdir(parents=True)
    return made
