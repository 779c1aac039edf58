"""Turns a measurement into the JSON of its row; a quick look keeps what only a thorough one tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from aerodrome.kernel.clock import to_text
from aerodrome.runtimes.contract import Measurement


def as_data(seen: Measurement, before: Mapping[str, Any], *, is_thorough: bool) -> dict[str, Any]:
    """Give the row's data: processes, disk, pulse, trouble, thorough_at."""
    data: dict[str, Any] = {
        "processes": [asdict(use) for use in seen.processes],
        "disk_free_bytes": seen.disk_free_bytes,
        "disk_total_bytes": seen.disk_total_bytes,
        "pulse": _plain(asdict(seen.pulse)) if seen.pulse is not None else None,
        "trouble": seen.trouble,
        "thorough_at": to_text(seen.measured_at) if is_thorough else before.get("thorough_at"),
    }
    if not is_thorough:
        known = {use["component"]: use["pss_bytes"] for use in before.get("processes", ())}
        for use in data["processes"]:
            use["pss_bytes"] = known.get(use["component"])
        old, new = before.get("pulse"), data["pulse"]
        if old and new:
            new["tables"] = old.get("tables", {})
            for kind in ("task_instances", "dag_runs"):
                # finished ones are counted by thorough looks; unfinished ones that are absent now are none
                finished = {state: count for state, count in old[kind].items() if state in _FINISHED}
                new[kind] = {**finished, **new[kind]}
    return data


_FINISHED = frozenset({"success", "failed", "skipped", "upstream_failed", "removed", "none"})


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return to_text(value)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
