"""Events cross the bridge exactly once, in whatever order DAGs move, events happen and the bridge dies.

If this breaks, a DAG that waits for an asset runs twice for one event, or never, while a migration is half done.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.rooms.migration.bridge.small_airflow import MAKES, WAITS, SmallAirflow

from aerodrome.airflowkit.metadata import MetadataDatabase
from aerodrome.kernel.clock import ManualClock
from aerodrome.kernel.secret import Secret
from aerodrome.migration.bridge import AssetLedger, Assets, Bridge, Crossing
from aerodrome.migration.bridge.memory import MemoryFile, Saver
from aerodrome.migration.estate.records import DagRecord
from aerodrome.migration.sources.airflow_db.states import event_position, pause, unpause

MARK = "aerodrome:mig"
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
MOVING = sorted({*WAITS, *MAKES})


class Killed(BaseException):
    """The process ended here."""


class World:
    """Two small Airflows and the bridge between them."""

    def __init__(self, root: Path) -> None:
        self.seen: dict[str, set[str]] = {dag_id: set() for dag_id in WAITS}
        self.source = SmallAirflow(root / "source.db", "dataset", self.seen, is_paused=False)
        self.target = SmallAirflow(root / "target.db", "asset", self.seen, is_paused=True)
        self.databases = [MetadataDatabase(Secret(f"sqlite:///{root / name}.db")) for name in ("source", "target")]
        self.clock = ManualClock(datetime(2026, 3, 1, tzinfo=UTC))
        self.memory = MemoryFile(root / "bridge.json")
        self.home = dict.fromkeys(MOVING, "source")
        self.held: set[str] = set()
        self.numbers = itertools.count()
        self.events: dict[str, set[str]] = {"raw": set(), "refined": set()}

    @property
    def bridge(self) -> Bridge:
        """A fresh one each time, as after a restart."""
        first, second = (AssetLedger(database) for database in self.databases)
        return Bridge("mig", first, second, Assets.of(DAGS.values()), self.memory, self.clock, self._held, self._floor)

    def _held(self, dag_ids: Collection[str]) -> set[str]:
        return self.held & set(dag_ids)

    def _floor(self, dag_id: str) -> int:
        return event_position(self.databases[0], dag_id) or 0

    @property
    def now(self) -> str:
        self.clock.advance(timedelta(seconds=1))
        return self.clock.now().strftime("%Y-%m-%d %H:%M:%S.%f")

    def event(self) -> None:
        """The producer at the very beginning of the chain runs, unless it is on its way."""
        if "loads" not in self.held:
            name = f"event-{next(self.numbers)}"
            (self.source if self.home["loads"] == "source" else self.target).register("loads", name, self.now)

    def schedule(self) -> None:
        self.source.schedule(self.now)
        self.target.schedule(self.now)

    def hold(self, dag_id: str) -> None:
        if self.home[dag_id] == "source" and dag_id not in self.held:
            pause(self.databases[0], self.clock, [dag_id], MARK)
            self.held.add(dag_id)

    def move(self, dag_id: str) -> None:
        if dag_id in self.held:
            self.bridge.before_start(dag_id)
            self.target.pause(dag_id, is_paused=False)
            self.bridge.after_start(dag_id)
            self.home[dag_id] = "target"
            self.held.discard(dag_id)

    def give_up(self, dag_id: str) -> None:
        """Roll back a DAG that is held and has not started in the target."""
        if dag_id in self.held:
            self.bridge.take_back(dag_id)
            unpause(self.databases[0], self.clock, [dag_id], MARK)
            self.held.discard(dag_id)

    def settle(self) -> None:
        """Let everything arrive: who is on the way gets there, events cross, runs start and make further events."""
        for dag_id in sorted(self.held):
            self.move(dag_id)
        for _ in range(4):
            self.bridge.tick()
            self.schedule()

    def all_events(self, uri: str) -> set[str]:
        found: set[str] = set()
        for side in (self.source, self.target):
            rows = side._run(
                f"select e.source_run_id from {side.noun}_event e join {side.noun} a on a.id = e.{side.noun}_id where uri = ?",
                uri,
            )
            found |= {str(row[0]) for row in rows}
        return found

    def close(self) -> None:
        for database in self.databases:
            database.close()


def _dag(dag_id: str) -> DagRecord:
    values = {name: None for name in DagRecord.__dataclass_fields__ if name != "kind"}
    made = DagRecord(**values)  # type: ignore[arg-type]
    waits, makes = WAITS.get(dag_id), MAKES.get(dag_id)
    return replace(made, dag_id=dag_id, datasets_in=(waits,) if waits else (), datasets_out=(makes,) if makes else ())


DAGS = {dag_id: _dag(dag_id) for dag_id in MOVING}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def test_an_event_of_the_source_reaches_the_dag_that_moved_once(world: World) -> None:
    world.hold("reports")
    world.move("reports")
    world.event()
    assert world.source.schedule(world.now) == ["refines"]
    assert world.bridge.tick() >= 1
    assert world.target.schedule(world.now) == ["reports"]
    world.bridge.tick()
    assert world.target.schedule(world.now) == []
    assert world.bridge.crossings() == (Crossing("raw", "loads", "reports", "to-target"),)
    assert world.memory.read().carried == {"to-target raw": 1}


def test_what_happens_while_a_dag_is_on_its_way_waits_for_it(world: World) -> None:
    world.event()  # in its queue in the source, when it is paused there
    world.hold("reports")
    world.event()  # not in any queue
    assert "reports" not in world.source.schedule(world.now)
    world.move("reports")
    assert world.target.schedule(world.now) == ["reports"]
    assert world.seen["reports"] == {"event-0", "event-1"}


def test_an_event_of_a_producer_that_moved_reaches_the_dags_that_did_not(world: World) -> None:
    world.hold("loads")
    world.move("loads")
    world.hold("reports")
    world.event()
    assert world.source.schedule(world.now) == []
    world.bridge.tick()
    assert world.source.schedule(world.now) == ["refines"]
    world.move("reports")  # it was paused when the event crossed: it is owed
    assert world.target.schedule(world.now) == ["reports"]


def test_a_dag_that_is_rolled_back_finds_in_the_source_what_it_missed(world: World) -> None:
    world.hold("reports")
    world.event()
    world.source.schedule(world.now)
    world.give_up("reports")
    assert "reports" in world.source.schedule(world.now)
    world.settle()
    assert world.seen["reports"] == {"event-0"}


def test_an_event_that_came_with_the_history_is_taken_for_the_carried_one(world: World) -> None:
    world.hold("reports")
    world.event()
    columns = "source_task_id, source_dag_id, source_run_id, source_map_index, timestamp"
    rows = world.source._run(f"select dataset_id, extra, {columns} from dataset_event")
    world.target._run(f"insert into asset_event (asset_id, extra, {columns}) values (?, ?, ?, ?, ?, ?, ?)", *rows[0])
    world.move("reports")
    world.bridge.tick()
    assert world.target.schedule(world.now) == ["reports"]
    assert world.target._run("select count(*) from asset_event") == [(1,)]


def test_an_asset_that_the_other_side_does_not_know_is_counted_and_lost_to_nobody_else(world: World) -> None:
    world.target._run("delete from asset where uri = 'raw'")
    world.hold("reports")
    world.move("reports")
    world.event()
    assert world.bridge.tick() == 0
    assert world.memory.read().unknown == {"to-target raw": 1}


STEPS = st.one_of(
    st.just(("event",)),
    st.just(("schedule",)),
    st.just(("tick",)),
    st.tuples(st.sampled_from(["hold", "move", "give_up"]), st.sampled_from(MOVING)),
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=st.lists(STEPS, max_size=25), deaths=st.lists(st.integers(0, 40), max_size=4))
def test_every_event_is_news_once_whatever_happens(steps: list[tuple[str, ...]], deaths: list[int]) -> None:
    with TemporaryDirectory(dir=MEMORY) as folder, pytest.MonkeyPatch.context() as patch:
        world = World(Path(folder))
        _let_die(patch, set(deaths))
        for name, *arguments in steps:
            act = world.bridge.tick if name == "tick" else getattr(world, name)
            _until_done(act, *arguments)
        _until_done(world.settle)
        for dag_id, uri in WAITS.items():
            assert world.seen[dag_id] == world.all_events(uri), dag_id
        world.close()


def _until_done(act: Callable[..., object], *arguments: str) -> None:
    """As the walker does: a step that was cut off is begun again."""
    while True:
        with suppress(Killed):
            act(*arguments)
            return


def _let_die(patch: pytest.MonkeyPatch, deaths: set[int]) -> None:
    """Let the n-th act of the bridge be its last one: before or after it kept what it knows."""
    count = itertools.count()

    def dying(function: object) -> object:
        def run(*arguments: object, **more: object) -> object:
            number = next(count)
            if number in deaths:
                deaths.discard(number)
                if number % 2:
                    function(*arguments, **more)  # type: ignore[operator]
                raise Killed
            return function(*arguments, **more)  # type: ignore[operator]

        return run

    for owner, name in ((Saver, "__call__"), (AssetLedger, "publish"), (AssetLedger, "enqueue")):
        patch.setattr(owner, name, dying(getattr(owner, name)))
