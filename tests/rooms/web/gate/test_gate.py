"""Airflow's own pages through the gate: who may pass, what travels on, what stays. Breaks for everybody who opens Airflow."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from tests.rooms.web.gate.conftest import Upstream
from tests.rooms.web.world import World

from aerodrome.access import SYSTEM
from aerodrome.fleet.views import DeploymentView
from aerodrome.web.credentials import SESSION_COOKIE

Visit = Callable[..., httpx2.Client]
Deploy = Callable[[str], DeploymentView]


def claims(upstream: Upstream) -> dict[str, Any]:
    (header,) = upstream.header("authorization")
    scheme, _, token = header.partition(" ")
    assert scheme == "Bearer"
    body = token.split(".")[1]
    found: dict[str, Any] = json.loads(urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return found


def test_path_and_query_travel_unchanged(visit: Visit, upstream: Upstream, deployment: DeploymentView) -> None:
    path = f"/{deployment.id}/dags/a%2Fb%20c/grid?order_by=-x&x=%26"
    answer = visit().get(path)
    assert answer.status_code == 200
    assert upstream.last["path"] == path
    assert answer.headers["x-airflow"] == "kept"


def test_the_bare_address_leads_to_the_one_with_a_slash(visit: Visit, deployment: DeploymentView) -> None:
    answer = visit().get(f"/{deployment.id}")
    assert (answer.status_code, answer.headers["location"]) == (308, f"/{deployment.id}/")


@pytest.mark.parametrize(("person", "role"), [("operator", "admin"), ("author", "user"), ("viewer", "viewer")])
def test_airflow_gets_a_token_with_the_person_s_role(
    visit: Visit, upstream: Upstream, deployment: DeploymentView, person: str, role: str
) -> None:
    visit(person).get(f"/{deployment.id}/", headers={"Authorization": "Bearer of-the-caller"})
    told = claims(upstream)
    assert (told["sub"], told["role"]) == (person, role)
    assert told["exp"] - told["iat"] <= 300


def test_the_platform_s_session_never_reaches_airflow(
    visit: Visit, upstream: Upstream, deployment: DeploymentView
) -> None:
    person = visit()
    session = person.cookies[SESSION_COOKIE]
    person.get(
        f"/{deployment.id}/",
        headers={
            "Cookie": f"{SESSION_COOKIE}={session}; session=abc; _token=old; theme=dark",
            "X-Forwarded-For": "10.9.8.7",
            "X-Forwarded-Host": "evil.example",
            "Forwarded": "for=10.9.8.7",
            "Proxy-Authorization": "Basic secret",
        },
    )
    assert upstream.header("cookie") == ["session=abc; theme=dark"]
    assert session not in str(upstream.last)
    assert upstream.header("x-forwarded-for") == upstream.header("forwarded") == []
    assert upstream.header("x-forwarded-host") == upstream.header("host") == [person.base_url.netloc.decode()]
    assert upstream.header("proxy-authorization") == []


def test_headers_of_one_hop_stay_there(visit: Visit, upstream: Upstream, deployment: DeploymentView) -> None:
    answer = visit().get(f"/{deployment.id}/", headers={"Connection": "keep-alive, x-mine", "X-Mine": "of this hop"})
    assert upstream.header("x-mine") == []
    assert "x-private" not in answer.headers
    assert "transfer-encoding" not in answer.headers


def test_cookies_of_airflow_are_kept_to_the_deployment_s_path(visit: Visit, deployment: DeploymentView) -> None:
    cookies = visit().get(f"/{deployment.id}/").headers.get_list("set-cookie")
    assert [cookie.partition("=")[0] for cookie in cookies] == ["session", "theme"]
    assert all(f"path=/{deployment.id}/" in cookie.lower() for cookie in cookies)
    assert "httponly" in cookies[0].lower()
    assert "samesite=lax" in cookies[0].lower()


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_writes_travel_with_their_bodies(
    visit: Visit, upstream: Upstream, deployment: DeploymentView, method: str
) -> None:
    person = visit()
    assert person.request(method, f"/{deployment.id}/api", content=b'{"a": 1}').status_code == 200
    assert (upstream.last["method"], upstream.last["body"]) == (method, b'{"a": 1}')
    assert person.request(method, f"/{deployment.id}/api", content=iter([b"a", b"b"])).status_code == 200
    assert upstream.last["body"] == b"ab"


def test_head_is_answered_without_a_body(visit: Visit, upstream: Upstream, deployment: DeploymentView) -> None:
    answer = visit().head(f"/{deployment.id}/")
    assert (answer.status_code, answer.content) == (200, b"")
    assert upstream.last["method"] == "HEAD"


def test_answers_stream_while_airflow_still_writes(
    visit: Visit, upstream: Upstream, deployment: DeploymentView
) -> None:
    with visit().stream("GET", f"/{deployment.id}/stream") as answer:
        parts = answer.iter_lines()
        assert next(parts) == "first"
        assert upstream.told == [b"first\n"]  # the second part is not written yet
        upstream.go_on.set()
        assert next(parts) == "second"


def test_redirects_of_airflow_are_the_browser_s_to_follow(
    visit: Visit, upstream: Upstream, deployment: DeploymentView
) -> None:
    answer = visit().get(f"/{deployment.id}/redirect")
    assert (answer.status_code, answer.headers["location"]) == (302, "/elsewhere?next=1")
    assert len(upstream.seen) == 1


def test_an_airflow_that_is_down_is_a_sentence(visit: Visit, upstream: Upstream, deployment: DeploymentView) -> None:
    answer = visit().get(f"/{deployment.id}/broken")
    assert answer.status_code == 503
    assert "does not answer now" in answer.text
    assert upstream.url not in answer.text


# --- who may pass ------------------------------------------------------------------------------------------------


def test_a_stranger_is_sent_to_the_sign_in_page(
    visit: Visit, upstream: Upstream, deployment: DeploymentView, platform: World
) -> None:
    answer = visit(None).get(f"/{deployment.id}/dags")
    assert answer.status_code == 303
    assert answer.headers["location"] == f"http://127.0.0.1:{platform.settings.port}/login"
    assert visit(None).post(f"/{deployment.id}/dags").status_code in {401, 403}
    assert visit(None, "aero_ses_wrong").get(f"/{deployment.id}/dags").status_code == 303
    assert upstream.seen == []


def test_a_person_without_a_role_does_not_pass(visit: Visit, upstream: Upstream, deployment: DeploymentView) -> None:
    assert visit("nobody").get(f"/{deployment.id}/").status_code in {403, 404}
    assert upstream.seen == []


def test_a_role_on_one_deployment_opens_no_other(
    visit: Visit, upstream: Upstream, deployment: DeploymentView, platform: World, deploy: Deploy
) -> None:
    other = deploy("other")
    scope = f"workspace/{deployment.workspace_id}/deployment/{deployment.id}"
    platform.access.create_user(SYSTEM, "guest", role="viewer", scope=scope)
    guest = visit("guest")
    assert guest.get(f"/{deployment.id}/").status_code == 200
    assert guest.get(f"/{other.id}/").status_code in {403, 404}
    assert len(upstream.seen) == 1


@pytest.mark.parametrize("ref", ["shop", "team%2Fshop", "dep_nowhere", "..", "%2e%2e"])
def test_only_ids_of_deployments_are_addresses(
    visit: Visit, upstream: Upstream, deployment: DeploymentView, ref: str
) -> None:
    assert visit().get(f"/{ref}/").status_code == 404
    assert upstream.seen == []


def test_a_session_that_was_logged_out_passes_no_more(
    visit: Visit, upstream: Upstream, deployment: DeploymentView, platform: World
) -> None:
    session = platform.session_of("viewer").reveal()
    platform.access.log_out(session)
    assert visit(None, session).get(f"/{deployment.id}/").status_code == 303
    assert upstream.seen == []


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example"])
def test_a_foreign_host_name_is_refused(
    visit: Visit, upstream: Upstream, deployment: DeploymentView, host: str
) -> None:
    assert visit().get(f"/{deployment.id}/", headers={"Host": host}).status_code == 421
    assert upstream.seen == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
def test_writes_from_another_origin_s_page_are_refused(
    visit: Visit, upstream: Upstream, deployment: DeploymentView, method: str, headers: dict[str, str]
) -> None:
    answer = visit().request(method, f"/{deployment.id}/api/v2/dags/x", headers=headers)
    assert answer.status_code == 403
    assert upstream.seen == []


def test_writes_of_airflow_s_own_pages_pass(
    visit: Visit, upstream: Upstream, deployment: DeploymentView, gate: str
) -> None:
    headers = {"Origin": gate, "Sec-Fetch-Site": "same-origin"}
    assert visit().patch(f"/{deployment.id}/api/v2/dags/x", headers=headers, json={}).status_code == 200
    assert upstream.last["method"] == "PATCH"
