"""A worker for the kill tests, run in a process of its own. It kills itself with SIGKILL at its `last`th point: right after
a commit, or right after an act of the runtime that nobody has written down yet, which is what a power cut does.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace
from pathlib import Path

from sqlalchemy import event
from tests.rooms.fleet.world import FolderRuntime, World

from aerodrome.access import SYSTEM
from aerodrome.fleet.reconcile import KIND, Reconciler
from aerodrome.kernel.clock import SystemClock
from aerodrome.runtimes.contract import Conversion, Progress, RuntimeSpec, Snapshot
from aerodrome.store import open_store
from aerodrome.worker.loop import Worker


class Doom:
    """Counts points and ends the process at one of them; 0: never."""

    def __init__(self, last: int) -> None:
        self.last, self.count = last, 0

    def point(self, *_: object) -> None:
        self.count += 1
        if self.count == self.last:
            os.kill(os.getpid(), signal.SIGKILL)


class DoomedRuntime(FolderRuntime):
    """Dies right after an act, before anybody can write down that it was done."""

    def __init__(self, root: Path, doom: Doom) -> None:
        super().__init__(root)
        self.doom = doom

    def apply(self, spec: RuntimeSpec) -> None:
        super().apply(spec)
        self.doom.point()

    def stop(self, deployment_id: str, grace_s: float, drain_s: float = 0.0) -> None:
        super().stop(deployment_id, grace_s, drain_s)
        self.doom.point()

    def snapshot(self, spec: RuntimeSpec, folder: Path, progress: Progress) -> Snapshot:
        taken = super().snapshot(spec, folder, progress)
        self.doom.point()
        return taken

    def restore(self, spec: RuntimeSpec, folder: Path, progress: Progress) -> None:
        super().restore(spec, folder, progress)
        self.doom.point()

    def convert(self, before: RuntimeSpec, after: RuntimeSpec, snapshot: Path | None, progress: Progress) -> Conversion:
        done = super().convert(before, after, snapshot, progress)
        self.doom.point()
        return done


def work(url: str, root: Path, ref: str, last: int) -> None:
    """Work until every deploy of the deployment has ended and it is healthy, or until the kill."""
    store = open_store(url)
    world = World(store, SystemClock(), root)
    doom = Doom(last)
    context = replace(world.context, runtime=DoomedRuntime(world.runtime.root, doom))
    event.listen(store.engine, "commit", doom.point)
    worker = Worker(store, SystemClock(), {KIND: Reconciler(context).look}, poll_s=0.02, lease_s=0.4)
    worker.start()
    ended = {"live", "superseded", "failed"}
    while any(view.status not in ended for view in world.fleet.list_deploys(SYSTEM, ref)):
        time.sleep(0.02)
    world.fleet.wait_healthy(SYSTEM, ref, 20)
    worker.stop(5)
    store.close()
