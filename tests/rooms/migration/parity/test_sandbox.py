"""A shadow run never touches production: every connection of the DAG leads elsewhere, or somebody allowed it by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from tests.rooms.migration.plan.conftest import connection as a_connection
from tests.rooms.migration.plan.conftest import dag

from aerodrome.migration.estate.records import EndpointRecord
from aerodrome.migration.parity.sandbox import is_place, refusals


@dataclass(frozen=True)
class View:
    source: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    overridden: tuple[str, ...] = ()


SALES = dag("sales", connections=("warehouse",), file="sales.py")
RECORD = replace(a_connection("warehouse"), host="warehouse.internal", port=5432, schema="sales", login="etl")


def codes(
    view: View | None,
    allowed: tuple[str, ...] = (),
    endpoints: tuple[EndpointRecord, ...] = (),
    hosts: tuple[str, ...] = (),
) -> list[str]:
    effective = {} if view is None else {"warehouse": view}
    return [item.code for item in refusals(SALES, {"warehouse": RECORD}, effective, endpoints, allowed, hosts)]


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        (None, ["connection-missing"]),
        (View("metadata database", {"host": "x"}), ["connection-not-overridden"]),
        (View("secrets backend"), ["connection-not-overridden"]),
        (View("deployment", {"host": "warehouse.internal", "port": 5432, "schema": "sales"}), ["connection-same"]),
        (
            View("deployment", {"host": "WAREHOUSE.internal", "port": 5432, "schema": "sales", "login": "dev"}),
            ["connection-same"],
        ),
        (View("deployment", {"host": "warehouse.internal"}), ["connection-same"]),
        (View("deployment", {"host": "sandbox.internal"}), []),
        (View("workspace", {"host": "warehouse.internal", "port": 5433}), []),
        (View("deployment", {"host": "warehouse.internal", "port": 5432, "schema": "sandbox"}), []),
    ],
)
def test_a_connection_must_lead_elsewhere(view: View | None, expected: list[str]) -> None:
    assert codes(view) == expected
    assert codes(view, allowed=("warehouse",)) == []


def test_what_plugins_could_use_counts_too() -> None:
    plain = dag("plain", file="plain.py")
    same, other = View("workspace", {"host": "warehouse.internal"}), View("workspace", {"host": "sandbox.internal"})
    for view, allowed, expected in (
        (same, (), ["connection-within-reach"]),
        (View("metadata database"), (), ["connection-within-reach"]),
        (same, ("warehouse",), []),
        (other, (), []),
    ):
        assert [
            item.code for item in refusals(plain, {"warehouse": RECORD}, {"warehouse": view}, (), allowed, ())
        ] == expected
    assert refusals(plain, {"warehouse": RECORD}, {}, (), (), ()) == []


def test_a_cloud_account_needs_an_object_of_the_deployment() -> None:
    lake = replace(RECORD, conn_type="aws", host=None, port=None, schema=None)
    for view, expected in (
        (View("workspace"), ["connection-same"]),
        (View("workspace", {}, ("extra.role_arn",)), []),
        (View("deployment"), []),
    ):
        assert [item.code for item in refusals(SALES, {"warehouse": lake}, {"warehouse": view}, (), (), ())] == expected


def test_hosts_in_the_code_count_names_of_datasets_do_not() -> None:
    def endpoint(path: str, scheme: str, host: str) -> EndpointRecord:
        return EndpointRecord("dags", path, 1, scheme, host, None)

    view = View("deployment", {"host": "sandbox.internal"})
    found = (
        endpoint("sales.py", "https", "api.example.org"),
        endpoint("sales.py", "shop", "warehouse"),
        endpoint("other.py", "https", "x.org"),
    )
    assert codes(view, endpoints=found) == ["host-in-code"]
    assert codes(view, endpoints=found, hosts=("api.example.org",)) == []
    assert codes(view, endpoints=(endpoint("sales.py", "https", "sandbox.internal"),)) == []


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("eu", False),
        ('{"rows": 10}', False),
        ("3.5", False),
        ("/data", True),
        ("s3://a", True),
        ("db.internal", True),
        ("10.0.0.3", True),
        ("a@b", True),
    ],
)
def test_values_that_name_places_are_left_to_people(value: str, expected: bool) -> None:
    assert is_place(value) is expected
