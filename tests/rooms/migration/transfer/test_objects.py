"""Pools, variables and connections arrive with equal values under the target's key, or are refused with a reason."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text
from tests.rooms.migration.transfer.conftest import MemorySource

from aerodrome.kernel.secret import Secret
from aerodrome.migration.estate.records import PoolRecord
from aerodrome.migration.sources.contract import ConnectionValue, VariableValue
from aerodrome.migration.transfer.objects import move_connections, move_pools, move_variables
from aerodrome.migration.transfer.target import TargetDatabase

pytestmark = pytest.mark.airflow
CANARY = "canary-7f3a-do-not-show"
EXTRA = '{"b":1,  "a": {"token": "' + CANARY + '"}}'


def stored(target: TargetDatabase, sql: str) -> list[Any]:
    with target.reading() as connection:
        return [tuple(row) for row in connection.execute(text(sql))]


def connection_value(conn_id: str, **more: Any) -> ConnectionValue:
    fields: dict[str, Any] = {
        "conn_type": "postgres", "host": "db.example", "port": 5432, "schema": "sales", "login": "etl",
        "description": None, "password": Secret(CANARY), "extra": Secret(EXTRA),
    } | more  # fmt: skip
    return ConnectionValue(conn_id, **fields)


def test_connections_are_encrypted_anew_and_extra_stays_byte_equal(target: TargetDatabase, fernet_key: str) -> None:
    source = MemorySource(connections=[connection_value("db"), connection_value("bare", password=None, extra=None)])

    outcome = move_connections(source, target, ["db", "bare"])

    assert (outcome.found, outcome.moved, outcome.same, outcome.failed) == (2, 2, 0, ())
    assert outcome.is_proven
    rows = stored(target, "select password, extra, is_encrypted, is_extra_encrypted from connection where conn_id='db'")
    key = Fernet(fernet_key)
    assert key.decrypt(rows[0][0]).decode() == CANARY
    assert key.decrypt(rows[0][1]).decode() == EXTRA
    assert (bool(rows[0][2]), bool(rows[0][3])) == (True, True)
    assert stored(target, "select password, extra from connection where conn_id='bare'") == [(None, None)]


def test_an_equal_value_is_left_untouched(target: TargetDatabase) -> None:
    source = MemorySource(connections=[connection_value("db")], variables=[VariableValue("v", Secret("1"), None)])
    move_connections(source, target, ["db"])
    move_variables(source, target, ["v"])
    before = stored(target, "select * from connection") + stored(target, "select * from variable")

    again = move_connections(source, target, ["db"]), move_variables(source, target, ["v"])

    assert [(item.moved, item.same, item.is_proven) for item in again] == [(0, 1, True)] * 2
    assert stored(target, "select * from connection") + stored(target, "select * from variable") == before


def test_the_policy_decides_about_other_values(target: TargetDatabase) -> None:
    move_variables(MemorySource(variables=[VariableValue("v", Secret("theirs"), None)]), target, ["v"])
    source = MemorySource(variables=[VariableValue("v", Secret("ours"), "note")])

    kept = move_variables(source, target, ["v"], "target-wins")
    assert (kept.moved, [item.code for item in kept.failed]) == (0, ["target-wins"])
    written = move_variables(source, target, ["v"], "source-wins")
    assert (written.moved, written.is_proven) == (1, True)
    assert stored(target, "select description from variable") == [("note",)]


def test_what_airflow_3_would_not_accept_is_refused_with_a_reason(target: TargetDatabase) -> None:
    bad = {
        "text": (Secret("a=b"), "connection-extra-not-json"),
        "list": (Secret("[1]"), "connection-extra-not-object"),
    }
    source = MemorySource(
        connections=[connection_value(name, extra=extra) for name, (extra, _) in bad.items()]
        + [connection_value("typeless", conn_type=None), connection_value("good"), connection_value("closed")],
        unreadable={"closed"},
    )

    outcome = move_connections(source, target, [*bad, "typeless", "good", "closed", "gone"])

    assert {item.key: item.code for item in outcome.failed} == {
        **{name: code for name, (_, code) in bad.items()},
        "typeless": "connection-type-missing", "closed": "fernet-key-wrong", "gone": "connection-gone",
    }  # fmt: skip
    assert (outcome.found, outcome.moved, outcome.is_proven) == (6, 1, True)
    assert CANARY not in repr(outcome) + str(outcome.as_data())


def test_the_default_pool_takes_the_size_of_the_source(target: TargetDatabase) -> None:
    source = MemorySource(
        pools=[PoolRecord("default_pool", 17, "Default pool", False), PoolRecord("etl", 3, None, True)]
    )

    outcome = move_pools(source, target, ["default_pool", "etl"])

    assert (outcome.moved, outcome.is_proven) == (2, True)
    assert stored(target, "select pool, slots from slot_pool order by pool") == [("default_pool", 17), ("etl", 3)]
    assert (move_pools(source, target, ["default_pool", "etl"]).same) == 2
