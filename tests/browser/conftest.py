"""A real server and a real Chromium. Every page test ends with: no console error, no error answer, nothing wider than the screen."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from tests.matrix import wide

from aerodrome.client.client import Client
from aerodrome.kernel.secret import Secret


@dataclass(frozen=True)
class Site:
    """A running server: its address, a page that is signed in to it, a client with an admin's token, the server's home."""

    url: str
    login_link: str
    client: Client
    home: Path = Path()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]) -> Iterator[Site]:
    """`aerodrome serve --role web`, one a module: what one module makes is no guest on the pages of another."""
    home = tmp_path_factory.mktemp("site")
    port = free_port()
    environment = {
        **os.environ,
        "AERODROME_HOME": str(home),
        "AERODROME_CONFIG_DIR": str(home / "config"),
        "AERODROME_PORT": str(port),
        "AERODROME_GATE_PORT": str(free_port()),
    }
    with (home / "serve.log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "aerodrome.cli", "serve", "--role", "web"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            assert server.stdout is not None
            link = next(found[0] for line in server.stdout if (found := re.findall(r"http\S+code=\S+", line)))
            link_token(environment, link)
            token = Secret(_stored_token(home / "config"))
            spare = subprocess.run(
                [sys.executable, "-m", "aerodrome.cli", "login-link"],
                env=environment,
                check=True,
                capture_output=True,
                text=True,
            )
            login = re.findall(r"http\S+code=\S+", spare.stdout)[0]
            url = f"http://127.0.0.1:{port}"
            with Client(url, token) as client:
                client.workspaces.create("data")
                client.deployments.create("sales", "data")
                yield Site(url, login, client, home)
        finally:
            server.terminate()
            server.wait(20)
            if server.stdout is not None:
                server.stdout.close()


def link_token(environment: dict[str, str], link: str) -> None:
    """Sign the command line in with a one-time link."""
    command = [sys.executable, "-m", "aerodrome.cli", "login", link]
    subprocess.run(command, env=environment, check=True, capture_output=True, text=True)


def _stored_token(folder: Path) -> str:
    text = "".join(path.read_text() for path in folder.iterdir())
    found: list[str] = re.findall(r"aero_pat_[\w-]+", text)
    return found[0]


@pytest.fixture(scope="module")
def storage(browser: Browser, site: Site, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A signed-in browser's cookies, made once by using the login link as a person does."""
    path = tmp_path_factory.mktemp("browser") / "state.json"
    context = browser.new_context()
    page = context.new_page()
    page.goto(site.login_link)
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url(f"{site.url}/deployments")
    context.storage_state(path=path)
    context.close()
    return path


@pytest.fixture(
    params=[(1280, "light"), (390, "dark"), *wide((1280, "dark"), (390, "light"))],
    ids=lambda item: f"{item[0]}-{item[1]}",
)
def page(request: pytest.FixtureRequest, browser: Browser, storage: Path, site: Site) -> Iterator[Page]:
    """A signed-in page at one width and in one colour scheme; fails on what a person would see as broken."""
    width, scheme = request.param
    context = browser.new_context(
        storage_state=storage, base_url=site.url, viewport={"width": width, "height": 900}, color_scheme=scheme
    )
    page = context.new_page()
    errors: list[str] = []
    # 422 is how a form with a mistake is shown again; Chromium calls every such answer an error
    page.on(
        "console",
        lambda message: (
            errors.append(message.text) if message.type == "error" and "status of 422" not in message.text else None
        ),
    )
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    wide = overflow(page)
    if folder := os.environ.get("AERODROME_SCREENSHOTS"):
        name = re.sub(r"\W+", "-", request.node.name)
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)
    context.close()
    assert errors == []
    assert wide <= 0, f"the page is {wide} px wider than the screen"


def overflow(page: Page) -> int:
    """By how many px the page is wider than its screen; waits for a page that is still being opened."""
    page.wait_for_load_state()
    return int(page.locator("html").evaluate("page => page.scrollWidth - page.clientWidth"))
