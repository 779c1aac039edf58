"""Every state that a row may be in has a word in the API: one that is missing turns the answer into a crash."""

from __future__ import annotations

import typing

from aerodrome.fleet.acts.registry import KINDS
from aerodrome.fleet.machine import DEPLOY
from aerodrome.fleet.views import DeployView
from aerodrome.web.api.databases import Act
from aerodrome.web.api.deploys import Deploy


def words(model: type, field: str) -> set[str]:
    return set(typing.get_args(typing.get_type_hints(model)[field]))


def test_every_state_of_a_deploy_can_be_told() -> None:
    assert words(Deploy, "status") == words(DeployView, "status") == set(DEPLOY.states)


def test_every_kind_of_act_can_be_told() -> None:
    assert words(Act, "kind") == set(KINDS)
