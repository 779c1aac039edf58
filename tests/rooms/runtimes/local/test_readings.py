"""DAGs are read with the very connections and variables that the deployment would have, before it has them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from aerodrome.airflowkit.tokens import new_signing_key
from aerodrome.builds.contract import Venv
from aerodrome.kernel.secret import Secret
from aerodrome.parsing import ParseLimits
from aerodrome.runtimes.contract import AirflowEnvironment, RuntimeSpec
from aerodrome.runtimes.local.runtime import LocalRuntime

pytestmark = pytest.mark.airflow
DAG = """
import datetime
from airflow import DAG
from airflow.models import Variable
from {module} import BaseHook
with DAG("asks", schedule=None, start_date=datetime.datetime(2026, 1, 1), tags=[Variable.get("region")]):
    assert BaseHook.get_connection("warehouse").password == "canary-in-file"
"""


@pytest.mark.parametrize(("version", "module"), [("2.11.2", "airflow.hooks.base"), ("3.3.2", "airflow.sdk")])
def test_a_spec_is_read_with_its_own_environment(
    version: str, module: str, airflow_venv: Callable[..., Venv], tmp_path: Path
) -> None:
    runtime = LocalRuntime(tmp_path / "deployments")
    project = tmp_path / "bundle"
    (project / "dags").mkdir(parents=True)
    (project / "dags/asks.py").write_text(DAG.format(module=module))
    connection = Secret('{"conn_type": "postgres", "host": "db", "password": "canary-in-file"}')
    spec = RuntimeSpec(
        deployment_id="dep_reading",
        generation=1,
        airflow_version=version,
        python_version="3.11",
        venv=airflow_venv(version).path,
        project=project,
        bundle_digest="0" * 64,
        fernet_key=Secret("A" * 43 + "="),
        signing_key=new_signing_key(),
        environment=AirflowEnvironment({"warehouse": connection}, {"region": Secret("eu")}),
    )
    try:
        result = runtime.parse(spec, ParseLimits(), lambda _line: None)
        assert result.failures == ()
        assert [dag.shape["tags"] for dag in result.dags] == [["eu"]]
        kept = list((tmp_path / "deployments" / ".parsing").glob("*.json"))
        pids = [json.loads(path.read_text())["pid"] for path in kept]
        assert all(psutil.pid_exists(pid) for pid in pids)
        assert pids
    finally:
        runtime.rest()
    psutil.wait_procs([psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)], timeout=10)
    assert not [pid for pid in pids if psutil.pid_exists(pid)]
    assert runtime.observe("dep_reading").health == "missing"  # nothing was started or wished
    assert not (tmp_path / "deployments/dep_reading/environment.sealed").exists()
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert b"canary-in-file" not in path.read_bytes() or path.is_relative_to(project)
