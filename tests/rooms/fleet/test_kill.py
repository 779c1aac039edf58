"""kill -9 after every commit of a deploy: the next worker finishes it, exactly once. Breaks for whoever loses power."""

from __future__ import annotations

import multiprocessing
import random
import signal
import subprocess
from pathlib import Path

import pytest
from sqlalchemy import select
from tests.rooms.fleet.doomed_worker import work
from tests.rooms.fleet.world import World

from aerodrome.access import SYSTEM
from aerodrome.builds.git import GitSource
from aerodrome.fleet.service import Change
from aerodrome.kernel.clock import SystemClock
from aerodrome.store import Store, outbox
from aerodrome.store.tables.snapshot import SnapshotRow

AS_ADA = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["tests.rooms.fleet.doomed_worker"])


def run_worker(store: Store, world: World, ref: str, last: int) -> int | None:
    url = store.engine.url.render_as_string(hide_password=False)
    process = _PROCESSES.Process(target=work, args=(url, world.root, ref, last))
    process.start()
    process.join(60)
    return process.exitcode


def test_a_deploy_survives_a_kill_at_every_commit(store: Store, tmp_path: Path) -> None:
    world = World(store, SystemClock(), tmp_path / "home")
    for last in range(1, 60):
        view = world.deployment(f"d{last}")
        bundle = world.project(f"dag {last}", requirements__txt=f"package-{last}")
        deploy = world.fleet.deploy(SYSTEM, view.id, bundle)
        code = run_worker(store, world, view.id, last)
        was_killed = code == -signal.SIGKILL
        assert was_killed or code == 0
        if was_killed:
            assert run_worker(store, world, view.id, 0) == 0

        assert world.fleet.get_deploy(SYSTEM, view.id, 1).status == "live"
        assert world.show(view.id).status == "healthy"
        with store.reading() as session:
            assert [event.type for event in outbox.read(session, subject=deploy.id)] == ["deploy.queued", "deploy.live"]
        told = world.runtime.history(view.id)
        assert {(wish["bundle"], wish["starts"]) for wish in told} == {(bundle.digest, 1)}
        world.fleet.delete_deployment(SYSTEM, view.id)
        world.look()
        if not was_killed:
            break
    assert last > 10, "too few points: the kills did not reach the steps of the deploy"


def test_a_deploy_from_git_survives_a_kill_at_every_commit(store: Store, tmp_path: Path) -> None:
    """It is fetched again or gone on with; nothing of the fetch is left behind, and its steps stand there once."""
    world = World(store, SystemClock(), tmp_path / "home")
    repository = tmp_path / "repository"
    (repository / "dags").mkdir(parents=True)
    (repository / "dags/a.py").write_text("A = 1")
    for words in (["init", "--quiet"], ["add", "."], [*AS_ADA, "commit", "--quiet", "-m", "Add a flow"]):
        subprocess.run(["git", "-C", str(repository), *words], check=True, capture_output=True)
    for last in range(1, 60, 3):
        view = world.deployment(f"d{last}")
        source = GitSource(repository.as_uri())
        world.fleet.deploy(SYSTEM, view.id, None, source=source)
        was_killed = run_worker(store, world, view.id, last) == -signal.SIGKILL
        if was_killed:
            assert run_worker(store, world, view.id, 0) == 0
        deploy = world.fleet.get_deploy(SYSTEM, view.id, 1)
        assert deploy.status == "live", deploy.error
        names = [step["name"] for step in deploy.steps]
        assert (names[0], len(names)) == ("fetch", len(set(names)))
        assert {wish["bundle"] for wish in world.runtime.history(view.id)} == {deploy.bundle_digest}
        assert not list((world.context.home / "fetched").iterdir())
        world.fleet.delete_deployment(SYSTEM, view.id)
        world.look()
        if not was_killed:
            break
    assert last > 10, "too few points: the kills did not reach the steps of the deploy"


OLD, NEW = "2.11.2", "3.3.2"
_EVERY = 5  # of the points of a change of version one in five is tried, each time others


@pytest.mark.parametrize("story", ["upgrade", "failing upgrade", "rollback"])
def test_a_change_of_version_survives_a_kill_at_every_commit(store: Store, tmp_path: Path, story: str) -> None:
    """It is finished, or undone, by the next worker; history is neither lost nor changed twice."""
    world = World(store, SystemClock(), tmp_path / "home")
    offset = random.randrange(1, _EVERY + 1)
    for last in range(offset, 200, _EVERY):
        view = world.deployment(f"d{last}", airflow_version=OLD, python_version="3.11")
        world.fleet.deploy(SYSTEM, view.id, world.project("first"))
        world.look()
        if story == "rollback":
            world.fleet.upgrade(SYSTEM, view.id, Change(to=NEW))
            world.look()
        world.runtime.add_rows(view.id, 3)
        world.runtime.set_trouble(**({"bad_version": NEW} if story == "failing upgrade" else {}))
        change = Change(deploy=1) if story == "rollback" else Change(to=NEW)
        ask = world.fleet.roll_back if story == "rollback" else world.fleet.upgrade
        deploy = ask(SYSTEM, view.id, change)
        code = run_worker(store, world, view.id, last)
        was_killed = code == -signal.SIGKILL
        assert was_killed or code == 0
        if was_killed:
            assert run_worker(store, world, view.id, 0) == 0

        ended = world.fleet.get_deploy(SYSTEM, view.id, deploy.number)
        wanted = NEW if story == "upgrade" else OLD
        assert ended.status == ("failed" if story == "failing upgrade" else "live")
        assert (world.show(view.id).status, world.show(view.id).airflow_version) == ("healthy", wanted)
        database = world.runtime.database_of(view.id)
        assert (database["version"], database["rows"]) == (wanted, 3)
        with store.reading() as session:
            kept = session.scalars(select(SnapshotRow).where(SnapshotRow.deploy_id == deploy.id)).all()
            types = [event.type for event in outbox.read(session, subject=deploy.id)]
        assert [row.status for row in kept] == ["kept"]
        assert types == ["deploy.queued", f"deploy.{ended.status}"]
        world.fleet.delete_deployment(SYSTEM, view.id)
        world.look()
        if not was_killed:
            break
    assert last > 20, "too few points: the kills did not reach the steps of the change"
