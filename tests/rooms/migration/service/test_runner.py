"""The walk over a journal: a kill at any step costs one more attempt of that step, never a step done twice or left out."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any, cast

import pytest

from aerodrome.kernel.errors import AerodromeError, Invalid, Unavailable
from aerodrome.migration.service.context import StepContext, Stopped
from aerodrome.migration.service.runner import walk
from aerodrome.store import Store, journal

STEPS = [
    {"key": f"{phase}.{name}", "phase": phase, "kind": "note", "title": f"Do {name}", "params": {"name": name}}
    for phase, name in (("environment", "one"), ("code", "two"), ("transfer", "three"))
]


def context(**values: Any) -> StepContext:
    """A context for handlers that need nothing of the rooms below."""
    unused = cast("Any", None)
    return StepContext(
        migration_id="mig_1",
        actor=unused,
        settings={},
        folder=unused,
        fleet=unused,
        bundles=unused,
        clock=unused,
        open_source=unused,
        estate_digest="",
        source_config=unused,
        results={},
        **values,
    )


def opened(store: Store) -> None:
    with store.writing() as session:
        journal.open_track(session, "mig_1", "apply", STEPS)


def states(store: Store) -> list[tuple[str, int]]:
    with store.reading() as session:
        return [(step.status, step.attempts) for step in journal.steps(session, "mig_1", "apply")]


def test_runs_every_step_in_order_and_hands_results_on(store: Store) -> None:
    opened(store)
    seen: list[tuple[str, list[str]]] = []

    def note(context: StepContext, params: Any) -> dict[str, Any]:
        seen.append((params["name"], sorted(context.results)))
        return {"name": params["name"]}

    assert walk(store, context(), "apply", {"note": note}) is None
    assert seen == [("one", []), ("two", ["environment.one"]), ("three", ["code.two", "environment.one"])]
    assert states(store) == [("done", 1)] * 3


def test_stops_at_a_failure_and_goes_on_there(store: Store) -> None:
    opened(store)
    broken = {"two"}
    done: list[str] = []

    def note(_context: StepContext, params: Any) -> dict[str, Any]:
        if params["name"] in broken:
            raise Invalid("Two is wrong.", code="two-wrong", hint="Mend it.")
        done.append(params["name"])
        return {}

    error = walk(store, context(), "apply", {"note": note})
    assert isinstance(error, AerodromeError)
    assert error.code == "two-wrong"
    assert states(store) == [("done", 1), ("failed", 1), ("pending", 0)]
    broken.clear()
    assert walk(store, context(), "apply", {"note": note}) is None
    assert done == ["one", "two", "three"]


def test_a_full_disk_is_told_and_the_walk_goes_on_there_when_there_is_room(store: Store, tmp_path: Path) -> None:
    opened(store)
    place = [Path("/dev/full")]  # the kernel refuses every write there for want of room

    def note(_context: StepContext, params: Any) -> dict[str, Any]:
        if params["name"] == "two":
            place[0].write_text("a checkpoint")
        return {}

    error = walk(store, context(), "apply", {"note": note})
    assert error is not None
    assert (error.code, error.message) == ("disk-full", "Do two: the disk is full.")
    assert "apply again" in error.hint
    assert states(store) == [("done", 1), ("failed", 1), ("pending", 0)]
    place[0] = tmp_path / "room"
    assert walk(store, context(), "apply", {"note": note}) is None
    assert states(store) == [("done", 1), ("done", 2), ("done", 1)]


def test_a_file_that_cannot_be_written_is_named(store: Store, tmp_path: Path) -> None:
    opened(store)

    def note(_context: StepContext, _params: Any) -> dict[str, Any]:
        (tmp_path / "none" / "file").write_text("x")
        return {}

    error = walk(store, context(), "apply", {"note": note})
    assert error is not None
    assert error.code == "file-failed"
    assert str(tmp_path / "none" / "file") in error.message


def test_a_defect_stops_the_walk_with_its_kind_only(store: Store) -> None:
    opened(store)

    def note(_context: StepContext, _params: Any) -> dict[str, Any]:
        raise KeyError("canary")

    error = walk(store, context(), "apply", {"note": note})
    assert error is not None
    assert error.code == "step-crashed"
    with store.reading() as session:
        assert "canary" not in str([step.error for step in journal.steps(session, "mig_1", "apply")])


def test_tries_again_what_may_work_later(store: Store) -> None:
    opened(store)
    misses = [2]
    waits: list[float] = []

    def note(_context: StepContext, _params: Any) -> dict[str, Any]:
        if misses[0]:
            misses[0] -= 1
            raise Unavailable("Not yet.", code="not-yet", retry_after_s=0.25)
        return {}

    assert walk(store, context(), "apply", {"note": note}, wait=waits.append) is None
    assert waits == [0.25, 0.25]
    assert states(store)[0] == ("done", 3)


def test_stops_between_steps_when_the_server_goes_down(store: Store) -> None:
    opened(store)
    stopping = [False]

    def note(_context: StepContext, _params: Any) -> dict[str, Any]:
        stopping[0] = True
        return {}

    with pytest.raises(Stopped):
        walk(store, context(is_stopping=lambda: stopping[0]), "apply", {"note": note})
    assert states(store) == [("done", 1), ("pending", 0), ("pending", 0)]


WALKER = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {here!r})
from test_runner import context
from aerodrome.migration.service.runner import walk
from aerodrome.store import open_store

marks, die_at = Path(sys.argv[1]), sys.argv[2]

def note(_context, params):
    name = params["name"]
    if die_at == f"before {{name}}":
        os.kill(os.getpid(), signal.SIGKILL)
    mark = marks / name
    if not mark.exists():  # the act recognises itself
        with (marks / "acts").open("a") as acts:
            acts.write(name + " ")
        mark.touch()
    if die_at == f"after {{name}}":
        os.kill(os.getpid(), signal.SIGKILL)
    return {{}}

store = open_store(os.environ["STORE_URL"])
walk(store, context(), "apply", {{"note": note}})
"""


@pytest.mark.parametrize(
    "die_at", [f"{when} {name}" for name in ("one", "two", "three") for when in ("before", "after")]
)
def test_survives_kill_9_at_every_step(store: Store, store_url: str, tmp_path: Path, die_at: str) -> None:
    opened(store)
    script = tmp_path / "walker.py"
    script.write_text(textwrap.dedent(WALKER).format(here=str(Path(__file__).parent)))
    marks = tmp_path / "marks"
    marks.mkdir()

    def run(die: str) -> int:
        command = [sys.executable, str(script), str(marks), die]
        return subprocess.run(command, env={"STORE_URL": store_url, "PATH": ""}, check=False, timeout=60).returncode

    assert run(die_at) == -signal.SIGKILL
    assert run("never") == 0
    assert (marks / "acts").read_text().split() == ["one", "two", "three"]
    name = die_at.split()[1]
    expected = [("done", 2 if step["params"]["name"] == name else 1) for step in STEPS]  # type: ignore[index]
    assert states(store) == expected
