"""The machines are complete, and no sequence of wishes and troubles leaves a deployment stuck."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.rooms.fleet.world import World

from aerodrome.access import SYSTEM
from aerodrome.fleet.machine import DEPLOY, DEPLOYMENT
from aerodrome.fleet.service import DeploymentChanges
from aerodrome.kernel.clock import ManualClock
from aerodrome.kernel.errors import NotFound
from aerodrome.kernel.machine import Machine
from aerodrome.store import open_store, outbox
from aerodrome.store.tables.base import Base
from aerodrome.store.tables.registry import all_tables


@pytest.mark.parametrize("machine", [DEPLOYMENT, DEPLOY], ids=lambda machine: machine.name)
def test_every_state_has_a_sentence_and_can_be_reached(machine: Machine) -> None:
    named = {machine.initial} | {state for state, _ in machine.transitions} | set(machine.transitions.values())
    assert named == set(machine.states)
    assert all(sentence.endswith(".") for sentence in machine.states.values())
    reached, front = {machine.initial}, [machine.initial]
    while front:
        state = front.pop()
        for (source, _), target in machine.transitions.items():
            if source == state and target not in reached:
                reached.add(target)
                front.append(target)
    assert reached == set(machine.states)


class Life(RuleBasedStateMachine):
    """One deployment under arbitrary wishes and troubles; the worker looks whenever it pleases."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.clock = ManualClock(datetime(2026, 3, 1, tzinfo=UTC))
        self.store = open_store(f"sqlite:///{self.folder.name}/a.db", self.clock)
        all_tables()
        Base.metadata.create_all(self.store.engine)
        self.world = World(self.store, self.clock, Path(self.folder.name))
        self.world.deployment()
        self.is_deleted = False
        self.dags = 0

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self._calm_down()
            self.store.close()
            self.folder.cleanup()

    def _ask(self, command: Any) -> None:
        if not self.is_deleted:
            command()

    @rule(requirements=st.sampled_from(["", "attrs", "no-such-package"]))
    def deploy(self, requirements: str) -> None:
        self.dags += 1
        bundle = self.world.project(str(self.dags), requirements__txt=requirements)
        self._ask(lambda: self.world.fleet.deploy(SYSTEM, "shop", bundle))

    @rule(parallelism=st.integers(1, 4))
    def update(self, parallelism: int) -> None:
        self._ask(
            lambda: self.world.fleet.update_deployment(SYSTEM, "shop", DeploymentChanges(parallelism=parallelism))
        )

    @rule()
    def hibernate(self) -> None:
        self._ask(lambda: self.world.fleet.hibernate(SYSTEM, "shop"))

    @rule()
    def wake(self) -> None:
        self._ask(lambda: self.world.fleet.wake(SYSTEM, "shop"))

    @rule(
        trouble=st.sampled_from(
            [
                {},
                {"apply": "No."},
                {"health": "starting"},
                {"health": "unhealthy"},
                {"health": "degraded"},
                {"health": "failed"},
            ]
        )
    )
    def trouble(self, trouble: dict[str, str]) -> None:
        self.world.runtime.set_trouble(**trouble)

    @rule(seconds=st.sampled_from([1, 10, 61]))
    def work(self, seconds: int) -> None:
        self.clock.advance(timedelta(seconds=seconds))
        self.world.look()

    @precondition(lambda self: self.dags > 2)
    @rule()
    def delete(self) -> None:
        self._ask(lambda: self.world.fleet.delete_deployment(SYSTEM, "shop"))
        self.is_deleted = True

    @invariant()
    def every_move_is_in_the_table(self) -> None:
        if not hasattr(self, "store"):
            return
        with self.store.reading() as session:
            moves = [e.data for e in outbox.read(session) if e.type == "deployment.status_changed"]
        state = DEPLOYMENT.initial
        for move in moves:
            assert move["from"] == state
            state = DEPLOYMENT.transitions[state, move["event"]]
            assert move["to"] == state

    @invariant()
    def one_deploy_is_live_at_most(self) -> None:
        if not hasattr(self, "store") or self.is_deleted:
            return
        live = [view for view in self.world.fleet.list_deploys(SYSTEM, "shop") if view.status == "live"]
        assert len(live) <= 1
        assert [view.id for view in live] == [i for i in [self.world.show().current_deploy_id] if i]

    def _calm_down(self) -> None:
        """Without troubles, a few looks later, the wish is true."""
        self.world.runtime.set_trouble()
        for _ in range(4):
            self.clock.advance(timedelta(seconds=61))
            self.world.look()
        if self.is_deleted:
            with pytest.raises(NotFound):
                self.world.show()
            return
        view = self.world.show()
        assert view.status == {"running": "healthy", "hibernated": "hibernated"}[view.desired], view.reasons
        for deploy in self.world.fleet.list_deploys(SYSTEM, "shop"):
            assert deploy.status in {"live", "superseded", "failed"}
        told = self.world.runtime.history(view.id)
        if view.desired == "running":
            current = view.current_deploy_id
            wanted = self.world.fleet.get_deploy(SYSTEM, "shop", current).bundle_digest if current else None
            assert (told[-1]["bundle"], told[-1]["generation"]) == (wanted, view.generation)


Life.TestCase.settings = settings(
    max_examples=15, stateful_step_count=15, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestLife = Life.TestCase
