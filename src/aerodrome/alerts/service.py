"""Commands and reads of alert channels. Called by the API; the migration room asks which channels tell of a deployment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import Any, Protocol
from urllib.parse import urlsplit

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from aerodrome.access import audit
from aerodrome.access.actor import Actor
from aerodrome.access.permissions import allows, require
from aerodrome.alerts.contract import DEFAULT_EVENTS, EVENTS, AlertChannelView, DeliveryView
from aerodrome.alerts.delivery import JOB, address_of, enqueue_test
from aerodrome.kernel.clock import Clock
from aerodrome.kernel.errors import Conflict, Invalid, NotFound
from aerodrome.kernel.ids import new_id
from aerodrome.kernel.secret import Secret
from aerodrome.store import jobs, outbox
from aerodrome.store.engine import Store
from aerodrome.store.tables.alert import AlertChannelRow, AlertDeliveryRow
from aerodrome.store.tables.deployment import DeploymentRow
from aerodrome.store.tables.workspace import WorkspaceRow

READ, MANAGE = "alert.read", "alert.manage"
MOST_SHOWN = 500


class Secrets(Protocol):
    """What is needed of a secret store."""

    def put(self, path: str, value: Secret) -> None: ...
    def get(self, path: str) -> Secret: ...
    def delete(self, path: str) -> None: ...


class Alerts:
    """The alert room's face. Thread-safe; holds no state but its tools."""

    def __init__(self, store: Store, secrets: Secrets, clock: Clock, ring: Callable[[], None] = lambda: None) -> None:
        self._store = store
        self._secrets = secrets
        self._clock = clock
        self._ring = ring

    def create(
        self, actor: Actor, workspace: str, name: str, url: Secret, events: Sequence[str] = ()
    ) -> AlertChannelView:
        """Make a channel; Invalid names the field, Conflict when the workspace has one of this name."""
        if not name or len(name) > 100 or not all(char.isalnum() or char in "-_." for char in name):
            raise Invalid(
                "name: use letters, digits, dash, underscore and dot, 100 at most.",
                code="alert-name-invalid",
                details={"field": "name"},
            )
        label = _label(url)
        patterns = tuple(dict.fromkeys(events)) or DEFAULT_EVENTS
        for pattern in patterns:
            if not any(fnmatchcase(event, pattern) for event in EVENTS):
                raise Invalid(
                    f"events: {pattern[:60]!r} fits no event.",
                    code="alert-event-unknown",
                    hint=f"Known are {', '.join(EVENTS)}; * stands for anything.",
                    details={"field": "events"},
                )
        channel_id = new_id("alc")
        with self._store.reading() as session:
            home = self._workspace(session, actor, workspace, MANAGE)
            self._refuse_taken(session, home, name)
        self._secrets.put(address_of(channel_id), url)
        with self._store.writing() as session:
            row = AlertChannelRow(
                id=channel_id,
                workspace_id=home.id,
                name=name,
                label=label,
                events=list(patterns),
                after_seq=outbox.last_seq(session),
                created_by=actor.name,
                created_at=self._clock.now(),
            )
            session.add(row)
            session.flush()
            self._record(session, actor, "alert.channel-created", row)
            return _view(row, home.name)

    def list(self, actor: Actor) -> list[AlertChannelView]:
        """Give the channels of all workspaces that the actor may see, in the order in which they were made."""
        query = select(AlertChannelRow, WorkspaceRow.name).join(
            WorkspaceRow, WorkspaceRow.id == AlertChannelRow.workspace_id
        )
        with self._store.reading() as session:
            return [
                _view(row, name)
                for row, name in session.execute(query.order_by(AlertChannelRow.id))
                if allows(actor, READ, f"workspace/{row.workspace_id}")
            ]

    def delete(self, actor: Actor, ref: str) -> None:
        """Forget a channel with its deliveries and its address."""
        with self._store.writing() as session:
            row, _name = self._channel(session, actor, ref, MANAGE)
            channel_id = row.id
            session.execute(delete(AlertDeliveryRow).where(AlertDeliveryRow.channel_id == channel_id))
            session.delete(row)
            self._record(session, actor, "alert.channel-deleted", row)
        self._secrets.delete(address_of(channel_id))

    def test(self, actor: Actor, ref: str) -> DeliveryView:
        """Send a test event as soon as possible; look at the deliveries for what became of it."""
        with self._store.writing() as session:
            row, _name = self._channel(session, actor, ref, MANAGE)
            made = enqueue_test(session, row, actor.name, self._clock.now())
            jobs.enqueue(session, JOB, "outbox", lane=JOB)
            view = _delivery(made, row.name)
        self._ring()
        return view

    def deliveries(self, actor: Actor, ref: str) -> Sequence[DeliveryView]:
        """Give what a channel was told, the newest first."""
        with self._store.reading() as session:
            row, _name = self._channel(session, actor, ref, READ)
            query = select(AlertDeliveryRow).where(AlertDeliveryRow.channel_id == row.id)
            rows = session.scalars(query.order_by(AlertDeliveryRow.id.desc()).limit(MOST_SHOWN))
            return [_delivery(each, row.name) for each in rows]

    def channels_for(self, deployment_id: str) -> Sequence[str]:
        """Name the channels that tell of a deployment's incidents. For other rooms: asks nobody's permission."""
        query = (
            select(AlertChannelRow.name, AlertChannelRow.events)
            .join(DeploymentRow, DeploymentRow.workspace_id == AlertChannelRow.workspace_id)
            .where(DeploymentRow.id == deployment_id)
            .order_by(AlertChannelRow.id)
        )
        with self._store.reading() as session:
            rows = session.execute(query).all()
        return [name for name, events in rows if any(fnmatchcase("incident.opened", pattern) for pattern in events)]

    # --- inside --------------------------------------------------------------------------------------------------

    def _workspace(self, session: Session, actor: Actor, ref: str, permission: str) -> WorkspaceRow:
        row = session.scalar(select(WorkspaceRow).where((WorkspaceRow.id == ref) | (WorkspaceRow.name == ref)))
        if row is None or not allows(actor, "workspace.read", f"workspace/{row.id}"):
            raise NotFound(
                f"There is no workspace {ref!r}.",
                code="workspace-not-found",
                hint="`aerodrome workspace list` shows them.",
            )
        require(actor, permission, f"workspace/{row.id}")
        return row

    def _refuse_taken(self, session: Session, home: WorkspaceRow, name: str) -> None:
        query = select(AlertChannelRow.id).where(AlertChannelRow.workspace_id == home.id, AlertChannelRow.name == name)
        if session.scalar(query) is not None:
            raise Conflict(
                f"The workspace {home.name} has a channel {name} already.",
                code="alert-channel-exists",
                hint="Choose another name, or delete that one first.",
            )

    def _channel(self, session: Session, actor: Actor, ref: str, permission: str) -> tuple[AlertChannelRow, str]:
        query = select(AlertChannelRow, WorkspaceRow.name).join(
            WorkspaceRow, WorkspaceRow.id == AlertChannelRow.workspace_id
        )
        rows = [
            (row, name)
            for row, name in session.execute(query.where((AlertChannelRow.id == ref) | (AlertChannelRow.name == ref)))
            if allows(actor, READ, f"workspace/{row.workspace_id}")
        ]
        if not rows:
            raise NotFound(
                f"There is no alert channel {ref!r}.",
                code="alert-channel-unknown",
                hint="`aerodrome alert list` shows them all.",
            )
        if len(rows) > 1:
            raise Conflict(
                f"Several alert channels are named {ref!r}.",
                code="alert-channel-ambiguous",
                hint="Name it by its id: `aerodrome alert list`.",
            )
        require(actor, permission, f"workspace/{rows[0][0].workspace_id}")
        return rows[0]

    def _record(self, session: Session, actor: Actor, action: str, row: AlertChannelRow) -> None:
        details: dict[str, Any] = {"name": row.name, "label": row.label, "events": row.events}
        audit.record(session, actor, action, f"workspace/{row.workspace_id}/alert-channel/{row.id}", details)


def _label(url: Secret) -> str:
    """Give what of an address is no secret; Invalid unless it is one of the web."""
    try:
        parts = urlsplit(url.reveal())
        port = f":{parts.port}" if parts.port else ""
        host = parts.hostname or ""
    except ValueError:
        parts, port, host = None, "", ""
    if parts is None or parts.scheme not in ("http", "https") or not host:
        raise Invalid(
            "url: give a web address, http://… or https://….",
            code="alert-url-invalid",
            hint="It takes events by POST, as JSON; chat services call it an incoming webhook.",
            details={"field": "url"},
        )
    return f"{parts.scheme}://{host}{port}"[:200]


def _view(row: AlertChannelRow, workspace: str) -> AlertChannelView:
    return AlertChannelView(
        row.id, row.workspace_id, workspace, row.name, row.label, tuple(row.events), row.created_by, row.created_at
    )


def _delivery(row: AlertDeliveryRow, channel: str) -> DeliveryView:
    return DeliveryView(
        row.id, channel, row.event_type, str(row.body["text"]), row.status, row.attempts, row.error, row.created_at, row.sent_at,  # type: ignore[arg-type]
    )  # fmt: skip
