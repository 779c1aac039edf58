"""Backups: taken, tried, kept, restored. Breaks on the day when somebody needs one."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.rooms.fleet.test_databases import healthy, last, settle
from tests.rooms.fleet.world import World

from aerodrome.access import SYSTEM, Actor
from aerodrome.fleet import backups, cloning, databases, deployments
from aerodrome.fleet.backups import BackupSchedule
from aerodrome.fleet.vault import DeploymentVault
from aerodrome.kernel.clock import ManualClock
from aerodrome.kernel.errors import Conflict, Denied, Invalid, NotFound
from aerodrome.store.tables.snapshot import SnapshotRow


def rows_of(world: World, deployment_id: str) -> int:
    return int(world.runtime.database_of(deployment_id)["rows"])


def test_a_backup_is_taken_tried_and_restored(world: World) -> None:
    view = healthy(world)
    world.runtime.add_rows(view.id, 5)
    asked = backups.create(world.context, SYSTEM, "shop", "before the holidays")
    with pytest.raises(Conflict):
        backups.restore(world.context, SYSTEM, "shop", asked.id)  # not taken yet
    settle(world, 2)
    backup = backups.get(world.context, SYSTEM, "shop", asked.id)
    assert (backup.status, backup.kind, backup.row_counts) == ("kept", "manual", {"dag_run": 5})
    assert backup.verified_at is not None
    world.runtime.add_rows(view.id, 2)
    backups.restore(world.context, SYSTEM, "shop", backup.id)
    with pytest.raises(Conflict):
        backups.delete(world.context, SYSTEM, "shop", backup.id)
    settle(world)
    assert last(world).status == "done"
    assert rows_of(world, view.id) == 5
    assert world.show().status == "healthy"
    kept = next(item for item in backups.list_all(world.context, SYSTEM, "shop") if item.kind == "before-restore")
    backups.restore(world.context, SYSTEM, "shop", kept.id)  # the way back of the way back
    settle(world)
    assert rows_of(world, view.id) == 7
    backups.delete(world.context, SYSTEM, "shop", backup.id)
    with pytest.raises(NotFound):
        backups.get(world.context, SYSTEM, "shop", backup.id)
    assert not (world.context.home / "snapshots" / view.id / backup.id).exists()


def test_a_backup_becomes_a_deployment_beside_the_first(world: World) -> None:
    view = healthy(world)
    world.runtime.add_rows(view.id, 5)
    backup = backups.create(world.context, SYSTEM, "shop")
    settle(world, 2)
    world.runtime.add_rows(view.id, 2)
    with pytest.raises(Conflict, match="already"):
        cloning.clone(world.context, SYSTEM, "shop", backup.id, "shop")
    act = cloning.clone(world.context, SYSTEM, "shop", backup.id, "shop-copy")
    assert world.runtime.observe(act.deployment_id).health == "missing"  # it does not start on an empty database
    with pytest.raises(Conflict, match="Clone shop"):
        backups.delete(world.context, SYSTEM, "shop", backup.id)
    settle(world, 3)
    assert databases.get_act(world.context, SYSTEM, act.id).status == "done"
    assert (rows_of(world, act.deployment_id), rows_of(world, view.id)) == (5, 7)
    copy = deployments.get(world.context, SYSTEM, "shop-copy")
    assert copy.status == "healthy"
    keys = [DeploymentVault(world.context.secrets, each).fernet_key().reveal() for each in (view.id, copy.id)]
    assert keys[0] == keys[1]
    signing = [DeploymentVault(world.context.secrets, each).signing_key().reveal() for each in (view.id, copy.id)]
    assert signing[0] != signing[1]


def test_a_copy_that_cannot_be_made_harmless_never_runs(world: World) -> None:
    healthy(world)
    backup = backups.create(world.context, SYSTEM, "shop")
    settle(world, 2)
    world.runtime.set_trouble(database={"quiet": "No room."})
    act = cloning.clone(world.context, SYSTEM, "shop", backup.id, "shop-copy")
    settle(world, 3)
    assert databases.get_act(world.context, SYSTEM, act.id).status == "failed"
    assert world.runtime.observe(act.deployment_id).health == "missing"
    assert deployments.get(world.context, SYSTEM, "shop-copy").desired == "hibernated"


def test_a_restore_that_fails_leaves_everything_as_it_was(world: World) -> None:
    view = healthy(world)
    backup = backups.create(world.context, SYSTEM, "shop")
    settle(world, 2)
    world.runtime.add_rows(view.id, 3)
    backups.restore(world.context, SYSTEM, "shop", backup.id)
    world.runtime.set_trouble(restore="No room.")
    settle(world, 4)
    world.runtime.set_trouble()
    settle(world)
    assert last(world).status == "failed"
    assert rows_of(world, view.id) == 3
    assert world.show().status == "healthy"


def test_a_backup_that_cannot_be_restored_says_so(world: World) -> None:
    healthy(world)
    world.runtime.set_trouble(database={"verify": "Other rows."})
    backup = backups.create(world.context, SYSTEM, "shop")
    settle(world, 2)
    found = backups.get(world.context, SYSTEM, "shop", backup.id)
    assert (found.status, found.verified_at) == ("kept", None)
    assert found.error is not None
    world.runtime.set_trouble()
    backups.verify(world.context, SYSTEM, "shop", backup.id)
    settle(world, 2)
    assert backups.get(world.context, SYSTEM, "shop", backup.id).verified_at is not None


def test_a_backup_of_another_version_or_database_is_refused(world: World) -> None:
    healthy(world)
    backup = backups.create(world.context, SYSTEM, "shop")
    settle(world, 2)
    with world.store.writing() as session:
        session.get_one(SnapshotRow, backup.id).airflow_version = "2.11.2"
    with pytest.raises(Conflict, match=r"2\.11\.2"):
        backups.restore(world.context, SYSTEM, "shop", backup.id)
    with world.store.writing() as session:
        row = session.get_one(SnapshotRow, backup.id)
        row.airflow_version, row.dialect = world.show().airflow_version, "postgresql"
    with pytest.raises(Conflict, match="postgresql"):
        backups.restore(world.context, SYSTEM, "shop", backup.id)


def test_a_schedule_takes_backups_and_keeps_as_many_as_wished(world: World) -> None:
    view = healthy(world)
    assert isinstance(world.clock, ManualClock)
    wish = BackupSchedule("30 3 * * *", "Europe/Berlin", keep=3, days=0)
    made = backups.set_schedule(world.context, SYSTEM, "shop", wish)
    assert made is not None
    assert made.next_at is not None
    assert made.next_at.isoformat() == "2026-03-02T02:30:00+00:00"
    by_hand = backups.create(world.context, SYSTEM, "shop")
    before = SnapshotRow(
        id="snp_before", deployment_id=view.id, kind="before-version", status="kept", airflow_version="2.11.2",
        dialect="sqlite", place="snapshots/x/y", actor="a", created_at=world.clock.now(), row_counts={},
    )  # fmt: skip
    with world.store.writing() as session:
        session.add(before)
    for _ in range(6):
        world.clock.advance(timedelta(days=1))
        settle(world, 3)
    world.clock.advance(timedelta(days=10))  # the platform was down: one backup, not ten
    settle(world, 3)
    found = backups.list_all(world.context, SYSTEM, "shop")
    assert [item.kind for item in found].count("backup") == 3
    assert found[0].created_at > world.clock.now() - timedelta(minutes=1)
    assert {by_hand.id, "snp_before"} <= {item.id for item in found}
    with pytest.raises(Conflict):
        backups.delete(world.context, SYSTEM, "shop", "snp_before")
    assert backups.set_schedule(world.context, SYSTEM, "shop", None) is None
    count = len(found)
    world.clock.advance(timedelta(days=3))
    settle(world, 3)
    assert len(backups.list_all(world.context, SYSTEM, "shop")) == count


def test_a_wrong_schedule_is_refused_and_a_viewer_takes_none(world: World) -> None:
    view = world.deployment()
    for wish in (BackupSchedule("daily"), BackupSchedule("0 3 * * *", "Nowhere"), BackupSchedule("0 3 * * *", keep=-1)):
        with pytest.raises(Invalid):
            backups.set_schedule(world.context, SYSTEM, "shop", wish)
    viewer = Actor("usr_1", "ann", "user", (("viewer", f"workspace/{view.workspace_id}"),))
    assert backups.list_all(world.context, viewer, "shop") == []
    with pytest.raises(Denied):
        backups.create(world.context, viewer, "shop")
