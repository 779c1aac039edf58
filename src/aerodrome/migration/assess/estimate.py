"""How much history there is to move, and about how long it takes. An estimate says from which rate it comes."""

from __future__ import annotations

from dataclasses import dataclass

from aerodrome.migration.assess.inventory import Inventory

ROWS_PER_S = 5_000
"""Careful: PostgreSQL to PostgreSQL with mapping and proof, on a small machine (`make bench-landing` gives yours)."""
MOVED = ("dag_run", "task_instance", "task_instance_history", "xcom", "rendered_task_instance_fields")
STAYS = ("log", "job", "task_fail", "dag_code")


@dataclass(frozen=True)
class Estimate:
    """What moves. `seconds` is at `ROWS_PER_S`."""

    rows: int
    is_estimate: bool  # some figures come from statistics of the database

    @property
    def seconds(self) -> float:
        return self.rows / ROWS_PER_S


def estimate(inventory: Inventory) -> Estimate:
    """Count the rows that move: exactly where the estate has counts, else by the database's statistics."""
    runs = sum(sum(dag.run_states.values()) for dag in inventory.dags)
    tasks = sum(sum(dag.task_states.values()) for dag in inventory.dags)
    others = [inventory.measure(f"rows:{name}") or 0 for name in MOVED[2:]]
    return Estimate(runs + tasks + sum(others), any(others))


def duration_text(seconds: float) -> str:
    """Say a duration as people do: "40 s", "12 min", "3.5 h"."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def size_text(size_bytes: int) -> str:
    """Say a size: "3.2 GB"."""
    return f"{size_bytes / 1e9:.1f} GB" if size_bytes >= 1e9 else f"{size_bytes / 1e6:.1f} MB"
