"""What the pages of a deploy show of its life: steps and logs, failures, checks, files that went by age."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import update
from tests.rooms.web.api.test_fleet import GZIP, Connect, admin, archive  # noqa: F401  (the fixture)
from tests.rooms.web.world import World

from aerodrome.access import SYSTEM
from aerodrome.store.tables.deploy import DeployRow, DeployStepRow
from aerodrome.web.credentials import SESSION_COOKIE
from aerodrome.web.ui.pages import deploys

API = "/api/v1/deployments/nightly/deploys"


@pytest.fixture
def visitor(admin: httpx2.Client, http: Connect, platform: World) -> httpx2.Client:  # noqa: F811
    """A person with a browser; two deploys are there."""
    for number in range(2):
        admin.post(API, content=archive(dags__one_py=f"A = {number}"), headers=GZIP).raise_for_status()
    browser = http(None)
    browser.headers["Cookie"] = f"{SESSION_COOKIE}={platform.session_of('admin').reveal()}"
    return browser


def change(platform: World, number: int, **values: Any) -> None:
    with platform.store.writing() as session:
        session.execute(update(DeployRow).where(DeployRow.number == number).values(**values))


def test_steps_are_shown_with_their_logs_and_times(visitor: httpx2.Client, platform: World) -> None:
    deploy = platform.fleet.list_deploys(SYSTEM, "nightly")[0]
    now = platform.clock.now()
    with platform.store.writing() as session:
        for seq, (name, status, log) in enumerate(
            [
                ("environment", "done", "Making <b>a</b> virtualenv\n"),
                ("checks", "running", ""),
                ("switch", "pending", ""),
            ]
        ):
            ended = now + timedelta(seconds=2.5) if status == "done" else None
            session.add(
                DeployStepRow(
                    deploy_id=deploy.id,
                    seq=seq + 1,
                    name=name,
                    status=status,
                    log=log,
                    started_at=now,
                    finished_at=ended,
                )
            )
    change(platform, 2, status="building")
    page = visitor.get("/deployments/nightly/deploys/2")
    assert page.status_code == 200, page.text
    assert "Making &lt;b&gt;a&lt;/b&gt; virtualenv" in page.text
    assert "done, 2.5 s" in page.text
    assert f"/parts/deployments/{deploy.deployment_id}/deploys/2?seen=building" in page.text
    change(platform, 2, status="failed", error={"message": "It broke.", "hint": "Mend it.", "code": "x-broke"})
    part = visitor.get(f"/parts/deployments/{deploy.deployment_id}/deploys/2", params={"seen": "building"})
    assert part.headers["HX-Refresh"] == "true"
    assert "It broke." in part.text
    assert "Mend it." in part.text
    assert "hx-get" not in part.text


def test_what_went_by_age_and_what_was_checked_is_said(visitor: httpx2.Client, platform: World) -> None:
    kinds = ("files", "dags", "connections", "variables", "pools", "env")
    checks = {
        "is_blocking": True,
        "is_forced": True,
        "policy": "block",
        "counts": {"blockers": 1, "warnings": 2, **dict.fromkeys(kinds, 3)},
        "findings": [],
        "dags": [],
        "usage": [],
        "airflow_version": "3.3.2",
        "seconds": 0.4,
    }
    change(platform, 1, status="superseded", artefacts_removed_at=platform.clock.now(), live_at=platform.clock.now())
    change(platform, 2, checks=checks, is_forced=True, rollback_of=_id(platform, 1), cause="rollback")
    history = visitor.get("/deployments/nightly/deploys").text
    assert "files removed" in history
    assert "Rollback: " in history
    old = visitor.get("/deployments/nightly/deploys/1").text
    assert "cannot be brought back" in old
    new = visitor.get("/deployments/nightly/deploys/2").text
    assert "deploy 1</a>" in new
    assert "; forced" in new


def test_a_repository_is_deployed_by_a_form_and_shown_before_it_is_fetched(
    visitor: httpx2.Client, platform: World
) -> None:
    page = visitor.get("/deployments/nightly/deploys").text
    csrf = page.partition('name="csrf" value="')[2].partition('"')[0]
    form = {"csrf": csrf, "url": "https://git.example.com/team/flows.git", "ref": "release", "dags": "yes"}
    answer = visitor.post("/deployments/nightly/deploys", data=form)
    assert answer.status_code == 303, answer.text
    shown = visitor.get(answer.headers["location"])
    assert "not fetched yet" in shown.text
    assert "https://git.example.com/team/flows.git" in shown.text
    assert visitor.get("/deployments/nightly/deploys").status_code == 200
    refused = visitor.post("/deployments/nightly/deploys", data={**form, "url": "file:///etc"})
    assert (refused.status_code, "AERODROME_GIT_PROTOCOLS" in refused.text) == (422, True)
    assert visitor.post("/deployments/nightly/deploys", data={**form, "csrf": "wrong"}).status_code == 403


def test_the_way_to_a_comparison_is_a_plain_address(visitor: httpx2.Client, platform: World) -> None:
    item = platform.fleet.get_deployment(SYSTEM, "nightly").id
    for asked, leads in (("", "1/diff/2"), ("?to=1", "1/diff/2"), ("?to=2", "2/diff/2"), ("?to=x", "1/diff/2")):
        answer = visitor.get(f"/deployments/nightly/deploys/2/diff{asked}")
        assert answer.headers["location"] == f"/deployments/{item}/deploys/{leads}"
    page = visitor.get(f"/deployments/{item}/deploys/1/diff/2")
    assert '<span class="add">+A = 1' in page.text
    assert visitor.get(f"/deployments/{item}/deploys/1/diff/77").status_code == 404


def _id(platform: World, number: int) -> str:
    return platform.fleet.get_deploy(SYSTEM, "nightly", number).id


def test_an_upload_needs_the_token_of_the_session(visitor: httpx2.Client) -> None:
    address = "/deployments/nightly/uploads"
    files = {"archive": ("flows.tar.gz", archive(dags__one_py="A = 3"), "application/gzip")}
    refused = visitor.post(address, data={"csrf": "wrong"}, files=files)
    assert refused.status_code == 403
    token = re.findall(r'name="csrf" value="([^"]+)"', visitor.get("/deployments/nightly/deploys").text)[0]
    taken = visitor.post(address, data={"csrf": token, "description": "By hand"}, files=files, follow_redirects=False)
    assert taken.status_code == 303, taken.text
    assert taken.headers["Location"].endswith("/deploys/3")
    nothing = visitor.post(address, data={"csrf": token}, files={"archive": ("", b"", "application/gzip")})
    assert nothing.status_code == 422
    assert 'data-field="folder"' in nothing.text


def test_a_rollback_of_dags_is_written_so(visitor: httpx2.Client, platform: World) -> None:
    change(platform, 2, cause="rollback", kind="dags")
    assert "Rollback: DAGs only" in visitor.get("/deployments/nightly/deploys").text


def test_a_long_history_is_shown_in_pages(
    visitor: httpx2.Client, platform: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deploys, "_ROWS", 1)
    first = visitor.get("/deployments/nightly/deploys").text
    older = re.search(r'href="(/deployments/[^"]+\?below=2)"', first)
    assert older is not None
    assert "#1</strong>" not in first
    second = visitor.get(older[1]).text
    assert "#1</strong>" in second
    assert "Newest deploys" in second
    assert "Older deploys" not in second
