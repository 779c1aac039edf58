"""The words of alerts: what may be told, a channel, one delivery."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

EVENTS: Final[dict[str, str]] = {
    "incident.opened": "something is wrong with a deployment: {reason}",
    "incident.severity_changed": "an incident got worse or better: {reason}",
    "incident.closed": "an incident is over: {reason}",
    "migration.failed": "{name}: a step failed ({code})",
    "migration.wave-halted": "{name}: somebody paused {wave}. {reason}",
    "migration.wave-stopped": "{name}: {wave} stopped, {failed} DAGs failed: {dags}",
    "migration.first-run-late": "{name}: the first run of {dag_id} in the target is late. {message}",
    "migration.first-run-failed": "{name}: the first run of {dag_id} in the target failed. {message}",
    "migration.split-brain": "{dag_id} of {wave} was active on both sides",
    "migration.parity-different": "{name}: {dag_id} does not do the same as in the source. {summary}",
    "migration.promotion-failed": "{name}: a promotion ended at a gate (proof {proof})",
    "migration.error-budget-spent": "{name}: after the cutover of {wave} more DAGs failed than the error budget of {budget} allows: {dags}",
    "migration.track-done": "{name}: {track} is done",
}
"""What a channel may be told, with the sentence that people read; the gaps are fields of the event."""
DEFAULT_EVENTS: Final = (
    "incident.opened", "migration.failed", "migration.wave-*", "migration.first-run-*", "migration.split-brain",
    "migration.parity-different", "migration.promotion-failed", "migration.error-budget-spent",
)  # fmt: skip
"""What a channel is told that names nothing itself: all that needs somebody."""


@dataclass(frozen=True)
class AlertChannelView:
    """A channel; its address stands nowhere but in the secret store."""

    id: str
    workspace_id: str
    workspace_name: str
    name: str
    label: str  # scheme, host and port of the address
    events: tuple[str, ...]  # patterns as in a shell
    created_by: str
    created_at: datetime


@dataclass(frozen=True)
class DeliveryView:
    """One event for one channel."""

    id: str
    channel: str
    event_type: str
    text: str
    status: Literal["waiting", "sent", "failed"]
    attempts: int
    error: str
    created_at: datetime
    sent_at: datetime | None
