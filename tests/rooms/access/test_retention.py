"""Old things go, young ones and the audit trail stay."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import text

from aerodrome.access import SYSTEM, Access, Actor, audit
from aerodrome.access.retention import Tidied, tidy
from aerodrome.kernel.clock import ManualClock
from aerodrome.store import Store, outbox


def _say(store: Store) -> None:
    with store.writing() as session:
        outbox.emit(session, "x.done", "x", {}, "system")
        audit.record(session, SYSTEM, "x.done", "x")


def test_tidying(store: Store, access: Access, admin: Actor, clock: ManualClock) -> None:
    _say(store)
    clock.advance(timedelta(days=100))
    _say(store)
    assert tidy(store, event_days=90, audit_days=0) == Tidied(1, 0)
    assert tidy(store, event_days=90, audit_days=0) == Tidied(0, 0)
    with store.reading() as session:
        left = [
            session.scalar(text(f"select count(*) from {t}")) for t in ("login_session", "login_link", "outbox_event")
        ]
    assert left == [0, 0, 1]
    assert len(access.list_audit(admin, action="x.done")) == 2
    assert tidy(store, event_days=90, audit_days=90).audit_entries > 0
    assert len(access.list_audit(admin)) == 1
