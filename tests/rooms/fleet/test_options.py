"""The settings of a deployment. Breaks with an Airflow that does not start because of a typing error."""

from __future__ import annotations

import pytest
from tests.rooms.fleet.world import World

from aerodrome.access import SYSTEM
from aerodrome.fleet import options
from aerodrome.fleet.service import DeploymentChanges
from aerodrome.fleet.upkeep import Keeper, read_counts
from aerodrome.kernel.errors import Conflict, Invalid, NotFound
from aerodrome.store import jobs


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        (DeploymentChanges(config={"core.max_active_runs_per_dag": "many"}), "config.core.max_active_runs_per_dag"),
        (DeploymentChanges(config={"core.max_active_runs_per_dag": "0"}), "config.core.max_active_runs_per_dag"),
        (DeploymentChanges(config={"scheduler.catchup_by_default": "maybe"}), "config.scheduler.catchup_by_default"),
        (DeploymentChanges(config={"logging.logging_level": "LOUD"}), "config.logging.logging_level"),
        (DeploymentChanges(drain_s=-1), "drain_s"),
        (DeploymentChanges(log_retention_days=5000), "log_retention_days"),
        (DeploymentChanges(pools={"a": -2}), "pools.a"),
        (DeploymentChanges(upkeep={"clean_days": 3}), "upkeep.clean_days"),
    ],
)
def test_what_airflow_would_stumble_over_is_refused(world: World, changes: DeploymentChanges, field: str) -> None:
    world.deployment()
    with pytest.raises(Invalid) as caught:
        world.fleet.update_deployment(SYSTEM, "shop", changes)
    assert caught.value.details == {"field": field}
    assert world.show().generation == 1


def test_every_known_option_takes_its_own_default() -> None:
    options.check({option.key: option.default for option in options.OPTIONS})
    assert {option.key for option in options.known("2.11.2")} != {option.key for option in options.known("3.3.2")}


def test_pools_and_retention_restart_nothing_and_reach_the_machine(world: World) -> None:
    view = world.deployment()
    world.look()
    world.look()
    world.fleet.update_deployment(SYSTEM, "shop", DeploymentChanges(pools={"dwh": 3}, log_retention_days=30))
    assert world.show().generation == view.generation
    world.look()
    job = jobs.lease(world.store, world.clock, "test", 60, ["deployment.upkeep"])
    assert job is not None
    Keeper(world.context).look(job)
    assert world.runtime.databases.rows(f"pools@{view.id}-pools") == {"pools": {"dwh": 3}, "log_days": 30}


def test_what_airflow_db_clean_says_is_read() -> None:
    said = "Checking table dag_run\nFound 0 rows meeting deletion criteria.\nPerforming dry run for table log\nChecking table log\nFound 12 rows meeting deletion criteria.\n"
    assert read_counts(said) == {"log": 12}


def test_workspaces_are_renamed_and_only_empty_ones_go(world: World) -> None:
    world.deployment()
    world.fleet.create_workspace(SYSTEM, "other")
    with pytest.raises(Conflict):
        world.fleet.update_workspace(SYSTEM, "other", name="team")
    assert world.fleet.update_workspace(SYSTEM, "other", name="spare", description="x").name == "spare"
    with pytest.raises(Conflict, match="1 deployment"):
        world.fleet.delete_workspace(SYSTEM, "team")
    world.fleet.delete_workspace(SYSTEM, "spare")
    with pytest.raises(NotFound):
        world.fleet.get_workspace(SYSTEM, "spare")


def test_deployments_are_listed_by_status(world: World) -> None:
    world.deployment("one")
    assert [view.name for view in world.fleet.list_deployments(SYSTEM, status="creating")] == ["one"]
    assert world.fleet.list_deployments(SYSTEM, status="healthy") == []
    with pytest.raises(Invalid):
        world.fleet.list_deployments(SYSTEM, status="splendid")
