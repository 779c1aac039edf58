"""Variables and connections of a source become objects of the deployment, with proof, and again after any kill."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from tests.rooms.fleet.conftest import world  # noqa: F401 - a fixture
from tests.rooms.fleet.world import World
from tests.rooms.migration.transfer.conftest import MemorySource
from tests.rooms.migration.transfer.test_backend_objects import CANARY, KEY, connection

from aerodrome.access import SYSTEM
from aerodrome.fleet.object_files import ImportLine, ImportWish
from aerodrome.kernel.secret import Secret
from aerodrome.migration.sources.contract import VariableValue
from aerodrome.migration.transfer import manager_objects
from aerodrome.migration.transfer.manager_objects import move


class Importing:
    """The manager's own import into one deployment; `dies` before its next write."""

    def __init__(self, world: World) -> None:  # noqa: F811
        world.deployment("shop")
        self.world, self.dies, self.writes = world, False, 0

    def __call__(self, what: Any, file: Secret, is_dry_run: bool) -> Sequence[ImportLine]:
        if not is_dry_run:
            if self.dies:
                raise KeyboardInterrupt
            self.writes += 1
        wish = ImportWish(what, "json", file, "overwrite", is_dry_run)
        return self.world.fleet.environment.import_file(SYSTEM, wish, deployment="shop").lines

    def given(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Give what that deployment's Airflow finds: connections and variables."""
        self.world.look()
        found = self.world.runtime.environments[self.world.show("shop").id]
        return (
            {name: json.loads(text.reveal()) for name, text in found.connections.items()},
            {name: text.reveal() for name, text in found.variables.items()},
        )


@pytest.fixture
def importing(world: World) -> Importing:  # noqa: F811
    return Importing(world)


def test_objects_move_with_proof_and_a_repetition_changes_nothing(
    importing: Importing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manager_objects, "CHUNK", 7)
    names = [f"v{number:03}" for number in range(16)]
    values = {name: f'{{"{CANARY}":  [{name!r}, "ü"]}}' for name in names}
    source = MemorySource(
        variables=[VariableValue(name, Secret(value), "told") for name, value in values.items()],
        connections=[connection("db"), connection("bare", password=None, extra=None)],
    )
    for moved in ((16, 2), (0, 0)):
        variables = move(source, importing, "variable", names, "source-wins", KEY)
        connections = move(source, importing, "connection", ["db", "bare"], "source-wins", KEY)
        assert (variables.moved, connections.moved, variables.failed, connections.failed) == (*moved, (), ())
        assert variables.is_proven
        assert connections.is_proven
    assert importing.writes == 4
    found, kept = importing.given()
    assert kept == values, "texts stay as they are"
    assert (found["db"]["password"], found["db"]["port"], found["db"]["extra"]) == (CANARY, 5432, {"b": 1, "a": 2})
    assert "password" not in found["bare"]
    shown = importing.world.fleet.environment.list_all(SYSTEM, deployment="shop")
    assert {item.description for item in shown if item.kind == "variable"} == {"told"}
    assert CANARY not in str([item.fields for item in shown if item.kind == "connection"])


def test_who_wins_and_what_is_refused_is_told(importing: Importing) -> None:
    source = MemorySource(
        variables=[VariableValue("a", Secret("1"), None), VariableValue("b", Secret("2"), None)],
        connections=[connection("typeless", conn_type=None), connection("good")],
    )
    move(source, importing, "variable", ["a"], "source-wins", KEY)
    source.variables[0] = VariableValue("a", Secret("3"), None)
    kept = move(source, importing, "variable", ["a", "b", "gone"], "target-wins", KEY)
    assert {item.key: item.code for item in kept.failed} == {"a": "target-wins", "gone": "variable-gone"}
    assert (kept.moved, kept.is_proven) == (1, True)
    assert importing.given()[1] == {"a": "1", "b": "2"}
    won = move(source, importing, "variable", ["a"], "source-wins", KEY)
    assert (won.moved, won.is_proven, importing.given()[1]["a"]) == (1, True, "3")
    refused = move(source, importing, "connection", ["typeless", "good"], "source-wins", KEY)
    assert [item.key for item in refused.failed] == ["typeless"]
    assert CANARY not in str(refused.as_data())
    assert set(importing.given()[0]) == {"good"}


def test_a_stop_in_the_middle_goes_on_where_it_was(importing: Importing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manager_objects, "CHUNK", 2)
    names = list("abcde")
    source = MemorySource(variables=[VariableValue(name, Secret(CANARY + name), None) for name in names])
    move(source, importing, "variable", ["a", "b"], "source-wins", KEY)
    importing.dies = True
    with pytest.raises(KeyboardInterrupt):
        move(source, importing, "variable", names, "source-wins", KEY)
    importing.dies = False
    again = move(source, importing, "variable", names, "source-wins", KEY)
    assert (again.moved, again.same, again.is_proven) == (3, 2, True)


def test_what_somebody_changes_meanwhile_is_not_proved(importing: Importing) -> None:
    source = MemorySource(variables=[VariableValue("a", Secret("1"), None)])

    def disturbed(what: Any, file: Secret, is_dry_run: bool) -> Sequence[ImportLine]:
        lines = importing(what, file, is_dry_run)
        if not is_dry_run:
            importing(what, Secret('{"a": "2"}'), is_dry_run=False)
        return lines

    assert not move(source, disturbed, "variable", ["a"], "source-wins", KEY).is_proven
