"""The table of step handlers: a plan must never hold a step that nobody can run."""

from __future__ import annotations

from tests.rooms.migration.plan.conftest import MemoryEstate, Opinion, connection, dag, env_var, variable

from aerodrome.migration.estate.records import PoolRecord
from aerodrome.migration.plan import PlanDefaults, compile_plan, propose
from aerodrome.migration.service.handlers import HANDLERS


def test_every_kind_of_step_that_a_plan_has_is_handled() -> None:
    estate = MemoryEstate(
        (
            dag("daily_sales"),
            dag("cleanup", is_paused=True),
            connection("warehouse"),
            variable("country"),
            PoolRecord("default_pool", 128, None, include_deferred=False),
            env_var("REGION"),
        )
    )
    plan = compile_plan(propose(estate, Opinion(), PlanDefaults()), estate)
    kinds = {step.kind for step in (*plan.steps, *(step for wave in plan.waves.values() for step in wave))}
    assert {"environment.deployment", "transfer.history", "cutover.sync", "cutover.watch"} <= kinds
    assert kinds <= set(HANDLERS)
