"""A test task per dependency, run by the target itself: a DAG of its own beside the project, read back and removed.

The DAG comes as a named DAG bundle, so the project and its version stay as they are. Airflow takes up a new bundle with a restart of
its components, at the beginning and at the end; that is why a person has to ask for it. What a walk left behind that was killed, or
stopped with its server, is put there again by the next attempt, and removed. Airflow 2 has no bundles: there, a process beside the tasks is all there is.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from aerodrome.access.actor import Actor
from aerodrome.airflowkit.rest import AirflowRest
from aerodrome.builds import BundleStore
from aerodrome.fleet.service import Fleet
from aerodrome.kernel.digest import digest_of
from aerodrome.kernel.errors import AerodromeError, NotFound, Unavailable

BUNDLE = "aerodrome-checks"
MOST = 500
"""Tasks in one DAG; the hosts come first."""
LIVE_S, PARSED_S, BASE_S, EACH_S = 300.0, 120.0, 120.0, 15.0
LOOK_S = 1.0
CODE = '''\
"""Made by Aerodrome for the cutover checklist and removed after it: one task per dependency of the DAGs that move."""

import json

from aerodrome_airflow import dependency
from airflow.sdk import DAG, task

QUESTIONS = json.loads({questions})

with DAG(
    {dag_id!r}, schedule=None, catchup=False, is_paused_upon_creation=False, tags=["aerodrome"], max_active_tasks=16
) as dag:
    for number, question in enumerate(QUESTIONS):
        task(task_id=f"ask_{{number:04}}", retries=0)(dependency.answer)(question)
'''

Question = Mapping[str, Any]


def can_run(airflow_version: str) -> bool:
    """Tell whether a target takes a DAG bundle beside its project."""
    return int(airflow_version.partition(".")[0]) >= 3


def dag_of(questions: Sequence[Question]) -> tuple[str, str]:
    """Give the id of the DAG that asks these questions (another for others), and its code."""
    dag_id = f"aerodrome_checks_{digest_of(list(questions))[:12]}"
    return dag_id, CODE.format(questions=repr(json.dumps(list(questions))), dag_id=dag_id)


def ask(
    fleet: Fleet,
    bundles: BundleStore,
    actor: Actor,
    deployment: str,
    questions: Sequence[Question],
    folder: Path,
    progress: Callable[[str], None] = lambda _text: None,
    sleep: Callable[[float], None] = time.sleep,
) -> list[dict[str, Any]]:
    """Give the answers of real tasks, in the order of the questions (`MOST` at most); nothing stays in the deployment.

    `folder` is made anew for the DAG. Unavailable `checks-not-run` when the tasks do not end in time; what the fleet says when
    the bundle cannot be deployed.
    """
    dag_id, code = dag_of(questions)
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "dags").mkdir(parents=True)
    (folder / "dags" / f"{dag_id}.py").write_text(code, encoding="utf-8")
    bundle = bundles.put(folder, {"dags"})
    shutil.rmtree(folder, ignore_errors=True)
    progress(f"putting {len(questions)} test tasks into the target")
    deploy = fleet.deploy(
        actor, deployment, bundle, "Test tasks of the cutover checklist", "migration",
        kind="bundle", bundle_name=BUNDLE, check_policy="record",
    )  # fmt: skip
    try:
        fleet.wait_live(actor, deploy.id, LIVE_S)
        fleet.wait_healthy(actor, deployment, LIVE_S)
        with AirflowRest.of(fleet.access(actor, deployment)) as rest:
            found = _answers(rest, dag_id, len(questions), progress, sleep)
    except AerodromeError:
        with suppress(AerodromeError):  # the first error counts
            _remove(fleet, actor, deployment, dag_id)
        raise
    progress("removing the test tasks")
    _remove(fleet, actor, deployment, dag_id)
    return found


def _answers(
    rest: AirflowRest, dag_id: str, count: int, progress: Callable[[str], None], sleep: Callable[[float], None]
) -> list[dict[str, Any]]:
    _await(lambda: rest.dag(dag_id) is not None, PARSED_S, f"{dag_id} was not parsed", sleep)
    run = rest.trigger(dag_id)

    def is_finished() -> bool:
        progress(f"{count} test tasks run in the target")
        return rest.run(dag_id, run.run_id).is_finished

    _await(is_finished, BASE_S + EACH_S * count, "the test tasks did not end", sleep)
    found = []
    for number in range(count):
        try:
            found.append(dict(rest.xcom(dag_id, run.run_id, f"ask_{number:04}")))
        except NotFound:
            found.append({"is_reached": False, "outcome": "bad", "message": "Its task did not end well; see the log."})
    return found


def _await(is_true: Callable[[], bool], limit_s: float, what: str, sleep: Callable[[float], None]) -> None:
    deadline = time.monotonic() + limit_s
    while not is_true():
        if time.monotonic() > deadline:
            raise Unavailable(
                f"{what[0].upper()}{what[1:]} within {limit_s:.0f} s.",
                code="checks-not-run",
                hint="See in the target's Airflow whether its scheduler runs tasks now, then check again.",
            )
        sleep(LOOK_S)


def _remove(fleet: Fleet, actor: Actor, deployment: str, dag_id: str) -> None:
    """Take the bundle out again, then the DAG with its run."""
    gone = fleet.deploy(
        actor, deployment, None, "Test tasks of the cutover checklist: removed", "migration",
        kind="bundle", bundle_name=BUNDLE, check_policy="record",
    )  # fmt: skip
    fleet.wait_live(actor, gone.id, LIVE_S)
    fleet.wait_healthy(actor, deployment, LIVE_S)
    with AirflowRest.of(fleet.access(actor, deployment)) as rest, suppress(AerodromeError):
        rest.delete_dag(dag_id)
