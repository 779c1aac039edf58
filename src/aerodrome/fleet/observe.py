"""Writes down what was seen of a deployment, moves its status, and says when to look again."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from aerodrome.fleet import rollout, wishes
from aerodrome.fleet.context import FleetContext
from aerodrome.kernel.clock import to_text
from aerodrome.runtimes.contract import ComponentObservation, Observation
from aerodrome.store.tables.deployment import DeploymentRow, ObservationRow

CHANGING_S = 1.0
TROUBLED_S = 3.0
STEADY_S = 10.0
_SLEEPING = ("stopped", "missing")
_PACE = {"healthy": STEADY_S, "hibernated": STEADY_S, "degraded": TROUBLED_S, "unhealthy": TROUBLED_S}


def record(context: FleetContext, deployment_id: str, seen: Observation) -> float | None:
    """Write the observation and the status that follows from it; give seconds until the next look, None when it is gone."""
    with wishes.writing(context) as session:
        row = session.get(DeploymentRow, deployment_id, with_for_update=True)
        if row is None:
            return None
        observation = session.get(ObservationRow, deployment_id) or ObservationRow(deployment_id=deployment_id)
        observation.health = seen.health
        observation.reasons = list(seen.reasons)
        observation.components = [_component(part) for part in seen.components]
        observation.generation = seen.generation
        observation.airflow_version = seen.airflow_version
        observation.base_url = seen.base_url
        observation.observed_at = seen.observed_at
        session.add(observation)
        event = event_of(row, seen, is_deploying=rollout.unfinished(session, deployment_id) is not None)
        wishes.move(session, row, event, actor="system", reason=_reason(row, seen))
        return _PACE.get(row.status, CHANGING_S)


def event_of(row: DeploymentRow, seen: Observation, *, is_deploying: bool) -> str:
    """Tell which event of the deployment's machine the observation is."""
    if row.desired == "deleted":
        return "delete"
    if row.desired == "hibernated":
        return "saw-stopped" if seen.health in _SLEEPING else "hibernate"
    if is_deploying:
        return "deploy"
    if row.error is not None:
        return "fail"
    if seen.health in _SLEEPING or (seen.health == "healthy" and seen.generation != row.generation):
        return "saw-starting"
    return f"saw-{seen.health}"


def _reason(row: DeploymentRow, seen: Observation) -> str:
    if row.error is not None:
        return str(row.error["message"])
    return " ".join(seen.reasons)


def _component(part: ComponentObservation) -> dict[str, Any]:
    return {**asdict(part), "started_at": to_text(part.started_at)}
