"""`aerodrome deploy` as a person and a CI job type it, against a real server behind which nothing is started."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.rooms.cli.conftest import Person, Server

AS_ADA = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")


@pytest.fixture(scope="module")
def admin(serve: Callable[..., Server], tmp_path_factory: pytest.TempPathFactory) -> Person:
    server = serve(tmp_path_factory.mktemp("home"), "--role", "web")
    person = Person(tmp_path_factory.mktemp("config"))
    assert person.run("login", server.link or "").code == 0
    assert person.run("workspace", "create", "sales").code == 0
    return person


@pytest.fixture
def shop(admin: Person, request: pytest.FixtureRequest) -> str:
    name = f"d-{abs(hash(request.node.name)) % 10**8}"
    done = admin.run("deployment", "create", name, "--workspace", "sales")
    assert done.code == 0, done.err
    return name


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "flows"
    (folder / "dags").mkdir(parents=True)
    (folder / "dags/a.py").write_text("A = 1\n")
    (folder / "requirements.txt").write_text("attrs\n")
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "remote", "add", "origin", "https://ada:canary-31@git.example.com/flows.git")
    git(folder, "add", ".")
    git(folder, *AS_ADA, "commit", "--quiet", "-m", "Add a flow")
    return folder


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True)


def test_a_work_tree_is_deployed_with_its_commit(admin: Person, shop: str, project: Path) -> None:
    first = admin.run("deploy", str(project), "--deployment", shop, "--no-wait", "-o", "json")
    assert first.code == 0, first.err
    assert first.data["git"]["remote"] == "https://git.example.com/flows.git"
    assert (first.data["git"]["branch"], first.data["git"]["is_dirty"]) == ("main", False)
    (project / "dags/a.py").write_text("A = 2\n")
    (project / ".env").write_text("DB_PASSWORD=canary-32\n")
    second = admin.run(
        "deploy", str(project), "--deployment", shop, "--dags", "--no-wait", "-o", "json", GITLAB_CI="true"
    )
    assert second.code == 0, second.err
    assert (second.data["kind"], second.data["origin"], second.data["git"]["is_dirty"]) == ("dags", "ci", True)
    assert "not committed" in second.err
    assert ".env is left out" in second.err
    shown = admin.run("deploy", "diff", "1", "2", "--deployment", shop)
    assert "-A = 1\n+A = 2\n" in shown.out
    told = admin.run("deploy", "diff", "1", "2", "--deployment", shop, "-o", "json").data
    assert [(file["path"], file["change"]) for file in told["files"]] == [("dags/a.py", "changed")]
    listed = admin.run("deploy", "list", "--deployment", shop).out
    assert first.data["git"]["commit"][:10] in listed
    assert ", dirty" in listed
    assert "has not begun" in admin.run("deploy", "logs", "1", "--deployment", shop).err
    for text in (first.out, second.out, second.err, listed):
        assert "canary-3" not in text


def test_a_local_repository_is_checked_out_and_sent(admin: Person, shop: str, project: Path) -> None:
    git(project, "tag", "v1")
    (project / "dags/a.py").write_text("A = 2\n")
    done = admin.run("deploy", "--git", str(project), "--ref", "v1", "--deployment", shop, "--no-wait", "-o", "json")
    assert done.code == 0, done.err
    assert (done.data["git"]["message"], done.data["git"]["is_dirty"]) == ("Add a flow", False)
    assert done.data["file_count"] == 2


def test_bundles_are_added_and_removed(admin: Person, shop: str, project: Path) -> None:
    assert admin.run("deploy", str(project), "--deployment", shop, "--no-wait").code == 0
    added = admin.run("deploy", str(project), "--deployment", shop, "--bundle", "theirs", "--no-wait", "-o", "json")
    assert set(added.data["extra_bundles"]) == {"theirs"}
    removed = admin.run(
        "deploy", "bundle", "remove", "theirs", "--deployment", shop, "--yes", "--no-wait", "-o", "json"
    )
    assert removed.data["extra_bundles"] == {}
    assert admin.run("deploy", "bundle", "remove", "theirs", "--deployment", shop, "--yes").code == 3


@pytest.mark.parametrize(
    ("words", "code", "hint"),
    [
        ((), "deploy-source-missing", "--deployment NAME"),
        (("{project}", "--git", "https://git.example.com/x.git"), "deploy-source-missing", "--deployment NAME"),
        (("{project}", "--dags", "--packages-only"), "deploy-kind-contradicts", "one of them"),
        (("{project}", "--dags"), "deploy-without-base", "aerodrome deploy PATH"),
        (("--git", "http://git.example.com/x.git"), "git-protocol-refused", "AERODROME_GIT_PROTOCOLS"),
        (("--git", "https://ada:canary-33@git.example.com/x.git"), "git-url-holds-secret", "--credentials"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_next_step(
    admin: Person, shop: str, project: Path, words: tuple[str, ...], code: str, hint: str
) -> None:
    given = [word.format(project=project) for word in words]
    done = admin.run("deploy", *given, "--deployment", shop, "--no-wait", "-o", "json")
    assert done.code != 0
    assert f'"{code}"' in done.err
    assert hint in done.err
    assert "canary-33" not in done.err


def test_a_mistake_in_the_project_file_is_named_before_anything_is_sent(
    admin: Person, shop: str, project: Path
) -> None:
    (project / "aerodrome.yaml").write_text("airflow: 3.3.2\nenviroment: {}\n")
    done = admin.run("deploy", str(project), "--deployment", shop, "--no-wait")
    assert done.code == 2
    assert "aerodrome.yaml, line 2, enviroment: there is no such field." in done.err
    assert admin.run("deploy", "list", "--deployment", shop, "-o", "json").data == []
