"""Step `environment`: there is a way to the Airflow version of the deploy, and its virtualenv is there."""

from __future__ import annotations

from aerodrome.fleet import ways
from aerodrome.fleet.rollout.visit import Step, Visit
from aerodrome.fleet.spec import runtime_spec


def run(visit: Visit) -> float:
    with visit.context.store.reading() as session:
        version = visit.deploy.airflow_version or visit.deployment.airflow_version
        ways.require_way(session, visit.deployment, version, visit.deploy.cause)
    runtime_spec(visit.context, visit.deployment, visit.deploy, visit.say)
    return 0


ENVIRONMENT = Step("environment", run)
