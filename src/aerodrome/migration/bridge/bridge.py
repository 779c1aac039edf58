"""The bridge of one migration: every asset event reaches every DAG that waits for it exactly once, whichever side it lives on.

A DAG that is scheduled by assets misses what is registered while it is paused, and what is registered on the other side. So:

- `tick` carries events of the source to DAGs that moved, and events of producers that moved to DAGs that did not.
- `before_start` and `after_start` stand around the unpausing of a DAG in the target: what waited in its queue in the source, and
  what happened since it was paused there, waits in its queue in the target then.
- `take_back` is the same for the way back.

Each may be repeated after a kill: carried events have a mark, queues know an asset once, and memory is kept after the act.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from aerodrome.kernel.clock import Clock, to_text
from aerodrome.migration.bridge.ledger import AssetEvent, AssetLedger
from aerodrome.migration.bridge.memory import BridgeMemory, Consumer, MemoryFile, Saver, Stream
from aerodrome.migration.estate.records import DagRecord

SETTLES_AFTER = timedelta(minutes=10)
"""An event whose row is that much older than the newest one has no uncommitted neighbours any more."""


@dataclass(frozen=True)
class Crossing:
    """An asset whose producer and consumer live on different sides now."""

    uri: str
    producer: str
    consumer: str
    direction: str  # "to-target" | "to-source"


@dataclass(frozen=True)
class Assets:
    """Which DAG waits for which assets, and which makes them."""

    waits: Mapping[str, frozenset[str]]
    makes: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, dags: Iterable[DagRecord]) -> Assets:
        """Read them from an estate's DAGs."""
        dags = list(dags)
        return cls(
            {dag.dag_id: frozenset(dag.datasets_in) for dag in dags if dag.datasets_in},
            {dag.dag_id: frozenset(dag.datasets_out) for dag in dags if dag.datasets_out},
        )


class Bridge:
    """Both ledgers, and the memory of one migration. Cheap to make."""

    def __init__(
        self,
        migration_id: str,
        source: AssetLedger,
        target: AssetLedger,
        assets: Assets,
        memory: MemoryFile,
        clock: Clock,
        held: Callable[[Collection[str]], Collection[str]],
        floor: Callable[[str], int],
    ) -> None:
        """`held`: which of some DAGs are paused in the source by this migration. `floor`: the source's newest event at its pause."""
        self._name = migration_id
        self._source = source
        self._target = target
        self._memory = memory
        self._clock = clock
        self._held = held
        self._floor = floor
        self._waits, self._makes = assets.waits, assets.makes

    @property
    def memory(self) -> BridgeMemory:
        """Give what was carried so far, and who lives where."""
        return self._memory.read()

    def concerns(self, dag_id: str) -> bool:
        """Tell whether a DAG makes assets or waits for some."""
        return dag_id in self._waits or dag_id in self._makes

    def crossings(self) -> tuple[Crossing, ...]:
        """Give the pairs that are on different sides at the moment, sorted."""
        now = self.memory
        moved = set(now.consumers) | set(now.producers)
        found = [
            Crossing(uri, producer, consumer, "to-target" if consumer in moved else "to-source")
            for consumer, uris in self._waits.items()
            for producer, made in self._makes.items()
            for uri in uris & made
            if (consumer in moved) != (producer in moved)
        ]
        return tuple(sorted(found, key=lambda item: (item.uri, item.producer, item.consumer)))

    # --- around the hand-over of one DAG -------------------------------------------------------------------------

    def before_start(self, dag_id: str) -> None:
        """Bring what it missed into its queue in the target. Call while the DAG is paused on both sides."""
        with self._memory.changing() as (memory, save):
            self._carry(memory, save)
            if dag_id in self._makes and dag_id not in memory.producers:
                memory.producers[dag_id] = self._target.newest
                save()
            if dag_id not in self._waits or dag_id in memory.consumers:
                return
            uris, floor = self._waits[dag_id], self._floor(dag_id)
            queued = self._source.queued(dag_id)
            low = min([floor, *map(self._source.position_before, queued.values())])
            used = self._source.consumed(dag_id, low)
            for event in self._source.events(uris, low):
                if event.id not in used:
                    takers = (dag_id,) if event.id > floor else ()
                    mark = self._mark("source", event)
                    self._target.publish(event, mark, takers, self._clock.now(), is_paused_too=True)
            self._target.enqueue(dag_id, {*queued, *memory.owed.get(dag_id, ())}, self._clock.now())
            memory.consumers[dag_id] = Consumer(floor, self._target.newest)
            memory.owed.pop(dag_id, None)
            save()

    def after_start(self, dag_id: str) -> None:
        """Queue what was registered in the target while the DAG was about to start, and that no run of it was started with."""
        mine = self._memory.read().consumers.get(dag_id)
        if mine is None:
            return
        used = self._target.consumed(dag_id, mine.start)
        events = self._target.events(self._waits[dag_id], mine.start)
        lost = {event.uri for event in events if event.id not in used} - set(self._target.queued(dag_id))
        self._target.enqueue(dag_id, lost, self._clock.now())

    def take_back(self, dag_id: str) -> None:
        """Bring what it was not started for in the target into its queue in the source. Call while it is paused on both sides."""
        with self._memory.changing() as (memory, save):
            self._carry(memory, save)
            if dag_id in self._waits:
                events = self._source.events(self._waits[dag_id], self._floor(dag_id))
                used = self._target.consumed_marks(dag_id)
                missed = {event.uri for event in events if self._mark("source", event) not in used}
                wanted = {*missed, *self._target.queued(dag_id), *memory.owed.get(dag_id, ())}
                self._source.enqueue(dag_id, wanted, self._clock.now())
                self._target.dequeue(dag_id)
            memory.owed.pop(dag_id, None)
            memory.consumers.pop(dag_id, None)
            memory.producers.pop(dag_id, None)
            save()

    # --- all the time --------------------------------------------------------------------------------------------

    def tick(self) -> int:
        """Carry what is new, in both directions; give the number of events carried. Linear in what is new."""
        with self._memory.changing() as (memory, save):
            return self._carry(memory, save)

    def _carry(self, memory: BridgeMemory, save: Saver) -> int:
        return self._to_target(memory, save) + self._to_source(memory, save)

    def _to_target(self, memory: BridgeMemory, save: Saver) -> int:
        """Carry the source's events to the DAGs that moved."""
        waiting = {dag_id: self._waits[dag_id] for dag_id in memory.consumers}
        if not waiting:
            return 0
        stream, count = memory.source, 0
        stream.settled = stream.settled or min(item.floor for item in memory.consumers.values())
        seen = list(self._source.events(frozenset().union(*waiting.values()), stream.settled))
        for event in filter(lambda event: stream.is_new(event.id), seen):
            takers = [
                dag_id
                for dag_id, uris in waiting.items()
                if event.uri in uris and event.id > memory.consumers[dag_id].floor
            ]
            reached = self._target.publish(
                event, self._mark("source", event), takers, self._clock.now(), is_paused_too=True
            )
            count += self._note(memory, "to-target", event, is_known=reached is not None)
            stream.recent.append(event.id)
            save()
        _settle(stream, seen)
        save()
        return count

    def _to_source(self, memory: BridgeMemory, save: Saver) -> int:
        """Carry events of the producers that moved to the DAGs that did not; who is paused there is owed them."""
        waiting = {dag_id: uris for dag_id, uris in self._waits.items() if dag_id not in memory.consumers}
        made = frozenset().union(*(self._makes[dag_id] for dag_id in memory.producers))
        uris = made & frozenset().union(*waiting.values())
        if not uris:
            return 0
        stream, count = memory.target, 0
        stream.settled = stream.settled or min(memory.producers.values())
        seen = list(self._target.events(uris, stream.settled))
        for event in filter(lambda event: stream.is_new(event.id), seen):
            since = memory.producers.get(event.dag_id or "")
            if since is not None and event.id > since:
                takers = [dag_id for dag_id, wanted in waiting.items() if event.uri in wanted]
                reached = self._source.publish(event, self._mark("target", event), takers, self._clock.now())
                for dag_id in self._held(set(takers) - set(reached or ())):
                    memory.owed[dag_id] = sorted({*memory.owed.get(dag_id, ()), event.uri})
                count += self._note(memory, "to-source", event, is_known=reached is not None)
            stream.recent.append(event.id)
            save()
        _settle(stream, seen)
        save()
        return count

    def _note(self, memory: BridgeMemory, direction: str, event: AssetEvent, *, is_known: bool) -> int:
        counts, key = memory.carried if is_known else memory.unknown, f"{direction} {event.uri}"
        counts[key] = counts.get(key, 0) + 1
        memory.last_at = to_text(self._clock.now())
        return int(is_known)

    def _mark(self, side: str, event: AssetEvent) -> str:
        return f"{self._name}:{side}:{event.id}"


def _settle(stream: Stream, seen: Iterable[AssetEvent]) -> None:
    """Let the position follow, as far as nothing uncommitted can lie below it any more."""
    events = list(seen)
    if not events:
        return
    newest = max(event.at for event in events)
    old = [event.id for event in events if newest - event.at > SETTLES_AFTER]
    stream.settled = max([stream.settled, *old])
    stream.recent = [event_id for event_id in stream.recent if event_id > stream.settled]
