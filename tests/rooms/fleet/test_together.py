"""Many people and the worker at the same time. Breaks for teams: spurious conflicts, lost changes, double numbers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.rooms.fleet.world import World

from aerodrome.access import SYSTEM
from aerodrome.fleet.reconcile import KIND
from aerodrome.fleet.service import DeploymentChanges, NewDeployment
from aerodrome.kernel.clock import SystemClock
from aerodrome.kernel.errors import Conflict
from aerodrome.worker.loop import Worker


def test_commands_never_lose_against_the_worker(world: World) -> None:
    world.deployment()
    bundles = [world.project(str(number)) for number in range(4)]
    worker = Worker(world.store, SystemClock(), {KIND: world.reconciler.look}, poll_s=0.01)

    def change(number: int) -> None:
        world.fleet.update_deployment(SYSTEM, "shop", DeploymentChanges(description=f"text {number}"))
        world.fleet.set_env(SYSTEM, "shop", {f"E{number}": str(number)})
        world.fleet.deploy(SYSTEM, "shop", bundles[number])

    worker.start()
    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(change, range(4)))
        for deploy in world.fleet.list_deploys(SYSTEM, "shop"):
            world.fleet.wait_live(SYSTEM, deploy.id, 20)
        view = world.fleet.wait_healthy(SYSTEM, "shop", 20)
    finally:
        worker.stop()
    assert view.env == {f"E{number}": str(number) for number in range(4)}
    assert [deploy.number for deploy in world.fleet.list_deploys(SYSTEM, "shop")] == [4, 3, 2, 1]
    assert view.current_deploy_id == world.fleet.get_deploy(SYSTEM, "shop", 4).id


def test_one_of_those_who_take_a_name_in_the_same_moment_gets_it(world: World) -> None:
    world.fleet.create_workspace(SYSTEM, "team")

    def take(_number: int) -> str:
        try:
            return world.fleet.create_deployment(SYSTEM, NewDeployment("shop", "team")).id
        except Conflict as error:
            return error.code

    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(take, range(6)))
    assert results.count("deployment-name-taken") == 5
    assert len(world.secrets.list("deployment")) == 2
