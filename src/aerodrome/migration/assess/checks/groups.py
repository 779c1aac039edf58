"""Which DAGs hang together: components of the dependency graph, cycles, files with many DAGs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from aerodrome.migration.assess.contract import Check, Place
from aerodrome.migration.assess.inventory import Inventory

LARGE_GROUP = 25
_SHOWN = 5


def _groups(inventory: Inventory) -> Iterator[tuple[str, ...]]:
    yield from (group for group in inventory.groups if len(group) > 1)


def _group(inventory: Inventory) -> Iterator[Place]:
    for group in _groups(inventory):
        more = f" and {len(group) - _SHOWN} more" if len(group) > _SHOWN else ""
        yield Place(f"group:{group[0]}", f"{len(group)} DAGs depend on each other: {', '.join(group[:_SHOWN])}{more}.")


def _large(inventory: Inventory) -> Iterator[Place]:
    for group in _groups(inventory):
        if len(group) > LARGE_GROUP:
            yield Place(f"group:{group[0]}", f"{len(group)} DAGs hang together and would be one wave.")


def _cycles(inventory: Inventory) -> Iterator[Place]:
    """Peel off what nothing waits for; what is left stands in a cycle or between two."""
    needs: dict[str, set[str]] = {}
    followers: dict[str, set[str]] = {}
    for link in inventory.links:
        needs.setdefault(link.follower, set()).add(link.leader)
        needs.setdefault(link.leader, set())
        followers.setdefault(link.leader, set()).add(link.follower)
    free = [dag_id for dag_id, others in needs.items() if not others]
    while free:
        dag_id = free.pop()
        del needs[dag_id]
        for other in followers.get(dag_id, ()):
            needs[other].discard(dag_id)
            if not needs[other]:
                free.append(other)
    for dag_id in sorted(needs):
        if any(link in needs for link in followers.get(dag_id, ())):
            yield Place(f"dag:{dag_id}", "It waits, by way of others, for itself or for a DAG that does.")


def _crowded_files(inventory: Inventory) -> Iterator[Place]:
    for file, dags in sorted(inventory.dags_by_file.items()):
        if len(dags) > LARGE_GROUP:
            yield Place(f"file:dags/{file}", f"{len(dags):,} DAGs come from this file.", f"dags/{file}")


def _owners(inventory: Inventory) -> Iterator[Place]:
    nobody = [dag.dag_id for dag in inventory.active_dags if not set(dag.owners) - {"airflow", ""}]
    if nobody:
        yield Place(
            "source", f"{len(nobody):,} of {len(inventory.active_dags):,} active DAGs name no owner but airflow."
        )


def _activity(inventory: Inventory) -> Iterator[Place]:
    counts: Counter[str] = Counter()
    for dag in inventory.active_dags:
        counts["1 day"] += bool(dag.runs_1d)
        counts["7 days"] += bool(dag.runs_7d)
        counts["30 days"] += bool(dag.runs_30d)
        counts["365 days"] += bool(dag.runs_365d)
    if counts["365 days"] or counts["30 days"]:
        shown = ", ".join(f"{counts[window]:,} in {window}" for window in ("1 day", "7 days", "30 days", "365 days"))
        yield Place("source", f"DAGs that ran: {shown}, of {len(inventory.active_dags):,}.")


CHECKS = (
    Check("dependency-group", "info", "DAGs that hang together", "Move them in one wave; the proposed waves keep them together.", _group),
    Check(
        "dependency-group-large", "warning", "Groups larger than a wave",
        "Loosen it at its weakest link, or plan a day for its wave.", _large, 4,
    ),
    Check(
        "dependency-cycle", "info", "DAGs that wait for each other in a circle",
        "Hold and release them in one step; check that the circle is meant.", _cycles, 0.5,
    ),
    Check(
        "file-crowded", "info", "Files that make many DAGs",
        "A change to it touches them all: move them in one wave, or test it with its data.", _crowded_files, 0.5,
    ),
    Check("owner-missing", "info", "DAGs without an owner", "Ask the teams: someone must accept each wave.", _owners),
    Check("activity", "info", "How many DAGs really run", "What has not run for a year may stay behind.", _activity),
)  # fmt: skip
