"""The hand-over of a coordinator while the platform is killed: the real adapter and boundary file, a fake Oozie, the model of a target.

If these break, a kill in the middle of a cutover makes Oozie and the target run the same time, or neither of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.rooms.migration.cutover.side import DAG, Run, Side
from tests.rooms.migration.cutover.walking import MemoryLedger, conduct, wave
from tests.rooms.migration.cutover.world import Killed, World
from tests.rooms.migration.sources.oozie_fake import FakeJob, OozieFake, oozie_fake
from tests.rooms.migration.sources.test_definitions import COORDINATOR, WORKFLOW

from aerodrome.kernel.clock import to_text
from aerodrome.kernel.errors import AerodromeError
from aerodrome.kernel.secret import Secret
from aerodrome.migration import cutover
from aerodrome.migration.cutover.context import CutoverContext
from aerodrome.migration.estate.calendars import PointCalendar, calendar_of
from aerodrome.migration.estate.history import RUN_COLUMNS, HistoryWindow
from aerodrome.migration.sources.contract import CarriedRuns, DagState, DefinitionsConfig
from aerodrome.migration.sources.definitions.adapter import DefinitionsSource
from aerodrome.migration.sources.definitions.boundaries import Boundary, BoundaryFile
from aerodrome.migration.sources.definitions.conversions import conversion_of
from aerodrome.migration.sources.definitions.oozie_server import OozieServer
from aerodrome.migration.sources.definitions.records import dag_records

STEP = timedelta(minutes=10)
MARK = "aerodrome:mig_1"
FIRST = datetime(2026, 3, 1, 11, 40, tzinfo=UTC)  # what the world's clock has behind it


class DefinitionsWorld(World):
    """A world whose source is a coordinator: run by a fake Oozie, or by nobody when people hold it."""

    def __init__(self, folder: Path, server: OozieFake | None) -> None:
        self.server = server
        self.config = DefinitionsConfig(
            "oozie", "estate", folder, folder.parent / "boundaries.json", None,
            server.url if server else "", server.user if server else "",
        )  # fmt: skip
        super().__init__(catchup=True, run_s=5.0)
        record = next(dag_records(conversion_of(self.config), {}))
        assert record.dag_id == DAG
        calendar = calendar_of(record)
        assert isinstance(calendar, PointCalendar)
        self.records = {DAG: record}
        self.olds = {}
        self.news = {DAG: Side(self.target_clock, calendar, True, 5.0, 30.0, True, calendar.newest_complete(FIRST))}
        self.new = self.news[DAG]
        self.job: FakeJob | None = None
        if server is not None:
            actions = [(FIRST, "SUCCEEDED"), (FIRST + STEP, "SUCCEEDED")]
            self.job = server.jobs[server.add(DAG, "/apps/etl", actions, FIRST + 2 * STEP)]
        self._sources: list[DefinitionsSource] = []

    @property
    def source_ran(self) -> list[datetime]:
        return [moment for moment, _status in self.job.actions] if self.job else []

    def pass_time(self, seconds: float) -> None:
        """Let the target live, and Oozie materialize and run what is due as long as it is not suspended."""
        pace = 1 if seconds < 100 else 10
        for _ in range(max(1, round(seconds / pace))):
            for clock in (self.clock, self.our_clock, self.target_clock):
                clock.advance(timedelta(seconds=pace))
            self.new.look()
        job = self.job
        while job and job.status == "RUNNING" and job.next_materialized and job.next_materialized <= self.clock.now():
            job.actions.append((job.next_materialized, "SUCCEEDED"))
            job.next_materialized += STEP

    def context(self) -> CutoverContext:
        """Give the two sides to a platform that has just started: nothing of the one before is known."""
        self.close()
        source = _Watched(self, self.config, self._client())
        self._sources.append(source)
        return replace(super().context(), source=source, stopping=None)

    def _client(self) -> OozieServer | None:
        return None if self.server is None else _WatchedServer(self, self.server.url, self.server.user)

    def close(self) -> None:
        while self._sources:
            self._sources.pop().close()

    @contextmanager
    def asking(self) -> Iterator[DefinitionsSource]:
        """Open the source as somebody does who only looks."""
        source = DefinitionsSource(self.config, b"k", self.our_clock, self._client())
        try:
            yield source
        finally:
            source.close()

    def _sync(self, dag_ids: Sequence[str], _since: datetime | None) -> dict[str, dict[str, Any]]:
        self._call("sync")
        moved, side = 0, self.new
        with self.asking() as source:
            state = source.dag_states(dag_ids)[DAG]
            for batch in source.history("run", HistoryWindow(tuple(dag_ids))):
                for row in batch.rows:
                    run = dict(zip(RUN_COLUMNS, row, strict=True))
                    interval = (run["data_interval_start"], run["data_interval_end"])
                    if any(have.interval == interval for have in side.runs):
                        continue
                    side.runs.append(Run(interval, self.clock.now(), is_ours=False))
                    moved += 1
                    self._call("sync.row")
        side.next = state.next_interval
        self._call("sync.hand_off")
        last = [to_text(moment) for moment in state.last_interval] if state.last_interval else None
        return {DAG: {"moved": moved, "is_on_calendar": True, "last_source_interval": last}}

    def _carried(self, dag_id: str) -> CarriedRuns:
        found = super()._carried(dag_id)
        runs = [{**run, "logical_date": run["interval"][0]} for run in found.runs]
        return CarriedRuns(dag_id, runs, [], found.next_interval, None)


class _Watched(DefinitionsSource):
    """The real adapter; the platform may die before and after each thing that it does."""

    def __init__(self, world: DefinitionsWorld, config: DefinitionsConfig, server: OozieServer | None) -> None:
        super().__init__(config, b"k", world.our_clock, server)
        self._world = world

    def _told(self, name: str, act: Callable[[], Any]) -> Any:
        self._world._call(name)
        done = act()
        self._world._call(f"{name}.after")
        return done

    def dag_states(self, dag_ids: Sequence[str]) -> dict[str, DagState]:
        self._world._call("dag_states")
        return super().dag_states(dag_ids)

    def pause_dags(self, dag_ids: Sequence[str], mark: str) -> dict[str, AerodromeError]:
        found: dict[str, AerodromeError] = self._told(
            "pause_dags", lambda: super(_Watched, self).pause_dags(dag_ids, mark)
        )
        return found

    def unpause_dags(self, dag_ids: Sequence[str], mark: str) -> dict[str, AerodromeError]:
        found: dict[str, AerodromeError] = self._told(
            "unpause_dags", lambda: super(_Watched, self).unpause_dags(dag_ids, mark)
        )
        return found

    def carry_runs(self, carried: CarriedRuns, mark: str) -> int:
        return int(self._told("carry_runs", lambda: super(_Watched, self).carry_runs(carried, mark)))


class _WatchedServer(OozieServer):
    """The real client of Oozie; the platform may die before and after each change that it asks for."""

    def __init__(self, world: DefinitionsWorld, url: str, user: str) -> None:
        transport = httpx2.HTTPTransport(verify=False)
        super().__init__(url, user, Secret(""), transport=transport)
        self._world = world

    def suspend(self, job_id: str) -> None:
        self._world._call("suspend")
        super().suspend(job_id)
        self._world._call("suspend.after")

    def resume(self, job_id: str) -> None:
        self._world._call("resume")
        super().resume(job_id)
        self._world._call("resume.after")


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One coordinator every ten minutes over one workflow."""
    folder = tmp_path_factory.mktemp("estate") / "apps" / "etl"
    folder.mkdir(parents=True)
    (folder / "workflow.xml").write_text(WORKFLOW.replace('to="child"', 'to="end"'))
    text = COORDINATOR.replace("hourly-load", DAG).replace("${coord:hours(1)}", "*/10 * * * *")
    (folder / "coordinator.xml").write_text(text)
    (folder / "job.properties").write_text("nameNode=hdfs://nn:8020\n")
    return folder.parent


@pytest.fixture
def worlds(definitions: Path, request: pytest.FixtureRequest) -> Iterator[Callable[[], DefinitionsWorld]]:
    """Give a function that makes a fresh world of the kind that a test names: "oozie" or "people"."""
    made: list[DefinitionsWorld] = []

    def make() -> DefinitionsWorld:
        (definitions.parent / "boundaries.json").unlink(missing_ok=True)
        if server is not None:
            server.jobs.clear()
        world = DefinitionsWorld(definitions, server)
        made.append(world)
        if server is None:
            with BoundaryFile(world.config.boundaries).changing() as known:
                known[DAG] = Boundary(
                    to_text(FIRST + STEP), confirmed_by="ann", confirmed_at=to_text(world.clock.now())
                )
        return world

    with oozie_fake() as fake:
        server = fake if request.param == "oozie" else None
        yield make
        for world in made:
            world.close()


def walk(world: DefinitionsWorld, ledger: MemoryLedger) -> Mapping[str, Any]:
    """Walk the wave until it ends by itself; a killed platform starts again after a while."""
    steps = wave(world)
    for _ in range(8):
        try:
            ended = conduct(world, ledger, steps)
        except Killed:
            world.pass_time(7)
            continue
        assert ended.how == "done", ledger.errors
        return {step.kind: ledger.results[step.key] for step in steps}
    pytest.fail("the wave does not end")


def owned_once(world: DefinitionsWorld, source: Sequence[datetime]) -> None:
    """Every ten minutes since the beginning were run by one side, and by one only."""
    target = [interval[0] for interval in world.new.own]
    assert len(target) == len(set(target))
    assert not set(source) & set(target)
    ran = sorted({*source, *target})
    assert ran == [ran[0] + number * STEP for number in range(len(ran))]


def kills_of(make: Callable[[], DefinitionsWorld]) -> range:
    """Count the calls of an undisturbed walk: at each of them the platform may die."""
    world = make()
    walk(world, MemoryLedger())
    return range(1, world.calls + 1)


@pytest.mark.parametrize("worlds", ["oozie", "people"], indirect=True)
def test_a_kill_at_any_call_leaves_every_time_one_owner(worlds: Callable[[], DefinitionsWorld]) -> None:
    for number in kills_of(worlds):
        world = worlds()
        world.kill_at = number
        results = walk(world, MemoryLedger())
        world.pass_time(2500)
        source = world.source_ran or [FIRST, FIRST + STEP]
        owned_once(world, source)
        assert results["cutover.prove"]["source_next_interval"] == [to_text(source[-1] + STEP)] * 2, number
        if world.job is not None:
            assert world.job.status == "SUSPENDED"


@pytest.mark.parametrize("worlds", ["oozie"], indirect=True)
def test_a_kill_between_any_two_writes_of_the_journal_is_harmless(worlds: Callable[[], DefinitionsWorld]) -> None:
    writes = 0

    def count() -> None:
        nonlocal writes
        writes += 1

    walk(worlds(), MemoryLedger(on_write=count))
    steps = {step.kind for step in wave(worlds())}
    assert writes >= 2 * len(steps)  # before and after each of them
    for number in range(1, writes + 1):
        world, written = worlds(), 0

        def kill(number: int = number) -> None:
            nonlocal written
            written += 1
            if written == number:
                raise Killed

        walk(world, MemoryLedger(on_write=kill))
        world.pass_time(2500)
        owned_once(world, world.source_ran or [FIRST, FIRST + STEP])


@pytest.mark.parametrize(("worlds", "lived_s"), [("oozie", 0), ("oozie", 1500), ("people", 1500)], indirect=["worlds"])
def test_a_kill_on_the_way_back_repeats_nothing(worlds: Callable[[], DefinitionsWorld], lived_s: int) -> None:
    def given_back(kill_at: int | None) -> tuple[DefinitionsWorld, int]:
        world = worlds()
        walk(world, MemoryLedger())
        world.pass_time(lived_s)
        before = world.calls
        world.kill_at = None if kill_at is None else before + kill_at
        for _ in range(4):
            try:
                context = world.context()
                cutover.run(context, cutover.roll_back(context, DAG))
                break
            except Killed:
                world.pass_time(7)
        return world, world.calls - before

    _, calls = given_back(None)
    assert calls > 4
    for number in range(1, calls + 1):
        world, _ = given_back(number)
        source = list(world.source_ran) or [FIRST, FIRST + STEP]
        ran = max([*source, *(interval[0] for interval in world.new.own)])
        world.pass_time(1300)
        assert world.new.is_paused
        with world.asking() as asked:
            state = asked.dag_states([DAG])[DAG]
        if not world.new.own and world.job is not None:
            assert world.job.status == "RUNNING"  # it goes on by itself, where it was
            owned_once(world, world.source_ran)
        else:  # people start it, at the time that is named
            assert str(to_text(ran + STEP)) in state.told
            owned_once(world, [*source, ran + STEP])
