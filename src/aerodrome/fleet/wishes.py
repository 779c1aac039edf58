"""Writes a changed wish: one transaction holds the row, the audit entry, the event and the job that makes it true."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from aerodrome.access import audit
from aerodrome.access.actor import Actor
from aerodrome.fleet import lookup
from aerodrome.fleet.context import FleetContext
from aerodrome.fleet.machine import DEPLOYMENT
from aerodrome.kernel.errors import Stale
from aerodrome.store import jobs, outbox
from aerodrome.store.tables.deployment import DeploymentRow

RECONCILE = "deployment.reconcile"


@contextmanager
def writing(context: FleetContext) -> Iterator[Session]:
    """Give a writing session; Stale when somebody else changed a row in between."""
    try:
        with context.store.writing() as session:
            yield session
    except StaleDataError as error:
        raise Stale("Somebody else changed it first.", code="row-stale", hint="Look again and repeat.") from error


def ask_to_look(session: Session, deployment_id: str) -> None:
    """Ask the reconciler to look at a deployment, soon."""
    jobs.enqueue(session, RECONCILE, deployment_id, lane=deployment_id)


def record(session: Session, actor: Actor, row: DeploymentRow, verb: str, details: Mapping[str, Any]) -> None:
    """Write who did what: an audit entry `deployment.<verb>` and the event `deployment.<verb>` with the same details."""
    data = {"name": row.name, "workspace_id": row.workspace_id, **details}
    audit.record(session, actor, f"deployment.{verb}", lookup.deployment_scope(row), data)
    outbox.emit(session, f"deployment.{verb}", row.id, data, actor.name)


def move(session: Session, row: DeploymentRow, event: str, *, actor: str, reason: str = "") -> None:
    """Move a deployment by its machine; a change of state leaves an event, staying leaves nothing."""
    state = DEPLOYMENT.next(row.status, event)
    if state == row.status:
        return
    outbox.emit(
        session,
        "deployment.status_changed",
        row.id,
        {
            "name": row.name,
            "workspace_id": row.workspace_id,
            "from": row.status,
            "to": state,
            "event": event,
            "reason": reason,
        },
        actor,
    )
    row.status = state
