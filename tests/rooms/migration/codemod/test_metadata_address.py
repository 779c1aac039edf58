"""Code that reads the address of Airflow's own database is found, in each way that there is."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from aerodrome.builds.contract import Venv
from aerodrome.migration.codemod import Options
from aerodrome.migration.codemod.engine import rewrite
from aerodrome.migration.codemod.rules import RULES


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        ("from airflow.configuration import conf\nx = conf.get('core', 'sql_alchemy_conn')\n", [2]),
        ("from airflow import configuration\nx = configuration.get(section='core', key='SQL_ALCHEMY_CONN')\n", [2]),
        ("from airflow import settings\nx = settings.SQL_ALCHEMY_CONN\n", [2]),
        ("from airflow.settings import SQL_ALCHEMY_CONN\nx = f(SQL_ALCHEMY_CONN)\n", [2]),
        ("import os\nimport airflow\nx = os.environ['AIRFLOW__CORE__SQL_ALCHEMY_CONN']\n", [3]),
        ("import os\nimport airflow\nx = os.getenv('AIRFLOW__DATABASE__SQL_ALCHEMY_CONN', '')\n", [3]),
        ("import airflow\nx = 'psql $AIRFLOW__DATABASE__SQL_ALCHEMY_CONN -c 1'\n", [2]),
        ("import airflow\nx = 'airflow config get-value core sql_alchemy_conn'\n", [2]),
        ("from airflow.configuration import conf\nx = conf.get('core', 'dags_folder')\n", []),
        ("import airflow\ny.get('core', 'sql_alchemy_conn')\n", []),
    ],
)
def test_reads_of_the_address(code: str, lines: list[int]) -> None:
    found = rewrite(code.encode(), RULES, Options(source_version="2.9.3")).spots
    assert sorted(spot.line for name, spot in found if name == "metadata-address") == lines


_FACT = """
import os
from airflow import settings
from airflow.configuration import conf
from airflow.sdk.execution_time.supervisor import block_orm_access
block_orm_access()
print("RESULT", {settings.SQL_ALCHEMY_CONN, conf.get("database", "sql_alchemy_conn"), os.environ["AIRFLOW__CORE__SQL_ALCHEMY_CONN"]})
"""


@pytest.mark.airflow
def test_what_tasks_of_a_real_airflow_read(airflow_venv: Callable[..., Venv], tmp_path: Path) -> None:
    command = [str(airflow_venv("3.3.2").path / "bin/python"), "-W", "ignore", "-c", _FACT]
    env = {"PATH": "/usr/bin:/bin", "AIRFLOW_HOME": str(tmp_path)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.stdout.strip().endswith("RESULT {'airflow-db-not-allowed:///'}"), done.stderr[-900:]
