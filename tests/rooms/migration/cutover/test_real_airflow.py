"""The whole hand-over between a real Airflow 2.11.2 and a real 3.3.2, both scheduling while it happens.

If this breaks, a team's DAG runs an interval twice, skips one, or does not start at all in the target.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from aerodrome.airflowkit.rest import AirflowRest
from aerodrome.airflowkit.tokens import new_signing_key
from aerodrome.builds import BundleStore, Venv
from aerodrome.kernel.clock import SystemClock, from_text
from aerodrome.kernel.errors import Conflict
from aerodrome.kernel.secret import Secret
from aerodrome.migration import cutover
from aerodrome.migration.cutover.hosted import HostedTarget
from aerodrome.migration.cutover.requests import Act
from aerodrome.migration.estate.records import DagRecord
from aerodrome.migration.service.syncing import Syncing
from aerodrome.migration.sources.contract import SourceAdapter, SourceConfig
from aerodrome.migration.sources.registry import open_source
from aerodrome.migration.transfer.handoff import SCHEDULER_OPTIONS
from aerodrome.migration.transfer.target import TargetDatabase
from aerodrome.migration.validate import validate_dags
from aerodrome.runtimes.conformance import wait_until
from aerodrome.runtimes.contract import AirflowAccess, RuntimeSpec
from aerodrome.runtimes.local.runtime import LocalRuntime

pytestmark = pytest.mark.airflow

DAGS = """
from datetime import datetime, timedelta, timezone
from airflow import DAG
from airflow.{operators} import EmptyOperator
try:
    from airflow.sdk import Asset
except ImportError:
    from airflow.datasets import Dataset as Asset

START = datetime.fromisoformat("{start}")
for dag_id, schedule, catchup in [
    ("minutely", "* * * * *", True),
    ("minutely_latest", timedelta(minutes=1), False),
    ("by_hand", None, False),
    ("on_data", [Asset("s3://sales")], False),
]:
    with DAG(dag_id, schedule=schedule, start_date=START, catchup=catchup, max_active_runs=1) as dag:
        EmptyOperator(task_id="first") >> EmptyOperator(task_id="second")
    globals()[dag_id] = dag
"""
LIVE = ("minutely", "minutely_latest", "by_hand", "on_data")


@dataclass
class Side:
    """One running Airflow."""

    runtime: LocalRuntime
    spec: RuntimeSpec
    access: AirflowAccess
    rest: AirflowRest
    dags: Path


def start(folder: Path, venv: Venv, operators: str, first_day: datetime, code: str = DAGS) -> Side:
    (folder / "project/dags").mkdir(parents=True)
    (folder / "project/dags/all.py").write_text(code.format(operators=operators, start=first_day.isoformat()))
    bundle = BundleStore(folder / "bundles").put(folder / "project")
    spec = RuntimeSpec(
        deployment_id="dep_side",
        generation=1,
        airflow_version=venv.spec.airflow_version,
        python_version="3.11",
        venv=venv.path,
        project=bundle.path,
        bundle_digest=bundle.digest,
        fernet_key=Secret(Fernet.generate_key().decode()),
        signing_key=new_signing_key(),
        config=dict(SCHEDULER_OPTIONS) if venv.spec.airflow_version.startswith("3") else {},
        parallelism=2,
    )
    runtime = LocalRuntime(folder / "runtime")
    runtime.apply(spec)
    wait_until(runtime, "dep_side", lambda seen: seen.health == "healthy", 120)
    access = runtime.access(spec)
    return Side(runtime, spec, access, AirflowRest.of(access), folder / "project/dags")


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory, airflow_venv: Callable[..., Venv]) -> Iterator[tuple[Side, Side]]:
    folder = tmp_path_factory.mktemp("sides")
    first_day = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=2)
    venvs = (airflow_venv("2.11.2"), airflow_venv("3.3.2"))
    with ThreadPoolExecutor(2) as pool:
        old = pool.submit(start, folder / "old", venvs[0], "operators.empty", first_day)
        new = pool.submit(start, folder / "new", venvs[1], "providers.standard.operators.empty", first_day)
    try:
        yield old.result(), new.result()
    finally:
        for name in ("old", "new"):
            LocalRuntime(folder / name / "runtime").delete("dep_side")


def until(what: str, is_true: Callable[[], bool], limit_s: float = 90) -> None:
    deadline = time.monotonic() + limit_s
    while not is_true():
        assert time.monotonic() < deadline, what
        time.sleep(0.5)


def hand_over_context(source: SourceAdapter, new: Side, target: TargetDatabase) -> cutover.CutoverContext:
    dags = {record.dag_id: record for record in source.records(lambda *_: None) if isinstance(record, DagRecord)}
    hosted = HostedTarget(target, new.rest)
    return cutover.CutoverContext(
        source=source,
        target=hosted,
        carried=hosted.carried,
        sync=Syncing(source, target, dags, lambda _moved: ""),
        dags=dags,
        clock=SystemClock(),
        sleep=time.sleep,
        mark="aerodrome:mig_test",
        poll_s=0.5,
        settle_s=1.0,
    )


def test_the_first_interval_of_the_target_follows_the_last_of_the_source(sides: tuple[Side, Side]) -> None:
    old, new = sides
    source = open_source(
        SourceConfig("airflow-db", "old", old.access.database_url, old.access.fernet_key, old.dags), b"key"
    )
    target = TargetDatabase(new.access)
    for dag_id in LIVE:
        until(f"{dag_id} on both sides", lambda dag_id=dag_id: bool(old.rest.dag(dag_id) and new.rest.dag(dag_id)))  # type: ignore[misc]
        old.rest.set_paused(dag_id, is_paused=False)
    until("a run in the source", lambda: any(run.state == "success" for run in old.rest.dag_runs("minutely")))
    context = hand_over_context(source, new, target)
    assert [row for row in validate_dags(new.rest, _Records(context), LIVE) if not row.is_ok] == []

    for dag_id in LIVE:
        do(context, cutover.check, dag_id, was_paused=False)
        do(context, cutover.pause, dag_id)
    with pytest.raises(Conflict, match="paused in the source, but not by this cutover"):
        do(_with_mark(context, "aerodrome:other"), cutover.pause, "by_hand")
    results: dict[str, dict[str, Any]] = {}
    for dag_id in LIVE:
        do(context, cutover.drain, dag_id, deadline_s=60, on_deadline="fail")
        do(context, cutover.sync, dag_id)
        do(context, cutover.sync, dag_id)  # as after a kill: nothing doubles
        results[dag_id] = do(context, cutover.prove, dag_id, limit_s=90)
        do(context, cutover.unpause, dag_id)
        assert do(context, cutover.unpause, dag_id)["was_live"]
    for dag_id in LIVE:
        results[dag_id] = do(context, cutover.watch, dag_id, limit_s=120)

    assert {dag_id: result["first_target_state"] for dag_id, result in results.items()} == {
        "minutely": "success",
        "minutely_latest": "success",
        "by_hand": "none",
        "on_data": "none",
    }
    caught_up = results["minutely"]
    assert caught_up["last_source_interval"][1] == caught_up["first_target_interval"][0]
    assert caught_up["missed_count"] == 0
    latest = results["minutely_latest"]
    gap = from_text(latest["first_target_interval"][0]) - from_text(latest["last_source_interval"][1])  # type: ignore[operator]
    assert gap == timedelta(minutes=latest["missed_count"])

    before = {run.logical_date for run in old.rest.dag_runs("minutely")}
    after = [run for run in new.rest.dag_runs("minutely") if run.run_type == "scheduled"]
    assert before <= {run.logical_date for run in after}
    assert len({run.logical_date for run in after}) == len(after)
    do(context, cutover.roll_back, "by_hand")
    assert (old.rest.dag("by_hand").is_paused, new.rest.dag("by_hand").is_paused) == (False, True)  # type: ignore[union-attr]

    back = do(context, cutover.roll_back, "minutely")
    assert back["carried_count"] == back["written_count"] >= 1
    made_there = {run.logical_date for run in new.rest.dag_runs("minutely") if run.run_type == "scheduled"}
    until("the source goes on", lambda: any(
        run.logical_date not in made_there and run.state == "success" for run in old.rest.dag_runs("minutely")
    ), 240)  # fmt: skip
    runs = [run for run in old.rest.dag_runs("minutely") if run.run_type == "scheduled"]
    dates = sorted(run.logical_date for run in runs if run.logical_date)
    assert made_there <= set(dates)
    assert len(dates) == len(set(dates))
    assert dates == [dates[0] + timedelta(minutes=number) for number in range(len(dates))]
    carried = [run for run in runs if run.logical_date in made_there - before]
    assert len(carried) >= back["carried_count"] >= 1
    assert {(run.state, len(old.rest.task_instances("minutely", run.run_id))) for run in carried} == {("success", 2)}
    assert all(run.logical_date and run.run_id == f"scheduled__{run.logical_date.isoformat()}" for run in carried)
    target.close()
    source.close()


def do(context: cutover.CutoverContext, act: Callable[..., Act], *arguments: Any, **more: Any) -> dict[str, Any]:
    return cutover.run(context, act(context, *arguments, **more))


@dataclass
class _Records:
    context: cutover.CutoverContext

    def records(self, kind: str) -> list[Any]:
        return list(self.context.dags.values()) if kind == "dag" else []


def _with_mark(context: cutover.CutoverContext, mark: str) -> cutover.CutoverContext:
    return cutover.CutoverContext(**{**context.__dict__, "mark": mark})
