"""In which order a group of DAGs that depend on each other is held, and let go again (edges: estate.dependencies)."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence

from aerodrome.migration.estate.dependencies import Edge, EdgeKind, components, edges

__all__ = ["Edge", "EdgeKind", "components", "edges", "hold_order", "hold_pairs", "release_order", "release_pairs"]


def hold_order(group: Sequence[str], links: Iterable[Edge]) -> list[str]:
    """Order in which to pause and drain, so that work in flight can still end in the source.

    A producer or triggering DAG stops before the DAG that it starts: a paused DAG never runs what was queued for it.
    A waiting DAG stops before the DAG that it waits for: its sensors still need the other's runs.
    """
    return _sort(group, _hold_pairs(group, links))


def hold_pairs(group: Sequence[str], links: Iterable[Edge]) -> list[tuple[str, str]]:
    """Give (first, then) for the order of holding; in a cycle, only those that the order keeps."""
    pairs = _hold_pairs(group, links)
    return _kept(pairs, _sort(group, pairs))


def _hold_pairs(group: Sequence[str], links: Iterable[Edge]) -> list[tuple[str, str]]:
    return [
        (link.follower, link.leader) if link.kind == "sensor" else (link.leader, link.follower)
        for link in _within(group, links)
    ]


def release_order(group: Sequence[str], links: Iterable[Edge]) -> list[str]:
    """Order in which to unpause in the target: who is started by others first, so that no event meets a paused DAG."""
    return _sort(group, [(link.follower, link.leader) for link in _within(group, links)])


def release_pairs(group: Sequence[str], links: Iterable[Edge]) -> list[tuple[str, str]]:
    """Give (first, then) for the order of starting; in a cycle, only those that the order keeps."""
    pairs = [(link.follower, link.leader) for link in _within(group, links)]
    return _kept(pairs, _sort(group, pairs))


def _kept(pairs: Iterable[tuple[str, str]], order: Sequence[str]) -> list[tuple[str, str]]:
    place = {dag_id: index for index, dag_id in enumerate(order)}
    return sorted({(before, after) for before, after in pairs if place[before] < place[after]})


def _within(group: Sequence[str], links: Iterable[Edge]) -> list[Edge]:
    members = set(group)
    return [link for link in links if link.leader in members and link.follower in members]


def _sort(group: Sequence[str], pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Sort so that every pair stands in order; ties and members of a cycle go by name."""
    waiting = set(group)
    needs: dict[str, set[str]] = {dag_id: set() for dag_id in waiting}
    followers: dict[str, set[str]] = {dag_id: set() for dag_id in waiting}
    for before, after in pairs:
        if before != after:
            needs[after].add(before)
            followers[before].add(after)
    free = [dag_id for dag_id, others in needs.items() if not others]
    heapq.heapify(free)
    everyone = sorted(waiting, reverse=True)  # for cycles: the first by name that still waits
    ordered: list[str] = []
    while waiting:
        while free and free[0] not in waiting:
            heapq.heappop(free)
        while not free and everyone[-1] not in waiting:
            everyone.pop()
        chosen = heapq.heappop(free) if free else everyone.pop()
        waiting.remove(chosen)
        ordered.append(chosen)
        for after in followers[chosen]:
            needs[after].discard(chosen)
            if not needs[after] and after in waiting:
                heapq.heappush(free, after)
    return ordered
