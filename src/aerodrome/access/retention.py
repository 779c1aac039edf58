"""Removes what nobody needs any more: old events, ended sessions, used links, and audit entries if a limit is set."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from aerodrome.access import audit, sessions
from aerodrome.store import Store, now, outbox


@dataclass(frozen=True)
class Tidied:
    """How much was removed."""

    events: int
    audit_entries: int


def tidy(store: Store, *, event_days: int, audit_days: int) -> Tidied:
    """Remove what is older than the limits in days; 0 for the audit trail keeps it for ever. Safe to repeat."""
    with store.writing() as session:
        moment = now(session)
        sessions.prune(session)
        events = outbox.prune(session, moment - timedelta(days=event_days))
        entries = audit.prune(session, moment - timedelta(days=audit_days)) if audit_days else 0
    return Tidied(events, entries)
