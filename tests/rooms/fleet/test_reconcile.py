"""The reconciler makes wishes true, whatever the order of news. Breaks for everybody whose Airflow is to run."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.rooms.fleet.world import World

from aerodrome.access import SYSTEM
from aerodrome.fleet.reconcile import KIND
from aerodrome.fleet.service import DeploymentChanges
from aerodrome.kernel.clock import ManualClock
from aerodrome.kernel.errors import NotFound
from aerodrome.kernel.secret import Secret
from aerodrome.store import jobs, outbox


def test_a_new_deployment_becomes_healthy_without_a_deploy(world: World) -> None:
    view = world.deployment(env={"A": "1", "B": Secret("two-two")}, config={"core.x": "y"})
    world.look()
    seen = world.show()
    assert (seen.status, seen.observed_generation, seen.reasons) == ("healthy", 1, ())
    assert {part.name for part in seen.components} == {"api-server", "dag-processor", "scheduler", "triggerer"}
    assert seen.airflow_url == f"/{view.id}/"
    told = world.runtime.history(view.id)
    assert len(told) == 1
    assert told[0]["bundle"] is None


def test_a_deploy_goes_through_its_steps_and_leaves_a_journal(world: World) -> None:
    view = world.deployment()
    bundle = world.project()
    world.fleet.deploy(SYSTEM, "shop", bundle, "first", "cli")
    world.look()
    deploy = world.fleet.get_deploy(SYSTEM, "shop", 1)
    assert (deploy.status, deploy.error) == ("live", None)
    assert [(step["name"], step["status"]) for step in deploy.steps] == [
        ("environment", "done"),
        ("checks", "done"),
        ("switch", "done"),
        ("confirm", "done"),
    ]
    assert all(step["started_at"] and step["finished_at"] for step in deploy.steps)
    assert "Making a virtualenv" in deploy.steps[0]["log"]
    assert world.show().current_deploy_id == deploy.id
    assert world.runtime.history(view.id)[-1]["bundle"] == bundle.digest
    with world.store.reading() as session:
        types = [event.type for event in outbox.read(session)]
    assert types.count("deploy.live") == 1


def test_a_dag_only_deploy_restarts_nothing(world: World) -> None:
    view = world.deployment()
    for dag in ("one", "two"):
        world.fleet.deploy(SYSTEM, "shop", world.project(dag))
        world.look()
    assert [told["starts"] for told in world.runtime.history(view.id)] == [1, 1]
    assert [deploy.status for deploy in world.fleet.list_deploys(SYSTEM, "shop")] == ["live", "superseded"]
    assert world.show().status == "healthy"


def test_deploys_that_wait_go_live_one_after_the_other(world: World) -> None:
    world.deployment()
    for dag in ("one", "two", "three"):
        world.fleet.deploy(SYSTEM, "shop", world.project(dag))
    world.look()
    assert [deploy.status for deploy in world.fleet.list_deploys(SYSTEM, "shop")] == [
        "live",
        "superseded",
        "superseded",
    ]


@pytest.mark.parametrize("broken", ["requirements", "python"])
def test_a_deploy_whose_environment_cannot_be_made_changes_nothing_that_runs(world: World, broken: str) -> None:
    view = world.deployment()
    good = world.project("good")
    world.fleet.deploy(SYSTEM, "shop", good)
    world.look()
    if broken == "requirements":
        world.fleet.deploy(SYSTEM, "shop", world.project("bad", requirements__txt="no-such-package"))
    else:
        world.fleet.update_deployment(SYSTEM, "shop", DeploymentChanges(python_version="3.10"))
        world.fleet.deploy(SYSTEM, "shop", world.project("bad"))
    world.look()
    bad = world.fleet.get_deploy(SYSTEM, "shop", 2)
    assert bad.status == "failed"
    assert bad.error is not None
    assert bad.error["code"] == ("requirements-unresolvable" if broken == "requirements" else "python-missing")
    assert bad.error["hint"]
    assert bad.steps[0]["status"] == "failed"
    assert bad.error["message"] in bad.steps[0]["log"]
    assert world.fleet.get_deploy(SYSTEM, "shop", 1).status == "live"
    assert {told["bundle"] for told in world.runtime.history(view.id)} == {good.digest}
    assert world.show().status == "healthy"  # the deploy that is live carries its own versions


def test_a_deploy_that_makes_airflow_fail_is_put_back(world: World) -> None:
    view = world.deployment()
    good, bad = world.project("good"), world.project("bad", requirements__txt="attrs")
    world.fleet.deploy(SYSTEM, "shop", good)
    world.look()
    world.runtime.set_trouble(bad_bundle=bad.digest)
    world.fleet.deploy(SYSTEM, "shop", bad)
    world.look()
    failed = world.fleet.get_deploy(SYSTEM, "shop", 2)
    assert failed.status == "failed"
    assert failed.error is not None
    assert failed.error["code"] == "deploy-unhealthy"
    assert [told["bundle"] for told in world.runtime.history(view.id)] == [good.digest, bad.digest, good.digest]
    assert world.show().status == "healthy"
    assert world.show().current_deploy_id == world.fleet.get_deploy(SYSTEM, "shop", 1).id


def test_a_deploy_that_never_becomes_healthy_is_given_up(world: World, clock: ManualClock) -> None:
    world.deployment()
    world.runtime.set_trouble(health="starting")
    world.fleet.deploy(SYSTEM, "shop", world.project())
    world.look()
    assert world.fleet.get_deploy(SYSTEM, "shop", 1).status == "switching"
    assert world.show().status == "deploying"
    clock.advance(timedelta(seconds=61))
    world.look()
    deploy = world.fleet.get_deploy(SYSTEM, "shop", 1)
    assert deploy.status == "failed"
    assert "It is starting." in deploy.steps[3]["log"]


def test_a_hiccup_of_the_package_index_is_tried_again(world: World, clock: ManualClock) -> None:
    world.deployment()
    world.look()
    world.fleet.deploy(SYSTEM, "shop", world.project(requirements__txt="flaky"))
    world.look()
    assert world.fleet.get_deploy(SYSTEM, "shop", 1).status == "building"
    clock.advance(timedelta(seconds=1))
    world.look()
    deploy = world.fleet.get_deploy(SYSTEM, "shop", 1)
    assert deploy.status == "live"
    assert "did not answer" in deploy.steps[0]["log"]


def test_a_wish_that_cannot_be_true_says_why_and_comes_true_later(world: World, clock: ManualClock) -> None:
    world.runtime.set_trouble(apply="Port 9300 is in use.")
    world.deployment()
    world.look()
    seen = world.show()
    assert seen.status == "failed"
    assert seen.error is not None
    assert seen.error["code"] == "port-in-use"
    assert seen.reasons[0] == "Port 9300 is in use. Free the port."
    world.runtime.set_trouble()
    clock.advance(timedelta(seconds=61))
    world.look()
    assert (world.show().status, world.show().error) == ("healthy", None)


@pytest.mark.parametrize("health", ["degraded", "unhealthy", "starting"])
def test_health_is_seen_again_and_again(world: World, clock: ManualClock, health: str) -> None:
    world.deployment()
    world.look()
    world.runtime.set_trouble(health=health)
    clock.advance(timedelta(seconds=10))
    world.look()
    assert world.show().status == health
    assert world.show().reasons == (f"It is {health}.",)
    world.runtime.set_trouble()
    clock.advance(timedelta(seconds=3))
    world.look()
    assert world.show().status == "healthy"
    with world.store.reading() as session:
        moves = [(e.data["from"], e.data["to"]) for e in outbox.read(session) if e.type == "deployment.status_changed"]
    assert moves == [("creating", "healthy"), ("healthy", health), (health, "healthy")]


def test_a_steady_deployment_is_left_alone_for_ten_seconds(world: World, clock: ManualClock) -> None:
    view = world.deployment()
    world.look()
    with world.store.reading() as session:
        (job,) = (job for job in jobs.view(session) if job.kind == KIND)
    assert job.run_at == clock.now() + timedelta(seconds=10)
    for _ in range(3):
        clock.advance(timedelta(seconds=10))
        world.look()
    assert len(world.runtime.history(view.id)) == 1


def test_what_the_machine_lost_is_started_again(world: World, clock: ManualClock) -> None:
    view = world.deployment()
    world.look()
    world.runtime.stop(view.id, 1)
    clock.advance(timedelta(seconds=10))
    world.look()
    assert world.show().status == "healthy"
    assert world.runtime.history(view.id)[-1]["is_running"]


def test_hibernation_keeps_the_deploy_and_waking_brings_it_back(world: World) -> None:
    view = world.deployment()
    bundle = world.project()
    world.fleet.deploy(SYSTEM, "shop", bundle)
    world.look()
    assert world.fleet.hibernate(SYSTEM, "shop").status == "hibernating"
    world.look()
    asleep = world.show()
    assert (asleep.status, asleep.airflow_url, asleep.components) == ("hibernated", None, ())
    newer = world.project("newer")
    world.fleet.deploy(SYSTEM, "shop", newer)
    world.look()
    assert world.fleet.get_deploy(SYSTEM, "shop", 2).status == "live"
    assert world.show().status == "hibernated"
    assert not world.runtime.history(view.id)[-1]["is_running"]
    assert world.fleet.wake(SYSTEM, "shop").status == "starting"
    world.look()
    assert world.show().status == "healthy"
    assert world.runtime.history(view.id)[-1]["bundle"] == newer.digest


def test_deletion_leaves_nothing_behind(world: World) -> None:
    view = world.deployment(env={"TOKEN": Secret("some-secret")})
    other = world.deployment("other")
    world.fleet.deploy(SYSTEM, "shop", world.project())
    world.look()
    world.fleet.delete_deployment(SYSTEM, "shop")
    world.look()
    with pytest.raises(NotFound):
        world.show()
    assert world.secrets.list(f"deployment/{view.id}") == []
    assert world.runtime.observe(view.id).health == "missing"
    with world.store.reading() as session:
        assert [job.key for job in jobs.view(session) if job.kind == KIND] == [other.id]
        assert session.connection().exec_driver_sql("select count(*) from deploy_step").scalar() == 0
    assert world.deployment("shop").generation == 1


def test_a_deletion_that_the_machine_refuses_is_tried_again(world: World, clock: ManualClock) -> None:
    world.deployment()
    world.look()
    world.runtime.set_trouble(delete="A process does not end.")
    world.fleet.delete_deployment(SYSTEM, "shop")
    world.look()
    assert world.show().status == "deleting"
    assert world.show().reasons[0] == "A process does not end."
    world.runtime.set_trouble()
    clock.advance(timedelta(seconds=10))
    world.look()
    with pytest.raises(NotFound):
        world.show()


def test_a_change_while_a_deploy_is_confirmed_reaches_the_runtime(world: World, clock: ManualClock) -> None:
    view = world.deployment()
    world.runtime.set_trouble(health="starting")
    world.fleet.deploy(SYSTEM, "shop", world.project())
    world.look()
    world.fleet.set_env(SYSTEM, "shop", {"LATE": "1"})
    world.look()
    world.runtime.set_trouble()
    clock.advance(timedelta(seconds=1))
    world.look()
    assert world.fleet.get_deploy(SYSTEM, "shop", 1).status == "live"
    assert world.runtime.history(view.id)[-1]["fixed"]["env"] == {"LATE": "1"}
    assert world.show().status == "healthy"


def test_adoption_looks_at_every_deployment(world: World, clock: ManualClock) -> None:
    for name in ("one", "two", "three"):
        world.deployment(name)
    world.look()
    assert world.look() == 0
    assert world.reconciler.adopt_all() == 3
    assert world.look() == 3


def test_reads_take_as_many_statements_for_many_as_for_one(world: World) -> None:
    from sqlalchemy import event

    def count() -> int:
        statements: list[str] = []

        def note(_conn: object, _cursor: object, statement: str, *_rest: object) -> None:
            statements.append(statement)

        event.listen(world.store.engine, "before_cursor_execute", note)
        world.fleet.list_deployments(SYSTEM)
        world.fleet.list_workspaces(SYSTEM)
        world.fleet.list_deploys(SYSTEM, "team/d0")
        event.remove(world.store.engine, "before_cursor_execute", note)
        return len(statements)

    world.deployment("d0")
    world.fleet.deploy(SYSTEM, "d0", world.project("0"))
    world.look()
    few = count()
    for number in range(1, 4):
        world.deployment(f"d{number}", f"team{number}")
        world.fleet.deploy(SYSTEM, "d0", world.project(str(number)))
    world.look()
    assert count() == few


def test_a_secret_that_is_gone_is_said_and_mended_by_setting_it_again(world: World, clock: ManualClock) -> None:
    view = world.deployment(env={"TOKEN": Secret("some-secret")})
    (path,) = world.secrets.list(f"deployment/{view.id}/environment")
    world.secrets.delete(path)
    world.look()
    seen = world.show()
    assert seen.status == "failed"
    assert seen.error is not None
    assert seen.error["code"] == "secret-unknown"
    world.fleet.set_env(SYSTEM, "shop", {"TOKEN": Secret("another-one")})
    world.look()
    assert world.show().status == "healthy"
