"""Judges the size of a metadata database, and tells which table grew most within the last day."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from aerodrome.airflowkit.vitals import Pulse
from aerodrome.fleet.incidents.contract import Limits, Problem
from aerodrome.kernel.amounts import size
from aerodrome.kernel.clock import from_text, to_text

_DAY: Final = timedelta(days=1)


def remember(now: datetime, pulse: Pulse, memory: Mapping[str, Any]) -> dict[str, Any]:
    """Give the sizes of now and those of about a day ago; only thorough looks bring new ones."""
    before: dict[str, Any] = dict(memory.get("tables") or {})
    if not pulse.tables:
        return before
    kept = {"at": to_text(now), "sizes": dict(pulse.tables)}
    first_at = from_text(before["first"]["at"]) if before else None
    if first_at is None or now - first_at > 2 * _DAY:
        return {"first": before.get("middle", kept), "middle": kept, "last": kept, "unit": _unit(pulse)}
    middle_at = from_text(before["middle"]["at"])
    if middle_at is not None and now - middle_at > _DAY:
        return {"first": before["middle"], "middle": kept, "last": kept, "unit": _unit(pulse)}
    return {**before, "last": kept}


def fastest(tables: Mapping[str, Any]) -> tuple[str, int] | None:
    """Give the table that grew most, and by how much; None when none grew."""
    if not tables:
        return None
    first, last = tables["first"]["sizes"], tables["last"]["sizes"]
    grown = {name: amount - first.get(name, 0) for name, amount in last.items()}
    name = max(grown, key=lambda table: grown[table], default=None)
    return (name, grown[name]) if name is not None and grown[name] > 0 else None


def large(name: str, pulse: Pulse, tables: Mapping[str, Any], limits: Limits) -> Iterator[Problem]:
    """Judge the size."""
    if pulse.size_bytes < limits.database_bytes:
        return
    grown = fastest(tables)
    most = ""
    if grown is not None:
        amount = size(grown[1]) if tables["unit"] == "bytes" else f"{grown[1]:,} rows"
        most = f" {grown[0]} grew most of late, by {amount}."
    yield Problem(
        "database-large",
        "warning",
        f"The metadata database is {size(pulse.size_bytes)} large, over the limit of {size(limits.database_bytes)}.{most}",
        f"Remove old rows, after a backup: `aerodrome deployment clean {name} --days 90`.",
        data={
            "size_bytes": pulse.size_bytes,
            "limit_bytes": limits.database_bytes,
            "table": grown[0] if grown else None,
        },
    )


def _unit(pulse: Pulse) -> str:
    return "bytes" if pulse.dialect == "postgresql" else "rows"
