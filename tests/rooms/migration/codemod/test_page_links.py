"""Links to Airflow's own pages, and the address that they begin with. If these break, alerts lead nowhere, or files are not read."""

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
    ("text", "count"),
    [
        ('f"{url}/log?execution_date={date}&task_id={a}&dag_id={b}&map_index=-1"', 1),
        ('url + "/admin/airflow/log?task_id=" + a', 1),
        ('"%s/graph?dag_id=%s" % (url, a)', 1),
        ('"{}/tree?root=&dag_id={}".format(url, a)', 1),
        ('f"{url}/dags/{a}/grid?dag_run_id={b}"', 1),
        ('"https://a/taskinstance/list/?_flt_3_dag_id=" + a', 1),
        ('f"{url}/dags/{a}/runs/{b}/tasks/{c}"', 0),
        ('f"{url}/api/v2/dags/{a}/dagRuns?dag_id=x"', 0),
        ('"https://shop.example/catalog?dag_id=1"', 0),
        ('"/home/dags/sql/report.sql"', 0),
        ("ti.log_url", 0),
    ],
)
def test_links(text: str, count: int) -> None:
    source = f"from airflow import DAG\n\nlink = {text}\n".encode()
    done = rewrite(source, [rule for rule in RULES if rule.code == "page-link"], Options(source_version="2.9.3"))
    assert [spot.line for _, spot in done.spots] == [3] * count


_READ = "from airflow.configuration import conf\n\n"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('conf.get("webserver", "BASE_URL")', 'conf.get("api", "base_url", fallback="http://localhost:8080")'),
        ('conf.get("webserver", "base_url", fallback=None)', 'conf.get("api", "base_url", fallback=None)'),
        ('conf.has_option("webserver", "base_url")', 'conf.has_option("api", "base_url")'),
        ('conf.get("api", "base_url")', 'conf.get("api", "base_url")'),
    ],
)
def test_the_address(old: str, new: str) -> None:
    done = rewrite(f"{_READ}url = {old}\n".encode(), RULES, Options(source_version="2.9.3"))
    assert done.text.decode() == f"{_READ}url = {new}\n"


@pytest.mark.airflow
def test_a_real_airflow_has_no_default(airflow_venv: Callable[..., Venv], tmp_path: Path) -> None:
    code = (
        "import sys; from airflow.configuration import conf\n"
        "try: found = conf.get('api', 'base_url')\n"
        "except Exception as error: found = type(error).__name__\n"
        "sys.__stdout__.write(f'RESULT{found} ' + conf.get('api', 'base_url', fallback='http://localhost:8080'))"
    )
    done = subprocess.run(
        [airflow_venv("3.3.2").path / "bin/python", "-c", code], capture_output=True, text=True, check=False,
        env={"PATH": "/usr/bin:/bin", "AIRFLOW_HOME": str(tmp_path)},
    )  # fmt: skip
    assert done.stdout.partition("RESULT")[2] == "AirflowConfigException http://localhost:8080", done.stderr
