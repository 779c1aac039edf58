"""How much history there is to move, and about how long it takes. An estimate says from which rate it comes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from aerodrome.migration.assess.inventory import Inventory

ROWS_PER_S = 5_000
"""Where the source's kind is not known."""
_BY_KIND = {
    "airflow-db": 8_000,
    "airflow-archive": 8_000,
    "airflow-rest": 1_000,
    "starship": 300,
    "mwaa": 1_000,
    "composer": 1_000,
}
_POSTGRESQL = 15_000
"""About half of what `make bench-history` gives on a machine of two cores that holds source and target, too (docs/guides/migrate.md)."""
_KINDS = ("run", "task_instance", "task_try", "xcom", "rendered")
MOVED = ("dag_run", "task_instance", "task_instance_history", "xcom", "rendered_task_instance_fields")
CALLS_PER_S = 7
"""Of XComs over Starship, three at a time, in a web server that keeps its sessions in the database (`make bench-history-wires`)."""
CALLED = {"xcom": ("XComs", "a call for each task instance"), "log": ("Task logs", "a call for each try")}
STAYS = ("log", "job", "task_fail", "dag_code")


@dataclass(frozen=True)
class Estimate:
    """What moves. `bytes` are those of its tables with their indexes; None where the database does not tell."""

    rows: int
    is_estimate: bool  # some figures come from statistics of the database
    rows_per_s: int = ROWS_PER_S
    bytes: int | None = None
    calls: Mapping[str, int] = field(default_factory=dict)  # kind of CALLED -> calls that bring one item each

    @property
    def rows_seconds(self) -> float:
        """What moves in lists."""
        return self.rows / self.rows_per_s

    @property
    def seconds(self) -> float:
        """All of it, the calls for single items too."""
        return self.rows_seconds + sum(map(seconds_of, self.calls.values()))


def estimate(inventory: Inventory) -> Estimate:
    """Count the rows that move: as the source counted them, else exactly where the estate has counts, else by the database's statistics."""
    standing = [
        sum(sum(dag.run_states.values()) for dag in inventory.dags),
        sum(sum(dag.task_states.values()) for dag in inventory.dags),
        *(inventory.measure(f"rows:{name}") or 0 for name in MOVED[2:]),
    ]
    counted = [inventory.history.get(kind) for kind in _KINDS]
    rows = [there if told is None else told for told, there in zip(counted, standing, strict=True)]
    sizes = [size for name in MOVED if (size := inventory.measure(f"bytes:{name}")) is not None]
    is_estimate = any(told is None and there for told, there in zip(counted[2:], standing[2:], strict=True))
    calls = {kind: count for kind in CALLED if (count := inventory.measure(f"calls:{kind}"))}
    return Estimate(sum(rows), is_estimate, rate_of(inventory), sum(sizes) if sizes else None, calls)


def seconds_of(calls: int) -> float:
    """Give about how long so many calls for single items take."""
    return calls / CALLS_PER_S


def rate_of(inventory: Inventory) -> int:
    """Give how many rows a second are to be expected from this kind of source."""
    if inventory.source_kind == "airflow-db" and inventory.database.startswith("postgresql"):
        return _POSTGRESQL
    return _BY_KIND.get(inventory.source_kind, ROWS_PER_S)


def duration_text(seconds: float) -> str:
    """Say a duration as people do: "40 s", "12 min", "3.5 h"."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def size_text(size_bytes: int) -> str:
    """Say a size: "3.2 GB"."""
    return f"{size_bytes / 1e9:.1f} GB" if size_bytes >= 1e9 else f"{size_bytes / 1e6:.1f} MB"
