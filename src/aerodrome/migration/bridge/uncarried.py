"""What ties DAGs together and is not carried between the sides: triggers, asset aliases, partitioned assets, and all without a bridge.

Said before the cutover, so that such DAGs go in one wave, or somebody knows what they miss meanwhile. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from aerodrome.migration.estate.dependencies import Edge, edges
from aerodrome.migration.estate.records import DagRecord

PARTITIONED = "PartitionedAssetTimetable"
"""Of Airflow 3.2 and newer: its queue is kept per partition key (timetables/simple.py, 3.3.2)."""


@dataclass(frozen=True)
class Uncarried:
    """One tie that is cut while its two DAGs live on different sides. `what`: the asset or alias; empty for a trigger."""

    kind: str  # trigger | alias | partition | asset | sensor
    leader: str
    follower: str
    what: str
    message: str

    @property
    def subject(self) -> str:
        return f"{self.leader} → {self.follower}" + (f" ({self.what})" if self.what else "")


def uncarried(
    dags: Iterable[DagRecord], place: Mapping[str, str], moved: Collection[str], *, is_bridged: bool
) -> tuple[Uncarried, ...]:
    """Give the ties between DAGs of different waves (`place`; none: it stays) that are not both moved, sorted.

    `is_bridged`: the bridge works, because the source is read by its metadata database. Without it assets and sensors count, too.
    """
    records = {dag.dag_id: dag for dag in dags}

    def is_cut(leader: str, follower: str) -> bool:
        together = leader in moved and follower in moved
        return leader != follower and place.get(leader) != place.get(follower) and not together

    found = [
        item
        for item in _ties(records, edges(records.values()), is_bridged=is_bridged)
        if is_cut(item.leader, item.follower)
    ]
    return tuple(sorted(set(found), key=lambda item: (item.leader, item.follower, item.kind, item.what)))


def _ties(records: Mapping[str, DagRecord], links: Iterable[Edge], *, is_bridged: bool) -> Iterator[Uncarried]:
    for link in links:
        leader, follower = link.leader, link.follower
        if link.kind == "trigger":
            said = f"A task of {leader} triggers {follower}: on the other side the run that it makes stands still, because {follower} is paused there."
            yield Uncarried("trigger", leader, follower, "", said)
        elif link.kind == "sensor" and not is_bridged:
            said = f"{follower} waits for runs of {leader}; this kind of source takes none from the other side."
            yield Uncarried("sensor", leader, follower, "", said)
        elif link.kind == "alias":
            # an event of an alias names no asset before its task has run
            known = sorted(set(records[leader].datasets_out) & set(records[follower].datasets_in))
            stood = f" It stood for {', '.join(known[:5])} so far." if known else ""
            for name in sorted(set(records[leader].aliases_out) & set(records[follower].aliases_in)):
                said = f"{follower} waits for the asset alias {name}, which {leader} writes; each side keeps for itself what an alias stands for.{stood}"
                yield Uncarried("alias", leader, follower, name, said)
        elif link.kind == "dataset":
            timetable = records[follower].timetable or ""
            is_partitioned = timetable.rpartition(".")[2] == PARTITIONED
            for uri in sorted(set(records[leader].datasets_out) & set(records[follower].datasets_in)):
                if is_partitioned:
                    said = f"{follower} waits for partitions of {uri}, which {leader} writes; the bridge carries events without their partition key."
                    yield Uncarried("partition", leader, follower, uri, said)
                elif not is_bridged:
                    said = f"{follower} waits for {uri}, which {leader} writes; over this kind of source no event is carried."
                    yield Uncarried("asset", leader, follower, uri, said)
