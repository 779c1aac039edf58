"""A platform for the pages of migrations: it is served, and its jobs run when the test says so."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog
from tests.browser.conftest import Site

from aerodrome.access import SYSTEM
from aerodrome.bootstrap import App, build
from aerodrome.client.client import Client
from aerodrome.migration.service.jobs import WATCHES, MigrationJobs
from aerodrome.settings import load_settings
from aerodrome.store import jobs
from aerodrome.web.service import WebService

NAME = "legacy"


class Stage:
    """A platform whose jobs run when the test says so."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.stop_before = ""

    def is_stopping(self) -> bool:
        tracks = self.app.migrations.get(SYSTEM, NAME).tracks
        waiting = next((step.key for track in tracks for step in track.steps if step.status != "done"), None)
        return waiting == self.stop_before

    def work(self) -> None:
        """Run the job that is due; one that was stopped stays so. Jobs that only watch wait."""
        all_kinds = MigrationJobs(self.app.migrations, "3.3.2", is_stopping=self.is_stopping).handlers()
        handlers = {kind: look for kind, look in all_kinds.items() if kind not in WATCHES}
        job = jobs.lease(self.app.store, self.app.clock, "test", 60, handlers)
        assert job is not None
        handlers[job.kind](job)
        jobs.finish(self.app.store, job)


@contextmanager
def staged(home: Path) -> Iterator[Stage]:
    """Give a platform in this process; logging is as before afterwards."""
    root = logging.getLogger()
    before, level = root.handlers, root.level
    app = build(load_settings(home=home))
    try:
        yield Stage(app)
    finally:
        app.stop()
        root.handlers = before
        root.setLevel(level)
        structlog.reset_defaults()


@contextmanager
def served(app: App) -> Iterator[Site]:
    """Serve its pages, with the workspace `data` and a login link for a person."""
    _, code = app.access.create_login_link(SYSTEM, "admin")
    _, cookie = app.access.redeem_login_link(code.reveal())
    _, token = app.access.create_token(app.access.authenticate_session(cookie.reveal()), "test")
    _, spare = app.access.create_login_link(SYSTEM, "admin")
    with socket.create_server(("127.0.0.1", 0)) as pages, socket.create_server(("127.0.0.1", 0)) as gate:
        service = WebService(app, pages=pages, gate=gate)
        service.start()
        url = f"http://127.0.0.1:{pages.getsockname()[1]}"
        try:
            with Client(url, token) as client:
                client.workspaces.create("data")
                yield Site(url, f"{url}/login?code={spare.reveal()}", client)
        finally:
            service.stop()
