"""The audit trail: every act, in order, without secrets."""

from __future__ import annotations

import pytest

from aerodrome.access import SYSTEM, Access, Actor, audit
from aerodrome.kernel.secret import Secret
from aerodrome.store import Store


def test_acts_of_access_are_all_there(access: Access, admin: Actor, ann: Actor) -> None:
    view, _ = access.create_token(ann, "laptop")
    access.revoke_token(admin, view.id)
    access.grant_role(admin, "ann", "author", "workspace/ws_1")
    acts = [(entry.actor_name, entry.action) for entry in reversed(access.list_audit(admin))]
    assert acts == [
        ("system", "user.create"),
        ("system", "login-link.create"),
        ("admin", "session.start"),
        ("admin", "user.create"),
        ("admin", "login-link.create"),
        ("ann", "session.start"),
        ("ann", "token.create"),
        ("admin", "token.revoke"),
        ("admin", "role.grant"),
    ]


def test_paging_and_filters(access: Access, admin: Actor, store: Store) -> None:
    with store.writing() as session:
        for number in range(7):
            audit.record(
                session, SYSTEM, "deployment.update", f"workspace/ws_{number % 2}/deployment/dep_1", {"n": number}
            )
        audit.record(session, SYSTEM, "workspace.update", "workspace/ws_1")
        audit.record(session, SYSTEM, "workspace.update", "workspace/ws_10")
    found = access.list_audit(admin, action="deployment.update", limit=3)
    rest = access.list_audit(admin, action="deployment.update", before=found[-1].seq)
    assert [entry.details["n"] for entry in found + rest] == [6, 5, 4, 3, 2, 1, 0]
    assert len(access.list_audit(admin, target="workspace/ws_1")) == 4
    assert {entry.actor_id for entry in access.list_audit(admin, actor_id="system")} == {"system"}


def test_secrets_are_masked(access: Access, admin: Actor, store: Store) -> None:
    details = {
        "value": Secret("canary-61"),
        "db_password": "canary-62",
        "url": "postgresql://u:canary-63@h/x",
        "deep": [{"api_key": "canary-64"}],
        "text": "aero_pat_canary65canary65canary65",
    }
    with store.writing() as session:
        audit.record(session, SYSTEM, "x.done", "x", details)
    (entry,) = access.list_audit(admin, action="x.done")
    assert "canary" not in str(entry)


def test_what_was_rolled_back_was_not_done(access: Access, admin: Actor, store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.writing() as session:  # noqa: PT012
        audit.record(session, SYSTEM, "x.done", "x")
        raise ZeroDivisionError
    assert access.list_audit(admin, action="x.done") == []
