"""Remarks on a plan that parts DAGs which depend on each other or share a pool. They are no errors: a person may have reasons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aerodrome.migration.estate.records import DagRecord
from aerodrome.migration.plan.dependencies import Edge, edges
from aerodrome.migration.plan.inventory import Inventory

CONSEQUENCES = {
    "dataset": "{follower} follows a dataset that {leader} writes; while they live apart, only the bridge carries its events",
    "alias": "{follower} follows an asset alias that {leader} writes; each side keeps for itself what an alias stands for, and the bridge does not carry it",
    "trigger": "{leader} triggers {follower}; a trigger starts nothing on the other side, and the bridge does not carry it",
    "sensor": "{follower} waits for {leader}; while they live apart, only the bridge carries the runs that its sensor looks for",
}


def split_notes(settings: Mapping[str, Any], estate: Inventory) -> tuple[str, ...]:
    """Give a sentence for each pair of dependent DAGs that does not move together, and for each pool that waves share."""
    place = {dag_id: wave["name"] for wave in settings["waves"] for dag_id in wave["dags"]}
    dags = list(estate.records("dag"))
    return (
        *(_note(link, place) for link in edges(dags) if place.get(link.leader) != place.get(link.follower)),
        *_pool_notes(dags, place),
    )


def _pool_notes(dags: Sequence[DagRecord], place: Mapping[str, str]) -> Iterator[str]:
    """A pool limits on each side for itself: while its DAGs are on both, twice its slots may work at once."""
    users: dict[str, set[str]] = {}
    for dag in dags:
        for pool in dag.pools:
            if pool != "default_pool":
                users.setdefault(pool, set()).add(place.get(dag.dag_id, "the source"))
    for pool, where in sorted(users.items()):
        if len(where) > 1:
            names = sorted(where)
            shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
            yield f"The pool {pool} is used in {shown}: while its DAGs are on both sides, each side gives out its slots."


def _note(link: Edge, place: Mapping[str, str]) -> str:
    def where(dag_id: str) -> str:
        return f"{dag_id} is in {place[dag_id]}" if dag_id in place else f"{dag_id} stays behind"

    what = CONSEQUENCES[link.kind].format(leader=link.leader, follower=link.follower)
    return f"{where(link.leader)}, {where(link.follower)}: {what}."
