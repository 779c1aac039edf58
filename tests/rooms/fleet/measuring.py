"""Measurements as a runtime gives them: those of a calm deployment, and what a test changes of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aerodrome.airflowkit.vitals import UNFINISHED, PoolUse, Pulse
from aerodrome.kernel.clock import from_text
from aerodrome.runtimes.contract import Measurement, ProcessUse

GIB = 1 << 30
_MOMENTS = ("queued_since", "scheduled_since", "parsed_since")


def measured(deployment_id: str, told: Mapping[str, Any]) -> Measurement:
    """Give a measurement; `told` holds fields of Pulse or Measurement as JSON."""
    told = dict(told)
    free = told.pop("disk_free_bytes", 50 * GIB)
    trouble = told.pop("trouble", None)
    fields: dict[str, Any] = {
        "dialect": "sqlite",
        "seconds": 0.01,
        "size_bytes": 10 << 20,
        "task_instances": dict.fromkeys(UNFINISHED, 0),
        "dag_runs": {},
        "queued_since": None,
        "scheduled_since": None,
        "pools": (),
        "heartbeats": {},
        "import_error_count": 0,
        "import_errors": (),
        "dag_count": 1,
        "paused_dag_count": 0,
        "parsed_since": None,
        "longest_parse_s": None,
    } | told
    fields |= {name: from_text(fields[name]) for name in _MOMENTS}
    fields["heartbeats"] = {name: from_text(at) for name, at in fields["heartbeats"].items()}
    fields["pools"] = tuple(PoolUse(*pool) for pool in fields["pools"])
    fields["import_errors"] = tuple(fields["import_errors"])
    fields["task_instances"] = dict.fromkeys(UNFINISHED, 0) | fields["task_instances"]
    return Measurement(
        deployment_id,
        datetime.now(UTC),
        (ProcessUse("supervisor", 1, 9 << 20, 8 << 20, 0.5), ProcessUse("scheduler", 3, 300 << 20, 200 << 20, 12.0)),
        free,
        100 * GIB,
        None if trouble else Pulse(**fields),
        trouble,
    )
