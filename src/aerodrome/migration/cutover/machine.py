"""The states of one DAG's hand-over, and how it goes from one to the next.

Nothing stores the state: it is read off the journal of acts, oldest first (`state_after`).
"""

from __future__ import annotations

from collections.abc import Iterable

from aerodrome.kernel.machine import Machine

STATES = {
    "ready": "The source runs it; the target has it, paused.",
    "paused": "The source starts no new runs of it; runs in flight may still go on.",
    "drained": "Nothing of it runs in the source any more.",
    "synced": "The target has its whole history up to the last run of the source.",
    "proved": "Both sides agree which interval comes next.",
    "live": "The target runs it; the source stays paused.",
    "watched": "Its first run in the target went as expected; the hand-over is complete.",
    "rolled-back": "The source runs it again; the target has it, paused. Cutover may start again.",
    "failed": "An act failed and nothing was lost: repeat the cutover, or roll this DAG back.",
}

_FORWARD = {
    ("ready", "pause"): "paused",
    ("ready", "drain"): "drained",  # was paused before we came: nothing to pause
    ("paused", "drain"): "drained",
    ("drained", "sync"): "synced",
    ("synced", "prove"): "proved",
    ("proved", "unpause"): "live",
    ("live", "watch"): "watched",
}
_REPEATED = {
    ("paused", "pause"): "paused",
    ("drained", "drain"): "drained",
    ("synced", "sync"): "synced",
    ("proved", "sync"): "synced",  # syncing again asks for the proof again
    ("proved", "prove"): "proved",
    ("live", "unpause"): "live",
    ("live", "prove"): "live",
    ("watched", "watch"): "watched",
    ("rolled-back", "pause"): "paused",
    ("rolled-back", "drain"): "drained",
    ("rolled-back", "roll_back"): "rolled-back",
}
_BACK = {(state, "roll_back"): "rolled-back" for state in ("paused", "drained", "synced", "proved", "live", "failed")}
_FAILING = {(state, "fail"): "failed" for state in STATES if state not in ("watched", "rolled-back")}
_AGAIN = {("failed", act): state for (_, act), state in _FORWARD.items()}

CUTOVER = Machine("cutover", "ready", STATES, {**_FORWARD, **_REPEATED, **_BACK, **_FAILING, **_AGAIN})


def state_after(events: Iterable[str]) -> str:
    """Give the state after these events (pause, drain, …, fail, roll_back); Conflict for an impossible one."""
    state = CUTOVER.initial
    for event in events:
        state = CUTOVER.next(state, event)
    return state
