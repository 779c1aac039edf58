"""Old deploys lose their files, and nothing that anybody may still need."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update
from tests.rooms.fleet.world import World

from aerodrome.access import SYSTEM
from aerodrome.builds.contract import VenvSpec
from aerodrome.builds.venvs import MARKER, VenvStore
from aerodrome.fleet.retention import Tidier
from aerodrome.kernel.clock import ManualClock
from aerodrome.store.tables.deploy import DeployRow
from aerodrome.store.tables.deployment import DeploymentRow
from aerodrome.store.tables.snapshot import SnapshotRow


@pytest.fixture
def venvs(world: World) -> VenvStore:
    return VenvStore(world.root / "real-venvs")


@pytest.fixture
def tidier(world: World, venvs: VenvStore) -> Tidier:
    return Tidier(replace(world.context, home=world.root), world.bundles, venvs)


def age(world: World, now: datetime) -> None:
    """Make the files as old as the clock says: all of them were stored long before `now`."""
    for facts in (world.root / "bundles").glob("*/bundle.json"):
        moment = (now - timedelta(days=400)).timestamp()
        os.utime(facts, (moment, moment))


def deploy(world: World, *dags: str) -> list[str]:
    digests = []
    for dag in dags:
        digests.append(world.fleet.deploy(SYSTEM, "shop", world.project(dag)).bundle_digest)
        world.look()
    return digests


def stored(world: World) -> set[str]:
    return set(world.bundles.digests())


def removed(world: World) -> list[int]:
    return sorted(view.number for view in world.fleet.list_deploys(SYSTEM, "shop") if view.artefacts_removed_at)


def test_what_was_superseded_long_ago_loses_its_files(world: World, tidier: Tidier, clock: ManualClock) -> None:
    view = world.deployment()
    one, two = deploy(world, "one", "two")
    clock.advance(timedelta(days=100))
    (three,) = deploy(world, "three")  # two was live until now: it stays for another 90 days
    age(world, clock.now())
    gone = tidier.tidy()
    assert (gone.deploys, gone.bundles) == (1, 1)
    assert removed(world) == [1]
    assert stored(world) == {two, three}
    kept = json.loads((world.root / "runtime" / f"{view.id}.kept").read_text())
    assert set(kept) == {two, three}
    again = tidier.tidy()
    assert (again.deploys, again.bundles) == (0, 0)
    assert world.fleet.get_deploy(SYSTEM, "shop", 1).bundle_digest == one  # the row stays
    diff = world.fleet.diff_deploys(SYSTEM, "shop", 1, 3)
    assert diff.files == ()
    assert diff.remarks == ("The files of deploy 1 were removed by age, so its code cannot be compared.",)


def test_what_is_live_stays_however_old_it_is(world: World, tidier: Tidier, clock: ManualClock) -> None:
    world.deployment()
    (one,) = deploy(world, "one")
    clock.advance(timedelta(days=1000))
    age(world, clock.now())
    tidier.tidy()
    assert (removed(world), stored(world)) == ([], {one})


def test_the_same_content_stays_while_one_deploy_needs_it(world: World, tidier: Tidier, clock: ManualClock) -> None:
    world.deployment()
    one, two, _ = deploy(world, "one", "two", "one")
    clock.advance(timedelta(days=100))
    age(world, clock.now())
    tidier.tidy()
    assert removed(world) == [1, 2]
    assert stored(world) == {one}
    assert two not in stored(world)


def test_a_snapshot_keeps_what_its_way_back_leads_to(world: World, tidier: Tidier, clock: ManualClock) -> None:
    view = world.deployment()
    deploy(world, "one", "two", "three", "four")
    clock.advance(timedelta(days=195))  # a young snapshot keeps old deploys; an old one goes itself
    with world.store.writing() as session:
        session.add(
            SnapshotRow(
                id="snp_1",
                deployment_id=view.id,
                kind="before-version",
                status="kept",
                airflow_version="2.11.2",
                dialect="sqlite",
                place="snapshots/snp_1",
                deploy_id=world.fleet.get_deploy(SYSTEM, "shop", 3).id,
                actor="ada",
                created_at=clock.now(),
            )
        )
    clock.advance(timedelta(days=5))
    age(world, clock.now())
    tidier.tidy()
    assert removed(world) == [1]


def test_failed_deploys_and_named_bundles_follow_the_same_rules(
    world: World, tidier: Tidier, clock: ManualClock
) -> None:
    world.deployment()
    deploy(world, "one")
    team = world.fleet.deploy(SYSTEM, "shop", world.project("team"), kind="bundle", bundle_name="team")
    world.look()
    world.fleet.deploy(SYSTEM, "shop", world.project("bad", requirements__txt="no-such-package"))
    world.look()
    clock.advance(timedelta(days=100))
    age(world, clock.now())
    tidier.tidy()
    assert removed(world) == [1, 3]
    assert stored(world) == {team.bundle_digest, team.extra_bundles["team"]}


def test_an_upload_that_no_row_names_yet_is_left_alone(world: World, tidier: Tidier) -> None:
    bundle = world.project("just uploaded")
    tidier.context.clock.advance(timedelta())  # type: ignore[attr-defined]
    assert bundle.digest in stored(world)
    facts = world.root / "bundles" / bundle.digest / "bundle.json"
    moment = tidier.context.clock.now().timestamp()
    os.utime(facts, (moment, moment))
    tidier.tidy()
    assert stored(world) == {bundle.digest}
    moment -= 2 * 86400
    os.utime(facts, (moment, moment))
    tidier.tidy()
    assert stored(world) == set()


def test_virtualenvs_go_when_old_and_unused(world: World, tidier: Tidier, venvs: VenvStore, clock: ManualClock) -> None:
    world.deployment()
    deploy(world, "one")
    current = world.fleet.get_deploy(SYSTEM, "shop", 1)
    used = venvs.path(VenvSpec(current.airflow_version or "", current.python_version or "", ()))
    others = {name: venvs.path(VenvSpec("2.11.2", "3.11", (name,))) for name in ("old", "young", "told")}
    with world.store.writing() as session:
        told = world.root / "runtime" / f"{current.deployment_id}.json"
        wish = json.loads(told.read_text())
        told.write_text(json.dumps({**wish, "fixed": {**wish["fixed"], "venv": str(others["told"])}}))
        assert session.get(DeploymentRow, current.deployment_id) is not None
    for path in (used, *others.values()):
        path.mkdir(parents=True)
        (path / MARKER).write_text("{}")
        moment = (clock.now() - timedelta(days=1 if path == others["young"] else 400)).timestamp()
        os.utime(path / MARKER, (moment, moment))
    assert tidier.tidy().virtualenvs == 1
    assert {path for path in (used, *others.values()) if path.exists()} == {used, others["young"], others["told"]}


def test_one_airflow_that_does_not_answer_stops_nobody(world: World, tidier: Tidier, clock: ManualClock) -> None:
    world.deployment()
    deploy(world, "one", "two")
    clock.advance(timedelta(days=100))
    age(world, clock.now())
    world.runtime.set_trouble(database="It is down.")
    assert tidier.tidy().bundles == 1


def test_zero_days_keep_everything(world: World, venvs: VenvStore, clock: ManualClock) -> None:
    world.deployment()
    deploy(world, "one", "two")
    clock.advance(timedelta(days=4000))
    context = replace(world.context, home=world.root, deploy_retention_days=0)
    assert Tidier(context, world.bundles, venvs).look() == clock.now() + timedelta(days=1)
    assert removed(world) == []


def test_a_kill_after_the_marks_leaves_files_for_the_next_look(
    world: World, tidier: Tidier, clock: ManualClock
) -> None:
    world.deployment()
    one, two = deploy(world, "one", "two")
    clock.advance(timedelta(days=100))
    age(world, clock.now())
    with world.store.writing() as session:  # what the first transaction of a killed look leaves
        session.execute(update(DeployRow).where(DeployRow.number == 1).values(artefacts_removed_at=clock.now()))
    assert stored(world) == {one, two}
    assert tidier.tidy().bundles == 1
    assert stored(world) == {two}


def test_what_killed_fetches_and_uploads_left_is_swept(world: World, tidier: Tidier, clock: ManualClock) -> None:
    left, at_work = world.root / "fetched/dpl_gone", world.root / "fetched/dpl_now"
    left.mkdir(parents=True)
    at_work.mkdir()
    draft: Path = world.root / "bundles/.draft-x"
    draft.mkdir(parents=True)
    moment = (clock.now() - timedelta(days=3)).timestamp()
    os.utime(draft, (moment, moment))
    os.utime(left, (moment, moment))
    os.utime(at_work, (clock.now().timestamp(),) * 2)
    tidier.tidy()
    assert not left.exists()
    assert at_work.exists()
    assert not draft.exists()
