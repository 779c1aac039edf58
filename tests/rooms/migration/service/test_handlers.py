"""The table of step handlers: a plan must never hold a step that nobody can run."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest
from tests.rooms.fleet.conftest import world  # noqa: F401 - a fixture
from tests.rooms.fleet.world import World
from tests.rooms.migration.plan.conftest import MemoryEstate, Opinion, connection, dag, env_var, variable
from tests.rooms.migration.transfer.conftest import (  # noqa: F401 - fixtures
    MemorySource,
    _sqlite_target,
    airflow3,
    fernet_key,
    sqlite_access,
)
from tests.rooms.migration.transfer.test_backend_objects import connection as stored_connection

from aerodrome.access import SYSTEM
from aerodrome.kernel.errors import Invalid
from aerodrome.kernel.secret import Secret
from aerodrome.migration.estate.records import PoolRecord
from aerodrome.migration.plan import PlanDefaults, compile_plan, from_yaml, propose, to_yaml
from aerodrome.migration.service.conducting import KINDS
from aerodrome.migration.service.handlers import HANDLERS
from aerodrome.migration.sources.contract import SourceAdapter, VariableValue
from aerodrome.migration.transfer import TargetDatabase
from aerodrome.runtimes.contract import AirflowAccess


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


def test_a_plan_may_keep_secrets_in_the_environment_manager() -> None:
    """They become objects of the deployment; a backend that the plan names goes first."""
    estate = MemoryEstate((dag("daily_sales"), connection("warehouse"), variable("country")))
    settings = propose(estate, Opinion(), PlanDefaults(workspace="sales"))
    settings["secrets"]["place"] = "environment"
    again = from_yaml(to_yaml(settings), estate)
    assert again == settings
    steps = {step.key: step for step in compile_plan(again, estate).steps}
    for key in ("transfer.variables", "transfer.connections", "validate.objects"):
        assert steps[key].params["place"] == "environment"
    assert steps["transfer.connections"].title == "Make 1 connection objects of the deployment"
    settings["secrets"]["backend"] = "team-vault"
    steps = {step.key: step for step in compile_plan(settings, estate).steps}
    assert all("place" not in step.params for step in steps.values())
    with pytest.raises(Invalid, match="place"):
        from_yaml(to_yaml(settings).replace("place: environment", "place: nowhere"), estate)


class _Context:
    """What the handlers below ask of a migration's context."""

    def __init__(self, world: World, source: SourceAdapter, target: TargetDatabase) -> None:  # noqa: F811
        self.fleet, self.actor, self.source, self.target = world.fleet, SYSTEM, source, target
        self.deployment_id = world.deployment("shop").id

    def progress(self, text: str) -> None:
        assert text


@pytest.mark.airflow
def test_objects_of_the_deployment_are_made_and_found(world: World, sqlite_access: AirflowAccess) -> None:  # noqa: F811
    source = MemorySource(
        connections=[stored_connection("warehouse")], variables=[VariableValue("country", Secret("ch"), None)]
    )
    target = TargetDatabase(sqlite_access)
    context: Any = _Context(world, source, target)
    for kind, keys in (("connections", ["warehouse", "lost"]), ("variables", ["country"])):
        params = {"keys": keys, "on_conflict": "source-wins", "place": "environment"}
        done = HANDLERS[f"transfer.{kind}"](context, params)
        assert done["moved"] == 1
    wanted = {"connections": ["warehouse", "lost"], "variables": ["country"], "pools": [], "place": "environment"}
    rows = HANDLERS["validate.objects"](context, wanted)["rows"]
    assert [(row["subject"], row["is_ok"]) for row in rows] == [("warehouse", True), ("lost", False), ("country", True)]
    target.close()
    with sqlite3.connect(sqlite_access.database_url.reveal().removeprefix("sqlite:///")) as database:
        assert database.execute("select count(*) from variable").fetchone() == (0,)
