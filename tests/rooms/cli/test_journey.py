"""One person's way through the commands against a real server: nothing is started behind it (role web)."""

from __future__ import annotations

import json
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from tests.conftest import Legacy
from tests.rooms.cli.conftest import COMMAND, Person, Server

CANARY = "canary-6f1d0c"


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server], tmp_path_factory: pytest.TempPathFactory) -> Server:
    return serve(tmp_path_factory.mktemp("home"), "--role", "web")


@pytest.fixture(scope="module")
def admin(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Person:
    person = Person(tmp_path_factory.mktemp("config"))
    assert server.link is not None
    done = person.run("login", typed=f"{server.link}\n")
    assert done.code == 0, done.err
    assert "Signed in" in done.err
    return person


def test_the_link_works_once_and_the_token_is_kept_for_its_owner_only(admin: Person, server: Server) -> None:
    file = admin.config_dir / "credentials.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    token = json.loads(file.read_text())["servers"][server.url]["token"]
    assert token.startswith("aero_pat_")
    again = admin.run("login", server.link or "")
    assert again.code == 4
    assert "next:" in again.err
    assert token not in server.logged
    assert (server.link or "").rpartition("=")[2] not in server.logged


def test_a_stranger_is_told_how_to_sign_in(person: Person, server: Server) -> None:
    done = person.run("workspace", "list", "--url", server.url)
    assert (done.code, done.out) == (4, "")
    assert done.err.startswith("error: You are not signed in")
    assert "next: `aerodrome login LINK`" in done.err


def test_a_token_in_the_environment_works_without_a_file(admin: Person, person: Person, server: Server) -> None:
    token = admin.run("token", "create", "ci", "--days", "1", "-o", "json").data["text"]
    done = person.run("user", "me", "--url", server.url, "-o", "json", AERODROME_TOKEN=token)
    assert (done.code, done.data["name"], done.data["kind"]) == (0, "admin", "token")
    assert not person.config_dir.exists()


def test_a_stored_token_is_not_sent_to_another_server(admin: Person) -> None:
    done = admin.run("workspace", "list", "--url", "http://127.0.0.1:1")
    assert done.code == 4


def test_a_deployment_goes_through_its_life(admin: Person, server: Server, tmp_path: Path) -> None:
    assert admin.run("workspace", "create", "sales", "--description", "All of sales").code == 0
    made = admin.run("deployment", "create", "nightly", "--workspace", "sales", "--config", "core.x=a=b", "-o", "json")
    assert made.code == 0, made.err
    assert made.data["config"] == {"core.x": "a=b"}
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags/one.py").write_text("print(1)\n")
    deployed = admin.run(
        "deploy", str(tmp_path), "--deployment", "nightly", "--description", "first", "--no-wait", "-o", "json"
    )
    assert deployed.code == 0, deployed.err
    assert (deployed.data["number"], deployed.data["origin"]) == (1, "cli")
    assert admin.run("deploy", "show", "1", "--deployment", "nightly", "-o", "json").data["id"] == deployed.data["id"]
    assert "first" in admin.run("deploy", "list", "--deployment", "nightly").out
    assert admin.run("env", "set", "REGION=eu", "--deployment", "nightly").code == 0
    set_secret = admin.run("env", "set", "--secret", "API_KEY", "--deployment", "nightly", typed=f"{CANARY}\n")
    assert set_secret.code == 0, set_secret.err
    listed = admin.run("env", "list", "--deployment", "nightly", "-o", "json")
    assert set(listed.data) == {"REGION", "API_KEY"}
    changed = admin.run(
        "deployment", "update", "nightly", "--parallelism", "9", "--unset-config", "core.x", "-o", "json"
    )
    assert (changed.data["parallelism"], changed.data["config"]) == (9, {})
    assert admin.run("deployment", "hibernate", "nightly").code == 0
    assert "nightly" in admin.run("deployment", "list").out
    unconfirmed = admin.run("deployment", "delete", "nightly")
    assert (unconfirmed.code, "--yes" in unconfirmed.err) == (2, True)
    assert admin.run("deployment", "delete", "nightly", "--yes", "-o", "json").data["desired"] == "deleted"
    audit = admin.run("audit", "list", "--limit", "100")
    assert "deployment.create" in audit.out
    for text in (set_secret.out, listed.out, audit.out, server.logged):
        assert CANARY not in text


def test_people_get_roles_and_links(admin: Person, person: Person) -> None:
    assert admin.run("user", "create", "ann", "--role", "viewer").code == 0
    link = admin.run("user", "login-link", "ann").out.strip()
    assert person.run("login", link).code == 0
    denied = person.run("workspace", "create", "mine", "-o", "json")
    assert denied.code == 4
    assert json.loads(denied.err)["error"]["code"] == "permission-missing"
    assert person.run("user", "me").out.startswith("ann at ")
    assert admin.run("user", "deactivate", "ann").code == 0
    assert person.run("user", "me").code == 4


def test_logout_revokes_and_forgets(admin: Person, person: Person, server: Server) -> None:
    admin.run("user", "create", "bob", "--role", "viewer")
    person.run("login", admin.run("user", "login-link", "bob").out.strip())
    token = json.loads((person.config_dir / "credentials.json").read_text())["servers"][server.url]["token"]
    assert person.run("logout").code == 0
    assert person.run("user", "me", "--url", server.url, AERODROME_TOKEN=token).code == 4


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (("deployment", "show", "nope"), 3, "deployment-not-found"),
        (("workspace", "create", "Bad Name"), 2, "name-invalid"),
        (("workspace", "create"), 2, "usage"),
        (("deployment", "shwo", "x"), 2, "usage"),
        (("deployment", "create", "x", "--workspace", "nowhere"), 3, "workspace-not-found"),
        (("deploy", "/nowhere", "--deployment", "x"), 2, "project-missing"),
    ],
)
def test_errors_have_their_exit_codes_in_both_forms(
    admin: Person, words: tuple[str, ...], code: int, error: str
) -> None:
    for_eyes = admin.run(*words)
    assert for_eyes.code == code, for_eyes.err
    assert for_eyes.out == ""
    assert for_eyes.err.startswith("error: ")
    assert "next: " in for_eyes.err
    as_json = admin.run(*words, "-o", "json")
    told = json.loads(as_json.err)["error"]
    assert (as_json.code, told["exit_code"], told["code"]) == (code, code, error)


def test_no_credential_stands_in_a_process_list(admin: Person, server: Server) -> None:
    token = json.loads((admin.config_dir / "credentials.json").read_text())["servers"][server.url]["token"]
    with subprocess.Popen(
        [*COMMAND, "deployment", "list"], env=admin.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        seen = " ".join(" ".join(item.info["cmdline"] or ()) for item in psutil.process_iter(["cmdline"]))
        process.communicate()
    assert "aerodrome.cli serve" in seen
    assert token not in seen
    assert (server.link or "").rpartition("=")[2] not in seen


@pytest.mark.airflow
@pytest.mark.journey
def test_a_source_is_connected_without_its_secrets_on_the_command_line(admin: Person, legacy: Legacy) -> None:
    assert admin.run("workspace", "create", "moving").code == 0
    words = ("migrate", "connect", "old", "--workspace", "moving", "--dags", str(legacy.project / "dags"))
    missing = admin.run(*words)
    assert missing.code != 0
    assert "AERODROME_SOURCE_DATABASE_URL is not set" in missing.err
    secrets = {"AERODROME_SOURCE_DATABASE_URL": legacy.url, "AERODROME_SOURCE_FERNET_KEY": legacy.fernet_key}
    made = admin.run(*words, "-o", "json", **secrets)
    assert made.code == 0, made.err
    assert legacy.fernet_key not in made.out + made.err
    assert "old" in admin.run("migrate", "list").out
    for line in (
        "plan old",
        "apply old",
        "rollback old --wave wave-1 --dry-run",
        "rollback old --wave wave-1 --dag a --dag b",
    ):
        refused = admin.run("migrate", *line.split(), "-o", "json")
        assert refused.code != 0
        assert "plan-missing" in refused.err.splitlines()[-1]
    assert admin.run("migrate", "assess", "old", "--no-wait").code == 0
    assert "assessing" in admin.run("migrate", "show", "old").out
