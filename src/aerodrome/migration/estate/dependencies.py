"""Which DAGs of an estate belong together.

An edge leads from the DAG that is needed to the DAG that needs it:
- dataset: producer -> consumer, - trigger: triggering DAG -> triggered DAG, - sensor: awaited DAG -> waiting DAG.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from aerodrome.migration.estate.records import DagRecord

EdgeKind = Literal["dataset", "alias", "trigger", "sensor"]


@dataclass(frozen=True, order=True)
class Edge:
    """`follower` depends on `leader`."""

    leader: str
    follower: str
    kind: EdgeKind


def edges(dags: Iterable[DagRecord]) -> tuple[Edge, ...]:
    """Find the edges between these DAGs, sorted; edges to DAGs outside are dropped."""
    dags = list(dags)
    known = {dag.dag_id for dag in dags}
    producers: dict[str, list[str]] = {}
    writers: dict[str, list[str]] = {}
    for dag in dags:
        for uri in dag.datasets_out:
            producers.setdefault(uri, []).append(dag.dag_id)
        for name in dag.aliases_out:
            writers.setdefault(name, []).append(dag.dag_id)
    found: set[Edge] = set()
    for dag in dags:
        for uri in dag.datasets_in:
            found |= {Edge(producer, dag.dag_id, "dataset") for producer in producers.get(uri, ())}
        for name in dag.aliases_in:
            found |= {Edge(writer, dag.dag_id, "alias") for writer in writers.get(name, ())}
        does_trigger, does_wait = _habits(dag)
        for other in dag.depends_on_dags:
            if does_trigger and not does_wait:
                found.add(Edge(dag.dag_id, other, "trigger"))
            else:
                found.add(Edge(other, dag.dag_id, "sensor"))
    return tuple(
        sorted(edge for edge in found if {edge.leader, edge.follower} <= known and edge.leader != edge.follower)
    )


def components(dag_ids: Iterable[str], links: Iterable[Edge]) -> list[tuple[str, ...]]:
    """Give the groups that depend on each other in any direction; each sorted, the list sorted by first member."""
    leader = {dag_id: dag_id for dag_id in dag_ids}

    def find(dag_id: str) -> str:
        while leader[dag_id] != dag_id:
            leader[dag_id] = leader[leader[dag_id]]
            dag_id = leader[dag_id]
        return dag_id

    for link in links:
        first, second = sorted((find(link.leader), find(link.follower)))
        leader[second] = first
    groups: dict[str, list[str]] = {}
    for dag_id in leader:
        groups.setdefault(find(dag_id), []).append(dag_id)
    return sorted(tuple(sorted(group)) for group in groups.values())


def _habits(dag: DagRecord) -> tuple[bool, bool]:
    operators = {str(task.get(name) or "") for task in dag.tasks for name in ("operator", "class")}
    triggers = any("TriggerDagRun" in operator for operator in operators)
    waits = any("ExternalTask" in operator for operator in operators)
    return triggers, waits
