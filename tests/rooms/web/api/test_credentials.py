"""Nobody gets in without a credential, and nobody does more than the role allows: every route is walked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from tests.rooms.web.world import World

from aerodrome.access import SYSTEM
from aerodrome.web.app import create_app

Connect = Callable[..., httpx2.Client]
OPEN = {("get", "/api/v1/health"), ("post", "/api/v1/auth/exchange")}
FOR_ONESELF = {("post", "/api/v1/tokens"), ("delete", "/api/v1/tokens/own"), ("delete", "/api/v1/tokens/{token_id}")}


def operations(platform: World) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in create_app(platform).openapi()["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


READING = {("post", "/api/v1/environment-objects/export")}  # gives what a viewer may see, in a file


def filled(path: str) -> str:
    return path.replace("{", "").replace("}", "")


def test_only_health_and_the_exchange_of_a_login_code_are_open(http: Connect, platform: World) -> None:
    stranger = http(None)
    seen = 0
    for method, path, operation in operations(platform):
        answer = stranger.request(method, filled(path))
        if (method, path) in OPEN:
            assert answer.status_code in {200, 422}, path
            assert operation["security"] == []
        else:
            assert (answer.status_code, answer.json()["code"]) == (401, "credential-missing"), path
            assert answer.headers["www-authenticate"].startswith("Bearer")
        seen += 1
    assert seen > 30


def test_a_viewer_can_write_nothing(http: Connect, platform: World) -> None:
    platform.fleet.create_workspace(SYSTEM, "sales")
    viewer = http("viewer")
    for method, path, operation in operations(platform):
        if method == "get" or (method, path) in OPEN | FOR_ONESELF | READING:
            continue
        answer = viewer.request(method, example_path(path), json=example_body(operation))
        assert answer.status_code in {403, 404, 422}, (method, path, answer.text)
        if answer.status_code == 422:
            assert "migration" in path or path.endswith(("/deploys", "/values")), (method, path, answer.text)


def example_path(path: str) -> str:
    return path.replace("{ref}", "sales" if path.startswith("/api/v1/workspaces") else "admin")


def example_body(operation: dict[str, Any]) -> Any:
    bodies = {
        "create_workspace": {"name": "other"},
        "create_alert_channel": {"workspace": "sales", "name": "on-call", "url": "http://127.0.0.1:9/"},
        "create_deployment": {"name": "one", "workspace": "sales"},
        "update_deployment": {"parallelism": 2},
        "set_deployment_env": {"values": {"A": "1"}},
        "create_user": {"name": "eve", "role": "admin"},
        "update_user": {"is_active": False},
        "grant_role": {"role": "admin"},
        "withdraw_role": {"role": "admin"},
        "list_managed_environments": {"kind": "mwaa"},
        "create_git_deploy": {"url": "https://git.example.com/x.git"},
        "move_database": {"kind": "postgresql"},
        "set_backup_schedule": {"cron": "0 3 * * *"},
        "add_schedule": {"hibernate": "0 20 * * *"},
        "enable_schedule": {"is_enabled": False},
        "clean_rows": {"days": 30},
        "clone_backup": {"name": "two"},
        "put_environment_object": {"kind": "variable", "name": "A", "fields": {"value": "1"}, "workspace": "sales"},
        "import_environment_objects": {"kind": "variable", "text": "{}", "workspace": "sales"},
        "export_environment_objects": {"kind": "variable", "workspace": "sales"},
        "restore_environment_version": {"version": 1},
        "link_environment_object_to_all": {"is_auto_linked": True},
        "try_deployment_connection": {"connection": "a"},
        "create_secrets_backend": {
            "workspace": "sales",
            "name": "ours",
            "kind": "aws-secrets-manager",
            "settings": {"region": "eu-west-1"},
        },
        "put_backend_value": {"kind": "variable", "name": "A", "value": "1"},
        "attach_backend": {"backend": "ours"},
    }
    return bodies.get(operation["operationId"], {})


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Basic YWRtaW46YWRtaW4=", "Bearer aero_pat_wrong", "Bearer aero_ses_x", "bearer \u00e4"],
)
def test_a_wrong_credential_is_refused(http: Connect, header: str) -> None:
    answer = http(None).get("/api/v1/me", headers=[(b"Authorization", header.encode("latin-1"))])
    assert answer.status_code == 401
    assert "aero_pat_wrong" not in answer.text


def test_a_session_needs_its_csrf_token_to_write(http: Connect, platform: World) -> None:
    cookie = platform.session_of("admin").reveal()
    browser = http(None, Cookie=f"aerodrome_session={cookie}")
    assert browser.get("/api/v1/me").json()["kind"] == "user"
    body = {"name": "sales"}
    for headers in ({}, {"X-CSRF-Token": "wrong"}, {"X-CSRF-Token": platform.access.csrf_token("another")}):
        refused = browser.post("/api/v1/workspaces", json=body, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (403, "csrf-token-wrong")
    headers = {"X-CSRF-Token": platform.access.csrf_token(cookie)}
    assert browser.post("/api/v1/workspaces", json=body, headers=headers).status_code == 201


def test_a_revoked_token_ends_at_once(http: Connect) -> None:
    admin = http("admin")
    made = admin.post("/api/v1/tokens", json={"name": "ci"}).json()
    other = http(None, Authorization=f"Bearer {made['text']}")
    assert other.get("/api/v1/me").status_code == 200
    assert admin.delete(f"/api/v1/tokens/{made['token']['id']}").status_code == 200
    assert other.get("/api/v1/me").status_code == 401


def test_a_login_code_becomes_a_token_once(http: Connect, platform: World) -> None:
    _, code = platform.access.create_login_link(SYSTEM, "viewer")
    body = {"code": code.reveal(), "name": "laptop"}
    stranger = http(None)
    made = stranger.post("/api/v1/auth/exchange", json=body)
    assert made.status_code == 201
    me = http(None, Authorization=f"Bearer {made.json()['text']}").get("/api/v1/me").json()
    assert (me["name"], me["kind"]) == ("viewer", "token")
    again = stranger.post("/api/v1/auth/exchange", json=body)
    assert again.status_code == 403
    assert code.reveal() not in again.text
    actor = platform.access.authenticate_token(made.json()["text"])
    assert platform.access.list_sessions(actor) == []
