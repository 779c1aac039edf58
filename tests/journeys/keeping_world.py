"""What the journeys of one kept deployment share: a platform inside this process, and looks into the metadata database."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import structlog
from tests.journeys.server import end_postgres

from aerodrome.access import SYSTEM
from aerodrome.bootstrap import App, build
from aerodrome.fleet.acts.queries import ActView
from aerodrome.fleet.database_urls import CURRENT, DatabaseUrls
from aerodrome.runtimes.local.runtime import LocalRuntime
from aerodrome.settings.model import Settings


@contextmanager
def platform(home: Path, venv_cache: Path) -> Iterator[App]:
    """Give a working platform in that home; its deployments and its PostgreSQL are gone afterwards."""
    home.mkdir(mode=0o700, exist_ok=True)
    (home / "venvs").symlink_to(venv_cache / "venvs")
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    app = build(Settings(home=home, log_format="json"))
    app.start_worker()
    try:
        yield app
    finally:
        app.worker.stop(10)
        remove(app)
        app.stop()
        root.handlers = handlers
        root.setLevel(level)
        structlog.reset_defaults()


def remove(app: App) -> None:
    """End the deployments and the managed PostgreSQL of a platform, with their data."""
    for view in app.fleet.list_deployments(SYSTEM):
        app.runtime.delete(view.id)
    assert isinstance(app.runtime, LocalRuntime)
    end_postgres(app.runtime)


def until(look: Callable[[], Any], timeout_s: float = 120) -> Any:
    end = time.monotonic() + timeout_s
    while not (seen := look()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.2)
    return seen


def sql(app: App, text: str, name: str = "shop") -> list[tuple[Any, ...]]:
    """Read or write the deployment's metadata database, whatever it is."""
    deployment_id = app.fleet.get_deployment(SYSTEM, name).id
    url = DatabaseUrls(app.secrets, deployment_id).get(CURRENT)
    file = f"sqlite:///{app.settings.deployments_dir / deployment_id / 'home' / 'airflow.db'}"
    engine = sa.create_engine(url.reveal() if url else file, poolclass=sa.NullPool)
    with closing(engine.connect()) as connection:
        answer = connection.execute(sa.text(text))
        rows = [tuple(row) for row in answer] if answer.returns_rows else []
        connection.commit()
    engine.dispose()
    return rows


def ended(app: App, act: ActView) -> ActView:
    """Wait until an act has ended well."""
    found: ActView = until(
        lambda: seen if (seen := app.fleet.get_act(SYSTEM, act.id)).status in ("done", "failed") else None, 240
    )
    assert found.error is None
    return found
