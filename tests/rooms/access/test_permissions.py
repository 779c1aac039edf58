"""Who may do what: a role counts on its scope and below, never beside it."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aerodrome.access.actor import SYSTEM, Actor
from aerodrome.access.permissions import PERMISSIONS, ROLES, allows, covers, require
from aerodrome.kernel.errors import Broken, Denied


def _actor(*roles: tuple[str, str]) -> Actor:
    return Actor("usr_1", "ann", "user", roles)


def test_the_table_is_well_formed() -> None:
    for name, line in PERMISSIONS.items():
        assert re.fullmatch(r"[a-z]+\.[a-z]+", name)
        assert line.role in ROLES
        assert line.sentence
        assert not line.sentence.endswith(".")


def test_each_role_may_all_that_lesser_roles_may() -> None:
    sets = [{p for p in PERMISSIONS if allows(_actor((role, "")), p)} for role in ROLES]
    assert all(less < more for less, more in itertools.pairwise(sets))
    assert sets[-1] == set(PERMISSIONS)
    assert {p for p in PERMISSIONS if allows(SYSTEM, p)} == set(PERMISSIONS)
    viewer = sets[0]
    assert not [p for p in viewer if p.split(".")[1] not in {"read", "logs", "view"}]


def test_a_role_counts_below_its_scope_and_not_beside_it() -> None:
    actor = _actor(("operator", "workspace/ws_1"))
    for scope in ("workspace/ws_1", "workspace/ws_1/deployment/dep_1"):
        assert allows(actor, "deployment.update", scope)
    for scope in ("", "workspace", "workspace/ws_10", "workspace/ws_2/deployment/dep_1", "workspace/ws_1x/y"):
        assert not allows(actor, "deployment.update", scope)


def test_nobody_without_a_role_may_anything() -> None:
    for actor in (_actor(), _actor(("emperor", "")), _actor(("viewer", "nowhere"))):
        assert not [p for p in PERMISSIONS if p != "cluster.read" and allows(actor, p)]


def test_denied_says_what_it_takes() -> None:
    with pytest.raises(Denied) as caught:
        require(_actor(("viewer", "")), "deployment.delete", "workspace/ws_1")
    assert caught.value.code == "permission-missing"
    assert "ann may not delete a deployment" in caught.value.message
    assert "operator" in caught.value.hint


def test_a_permission_that_does_not_exist_is_our_fault() -> None:
    with pytest.raises(Broken):
        allows(SYSTEM, "deployment.fly")


_PART = st.text("abc/", max_size=6)


@given(_PART, _PART)
def test_cover_is_whole_segments(granted: str, scope: str) -> None:
    parts = granted.split("/")
    assert covers(granted, scope) == (not granted or scope.split("/")[: len(parts)] == parts)
