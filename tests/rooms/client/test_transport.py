"""The client against a real HTTP server of this test that answers as told."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from aerodrome.client.transport import Transport, segment
from aerodrome.kernel.errors import Broken, Conflict, Denied, Invalid, NotFound, Unavailable
from aerodrome.kernel.secret import Secret


@dataclass
class Told:
    """What the server answers, one after the other (the last one for ever), and what it heard."""

    answers: list[tuple[int, str, bytes]] = field(default_factory=list)
    heard: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    def then(self, status: int, body: Any, media: str = "application/problem+json") -> Told:
        self.answers.append((status, media, body if isinstance(body, bytes) else json.dumps(body).encode()))
        return self


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def url(told: Told) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            told.heard.append((self.command, self.path, dict(self.headers.items())))
            status, media, body = told.answers.pop(0) if len(told.answers) > 1 else told.answers[0]
            self.send_response(status)
            self.send_header("Content-Type", media)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_DELETE = do_PATCH = answer  # noqa: N815  (the names that http.server calls)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def naps() -> list[float]:
    return []


@pytest.fixture
def http(url: str, naps: list[float]) -> Iterator[Transport]:
    transport = Transport(url, Secret("aero_pat_x"), sleep=naps.append)
    yield transport
    transport.close()


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("invalid", Invalid),
        ("not-found", NotFound),
        ("denied", Denied),
        ("conflict", Conflict),
        ("unavailable", Unavailable),
        ("broken", Broken),
    ],
)
def test_a_problem_becomes_the_error_that_the_server_raised(
    http: Transport, told: Told, kind: str, expected: type[Exception]
) -> None:
    told.then(400, {"kind": kind, "code": "c", "detail": "A sentence.", "hint": "Do this.", "request_id": "req_1"})
    with pytest.raises(expected) as caught:
        http.post("/x", {})
    error: Any = caught.value
    assert (error.message, error.code, error.hint) == ("A sentence.", "c", "Do this.")
    assert error.details["request_id"] == "req_1"


def test_reads_are_tried_again_and_writes_never(http: Transport, told: Told, naps: list[float]) -> None:
    told.then(502, b"<html>", "text/html").then(503, b"", "text/plain").then(200, {"ok": 1}, "application/json")
    assert http.get("/x") == {"ok": 1}
    assert naps == [0.2, 0.4]
    told.answers[:] = [(503, "text/plain", b"")]
    with pytest.raises(Unavailable):
        http.post("/x", {})
    assert [method for method, _, _ in told.heard] == ["GET", "GET", "GET", "POST"]


def test_a_write_with_a_key_is_tried_again_with_that_key(http: Transport, told: Told) -> None:
    told.then(503, b"", "text/plain").then(201, {"ok": 1}, "application/json")
    assert http.post("/x", {}, key="key_12345678") == {"ok": 1}
    assert [headers.get("Idempotency-Key") for _, _, headers in told.heard] == ["key_12345678"] * 2


def test_a_read_gives_up_after_four_more_tries(http: Transport, told: Told, naps: list[float]) -> None:
    told.then(503, b"", "text/plain")
    with pytest.raises(Unavailable):
        http.get("/x")
    assert len(told.heard) == 5
    assert len(naps) == 4


def test_a_server_that_is_not_there_is_named(free_port: Callable[[], int], naps: list[float]) -> None:
    http = Transport(f"http://127.0.0.1:{free_port()}", None, sleep=naps.append)
    with pytest.raises(Unavailable) as caught:
        http.get("/workspaces")
    http.close()
    assert caught.value.code == "server-unreachable"
    assert "aerodrome serve" in caught.value.hint


def test_a_foreign_answer_is_not_taken_for_ours(http: Transport, told: Told) -> None:
    told.then(404, b"<html>nginx", "text/html")
    with pytest.raises(Broken) as caught:
        http.get("/x")
    assert caught.value.code == "answer-foreign"


@pytest.mark.parametrize("body", [b"<html>a captive portal", b"[1", b""])
def test_a_success_that_is_no_json_is_not_taken_for_ours(http: Transport, told: Told, body: bytes) -> None:
    told.then(200, body, "text/html")
    if body:
        with pytest.raises(Broken):
            http.get("/x")
    else:
        assert http.get("/x") is None


def test_pages_are_followed_to_the_end(http: Transport, told: Told) -> None:
    told.then(200, {"items": [1, 2], "next_cursor": "abc"}, "application/json")
    told.then(200, {"items": [3], "next_cursor": None}, "application/json")
    assert list(http.pages("/x", {"workspace": None, "kind": "a&b"})) == [1, 2, 3]
    assert [path for _, path, _ in told.heard] == ["/api/v1/x?kind=a%26b", "/api/v1/x?kind=a%26b&cursor=abc"]


def test_a_redirect_is_not_followed_with_the_token(http: Transport, told: Told) -> None:
    told.then(302, b"", "text/plain")
    with pytest.raises(Broken):
        http.get("/x")
    assert len(told.heard) == 1


@pytest.mark.parametrize("name", ["a/../b", "a?b", "ü", "%2e"])
def test_a_name_stays_one_segment_of_the_path(name: str) -> None:
    written = segment(name)
    assert not set(written) & set("/?#") or written == name


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_name_that_would_climb_is_refused(name: str) -> None:
    with pytest.raises(Invalid):
        segment(name)
