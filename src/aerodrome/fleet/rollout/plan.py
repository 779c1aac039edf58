"""Which steps a deploy has: chosen once, when it begins, and written as rows of its journal.

A new step: a module with `run(visit) -> float` and its `Step`, a line in STEPS, and its place in `choose`.
"""

from __future__ import annotations

from typing import Final

from aerodrome.fleet.rollout.checks import CHECKS
from aerodrome.fleet.rollout.confirm import CONFIRM
from aerodrome.fleet.rollout.convert import CONVERT
from aerodrome.fleet.rollout.environment import ENVIRONMENT
from aerodrome.fleet.rollout.fetch import step as fetch_step
from aerodrome.fleet.rollout.put_back import PUT_BACK
from aerodrome.fleet.rollout.rehearse import REHEARSE
from aerodrome.fleet.rollout.snapshot import SNAPSHOT
from aerodrome.fleet.rollout.stop import STOP
from aerodrome.fleet.rollout.switch import SWITCH
from aerodrome.fleet.rollout.visit import Step, changes_version
from aerodrome.store.tables.deploy import DeployRow
from aerodrome.store.tables.deployment import DeploymentRow

FETCH: Final = fetch_step(lambda deployment, deploy: choose(deployment, deploy))  # noqa: PLW0108  (choose stands below)
STEPS: Final = {
    step.name: step
    for step in (FETCH, ENVIRONMENT, CHECKS, REHEARSE, STOP, SNAPSHOT, CONVERT, SWITCH, CONFIRM, PUT_BACK)
}


def choose(deployment: DeploymentRow, deploy: DeployRow) -> list[Step]:
    """Give the steps of a deploy in order."""
    if not deploy.bundle_digest:
        return [FETCH]  # it chooses the others when the project is there
    if changes_version(deployment, deploy):
        return [ENVIRONMENT, CHECKS, REHEARSE, STOP, SNAPSHOT, CONVERT, SWITCH, CONFIRM]
    return [ENVIRONMENT, CHECKS, SWITCH, CONFIRM]


def way_back() -> list[Step]:
    """Give the further steps of a deploy that failed after it had stopped Airflow."""
    return [PUT_BACK]
