"""What would break for whom: a stranger's page, a rebound host name or a huge body would reach the platform."""

from __future__ import annotations

from collections.abc import Callable

import httpx2
import pytest

from aerodrome.web.guards import host_of

Connect = Callable[..., httpx2.Client]


@pytest.mark.parametrize(
    ("header", "host"),
    [
        ("127.0.0.1:8700", "127.0.0.1"),
        ("LOCALHOST", "localhost"),
        ("[::1]:8700", "[::1]"),
        ("evil.example", "evil.example"),
        ("", ""),
    ],
)
def test_the_host_is_read_without_its_port(header: str, host: str) -> None:
    assert host_of(header) == host


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:80", "169.254.169.254"])
def test_unknown_host_names_are_refused(http: Connect, host: str) -> None:
    answer = http("admin").get("/api/v1/me", headers={"Host": host})
    assert answer.status_code == 421
    assert answer.json()["code"] == "host-unknown"


def test_every_answer_has_the_security_headers_and_a_request_id(http: Connect) -> None:
    for path in ("/api/v1/health", "/api/v1/me", "/nothing/here"):
        headers = http(None).get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert headers["x-request-id"].startswith("req_")
        assert "server" not in headers


def test_a_well_formed_request_id_of_the_caller_is_kept(http: Connect) -> None:
    client = http(None)
    assert client.get("/api/v1/health", headers={"X-Request-Id": "trace-12345678"}).headers["x-request-id"] == (
        "trace-12345678"
    )
    assert client.get("/api/v1/health", headers={"X-Request-Id": "<script>"}).headers["x-request-id"].startswith("req_")


def test_a_body_over_the_limit_is_refused_with_and_without_its_length(http: Connect) -> None:
    client = http("admin")
    big = b'{"name": "' + b"a" * (1 << 20) + b'"}'
    declared = client.post("/api/v1/workspaces", content=big, headers={"Content-Type": "application/json"})
    streamed = client.post("/api/v1/workspaces", content=iter([big]), headers={"Content-Type": "application/json"})
    assert (declared.status_code, streamed.status_code) == (413, 413)
    assert declared.json()["code"] == streamed.json()["code"] == "body-too-large"


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
def test_a_page_of_another_origin_may_not_write(http: Connect, headers: dict[str, str]) -> None:
    answer = http("admin").post("/api/v1/workspaces", json={"name": "sales"}, headers=headers)
    assert answer.status_code == 403
    assert answer.json()["code"] == "origin-foreign"


def test_our_own_pages_may_write(http: Connect, url: str) -> None:
    headers = {"Origin": url, "Sec-Fetch-Site": "same-origin"}
    assert http("admin").post("/api/v1/workspaces", json={"name": "sales"}, headers=headers).status_code == 201
