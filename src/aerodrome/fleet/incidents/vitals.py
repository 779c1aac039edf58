"""Reads the last measurement of a deployment for people: facts in words, and what each component and pool uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aerodrome.access.actor import Actor
from aerodrome.fleet import lookup
from aerodrome.fleet.context import FleetContext
from aerodrome.fleet.incidents.storage import fastest
from aerodrome.fleet.incidents.wording import span
from aerodrome.kernel.amounts import size
from aerodrome.kernel.clock import from_text
from aerodrome.store.tables.incident import VitalRow


@dataclass(frozen=True)
class UseView:
    """What a component uses, in words."""

    component: str
    processes: int
    rss: str
    pss: str
    cpu: str


@dataclass(frozen=True)
class VitalsView:
    """What was last measured."""

    measured_at: datetime
    facts: tuple[tuple[str, str], ...]  # title, value
    processes: tuple[UseView, ...]
    pools: tuple[Mapping[str, Any], ...]  # name, slots, running, queued, scheduled; only those in use


def of_deployment(context: FleetContext, actor: Actor, ref: str) -> VitalsView | None:
    """Give the last measurement; None before the first."""
    with context.store.reading() as session:
        row = lookup.deployment(session, actor, ref, "deployment.read")
        vital = session.get(VitalRow, row.id)
    if vital is None or not vital.data:
        return None
    pulse = vital.data.get("pulse")
    pools = tuple(
        pool for pool in (pulse or {}).get("pools", ()) if pool["running"] or pool["queued"] or pool["scheduled"]
    )
    uses = tuple(_use(use) for use in vital.data["processes"])
    return VitalsView(vital.measured_at, tuple(_facts(vital, pulse)), uses, pools)


def _facts(vital: VitalRow, pulse: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    data = vital.data
    disk = f"{size(data['disk_free_bytes'])} of {size(data['disk_total_bytes'])} free"
    if pulse is None:
        return [("Disk", disk)]
    states = pulse["task_instances"]
    beats = ", ".join(f"{name} {_ago(vital.measured_at, at)}" for name, at in sorted(pulse["heartbeats"].items()))
    facts = [
        ("Tasks now", f"{states['running']} running, {states['queued']} queued, {states['scheduled']} scheduled"),
        ("DAGs", f"{pulse['dag_count']}, {pulse['paused_dag_count']} paused"),
        ("Files that do not load", str(pulse["import_error_count"])),
        ("Heartbeats", beats or "none yet"),
        ("Metadata database", f"{size(pulse['size_bytes'])} ({pulse['dialect']})"),
        ("Disk", disk),
    ]
    tables = vital.memory.get("tables") or {}
    if grown := fastest(tables):
        amount = size(grown[1]) if tables["unit"] == "bytes" else f"{grown[1]:,} rows"
        facts.insert(5, ("Grew most", f"{grown[0]}, by {amount}"))
    return facts


def _ago(now: datetime, text: str) -> str:
    at = from_text(text)
    return "never" if at is None else f"{span(max(0.0, (now - at).total_seconds()))} ago"


def _use(use: Mapping[str, Any]) -> UseView:
    pss = use["pss_bytes"]
    return UseView(
        use["component"],
        use["processes"],
        size(use["rss_bytes"]),
        "–" if pss is None else size(pss),
        f"{use['cpu_seconds']:.0f} s",
    )
