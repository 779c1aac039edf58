"""Two who act on one deployment at once, and who may do what. Breaks with lost data, or with rights that nobody gave."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, event
from tests.rooms.fleet.folder_databases import FolderDatabases
from tests.rooms.fleet.test_databases import healthy, last, settle
from tests.rooms.fleet.world import World

from aerodrome.access import SYSTEM, Actor
from aerodrome.databases.probing import DatabaseFacts
from aerodrome.fleet import backups, clusters, databases, deploys, rollout
from aerodrome.fleet.backups import BackupSchedule
from aerodrome.fleet.requests import DeploymentChanges
from aerodrome.fleet.rollout import Rollout
from aerodrome.fleet.versions import Change
from aerodrome.kernel.clock import ManualClock
from aerodrome.kernel.errors import Conflict, Denied, NotFound, Stale
from aerodrome.kernel.secret import Secret
from aerodrome.store import jobs
from aerodrome.store.tables.cluster import ClusterRow
from aerodrome.store.tables.deploy import DeployRow
from aerodrome.store.tables.deployment import DeploymentRow


class Meeting(FolderDatabases):
    """Both who ask are let through their probe only when both are in it."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.both = threading.Barrier(2, timeout=30)

    def probe(self, url: Secret) -> DatabaseFacts:
        if not self.both.broken and threading.current_thread() is not threading.main_thread():
            self.both.wait()
        return super().probe(url)


def test_of_two_who_move_at_once_one_moves_to_the_database_that_was_named(world: World) -> None:
    view = healthy(world)
    world.runtime.databases = places = Meeting(world.runtime.root)
    urls = [Secret(f"postgresql://owner:sesame@host{number}/db") for number in (1, 2)]

    def move(url: Secret) -> str:
        try:
            return world.fleet.move_database(SYSTEM, "shop", "existing", url).id
        except Conflict as error:
            return error.code

    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(move, urls))
    assert results.count("act-under-way") == 1
    winner = next(index for index, result in enumerate(results) if result != "act-under-way")
    places.both.abort()
    settle(world)
    assert last(world).status == "done"
    assert f"@host{winner + 1}/" in world.secrets.get(f"deployment/{view.id}/database-url").reveal()
    assert world.secrets.list(f"deployment/{view.id}/database-url-") == []


def test_a_worker_that_lost_its_lease_fails_no_deploy_that_another_moved_on(world: World) -> None:
    view = world.deployment("shop")
    asked = world.fleet.deploy(SYSTEM, view.id, world.project("dag"))
    walk = Rollout(world.context)

    def seen() -> tuple[DeploymentRow, DeployRow | None]:
        with world.store.reading() as session:
            return session.get_one(DeploymentRow, view.id), rollout.unfinished(session, view.id)

    overtaken = []
    deployment, deploy = seen()
    while deploy is not None:
        walk.advance(deployment, deploy)
        before, (deployment, deploy) = (deployment, deploy), seen()
        if deploy is not None and deploy.status != before[1].status:
            overtaken.append(before[1].status)
            with pytest.raises(Stale):
                walk.advance(*before)
    assert overtaken == ["queued", "building"]
    assert world.fleet.get_deploy(SYSTEM, view.id, asked.number).status == "live"


def test_a_deployment_that_is_deleted_while_it_moves_leaves_no_managed_database(world: World) -> None:
    healthy(world)
    world.fleet.move_database(SYSTEM, "shop", "postgresql")
    world.look()
    while not world.runtime.databases.names():
        settle(world, 1)
    world.fleet.delete_deployment(SYSTEM, "shop")
    settle(world, 5)
    assert world.fleet.list_deployments(SYSTEM) == []
    assert world.runtime.databases.names() == set()


def test_a_deployment_that_is_deleted_while_a_backup_is_taken_leaves_no_copy(world: World) -> None:
    view = healthy(world)
    backups.create(world.context, SYSTEM, "shop")
    taking, gone = threading.Event(), threading.Event()

    def wait() -> None:
        taking.set()
        assert gone.wait(30)

    world.runtime.while_copying = wait
    job = jobs.lease(world.store, world.clock, "another", 60, [backups.TAKE])
    assert job is not None
    with ThreadPoolExecutor(1) as pool:
        taken = pool.submit(world.backup_work.take, job)
        assert taking.wait(30)
        world.fleet.delete_deployment(SYSTEM, "shop")
        world.look()
        assert world.fleet.list_deployments(SYSTEM) == []
        gone.set()
        assert taken.result(30) is None
    assert not (world.context.home / "snapshots" / view.id).exists()


def test_a_schedule_lets_go_of_no_backup_that_is_just_being_restored(world: World) -> None:
    view = healthy(world)
    wish = BackupSchedule("0 3 * * *", keep=1, days=0, verify="never")
    backups.set_schedule(world.context, SYSTEM, "shop", wish)
    for _ in range(2):
        if (kept := backups.list_all(world.context, SYSTEM, "shop")) and kept[0].kind == "backup":
            backups.restore(world.context, SYSTEM, "shop", kept[0].id)
        advance(world, timedelta(days=1))
        for kind in (backups.SCHEDULE, backups.TAKE):  # the worker of acts is slower than that of backups
            while (job := jobs.lease(world.store, world.clock, "backups", 60, [kind])) is not None:
                jobs.finish(world.store, job, look_again_at=world.handlers[kind](job))
    assert len([item for item in backups.list_all(world.context, SYSTEM, "shop") if item.kind == "backup"]) == 2
    settle(world)
    assert (last(world).kind, last(world).status) == ("restore", "done")
    world.backup_work.prune(view.id)
    assert len([item for item in backups.list_all(world.context, SYSTEM, "shop") if item.kind == "backup"]) == 1


def test_who_may_only_deploy_brings_no_configuration_and_no_other_airflow_back(world: World) -> None:
    view = world.deployment(airflow_version="2.11.2", python_version="3.11")
    world.fleet.deploy(SYSTEM, "shop", world.project())
    world.look()
    world.fleet.update_deployment(SYSTEM, "shop", DeploymentChanges(parallelism=9))
    world.fleet.set_env(SYSTEM, "shop", {"REGION": "eu"})
    world.fleet.deploy(SYSTEM, "shop", world.project("second"))
    world.look()
    author = Actor("usr_author", "ann", "user", (("author", f"workspace/{view.workspace_id}"),))
    with pytest.raises(Denied):
        world.fleet.roll_back(author, "shop", Change(deploy=1, with_configuration=True))
    assert (world.show().parallelism, world.show().env) == (9, {"REGION": "eu"})
    assert world.fleet.roll_back(author, "shop", Change(deploy=1)).actor == "ann"
    world.look()
    world.fleet.upgrade(SYSTEM, "shop", Change(to="3.3.2"))
    world.look()
    assert world.show().airflow_version == "3.3.2"
    with pytest.raises(Denied):
        world.fleet.roll_back(author, "shop", Change(deploy=1))


def test_acts_and_deploys_of_others_are_not_told_from_what_is_not_there(world: World) -> None:
    healthy(world)
    act = world.fleet.move_database(SYSTEM, "shop", "postgresql")
    stranger = Actor("usr_x", "sam", "user", (("operator", "workspace/ws_other"),))
    with pytest.raises(NotFound) as caught:
        databases.get_act(world.context, stranger, act.id)
    assert (caught.value.code, act.deployment_id in str(caught.value)) == ("act-not-found", False)
    deploy = world.fleet.deploy(SYSTEM, "shop", world.project())
    with pytest.raises(NotFound) as caught:
        deploys.get_by_id(world.context, stranger, deploy.id)
    assert (caught.value.code, deploy.deployment_id in str(caught.value)) == ("deploy-not-found", False)


def advance(world: World, step: timedelta) -> None:
    assert isinstance(world.clock, ManualClock)
    world.clock.advance(step)


def test_processes_that_start_at_once_make_one_local_cluster(world: World) -> None:
    with world.store.writing() as session:
        session.execute(delete(ClusterRow))
    both_looked = threading.Barrier(2, timeout=1)

    def meet(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "FROM cluster" in statement and threading.current_thread() is not threading.main_thread():
            with suppress(threading.BrokenBarrierError):  # who takes turns looks alone
                both_looked.wait()

    event.listen(world.store.engine, "after_cursor_execute", meet)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _number: clusters.ensure_local(world.context), range(2)))
    event.remove(world.store.engine, "after_cursor_execute", meet)
    assert [view.name for view in clusters.list_all(world.context, SYSTEM)] == [clusters.LOCAL]
