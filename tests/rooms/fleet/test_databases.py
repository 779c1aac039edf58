"""The metadata database of a deployment: chosen, moved, restored. Breaks with lost history or an Airflow that stays down."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.rooms.fleet.folder_databases import FolderDatabases
from tests.rooms.fleet.world import World

from aerodrome.access import SYSTEM
from aerodrome.fleet import databases
from aerodrome.fleet.acts.queries import ActView
from aerodrome.fleet.vault import DeploymentVault
from aerodrome.fleet.views import DeploymentView
from aerodrome.kernel.clock import ManualClock
from aerodrome.kernel.errors import Conflict, Denied, Invalid, NotFound
from aerodrome.kernel.ids import new_id
from aerodrome.kernel.secret import Secret
from aerodrome.store import outbox

ELSEWHERE = Secret("postgresql://owner:sesame-1234@far/away")


def settle(world: World, rounds: int = 40) -> None:
    """Let the worker look until nothing is left to do."""
    assert isinstance(world.clock, ManualClock)
    for _ in range(rounds):
        world.look()
        world.clock.advance(timedelta(seconds=1))


def healthy(world: World, **wish: Any) -> DeploymentView:
    view = world.deployment(**wish)
    settle(world, 3)
    assert world.show().status == "healthy"
    if view.database == "sqlite":
        world.runtime.databases.write(f"sqlite:{view.id}", {"rows": ["a", "b"]})
    return view


def last(world: World) -> ActView:
    return world.fleet.list_acts(SYSTEM, "shop")[0]


def test_the_database_is_chosen_when_a_deployment_is_made(world: World) -> None:
    managed_ones = world.runtime.databases
    assert world.deployment("plain").database == "sqlite"
    managed = world.deployment("managed", database="postgresql")
    assert managed_ones.names() == {managed.id}
    url = world.secrets.get(f"deployment/{managed.id}/database-url").reveal()
    assert managed.id in url
    theirs = world.deployment("theirs", database="existing", database_url=ELSEWHERE)
    assert "sesame-1234" in world.secrets.get(f"deployment/{theirs.id}/database-url").reveal()
    with world.store.reading() as session:
        tables = ("deployment", "outbox_event", "audit_entry", "job", "secret")
        dump = "".join(str(session.connection().exec_driver_sql(f"select * from {name}").all()) for name in tables)
    assert "sesame" not in dump


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        ({"database": "oracle"}, "database-kind-unknown"),
        ({"database": "existing"}, "database-url-missing"),
        ({"database": "sqlite", "database_url": ELSEWHERE}, "database-url-unwanted"),
        ({"database": "existing", "database_url": Secret("postgresql://a:wrong@h/d")}, "database-login-refused"),
    ],
)
def test_a_wrong_choice_leaves_nothing(world: World, wish: dict[str, Any], code: str) -> None:
    with pytest.raises((Invalid, Denied)) as caught:
        world.deployment("shop", **wish)
    assert caught.value.code == code
    assert world.secrets.list("deployment") == []
    assert world.fleet.list_deployments(SYSTEM) == []


def test_a_deleted_deployment_takes_its_managed_database_along(world: World) -> None:
    world.deployment("shop", database="postgresql")
    settle(world, 2)
    world.fleet.delete_deployment(SYSTEM, "shop")
    settle(world, 3)
    assert world.runtime.databases.names() == set()


def test_a_move_copies_switches_and_keeps_the_old_database_as_a_snapshot(world: World) -> None:
    view = healthy(world)
    places = world.runtime.databases
    assert isinstance(places, FolderDatabases)
    act = world.fleet.move_database(SYSTEM, "shop", "postgresql")
    with pytest.raises(Conflict):
        world.fleet.move_database(SYSTEM, "shop", "existing", ELSEWHERE)
    settle(world)
    done = last(world)
    assert (done.id, done.status, done.error) == (act.id, "done", None)
    assert [step["status"] for step in done.steps] == ["done"] * 7
    url = world.secrets.get(f"deployment/{view.id}/database-url").reveal()
    assert places.rows(url) == {"rows": ["a", "b"]}
    assert places.rows(f"sqlite:{view.id}") is None
    assert world.secrets.list(f"deployment/{view.id}/database-url-") == []
    now = world.show()
    assert (now.database, now.status, now.observed_generation) == ("postgresql", "healthy", now.generation)
    snapshot = world.context.home / "snapshots" / view.id
    assert len(list(snapshot.iterdir())) == 1
    world.fleet.move_database(SYSTEM, "shop", "sqlite")
    settle(world)
    assert last(world).status == "done"
    assert places.rows(f"sqlite:{view.id}") == {"rows": ["a", "b"]}
    assert places.names() == set()


@pytest.mark.parametrize("trouble", ["create", "cross"])
def test_a_move_that_fails_takes_itself_back(world: World, trouble: str) -> None:
    view = healthy(world)
    world.runtime.set_trouble(database={trouble: "No room."})
    world.fleet.move_database(SYSTEM, "shop", "postgresql")
    settle(world)
    act = last(world)
    assert act.status == "failed"
    assert act.error is not None
    assert act.error["message"] == "No room."
    now = world.show()
    assert (now.database, now.status) == ("sqlite", "healthy")
    assert world.runtime.databases.rows(f"sqlite:{view.id}") == {"rows": ["a", "b"]}
    assert world.runtime.databases.names() == set()
    assert world.secrets.list(f"deployment/{view.id}/database-url") == []
    with world.store.reading() as session:
        assert "deployment.act_failed" in {event.type for event in outbox.read(session)}


def test_an_airflow_that_does_not_come_up_on_the_new_database_goes_back(world: World) -> None:
    view = healthy(world)
    world.fleet.move_database(SYSTEM, "shop", "existing", ELSEWHERE)
    world.runtime.set_trouble(health="failed")
    settle(world, 8)
    world.runtime.set_trouble()
    settle(world)
    assert last(world).status == "failed"
    assert world.show().database == "sqlite"
    assert world.show().status == "healthy"
    assert world.secrets.list(f"deployment/{view.id}/database-url") == []


def test_what_fails_after_the_move_is_tried_again_and_loses_nothing(world: World) -> None:
    healthy(world, database="postgresql")
    url = world.secrets.get(f"deployment/{world.show().id}/database-url").reveal()
    world.runtime.databases.write(url, {"rows": ["c"]})
    world.runtime.set_trouble(database={"drop": "Later: the server restarts."})
    world.fleet.move_database(SYSTEM, "shop", "sqlite")
    settle(world)
    assert last(world).status == "running"
    assert world.show().database == "sqlite"
    assert world.show().status == "healthy"
    world.runtime.set_trouble()
    settle(world)
    assert last(world).status == "done"


def test_a_sleeping_deployment_moves_asleep_and_nobody_else_starts_it_meanwhile(world: World) -> None:
    view = healthy(world)
    world.fleet.hibernate(SYSTEM, "shop")
    settle(world, 2)
    world.fleet.move_database(SYSTEM, "shop", "postgresql")
    settle(world)
    assert last(world).status == "done"
    assert world.show().status == "hibernated"
    assert world.runtime.history(view.id)[-1]["is_running"] is False


def test_managed_databases_that_are_gone_are_made_anew_on_another_machine(world: World) -> None:
    view = healthy(world, database="postgresql")
    before = world.secrets.get(f"deployment/{view.id}/database-url").reveal()
    assert databases.make_missing(world.context) == []
    world.runtime.databases.drop(view.id)
    assert databases.make_missing(world.context) == [view.id]
    assert world.secrets.get(f"deployment/{view.id}/database-url").reveal() != before
    assert world.show().generation > view.generation
    assert databases.make_missing(world.context) == []


def test_a_database_that_nobody_ever_used_is_dropped_and_nothing_else(world: World) -> None:
    """The platform died between the making of the database and the deployment's row."""
    assert isinstance(world.clock, ManualClock)
    view = healthy(world, database="postgresql")
    orphan, used = new_id("dep"), new_id("dep")
    for name in (orphan, used):
        world.runtime.databases.create(name, Secret("a-password"))
    world.runtime.databases.write(f"postgresql://x@managed/{used}", {"rows": [1]})
    DeploymentVault(world.context.secrets, orphan).create_keys()
    assert databases.drop_orphans(world.context) == []  # it may be on its way
    world.clock.advance(datetime.now(UTC) - world.clock.now() + timedelta(hours=2))
    assert databases.drop_orphans(world.context) == [orphan]
    assert world.runtime.databases.names() == {view.id, used}
    with pytest.raises(NotFound):
        DeploymentVault(world.context.secrets, orphan).fernet_key()
