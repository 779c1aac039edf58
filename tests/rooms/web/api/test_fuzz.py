"""Whatever is sent to any route, the server answers with a problem and never fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx2
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.rooms.web.world import World

from aerodrome.access import SYSTEM
from aerodrome.web.app import create_app

Connect = Callable[..., httpx2.Client]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=20), inner, max_size=3),
    max_leaves=8,
)
REFS = st.sampled_from(["one", "sales", "admin", "nope", "dep_", "%00", "..%2f", "a b", "ü", "x" * 300])


def fields_of(schema: dict[str, Any], operation: dict[str, Any]) -> list[str]:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
    return list(schema["components"]["schemas"].get(name, {}).get("properties", {}))


def test_no_body_and_no_parameter_makes_the_server_fail(http: Connect, platform: World) -> None:
    platform.fleet.create_workspace(SYSTEM, "sales")
    admin = http("admin")
    admin.post("/api/v1/deployments", json={"name": "one", "workspace": "sales"}).raise_for_status()
    schema = create_app(platform).openapi()
    routes = [
        (method, path, operation, fields_of(schema, operation))
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
        if not path.endswith("/events/stream") and path != "/api/v1/tokens/own"
    ]

    @given(data=st.data())
    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def attack(data: st.DataObject) -> None:
        method, path, operation, fields = data.draw(st.sampled_from(routes))
        for parameter in ("{ref}", "{number}", "{token_id}"):
            path = path.replace(parameter, data.draw(REFS))
        known = st.dictionaries(st.sampled_from(fields), JSON) if fields else JSON
        query = {
            item["name"]: data.draw(st.text(max_size=20) | st.integers().map(str))
            for item in operation.get("parameters", ())
            if item["in"] == "query" and data.draw(st.booleans())
        }
        body = None if method == "get" else data.draw(known | JSON)
        answer = admin.request(method, path, params=query, json=body)
        assert answer.status_code < 500 or answer.status_code == 503, (method, path, body, answer.text)
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["code"]

    attack()


def test_characters_that_no_database_takes_are_refused(http: Connect) -> None:
    admin = http("admin")
    for path in ("/api/v1/deployments/a%00b", "/api/v1/deployments?workspace=%00"):
        assert (admin.get(path).status_code, admin.get(path).json()["code"]) == (400, "address-malformed")
    for text in (
        '{"name": "a\\u0000b"}',
        '{"name": "a\\ud800"}',
        '{"\\ud800": 1, "name": "ok"}',
        '{"name": "\\udfff\\u0000"}',
    ):
        answer = admin.post("/api/v1/workspaces", content=text, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["code"]) in {(422, "request-invalid"), (422, "name-invalid")}
