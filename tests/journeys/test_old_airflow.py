"""A team comes from Airflow 1.10 or 2.3 straight to 3.3: its history is there, and its DAG goes on with the next interval.

Runs with AERODROME_MATRIX=1 (`make test-matrix`). The source is a real metadata database whose runs that version executed;
the target is a real deployment whose scheduler runs all the time. `daily_orders` catches up from 2021 on: one wrong row of
the hand-over, and thousands of runs start.
"""

from __future__ import annotations

import ast
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography.fernet import Fernet
from tests.rooms.migration.aged import DAYS, PROJECT, Aged

from aerodrome.airflowkit.rest import AirflowRest
from aerodrome.airflowkit.tokens import mint, new_signing_key
from aerodrome.airflowkit.versions import AirflowVersion
from aerodrome.builds import BundleStore, Venv
from aerodrome.kernel.clock import SystemClock
from aerodrome.kernel.errors import Unavailable
from aerodrome.kernel.secret import Secret
from aerodrome.migration import cutover
from aerodrome.migration.cutover.hosted import HostedTarget
from aerodrome.migration.cutover.requests import Act
from aerodrome.migration.estate.records import DagRecord
from aerodrome.migration.service.syncing import Syncing
from aerodrome.migration.sources.contract import SourceAdapter
from aerodrome.migration.sources.registry import open_source
from aerodrome.migration.transfer import TargetDatabase, move_history, move_logs
from aerodrome.migration.transfer.handoff import SCHEDULER_OPTIONS
from aerodrome.runtimes.conformance import wait_until
from aerodrome.runtimes.contract import AirflowAccess, RuntimeSpec
from aerodrome.runtimes.local.postgres import PostgresServer
from aerodrome.runtimes.local.runtime import LocalRuntime

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.journey,
    pytest.mark.matrix,
]

MOVING = ("berlin_nightly", "daily_orders", "six_hourly")
BEHIND = 2


@pytest.fixture(scope="module", params=("1.10.15", "2.3.4"))
def old(request: pytest.FixtureRequest, aged: Callable[..., Aged]) -> Aged:
    return aged(request.param, "sqlite", "--behind")


@pytest.fixture(scope="module")
def source(old: Aged) -> Iterator[SourceAdapter]:
    opened = open_source(old.config, b"fingerprints", SystemClock())
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def access(
    old: Aged,
    tmp_path_factory: pytest.TempPathFactory,
    airflow_venv: Callable[..., Venv],
    postgres_server: PostgresServer,
) -> Iterator[AirflowAccess]:
    folder = tmp_path_factory.mktemp("new")
    bundle = BundleStore(folder / "bundles").put(PROJECT)
    spec = RuntimeSpec(
        deployment_id="dep_new",
        generation=1,
        airflow_version="3.3.2",
        python_version="3.11",
        venv=airflow_venv("3.3.2").path,
        project=bundle.path,
        bundle_digest=bundle.digest,
        fernet_key=Secret(Fernet.generate_key().decode()),
        signing_key=new_signing_key(),
        database_url=postgres_server.create_database(f"journey_{os.urandom(4).hex()}"),
        config=dict(SCHEDULER_OPTIONS),
        parallelism=2,
    )
    runtime = LocalRuntime(folder / "runtime")
    runtime.apply(spec)
    try:
        wait_until(runtime, "dep_new", lambda seen: seen.health == "healthy", 240)
        yield runtime.access(spec)
    finally:
        runtime.delete("dep_new")


def _context(source: SourceAdapter, target: TargetDatabase, rest: AirflowRest) -> cutover.CutoverContext:
    dags = {record.dag_id: record for record in source.records(lambda *_: None) if isinstance(record, DagRecord)}
    return cutover.CutoverContext(
        source=source,
        target=HostedTarget(target, rest),
        sync=Syncing(source, target, dags, lambda _moved: ""),
        dags=dags,
        clock=SystemClock(),
        sleep=time.sleep,
        mark="aerodrome:mig_old",
        poll_s=0.5,
        settle_s=1.0,
    )


def do(context: cutover.CutoverContext, act: Callable[..., Act], *arguments: Any, **more: Any) -> dict[str, Any]:
    return cutover.run(context, act(context, *arguments, **more))


def test_the_old_history_is_there_and_the_schedule_goes_on(
    old: Aged, source: SourceAdapter, access: AirflowAccess
) -> None:
    target = TargetDatabase(access)
    rest = AirflowRest(
        access.base_url,
        AirflowVersion.parse(access.airflow_version),
        lambda: mint(access.signing_key, "journey", "admin"),
        timeout_s=90,
    )
    _until("the DAGs are parsed", lambda: {dag.dag_id for dag in rest.dags()} >= {*MOVING, "by_hand"}, 240)
    assert move_history(source, target, ["by_hand"]).is_proven
    context = _context(source, target, rest)
    last = {dag_id: state.last_interval for dag_id, state in source.dag_states(MOVING).items()}
    results: dict[str, dict[str, Any]] = {}
    for dag_id in MOVING:
        do(context, cutover.check, dag_id, was_paused=False)
        do(context, cutover.pause, dag_id)
        do(context, cutover.drain, dag_id, deadline_s=60, on_deadline="fail")
        do(context, cutover.sync, dag_id)
        _again(lambda dag_id=dag_id: do(context, cutover.prove, dag_id, limit_s=180))  # type: ignore[misc]
        do(context, cutover.unpause, dag_id)
    for dag_id in MOVING:
        results[dag_id] = _again(lambda dag_id=dag_id: do(context, cutover.watch, dag_id, limit_s=240))  # type: ignore[misc]

    # exactly the next intervals, from the first that the source did not run to the newest that is over
    before = last["daily_orders"]
    assert before is not None
    assert results["daily_orders"]["first_target_state"] == "success"
    wanted = [before[0] + timedelta(days=day) for day in range(1 - DAYS, BEHIND + 1)]

    _until("the target caught up", lambda: _dates(rest, "daily_orders", ("success",)) == wanted, 240)
    time.sleep(15)  # some more rounds of the scheduler and a parse: nothing else may start
    assert _dates(rest, "daily_orders") == wanted
    for dag_id in ("berlin_nightly", "six_hourly"):  # nothing of theirs was due
        moved = last[dag_id]
        assert moved is not None
        runs = _dates(rest, dag_id)
        assert len(runs) == len(set(runs))
        assert runs[-1] == moved[0] or results[dag_id]["first_target_state"] == "success"

    _move_old_logs(old, target, access, before[0])
    _shows_the_past(old, access, before[0])
    target.close()
    rest.close()


def _move_old_logs(old: Aged, target: TargetDatabase, access: AirflowAccess, logical: Any) -> None:
    """Move what the old worker wrote, in the layout of its version (TaskInstance.run alone writes no files)."""
    assert access.logs_folder is not None
    logs = Path(old.url.removeprefix("sqlite:///")).parent / "old-logs"
    for number in (1, 2):
        if old.version.startswith("1."):
            path = logs / "daily_orders" / "load" / logical.isoformat() / f"{number}.log"
        else:
            run = f"run_id=scheduled__{logical.isoformat()}"
            path = logs / "dag_id=daily_orders" / run / "task_id=load" / f"attempt={number}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"[2026-01-02, 03:04:05 UTC] {{taskinstance.py:1}} INFO - line of the old try {number}\n")
    moved = move_logs(target, MOVING, logs, access.logs_folder)
    assert (moved.found, moved.moved, moved.failed) == (2, 2, [])


def _dates(rest: AirflowRest, dag_id: str, states: Sequence[str] = ()) -> list[datetime]:
    return sorted(run.logical_date for run in rest.dag_runs(dag_id, states=states) if run.logical_date is not None)


def _shows_the_past(old: Aged, access: AirflowAccess, logical: Any) -> None:
    """Ask the target's own API for an old run, its tries and its XComs."""
    token = mint(access.signing_key, "journey", "admin")
    headers = {"Authorization": f"Bearer {token.reveal()}"}
    with httpx2.Client(base_url=f"{access.base_url}/api/v2", headers=headers, timeout=60) as api:
        run_id = f"scheduled__{logical.isoformat()}"
        run = api.get(f"/dags/daily_orders/dagRuns/{run_id}").raise_for_status().json()
        assert (run["state"], run["run_type"]) == ("success", "scheduled")
        assert run["data_interval_end"].startswith((logical + timedelta(days=1)).isoformat()[:19])
        path = f"/dags/daily_orders/dagRuns/{run_id}/taskInstances"
        tasks = {task["task_id"]: task for task in api.get(path).raise_for_status().json()["task_instances"]}
        assert {name: (task["state"], task["try_number"]) for name, task in tasks.items()} == {
            "extract": ("success", 1),
            "load": ("success", 2),
        }
        tries = api.get(f"{path}/load/tries").raise_for_status().json()["task_instances"]
        assert sorted((one["try_number"], one["state"]) for one in tries) == [(1, "failed"), (2, "success")]
        for number in (1, 2):
            log = api.get(f"{path}/load/logs/{number}", params={"full_content": True}).raise_for_status().text
            assert f"line of the old try {number}" in log
        # what the grid of the UI draws
        base = f"{access.base_url}/ui/grid"
        drawn = api.get(f"{base}/runs/daily_orders").raise_for_status().json()
        assert {one["run_id"]: one["state"] for one in drawn}[run_id] == "success"
        lines = api.get(f"{base}/ti_summaries/daily_orders", params={"run_ids": run_id}).raise_for_status().text
        cells = json.loads(lines.splitlines()[0])["task_instances"]
        assert {cell["task_id"]: cell["state"] for cell in cells} == {"extract": "success", "load": "success"}
        xcom = api.get(f"{path}/extract/xcomEntries/return_value").raise_for_status().json()["value"]
        assert _read(xcom) == {"rows": 3, "share": 0.5, "names": ["ä", "b"]}
        if old.version.startswith("1."):
            runs = api.get("/dags/by_hand/dagRuns").raise_for_status().json()["dag_runs"]
            values = [
                api.get(f"/dags/by_hand/dagRuns/{one['dag_run_id']}/taskInstances/work/xcomEntries/tuple")
                for one in runs
            ]
            (found,) = [value.json()["value"] for value in values if value.status_code == 200]
            assert _read(found)["__data__"] == [1, "two"]  # as Airflow 3 itself stores and shows a tuple


def _read(value: Any) -> Any:
    """The API gives values as data or as text, by version."""
    return ast.literal_eval(value) if isinstance(value, str) and value[:1] in "{[(" else value


def _again(act: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Repeat what a busy Airflow did not answer, as the journal of a migration does."""
    for _ in range(5):
        try:
            return act()
        except Unavailable:
            time.sleep(5)
    return act()


def _until(what: str, is_true: Callable[[], bool], limit_s: float) -> None:
    deadline = time.monotonic() + limit_s
    while not is_true():
        assert time.monotonic() < deadline, what
        time.sleep(1)
