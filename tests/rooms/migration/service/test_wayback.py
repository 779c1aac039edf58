"""The way back as the journal walks it. If these break, a DAG runs on both sides, or a page tells of a wave what is not true."""

from __future__ import annotations

from typing import Any, cast

import pytest
from tests.rooms.migration.cutover.side import DAG
from tests.rooms.migration.cutover.world import World
from tests.rooms.migration.service.conftest import NAME, Desk

from aerodrome.kernel.errors import Conflict, NotFound
from aerodrome.migration import cutover
from aerodrome.migration.cutover import Ended
from aerodrome.migration.plan import return_steps
from aerodrome.migration.plan.contract import Step
from aerodrome.migration.service.conducting import conduct
from aerodrome.migration.service.context import StepContext
from aerodrome.migration.service.wayback import settle
from aerodrome.store import Store, journal
from aerodrome.web.ui.pages.migrations import actions_of

MIG, WAVE = "mig_1", "wave-1"


def steps_of(*dag_ids: str) -> list[Step]:
    """A wave's steps, as far as they matter here."""
    kinds = ("check", "pause", "drain", "sync", "prove", "unpause", "watch")
    return [
        Step(f"cutover.{kind}:{dag_id}", "cutover", f"cutover.{kind}", f"{kind} {dag_id}", {"dag_id": dag_id})
        for kind in kinds
        for dag_id in dag_ids
    ]


def begin(store: Store, subject: str, track: str, steps: list[Step], *done: str) -> None:
    """Walk the named steps."""
    with store.writing() as session:
        journal.open_track(session, subject, track, [step.as_data() for step in steps])
        for key in done:
            journal.begin(session, subject, track, key)
            journal.done(session, subject, track, key, {"deployment_id": "dep_gone"})


def states(store: Store, track: str, subject: str = MIG) -> dict[str, str]:
    with store.reading() as session:
        return {step.key: step.status for step in journal.steps(session, subject, track)}


def test_dags_go_back_in_reverse_and_checks_come_first() -> None:
    steps = steps_of("a", "b", "c")
    back = return_steps(WAVE, steps, {"cutover.check:c", "cutover.pause:a", "cutover.pause:b"})
    assert [step.key.removeprefix("cutover.") for step in back] == [
        "check_return:b",
        "check_return:a",
        "roll_back:b",
        "roll_back:a",
    ]
    some = return_steps(WAVE, steps, {"cutover.pause:a", "cutover.pause:b"}, ["a"])
    assert [step.params["dag_id"] for step in some] == ["a", "a"]


def test_there_is_no_way_back_for_what_was_not_paused() -> None:
    steps = steps_of("a", "b")
    for begun, wanted in ((set[str](), None), ({"cutover.pause:a"}, ["b"])):
        with pytest.raises(Conflict) as caught:
            return_steps(WAVE, steps, begun, wanted)
        assert caught.value.code == "nothing-to-roll-back"
    with pytest.raises(NotFound, match="wave-1 has no DAG z"):
        return_steps(WAVE, steps, {"cutover.pause:a"}, ["z"])


def walk_back(store: Store, world: World) -> Ended:
    """Walk the rollback track of the wave; its two sides are the model's."""
    unused = cast("Any", None)
    context = StepContext(
        migration_id=MIG,
        actor=unused,
        settings={},
        folder=unused,
        fleet=unused,
        bundles=unused,
        clock=world.clock,
        open_source=lambda: cast("Any", world),
        estate_digest="",
        source_config=unused,
        results={},
    )
    return conduct(store, context, f"rollback:{WAVE}", world.context())


def hand_over(world: World, acts: tuple[str, ...]) -> None:
    context = world.context()
    parameters: dict[str, dict[str, Any]] = {
        "pause": {},
        "drain": {"deadline_s": 900, "on_deadline": "fail"},
        "sync": {},
        "prove": {"limit_s": 120},
        "unpause": {},
        "watch": {"limit_s": 4000},
    }
    for act in acts:
        cutover.run(context, getattr(cutover, act)(context, DAG, **parameters[act]))


def test_the_source_runs_it_again_and_the_wave_can_be_cut_over_again(store: Store) -> None:
    world = World()
    world.pass_time(700)
    acts = ("pause", "drain", "sync", "prove", "unpause")
    hand_over(world, acts)
    steps = steps_of(DAG)
    keys = [f"cutover.{act}:{DAG}" for act in ("check", *acts)]
    begin(store, MIG, f"cutover:{WAVE}", steps, *keys)
    back = list(return_steps(WAVE, steps, set(keys)))
    begin(store, MIG, f"rollback:{WAVE}", back)
    assert walk_back(store, world).how == "done"
    for _ in range(2):  # a kill between the last step and the end of the job repeats it
        with store.writing() as session:
            settle(session, MIG, WAVE)
    assert (world.old.is_paused, world.new.is_paused) == (False, True)
    assert states(store, f"cutover:{WAVE}") == {}
    assert set(states(store, f"rollback:{WAVE}").values()) == {"done"}
    hand_over(world, acts)
    assert (world.old.is_paused, world.new.is_paused) == (True, False)


def test_a_target_that_has_run_stops_the_way_back_where_the_source_cannot_be_told(store: Store) -> None:
    world = World(can_carry=False)
    world.pass_time(700)
    hand_over(world, ("pause", "drain", "sync", "prove", "unpause", "watch"))
    steps = steps_of(DAG)
    keys = [step.key for step in steps]
    begin(store, MIG, f"cutover:{WAVE}", steps, *keys)
    begin(store, MIG, f"rollback:{WAVE}", list(return_steps(WAVE, steps, set(keys))))
    error = walk_back(store, world).errors[DAG]
    assert error.code == "target-has-runs"
    assert "already" in error.message
    assert error.hint
    with store.writing() as session:
        assert settle(session, MIG, WAVE) == ()
    assert (world.old.is_paused, world.new.is_paused) == (True, False)
    assert set(states(store, f"cutover:{WAVE}").values()) == {"done"}


def test_only_the_dags_that_went_back_are_pending_again(store: Store) -> None:
    steps = steps_of("a", "b")
    keys = [step.key for step in steps if step.kind in ("cutover.check", "cutover.pause", "cutover.drain")]
    begin(store, MIG, f"cutover:{WAVE}", steps, *keys)
    back = list(return_steps(WAVE, steps, set(keys), ["a"]))
    begin(store, MIG, f"rollback:{WAVE}", back, *(step.key for step in back))
    with store.writing() as session:
        assert settle(session, MIG, WAVE) == ("a",)
    left = states(store, f"cutover:{WAVE}")
    assert {key for key, status in left.items() if status == "done"} == {key for key in keys if key.endswith(":b")}


@pytest.mark.airflow
def test_the_migration_tells_the_truth_at_every_turn(desk: Desk) -> None:
    view = desk.assessed()
    store, wave, operator = desk.platform.store, view.waves[0], desk.actor()
    plan = desk.migrations.frozen(desk.migrations.row_for(operator, NAME, "migration.read"))
    begin(store, view.id, "apply", list(plan.steps), *(step.key for step in plan.steps))
    with pytest.raises(Conflict) as caught:
        desk.migrations.waves.roll_back(operator, NAME, wave)
    assert caught.value.code == "nothing-to-roll-back"

    held = next(step for step in plan.waves[wave] if step.kind == "cutover.pause")
    assert desk.migrations.waves.cut_over(operator, NAME, wave).status == "cutting-over"
    with pytest.raises(Conflict, match="cutting-over now"):
        desk.migrations.waves.roll_back(operator, NAME, wave)
    desk.work()  # the first check fails: no target runs here
    assert desk.view.status == "failed"
    begin(store, view.id, f"cutover:{wave}", list(plan.waves[wave]), held.key)
    assert [action.title for action in actions_of(desk.view)] == [f"Roll back {wave}", f"Cut over {wave}"]
    text = desk.migrations.plan(operator, NAME).text
    for refused in (
        lambda: desk.migrations.save_plan(operator, NAME, text),
        lambda: desk.migrations.assess(operator, NAME),
    ):
        with pytest.raises(Conflict) as caught:
            refused()
        assert caught.value.code == "plan-fixed"

    rows = desk.migrations.waves.roll_back_steps(desk.actor("viewer"), NAME, wave)
    asked = desk.migrations.waves.roll_back(operator, NAME, wave)
    assert asked.status == "rolling-back"
    assert actions_of(asked) == []
    assert [step.key for step in asked.tracks[-1].steps] == [row.key for row in rows]
    begin(store, view.id, f"rollback:{wave}", [], *(row.key for row in rows))
    desk.work()
    after = desk.view
    assert (after.status, after.error) == ("applied", None), after.error
    assert {track.name: track.status for track in after.tracks} == {"apply": "done", f"rollback:{wave}": "done"}
    assert [action.title for action in actions_of(after)] == [f"Cut over {wave}"]
    assert desk.migrations.waves.cut_over(operator, NAME, wave).status == "cutting-over"
