"""What must hold for any estate. If these break, a DAG is forgotten, moved twice, or a plan is not reproducible."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.rooms.migration.plan.conftest import MemoryEstate, estates, opinions

from aerodrome.migration.plan import PlanDefaults, compile_plan, describe, explain, from_yaml, propose, to_yaml
from aerodrome.migration.plan.dependencies import components, edges

SIZES = st.builds(PlanDefaults, first_wave_size=st.integers(1, 4), wave_size=st.integers(1, 4))


@given(st.data(), estates(), SIZES)
@settings(deadline=None, max_examples=150)
def test_every_dag_is_in_exactly_one_wave_or_excluded(
    data: st.DataObject, estate: MemoryEstate, defaults: PlanDefaults
) -> None:
    plan = propose(estate, data.draw(opinions(estate)), defaults)
    placed = [dag_id for wave in plan["waves"] for dag_id in wave["dags"]] + plan["excluded"]
    assert sorted(placed) == sorted(dag.dag_id for dag in estate.records("dag"))


@given(st.data(), estates(), SIZES)
@settings(deadline=None, max_examples=150)
def test_dags_that_depend_on_each_other_move_in_one_wave(
    data: st.DataObject, estate: MemoryEstate, defaults: PlanDefaults
) -> None:
    plan = propose(estate, data.draw(opinions(estate)), defaults)
    moving = {dag_id for wave in plan["waves"] for dag_id in wave["dags"]}
    dags = [dag for dag in estate.records("dag") if dag.dag_id in moving]
    for group in components([dag.dag_id for dag in dags], edges(dags)):
        assert sum(not set(group).isdisjoint(wave["dags"]) for wave in plan["waves"]) == 1
    levels = [("low", "medium", "high").index(wave["criticality"]) for wave in plan["waves"]]
    assert levels == sorted(levels)


@given(st.data(), estates(), SIZES)
@settings(deadline=None, max_examples=150)
def test_a_written_plan_reads_back_as_the_same_plan(
    data: st.DataObject, estate: MemoryEstate, defaults: PlanDefaults
) -> None:
    opinion = data.draw(opinions(estate))
    plan = propose(estate, opinion, defaults)
    text = to_yaml(plan, describe(estate, opinion))
    read = from_yaml(text, estate)
    assert read == plan
    assert to_yaml(read, describe(estate, opinion)) == text
    frozen = compile_plan(plan, estate)
    assert compile_plan(read, estate) == frozen
    assert compile_plan(read, estate).digest == frozen.digest


@given(st.data(), estates())
@settings(deadline=None, max_examples=100)
def test_the_dry_run_shows_every_step_once_and_waves_are_ordered(data: st.DataObject, estate: MemoryEstate) -> None:
    plan = compile_plan(propose(estate, data.draw(opinions(estate)), PlanDefaults()), estate)
    rows = explain(plan)
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    assert len({(row.track, row.key) for row in rows}) == len(rows)
    for steps in plan.waves.values():
        order = {step.key: index for index, step in enumerate(steps)}
        for step in steps:
            dag_id = step.params["dag_id"]
            sequence = [
                order[f"cutover.{kind}:{dag_id}"]
                for kind in ("check", "pause", "drain", "sync", "prove", "unpause", "watch")
                if f"cutover.{kind}:{dag_id}" in order
            ]
            assert sequence == sorted(sequence)
        checks = [index for key, index in order.items() if key.startswith("cutover.check:")]
        others = [index for key, index in order.items() if not key.startswith("cutover.check:")]
        assert not others or max(checks) < min(others)
