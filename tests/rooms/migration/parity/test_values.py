"""Values of both sides: known reasons explain a difference, anything else is one, and no secret is shown."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aerodrome.kernel.secret import Secret
from aerodrome.migration.parity.contract import Side
from aerodrome.migration.parity.values import Display, explain, names_of

BEGAN = datetime(2026, 3, 1, 2, tzinfo=UTC)
LEFT = Side(
    "scheduled__2026-02-28T02:00:00+00:00", BEGAN, BEGAN + timedelta(minutes=3), ("/opt/airflow/dags",),
    {"warehouse.internal": "{warehouse.host}"},
)  # fmt: skip
RIGHT = Side(
    "shadow__prf_1__2026-02-28T02:00:00", BEGAN + timedelta(days=9), BEGAN + timedelta(days=9, minutes=1), ("/srv/dep/project/dags",),
    {"sandbox.internal": "{warehouse.host}"},
)  # fmt: skip


@pytest.mark.parametrize(
    ("source", "target", "reason"),
    [
        ({"rows": 3, "b": 1.0}, {"b": 1, "rows": 3}, ""),
        ("2026-02-28 02:00:00+00:00", "2026-02-28T02:00:00.000000Z", "same-moment"),
        ("2026-02-28T03:00:00+01:00", "2026-02-28T02:00:00Z", "same-moment"),
        (f"out/{LEFT.run_id}.csv", f"out/{RIGHT.run_id}.csv", "run-id"),
        ("/opt/airflow/dags/a.sql", "/srv/dep/project/dags/a.sql", "folder"),
        ("pg://warehouse.internal/x", "pg://sandbox.internal/x", "sandbox"),
        ("done 2026-03-01T02:01:07.123456+00:00", "done 2026-03-10T02:00:30+00:00", "moment-of-run"),
        # the same moment in one value that is of the run, and another that is not, are two things
        ("since 2025-01-01T00:00:00Z", "since 2025-01-02T00:00:00Z", None),
        ({"rows": 3}, {"rows": 4}, None),
        ("pg://warehouse.internal/x", "pg://sandbox.internal/y", None),
        (None, 0, None),
    ],
)
def test_what_explains_a_difference(source: object, target: object, reason: str | None) -> None:
    assert explain(json.dumps(source), json.dumps(target), LEFT, RIGHT) == reason


@settings(max_examples=60)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda more: st.lists(more) | st.dictionaries(st.text(), more),
    )
)
def test_equal_values_are_equal_and_never_make_it_fail(value: object) -> None:
    text = json.dumps(value)
    assert explain(text, json.dumps(json.loads(text)), LEFT, LEFT) == ""
    assert Display(b"key").show("field", text) is not None
    explain(text, "{", LEFT, RIGHT)


def test_secrets_are_masked_and_yet_comparable() -> None:
    display = Display(b"key", [Secret("canary-password")])
    assert "canary" not in display.show("return_value", json.dumps({"url": "see canary-password here"}))
    shown = display.show("return_value", json.dumps({"rows": 3, "api_key": "canary-key"}))
    assert "canary" not in shown
    assert '"rows": 3' in shown
    hidden = display.show("db_password", '"canary-two"')
    assert "canary" not in hidden
    assert hidden == display.show("db_password", '"canary-two"')
    assert hidden != display.show("db_password", '"canary-three"')
    assert hidden != Display(b"other key").show("db_password", '"canary-two"')
    assert "canary" not in display.show("dsn", '"postgres://etl:canary-four@host/db"')


def test_a_long_value_is_cut_and_says_how_long_it_was() -> None:
    assert Display(b"").show("x", json.dumps("a" * 5000)).endswith("… (5,000 characters)")


def test_only_fields_that_differ_become_names() -> None:
    left, right = names_of(
        "warehouse",
        {"host": "a.internal", "port": 5432, "login": "etl"},
        {"host": "b.test", "port": 5432, "login": "x"},
    )
    assert left == {"a.internal": "{warehouse.host}"}
    assert right == {"b.test": "{warehouse.host}"}
