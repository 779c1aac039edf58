"""Deployments for tests of the local runtime: a toy Airflow that starts at once, and a real one shared by a test run."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from aerodrome.airflowkit.tokens import new_signing_key
from aerodrome.kernel.secret import Secret
from aerodrome.runtimes.contract import RuntimeSpec
from aerodrome.runtimes.local.runtime import LocalRuntime

CANARY = "canary-4f1c9e-secret"


@pytest.fixture(scope="session")
def toy_venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that looks like a virtualenv with Airflow, holding the toy."""
    venv = tmp_path_factory.mktemp("toy-venv")
    (venv / "bin").mkdir()
    (venv / "bin/python").symlink_to(sys.executable)
    shutil.copyfile(Path(__file__).with_name("toy_airflow.py"), venv / "bin/airflow")
    return venv


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[LocalRuntime]:
    """A local runtime of this test; whatever still runs at the end is ended."""
    root = tmp_path / "runtime"
    runtime = LocalRuntime(root)
    yield runtime
    for folder in root.glob("dep_*"):
        runtime.delete(folder.name)


@pytest.fixture
def spec(toy_venv: Path, tmp_path: Path) -> RuntimeSpec:
    project = tmp_path / "project"
    for part in ("dags", "plugins", "include"):
        (project / part).mkdir(parents=True)
    (project / "dags/first.py").write_text("# a DAG")
    return make_spec(toy_venv, project, "a" * 64)


def make_spec(venv: Path, project: Path, digest: str, version: str = "3.3.2") -> RuntimeSpec:
    return RuntimeSpec(
        deployment_id="dep_test",
        generation=1,
        airflow_version=version,
        python_version="3.11",
        venv=venv,
        project=project,
        bundle_digest=digest,
        fernet_key=Secret(Fernet.generate_key().decode()),
        signing_key=new_signing_key(),
        env={"CANARY": Secret(CANARY)},
        parallelism=2,
        public_url="http://127.0.0.1:8701/dep_test/",
    )
