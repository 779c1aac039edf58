"""The life of a deployment over HTTP, on both databases."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from tests.rooms.web.world import World

Connect = Callable[..., httpx2.Client]
GZIP = {"Content-Type": "application/gzip"}


def archive(**files: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name.replace("__", "/").replace("_py", ".py"))
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    return buffer.getvalue()


@pytest.fixture
def admin(http: Connect) -> httpx2.Client:
    client = http("admin")
    client.post("/api/v1/workspaces", json={"name": "sales"}).raise_for_status()
    client.post("/api/v1/deployments", json={"name": "nightly", "workspace": "sales"}).raise_for_status()
    return client


def test_a_deployment_is_made_shown_changed_and_deleted(admin: httpx2.Client) -> None:
    shown = admin.get("/api/v1/deployments/nightly").json()
    assert (shown["status"], shown["desired"], shown["workspace_name"]) == ("creating", "running", "sales")
    changed = admin.patch("/api/v1/deployments/nightly", json={"parallelism": 7, "description": "x"}).json()
    assert changed["parallelism"] == 7
    assert changed["generation"] > shown["generation"]
    assert admin.post("/api/v1/deployments/nightly/hibernate").json()["desired"] == "hibernated"
    assert admin.post("/api/v1/deployments/nightly/wake").json()["desired"] == "running"
    gone = admin.delete("/api/v1/deployments/nightly")
    assert (gone.status_code, gone.json()["desired"]) == (202, "deleted")


def test_secret_variables_are_never_given_back(admin: httpx2.Client) -> None:
    body = {"values": {"REGION": "eu"}, "secrets": {"API_KEY": "canary-5521"}}
    answer = admin.patch("/api/v1/deployments/nightly/env", json=body)
    assert answer.status_code == 200
    everything = answer.text + admin.get("/api/v1/deployments").text + admin.get("/api/v1/audit").text
    everything += admin.get("/api/v1/events").text + admin.get("/api/v1/jobs").text
    assert "canary-5521" not in everything
    assert answer.json()["env"]["REGION"] == "eu"
    removed = admin.patch("/api/v1/deployments/nightly/env", json={"values": {"REGION": None}}).json()
    assert set(removed["env"]) == {"API_KEY"}


def test_a_project_is_uploaded_as_a_stream(admin: httpx2.Client, platform: World) -> None:
    path = "/api/v1/deployments/nightly/deploys"
    body = archive(dags__one_py="print(1)", dags__two_py="print(2)")
    answer = admin.post(path, content=iter([body[:100], body[100:]]), headers=GZIP, params={"description": "first"})
    assert answer.status_code == 202, answer.text
    deploy = answer.json()
    assert (deploy["number"], deploy["status"], deploy["file_count"], deploy["actor"]) == (1, "queued", 2, "admin")
    assert deploy["description"] == "first"
    kept = platform.bundles.get(deploy["bundle_digest"])
    assert (kept.path / "dags/one.py").read_text() == "print(1)"
    assert admin.get(f"{path}/1").json() == admin.get(f"{path}/{deploy['id']}").json()
    assert [item["number"] for item in admin.get(path).json()["items"]] == [1]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "archive-unreadable"),
        (b"not an archive", "archive-unreadable"),
        (archive(readme="hello"), "project-without-dags"),
        (archive(**{"../outside": "x"}), "archive-unsafe"),
        (archive(**{"/etc/passwd": "x"}), "archive-unsafe"),
    ],
    ids=["empty", "garbage", "no dags", "leaves the folder", "absolute"],
)
def test_a_bad_archive_is_refused_and_leaves_nothing(
    admin: httpx2.Client, platform: World, content: bytes, code: str
) -> None:
    path = "/api/v1/deployments/nightly/deploys"
    answer = admin.post(path, content=content, headers=GZIP)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert admin.get(path).json()["items"] == []
    assert [item.name for item in platform.settings.bundles_dir.iterdir() if not item.name.startswith(".lock")] == []


def test_an_upload_over_the_limit_is_cut_off(admin: httpx2.Client) -> None:
    blocks = (b"x" * 65536 for _ in range(40))
    answer = admin.post("/api/v1/deployments/nightly/deploys", content=blocks, headers=GZIP)
    assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")


def test_who_may_not_deploy_is_refused_before_the_upload(admin: httpx2.Client, http: Connect) -> None:
    assert admin.get("/api/v1/me").status_code == 200
    answer = http("viewer").post("/api/v1/deployments/nightly/deploys", content=b"garbage", headers=GZIP)
    assert (answer.status_code, answer.json()["code"]) == (403, "permission-missing")


def test_lists_come_in_pages(admin: httpx2.Client) -> None:
    for index in range(5):
        admin.post("/api/v1/deployments", json={"name": f"d{index}", "workspace": "sales"}).raise_for_status()
    names: list[str] = []
    params: dict[str, Any] = {"limit": 2}
    pages = 0
    while True:
        page = admin.get("/api/v1/deployments", params=params).json()
        names += [item["name"] for item in page["items"]]
        pages += 1
        if page["next_cursor"] is None:
            break
        params["cursor"] = page["next_cursor"]
    assert sorted(names) == ["d0", "d1", "d2", "d3", "d4", "nightly"]
    assert pages == 3
    assert admin.get("/api/v1/deployments", params={"cursor": "!!"}).json()["code"] == "cursor-invalid"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"name": "nightly", "workspace": "sales"}, 409, None),
        ({"name": "Bad Name", "workspace": "sales"}, 422, "name-invalid"),
        ({"name": "ok", "workspace": "nowhere"}, 404, None),
        ({"name": "ok", "workspace": "sales", "airflow_version": "9.9.9"}, 422, None),
        ({"name": "ok", "workspace": "sales", "surprise": 1}, 422, "request-invalid"),
        ({"name": "ok", "workspace": "sales", "config": {"core.fernet_key": "x"}}, 422, "setting-owned"),
    ],
)
def test_a_wrong_wish_is_refused_with_a_hint(
    admin: httpx2.Client, body: dict[str, Any], status: int, code: str | None
) -> None:
    answer = admin.post("/api/v1/deployments", json=body)
    problem = answer.json()
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["hint"]
    assert code is None or problem["code"] == code


def test_the_input_is_not_repeated_when_it_does_not_fit(admin: httpx2.Client) -> None:
    answer = admin.patch("/api/v1/deployments/nightly/env", json={"secrets": {"A": ["canary-77"]}})
    assert answer.status_code == 422
    assert "canary-77" not in answer.text
    assert answer.json()["details"]["fields"][0]["field"] == "body.secrets.A"


def test_what_happens_can_be_read_as_events(admin: httpx2.Client) -> None:
    page = admin.get("/api/v1/events").json()
    kinds = [event["type"] for event in page["items"]]
    assert any(kind.startswith("deployment.") for kind in kinds)
    assert admin.get("/api/v1/events", params={"after": page["last_seq"]}).json()["items"] == []


def test_the_event_stream_goes_on_after_the_last_seen(admin: httpx2.Client) -> None:
    first = admin.get("/api/v1/events", params={"limit": 1}).json()["items"][0]
    with admin.stream("GET", "/api/v1/events/stream", headers={"Last-Event-ID": "0"}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines: list[str] = []
        for line in answer.iter_lines():
            lines.append(line)
            if line.startswith("id:"):
                break
    assert f"event: {first['type']}" in lines
    assert any(first["id"] in line for line in lines)


def test_operators_see_the_jobs(admin: httpx2.Client, http: Connect) -> None:
    kinds = {job["kind"] for job in admin.get("/api/v1/jobs").json()["items"]}
    assert "deployment.reconcile" in kinds
    assert http("viewer").get("/api/v1/jobs").status_code == 403


def test_airflow_pages_and_logs_are_not_there_before_the_first_start(admin: httpx2.Client) -> None:
    assert admin.get("/api/v1/deployments/nightly/logs", params={"component": "scheduler"}).status_code == 404
    assert admin.get("/api/v1/deployments/nightly/airflow").status_code in {200, 503}
