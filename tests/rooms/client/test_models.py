from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from aerodrome.client.models import Deployment, Me, NewToken, Role, read
from aerodrome.kernel.errors import Broken

TOKEN = {
    "id": "tok_1",
    "user_id": "usr_1",
    "user_name": "ada",
    "name": "ci",
    "hint": "abcd",
    "created_at": "2026-03-01T12:00:00Z",
    "expires_at": None,
    "last_used_at": None,
    "revoked_at": None,
}


def test_nested_objects_moments_and_secrets_are_read() -> None:
    made = read(NewToken, {"token": TOKEN, "text": "aero_pat_secret", "new_member": 1})
    assert made.token.created_at == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert made.token.expires_at is None
    assert made.text.reveal() == "aero_pat_secret"
    assert "secret" not in repr(made)


def test_lists_become_tuples() -> None:
    me = read(Me, json.loads('{"id":"u","name":"n","kind":"user","roles":[{"role":"admin","scope":""}]}'))
    assert me.roles == (Role("admin", ""),)


@pytest.mark.parametrize("data", [{}, None, [], {"id": "x"}, "text"])
def test_an_answer_that_does_not_fit_is_named(data: object) -> None:
    with pytest.raises(Broken) as caught:
        read(Deployment, data)
    assert caught.value.code == "answer-unreadable"
