"""Looks into a running deployment: its logs, and how the platform reaches it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from aerodrome.access.actor import Actor
from aerodrome.fleet import lookup
from aerodrome.fleet.context import FleetContext
from aerodrome.fleet.hiding import Hiding
from aerodrome.fleet.spec import runtime_spec
from aerodrome.kernel.errors import Invalid, Unavailable
from aerodrome.runtimes.contract import AirflowAccess
from aerodrome.store.tables.deploy import DeployRow
from aerodrome.store.tables.deployment import ObservationRow

MAX_TAIL = 10_000
_MARK: Final = "AERODROME-PROBE "


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


def ask(
    context: FleetContext, actor: Actor, ref: str, module: str, question: Mapping[str, Any], timeout_s: float
) -> Any:
    """Run a module of `aerodrome_airflow` where the deployment's tasks run and give its answer.

    The question goes to its standard input as JSON (it may hold revealed secrets), the answer is the last line after the
    mark. Unavailable when it does not answer in time, or not at all.
    """
    with context.store.reading() as session:
        row = lookup.deployment(session, actor, ref, "deployment.access")
        seen = session.get(ObservationRow, row.id)
        deploy = session.get(DeployRow, row.current_deploy_id) if row.current_deploy_id else None
    if seen is None or seen.base_url is None:  # making its virtualenv would take minutes
        raise Unavailable(
            f"The deployment {row.name!r} has not started yet.",
            code="deployment-not-started",
            hint=f"`aerodrome deployment show {row.name}` tells how far it is.",
        )
    spec = runtime_spec(context, row, deploy, lambda _line: None)
    command = ["python", "-m", f"aerodrome_airflow.{module}"]
    ran = context.runtime.run(spec, command, given=json.dumps(question), timeout_s=timeout_s)
    lines = [line for line in ran.output.splitlines() if line.startswith(_MARK)]
    if ran.exit_code is None or not lines:
        raise Unavailable(
            f"{row.name} did not answer within {timeout_s:.0f} s."
            if ran.exit_code is None
            else f"Airflow inside {row.name} could not be asked.",
            code="deployment-mute",
            hint=f"`aerodrome deployment logs {row.name} scheduler` shows whether it works at all.",
        )
    return json.loads(lines[-1].removeprefix(_MARK))


def hide(context: FleetContext, actor: Actor, ref: str, data: Any) -> Any:
    """Mask every secret value of the deployment in the texts of JSON-like data."""
    with context.store.reading() as session:
        row = lookup.deployment(session, actor, ref, "deployment.access")
        deploy = session.get(DeployRow, row.current_deploy_id) if row.current_deploy_id else None
    return Hiding(runtime_spec(context, row, deploy, lambda _line: None)).data(data)


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
