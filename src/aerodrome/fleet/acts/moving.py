"""The act "move": another metadata database for the same Airflow, by a proved copy; the old one is kept as a snapshot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from aerodrome.fleet import wishes
from aerodrome.fleet.acts import stages
from aerodrome.fleet.acts.contract import ActKind, Scene, Step
from aerodrome.fleet.database_urls import BEFORE, CURRENT, DatabaseUrls, new_password, next_of
from aerodrome.kernel.errors import Broken
from aerodrome.runtimes.contract import RuntimeSpec
from aerodrome.store.tables.deployment import DeploymentRow


def make_ready(scene: Scene) -> Mapping[str, Any]:
    """Make or probe the new database, while Airflow still runs on the old one."""
    urls, databases = _urls(scene), scene.context.runtime.databases
    if scene.act.params["to"] == "postgresql":
        urls.put(next_of(scene.act.id), databases.create(scene.deployment.id, new_password()))
        return {"database": "managed"}
    if scene.act.params["to"] == "existing":
        url = urls.get(next_of(scene.act.id))
        if url is None:
            raise Broken(
                "The URL of the new database is gone.", code="database-url-missing", hint="Ask for the move again."
            )
        return {"database": databases.probe(url).label}
    return {"database": "sqlite"}


def copy(scene: Scene) -> Mapping[str, Any]:
    """Copy everything into the new database and prove it."""
    if scene.results.get("snapshot", {}).get("snapshot") is None:
        scene.say("Airflow was never started: there is nothing to copy.")
        return {"rows": 0}
    before, after = _before(scene), _after(scene)
    done = scene.context.runtime.databases.cross(before, after, scene.act.id, scene.say)
    return {"rows": sum(done.rows.values()), "tables": len(done.rows), "seconds": round(done.seconds, 2)}


def switch(scene: Scene) -> None:
    """Make the new database the one in use."""
    urls, after = _urls(scene), _after(scene)
    if urls.get(BEFORE) is None and scene.deployment.database_kind != scene.act.params["to"]:
        urls.put(BEFORE, urls.get(CURRENT))
    if scene.results.get("snapshot", {}).get("snapshot") is not None:
        scene.context.runtime.databases.settle(after)
    urls.put(CURRENT, after.database_url)
    _point(scene, scene.act.params["to"])


def tidy(scene: Scene) -> None:
    """Let go of the old database; its snapshot stays."""
    databases, came_from = scene.context.runtime.databases, scene.act.params["from"]
    if came_from == "postgresql":
        databases.drop(scene.deployment.id)
    if came_from == "sqlite":
        databases.abandon_file(scene.deployment.id)
    _urls(scene).forget_move(scene.act.id)


def point_back(scene: Scene) -> None:
    """Make the old database the one in use again."""
    if "switch" not in scene.begun:
        return
    urls = _urls(scene)
    if scene.act.params["from"] == "sqlite":
        urls.put(CURRENT, None)
    elif (before := urls.get(BEFORE)) is not None:
        urls.put(CURRENT, before)
    _point(scene, scene.act.params["from"])


def discard(scene: Scene) -> None:
    """Remove what was copied into the new database."""
    databases, to = scene.context.runtime.databases, scene.act.params["to"]
    if to == "postgresql":
        databases.drop(scene.deployment.id)
    elif "copy" in scene.begun:
        databases.uncross(_after(scene), scene.act.id)
    _urls(scene).forget_move(scene.act.id)


def _point(scene: Scene, kind: str) -> None:
    with wishes.writing(scene.context) as session:
        row = session.get_one(DeploymentRow, scene.deployment.id, with_for_update=True)
        if row.database_kind != kind:
            row.database_kind = kind
            row.generation += 1
            row.updated_at = scene.context.clock.now()


def _urls(scene: Scene) -> DatabaseUrls:
    return DatabaseUrls(scene.context.secrets, scene.deployment.id)


def _before(scene: Scene) -> RuntimeSpec:
    urls = _urls(scene)
    return replace(stages.spec_of(scene), database_url=urls.get(BEFORE) or urls.get(CURRENT))


def _after(scene: Scene) -> RuntimeSpec:
    url = None if scene.act.params["to"] == "sqlite" else _urls(scene).get(next_of(scene.act.id))
    return replace(stages.spec_of(scene), database_url=url)


def _keep(scene: Scene) -> Mapping[str, Any]:
    return stages.keep(scene, "before-move")


MOVE = ActKind(
    forward=(
        Step("prepare", "Make the new database ready", make_ready),
        Step("stop", "Stop Airflow, running tasks finish first", stages.stop),
        Step("snapshot", "Keep the old database as a snapshot", _keep),
        Step("copy", "Copy every row and prove it", copy),
        Step("switch", "Use the new database", switch),
        Step("start", "Start Airflow and wait until it is healthy", stages.start),
        Step("tidy", "Let go of the old database", tidy, is_after=True),
    ),
    back=(
        Step("halt", "Stop what was started", stages.halt),
        Step("point-back", "Use the old database again", point_back),
        Step("discard", "Remove the copy", discard),
    ),
    done_event="database_moved",
)
