"""The reader of the REST API: waits, refusals, sessions. If these break, a slow or strict server ends a scan."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

import httpx2
import pytest
from tests.rooms.migration.service.conftest import NAME, Desk, desk  # noqa: F401 - a fixture
from tests.rooms.migration.sources.rest_answers import served
from tests.rooms.web.conftest import platform, url  # noqa: F401 - fixtures

from aerodrome.kernel.errors import Denied, Unavailable
from aerodrome.kernel.secret import Secret
from aerodrome.migration.sources.airflow_rest.client import RestReader
from aerodrome.migration.sources.airflow_rest.dags import RunSummary


def test_reader_waits_as_it_is_told_and_gives_up() -> None:
    version = httpx2.Response(200, json={"version": "3.3.2"})
    page = httpx2.Response(200, json={"pools": [{"name": "a"}], "total_entries": 1})
    slow = httpx2.Response(429, headers={"Retry-After": "7"})
    reader, waits, asked = served(version, slow, httpx2.Response(503), page)
    assert list(reader.pages("/pools", "pools")) == [{"name": "a"}]
    assert waits == [7.0, 2.0]
    assert asked[-1].url.path == "/air/api/v2/pools"
    reader, waits, asked = served(version, *[httpx2.Response(429, headers={"Retry-After": "9999"})] * 5)
    with pytest.raises(Unavailable) as failed:
        reader.get("/pools")
    assert failed.value.code == "source-failed"
    assert waits == [60.0] * 4
    reader, _, _ = served(version, httpx2.Response(403))
    with pytest.raises(Denied) as denied:
        reader.get("/connections")
    assert denied.value.code == "source-right-missing"


class SessionOnly:
    """Airflow 2 as delivered: basic authentication is no way in, a session of the login page is (2.11.2)."""

    def __init__(self, *, has_form: bool = True) -> None:
        self.has_form = has_form
        self.signed_in = 0

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        path, has_session = request.url.path, "session=s1" in (request.headers.get("cookie") or "")
        if path == "/api/v1/version":
            return httpx2.Response(200, json={"version": "2.11.2"})
        if path == "/login/" and request.method == "GET":
            form = '<input id="csrf_token" name="csrf_token" type="hidden" value="I&#34;x">'
            return httpx2.Response(200 if self.has_form else 404, text=form)
        if path == "/login/":
            given = dict(parse_qsl(request.content.decode()))
            if given != {"csrf_token": 'I"x', "username": "reader", "password": "canary-right"}:
                return httpx2.Response(302, headers={"Location": "/login/"})
            self.signed_in += 1
            return httpx2.Response(302, headers={"Location": "/home", "Set-Cookie": "session=s1; Path=/; HttpOnly"})
        if path == "/api/v1/dags" and has_session:
            return httpx2.Response(200, json={"dags": [{"dag_id": "d"}], "total_entries": 1})
        return httpx2.Response(401 if path.startswith("/api/v1") else 404)


def test_a_session_opens_what_basic_authentication_does_not() -> None:
    def reader(server: SessionOnly, password: str) -> RestReader:
        transport = httpx2.MockTransport(server)
        return RestReader("http://x", "reader", Secret(password), Secret(""), transport=transport)

    server = SessionOnly()
    right = reader(server, "canary-right")
    assert [list(right.pages("/dags", "dags")) for _ in range(2)] == [[{"dag_id": "d"}]] * 2
    assert server.signed_in == 1
    for wrong in (reader(SessionOnly(), "canary-wrong"), reader(SessionOnly(has_form=False), "canary-right")):
        with pytest.raises(Denied) as refused:
            wrong.get("/dags")
        assert refused.value.code == "source-login-refused"
        assert "canary" not in str(refused.value)


def test_nobody_there_is_told() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        reader = RestReader(f"http://127.0.0.1:{port}", "", Secret(""), Secret("t"), sleep=lambda _s: None)
        with pytest.raises(Unavailable) as caught:
            _ = reader.version
    assert caught.value.code == "source-unreachable"


def test_runs_are_counted_in_every_window() -> None:
    now = datetime(2026, 11, 30, tzinfo=UTC)
    summary = RunSummary()
    for days in (0.5, 3, 20, 200, 500):
        begun = (now - timedelta(days=days)).isoformat()
        summary.add({"start_date": begun, "end_date": begun, "state": "success"}, now)
    assert summary.runs == {"1d": 1, "7d": 2, "30d": 3, "365d": 4}
