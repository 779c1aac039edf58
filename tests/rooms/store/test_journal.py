"""The journal: opening twice changes nothing, a cut-off step can begin again, a done one cannot."""

from __future__ import annotations

from datetime import timedelta

import pytest

from aerodrome.kernel.clock import ManualClock
from aerodrome.kernel.errors import Conflict, NotFound, Unavailable
from aerodrome.kernel.secret import Secret
from aerodrome.store import Store, journal
from aerodrome.store.journal import JournalStep

_STEPS = [
    {
        "key": f"dag/{name}",
        "kind": "cutover.pause",
        "title": f"Pause {name}",
        "phase": "cutover",
        "params": {"dag": name},
    }
    for name in ("zeta", "alpha", "mid")
]


@pytest.fixture
def opened(store: Store) -> Store:
    with store.writing() as session:
        journal.open_track(session, "mig_1", "wave-1", _STEPS)
    return store


def _steps(store: Store, track: str = "wave-1") -> list[JournalStep]:
    with store.reading() as session:
        return journal.steps(session, "mig_1", track)


def test_steps_keep_their_order_and_opening_again_keeps_their_state(opened: Store) -> None:
    with opened.writing() as session:
        journal.begin(session, "mig_1", "wave-1", "dag/alpha")
        journal.done(session, "mig_1", "wave-1", "dag/alpha", {"n": 1})
    with opened.writing() as session:
        journal.open_track(session, "mig_1", "wave-1", [*_STEPS, {"key": "last", "kind": "x", "title": "Last"}])
    steps = _steps(opened)
    assert [step.key for step in steps] == ["dag/zeta", "dag/alpha", "dag/mid", "last"]
    assert [step.status for step in steps] == ["pending", "done", "pending", "pending"]
    assert steps[1].result == {"n": 1}
    assert steps[0].params == {"dag": "zeta"}


def test_life_of_a_step(opened: Store, clock: ManualClock) -> None:
    started = clock.now()
    with opened.writing() as session:
        assert journal.begin(session, "mig_1", "wave-1", "dag/mid").status == "running"
    clock.advance(timedelta(seconds=3))
    with opened.writing() as session:
        journal.progress(session, "mig_1", "wave-1", "dag/mid", "2 of 9 runs")
    step = _steps(opened)[2]
    assert (step.progress, step.started_at, step.progress_at) == ("2 of 9 runs", started, clock.now())
    with opened.writing() as session:
        error = Unavailable("The source is silent.", code="source-silent", hint="Start it.")
        step = journal.failed(session, "mig_1", "wave-1", "dag/mid", error)
    assert step.status == "failed"
    assert (step.error or {})["code"] == "source-silent"
    with opened.writing() as session:
        step = journal.begin(session, "mig_1", "wave-1", "dag/mid")
    assert (step.status, step.attempts, step.error, step.progress, step.finished_at) == ("running", 2, None, "", None)
    with opened.writing() as session:
        step = journal.done(session, "mig_1", "wave-1", "dag/mid", {"moved": 9})
    assert (step.status, step.result, step.finished_at) == ("done", {"moved": 9}, clock.now())


def test_a_cut_off_step_begins_again(opened: Store) -> None:
    for attempt in (1, 2, 3):
        with opened.writing() as session:
            assert journal.begin(session, "mig_1", "wave-1", "dag/zeta").attempts == attempt


def test_what_is_done_stays_done(opened: Store) -> None:
    with opened.writing() as session:
        journal.begin(session, "mig_1", "wave-1", "dag/zeta")
        journal.done(session, "mig_1", "wave-1", "dag/zeta")
    with opened.writing() as session, pytest.raises(Conflict) as caught:
        journal.begin(session, "mig_1", "wave-1", "dag/zeta")
    assert caught.value.code == "step-done"


def test_only_a_running_step_ends(opened: Store) -> None:
    with opened.writing() as session:
        for act in (
            lambda: journal.done(session, "mig_1", "wave-1", "dag/zeta"),
            lambda: journal.failed(session, "mig_1", "wave-1", "dag/zeta", {"code": "x"}),
            lambda: journal.progress(session, "mig_1", "wave-1", "dag/zeta", "half"),
        ):
            with pytest.raises(Conflict) as caught:
                act()
            assert caught.value.code == "step-not-running"
        with pytest.raises(NotFound):
            journal.begin(session, "mig_1", "wave-1", "nothing")


def test_tracks_are_summed_up_in_the_order_of_opening(opened: Store) -> None:
    with opened.writing() as session:
        journal.open_track(session, "mig_1", "apply", _STEPS[:1])
        journal.open_track(session, "mig_2", "apply", _STEPS)
        journal.begin(session, "mig_1", "wave-1", "dag/zeta")
    with opened.reading() as session:
        tracks = journal.tracks(session, "mig_1")
        assert journal.steps(session, "mig_1", "nothing") == []
    assert [(t.track, t.pending, t.running, t.done, t.failed) for t in tracks] == [
        ("wave-1", 2, 1, 0, 0),
        ("apply", 1, 0, 0, 0),
    ]


def test_secrets_never_reach_the_journal(store: Store) -> None:
    secret = Secret("canary-41")
    with store.writing() as session:
        step = {"key": "k", "kind": "x", "title": "X", "params": {"a": secret}}
        journal.open_track(session, "mig_1", "t", [step])
        journal.begin(session, "mig_1", "t", "k")
        journal.done(session, "mig_1", "t", "k", {"b": [secret]})
    (row,) = _steps(store, "t")
    assert (row.params, row.result) == ({"a": "•••"}, {"b": ["•••"]})
