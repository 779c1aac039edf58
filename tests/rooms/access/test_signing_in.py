"""Getting in: one link, once; a session that ends; a password only where somebody set one."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from aerodrome.access import Access, Actor
from aerodrome.kernel.clock import ManualClock
from aerodrome.kernel.errors import Conflict, Denied, Invalid, NotFound, Unavailable
from aerodrome.kernel.secret import Secret
from aerodrome.store import Store

PASSWORD = Secret("correct horse battery")


def _refused(access: Access, code: str) -> None:
    with pytest.raises(Denied) as caught:
        access.redeem_login_link(code)
    assert caught.value.code == "login-link-invalid"


def test_the_first_start_makes_one_admin_and_one_link(access: Access) -> None:
    code = access.ensure_admin()
    assert code is not None
    assert code.reveal().startswith("aero_link_")
    view, cookie = access.redeem_login_link(code.reveal())
    actor = access.authenticate_session(cookie.reveal())
    assert (view.user_name, actor.name, actor.kind, actor.roles) == ("admin", "admin", "user", (("admin", ""),))
    assert access.ensure_admin() is None
    assert [user.name for user in access.list_users(actor)] == ["admin"]


def test_a_lost_first_link_is_replaced_and_worthless(access: Access) -> None:
    lost, fresh = access.ensure_admin(), access.ensure_admin()
    assert lost is not None
    assert fresh is not None
    _refused(access, lost.reveal())
    access.redeem_login_link(fresh.reveal())


def test_many_first_starts_make_one_admin(access: Access) -> None:
    with ThreadPoolExecutor(6) as pool:
        codes = [code.reveal() for code in pool.map(lambda _: access.ensure_admin(), range(6)) if code]
    works = []
    for code in codes:
        try:
            _, cookie = access.redeem_login_link(code)
            works.append(access.authenticate_session(cookie.reveal()))
        except Denied:
            continue
    assert len(works) == 1
    assert len(access.list_users(works[0])) == 1


def test_a_link_works_once_also_for_two_at_the_same_time(access: Access) -> None:
    code = access.ensure_admin()
    assert code is not None

    def redeem(_: int) -> bool:
        try:
            access.redeem_login_link(code.reveal())
        except Denied:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(redeem, range(8))) == 1
    _refused(access, code.reveal())


def test_a_link_expires_and_other_texts_are_no_links(
    access: Access, admin: Actor, admin_cookie: Secret, clock: ManualClock
) -> None:
    _, code = access.create_login_link(admin, "admin")
    for text in ("", "aero_link_", "x", code.reveal()[:-1], admin_cookie.reveal(), code.reveal().upper()):
        _refused(access, text)
    clock.advance(timedelta(minutes=60))
    _refused(access, code.reveal())


def test_a_session_ends_with_time_and_by_logging_out(
    access: Access, admin: Actor, admin_cookie: Secret, clock: ManualClock
) -> None:
    _, code = access.create_login_link(admin, "admin")
    _, other = access.redeem_login_link(code.reveal())
    access.log_out(other.reveal())
    access.log_out(other.reveal())
    clock.advance(timedelta(hours=11, minutes=59))
    for cookie, is_in in ((admin_cookie, True), (other, False), (Secret(""), False), (Secret("aero_ses_x"), False)):
        if is_in:
            access.authenticate_session(cookie.reveal())
            continue
        with pytest.raises(Denied) as caught:
            access.authenticate_session(cookie.reveal())
        assert caught.value.code == "session-ended"
    clock.advance(timedelta(minutes=1))
    with pytest.raises(Denied):
        access.authenticate_session(admin_cookie.reveal())


def test_last_seen_moves_with_use(access: Access, admin: Actor, admin_cookie: Secret, clock: ManualClock) -> None:
    clock.advance(timedelta(minutes=10))
    access.authenticate_session(admin_cookie.reveal())
    (session,) = access.list_sessions(admin)
    assert session.last_seen_at == clock.now()


def test_csrf_tokens_belong_to_one_session(access: Access, admin_cookie: Secret, ann_cookie: Secret) -> None:
    one, other = access.csrf_token(admin_cookie.reveal()), access.csrf_token(ann_cookie.reveal())
    assert one != other
    assert one == access.csrf_token(admin_cookie.reveal())
    assert admin_cookie.reveal() not in one


def test_nobody_has_a_password_until_they_set_one(access: Access, admin: Actor) -> None:
    assert not access.me(admin).has_password
    for name in ("admin", "nobody"):
        for password in (Secret(""), Secret("admin"), PASSWORD):
            with pytest.raises(Denied) as caught:
                access.sign_in(name, password)
            assert caught.value.code == "login-failed"
    with pytest.raises(Invalid):
        access.set_password(admin, "admin", Secret("short"))
    access.set_password(admin, "admin", PASSWORD)
    view, cookie = access.sign_in("admin", PASSWORD)
    assert access.authenticate_session(cookie.reveal()).id == view.user_id
    assert access.me(admin).has_password
    access.set_password(admin, "admin", None)
    with pytest.raises(Denied):
        access.sign_in("admin", PASSWORD)


def test_a_new_password_ends_what_was_open(access: Access, admin: Actor, admin_cookie: Secret) -> None:
    access.set_password(admin, "admin", PASSWORD)
    with pytest.raises(Denied):
        access.authenticate_session(admin_cookie.reveal())


def test_only_the_person_chooses_the_password(access: Access, admin: Actor, ann: Actor) -> None:
    for actor, user in ((admin, "ann"), (ann, "admin")):
        with pytest.raises(Denied):
            access.set_password(actor, user, PASSWORD)
    _, token = access.create_token(ann, "ci")
    with pytest.raises(Denied):  # a leaked token must not become a sign-in
        access.set_password(access.authenticate_token(token.reveal()), "ann", PASSWORD)
    access.set_password(admin, "ann", None)


def test_a_deactivated_person_is_out_at_once_and_by_every_door(
    access: Access, admin: Actor, ann: Actor, ann_cookie: Secret
) -> None:
    access.set_password(ann, "ann", PASSWORD)
    _, token = access.create_token(ann, "ci")
    _, code = access.create_login_link(admin, "ann")
    access.set_active(admin, "ann", is_active=False)
    for act in (
        lambda: access.authenticate_session(ann_cookie.reveal()),
        lambda: access.authenticate_token(token.reveal()),
        lambda: access.redeem_login_link(code.reveal()),
        lambda: access.sign_in("ann", PASSWORD),
    ):
        with pytest.raises(Denied):
            act()
    access.set_active(admin, "ann", is_active=True)
    assert access.authenticate_token(token.reveal()).name == "ann"
    with pytest.raises(Denied):
        access.authenticate_session(ann_cookie.reveal())


def test_roles_change_at_once(access: Access, admin: Actor, ann: Actor, ann_cookie: Secret) -> None:
    access.grant_role(admin, "ann", "admin")
    access.grant_role(admin, "ann", "admin")
    assert ("admin", "") in access.authenticate_session(ann_cookie.reveal()).roles
    access.withdraw_role(admin, ann.id, "admin")
    assert access.authenticate_session(ann_cookie.reveal()).roles == (("viewer", "workspace/ws_1"),)


def test_the_last_admin_stays(access: Access, admin: Actor, admin_cookie: Secret) -> None:
    acts: tuple[Callable[[], object], ...] = (
        lambda: access.withdraw_role(admin, "admin", "admin"),
        lambda: access.set_active(admin, "admin", is_active=False),
    )
    for act in acts:
        with pytest.raises(Conflict) as caught:
            act()
        assert caught.value.code == "last-admin"
    assert access.authenticate_session(admin_cookie.reveal()).roles == (("admin", ""),)


def test_people_are_named_once_and_well(access: Access, admin: Actor, ann: Actor) -> None:
    with pytest.raises(Conflict):
        access.create_user(admin, "ann")
    for name in ("", " x", "a\nb", "x" * 201):
        with pytest.raises(Invalid):
            access.create_user(admin, name)
    with pytest.raises(NotFound):
        access.get_user(admin, "nobody")
    for role, scope in (("emperor", ""), ("viewer", "/"), ("viewer", "deployment/x"), ("viewer", "workspace/x/")):
        with pytest.raises(Invalid):
            access.grant_role(admin, "ann", role, scope)
    assert [user.name for user in access.list_users(admin)] == ["admin", "ann"]


def test_ann_may_not_manage(access: Access, ann: Actor, ann_cookie: Secret) -> None:
    a = ann
    for act in (
        lambda: access.create_user(a, "eve", role="admin"),
        lambda: access.grant_role(a, "ann", "admin"),
        lambda: access.withdraw_role(a, "admin", "admin"),
        lambda: access.set_active(a, "admin", is_active=False),
        lambda: access.create_login_link(a, "admin"),
        lambda: access.list_users(a),
        lambda: access.get_user(a, "admin"),
        lambda: access.list_sessions(a, "admin"),
        lambda: access.end_sessions(a, "admin"),
        lambda: access.list_tokens(a, everybody=True),
        lambda: access.list_audit(a),
    ):
        with pytest.raises(Denied) as caught:
            act()
        assert caught.value.code == "permission-missing"
    assert access.get_user(a, "ann").name == "ann"
    assert len(access.list_sessions(a, "ann")) == 1
    access.end_sessions(a)
    with pytest.raises(Denied):
        access.authenticate_session(ann_cookie.reveal())


def test_only_hashes_are_kept(access: Access, admin: Actor, admin_cookie: Secret, store: Store) -> None:
    from sqlalchemy import text

    access.set_password(admin, "admin", PASSWORD)
    _, token = access.create_token(admin, "ci")
    _, code = access.create_login_link(admin, "admin")
    with store.reading() as session:
        tables = ("user_account", "token", "login_session", "login_link", "audit_entry", "outbox_event")
        everything = str([session.execute(text(f"select * from {table}")).all() for table in tables])
    for secret in (token, code, admin_cookie, PASSWORD):
        assert secret.reveal() not in everything
    assert "$argon2id$" in everything


def test_guessing_is_slowed_down_for_that_name_only(
    access: Access, admin: Actor, ann: Actor, store: Store, clock: ManualClock
) -> None:
    access.set_password(admin, "admin", PASSWORD)
    access.set_password(ann, "ann", PASSWORD)
    access = Access(store, clock, max_failures=2)
    for _ in range(2):
        with pytest.raises(Denied):
            access.sign_in("admin", Secret("wrong"))
    with pytest.raises(Unavailable) as caught:
        access.sign_in("admin", PASSWORD)
    assert caught.value.code == "login-throttled"
    assert caught.value.retry_after_s == 300
    access.sign_in("ann", PASSWORD)
    clock.advance(timedelta(minutes=5))
    access.sign_in("admin", PASSWORD)
