"""No secret of the source, and no credential of the platform, stands anywhere it need not.

Looked through after a whole migration: log, files, every answer of the API, every page, reports, process list. If this
breaks, whoever reads a log or a report can open somebody's warehouse.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest
from fastapi.routing import APIRoute
from tests.journeys.conftest import NAME, Moved

from aerodrome.web.credentials import SESSION_COOKIE
from aerodrome.web.ui.pages import (
    alerts,
    audit,
    deployment_new,
    deployments,
    deploys,
    environment,
    health,
    keeping,
    migration_code,
    migration_holds,
    migration_proofs,
    migration_waves,
    migrations,
    secrets_backends,
    signing_in,
    usage,
    versions,
)

pytestmark = [pytest.mark.airflow, pytest.mark.journey]

# The wish of a deployment holds its environment variables: its Airflow cannot run without them, and after a crash of the
# machine nobody else could tell them. Readable by the platform's user only.
BY_DESIGN = re.compile(r"deployments/dep_\w+/desired\.json")
OF_ENVIRONMENT = {"ledger_password", "webhook_token"}


@pytest.fixture
def canaries(moved: Moved) -> dict[str, bytes]:
    """Every secret by name: the source's (database URL, Fernet key, connections, variables, environment) and ours."""
    ours = {"session": moved.server.session_of(moved.client, moved.client.users.me().name)}
    found = asdict(moved.source.secrets()) | moved.server.secrets | ours
    assert len(found) > 10
    return {name: value.rstrip("=").encode() for name, value in found.items()}


def test_every_canary_was_really_there(moved: Moved, canaries: dict[str, bytes]) -> None:
    for name in ("warehouse_password", "partner_token", "partner_api_key", "webhook_token", "database_password"):
        assert len(canaries[name]) > 20
    assert moved.report["kinds"]["connection"]["moved"] > 0
    assert moved.report["kinds"]["variable"]["moved"] > 0
    assert moved.report["kinds"]["env_var"]["moved"] > 0


def test_the_log_holds_none(moved: Moved, canaries: dict[str, bytes]) -> None:
    logged = moved.server.log.read_bytes()
    assert b"step.done" in logged
    assert _in(logged, canaries) == []
    assert [
        logged[max(0, found.start() - 400) : found.end() + 2000] for found in re.finditer(b"Traceback", logged)
    ] == []


def test_files_of_the_platform_hold_none_but_where_airflow_needs_it(moved: Moved, canaries: dict[str, bytes]) -> None:
    home = moved.server.settings.home
    looked: list[Path] = []
    wished: set[str] = set()
    for path in _files(home):
        looked.append(path)
        found = _in(path.read_bytes(), canaries)
        if BY_DESIGN.fullmatch(str(path.relative_to(home))):
            assert set(found) <= OF_ENVIRONMENT
            assert path.stat().st_mode & 0o077 == 0
            wished |= set(found)
            continue
        assert found == [], path
    assert wished == OF_ENVIRONMENT  # else the exception above is needless
    names = {path.name for path in looked}
    assert {"aerodrome.db", "assessment.json", "assessment.html", "plan.json", "code.json", "scheduler.log"} <= names
    assert any("estates" in path.parts for path in looked)
    assert home.stat().st_mode & 0o077 == 0


def test_what_people_save_holds_none(moved: Moved, canaries: dict[str, bytes]) -> None:
    texts = (moved.plan_text, str(moved.report), moved.client.migrations.report_html(NAME))
    for text in texts:
        assert _in(text.encode(), canaries) == []


def test_no_answer_of_the_api_holds_one(moved: Moved, canaries: dict[str, bytes]) -> None:
    token = moved.server.secrets["API token"]
    with httpx2.Client(
        base_url=moved.server.url, headers={"Authorization": f"Bearer {token}"}, trust_env=False, timeout=30
    ) as http:
        paths = http.get("/api/v1/openapi.json").json()["paths"]
        asked = 0
        for path, operations in paths.items():
            if "get" not in operations:
                continue
            for url, params in _addresses(moved, path):
                content = _stream(http, url) if url.endswith("/stream") else _read(http, url, params)
                assert _in(content, canaries) == [], url
                asked += 1
        assert asked >= len([path for path, operations in paths.items() if "get" in operations])


def test_no_page_holds_one(moved: Moved, canaries: dict[str, bytes]) -> None:
    cookies = {SESSION_COOKIE: canaries["session"].decode()}
    with httpx2.Client(base_url=moved.server.url, cookies=cookies, trust_env=False, timeout=30) as http:
        seen = 0
        for path in _pages():
            for url, _params in _addresses(moved, path):
                answer = http.get(url)
                assert answer.status_code in {200, 303, 307} or (NONE in url and answer.status_code == 404), url
                assert _in(answer.content + str(answer.headers).encode(), canaries) == [], url
                seen += 1
        assert seen > 12


def test_no_process_shows_one_in_its_arguments(moved: Moved, canaries: dict[str, bytes]) -> None:
    assert moved.migration is not None
    looked = 0
    for process in psutil.process_iter():
        try:
            words = "\0".join(process.cmdline()).encode()
        except psutil.Error:
            continue
        looked += 1
        assert _in(words, canaries) == [], process
    assert looked > 8


NONE = "none-such"
MAYBE_MISSING = ("/secrets-backend", "/checklist", "/decommission", "/runbook", "/evidence")
"""What this story need not have made; the answer that says so is searched, too."""


def _in(content: bytes, canaries: dict[str, bytes]) -> list[str]:
    return [name for name, value in canaries.items() if value in content]


def _files(home: Path) -> Iterator[Path]:
    """Give every file but those of shared virtualenvs, which stand behind a link."""
    for path in home.iterdir():
        if path.is_symlink():
            continue
        for file in path.rglob("*") if path.is_dir() else [path]:
            if file.is_file():
                yield file


def _pages() -> Iterator[str]:
    nouns = (signing_in, deployments, deployment_new, deploys, environment, usage, versions, health, keeping)
    for noun in (
        *nouns,
        secrets_backends,
        alerts,
        migrations,
        migration_code,
        migration_holds,
        migration_proofs,
        migration_waves,
        audit,
    ):
        for route in noun.router.routes:
            if isinstance(route, APIRoute) and "GET" in (route.methods or ()):
                yield route.path


def _addresses(moved: Moved, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Fill a route's gaps with what there is."""
    noun = next((name for name in ("migrations", "deployments", "workspaces", "users") if f"/{name}/{{" in path), "")
    client = moved.client
    deployment = client.deployments.get(moved.deployment_id)
    refs = {
        "migrations": NAME,
        "deployments": deployment.id,
        "workspaces": deployment.workspace_id,
        "users": client.users.me().id,
    }
    url = path.replace("{ref}", refs.get(noun, NONE))
    for gap, value in {"number": "1", "before": "1", "after": "1", "step": "switch", "wave": "first"}.items():
        url = url.replace(f"{{{gap}}}", value)
    if "{object_id}" in url:
        for item in client.environment.list():
            yield url.replace("{object_id}", item.id), {}
    elif "_id}" in url:  # what this story did not make: also the answer that says so is searched
        yield re.sub(r"\{\w+_id\}", NONE, url), {}
    elif url.endswith("/api/v1/usage"):
        yield url, {"kind": "connection", "name": "canary"}
    elif "{component}" in url:
        for component in deployment.components:
            yield url.replace("{component}", component.name), {}
    elif url.endswith("/logs"):
        for component in deployment.components:
            yield url, {"component": component.name, "tail": 5000}
    elif url.endswith("/rollback"):
        yield url, {"wave": "first"}
    elif url.endswith("/tokens"):
        yield url, {"everybody": "true"}
    else:
        yield url, {}


def _read(http: httpx2.Client, url: str, params: dict[str, Any]) -> bytes:
    """Read an answer with all its further pages."""
    content = b""
    for _ in range(200):
        answer = http.get(url, params=params)
        is_fine = answer.status_code == 200 or (url.endswith("/rollback") and answer.status_code == 409)
        assert is_fine or (answer.status_code == 404 and (NONE in url or url.endswith(MAYBE_MISSING))), (
            url,
            answer.text,
        )
        content += answer.content
        cursor = (
            answer.json().get("next_cursor") if "json" in answer.headers["content-type"] and _is_list(answer) else None
        )
        if cursor is None:
            return content
        params = {**params, "cursor": cursor}
    raise AssertionError(f"{url} never ends")


def _is_list(answer: httpx2.Response) -> bool:
    return isinstance(answer.json(), dict)


def _stream(http: httpx2.Client, url: str) -> bytes:
    content = b""
    with http.stream("GET", url, params={"after": 0}) as answer:
        for part in answer.iter_raw():
            content += part
            if b"migration." in content:
                return content
    return content
