"""Versions over HTTP: what there is, rehearsals, upgrades, the way back, and how each is refused."""

from __future__ import annotations

import httpx2
from tests.rooms.web.api.test_fleet import GZIP, Connect, admin, archive  # noqa: F401  (the fixture)

PATH = "/api/v1/deployments/older"


def made(admin: httpx2.Client) -> None:  # noqa: F811
    workspace = admin.get("/api/v1/workspaces").json()["items"][0]["id"]
    body = {"name": "older", "workspace": workspace, "airflow_version": "2.11.2", "python_version": "3.11"}
    assert admin.post("/api/v1/deployments", json=body).status_code == 201
    assert admin.post(f"{PATH}/deploys", content=archive(dags__one_py="A = 1"), headers=GZIP).status_code == 202


def test_versions_say_whether_the_deployment_can_get_there(admin: httpx2.Client) -> None:  # noqa: F811
    made(admin)
    found = {row["airflow_version"]: row for row in admin.get(f"{PATH}/versions").json()}
    assert (found["3.3.2"]["way"], found["3.3.2"]["is_possible"]) == ("forward", True)
    assert (found["2.10.5"]["way"], found["2.10.5"]["is_possible"]) == ("back", False)
    assert found["2.11.2"]["way"] == "none"


def test_a_rehearsal_is_asked_for_and_found_again(admin: httpx2.Client) -> None:  # noqa: F811
    made(admin)
    asked = admin.post(f"{PATH}/rehearsals", json={"to": "3.3.2"})
    assert asked.status_code == 202
    row = asked.json()
    assert (row["status"], row["kind"], row["from_version"], row["to_version"]) == (
        "queued",
        "upgrade",
        "2.11.2",
        "3.3.2",
    )
    assert admin.get(f"{PATH}/rehearsals/{row['id']}").json() == row
    assert [item["id"] for item in admin.get(f"{PATH}/rehearsals").json()["items"]] == [row["id"]]
    assert admin.get(f"{PATH}/rehearsals/reh_unknown").status_code == 404
    current = admin.post(f"{PATH}/rehearsals", json={"to": "2.11.2"})
    assert (current.status_code, current.json()["code"]) == (409, "version-is-current")


def test_an_upgrade_is_a_deploy(admin: httpx2.Client) -> None:  # noqa: F811
    made(admin)
    answer = admin.post(f"{PATH}/upgrade", json={"to": "3.3.2", "origin": "cli"})
    assert answer.status_code == 202
    deploy = answer.json()
    assert (deploy["number"], deploy["cause"], deploy["airflow_version"], deploy["origin"]) == (
        2,
        "upgrade",
        "3.3.2",
        "cli",
    )
    older = admin.post(f"{PATH}/upgrade", json={"to": "2.10.5"})
    assert (older.status_code, older.json()["code"]) == (422, "airflow-downgrade")
    assert "rollback" in older.json()["hint"]


def test_what_was_never_live_cannot_come_back(admin: httpx2.Client) -> None:  # noqa: F811
    made(admin)
    answer = admin.post(f"{PATH}/deploys/1/rollback", json={})
    assert (answer.status_code, answer.json()["code"]) == (409, "deploy-never-live")
    assert admin.post(f"{PATH}/deploys/9/rollback", json={}).status_code == 404


def test_a_viewer_changes_no_version(admin: httpx2.Client, http: Connect) -> None:  # noqa: F811
    made(admin)
    viewer = http("viewer")
    assert viewer.get(f"{PATH}/versions").status_code == 200
    for path, body in (("rehearsals", {"to": "3.3.2"}), ("upgrade", {"to": "3.3.2"}), ("deploys/1/rollback", {})):
        assert viewer.post(f"{PATH}/{path}", json=body).status_code == 403
