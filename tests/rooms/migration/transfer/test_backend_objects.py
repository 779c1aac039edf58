"""Variables and connections of a source go into the team's secrets backend, with proof, and again after any kill."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.rooms.migration.transfer.conftest import MemorySource
from tests.rooms.secretstores.servers.vault import ROOT, VaultServer, vault_server

from aerodrome.environments.backends import OpenBackend
from aerodrome.kernel.errors import Denied, Unavailable
from aerodrome.kernel.secret import Secret
from aerodrome.migration.sources.contract import ConnectionValue, VariableValue
from aerodrome.migration.transfer.backend_objects import move, standing
from aerodrome.secretstores.kinds import open_vendor

CANARY = "canary-7f3a-do-not-show"
KEY = b"k" * 16


@pytest.fixture
def vault() -> Iterator[VaultServer]:
    with vault_server() as server:
        yield server


@pytest.fixture
def backend(vault: VaultServer) -> OpenBackend:
    return opened(vault, ROOT)


def opened(vault: VaultServer, token: str) -> OpenBackend:
    settings = {"url": vault.url}
    return OpenBackend("team", "vault", settings, open_vendor("vault", settings, {"token": Secret(token)}))


def connection(conn_id: str, **more: Any) -> ConnectionValue:
    fields: dict[str, Any] = {
        "conn_type": "postgres", "host": "db", "port": 5432, "schema": "s", "login": "etl", "description": "d",
        "password": Secret(CANARY), "extra": Secret('{"b":1,  "a": 2}'),
    } | more  # fmt: skip
    return ConnectionValue(conn_id, **fields)


def test_objects_move_with_proof_and_a_repetition_changes_nothing(vault: VaultServer, backend: OpenBackend) -> None:
    names = [f"v{number:03}" for number in range(60)]  # more than one chunk
    source = MemorySource(
        variables=[VariableValue(name, Secret(f"{CANARY} {name}"), "told") for name in names],
        connections=[connection("db"), connection("bare", password=None, extra=None)],
    )
    variables = move(source, backend, "variable", names, "source-wins", KEY)
    connections = move(source, backend, "connection", ["db", "bare"], "source-wins", KEY)
    assert (variables.moved, connections.moved, variables.failed, connections.failed) == (60, 2, (), ())
    assert variables.is_proven
    assert connections.is_proven
    fields = vault.versions["secret", "connections/db"][-1]
    assert fields is not None
    assert (fields["password"], fields["port"], fields["extra"]) == (CANARY, 5432, '{"b":1,  "a": 2}')

    before = {name: list(values) for name, values in vault.versions.items()}
    again = move(source, backend, "variable", names, "source-wins", KEY)
    assert (again.moved, again.same, again.target_hash) == (0, 60, variables.target_hash)
    assert vault.versions == before
    assert standing(backend, "connection", ["db", "bare", "gone"]) == {"db", "bare"}
    assert CANARY not in str(variables.as_data()) + str(connections.as_data()) + "".join(vault.faults.seen)


def test_who_wins_and_what_is_refused_is_told(vault: VaultServer, backend: OpenBackend) -> None:
    vault.versions["secret", "variables/v"] = [{"value": "theirs"}]
    source = MemorySource(
        variables=[VariableValue("v", Secret("ours"), None), VariableValue("bad name", Secret("x"), None)],
        connections=[connection("no_type", conn_type="")],
    )
    kept = move(source, backend, "variable", ["v", "bad name", "gone"], "target-wins", KEY)
    assert {item.key: item.code for item in kept.failed} == {
        "v": "target-wins",
        "bad name": "secret-name-refused",
        "gone": "variable-gone",
    }
    assert vault.versions["secret", "variables/v"] == [{"value": "theirs"}]
    won = move(source, backend, "variable", ["v"], "source-wins", KEY)
    assert (won.moved, won.is_proven) == (1, True)
    assert vault.versions["secret", "variables/v"][-1] == {"value": "ours"}
    refused = move(source, backend, "connection", ["no_type"], "source-wins", KEY)
    assert [item.code for item in refused.failed] == ["connection-type-missing"]


def test_a_stop_in_the_middle_goes_on_where_it_was(vault: VaultServer, backend: OpenBackend) -> None:
    names = [f"v{number}" for number in range(6)]
    source = MemorySource(variables=[VariableValue(name, Secret(name), None) for name in names])
    vault.policies["hvs.half"] = {
        "secret/data/variables/v[0-2]": ("create", "read", "update"),
        "secret/data/*": ("read",),
    }
    with pytest.raises(Denied) as caught:
        move(source, opened(vault, "hvs.half"), "variable", names, "source-wins", KEY)
    assert caught.value.details["resource"] == "secret/data/variables/v3"
    assert '"create", "update"' in caught.value.hint
    vault.is_sealed = True
    with pytest.raises(Unavailable):
        move(source, backend, "variable", names, "source-wins", KEY)
    vault.is_sealed = False
    outcome = move(source, backend, "variable", names, "source-wins", KEY)
    assert (outcome.moved, outcome.same, outcome.is_proven) == (3, 3, True)
