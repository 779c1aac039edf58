"""The table of step handlers: a plan must never hold a step that nobody can run."""

from __future__ import annotations

from tests.rooms.migration.plan.conftest import MemoryEstate, Opinion, connection, dag, env_var, variable

from aerodrome.migration.estate.records import PoolRecord
from aerodrome.migration.plan import PlanDefaults, compile_plan, from_yaml, propose, to_yaml
from aerodrome.migration.service.conducting import KINDS
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
    assert kinds <= {*HANDLERS, *KINDS}


def test_a_plan_that_names_a_backend_sends_secrets_there() -> None:
    estate = MemoryEstate((dag("daily_sales"), connection("warehouse"), variable("country")))
    settings = propose(estate, Opinion(), PlanDefaults(workspace="sales"))
    settings["secrets"]["backend"] = "team-vault"
    again = from_yaml(to_yaml(settings), estate)
    assert again == settings
    steps = {step.key: step for step in compile_plan(again, estate).steps}
    assert steps["environment.backend"].params == {"workspace": "sales", "backend": "team-vault"}
    assert {step.kind for step in steps.values()} <= set(HANDLERS)
    for key in ("transfer.variables", "transfer.connections", "validate.objects"):
        assert (steps[key].params["backend"], steps[key].params["workspace"]) == ("team-vault", "sales")
    assert "team-vault" in steps["transfer.connections"].title
    without = {step.key: step for step in compile_plan(propose(estate, Opinion(), PlanDefaults()), estate).steps}
    assert "environment.backend" not in without
    assert "backend" not in without["transfer.connections"].params
