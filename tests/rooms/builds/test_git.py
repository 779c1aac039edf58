"""Git: where a folder comes from is told without ever failing, and one commit is fetched without leaking anything."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from tests.rooms.builds.git_server import serve

from aerodrome.builds import git
from aerodrome.builds.git import GitLogin, GitSource
from aerodrome.kernel.errors import Invalid, Unavailable
from aerodrome.kernel.secret import Secret


def run(folder: Path, *words: str) -> None:
    subprocess.run(
        ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-C", str(folder), *words],
        check=True,
        capture_output=True,
    )


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    (folder / "flows/dags").mkdir(parents=True)
    (folder / "flows/dags/a.py").write_text("A = 1")
    run(folder, "init", "--quiet", "--initial-branch=main")
    run(folder, "remote", "add", "origin", "https://ada:canary-3@git.example.com/team/flows.git?x=1")
    run(folder, "add", ".")
    run(folder, "commit", "--quiet", "-m", "Add a flow\n\nwith words")
    return folder


def fetch(source: GitSource, target: Path, login: GitLogin | None = None, timeout_s: float = 60) -> dict[str, object]:
    target.mkdir()
    return git.fetch(source, target, protocols=("file", "https"), login=login, timeout_s=timeout_s, say=lambda _: None)


def test_a_work_tree_tells_where_it_comes_from(repository: Path) -> None:
    facts = git.describe(repository / "flows")
    assert facts is not None
    assert facts["remote"] == "https://git.example.com/team/flows.git"
    assert (facts["branch"], facts["author"], facts["message"]) == ("main", "Ada <ada@example.com>", "Add a flow")
    assert len(facts["commit"]) == 40
    assert facts["is_dirty"] is False
    (repository / "elsewhere.txt").write_text("not in the project")
    assert (git.describe(repository / "flows") or {})["is_dirty"] is False
    (repository / "flows/dags/b.py").write_text("B = 1")
    assert (git.describe(repository / "flows") or {})["is_dirty"] is True


def test_what_is_no_work_tree_is_simply_not_described(tmp_path: Path) -> None:
    assert git.describe(tmp_path) is None
    assert git.describe(tmp_path / "nowhere") is None
    run(tmp_path, "init", "--quiet")
    assert git.describe(tmp_path) is None  # no commit yet


def test_branches_tags_and_commits_are_fetched(repository: Path, tmp_path: Path) -> None:
    first = (git.describe(repository) or {})["commit"]
    run(repository, "tag", "v1")
    (repository / "flows/dags/a.py").write_text("A = 2")
    run(repository, "commit", "--quiet", "-am", "Change it")
    run(repository, "branch", "side")
    url = repository.as_uri()
    newest = fetch(GitSource(url, folder="flows"), tmp_path / "default")
    assert (tmp_path / "default/flows/dags/a.py").read_text() == "A = 2"
    assert (newest["branch"], newest["message"], newest["is_dirty"]) == ("main", "Change it", False)
    assert fetch(GitSource(url, "side"), tmp_path / "side")["branch"] == "side"
    for ref in ("v1", first):
        assert fetch(GitSource(url, ref), tmp_path / str(ref))["commit"] == first
        assert (tmp_path / str(ref) / "flows/dags/a.py").read_text() == "A = 1"


@pytest.mark.parametrize(
    ("source", "code"),
    [
        (GitSource("ext::sh -c id"), "git-protocol-refused"),
        (GitSource("http://git.example.com/x.git"), "git-protocol-refused"),
        (GitSource("git@git.example.com:team/x.git"), "git-protocol-refused"),  # ssh is not among the allowed here
        (GitSource("--upload-pack=id"), "git-protocol-refused"),
        (GitSource("https://[bad"), "git-protocol-refused"),
        (GitSource("https://git.example.com/x\0.git"), "git-protocol-refused"),
        (GitSource("https://git.example.com/x.git", folder="a\0b"), "git-folder-invalid"),
        (GitSource("https://ada:canary-4@git.example.com/x.git"), "git-url-holds-secret"),
        (GitSource("https://git.example.com/x.git?private_token=canary-4"), "git-url-holds-secret"),
        (GitSource("https://git.example.com/x.git", "--upload-pack=id"), "git-ref-invalid"),
        (GitSource("https://git.example.com/x.git", "a..b"), "git-ref-invalid"),
        (GitSource("https://git.example.com/x.git", folder="../etc"), "git-folder-invalid"),
        (GitSource("https://git.example.com/x.git", folder="/etc"), "git-folder-invalid"),
    ],
)
def test_unsafe_sources_are_refused_before_git_runs(source: GitSource, code: str) -> None:
    with pytest.raises(Invalid) as caught:
        git.check_source(source, ("https", "file"))
    assert caught.value.code == code
    assert "canary-4" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "clean"),
    [
        ("https://ada:canary@git.example.com:8443/x.git?token=canary#f", "https://git.example.com:8443/x.git"),
        ("ssh://git:canary@git.example.com/x.git", "ssh://git.example.com/x.git"),
        ("git@git.example.com:team/x.git", "git@git.example.com:team/x.git"),
        ("ada:canary@git.example.com:team/x.git", "ada@git.example.com:team/x.git"),
        ("https://[canary", ""),
        ("/srv/x.git", "/srv/x.git"),
    ],
)
def test_a_url_is_kept_without_secrets(url: str, clean: str) -> None:
    assert git.clean_url(url) == clean


def test_an_ssh_url_may_name_a_user_but_no_password() -> None:
    assert git.check_source(GitSource("ssh://git@git.example.com/x.git"), ("ssh",)) == "ssh"
    assert git.check_source(GitSource("git@git.example.com:team/x.git"), ("ssh",)) == "ssh"
    with pytest.raises(Invalid, match="password"):
        git.check_source(GitSource("ssh://git:canary@git.example.com/x.git"), ("ssh",))


def test_what_is_not_there_is_named(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="does not have this branch") as caught:
        fetch(GitSource(repository.as_uri(), "nowhere"), tmp_path / "a")
    assert caught.value.code == "git-ref-unknown"
    with pytest.raises(Invalid, match="no folder 'gone'"):
        fetch(GitSource(repository.as_uri(), folder="gone"), tmp_path / "b")
    with pytest.raises((Invalid, Unavailable)) as refused:
        fetch(GitSource((tmp_path / "none").as_uri()), tmp_path / "c")
    assert refused.value.code in {"git-denied", "git-unreachable"}


def test_a_token_opens_a_repository_over_https_and_only_there(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(repository.parent, tmp_path, "x-access-token", "canary-6") as server:
        monkeypatch.setenv("GIT_SSL_CAINFO", str(server.certificate))  # as a person does whose company has its own CA
        source = GitSource(f"{server.url}/repository/.git", folder="flows")
        facts = fetch(source, tmp_path / "in", GitLogin("x-access-token", Secret("canary-6")))
        assert (facts["branch"], facts["message"]) == ("main", "Add a flow")
        assert (tmp_path / "in/flows/dags/a.py").read_text() == "A = 1"
        assert "canary-6" not in (tmp_path / "in/.git/config").read_text()
        for login in (None, GitLogin("x-access-token", Secret("canary-wrong"))):
            with pytest.raises(Invalid) as caught:
                fetch(source, tmp_path / f"out-{login is None}", login)
            assert caught.value.code == "git-denied"
            assert "--credentials" in caught.value.hint
            assert "canary" not in str(caught.value)


def test_credentials_stand_in_no_argument_and_no_message(tmp_path: Path) -> None:
    login = GitLogin("x-access-token", Secret("canary-5"))
    with pytest.raises((Invalid, Unavailable)) as caught:
        fetch(GitSource("https://127.0.0.1:9/team/x.git"), tmp_path / "a", login)
    assert caught.value.code == "git-unreachable"
    assert "canary-5" not in f"{caught.value} {caught.value.__cause__} {caught.value.details}"
