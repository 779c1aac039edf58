"""Promotion of a wave without its Airflows: its steps, its gates, and a wait that costs no thread.

If these break, a wave goes to production though it differs, or a platform with one worker thread waits for itself.
The whole way over real Airflows is tests/journeys/test_promotion.py.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.rooms.migration.service.conftest import NAME, Desk
from tests.rooms.migration.service.conftest import desk as desk  # noqa: PLC0414 - a fixture
from tests.rooms.web.conftest import platform as platform  # noqa: PLC0414 - a fixture

from aerodrome.kernel.clock import ManualClock
from aerodrome.kernel.errors import Conflict, Denied, Invalid, NotFound
from aerodrome.kernel.redaction import Redactor
from aerodrome.migration.service import queries
from aerodrome.migration.service.context import Later
from aerodrome.migration.service.proofs import promoting
from aerodrome.migration.service.proofs.contract import PROOF_JOB, CompareWish, PromoteWish, ProofContext
from aerodrome.migration.service.tracks import WALK_JOB
from aerodrome.store import jobs, journal
from aerodrome.store.tables.proof import ProofRow
from aerodrome_airflow import command

WISH = PromoteWish(CompareWish("legacy-dev"))
TESTS = "tests: [{name: chain, dag: daily_sales}, {name: unit, command: [python, -c, pass]}]"


def judged(verdicts: dict[str, str], budget: int, data: tuple[str, ...] = ()) -> dict[str, Any]:
    rows = [{"subject": name, "outcome": "different"} for name in data]
    results = {"compare.dags:0001": {"verdicts": verdicts}, "compare.data": {"rows": rows}}
    row = SimpleNamespace(name=NAME)
    context = ProofContext(cast("Any", None), cast("Any", row), "prf_1", {"error_budget": budget}, cast("Any", None), cast("Any", results))  # fmt: skip
    return dict(promoting.judge(context, {}))


def test_the_gate_lets_through_what_the_budget_allows_and_tells_what_was_not_compared() -> None:
    found = judged({"a": "match", "b": "mismatch", "c": "not-compared", "d": "explained"}, 1)
    assert (found["different"], found["not_compared"]) == (["b"], ["c"])
    assert found["summary"] == "1 of 4 differ, 1 may. Not compared: c."
    with pytest.raises(Conflict) as caught:
        judged({"a": "match", "b": "mismatch"}, 0)
    assert (caught.value.code, caught.value.details["different"]) == ("promotion-gate-closed", ["b"])
    with pytest.raises(Conflict):
        judged({"a": "match", "b": "mismatch"}, 1, ("orders",))  # a data check counts as well


def test_a_secret_that_the_cut_of_a_long_output_goes_through_is_masked() -> None:
    secret = "canary-begin-" + "x" * 40
    known = Redactor()
    known.register(secret)
    fleet = SimpleNamespace(
        ask=lambda _actor, _ref, _probe, asked, _timeout_s: command.run(asked["command"], asked["timeout_s"]),
        hide=lambda _actor, _ref, data: known.data(data),
    )
    context = cast("Any", SimpleNamespace(fleet=fleet, actor=None))
    program = f"print('{secret}' + '.' * {promoting.OUTPUT_SHOWN - 10})"
    is_good, said = promoting._run_command(context, "dep_1", [sys.executable, "-c", program], 60)
    assert is_good
    assert said.startswith("Exit code 0. ")
    assert "x" not in said.removeprefix("Exit code 0. ")


@pytest.mark.airflow
def test_a_promotion_lists_its_steps_and_refuses_what_it_cannot_do(desk: Desk) -> None:
    wave = desk.assessed().waves[0]
    proofs, actor = desk.migrations.proofs, desk.actor()
    file = f"{TESTS}\nchecks: [{{name: a, sql: select 1, source: w, target: w}}]"
    whole = replace(WISH, compare=replace(WISH.compare, file=file), error_budget=2)
    keys = [step["key"] for step in proofs.promote_steps(actor, NAME, wave, whole)]
    assert keys[:3] == ["compare.ready", "promotion.tests", "compare.dags:0001"]
    assert keys[-7:] == ["compare.data", "promotion.gate", "promotion.bundle", "promotion.window", "promotion.begin", "promotion.cutover", "promotion.watch"]  # fmt: skip
    short = [
        step["key"] for step in proofs.promote_steps(actor, NAME, wave, replace(WISH, with_compare=False, at_once=True))
    ]
    assert short == ["compare.ready", "promotion.bundle", "promotion.begin", "promotion.cutover", "promotion.watch"]
    for changed, code in (
        (replace(WISH, error_budget=-1), "budget-invalid"),
        (replace(WISH, watch_s=-1), "watch-invalid"),
        (replace(WISH, compare=replace(WISH.compare, file="tests: [{name: a}]")), "comparison-file-invalid"),
    ):
        with pytest.raises(Invalid) as caught:
            proofs.promote(actor, NAME, wave, changed)
        assert caught.value.code == code
    with pytest.raises(NotFound):
        proofs.promote(actor, NAME, "nobody", WISH)
    with pytest.raises(Denied):
        proofs.promote(desk.actor("viewer"), NAME, wave, WISH)
    with pytest.raises(Conflict) as refused:
        proofs.promote(actor, NAME, wave, WISH)
    assert refused.value.code == "not-applied"
    assert proofs.list(actor, NAME) == []
    (view, *_) = desk.migrations.waves.list(actor, NAME)
    assert view.owners
    assert view.quiet


@pytest.mark.airflow
def test_a_wait_gives_its_thread_back_counts_no_attempts_and_survives_a_kill(desk: Desk, clock: ManualClock) -> None:
    migration = desk.assessed()
    opens = (clock.now().astimezone(UTC) + timedelta(hours=2)).replace(minute=0, second=0, microsecond=0)
    window = f"{opens:%H:%M}-{opens + timedelta(hours=1):%H:%M}"
    asked(desk, migration.id, window, clock.now())
    desk.work()
    waiting = desk.migrations.proofs.get(desk.actor(), NAME, "prf_wait")
    assert (waiting.status, [step.status for step in waiting.steps]) == ("running", ["running"])
    for _ in range(3):  # each look is a new one, as after a kill: nothing is kept in memory
        clock.advance(timedelta(seconds=61))
        desk.work()
    (step,) = desk.migrations.proofs.get(desk.actor(), NAME, "prf_wait").steps
    assert (step.status, step.attempts) == ("running", 1)
    clock.advance(opens - clock.now() + timedelta(seconds=1))
    desk.work()
    done = desk.migrations.proofs.get(desk.actor(), NAME, "prf_wait")
    assert (done.status, done.result["gates"]) == ("done", {"window": "Open."})
    assert desk.migrations.proofs.promotions(desk.actor(), NAME)["wave-1"].id == "prf_wait"


def asked(desk: Desk, migration_id: str, window: str, now: datetime) -> None:
    """Ask for nothing but the wait."""
    with desk.platform.store.writing() as session:
        actor = {"id": "usr_1", "name": "operator", "kind": "user", "roles": [["operator", ""]]}
        session.add(
            ProofRow(
                id="prf_wait", migration_id=migration_id, kind="promotion", status="queued", params={"wave": "wave-1"}, result={},
                error=None, actor=actor, created_at=now, finished_at=None,
            )
        )  # fmt: skip
        session.flush()
        step = {"key": "promotion.window", "kind": "promotion.window", "title": "Wait", "params": {"window": window}}
        journal.open_track(session, "prf_wait", "promotion", [step])
        jobs.enqueue(session, PROOF_JOB, "prf_wait", lane=f"migration/{migration_id}/promotion")


@pytest.mark.airflow
def test_beginning_twice_is_beginning_once_and_the_wait_tells_how_it_ended(desk: Desk) -> None:
    """A kill between the act and its commit begins the step again: the cutover goes on as it was asked for."""
    migration = desk.assessed()
    wave, track = migration.waves[0], f"cutover:{migration.waves[0]}"
    store, actor = desk.platform.store, desk.actor()
    change(desk, "applied", [("apply", "environment.deployment", "done", None)])
    row = desk.migrations.row_for(actor, NAME, "migration.apply")
    params = {"wave": wave, "error_budget": 1, "plan_digest": row.plan_digest}

    def context() -> ProofContext:
        return ProofContext(
            desk.migrations, desk.migrations.row_for(actor, NAME, "migration.apply"), "prf_1", params, actor, {}
        )

    for _ in range(2):
        assert promoting.begin(context(), {})["summary"] == "Begun."
    with store.reading() as session:
        keys = [step.key for step in journal.steps(session, migration.id, track)]
        assert len(jobs.view(session, WALK_JOB)) == 1
    assert len(set(keys)) == len(keys) > 2
    with pytest.raises(Later):
        promoting.await_cutover(context(), {})

    error = Conflict("It is not the same.", code="target-object-missing")
    change(desk, "failed", [(track, key, "failed", error) for key in keys[:2]])
    with pytest.raises(Conflict) as caught:
        promoting.await_cutover(context(), {})
    assert (caught.value.code, caught.value.details["failed"]) == ("promotion-cutover-failed", 2)
    assert "goes back" in caught.value.hint
    change(desk, "failed", [(track, key, "done", None) for key in keys[1:]])
    within = promoting.await_cutover(context(), {})  # one may fail
    assert (within["failed"], within["budget"]) == (1, 1)
    change(desk, "applied", [(track, keys[0], "done", None)])
    assert promoting.await_cutover(context(), {})["failed"] == 0
    assert promoting.begin(context(), {})["summary"] == "Begun."  # what is done stays so
    assert desk.view.status == "applied"
    params["plan_digest"] = "another"
    with pytest.raises(Conflict) as stale:
        promoting.begin(context(), {})
    assert stale.value.code == "plan-stale"


def change(desk: Desk, status: str, steps: list[tuple[str, str, str, Conflict | None]]) -> None:
    """Let a walk have come this far: (track, key, status, error)."""
    with desk.platform.store.writing() as session:
        row = queries.find(session, NAME)
        row.status = status
        for track, key, wanted, error in steps:
            if track == "apply":
                journal.open_track(session, row.id, track, [{"key": key, "kind": key, "title": key}])
            journal.begin(session, row.id, track, key)
            if error is not None:
                journal.failed(session, row.id, track, key, error)
            else:
                assert wanted == "done"
                journal.done(session, row.id, track, key)
