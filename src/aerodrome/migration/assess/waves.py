"""Proposes how critical a DAG is, and in which wave it moves.

Groups that depend on each other are never split, and the groups of an owner only when they do not fit into one wave.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from aerodrome.migration.estate.dependencies import Edge, components, edges
from aerodrome.migration.estate.records import DagRecord

Criticality = Literal["low", "medium", "high"]
CRITICALITIES: tuple[Criticality, ...] = ("low", "medium", "high")
SHORT_RUN_S = 300.0
SHARE_FAILED = 0.2
FIRST_WAVE = 5
"""Live DAGs in the first wave: the canaries."""
WAVE = 25
"""Live DAGs in every other wave."""


@dataclass(frozen=True)
class Wave:
    """DAGs that move together, group by group."""

    name: str
    criticality: Criticality
    groups: tuple[tuple[str, ...], ...]

    @property
    def dag_ids(self) -> tuple[str, ...]:
        return tuple(dag_id for group in self.groups for dag_id in group)


def reason_to_exclude(dag: DagRecord) -> str | None:
    """Tell why a DAG is proposed to stay behind, or None."""
    if not dag.is_active:
        return "the source no longer has its file"
    if dag.import_error:
        return "its file does not import in the source"
    return None


def criticality(dag: DagRecord, risk: str) -> tuple[Criticality, tuple[str, ...]]:
    """Judge a DAG, with the reasons."""
    if dag.is_paused:
        return "low", ("paused in the source",)
    reasons: list[str] = []
    level = 0
    if risk in ("medium", "high"):
        level = ("low", "medium", "high").index(risk)
        reasons.append(f"{risk} risk in the assessment")
    if dag.duration_p95_s is not None and dag.duration_p95_s > SHORT_RUN_S:
        level = max(level, 1)
        reasons.append(f"long runs ({dag.duration_p95_s / 60:.0f} min)")
    if dag.failures_30d:
        level = max(level, 2 if dag.failures_30d > SHARE_FAILED * max(dag.runs_30d, 1) else 1)
        reasons.append(f"{dag.failures_30d} of {dag.runs_30d} runs failed in 30 days")
    if not reasons:
        reasons.append("short runs, none failed")
    return CRITICALITIES[level], tuple(reasons)


def propose_waves(
    dags: Sequence[DagRecord],
    risk_of: Callable[[str], str],
    *,
    first_size: int = FIRST_WAVE,
    size: int = WAVE,
    links: Sequence[Edge] | None = None,
) -> list[Wave]:
    """Put groups that depend on each other into waves of one criticality, from low to high; see the module on owners."""
    by_id = {dag.dag_id: dag for dag in dags}
    levels = {dag.dag_id: CRITICALITIES.index(criticality(dag, risk_of(dag.dag_id))[0]) for dag in dags}

    def rank(group: tuple[str, ...]) -> tuple[Any, ...]:
        members = [by_id[dag_id] for dag_id in group]
        return (
            max(levels[dag_id] for dag_id in group),
            not all(dag.is_paused for dag in members),
            len(group),
            -min(dag.runs_30d for dag in members),  # who runs often shows soon whether it works
            max(dag.duration_p95_s or 0.0 for dag in members),
            min((pool for dag in members for pool in dag.pools if pool != "default_pool"), default=""),
            group,
        )

    found: list[tuple[Criticality, list[tuple[str, ...]]]] = []
    room = 0
    for level, groups in _by_owner(
        sorted(components(by_id, edges(dags) if links is None else links), key=rank), by_id, levels
    ):
        lives = [sum(not by_id[dag_id].is_paused for dag_id in group) for group in groups]
        if not found or found[-1][0] != level or room < sum(lives) <= size:  # it fits into a wave of its own
            room = size if found else first_size
            found.append((level, []))
        for group, live in zip(groups, lives, strict=True):
            if live > room and found[-1][1]:
                room = size
                found.append((level, []))
            found[-1][1].append(group)
            room -= live
    return [Wave(f"wave-{number}", level, tuple(groups)) for number, (level, groups) in enumerate(found, 1)]


def owners_of(dags: Iterable[DagRecord]) -> tuple[str, ...]:
    """Name the owners of some DAGs, who has most of them first."""
    counted = Counter(owner for dag in dags for owner in dag.owners)
    return tuple(sorted(counted, key=lambda owner: (-counted[owner], owner)))


def _by_owner(
    ranked: Sequence[tuple[str, ...]], by_id: Mapping[str, DagRecord], levels: Mapping[str, int]
) -> Iterator[tuple[Criticality, list[tuple[str, ...]]]]:
    """Give the groups of one criticality and owner together, in the order of the best of them."""
    found: dict[tuple[int, str], list[tuple[str, ...]]] = {}
    for group in ranked:
        level = max(levels[dag_id] for dag_id in group)
        owner = next(iter(owners_of(by_id[dag_id] for dag_id in group)), "")
        found.setdefault((level, owner), []).append(group)
    for (level, _owner), groups in sorted(found.items(), key=lambda item: item[0][0]):  # stable: ranks keep their order
        yield CRITICALITIES[level], groups


def wave_of(waves: Sequence[Wave]) -> Mapping[str, str]:
    """Give the name of the wave per DAG."""
    return {dag_id: wave.name for wave in waves for dag_id in wave.dag_ids}
