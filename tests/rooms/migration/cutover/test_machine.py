"""The states of a hand-over: if this breaks, a DAG could start in the target without a proof, or be stuck."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from aerodrome.kernel.errors import Conflict
from aerodrome.migration.cutover.machine import CUTOVER, STATES, state_after

EVENTS = sorted({event for _, event in CUTOVER.transitions})


class Walk(RuleBasedStateMachine):
    """Any sequence of events, as an impatient person would try them."""

    def __init__(self) -> None:
        super().__init__()
        self.state = CUTOVER.initial
        self.path: list[str] = []

    @rule(event=st.sampled_from(EVENTS))
    def attempt(self, event: str) -> None:
        try:
            self.state = CUTOVER.next(self.state, event)
        except Conflict:
            return
        self.path.append(event)

    @invariant()
    def the_journal_tells_the_same_state(self) -> None:
        assert state_after(self.path) == self.state
        assert self.state in STATES

    @invariant()
    def live_follows_a_proof(self) -> None:
        if self.state == "live" and "fail" not in self.path:
            since = self.path[len(self.path) - self.path[::-1].index("unpause") - 1 :] if "unpause" in self.path else []
            before = self.path[: len(self.path) - len(since)]
            assert "prove" in before or before[-1:] == ["unpause"]


TestWalk = Walk.TestCase


def test_the_way_of_a_dag() -> None:
    acts = ["pause", "drain", "sync", "prove", "unpause", "watch"]
    assert [state_after(acts[:count]) for count in range(7)] == [
        "ready", "paused", "drained", "synced", "proved", "live", "watched",
    ]  # fmt: skip


def test_a_failed_act_can_be_repeated_or_undone() -> None:
    assert state_after(["pause", "drain", "fail", "sync"]) == "synced"
    assert state_after(["pause", "drain", "fail", "roll_back", "pause"]) == "paused"


def test_a_proof_is_needed_before_the_start() -> None:
    with pytest.raises(Conflict, match="unpause is not possible now"):
        state_after(["pause", "drain", "sync", "unpause"])


def test_every_state_but_the_last_can_be_left() -> None:
    assert {state for state in STATES if not any(at == state for at, _ in CUTOVER.transitions)} == set()
    assert {to for (at, _), to in CUTOVER.transitions.items() if at == "watched"} == {"watched"}
