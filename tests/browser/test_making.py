"""Making a deployment on a page, uploading a project to it, and deleting it: nobody needs the command line for that."""

from __future__ import annotations

import re
import tarfile
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "flows"
    for name in ("dags", "include", ".git", "__pycache__"):
        (folder / name).mkdir(parents=True)
        (folder / name / "one.py").write_text("A = 1\n")
    (folder / ".env").write_text("PASSWORD=hidden\n")
    (folder / "requirements.txt").write_text("attrs==24.2\n")
    return folder


@pytest.fixture
def name() -> str:
    return f"made-{uuid4().hex[:8]}"


def made(site: Any, page: Page, name: str) -> str:
    """Make a deployment with the form; gives its id."""
    page.goto("/deployments/new")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Workspace", exact=True).select_option("data")
    page.get_by_role("button", name="Create deployment").click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    return str(site.client.deployments.get(name).id)


def test_a_deployment_is_made_with_a_form(page: Page, site: Any, name: str) -> None:
    page.goto("/deployments")
    page.get_by_role("link", name="New deployment").click()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Workspace", exact=True).select_option("data")
    page.get_by_label("Airflow").select_option("2.11.2")
    page.get_by_label("Parallelism").fill("6")
    page.get_by_role("button", name="Create deployment").click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    item = site.client.deployments.get(name)
    assert (item.airflow_version, item.parallelism, item.database) == ("2.11.2", 6, "sqlite")


def test_a_folder_is_uploaded_without_what_tools_left_there(page: Page, site: Any, project: Path, name: str) -> None:
    ref = made(site, page, name)
    page.goto(f"/deployments/{ref}/deploys")
    page.get_by_label("Project folder").set_input_files(project)
    page.locator("#description").fill("From my folder")
    page.get_by_role("button", name="Check and deploy").click()
    expect(page).to_have_url(re.compile(r"/deploys/1$"))
    expect(page.get_by_text("From my folder")).to_be_visible()
    deploy = site.client.deploys.get(ref, "1")
    assert (deploy.origin, deploy.file_count, list(deploy.requirements)) == ("page", 3, ["attrs==24.2"])


def test_an_archive_is_uploaded(page: Page, site: Any, project: Path, tmp_path: Path, name: str) -> None:
    ref = made(site, page, name)
    with tarfile.open(tmp_path / "flows.tar.gz", "w:gz") as archive:
        archive.add(project / "dags", "dags")
    page.goto(f"/deployments/{ref}/deploys")
    page.get_by_label("Or an archive of it").set_input_files(tmp_path / "flows.tar.gz")
    page.get_by_role("button", name="Check and deploy").click()
    expect(page).to_have_url(re.compile(r"/deploys/1$"))
    assert site.client.deploys.get(ref, "1").file_count == 1


def test_it_is_deleted_by_typing_its_name(page: Page, site: Any, name: str) -> None:
    ref = made(site, page, name)
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(f"/deployments/{ref}/settings")
    page.get_by_label(f"Type {name} to delete it").fill(name)
    page.get_by_role("button", name="Delete deployment").click()
    expect(page.get_by_role("heading", name="Deployments")).to_be_visible()
    assert site.client.deployments.get(ref).desired == "deleted"


def test_a_mistake_is_told_at_its_field(page: Page) -> None:
    page.goto("/deployments/new")
    field = page.get_by_label("Name", exact=True)
    field.fill("sales")
    page.get_by_label("Workspace", exact=True).select_option("data")
    page.get_by_role("button", name="Create deployment").click()
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(page.locator(".field", has=field)).to_contain_text("There is already a deployment")


def test_an_upload_that_is_no_project_keeps_the_form(page: Page, site: Any, name: str, tmp_path: Path) -> None:
    ref = made(site, page, name)
    (tmp_path / "notes.tar.gz").write_text("no archive")
    page.goto(f"/deployments/{ref}/deploys")
    page.get_by_label("Or an archive of it").set_input_files(tmp_path / "notes.tar.gz")
    page.get_by_role("button", name="Check and deploy").click()
    expect(page.get_by_role("alert")).to_contain_text("not a readable tar.gz")
    expect(page.get_by_role("button", name="Check and deploy")).to_be_enabled()
    assert site.client.deploys.list(ref) == []
