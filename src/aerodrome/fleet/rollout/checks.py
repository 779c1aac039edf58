"""Step `checks`: the project is parsed under its exact target and held against what exists, before anything is switched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aerodrome.fleet import checks
from aerodrome.fleet.checks.keeping import keep
from aerodrome.fleet.rollout.visit import Step, Visit
from aerodrome.fleet.spec import runtime_spec
from aerodrome.kernel.errors import Conflict


def run(visit: Visit) -> float:
    spec = runtime_spec(visit.context, visit.deployment, visit.deploy, visit.say)
    try:
        found = checks.run(visit.context, visit.deployment, visit.deploy, spec, visit.say)
    except Conflict as error:
        if error.code == "deploy-checks-failed":
            _keep(visit, error.details)
            # the result stands with the deploy once, not in its error, too
            raise Conflict(error.message, code=error.code, hint=error.hint) from None
        raise
    _keep(visit, found)
    return 0


def _keep(visit: Visit, found: Mapping[str, Any]) -> None:
    with visit.context.store.writing() as session:
        keep(session, visit.deploy.id, found)


CHECKS = Step("checks", run)
