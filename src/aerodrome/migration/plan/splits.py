"""Remarks on a plan that parts DAGs which depend on each other. They are no errors: a person may have reasons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aerodrome.migration.plan.dependencies import Edge, edges
from aerodrome.migration.plan.inventory import Inventory

CONSEQUENCES = {
    "dataset": "{follower} follows a dataset that {leader} writes; while they live apart, only the bridge carries its events",
    "trigger": "{leader} triggers {follower}; a trigger starts nothing on the other side, and the bridge does not carry it",
    "sensor": "{follower} waits for {leader}; while they live apart, only the bridge carries the runs that its sensor looks for",
}


def split_notes(settings: Mapping[str, Any], estate: Inventory) -> tuple[str, ...]:
    """Give a sentence for each pair of dependent DAGs that does not move together."""
    place = {dag_id: wave["name"] for wave in settings["waves"] for dag_id in wave["dags"]}
    return tuple(
        _note(link, place)
        for link in edges(estate.records("dag"))
        if place.get(link.leader) != place.get(link.follower)
    )


def _note(link: Edge, place: Mapping[str, str]) -> str:
    def where(dag_id: str) -> str:
        return f"{dag_id} is in {place[dag_id]}" if dag_id in place else f"{dag_id} stays behind"

    what = CONSEQUENCES[link.kind].format(leader=link.leader, follower=link.follower)
    return f"{where(link.leader)}, {where(link.follower)}: {what}."
