"""Step `environment`: the virtualenv of the deploy is there."""

from __future__ import annotations

from aerodrome.fleet.rollout.visit import Step, Visit
from aerodrome.fleet.spec import runtime_spec


def run(visit: Visit) -> float:
    runtime_spec(visit.context, visit.deployment, visit.deploy, visit.say)
    return 0


ENVIRONMENT = Step("environment", run)
