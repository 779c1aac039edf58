"""Values that nobody can read in the source are asked for by name, until the target has them. If this breaks, a list stays open for ever, or closes too early."""

from __future__ import annotations

from typing import Any

from aerodrome.migration.service.proofs.checklist.objects import moved_rows

LOST = {"key": "warehouse", "code": "connection-unreadable", "message": "The connection warehouse cannot be decrypted."}
DONE: dict[str, dict[str, Any]] = {
    "transfer.connections": {"found": 2, "source_hash": "a", "target_hash": "a", "failed": [LOST]},
    "transfer.variables": {"found": 3, "source_hash": "b", "target_hash": "b", "failed": []},
}


def test_a_value_to_provide_is_open_until_the_target_finds_one() -> None:
    rows = {row["subject"]: row for row in moved_rows(DONE, frozenset({("variable", "WAREHOUSE")}))}
    assert {name: row["state"] for name, row in rows.items()} == {
        "connections": "open", "warehouse": "open", "variables": "done",
    }  # fmt: skip
    assert rows["warehouse"]["message"] == "To be provided: The connection warehouse cannot be decrypted."
    rows = {row["subject"]: row for row in moved_rows(DONE, frozenset({("connection", "WAREHOUSE")}))}
    assert {name: row["state"] for name, row in rows.items()} == {"connections": "done", "variables": "done"}
    assert "1 refused, 1 of them provided since, both sides hash alike" in rows["connections"]["message"]


def test_hashes_that_differ_stay_open_whatever_was_provided() -> None:
    differs = {"transfer.connections": DONE["transfer.connections"] | {"target_hash": "x"}}
    assert [row["state"] for row in moved_rows(differs, frozenset({("connection", "WAREHOUSE")}))] == ["open"]
