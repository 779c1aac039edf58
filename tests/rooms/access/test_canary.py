"""Canary secrets pushed through access, secret store, journal, outbox and audit must show up nowhere in the clear."""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path

import pytest
from sqlalchemy import text

from aerodrome.access import SYSTEM, Access, audit
from aerodrome.kernel.errors import AerodromeError
from aerodrome.kernel.secret import Secret
from aerodrome.secretstores import LocalSecretStore, open_keyring
from aerodrome.store import Store, journal, outbox
from aerodrome.store.tables.registry import all_tables


def test_nothing_shows_a_secret(access: Access, store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Everything is logged at its most talkative, SQL statements included; then logs, errors and all rows are searched."""
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "sqlalchemy.engine")
    canaries = [Secret(f"canary-{number}-b7e1f09c55") for number in range(3)]
    shown: list[str] = []

    code = access.ensure_admin()
    assert code is not None
    _, cookie = access.redeem_login_link(code.reveal())
    admin = access.authenticate_session(cookie.reveal())
    token_view, token = access.create_token(admin, "ci")
    access.authenticate_token(token.reveal())
    access.set_password(admin, "admin", canaries[0])
    _, second_cookie = access.sign_in("admin", canaries[0])
    secrets = LocalSecretStore(store, open_keyring(tmp_path))
    secrets.put("deployment/1/env/KEY", canaries[1])
    assert secrets.get("deployment/1/env/KEY") == canaries[1]
    with store.writing() as session:
        params = {"value": canaries[2]}
        outbox.emit(session, "env.set", "dep_1", params, admin.name)
        audit.record(session, SYSTEM, "env.set", "dep_1", params)
        journal.open_track(session, "mig_1", "t", [{"key": "k", "kind": "x", "title": "X", "params": params}])
        shown += [str(step) for step in journal.steps(session, "mig_1", "t")]

    used = [code, cookie, token, second_cookie]
    for act in (
        lambda: access.redeem_login_link(code.reveal()),
        lambda: access.authenticate_session(token.reveal()),
        lambda: access.authenticate_token(cookie.reveal()),
        lambda: access.sign_in(canaries[1].reveal(), canaries[1]),
        lambda: secrets.get(f"a b {canaries[0]}"),
    ):
        with contextlib.suppress(AerodromeError):
            act()
            raise AssertionError("an error was expected")
    with store.reading() as session:
        for table in all_tables().sorted_tables:
            shown.append(str(session.execute(text(f"select * from {table.name}")).all()))
        shown += [str(event) for event in outbox.read(session)]
    shown += [str(access.list_audit(admin)), str(access.list_users(admin)), repr(token_view), repr(admin), repr(used)]
    if store.dialect == "sqlite":
        shown += [path.read_bytes().decode("latin-1") for path in tmp_path.glob("store.db*")]

    assert "INSERT INTO token" in caplog.text  # the log was really talkative
    everything = "\n".join([caplog.text, *shown])
    assert [secret for secret in (*canaries, *used) if secret.reveal() in everything] == []
