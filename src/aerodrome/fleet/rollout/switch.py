"""Step `switch`: the runtime is handed the deploy. From here on it is what Airflow should run."""

from __future__ import annotations

from aerodrome.fleet.rollout.visit import Step, Visit
from aerodrome.fleet.spec import runtime_spec


def run(visit: Visit) -> float:
    if not visit.is_asleep:
        hand_over(visit)
        visit.say("Handed over.")
    return 0


def hand_over(visit: Visit) -> None:
    """Give the runtime the spec; the same spec again changes nothing."""
    visit.context.runtime.apply(runtime_spec(visit.context, visit.deployment, visit.deploy, lambda _line: None))


SWITCH = Step("switch", run, touches=True)
