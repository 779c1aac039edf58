"""Step `confirm`: Airflow is watched until it is healthy with the deploy, or has shown that it will not be.

After a change of the Airflow version looking healthy once is not enough: a scheduler that dies a few seconds after each start does
so in between. Every component must then stay up for a while, and one that died since the switch fails the deploy.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from aerodrome.fleet.hiding import Hiding
from aerodrome.fleet.rollout import switch
from aerodrome.fleet.rollout.visit import Step, Visit, changes_version
from aerodrome.fleet.spec import runtime_spec
from aerodrome.kernel.errors import AerodromeError, Broken
from aerodrome.runtimes.contract import ComponentObservation, Observation

_LOOK_AGAIN_S = 0.5
_STEADY_S = 12.0  # so long every component must have been up after a change of version
_TAIL = 200
_LONGEST_REASON = 300
_ERROR_LINE = re.compile(r"[A-Za-z_][\w.]*(Error|Exception|Exit|Interrupt)\b")


def run(visit: Visit) -> float:
    if visit.is_asleep:
        visit.say("Airflow sleeps; it takes this version when it wakes.")
        return 0
    deploy, runtime = visit.deploy, visit.context.runtime
    seen = runtime.observe(visit.deployment.id)
    if seen.generation != visit.deployment.generation or seen.health not in ("healthy", "starting"):
        switch.hand_over(visit)
        seen = runtime.observe(visit.deployment.id)
    is_there = seen.generation is not None and seen.generation >= (deploy.generation or 0)
    is_new_airflow = changes_version(visit.deployment, deploy)
    if is_there and is_new_airflow:
        _require_no_death(visit, seen.components)
    if is_there and is_new_airflow and seen.health == "healthy" and (left_s := _until_steady_s(seen)) > 0:
        visit.say(f"Airflow is healthy; it is watched for {_STEADY_S:.0f} seconds.")
        return min(left_s, _LOOK_AGAIN_S)
    if is_there and (seen.health == "healthy" or (deploy.kind == "dags" and seen.health == "degraded")):
        visit.say("Airflow is healthy with this version.")
        return 0
    failed = [part for part in seen.components if part.state == "failed"]
    now = visit.context.clock.now()
    waited_s = (now - (visit.step.started_at or now)).total_seconds()
    is_hopeless = failed or (seen.health == "unhealthy" and waited_s > visit.unhealthy_s)
    if (is_there and is_hopeless) or waited_s > visit.confirm_timeout_s:
        why = [f"{part.name}: {part.reason or 'failed'}" for part in failed] or list(seen.reasons)
        raise Broken(
            f"Airflow did not become healthy with this version. {' '.join(why)}".strip(),
            code="deploy-unhealthy",
            hint="`aerodrome deployment logs` shows what Airflow says; mend the project and deploy again.",
        )
    if seen.reasons:
        visit.say(seen.reasons[0])
    return _LOOK_AGAIN_S


def _require_no_death(visit: Visit, components: Sequence[ComponentObservation]) -> None:
    """Fail when a component ended: after a change of version all were started anew, so whatever they count came since."""
    died = [part for part in components if part.restarts > 0 and part.last_exit_code is not None]
    if not died:
        return
    hiding = Hiding(runtime_spec(visit.context, visit.deployment, visit.deploy, visit.say))
    why = [
        f"{part.name} ended with {part.last_exit_code} and was started {part.restarts} times again:"
        f" {hiding.text(_last_words(visit, part.name))[:_LONGEST_REASON]}"
        for part in died
    ]
    raise Broken(
        f"Airflow does not stay up with this version. {' '.join(why)}",
        code="deploy-unhealthy",
        hint="`aerodrome deployment logs` shows what Airflow says; mend the project and deploy again.",
    )


def _last_words(visit: Visit, component: str) -> str:
    """Give the line of the component's log that says why: the last one that names an error, else the last one."""
    try:
        lines = [line.strip() for line in visit.context.runtime.logs(visit.deployment.id, component, _TAIL)]
    except AerodromeError as error:
        return error.message
    said = [line for line in lines if line]
    errors = [line for line in said if _ERROR_LINE.match(line)]
    return (errors or said or ["its log is empty."])[-1]


def _until_steady_s(seen: Observation) -> float:
    starts = [part.started_at for part in seen.components if part.started_at is not None]
    return _STEADY_S - (seen.observed_at - max(starts)).total_seconds() if starts else 0.0


CONFIRM = Step("confirm", run, touches=True, is_polled=True)
