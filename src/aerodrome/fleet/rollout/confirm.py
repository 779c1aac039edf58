"""Step `confirm`: Airflow is watched until it is healthy with the deploy, or has shown that it will not be."""

from __future__ import annotations

from aerodrome.fleet.rollout import switch
from aerodrome.fleet.rollout.visit import Step, Visit
from aerodrome.kernel.errors import Broken

_LOOK_AGAIN_S = 0.5


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


CONFIRM = Step("confirm", run, touches=True, is_polled=True)
