"""Looks into a running deployment: its logs, and how the platform reaches it."""

from __future__ import annotations

from aerodrome.access.actor import Actor
from aerodrome.fleet import lookup
from aerodrome.fleet.context import FleetContext
from aerodrome.fleet.spec import runtime_spec
from aerodrome.kernel.errors import Invalid, Unavailable
from aerodrome.runtimes.contract import AirflowAccess
from aerodrome.store.tables.deploy import DeployRow
from aerodrome.store.tables.deployment import ObservationRow

MAX_TAIL = 10_000


def logs(context: FleetContext, actor: Actor, ref: str, component: str, tail: int) -> list[str]:
    if not 1 <= tail <= MAX_TAIL:
        raise Invalid(
            f"{tail} lines are out of range.",
            code="tail-invalid",
            hint=f"Ask for 1 to {MAX_TAIL:,} lines.",
            details={"field": "tail"},
        )
    with context.store.reading() as session:
        row = lookup.deployment(session, actor, ref, "deployment.logs")
    return list(context.runtime.logs(row.id, component, tail))


def access(context: FleetContext, actor: Actor, ref: str) -> AirflowAccess:
    with context.store.reading() as session:
        row = lookup.deployment(session, actor, ref, "deployment.access")
        seen = session.get(ObservationRow, row.id)
        deploy = session.get(DeployRow, row.current_deploy_id) if row.current_deploy_id else None
    if seen is None or seen.base_url is None:
        raise Unavailable(
            f"The deployment {row.name!r} has not started yet.",
            code="deployment-not-started",
            hint=f"`aerodrome deployment show {row.name}` tells how far it is.",
        )
    return context.runtime.access(runtime_spec(context, row, deploy, lambda _line: None))
