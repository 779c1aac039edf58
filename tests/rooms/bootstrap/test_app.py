"""The assembled platform opens, guards its folder, masks its log and works. Breaks for everybody who starts a server."""

from __future__ import annotations

import json
import logging
import stat
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import structlog

from aerodrome.access import SYSTEM
from aerodrome.bootstrap import App, build
from aerodrome.fleet.service import NewDeployment
from aerodrome.kernel.errors import Unavailable
from aerodrome.kernel.secret import Secret
from aerodrome.settings.model import Settings
from aerodrome.store import jobs, schema


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    app = build(Settings(home=tmp_path / "home", log_format="json"))
    yield app
    app.stop()


def queue(app: App) -> list[jobs.JobView]:
    with app.store.reading() as session:
        return jobs.view(session)


def test_the_first_start_makes_a_private_home_the_schema_and_one_admin(app: App) -> None:
    assert stat.S_IMODE(app.settings.home.stat().st_mode) == 0o700
    assert schema.differences(app.store) == []
    assert app.first_login is not None
    view, _cookie = app.access.redeem_login_link(app.first_login.reveal())
    assert view
    assert [cluster.name for cluster in app.fleet.list_clusters(SYSTEM)] == ["local"]


def test_a_second_start_finds_everything_and_makes_no_second_admin(app: App) -> None:
    app.fleet.create_workspace(SYSTEM, "team")
    assert app.first_login is not None
    app.access.redeem_login_link(app.first_login.reveal())
    again = build(app.settings)
    assert again.first_login is None
    assert [view.name for view in again.fleet.list_workspaces(SYSTEM)] == ["team"]
    assert len(again.fleet.list_clusters(SYSTEM)) == 1
    again.stop()


def test_log_lines_of_all_kinds_show_no_secret(app: App, capsys: pytest.CaptureFixture[str]) -> None:
    app.fleet.create_workspace(SYSTEM, "team")
    app.fleet.create_deployment(SYSTEM, NewDeployment("shop", "team", env={"T": Secret("canary-value-77")}))
    structlog.get_logger("aerodrome.x").info("it.happened", text="see canary-value-77", password="plain-one")
    logging.getLogger("other").warning("foreign %s", "canary-value-77")
    try:
        int("canary-value-77 at postgresql://u:pw-canary@h/db")
    except ValueError:
        structlog.get_logger("aerodrome.x").exception("it.broke")
        logging.getLogger("other").exception("foreign broke")
    errors = capsys.readouterr().err
    assert "canary" not in errors
    assert "plain-one" not in errors
    lines = [json.loads(line) for line in errors.splitlines()]
    assert {"it.happened", "it.broke", "foreign broke"} <= {line["event"] for line in lines}
    assert "ValueError" in next(line["exception"] for line in lines if line["event"] == "it.broke")


def test_the_worker_starts_tidies_up_and_stops(app: App) -> None:
    app.start_worker()
    assert app.worker.is_running
    end = time.monotonic() + 10
    while not (due := next(job.run_at for job in queue(app) if job.kind == "platform.tidy")) or due < app.clock.now():
        assert time.monotonic() < end
        time.sleep(0.02)
    assert due - app.clock.now() > timedelta(hours=23)
    app.stop()
    assert not app.worker.is_running


def test_a_database_that_does_not_answer_is_one_sentence(tmp_path: Path) -> None:
    url = "postgresql+psycopg://someone:pw-canary@127.0.0.1:1/nothing"
    with pytest.raises(Unavailable) as caught:
        build(Settings(home=tmp_path / "home", database_url=url))
    assert caught.value.code == "database-unreachable"
    assert "canary" not in str(caught.value)
