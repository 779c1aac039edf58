"""kill -9 in the middle of a move or a restore: the next worker goes on, and no row is lost. Breaks for whoever loses power."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

from sqlalchemy import event
from tests.rooms.fleet.doomed_worker import Doom, DoomedRuntime
from tests.rooms.fleet.folder_databases import FolderDatabases
from tests.rooms.fleet.world import World

from aerodrome.access import SYSTEM
from aerodrome.databases.crossing import Crossing
from aerodrome.fleet import acts, backups
from aerodrome.fleet.acts import Acts
from aerodrome.fleet.acts.registry import KINDS
from aerodrome.fleet.backup_work import BackupWork
from aerodrome.fleet.reconcile import KIND, Reconciler
from aerodrome.kernel.clock import SystemClock
from aerodrome.kernel.secret import Secret
from aerodrome.runtimes.contract import Progress, RuntimeSpec
from aerodrome.store import open_store
from aerodrome.store.tables.registry import all_tables
from aerodrome.worker.loop import Worker

_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["tests.rooms.fleet.test_kill_acts"])


class DoomedDatabases(FolderDatabases):
    """Dies right after an act on a database, before anybody can write down that it was done."""

    def __init__(self, root: Path, doom: Doom) -> None:
        super().__init__(root)
        self.doom = doom

    def create(self, name: str, password: Secret) -> Secret:
        url = super().create(name, password)
        self.doom.point()
        return url

    def cross(self, before: RuntimeSpec, after: RuntimeSpec, mark: str, progress: Progress) -> Crossing:
        done = super().cross(before, after, mark, progress)
        self.doom.point()
        return done

    def settle(self, spec: RuntimeSpec) -> None:
        super().settle(spec)
        self.doom.point()

    def abandon_file(self, deployment_id: str) -> None:
        super().abandon_file(deployment_id)
        self.doom.point()


def work(url: str, root: Path, last: int) -> None:
    """Work until every act has ended and the deployment is healthy, or until the kill."""
    store = open_store(url)
    world = World(store, SystemClock(), root)
    doom = Doom(last)
    runtime = DoomedRuntime(world.runtime.root, doom)
    runtime.databases = DoomedDatabases(world.runtime.root, doom)
    context = replace(world.context, runtime=runtime)
    event.listen(store.engine, "commit", doom.point)
    handlers = {
        KIND: Reconciler(context).look,
        acts.KIND: Acts(context, KINDS).look,
        backups.TAKE: BackupWork(context).take,
    }
    worker = Worker(store, SystemClock(), handlers, poll_s=0.02, lease_s=1.0)
    worker.start()
    while any(act.status not in ("done", "failed") for act in world.fleet.list_acts(SYSTEM, "shop")):
        time.sleep(0.02)
    world.fleet.wait_healthy(SYSTEM, "shop", 20)
    worker.stop(5)
    store.close()


def run_worker(url: str, world: World, last: int) -> int | None:
    process = _PROCESSES.Process(target=work, args=(url, world.root, last))
    process.start()
    process.join(60)
    return process.exitcode


def fresh(tmp_path: Path, name: str) -> tuple[str, World]:
    url = f"sqlite:///{tmp_path / name}.db"
    store = open_store(url, SystemClock())
    all_tables().create_all(store.engine)
    world = World(store, SystemClock(), tmp_path / name)
    view = world.deployment()
    assert run_worker(url, world, 0) == 0
    world.runtime.databases.write(f"sqlite:{view.id}", {"rows": ["a", "b"]})
    return url, world


def test_a_move_survives_a_kill_anywhere(tmp_path: Path) -> None:
    offset = os.getpid() % 11  # other points in other runs
    killed = 0
    for last in range(1 + offset, 120, 11):
        url, world = fresh(tmp_path, f"move{last}")
        view = world.show()
        world.fleet.move_database(SYSTEM, "shop", "postgresql")
        code = run_worker(url, world, last)
        if code == -signal.SIGKILL:
            killed += 1
            assert run_worker(url, world, 0) == 0
        act = world.fleet.list_acts(SYSTEM, "shop")[0]
        assert (act.status, act.error) == ("done", None), f"killed at point {last}"
        there = world.secrets.get(f"deployment/{view.id}/database-url").reveal()
        assert world.runtime.databases.rows(there) == {"rows": ["a", "b"]}
        assert world.runtime.databases.rows(f"sqlite:{view.id}") is None
        assert world.show().status == "healthy"
        assert len(list((world.context.home / "snapshots" / view.id).iterdir())) == 1
        world.store.close()
        if code == 0:
            break
    assert killed > 1, "too few points: the kills did not reach the steps"


def test_a_restore_survives_a_kill_anywhere(tmp_path: Path) -> None:
    killed = 0
    for last in range(3 + os.getpid() % 11, 120, 11):
        url, world = fresh(tmp_path, f"restore{last}")
        view = world.show()
        world.runtime.add_rows(view.id, 4)
        backup = backups.create(world.context, SYSTEM, "shop")
        while backups.get(world.context, SYSTEM, "shop", backup.id).verified_at is None:
            world.look()
        world.runtime.add_rows(view.id, 3)
        backups.restore(world.context, SYSTEM, "shop", backup.id)
        code = run_worker(url, world, last)
        if code == -signal.SIGKILL:
            killed += 1
            assert run_worker(url, world, 0) == 0
        act = world.fleet.list_acts(SYSTEM, "shop")[0]
        assert (act.status, act.error) == ("done", None), f"killed at point {last}"
        assert world.runtime.database_of(view.id)["rows"] == 4
        assert world.show().status == "healthy"
        world.store.close()
        if code == 0:
            break
    assert killed > 1, "too few points: the kills did not reach the steps"
