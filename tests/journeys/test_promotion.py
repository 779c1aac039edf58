"""The whole way: three waves of an Airflow 2.11 go through development to an Airflow 3.3, the server is killed at every step.

One wave comes back with what the target ran meanwhile and goes again; the source grows quiet, is backed up, may go; the evidence
verifies offline. Runs with AERODROME_MATRIX=1 (`make test-matrix`); test_waves.py is the short form.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
import sqlalchemy as sa
import yaml
from cryptography.fernet import Fernet
from tests.journeys.server import Run, Server, paused_of, runs_of, until
from tests.journeys.test_waves import verify

from aerodrome.airflowkit.tokens import new_signing_key
from aerodrome.builds import BundleStore, Venv
from aerodrome.client.client import Client
from aerodrome.client.migrations import NewSource
from aerodrome.client.proofs import Proof
from aerodrome.kernel.errors import Conflict, Unavailable
from aerodrome.kernel.secret import Secret
from aerodrome.runtimes.conformance import wait_until
from aerodrome.runtimes.contract import AirflowAccess, RuntimeSpec
from aerodrome.runtimes.local.runtime import LocalRuntime
from aerodrome.settings.model import Settings

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.journey,
    pytest.mark.matrix,
]
SOURCE_VERSION, TARGET_VERSION = "2.11.2", "3.3.2"
NAME, DEV = "move", "move-dev"
DAGS = ("alpha", "beta", "gamma")
WAVES = {"first": ["alpha"], "second": ["beta"], "third": ["gamma"]}
CODE = """
from datetime import datetime, timedelta

from airflow import DAG
from airflow.operators.python import PythonOperator


def count(ds, **_):
    return {{"day": ds, "rows": 3}}


for name, owner in (("alpha", "ann"), ("beta", "bob"), ("gamma", "ann")):
    with DAG(
        name, schedule=timedelta(seconds=20), start_date=datetime.fromisoformat("{start}"), catchup=True, max_active_runs=1,
        default_args={{"owner": owner}},
    ) as dag:
        PythonOperator(task_id="count", python_callable=count)
    globals()[name] = dag
"""
FILE = """
tests:
  - {name: the code is there, command: [python, -c, "import pathlib, sys; sys.exit(not pathlib.Path('dags/flows.py').exists())"]}
  - {name: gamma runs, dag: gamma, timeout_s: 240}
"""


@dataclass
class Source:
    """A running Airflow 2 that knows nothing of the platform."""

    runtime: LocalRuntime
    spec: RuntimeSpec
    access: AirflowAccess
    project: Path

    @property
    def url(self) -> Secret:
        return self.access.database_url


@dataclass
class Stage:
    source: Source
    server: Server
    client: Client


@pytest.fixture(scope="module")
def stage(
    tmp_path_factory: pytest.TempPathFactory,
    venv_cache: Path,
    airflow_venv: Callable[..., Venv],
    free_port: Callable[[], int],
) -> Iterator[Stage]:
    root = tmp_path_factory.mktemp("promotion")
    old = airflow_venv(SOURCE_VERSION)
    airflow_venv(TARGET_VERSION)
    home = root / "home"
    home.mkdir(mode=0o700)
    (home / "venvs").symlink_to(venv_cache / "venvs")
    server = Server(Settings(home=home, port=free_port(), gate_port=free_port()), root / "server.log")
    runtime = LocalRuntime(root / "source" / "runtime")
    try:
        with ThreadPoolExecutor(1) as pool:
            started = pool.submit(start, root / "source", runtime, old)
            server.start()
            with server.sign_in("journey") as client:
                yield Stage(started.result(), server, client)
    finally:
        server.stop()
        server.remove_deployments()
        runtime.delete("dep_source")


def start(root: Path, runtime: LocalRuntime, venv: Venv) -> Source:
    first = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)
    (root / "project/dags").mkdir(parents=True)
    (root / "project/dags/flows.py").write_text(CODE.format(start=first.isoformat()))
    bundle = BundleStore(root / "bundles").put(root / "project")
    spec = RuntimeSpec(
        deployment_id="dep_source",
        generation=1,
        airflow_version=SOURCE_VERSION,
        python_version=venv.spec.python_version,
        venv=venv.path,
        project=bundle.path,
        bundle_digest=bundle.digest,
        fernet_key=Secret(Fernet.generate_key().decode()),
        signing_key=new_signing_key(),
        parallelism=2,
    )
    runtime.apply(spec)
    wait_until(runtime, "dep_source", lambda seen: seen.health == "healthy", 180)
    access = runtime.access(spec)
    engine = sa.create_engine(access.database_url.reveal(), poolclass=sa.NullPool)
    until(lambda: set(paused_of(access.database_url)) >= set(DAGS), 120)
    with engine.begin() as connection:
        connection.execute(sa.text("update dag set is_paused = false"))
    until(lambda: {run.dag_id for run in runs_of(access.database_url) if run.state == "success"} >= set(DAGS), 180)
    return Source(runtime, spec, access, root / "project")


def test_three_waves_are_promoted_one_comes_back_and_the_source_may_go(stage: Stage, tmp_path: Path) -> None:
    client, source = stage.client, stage.source
    client.workspaces.create("shop")
    client.migrations.connect(NAME, "shop", NewSource(source.url, str(source.project / "dags"), source.spec.fernet_key))
    client.migrations.assess(NAME)
    client.migrations.watch(NAME, lambda _seen: None, timeout_s=120)
    plan = client.migrations.plan(NAME)["text"]
    assert "owner ann" in plan
    text = waves_in(plan, WAVES)
    text = re.sub(
        r'^(  python: )("?)[0-9.]+("?)', rf'\g<1>"{source.spec.python_version}"', text, count=1, flags=re.MULTILINE
    )
    client.migrations.save_plan(NAME, text)
    with pytest.raises(Conflict) as caught:
        promote(stage, "first")
    assert caught.value.code == "not-applied"
    client.migrations.apply(NAME)
    client.migrations.watch(NAME, lambda _seen: None, timeout_s=300)

    # the first wave, and the server dies at every step
    planned = client.proofs.promote_steps(NAME, "first", wish())
    keys = [step["key"] for step in planned]
    assert keys == [
        "compare.ready", "promotion.tests", "compare.dags:0001", "promotion.gate", "promotion.bundle", "promotion.begin",
        "promotion.cutover", "promotion.watch",
    ]  # fmt: skip
    asked = client.proofs.promote(NAME, "first", wish())
    for key in keys:
        until(lambda key=key: begun(stage, asked, key), 400, every_s=0.02)  # type: ignore[misc]
        stage.server.kill()
        stage.server.start()
    done = finish(stage, asked)
    assert stage.server.kills == len(keys)
    assert [step["status"] for step in done.steps] == ["done"] * len(keys)
    assert done.result["is_promoted"]
    assert board(stage)["first"] == "done"
    assert next(client.proofs.parity(NAME, None))["verdict"] in ("match", "explained")

    # the second goes, comes back with what the target ran, and goes again
    finish(stage, promote(stage, "second", with_compare=False, file=None))
    until(lambda: own_runs(stage, "beta"), 120)
    client.migrations.roll_back(NAME, "second")
    client.migrations.watch(NAME, lambda _seen: None, timeout_s=300)
    assert board(stage) == {"first": "done", "second": "waiting", "third": "waiting"}
    assert paused_of(source.url)["beta"] is False
    before = len(scheduled(source.url, "beta"))
    until(lambda: len(scheduled(source.url, "beta")) > before, 180)  # the source runs it again
    finish(stage, promote(stage, "second", with_compare=False, file=None))
    client.migrations.cutover(NAME, "third")
    client.migrations.watch(NAME, lambda _seen: None, timeout_s=300)
    assert board(stage) == dict.fromkeys(WAVES, "done")
    assert all(paused_of(source.url)[dag_id] for dag_id in DAGS)
    for dag_id in DAGS:
        each_interval_ran_once(stage, dag_id)

    # three days later
    source.runtime.stop("dep_source", grace_s=10)
    age(source.url, days=3)
    log = tmp_path / "access.log"
    log.write_text(
        f'10.0.0.9 - - [{datetime.now(UTC) - timedelta(days=9):%d/%b/%Y:%H:%M:%S +0000}] "GET /home HTTP/1.1" 200 1\n'
    )
    ending = client.proofs.decommission(
        NAME, days=1, passphrase=Secret("words of the last day"), logs=None, access_log=str(log)
    )
    result = finish(stage, ending).result
    assert result["may_go"], result["against"]
    assert result["backup"]["restore_test"]["is_proven"]
    assert "It was quiet when this was written" in client.proofs.runbook(NAME)

    file, key = tmp_path / "evidence.tar", tmp_path / "key.pem"
    client.proofs.create_evidence(NAME, file)
    key.write_text(client.proofs.evidence_key())
    said = verify(file, key)
    assert said.returncode == 0, said.stderr
    names = {entry["name"] for entry in json.loads(said.stdout)["manifest"]["entries"]}
    assert f"proofs/promotion-{asked.id}.json" in names
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))
    assert verify(file, key).returncode == 1


def wish(**changes: object) -> dict[str, object]:
    return {"deployment": DEV, "file": FILE, "timeout_s": 240, **changes}


def promote(stage: Stage, wave: str, **changes: object) -> Proof:
    return stage.client.proofs.promote(NAME, wave, wish(**changes))


def finish(stage: Stage, asked: Proof) -> Proof:
    return stage.client.proofs.watch(NAME, asked.id, lambda _seen: None, timeout_s=600)


def begun(stage: Stage, asked: Proof, key: str) -> bool:
    try:
        seen = stage.client.proofs.get(NAME, asked.id)
    except Unavailable:
        return False
    assert seen.status != "failed", seen.data["error"]
    return any(step["key"] == key and step["status"] != "pending" for step in seen.steps)


def board(stage: Stage) -> dict[str, str]:
    return {wave["name"]: wave["status"] for wave in stage.client.migrations.waves(NAME)}


def scheduled(url: Secret, dag_id: str) -> list[Run]:
    return [run for run in runs_of(url) if run.dag_id == dag_id and run.run_type == "scheduled"]


def target_url(stage: Stage) -> Secret:
    return stage.server.reach(str(stage.client.migrations.get(NAME).data["target_deployment_id"])).database_url


def own_runs(stage: Stage, dag_id: str) -> list[Run]:
    there = {run.begin for run in scheduled(stage.source.url, dag_id)}
    return [run for run in scheduled(target_url(stage), dag_id) if run.begin not in there and run.state == "success"]


def each_interval_ran_once(stage: Stage, dag_id: str) -> None:
    """Over both sides every interval stands once, and none is missing up to the newest."""
    source, target = scheduled(stage.source.url, dag_id), scheduled(target_url(stage), dag_id)
    assert len({run.begin for run in target}) == len(target)
    assert {run.begin for run in source} <= {run.begin for run in target}  # the target has the source's as history
    for before, after in pairwise(sorted(target, key=lambda run: run.begin)):
        assert before.end == after.begin, (dag_id, before, after)


def waves_in(text: str, waves: dict[str, list[str]]) -> str:
    block = yaml.safe_dump(
        {"waves": [{"name": name, "criticality": "low", "dags": dags} for name, dags in waves.items()]}, sort_keys=False
    )
    return re.sub(r"^waves:.*?(?=^\S|^\s*$|\Z)", lambda _match: block, text, count=1, flags=re.MULTILINE | re.DOTALL)


def age(url: Secret, days: int) -> None:
    """Let days pass in the source, in which nothing happened."""
    engine = sa.create_engine(url.reveal(), poolclass=sa.NullPool)
    with engine.begin() as connection:
        for table, column in (
            ("dag_run", "start_date"), ("dag_run", "queued_at"), ("dag_run", "end_date"), ("log", "dttm"),
            ("task_instance", "start_date"), ("task_instance", "end_date"),
        ):  # fmt: skip
            connection.execute(
                sa.text(f"update {table} set {column} = datetime({column}, '-{days} days') where {column} is not null")
            )
