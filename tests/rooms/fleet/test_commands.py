"""What people ask of fleet, and what they are told. Breaks for everybody who uses the API, the pages or the CLI."""

from __future__ import annotations

from typing import Any

import pytest
from tests.rooms.fleet.world import World

from aerodrome.access import SYSTEM, Actor, audit
from aerodrome.fleet.service import DeploymentChanges, NewDeployment
from aerodrome.kernel.errors import Conflict, Denied, Invalid, NotFound, Unavailable
from aerodrome.kernel.secret import MASK, Secret
from aerodrome.store import outbox


def test_a_new_deployment_gets_defaults_and_keys_of_its_own(world: World) -> None:
    one, two = world.deployment("one"), world.deployment("two")
    assert (one.airflow_version, one.executor, one.status, one.desired) == (
        "3.3.2",
        "LocalExecutor",
        "creating",
        "running",
    )
    assert one.python_version in {"3.10", "3.11", "3.12", "3.13", "3.14"}
    keys = {world.secrets.get(f"deployment/{view.id}/fernet-key").reveal() for view in (one, two)}
    assert len(keys) == 2
    assert "PRIVATE KEY" in world.secrets.get(f"deployment/{one.id}/signing-key").reveal()
    assert world.rings


def test_every_command_leaves_an_audit_entry_and_an_event(world: World) -> None:
    view = world.deployment()
    world.fleet.update_deployment(SYSTEM, "shop", DeploymentChanges(parallelism=8))
    world.fleet.deploy(SYSTEM, "shop", world.project(), "first", "cli")
    world.fleet.hibernate(SYSTEM, "shop")
    with world.store.reading() as session:
        actions = [entry.action for entry in audit.entries(session, target=f"workspace/{view.workspace_id}")]
        events = [event.type for event in outbox.read(session)]
    assert actions[::-1] == [
        "workspace.create",
        "deployment.created",
        "deployment.updated",
        "deploy.create",
        "deployment.hibernated",
    ]
    assert {"workspace.created", "deployment.created", "deployment.updated", "deploy.queued"} <= set(events)


@pytest.mark.parametrize("name", ["", "Shop", "-a", "a-", "a_b", "a" * 64, "ä", "a/b", "dep_1"])
def test_bad_names_are_refused_and_name_the_field(world: World, name: str) -> None:
    world.deployment()
    with pytest.raises(Invalid) as caught:
        world.fleet.create_deployment(SYSTEM, NewDeployment(name, "team"))
    assert caught.value.details == {"field": "name"}
    with pytest.raises(Invalid):
        world.fleet.create_workspace(SYSTEM, name)


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        ({"parallelism": 0}, "parallelism-invalid"),
        ({"parallelism": 65}, "parallelism-invalid"),
        ({"airflow_version": "3.3"}, "airflow-version-malformed"),
        ({"airflow_version": "1.10.15"}, "airflow-version-unsupported"),
        ({"airflow_version": "3.3.2", "python_version": "3.8"}, "python-version-unsupported"),
        ({"env": {"A-B": "x"}}, "env-name-invalid"),
        ({"env": {"AIRFLOW__CORE__FERNET_KEY": "x"}}, "setting-owned"),
        ({"env": {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD": "x"}}, "setting-owned"),
        ({"env": {"airflow_home": "x"}}, "setting-owned"),
        ({"config": {"parallelism": "x"}}, "config-key-invalid"),
        ({"config": {"api.port": "1"}}, "setting-owned"),
    ],
)
def test_wishes_that_cannot_be_are_refused_and_leave_nothing(world: World, wish: dict[str, Any], code: str) -> None:
    world.fleet.create_workspace(SYSTEM, "team")
    with pytest.raises(Invalid) as caught:
        world.fleet.create_deployment(SYSTEM, NewDeployment("shop", "team", **wish))
    assert caught.value.code == code
    assert world.fleet.list_deployments(SYSTEM) == []
    assert world.secrets.list("deployment") == []


def test_a_name_is_taken_once_per_workspace(world: World) -> None:
    world.deployment("shop", "team")
    world.deployment("shop", "other")
    with pytest.raises(Conflict, match="already a deployment"):
        world.deployment("shop", "team")
    with pytest.raises(Conflict, match="already a workspace"):
        world.fleet.create_workspace(SYSTEM, "team")
    assert len(world.fleet.list_deployments(SYSTEM)) == 2
    assert len(world.secrets.list("deployment")) == 4


def test_a_ref_is_an_id_a_name_or_both_names(world: World) -> None:
    first = world.deployment("shop", "team")
    second = world.deployment("shop", "other")
    assert world.show(first.id).id == first.id
    assert world.show("other/shop").id == second.id
    with pytest.raises(Conflict) as caught:
        world.show("shop")
    assert caught.value.details["choices"] == ["other/shop", "team/shop"]
    with pytest.raises(NotFound):
        world.show("team/elsewhere")
    with pytest.raises(NotFound):
        world.fleet.get_workspace(SYSTEM, "nobody")


def test_secret_values_never_reach_the_tables_or_the_views(world: World) -> None:
    world.deployment(env={"PLAIN": "yes", "TOKEN_A": Secret("canary-one-1234")})
    view = world.fleet.set_env(SYSTEM, "shop", {"TOKEN_B": "canary-two-1234"}, frozenset({"TOKEN_B"}))
    assert view.env == {"PLAIN": "yes", "TOKEN_A": MASK, "TOKEN_B": MASK}
    with world.store.reading() as session:
        connection = session.connection()
        tables = [
            "deployment",
            "outbox_event",
            "audit_entry",
            "job",
            "secret",
            "environment_object",
            "environment_version",
        ]
        dump = "".join(str(connection.exec_driver_sql(f"select * from {name}").all()) for name in tables)
    assert "canary" not in dump
    kept = [world.secrets.get(path).reveal() for path in world.secrets.list(f"deployment/{view.id}/environment")]
    assert sorted(kept) == ["canary-one-1234", "canary-two-1234"]


def test_environment_variables_can_be_removed_and_change_their_kind(world: World) -> None:
    world.deployment(env={"A": "1", "B": Secret("two-two")})
    view = world.fleet.set_env(SYSTEM, "shop", {"A": None, "B": "plain"})
    assert view.env == {"B": "plain"}


def test_an_update_that_changes_nothing_wishes_nothing(world: World) -> None:
    before = world.deployment()
    assert world.fleet.update_deployment(SYSTEM, "shop", DeploymentChanges(parallelism=4)).generation == 1
    renamed = world.fleet.update_deployment(SYSTEM, "shop", DeploymentChanges(name="store", description="x"))
    assert (renamed.name, renamed.generation) == ("store", before.generation)
    assert world.fleet.update_deployment(SYSTEM, "store", DeploymentChanges(parallelism=5)).generation == 2


@pytest.mark.parametrize(
    ("version", "code"), [("3.2.2", "airflow-downgrade"), ("2.11.2", "airflow-downgrade"), ("4.0.0", "airflow-version")]
)
def test_airflow_does_not_go_back(world: World, version: str, code: str) -> None:
    world.deployment()
    with pytest.raises(Invalid) as caught:
        world.fleet.update_deployment(SYSTEM, "shop", DeploymentChanges(airflow_version=version))
    assert caught.value.code.startswith(code)


def test_nobody_sees_or_changes_what_is_not_theirs(world: World) -> None:
    mine, theirs = world.deployment("mine", "team"), world.deployment("theirs", "other")
    viewer = Actor("usr_1", "ann", "user", (("viewer", f"workspace/{mine.workspace_id}"),))
    assert [view.name for view in world.fleet.list_deployments(viewer)] == ["mine"]
    assert [view.name for view in world.fleet.list_workspaces(viewer)] == ["team"]
    with pytest.raises(NotFound):
        world.fleet.get_deployment(viewer, theirs.id)
    with pytest.raises(NotFound):
        world.fleet.list_deployments(viewer, "other")
    for forbidden in (
        lambda: world.fleet.update_deployment(viewer, "mine", DeploymentChanges(parallelism=9)),
        lambda: world.fleet.set_env(viewer, "mine", {"A": "1"}),
        lambda: world.fleet.delete_deployment(viewer, "mine"),
        lambda: world.fleet.hibernate(viewer, "mine"),
        lambda: world.fleet.deploy(viewer, "mine", world.project()),
        lambda: world.fleet.access(viewer, "mine"),
        lambda: world.fleet.create_workspace(viewer, "new"),
        lambda: world.fleet.create_deployment(viewer, NewDeployment("new", "team")),
    ):
        with pytest.raises(Denied):
            forbidden()
    author = Actor("usr_2", "bob", "user", (("author", f"workspace/{mine.workspace_id}/deployment/{mine.id}"),))
    assert world.fleet.deploy(author, "mine", world.project()).actor == "bob"


def test_deploys_are_numbered_and_know_what_they_change(world: World) -> None:
    world.deployment()
    kinds = [
        world.fleet.deploy(SYSTEM, "shop", bundle).kind
        for bundle in (
            world.project("one"),
            world.project("two"),
            world.project("two", requirements__txt="attrs"),
            world.project("three", requirements__txt="attrs"),
        )
    ]
    assert kinds == ["full", "dags", "packages", "dags"]
    assert [view.number for view in world.fleet.list_deploys(SYSTEM, "shop")] == [4, 3, 2, 1]
    third = world.fleet.get_deploy(SYSTEM, "shop", 3)
    assert world.fleet.get_deploy(SYSTEM, "shop", third.id) == world.fleet.get_deploy(SYSTEM, "shop", "3") == third
    for wrong in (9, "99999999999999", "dpl_x"):
        with pytest.raises(NotFound):
            world.fleet.get_deploy(SYSTEM, "shop", wrong)


def test_a_deployment_that_is_being_deleted_takes_no_more_wishes(world: World) -> None:
    world.deployment()
    assert world.fleet.delete_deployment(SYSTEM, "shop").status == "deleting"
    assert world.fleet.delete_deployment(SYSTEM, "shop").desired == "deleted"
    for refused in (
        lambda: world.fleet.wake(SYSTEM, "shop"),
        lambda: world.fleet.deploy(SYSTEM, "shop", world.project()),
        lambda: world.fleet.set_env(SYSTEM, "shop", {"A": "1"}),
        lambda: world.fleet.update_deployment(SYSTEM, "shop", DeploymentChanges(parallelism=5)),
    ):
        with pytest.raises(Conflict, match="being deleted"):
            refused()


def test_waiting_ends_with_the_reason(world: World) -> None:
    world.deployment()
    deploy = world.fleet.deploy(SYSTEM, "shop", world.project())
    with pytest.raises(Unavailable, match="still queued"):
        world.fleet.wait_live(SYSTEM, deploy.id, 0)
    with pytest.raises(Unavailable, match="still creating"):
        world.fleet.wait_healthy(SYSTEM, "shop", 0)
    with pytest.raises(Unavailable, match="not started"):
        world.fleet.access(SYSTEM, "shop")
    bad = world.fleet.deploy(SYSTEM, "shop", world.project(requirements__txt="no-such-package"))
    world.look()
    assert world.fleet.wait_live(SYSTEM, deploy.id, 0).status == "live"
    with pytest.raises(Invalid, match="not found") as caught:
        world.fleet.wait_live(SYSTEM, bad.id, 0)
    assert caught.value.code == "requirements-unresolvable"
    assert world.fleet.wait_healthy(SYSTEM, "shop", 0).status == "healthy"
