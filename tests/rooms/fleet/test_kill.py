"""kill -9 after every commit of a deploy: the next worker finishes it, exactly once. Breaks for whoever loses power."""

from __future__ import annotations

import multiprocessing
import signal
from pathlib import Path

from tests.rooms.fleet.doomed_worker import work
from tests.rooms.fleet.world import World

from aerodrome.access import SYSTEM
from aerodrome.kernel.clock import SystemClock
from aerodrome.store import Store, outbox

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
