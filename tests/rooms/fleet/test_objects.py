"""Environment objects: scopes, links, versions, secrets, imports. Breaks for everybody whose DAGs use connections."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, select
from tests.rooms.fleet.world import World

from aerodrome.access import SYSTEM
from aerodrome.access.actor import Actor
from aerodrome.environments import retention, revisions
from aerodrome.environments.contract import ObjectView, Wish
from aerodrome.environments.resolution import known_names
from aerodrome.fleet import legacy_env
from aerodrome.fleet.environment import EnvironmentManager, ImportWish
from aerodrome.kernel.errors import Conflict, Denied, Invalid, NotFound
from aerodrome.kernel.secret import MASK, Secret
from aerodrome.store.tables.deploy import DeployRow
from aerodrome.store.tables.deployment import DeploymentRow

POSTGRES = {"conn_type": "postgres", "host": "db", "port": 5432, "extra.sslmode": "require"}


@pytest.fixture
def manager(world: World) -> EnvironmentManager:
    world.deployment("shop")
    world.deployment("dev")
    return world.fleet.environment


def put(manager: EnvironmentManager, kind: Any, name: str, fields: dict[str, Any], **more: Any) -> ObjectView:
    place = {"deployment": more.pop("deployment")} if "deployment" in more else {"workspace": "team"}
    return manager.put(SYSTEM, Wish(kind, name, fields, **more), **place)


def connection(world: World, name: str, deployment: str = "shop") -> dict[str, Any] | None:
    """Give what that deployment's Airflow finds after a look of the worker."""
    world.look()
    text = world.runtime.environments[world.show(deployment).id].connections.get(name)
    return None if text is None else json.loads(text.reveal())


def variable(world: World, name: str, deployment: str = "shop") -> str | None:
    world.look()
    text = world.runtime.environments[world.show(deployment).id].variables.get(name)
    return None if text is None else text.reveal()


def test_a_workspace_object_reaches_all_and_the_deployments_own_wins(world: World, manager: EnvironmentManager) -> None:
    put(manager, "connection", "wh", {**POSTGRES, "password": Secret("canary-1")})
    assert connection(world, "wh") == {
        "conn_type": "postgres", "host": "db", "port": 5432, "password": "canary-1", "extra": {"sslmode": "require"},
    }  # fmt: skip
    assert connection(world, "wh", "dev") == connection(world, "wh")
    put(manager, "connection", "wh", {"conn_type": "http", "host": "own"}, deployment="dev")
    assert connection(world, "wh", "dev") == {"conn_type": "http", "host": "own"}
    assert (connection(world, "wh") or {})["host"] == "db"
    (effective,) = [item for item in manager.effective(SYSTEM, "dev").items if item.name == "wh"]
    assert [(place.place, place.wins) for place in effective.places] == [("deployment", True), ("workspace", False)]


def test_links_override_fields_and_exclude(world: World, manager: EnvironmentManager) -> None:
    item = put(manager, "connection", "wh", {**POSTGRES, "password": Secret("canary-1")})
    manager.link(SYSTEM, item.id, "dev", {"host": "dev-db", "password": Secret("canary-2"), "extra.sslmode": "off"})
    assert connection(world, "wh", "dev") == {
        "conn_type": "postgres", "host": "dev-db", "port": 5432, "password": "canary-2", "extra": {"sslmode": "off"},
    }  # fmt: skip
    (link,) = manager.get(SYSTEM, item.id).links
    assert link.fields == {"extra.sslmode": "off", "host": "dev-db", "password": MASK}
    put(manager, "connection", "wh", {"host": "db2"})
    assert (connection(world, "wh", "dev") or {})["host"] == "dev-db"
    manager.exclude(SYSTEM, item.id, "dev")
    assert connection(world, "wh", "dev") is None
    manager.unlink(SYSTEM, item.id, "dev")
    assert (connection(world, "wh", "dev") or {})["host"] == "db2"
    manager.link_all(SYSTEM, item.id, is_auto_linked=False)
    assert connection(world, "wh") is None
    manager.link(SYSTEM, item.id, "shop")
    assert (connection(world, "wh") or {})["host"] == "db2"
    world.deployment("later")
    assert connection(world, "wh", "later") is None


def test_a_connection_or_variable_restarts_nothing_and_an_env_var_does(
    world: World, manager: EnvironmentManager
) -> None:
    world.look()
    before = world.show()
    put(manager, "variable", "colour", {"value": "blue"})
    put(manager, "connection", "wh", POSTGRES)
    assert variable(world, "colour") == "blue"
    after = world.show()
    assert after.generation == before.generation + 2 == after.observed_generation
    assert [part.pid for part in after.components] == [part.pid for part in before.components]
    put(manager, "env", "REGION", {"value": "eu"})
    world.look()
    assert [part.pid for part in world.show().components] != [part.pid for part in before.components]
    assert world.show().env == {"REGION": "eu"}


def test_a_change_looks_only_at_deployments_that_it_reaches(world: World, manager: EnvironmentManager) -> None:
    item = put(manager, "variable", "colour", {"value": "blue"})
    manager.exclude(SYSTEM, item.id, "dev")
    shop, dev = world.show("shop").generation, world.show("dev").generation
    put(manager, "variable", "colour", {"value": "red"})
    put(manager, "variable", "colour", {"value": "red"})
    put(manager, "variable", "colour", {}, description="only words")
    assert (world.show("shop").generation, world.show("dev").generation) == (shop + 1, dev)


def test_every_change_is_a_version_and_an_old_one_comes_back(world: World, manager: EnvironmentManager) -> None:
    item = put(manager, "connection", "wh", {**POSTGRES, "password": Secret("canary-1")})
    put(manager, "connection", "wh", {"host": "db2", "password": Secret("canary-2")})
    put(manager, "connection", "wh", {"password": Secret("canary-2")})  # says the same: no version
    manager.delete(SYSTEM, item.id)
    assert connection(world, "wh") is None
    history = manager.history(SYSTEM, item.id)
    assert [(entry.number, entry.change) for entry in history] == [(3, "deleted"), (2, "updated"), (1, "created")]
    assert history[1].changed == ("host", "password")
    assert (history[1].before, history[1].after) == (
        {"host": "db", "password": MASK}, {"host": "db2", "password": MASK},
    )  # fmt: skip
    assert "canary" not in str(history)
    manager.restore(SYSTEM, item.id, 1)
    restored = connection(world, "wh") or {}
    assert (restored["host"], restored["password"]) == ("db", "canary-1")
    with pytest.raises(NotFound, match="version 3"):
        manager.restore(SYSTEM, item.id, 3)


def test_hiding_a_value_hides_it_in_the_past_too(world: World, manager: EnvironmentManager) -> None:
    item = put(manager, "variable", "token", {"value": "canary-old"})
    put(manager, "variable", "token", {"value": "canary-new"})
    put(manager, "variable", "token", {}, is_secret=True)
    assert variable(world, "token") == "canary-new"
    with world.store.reading() as session:
        tables = ["environment_object", "environment_version", "audit_entry", "outbox_event", "job"]
        connection_ = session.connection()
        dump = "".join(str(connection_.exec_driver_sql(f"select * from {name}").all()) for name in tables)
    assert "canary" not in dump
    manager.restore(SYSTEM, item.id, 1)
    assert variable(world, "token") == "canary-old"
    assert manager.get(SYSTEM, item.id).fields == {"value": MASK}


def test_making_a_secret_plain_needs_the_right_and_is_audited(world: World, manager: EnvironmentManager) -> None:
    put(manager, "variable", "token", {"value": Secret("canary-1")})
    operator = Actor("usr_1", "olga", "user", (("operator", ""),))
    with pytest.raises(Denied) as caught:
        manager.put(operator, Wish("variable", "token", is_secret=False), workspace="team")
    assert caught.value.details["permission"] == "environment.reveal"
    manager.put(operator, Wish("variable", "token", {"value": "canary-2"}, is_secret=False), workspace="team")
    manager.put(operator, Wish("variable", "token", {"value": Secret("canary-3")}), workspace="team")
    view = manager.put(SYSTEM, Wish("variable", "token", is_secret=False), workspace="team")
    assert view.fields == {"value": "canary-3"}


def test_extras_with_telling_names_are_secret_on_their_own(world: World, manager: EnvironmentManager) -> None:
    extra = {"extra.private_key": {"pem": "canary-1"}, "extra.region": "eu", "extra.odd": Secret("canary-2")}
    view = put(manager, "connection", "cloud", {"conn_type": "aws", **extra})
    assert view.fields == {"conn_type": "aws", "extra.odd": MASK, "extra.private_key": MASK, "extra.region": "eu"}
    put(manager, "connection", "cloud", {"extra.region": None})
    assert connection(world, "cloud") == {
        "conn_type": "aws", "extra": {"private_key": {"pem": "canary-1"}, "odd": "canary-2"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "name", "fields", "field"),
    [
        ("connection", "two words", {"conn_type": "http"}, "name"),
        ("connection", "wh", {}, "conn_type"),
        ("connection", "wh", {"conn_type": "http", "port": "high"}, "port"),
        ("connection", "wh", {"conn_type": "http", "port": 65536}, "port"),
        ("connection", "wh", {"conn_type": "no type"}, "conn_type"),
        ("connection", "wh", {"conn_type": "http", "user": "x"}, "user"),
        ("variable", "", {"value": "x"}, "name"),
        ("variable", "v", {}, "value"),
        ("variable", "v", {"value": "a\0b"}, "value"),
        ("env", "1X", {"value": "x"}, "env.1X"),
        ("env", "AIRFLOW__CORE__FERNET_KEY", {"value": "x"}, "env.AIRFLOW__CORE__FERNET_KEY"),
    ],
)
def test_what_cannot_be_is_refused_by_field(
    manager: EnvironmentManager, kind: str, name: str, fields: dict[str, Any], field: str
) -> None:
    with pytest.raises(Invalid) as caught:
        put(manager, kind, name, fields)
    assert caught.value.details["field"] == field
    assert caught.value.hint
    assert manager.list_all(SYSTEM) == []


def test_strangers_see_nothing_and_viewers_change_nothing(world: World, manager: EnvironmentManager) -> None:
    item = put(manager, "variable", "colour", {"value": "blue"})
    stranger = Actor("usr_1", "sam", "user", ())
    viewer = Actor("usr_2", "vera", "user", (("viewer", ""),))
    assert manager.list_all(stranger) == []
    refused: list[Callable[[], Any]] = [
        lambda: manager.get(stranger, item.id),
        lambda: manager.history(stranger, item.id),
        lambda: manager.restore(stranger, item.id, 1),
        lambda: manager.effective(stranger, "shop"),
    ]
    for act in refused:
        with pytest.raises(NotFound):
            act()
    assert [seen.name for seen in manager.list_all(viewer)] == ["colour"]
    denied: list[Callable[[], Any]] = [
        lambda: manager.delete(viewer, item.id),
        lambda: manager.put(viewer, Wish("variable", "colour", {"value": "red"}), workspace="team"),
        lambda: manager.link(viewer, item.id, "shop", {"value": "red"}),
        lambda: manager.test(viewer, "shop", "wh"),
        lambda: manager.export(viewer, "variable", "json", workspace="team", with_secrets=True),
    ]
    for act in denied:
        with pytest.raises(Denied):
            act()


def test_an_import_of_two_thousand_is_a_handful_of_statements(world: World, manager: EnvironmentManager) -> None:
    data = {f"c{number}": {"conn_type": "http", "host": "h", "password": f"canary-{number}"} for number in range(2000)}
    statements: list[str] = []
    event.listen(world.store.engine, "before_cursor_execute", lambda *args: statements.append(args[2][:60]))
    wish = ImportWish("connection", "json", Secret(json.dumps(data)))
    report = manager.import_file(SYSTEM, wish, workspace="team")
    assert report.counts == {"new": 2000}
    assert len(statements) < 120
    assert (connection(world, "c1999") or {})["password"] == "canary-1999"
    statements.clear()
    again = manager.import_file(
        SYSTEM, ImportWish("connection", "json", Secret(json.dumps(data)), "overwrite"), workspace="team"
    )
    assert again.counts == {"same": 2000}
    assert len(statements) < 60


def test_an_import_is_all_or_nothing_and_a_dry_run_says_why(manager: EnvironmentManager) -> None:
    put(manager, "variable", "a", {"value": "1"})
    put(manager, "variable", "b", {"value": "2"})
    text = Secret(json.dumps({"a": "1", "b": {"value": "3", "description": "three"}, "c": [1], " d": "x"}))
    dry = manager.import_file(SYSTEM, ImportWish("variable", "json", text, is_dry_run=True), workspace="team")
    assert [(line.name, line.outcome) for line in dry.lines] == [
        ("a", "same"), ("b", "changed"), ("c", "new"), (" d", "invalid"),
    ]  # fmt: skip
    with pytest.raises(Invalid, match="1 of 4"):
        manager.import_file(SYSTEM, ImportWish("variable", "json", text, "overwrite"), workspace="team")
    good = Secret(json.dumps({"a": "9", "c": [1]}))
    with pytest.raises(Conflict, match="there already"):
        manager.import_file(SYSTEM, ImportWish("variable", "json", good), workspace="team")
    skipped = manager.import_file(SYSTEM, ImportWish("variable", "json", good, "skip"), workspace="team")
    assert skipped.counts == {"skipped": 1, "new": 1}
    values = {item.name: item.fields["value"] for item in manager.list_all(SYSTEM)}
    assert values == {"a": "1", "b": "2", "c": "[\n  1\n]"}


def test_what_looks_like_a_secret_is_imported_as_one(manager: EnvironmentManager) -> None:
    lines = "API_KEY=canary-1\nAIRFLOW_CONN_WH=http://x\nMIRROR=https://me:canary-2@host/\nLEVEL=info\nQUOTED='a b'\n"
    manager.import_file(SYSTEM, ImportWish("env", "env", Secret(lines)), deployment="shop")
    values = {item.name: item.fields["value"] for item in manager.list_all(SYSTEM)}
    assert values == {"API_KEY": MASK, "AIRFLOW_CONN_WH": MASK, "MIRROR": MASK, "LEVEL": "info", "QUOTED": "a b"}
    plain = ImportWish("env", "env", Secret("MIRROR=https://me:x@host/"), "overwrite", is_secret=False)
    assert manager.import_file(SYSTEM, plain, deployment="shop").counts == {"changed": 1}


def test_secrets_leave_only_when_asked_for(manager: EnvironmentManager) -> None:
    put(manager, "connection", "wh", {**POSTGRES, "password": Secret("canary-1"), "extra.token": "canary-2"})
    for format_ in ("json", "yaml", "env"):
        masked = manager.export(SYSTEM, "connection", format_, workspace="team").reveal()
        assert "canary" not in masked
        whole = manager.export(SYSTEM, "connection", format_, workspace="team", with_secrets=True)
        assert "canary-1" in whole.reveal()
        wish = ImportWish("connection", format_, whole, "overwrite", is_dry_run=True)
        assert manager.import_file(SYSTEM, wish, workspace="team").counts == {"same": 1}, format_
    wish = ImportWish(
        "connection", "json", Secret(manager.export(SYSTEM, "connection", "json", workspace="team").reveal())
    )
    with pytest.raises(Invalid, match="masked"):
        manager.import_file(SYSTEM, wish, workspace="team")


def test_a_revision_comes_back_for_one_deployment_alone(world: World, manager: EnvironmentManager) -> None:
    put(manager, "variable", "own", {"value": "1"}, deployment="shop")
    put(manager, "variable", "shared", {"value": Secret("canary-1")})
    shop = world.show("shop").id
    with world.store.reading() as session:
        revision = revisions.revision(session, shop)
    put(manager, "variable", "own", {"value": "2"}, deployment="shop")
    put(manager, "variable", "late", {"value": "x"}, deployment="shop")
    put(manager, "variable", "shared", {"value": Secret("canary-2")})
    put(manager, "variable", "shared_late", {"value": "y"})
    with world.store.writing() as session:
        changed = revisions.restore_revision(session, SYSTEM, shop, revision)
        row = session.get_one(DeploymentRow, shop)
        row.generation += 1
    assert changed == ("variable late", "variable own", "variable shared", "variable shared_late")
    assert [variable(world, name) for name in ("own", "late", "shared", "shared_late")] == ["1", None, "canary-1", None]
    with world.store.reading() as session:
        assert known_names(session, session.get_one(DeploymentRow, shop)).variables == {"own", "shared"}
    world.fleet.update_deployment(SYSTEM, "dev", _touch())
    assert [variable(world, name, "dev") for name in ("shared", "shared_late")] == ["canary-2", "y"]
    with world.store.writing() as session:
        assert revisions.restore_revision(session, SYSTEM, shop, revision) == ()


def _touch() -> Any:
    from aerodrome.fleet.service import DeploymentChanges

    return DeploymentChanges(parallelism=5)


def test_variables_from_before_there_were_objects_are_adopted(world: World, manager: EnvironmentManager) -> None:
    shop = world.show("shop").id
    world.secrets.put(f"deployment/{shop}/env/TOKEN", Secret("canary-1"))
    with world.store.writing() as session:
        row = session.get_one(DeploymentRow, shop)
        row.env, row.secret_env = {"PLAIN": "yes"}, ["TOKEN"]
    assert legacy_env.adopt(world.context) == 1
    assert legacy_env.adopt(world.context) == 0
    assert world.show("shop").env == {"PLAIN": "yes", "TOKEN": MASK}
    assert [item.name for item in manager.list_all(SYSTEM, deployment="shop")] == ["PLAIN", "TOKEN"]
    world.look()
    world.fleet.delete_deployment(SYSTEM, "shop")
    world.look()
    assert world.secrets.list(f"deployment/{shop}") == []


def test_a_test_says_what_to_do_next(world: World, manager: EnvironmentManager) -> None:
    world.look()
    assert manager.test(SYSTEM, "shop", "wh").outcome == "good"
    world.runtime.set_trouble(probe={"outcome": "no-provider", "conn_type": "snowflake", "message": ""})
    told = manager.test(SYSTEM, "shop", "wh")
    assert "apache-airflow-providers-snowflake" in told.hint


def test_old_versions_go_with_their_values_but_not_what_a_deploy_needs(
    world: World, manager: EnvironmentManager
) -> None:
    for number in range(54):
        put(manager, "variable", "token", {"value": Secret(f"canary-{number}")})
    item = manager.find(SYSTEM, "variable", "token", workspace="team", deployment=None)
    world.fleet.deploy(SYSTEM, "shop", world.project())
    with world.store.writing() as session:
        deploy = session.scalars(select(DeployRow)).one()
        deploy.revision = {"environment": {item.id: 2}}
    assert retention.prune(world.store, world.secrets, item.updated_at) == 0
    later = item.updated_at + timedelta(days=1)
    assert retention.prune(world.store, world.secrets, later) == 3
    assert [entry.number for entry in manager.history(SYSTEM, item.id)][-2:] == [5, 2]
    assert len(world.secrets.list(f"workspace/{item.workspace_id}")) == 51
    manager.restore(SYSTEM, item.id, 2)
    assert variable(world, "token") == "canary-1"


def test_many_hands_at_once_lose_no_change(world: World, manager: EnvironmentManager) -> None:
    item = put(manager, "connection", "wh", {**POSTGRES, "password": Secret("canary-0")})

    def work(number: int) -> None:
        for turn in range(4):
            put(manager, "connection", "wh", {f"extra.k{number}": turn, "password": Secret(f"canary-{number}-{turn}")})
            world.fleet.set_env(SYSTEM, "shop", {f"E{number}": str(turn)})
            manager.link(SYSTEM, item.id, "dev", {"login": f"me-{number}-{turn}"})

    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(work, number) for number in range(3)]:
            done.result()
    view = manager.get(SYSTEM, item.id)
    assert {name: view.fields[f"extra.{name}"] for name in ("k0", "k1", "k2")} == {"k0": 3, "k1": 3, "k2": 3}
    assert world.show("shop").env == {"E0": "3", "E1": "3", "E2": "3"}
    assert [entry.number for entry in manager.history(SYSTEM, item.id)] == list(range(25, 0, -1))
    password = (connection(world, "wh") or {})["password"]
    assert password in {"canary-0-3", "canary-1-3", "canary-2-3"}
