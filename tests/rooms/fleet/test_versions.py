"""Changes of the Airflow version by deploys. Breaks for everybody who upgrades, and for whoever must go back."""

from __future__ import annotations

import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from tests.rooms.fleet.world import World

from aerodrome.access import SYSTEM, Actor
from aerodrome.builds.git import GitSource
from aerodrome.fleet import ways
from aerodrome.fleet.service import Change, DeploymentChanges
from aerodrome.fleet.views import DeployView
from aerodrome.kernel.clock import ManualClock
from aerodrome.kernel.errors import Conflict, Denied, Invalid
from aerodrome.kernel.secret import Secret
from aerodrome.store.tables.snapshot import SnapshotRow

OLD, MIDDLE, NEW = "2.11.2", "3.0.6", "3.3.2"


def started(world: World) -> str:
    """Make a deployment on the old Airflow with a deploy and a little history."""
    view = world.deployment(airflow_version=OLD, python_version="3.11")
    world.fleet.deploy(SYSTEM, "shop", world.project("first"))
    world.look()
    world.runtime.add_rows(view.id, 3)
    return view.id


def upgraded(world: World, to: str, ref: str = "shop") -> DeployView:
    deploy = world.fleet.upgrade(SYSTEM, ref, Change(to=to))
    world.look()
    return world.fleet.get_deploy(SYSTEM, ref, deploy.number)


def rolled_back(world: World, number: int, *, with_configuration: bool = False) -> DeployView:
    deploy = world.fleet.roll_back(SYSTEM, "shop", Change(deploy=number, with_configuration=with_configuration))
    world.look()
    return world.fleet.get_deploy(SYSTEM, "shop", deploy.number)


def statuses(deploy: DeployView) -> list[tuple[str, str]]:
    return [(step["name"], step["status"]) for step in deploy.steps]


def snapshots(world: World) -> list[tuple[str, str]]:
    with world.store.reading() as session:
        rows = session.query(SnapshotRow).order_by(SnapshotRow.created_at, SnapshotRow.id).all()
        return [(row.airflow_version, row.status) for row in rows]


def test_an_upgrade_is_rehearsed_and_keeps_a_snapshot(world: World) -> None:
    deployment = started(world)
    deploy = upgraded(world, NEW)
    assert (deploy.status, deploy.cause, deploy.airflow_version) == ("live", "upgrade", NEW)
    assert [name for name, _ in statuses(deploy)] == [
        "environment",
        "checks",
        "rehearse",
        "stop",
        "snapshot",
        "convert",
        "switch",
        "confirm",
    ]
    assert {status for _, status in statuses(deploy)} == {"done"}
    assert (world.show().status, world.show().airflow_version) == ("healthy", NEW)
    assert world.runtime.database_of(deployment)["version"] == NEW
    assert world.runtime.database_of(deployment)["rows"] == 3
    assert snapshots(world) == [(OLD, "kept")]
    (rehearsal,) = world.fleet.list_rehearsals(SYSTEM, "shop")
    assert (rehearsal.status, rehearsal.from_version, rehearsal.to_version) == ("passed", OLD, NEW)


def test_a_rehearsal_that_passed_is_not_repeated(world: World) -> None:
    started(world)
    asked = world.fleet.rehearse(SYSTEM, "shop", Change(to=NEW))
    assert asked.status == "queued"
    world.look()
    seen = world.fleet.get_rehearsal(SYSTEM, "shop", asked.id)
    assert seen.status == "passed"
    assert "Trying it on a copy." in seen.log
    deploy = world.fleet.upgrade(SYSTEM, "shop", Change(to=NEW, rehearsal_id=asked.id))
    world.look()
    deploy = world.fleet.get_deploy(SYSTEM, "shop", deploy.number)
    assert "rehearsed already" in deploy.steps[2]["log"]
    assert len(world.fleet.list_rehearsals(SYSTEM, "shop")) == 1


def test_a_rehearsal_of_other_code_does_not_vouch_for_an_upgrade(world: World) -> None:
    started(world)
    asked = world.fleet.rehearse(SYSTEM, "shop", Change(to=NEW))
    world.look()
    world.fleet.deploy(SYSTEM, "shop", world.project("second"))
    world.look()
    world.fleet.upgrade(SYSTEM, "shop", Change(to=NEW, rehearsal_id=asked.id))
    world.look()
    assert len(world.fleet.list_rehearsals(SYSTEM, "shop")) == 2


def test_problems_of_the_rehearsal_leave_the_deployment_as_it_is(world: World) -> None:
    deployment = started(world)
    world.runtime.set_trouble(problems=["2 DAG files cannot be read under the other version: a.py, b.py."])
    deploy = upgraded(world, NEW)
    assert deploy.status == "failed"
    assert deploy.error is not None
    assert deploy.error["code"] == "rehearsal-not-passed"
    assert "a.py" in deploy.error["message"]
    assert (world.show().status, world.show().airflow_version) == ("healthy", OLD)
    assert {told["starts"] for told in world.runtime.history(deployment)} == {1}
    forced = world.fleet.upgrade(SYSTEM, "shop", Change(to=NEW, is_forced=True))
    world.look()
    assert world.fleet.get_deploy(SYSTEM, "shop", forced.number).status == "live"


@pytest.mark.parametrize("trouble", ["bad_version", "convert"])
def test_a_failed_upgrade_goes_back_by_itself(world: World, trouble: str) -> None:
    deployment = started(world)
    world.runtime.set_trouble(**{trouble: NEW if trouble == "bad_version" else "Rows would be lost."})
    deploy = upgraded(world, NEW)
    assert deploy.status == "failed"
    assert deploy.error is not None
    assert deploy.error["code"] == ("deploy-unhealthy" if trouble == "bad_version" else "upgrade-lost-rows")
    assert statuses(deploy)[-1] == ("put-back", "done")
    assert ("switch", "done" if trouble == "bad_version" else "skipped") in statuses(deploy)
    assert world.runtime.database_of(deployment) == {"version": OLD, "rows": 3, "conversion": None}
    assert (world.show().status, world.show().airflow_version) == ("healthy", OLD)
    assert world.fleet.get_deploy(SYSTEM, "shop", 1).status == "live"
    world.runtime.set_trouble()
    assert upgraded(world, NEW).status == "live"


def test_an_upgrade_that_meets_an_unforeseen_error_goes_back_and_does_not_stay_down(world: World) -> None:
    deployment = started(world)
    world.runtime.set_trouble(bug="Nobody thought of this.")
    deploy = upgraded(world, NEW)
    assert deploy.status == "failed"
    assert deploy.error is not None
    assert deploy.error["code"] == "deploy-step-crashed"
    assert statuses(deploy)[-1] == ("put-back", "done")
    assert world.runtime.database_of(deployment) == {"version": OLD, "rows": 3, "conversion": None}
    assert (world.show().status, world.show().airflow_version) == ("healthy", OLD)


def test_a_scheduler_that_dies_again_and_again_fails_the_upgrade_though_it_looks_healthy(world: World) -> None:
    deployment = started(world)
    world.runtime.set_trouble(crashing=NEW)
    deploy = upgraded(world, NEW)
    assert deploy.status == "failed"
    assert deploy.error is not None
    assert deploy.error["code"] == "deploy-unhealthy"
    assert "scheduler ended with 1" in deploy.error["message"]
    assert "line 3" in deploy.error["message"]  # the end of its log
    assert statuses(deploy)[-1] == ("put-back", "done")
    assert world.runtime.database_of(deployment) == {"version": OLD, "rows": 3, "conversion": None}
    assert (world.show().status, world.show().airflow_version) == ("healthy", OLD)


def test_what_a_dying_component_or_a_rehearsal_says_shows_no_secret(world: World) -> None:
    started(world)
    world.fleet.set_env(SYSTEM, "shop", {"SHOP_TOKEN": Secret("canary-41fa")}, frozenset({"SHOP_TOKEN"}))
    world.look()
    said = "OperationalError: refused by postgresql://shop:canary-url@db/x with canary-41fa"
    world.runtime.set_trouble(crashing=NEW, said=[said])
    deploy = upgraded(world, NEW)
    assert deploy.error is not None
    assert "OperationalError: refused by postgresql://shop:" in deploy.error["message"]
    assert "canary" not in str(deploy)
    world.runtime.set_trouble(convert=said)
    failed = upgraded(world, NEW)
    assert failed.error is not None
    assert "OperationalError" in failed.error["message"]
    assert "canary" not in str(failed)
    world.runtime.set_trouble(problems=[f"a.py cannot be read: {said}"])
    tried = world.fleet.rehearse(SYSTEM, "shop", Change(to=NEW))
    world.look()
    report = world.fleet.get_rehearsal(SYSTEM, "shop", tried.id)
    assert report.status == "refused"
    assert "a.py cannot be read: OperationalError" in str(report.report)
    assert "canary" not in str(report)


def test_who_may_not_upgrade_changes_no_version_by_a_project_file(world: World, tmp_path: Path) -> None:
    deployment = started(world)
    view = world.show()
    author = Actor("usr_2", "bob", "user", (("author", f"workspace/{view.workspace_id}/deployment/{deployment}"),))
    pinned = world.project("pinned", aerodrome__yaml=f"airflow: {NEW}\n")
    with pytest.raises(Denied):
        world.fleet.deploy(author, "shop", pinned)
    assert [deploy.number for deploy in world.fleet.list_deploys(SYSTEM, "shop")] == [1]
    same = world.project("same", aerodrome__yaml=f"airflow: {OLD}\n")
    assert world.fleet.deploy(author, "shop", same).number == 2

    folder = tmp_path / "repository"
    (folder / "dags").mkdir(parents=True)
    (folder / "aerodrome.yaml").write_text(f"airflow: {NEW}\n")
    (folder / "dags" / "a.py").write_text("A = 1")
    for words in (
        ["init", "--quiet"],
        ["add", "."],
        ["-c", "user.name=A", "-c", "user.email=a@b", "commit", "-qm", "a"],
    ):
        subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True)
    world.look()
    number = world.fleet.deploy(author, "shop", None, source=GitSource(folder.as_uri())).number
    world.look()
    fetched = world.fleet.get_deploy(SYSTEM, "shop", number)
    assert (fetched.status, (fetched.error or {}).get("code")) == ("failed", "permission-missing")
    assert world.show().airflow_version == OLD


def test_an_upgrade_is_live_only_after_all_was_up_for_a_while(world: World) -> None:
    started(world)
    world.runtime.set_trouble(young=NEW)
    watched = upgraded(world, NEW)
    assert watched.status == "switching"
    assert "it is watched" in watched.steps[-1]["log"]


def test_the_way_back_is_tried_until_it_works(world: World, clock: ManualClock) -> None:
    deployment = started(world)
    world.runtime.set_trouble(convert="Rows would be lost.", restore="The disk is full.")
    deploy = upgraded(world, NEW)
    for _ in range(4):
        clock.advance(timedelta(seconds=61))
        world.look()
    seen = world.fleet.get_deploy(SYSTEM, "shop", deploy.number)
    assert seen.status == "returning"
    assert "The disk is full." in world.show().reasons[0]
    world.runtime.set_trouble()
    clock.advance(timedelta(seconds=61))
    world.look()
    assert world.fleet.get_deploy(SYSTEM, "shop", deploy.number).status == "failed"
    assert world.show().status == "healthy"
    assert world.runtime.database_of(deployment)["version"] == OLD


def test_a_rollback_goes_back_over_a_chain_from_the_snapshot_of_its_version(world: World) -> None:
    deployment = started(world)
    upgraded(world, MIDDLE)
    upgraded(world, NEW)
    world.runtime.add_rows(deployment, 2)
    deploy = rolled_back(world, 1)
    assert (deploy.status, deploy.cause, deploy.airflow_version) == ("live", "rollback", OLD)
    assert deploy.rollback_of == world.fleet.get_deploy(SYSTEM, "shop", 1).id
    assert world.runtime.database_of(deployment)["version"] == OLD
    assert world.runtime.database_of(deployment)["rows"] == 5
    assert world.show().airflow_version == OLD
    assert snapshots(world) == [(OLD, "kept"), (MIDDLE, "kept"), (NEW, "kept")]
    rehearsal = world.fleet.list_rehearsals(SYSTEM, "shop")[0]
    assert (rehearsal.kind, rehearsal.report is not None and rehearsal.report["loss"]["is_lossless"]) == (
        "rollback",
        True,
    )
    again = rolled_back(world, 3)
    assert (again.status, again.airflow_version, world.show().airflow_version) == ("live", NEW, NEW)


def test_without_a_snapshot_there_is_no_way_back(world: World) -> None:
    deployment = started(world)
    upgraded(world, NEW)
    with world.store.writing() as session:
        session.query(SnapshotRow).delete()
    with pytest.raises(Conflict) as refused:
        world.fleet.roll_back(SYSTEM, "shop", Change(deploy=1))
    assert refused.value.code == "way-back-without-snapshot"
    assert "new deployment" in refused.value.hint
    assert world.runtime.database_of(deployment)["version"] == NEW
    possible = {choice.airflow_version: choice.is_possible for choice in world.fleet.list_versions(SYSTEM, "shop")}
    assert (possible[OLD], possible[NEW]) == (False, True)


def test_a_rollback_on_the_same_airflow_restarts_nothing_for_dags(world: World) -> None:
    deployment = started(world)
    world.fleet.deploy(SYSTEM, "shop", world.project("second"))
    world.look()
    deploy = rolled_back(world, 1)
    assert (deploy.status, deploy.kind, deploy.cause) == ("live", "dags", "rollback")
    assert [name for name, _ in statuses(deploy)] == ["environment", "checks", "switch", "confirm"]
    assert world.runtime.history(deployment)[-1]["starts"] == 1
    with pytest.raises(Conflict) as refused:
        world.fleet.rehearse(SYSTEM, "shop", Change(deploy=1))
    assert refused.value.code == "nothing-to-rehearse"


def test_a_rollback_brings_the_configuration_back_when_asked(world: World) -> None:
    started(world)
    world.fleet.update_deployment(SYSTEM, "shop", DeploymentChanges(parallelism=9, config={"core.x": "y"}))
    world.fleet.deploy(SYSTEM, "shop", world.project("second"))
    world.look()
    assert rolled_back(world, 1).status == "live"
    assert world.show().parallelism == 9
    assert rolled_back(world, 1, with_configuration=True).status == "live"
    assert (world.show().parallelism, world.show().config) == (4, {})


def test_a_failed_rollback_leaves_the_configuration_as_it_was(world: World) -> None:
    started(world)
    world.fleet.update_deployment(SYSTEM, "shop", DeploymentChanges(parallelism=9))
    upgraded(world, NEW)
    world.runtime.set_trouble(convert="Rows would be lost.")
    assert rolled_back(world, 1, with_configuration=True).status == "failed"
    assert (world.show().status, world.show().parallelism, world.show().airflow_version) == ("healthy", 9, NEW)


def test_another_version_in_an_update_is_an_upgrade(world: World) -> None:
    started(world)
    view = world.fleet.update_deployment(SYSTEM, "shop", DeploymentChanges(airflow_version=NEW, parallelism=3))
    assert (view.airflow_version, view.parallelism) == (OLD, 3)
    world.look()
    assert world.show().airflow_version == NEW
    assert world.fleet.get_deploy(SYSTEM, "shop", 2).cause == "upgrade"
    with pytest.raises(Invalid) as refused:
        world.fleet.update_deployment(SYSTEM, "shop", DeploymentChanges(airflow_version=OLD))
    assert refused.value.code == "airflow-downgrade"


def test_a_deployment_without_a_deploy_can_be_upgraded(world: World) -> None:
    deployment = world.deployment(airflow_version=OLD, python_version="3.11").id
    world.look()
    assert upgraded(world, NEW).status == "live"
    assert world.runtime.database_of(deployment)["version"] == NEW


def test_the_tasks_that_were_cut_off_are_named(world: World) -> None:
    started(world)
    world.runtime.set_trouble(running_tasks=["daily run_1 load"])
    deploy = upgraded(world, NEW)
    assert deploy.status == "live"
    assert "daily run_1 load" in deploy.steps[3]["log"]


def test_a_sleeping_deployment_is_upgraded_in_its_sleep(world: World) -> None:
    deployment = started(world)
    world.fleet.hibernate(SYSTEM, "shop")
    world.look()
    assert upgraded(world, NEW).status == "live"
    assert world.show().status == "hibernated"
    assert world.runtime.database_of(deployment)["version"] == NEW
    world.fleet.wake(SYSTEM, "shop")
    world.look()
    assert world.show().status == "healthy"


def test_a_snapshot_goes_when_deploys_of_its_time_go(world: World, clock: ManualClock) -> None:
    started(world)
    upgraded(world, NEW)
    kept_at = clock.now()
    clock.advance(timedelta(days=2))
    assert ways.forget_snapshots(world.context, kept_at) == 0
    assert ways.forget_snapshots(world.context, clock.now()) == 1
    assert snapshots(world) == [(OLD, "deleted")]
    assert not list((world.context.home / "snapshots").glob("*/*"))
    assert ways.forget_snapshots(world.context, clock.now()) == 0
