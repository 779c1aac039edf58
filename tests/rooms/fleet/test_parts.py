"""Deploys of a part of a project, named DAG bundles, projects from git, and what lies between two deploys."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.rooms.fleet.world import World

from aerodrome.access import SYSTEM
from aerodrome.builds.git import GitSource
from aerodrome.kernel.errors import Conflict, Invalid, NotFound


def test_only_dags_are_taken_and_all_else_stays(world: World) -> None:
    world.deployment()
    world.fleet.deploy(SYSTEM, "shop", world.project("one", requirements__txt="attrs"))
    second = world.fleet.deploy(SYSTEM, "shop", world.project("two", requirements__txt="requests"), kind="dags")
    assert (second.kind, second.requirements) == ("dags", ("attrs",))
    third = world.fleet.deploy(SYSTEM, "shop", world.project("three", requirements__txt="requests"), kind="packages")
    assert (third.kind, third.requirements) == ("packages", ("requests",))
    assert third.parts["dags"] == second.parts["dags"]
    world.look()
    assert world.fleet.get_deploy(SYSTEM, "shop", 3).status == "live"
    assert (world.bundles.get(third.bundle_digest).path / "dags/flow.py").read_text() == "# two\n"


@pytest.mark.parametrize("kind", ["dags", "packages", "bundle"])
def test_a_part_needs_a_whole_before_it(world: World, kind: str) -> None:
    world.deployment()
    with pytest.raises(Conflict) as caught:
        world.fleet.deploy(SYSTEM, "shop", world.project(), kind=kind, bundle_name="team" if kind == "bundle" else None)
    assert caught.value.code == "deploy-without-base"
    assert "aerodrome deploy PATH" in caught.value.hint


def test_named_bundles_come_stay_and_go(world: World) -> None:
    view = world.deployment(airflow_version="3.3.2")
    world.fleet.deploy(SYSTEM, "shop", world.project("one"))
    team = world.project("team's own")
    added = world.fleet.deploy(SYSTEM, "shop", team, kind="bundle", bundle_name="team")
    assert (added.kind, dict(added.extra_bundles)) == ("bundle", {"team": team.digest})
    later = world.fleet.deploy(SYSTEM, "shop", world.project("two"))
    assert (later.kind, dict(later.extra_bundles)) == ("dags", {"team": team.digest})
    world.look()
    removed = world.fleet.deploy(SYSTEM, "shop", None, kind="bundle", bundle_name="team")
    assert (removed.kind, dict(removed.extra_bundles)) == ("bundle", {})
    assert removed.bundle_digest == later.bundle_digest
    world.look()
    assert world.fleet.get_deploy(SYSTEM, view.id, 4).status == "live"
    with pytest.raises(NotFound, match="no DAG bundle 'team'"):
        world.fleet.deploy(SYSTEM, "shop", None, kind="bundle", bundle_name="team")
    for name in ("project", "Team", "../x", ""):
        with pytest.raises(Invalid, match="cannot be the name"):
            world.fleet.deploy(SYSTEM, "shop", team, kind="bundle", bundle_name=name)


def test_airflow_2_knows_no_named_bundles(world: World) -> None:
    world.deployment(airflow_version="2.11.2")
    world.fleet.deploy(SYSTEM, "shop", world.project("one"))
    with pytest.raises(Conflict) as caught:
        world.fleet.deploy(SYSTEM, "shop", world.project("team"), kind="bundle", bundle_name="team")
    assert caught.value.code == "bundles-need-airflow-3"
    assert [deploy.number for deploy in world.fleet.list_deploys(SYSTEM, "shop")] == [1]


def test_the_project_file_sets_what_the_deployment_leaves_open(world: World) -> None:
    view = world.deployment(config={"core.max_active_runs_per_dag": "9"})
    text = "description: Nightly flows\nenv:\n  REGION: eu\nconfig:\n  core.max_active_runs_per_dag: 4\n  core.dagbag_import_timeout: 60\n"
    deploy = world.fleet.deploy(SYSTEM, "shop", world.project("one", aerodrome__yaml=text, packages__txt="git"))
    assert deploy.description == "Nightly flows"
    assert (deploy.project or {})["system_packages"] == ("git",) or (deploy.project or {})["system_packages"] == ["git"]
    world.look()
    told = world.runtime.history(view.id)[-1]["fixed"]
    assert told["env"]["REGION"] == "eu"
    assert told["config"]["core.max_active_runs_per_dag"] == "9"  # a person's setting wins
    assert told["config"]["core.dagbag_import_timeout"] == "60"


def test_a_deploy_says_where_it_comes_from(world: World) -> None:
    world.deployment()
    git = {"remote": "https://git.example.com/x.git", "branch": "main", "commit": "a" * 40, "is_dirty": True}
    deploy = world.fleet.deploy(SYSTEM, "shop", world.project(), origin="ci", git=git, is_forced=True)
    assert (deploy.origin, deploy.git, deploy.is_forced, deploy.cause) == ("ci", git, True, "deploy")
    assert (deploy.airflow_version, deploy.python_version) == (
        world.show().airflow_version,
        world.show().python_version,
    )
    assert deploy.revision is not None
    assert deploy.revision["settings"]["parallelism"] == world.show().parallelism


def test_a_diff_names_all_that_differs(world: World) -> None:
    world.deployment()
    world.fleet.deploy(SYSTEM, "shop", world.project("one", requirements__txt="attrs==23.1\nold-package"))
    world.fleet.deploy(
        SYSTEM, "shop", world.project("two", requirements__txt="attrs==24.2", aerodrome__yaml="env: {REGION: eu}")
    )
    found = world.fleet.diff_deploys(SYSTEM, "shop", 1, 2)
    assert {(file.path, file.change) for file in found.files} == {
        ("dags/flow.py", "changed"), ("requirements.txt", "changed"), ("aerodrome.yaml", "added"),
    }  # fmt: skip
    dag = next(file for file in found.files if file.part == "dags")
    assert dag.diff is not None
    assert dag.diff.splitlines()[2:] == ["@@ -1 +1 @@", "-# one", "+# two"]
    assert [(item.name, item.before, item.after) for item in found.requirements] == [
        ("attrs", "attrs==23.1", "attrs==24.2"), ("old-package", "old-package", None),
    ]  # fmt: skip
    assert [(item.name, item.after) for item in found.settings] == [("project file: env.REGION", "eu")]
    assert world.fleet.diff_deploys(SYSTEM, "shop", 2, 2).is_empty
    with pytest.raises(NotFound):
        world.fleet.diff_deploys(SYSTEM, "shop", 1, 9)


def test_binary_and_long_files_are_named_without_their_content(world: World, tmp_path: Path) -> None:
    world.deployment()
    folder = tmp_path / "p"
    (folder / "dags").mkdir(parents=True)
    (folder / "include").mkdir()
    (folder / "include/logo.png").write_bytes(b"\x89PNG\0\0")
    (folder / "include/long.csv").write_text("x,y\n" * 100_000)
    world.fleet.deploy(SYSTEM, "shop", world.project("one"))
    world.fleet.deploy(SYSTEM, "shop", world.bundles.put(folder))
    files = {file.path: file for file in world.fleet.diff_deploys(SYSTEM, "shop", 1, 2).files}
    assert (files["include/logo.png"].is_binary, files["include/logo.png"].diff) == (True, None)
    assert (files["include/long.csv"].is_binary, files["include/long.csv"].diff) == (False, None)
    assert files["include/long.csv"].size_after == 400_000


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    (folder / "flows/dags").mkdir(parents=True)
    (folder / "flows/dags/a.py").write_text("A = 1")
    (folder / "flows/aerodrome.yaml").write_text("airflow: 3.3.2\npython: 3.11\n")
    (folder / "flows/.env").write_text("TOKEN=canary-7")
    for words in (
        ["init", "--quiet", "--initial-branch=main"],
        ["add", "-f", "."],
        ["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "commit", "--quiet", "-m", "Add a flow"],
    ):
        subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True)
    return folder


def test_a_project_is_fetched_in_the_first_step(world: World, repository: Path) -> None:
    world.deployment()
    source = GitSource(repository.as_uri(), folder="flows")
    queued = world.fleet.deploy(SYSTEM, "shop", None, source=source, origin="cli")
    assert (queued.status, queued.bundle_digest) == ("queued", "")
    world.look()
    deploy = world.fleet.get_deploy(SYSTEM, "shop", 1)
    assert deploy.status == "live", deploy.error
    assert [step["name"] for step in deploy.steps][:2] == ["fetch", "environment"]
    assert "Commit" in deploy.steps[0]["log"]
    assert ".env is left out" in deploy.steps[0]["log"]
    assert deploy.git is not None
    assert (deploy.git["branch"], deploy.git["author"]) == ("main", "Ada <ada@example.com>")
    assert deploy.git["remote"] == repository.as_uri()
    bundle = world.bundles.get(deploy.bundle_digest)
    assert (bundle.path / "dags/a.py").read_text() == "A = 1"
    assert not (bundle.path / ".env").exists()
    assert not list((world.root / "fetched").iterdir())
    again = world.fleet.deploy(SYSTEM, "shop", None, source=source, kind="dags")
    with pytest.raises(Conflict) as caught:
        world.fleet.deploy(SYSTEM, "shop", world.project("meanwhile"), kind="dags")
    assert caught.value.code == "deploy-fetching"
    world.look()
    assert world.fleet.get_deploy(SYSTEM, "shop", again.number).status == "live"


def test_nothing_builds_on_what_is_not_fetched_yet(world: World, repository: Path) -> None:
    """Otherwise an upgrade, or a project, would take the bundle away that an earlier deploy is about to bring."""
    world.deployment()
    world.fleet.deploy(SYSTEM, "shop", world.project("one"))
    world.look()
    source = GitSource(repository.as_uri(), folder="flows")
    world.fleet.deploy(SYSTEM, "shop", None, source=source, kind="bundle", bundle_name="theirs")
    refused: list[Callable[[], object]] = [
        lambda: world.fleet.deploy(SYSTEM, "shop", world.project("two")),
        lambda: world.fleet.deploy(SYSTEM, "shop", world.project("two"), kind="dags"),
        lambda: world.fleet.deploy(SYSTEM, "shop", None, cause="upgrade", airflow_version="3.3.2"),
    ]
    for ask in refused:
        with pytest.raises(Conflict) as caught:
            ask()
        assert caught.value.code == "deploy-fetching"
    world.fleet.deploy(SYSTEM, "shop", None, source=source, kind="dags")
    world.look()
    last = world.fleet.list_deploys(SYSTEM, "shop")[0]
    assert (last.number, last.status, set(last.extra_bundles)) == (3, "live", {"theirs"})


def test_a_repository_that_cannot_be_fetched_fails_the_deploy_with_a_reason(world: World, repository: Path) -> None:
    world.deployment()
    world.fleet.deploy(SYSTEM, "shop", None, source=GitSource(repository.as_uri(), "no-such-branch"))
    world.look()
    failed = world.fleet.get_deploy(SYSTEM, "shop", 1)
    assert failed.status == "failed"
    assert (failed.error or {})["code"] == "git-ref-unknown"
    assert world.fleet.deploy(SYSTEM, "shop", world.project()).number == 2


def test_a_protocol_that_is_not_allowed_is_refused_at_once(world: World) -> None:
    world.deployment()
    with pytest.raises(Invalid) as caught:
        world.fleet.deploy(SYSTEM, "shop", None, source=GitSource("git@git.example.com:team/flows.git"))
    assert caught.value.code == "git-protocol-refused"
    assert world.fleet.list_deploys(SYSTEM, "shop") == []
