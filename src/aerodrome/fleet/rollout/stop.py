"""Step `stop`: Airflow starts nothing new, running tasks get time to finish, then all processes end."""

from __future__ import annotations

from aerodrome.fleet.rollout.visit import Step, Visit, present_spec

_GRACE_S = 20.0
_SHOWN = 20


def run(visit: Visit) -> float:
    drain_s = visit.drain_s
    if drain_s and not visit.is_asleep:
        visit.say(f"Running tasks get {drain_s:.0f} seconds to finish.")
    visit.context.runtime.stop(visit.deployment.id, _GRACE_S, drain_s)
    cut = visit.context.runtime.running_tasks(present_spec(visit))
    if cut:
        more = f" and {len(cut) - _SHOWN} more" if len(cut) > _SHOWN else ""
        visit.say(
            f"{len(cut)} tasks were cut off; each is tried again if it has a retry left: {', '.join(cut[:_SHOWN])}{more}."
        )
    visit.say("Airflow has stopped.")
    return 0


STOP = Step("stop", run, touches=True)
