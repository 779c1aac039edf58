"""What each step of a wave needs before it may begin: the order within groups of DAGs that belong together.

The conductor reads it to move groups side by side. A list of steps walked in order meets every need as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from aerodrome.migration.estate.records import DagRecord
from aerodrome.migration.plan.contract import Step
from aerodrome.migration.plan.dependencies import Edge, components, edges, hold_order, hold_pairs, release_pairs

_CHAIN = ("pause", "drain", "sync", "prove", "unpause", "watch")


@dataclass(frozen=True)
class Needs:
    """The order of a track's steps. A need is the key of a step or the name of a barrier: a set of steps, all done."""

    steps: tuple[Step, ...]
    groups: tuple[tuple[str, ...], ...]  # DAGs that move as one, in the order in which they are let in
    of: Mapping[str, tuple[str, ...]]  # step key -> its needs
    barriers: Mapping[str, tuple[str, ...]]

    @cached_property
    def group_of(self) -> dict[str, int]:
        return {dag_id: index for index, group in enumerate(self.groups) for dag_id in group}


def needs_of(steps: Sequence[Step], dags: Mapping[str, DagRecord]) -> Needs:
    """Work out the needs of a cutover or a rollback track.

    Within a group: each DAG is drained before those that come after it in the order of holding are paused; all are drained
    before the first is synced, all proved before the first is started; starts go in the order of release.
    """
    keys = {step.key for step in steps}
    members = list(dict.fromkeys(str(step.params["dag_id"]) for step in steps))
    links = edges(dags[dag_id] for dag_id in members if dag_id in dags)
    position = {dag_id: index for index, dag_id in enumerate(members)}
    groups = sorted(components(members, links), key=lambda group: min(position[dag_id] for dag_id in group))
    by_group: dict[int, list[Edge]] = {index: [] for index in range(len(groups))}
    where = {dag_id: index for index, group in enumerate(groups) for dag_id in group}
    for link in links:
        by_group[where[link.leader]].append(link)
    needs: dict[str, list[str]] = {key: [] for key in keys}
    barriers: dict[str, tuple[str, ...]] = {}
    ordered: list[tuple[str, ...]] = []
    for index, group in enumerate(groups):
        ordered.append(tuple(hold_order(group, by_group[index])))
        if len(group) > 1:
            barriers |= dict(_barriers(index, group, keys))
        for dag_id in group:
            for key, need in _chain(index, dag_id, keys, has_barriers=len(group) > 1):
                needs[key].append(need)
        for before, after in hold_pairs(group, by_group[index]):
            _add(needs, f"cutover.drain:{before}", _first(after, keys))
            _add(needs, f"cutover.roll_back:{after}", f"cutover.roll_back:{before}")
        for before, after in release_pairs(group, by_group[index]):
            _add(needs, f"cutover.unpause:{before}", f"cutover.unpause:{after}")
    return Needs(tuple(steps), tuple(ordered), {key: tuple(found) for key, found in needs.items()}, barriers)


def _first(dag_id: str, keys: set[str]) -> str:
    pause = f"cutover.pause:{dag_id}"
    return pause if pause in keys else f"cutover.drain:{dag_id}"


def _add(needs: dict[str, list[str]], before: str, after: str) -> None:
    if before in needs and after in needs:
        needs[after].append(before)


def _barriers(index: int, group: Sequence[str], keys: set[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    yield f"drained:{index}", tuple(key for dag_id in group if (key := f"cutover.drain:{dag_id}") in keys)
    last = [
        next((key for kind in ("prove", "sync") if (key := f"cutover.{kind}:{dag_id}") in keys), "") for dag_id in group
    ]
    yield f"proved:{index}", tuple(key for key in last if key)


def _chain(index: int, dag_id: str, keys: set[str], *, has_barriers: bool) -> Iterator[tuple[str, str]]:
    """Give (step, what it needs) along the way of one DAG."""
    before = ""
    for kind in _CHAIN:
        key = f"cutover.{kind}:{dag_id}"
        if key not in keys:
            continue
        if before:
            yield key, before
        if has_barriers and kind == "sync":
            yield key, f"drained:{index}"
        if has_barriers and kind == "unpause":
            yield key, f"proved:{index}"
        before = key
    if f"cutover.roll_back:{dag_id}" in keys and f"cutover.check_return:{dag_id}" in keys:
        yield f"cutover.roll_back:{dag_id}", f"cutover.check_return:{dag_id}"
