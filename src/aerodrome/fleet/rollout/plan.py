"""Which steps a deploy has: chosen once, when it begins, and written as rows of its journal.

A new step: a module with `run(visit) -> float` and its `Step`, a line in STEPS, and its place in `choose`.
"""

from __future__ import annotations

from typing import Final

from aerodrome.fleet.rollout.confirm import CONFIRM
from aerodrome.fleet.rollout.environment import ENVIRONMENT
from aerodrome.fleet.rollout.switch import SWITCH
from aerodrome.fleet.rollout.visit import Step
from aerodrome.store.tables.deploy import DeployRow
from aerodrome.store.tables.deployment import DeploymentRow

STEPS: Final = {step.name: step for step in (ENVIRONMENT, SWITCH, CONFIRM)}


def choose(deployment: DeploymentRow, deploy: DeployRow) -> list[Step]:  # noqa: ARG001
    """Give the steps of a deploy in order."""
    return [ENVIRONMENT, SWITCH, CONFIRM]
