"""An Access, its first admin signed in, and ann, who may only look in one workspace."""

from __future__ import annotations

import pytest

from aerodrome.access import Access, Actor
from aerodrome.kernel.clock import ManualClock
from aerodrome.kernel.secret import Secret
from aerodrome.store import Store


@pytest.fixture
def access(store: Store, clock: ManualClock) -> Access:
    return Access(store, clock, session_hours=12, login_link_minutes=60)


@pytest.fixture
def admin_cookie(access: Access) -> Secret:
    code = access.ensure_admin()
    assert code is not None
    return access.redeem_login_link(code.reveal())[1]


@pytest.fixture
def admin(access: Access, admin_cookie: Secret) -> Actor:
    return access.authenticate_session(admin_cookie.reveal())


@pytest.fixture
def ann_cookie(access: Access, admin: Actor) -> Secret:
    access.create_user(admin, "ann", role="viewer", scope="workspace/ws_1")
    _, code = access.create_login_link(admin, "ann")
    return access.redeem_login_link(code.reveal())[1]


@pytest.fixture
def ann(access: Access, ann_cookie: Secret) -> Actor:
    return access.authenticate_session(ann_cookie.reveal())
