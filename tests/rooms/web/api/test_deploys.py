"""Deploys over HTTP: parts, bundles, git, differences, logs, and an upload that is sent twice."""

from __future__ import annotations

import base64
import json

import httpx2
import pytest
from tests.rooms.web.api.test_fleet import GZIP, Connect, admin, archive  # noqa: F401  (the fixture)

PATH = "/api/v1/deployments/nightly/deploys"


def test_parts_bundles_and_differences(admin: httpx2.Client) -> None:  # noqa: F811
    first = admin.post(PATH, content=archive(dags__one_py="A = 1"), headers=GZIP).json()
    assert (first["airflow_version"], first["cause"], first["checks"]) == ("3.3.2", "deploy", None)
    only = archive(dags__one_py="A = 2", plugins__p_py="P = 1")
    second = admin.post(PATH, content=only, headers=GZIP, params={"kind": "dags"}).json()
    assert (second["kind"], second["file_count"]) == ("dags", 1)
    third = admin.post(PATH, content=only, headers=GZIP, params={"bundle": "theirs", "forced": "true"}).json()
    assert (third["kind"], set(third["extra_bundles"]), third["is_forced"]) == ("bundle", {"theirs"}, True)
    found = admin.get(f"{PATH}/1/diff/3").json()
    assert [(file["bundle"], file["path"], file["change"]) for file in found["files"]] == [
        ("project", "dags/one.py", "changed"),
        ("theirs", "dags/one.py", "added"),
    ]
    assert [item["name"] for item in found["bundles"]] == ["theirs"]
    gone = admin.delete("/api/v1/deployments/nightly/dag-bundles/theirs")
    assert (gone.status_code, gone.json()["extra_bundles"]) == (202, {})
    wrong = admin.post(PATH, content=only, headers=GZIP, params={"bundle": "x", "kind": "dags"})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "deploy-kind-contradicts")


def test_an_upload_sent_again_with_its_key_is_one_deploy(admin: httpx2.Client) -> None:  # noqa: F811
    body, headers = archive(dags__one_py="A = 1"), {**GZIP, "Idempotency-Key": "upload-0001"}
    first, again = (admin.post(PATH, content=body, headers=headers).json() for _ in range(2))
    assert first["id"] == again["id"]
    assert len(admin.get(PATH).json()["items"]) == 1
    other = admin.post(PATH, content=archive(dags__one_py="A = 2"), headers=headers)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency-key-reused")


def test_git_facts_are_kept_without_credentials(admin: httpx2.Client) -> None:  # noqa: F811
    told = {"remote": "https://a:canary-41@git.example.com/x.git", "commit": "c" * 40, "is_dirty": 1, "more": "dropped"}
    body = archive(dags__one_py="A = 1")
    made = admin.post(PATH, content=body, headers=GZIP, params={"git": json.dumps(told), "origin": "ci"})
    assert made.json()["git"] == {"remote": "https://git.example.com/x.git", "commit": "c" * 40, "is_dirty": True}
    assert made.json()["origin"] == "ci"
    assert "canary-41" not in made.text
    for wrong in ("[1]", "{", '"x"'):
        answer = admin.post(PATH, content=body, headers=GZIP, params={"git": wrong})
        assert (answer.status_code, answer.json()["code"]) == (422, "git-facts-malformed")


def test_a_repository_is_deployed_once_per_key(admin: httpx2.Client) -> None:  # noqa: F811
    path, headers = "/api/v1/deployments/nightly/git-deploys", {"Idempotency-Key": "git-00001"}
    body = {"url": "https://git.example.com/x.git", "ref": "main", "credentials": "DEPLOY_TOKEN"}
    first, again = (admin.post(path, json=body, headers=headers).json() for _ in range(2))
    assert first["id"] == again["id"]
    assert (first["status"], first["bundle_digest"], first["git"]["ref"]) == ("queued", "", "main")
    refused = admin.post(path, json={"url": "file:///etc"})
    assert (refused.status_code, refused.json()["code"]) == (422, "git-protocol-refused")


@pytest.mark.parametrize("what", ["steps/environment/log", "diff/9"])
def test_what_is_not_there_is_said(admin: httpx2.Client, what: str) -> None:  # noqa: F811
    admin.post(PATH, content=archive(dags__one_py="A = 1"), headers=GZIP).raise_for_status()
    answer = admin.get(f"{PATH}/1/{what}")
    assert answer.status_code == 404
    assert answer.json()["hint"]


def test_a_viewer_sees_differences_and_changes_nothing(admin: httpx2.Client, http: Connect) -> None:  # noqa: F811
    admin.post(PATH, content=archive(dags__one_py="A = 1"), headers=GZIP).raise_for_status()
    viewer = http("viewer")
    assert viewer.get(f"{PATH}/1/diff/1").json()["is_empty"] is True
    git = viewer.post("/api/v1/deployments/nightly/git-deploys", json={"url": "https://git.example.com/x.git"})
    assert git.status_code == 403
    assert viewer.delete("/api/v1/deployments/nightly/dag-bundles/x").status_code == 403


def test_git_facts_that_are_nested_without_end_are_refused(admin: httpx2.Client) -> None:  # noqa: F811
    made = admin.post(PATH, content=archive(dags__one_py="A = 1"), headers=GZIP, params={"git": "[" * 3900})
    assert (made.status_code, made.json()["code"]) == (422, "git-facts-malformed")


def test_deploys_come_in_pages(admin: httpx2.Client) -> None:  # noqa: F811
    for number in range(5):
        admin.post(PATH, content=archive(dags__one_py=f"A = {number}"), headers=GZIP)
    seen, cursor = [], None
    while True:
        page = admin.get(PATH, params={"limit": 2} | ({"cursor": cursor} if cursor else {})).json()
        seen.append([item["number"] for item in page["items"]])
        if (cursor := page["next_cursor"]) is None:
            break
    assert seen == [[5, 4], [3, 2], [1]]
    for text in ("x", "9" * 40, "-1"):
        wrong = admin.get(PATH, params={"cursor": base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")})
        assert (wrong.status_code, wrong.json()["code"]) == (422, "cursor-invalid")
