"""API tokens: shown once, act as their person, worthless when revoked or expired."""

from __future__ import annotations

from datetime import timedelta

import pytest

from aerodrome.access import Access, Actor
from aerodrome.kernel.clock import ManualClock
from aerodrome.kernel.errors import Denied, Invalid, NotFound
from aerodrome.kernel.redaction import Redactor
from aerodrome.kernel.secret import Secret


def test_a_token_acts_as_its_person(access: Access, ann: Actor) -> None:
    view, text = access.create_token(ann, "laptop")
    assert text.reveal().startswith("aero_pat_")
    assert text.reveal().endswith(view.hint)
    actor = access.authenticate_token(text.reveal())
    assert (actor.id, actor.kind, actor.roles, actor.credential_id) == (
        ann.id,
        "token",
        ann.roles,
        view.id,
    )


def test_other_texts_are_no_tokens(access: Access, ann: Actor, ann_cookie: Secret) -> None:
    _, text = access.create_token(ann, "laptop")
    for other in ("", "aero_pat_", text.reveal() + "x", text.reveal()[:-1], ann_cookie.reveal(), f" {text.reveal()}"):
        with pytest.raises(Denied) as caught:
            access.authenticate_token(other)
        assert caught.value.code == "token-invalid"
        assert not other.strip() or other not in str(caught.value)


def test_a_token_expires(access: Access, ann: Actor, clock: ManualClock) -> None:
    with pytest.raises(Invalid):
        access.create_token(ann, "late", clock.now())
    with pytest.raises(Invalid):
        access.create_token(ann, " ")
    _, text = access.create_token(ann, "short", clock.now() + timedelta(hours=1))
    clock.advance(timedelta(minutes=59))
    access.authenticate_token(text.reveal())
    clock.advance(timedelta(minutes=1))
    with pytest.raises(Denied):
        access.authenticate_token(text.reveal())


def test_a_revoked_token_is_worthless_at_once_and_stays_listed(access: Access, ann: Actor) -> None:
    view, text = access.create_token(ann, "laptop")
    first = access.revoke_token(ann, view.id)
    assert first == access.revoke_token(ann, view.id)
    assert first.revoked_at is not None
    with pytest.raises(Denied):
        access.authenticate_token(text.reveal())
    assert access.list_tokens(ann) == [first]


def test_tokens_of_others_take_a_permission(access: Access, admin: Actor, ann: Actor) -> None:
    mine, _ = access.create_token(admin, "mine")
    hers, _ = access.create_token(ann, "hers")
    with pytest.raises(Denied):
        access.revoke_token(ann, mine.id)
    assert [token.id for token in access.list_tokens(ann)] == [hers.id]
    assert {token.id for token in access.list_tokens(admin, everybody=True)} == {mine.id, hers.id}
    assert access.revoke_token(admin, hers.id).revoked_at
    with pytest.raises(NotFound):
        access.revoke_token(admin, "tok_none")


def test_use_is_written_down_but_not_at_every_request(access: Access, ann: Actor, clock: ManualClock) -> None:
    _, text = access.create_token(ann, "laptop")
    used = []
    for _ in range(3):
        access.authenticate_token(text.reveal())
        used.append(access.list_tokens(ann)[0].last_used_at)
        clock.advance(timedelta(minutes=3))
    start = clock.now() - timedelta(minutes=9)
    assert used == [start, start, start + timedelta(minutes=6)]


def test_our_credentials_are_masked_by_their_shape(access: Access, admin: Actor, admin_cookie: Secret) -> None:
    _, token = access.create_token(admin, "x")
    _, link = access.create_login_link(admin, "admin")
    text = Redactor().text(f"GET /login?code={link.reveal()} Bearer {token.reveal()} {admin_cookie.reveal()}")
    for secret in (token, link, admin_cookie):
        assert secret.reveal() not in text
