"""One real migration for all tests here: a self-managed Airflow 2 moves to a hosted one while the server is killed."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import structlog
from tests.journeys.server import Run, Server, paused_of, runs_of, until

from aerodrome.access import SYSTEM
from aerodrome.bootstrap import App, build
from aerodrome.builds.contract import Venv
from aerodrome.client.client import Client
from aerodrome.client.migrations import Migration, NewSource, error_of
from aerodrome.demo.plan_edit import choose_first_wave, choose_python
from aerodrome.demo.selfmanaged import AIRFLOW_VERSION, SelfManagedAirflow, python_version
from aerodrome.demo.source_files import project_requirements
from aerodrome.kernel.errors import Unavailable
from aerodrome.settings.model import Settings

TARGET_VERSION = "3.3.2"
NAME = "move"
FIRST_WAVE = ("till_minutely", "stock_levels", "door_counter")
SECOND_WAVE = ("housekeeping",)  # run by hand: handed over at once, and given back
THIRD_WAVE = ("legacy_import",)  # paused since years: moved, and not started
STEP_S = 300
_SOURCE_HISTORY = {"till_minutely": 2, "stock_levels": 1, "door_counter": 1, "partner_sync": 1, "prices_mapped": 1}


@dataclass
class Moved:
    """What the migration left behind, and what was seen meanwhile. The server still runs, and so does the target."""

    source: SelfManagedAirflow
    server: Server
    client: Client
    plan_text: str = ""
    dry_run: list[tuple[str, str]] = field(default_factory=list)  # (track, key), before apply
    kills: list[tuple[str, str, str]] = field(default_factory=list)  # (track, key, status) at which the server died
    pids: list[Mapping[str, int | None]] = field(default_factory=list)  # of the target's components, over time
    restarts: int = 0
    migration: Migration | None = None
    report: Mapping[str, Any] = field(default_factory=dict)
    difference: Mapping[str, Any] = field(default_factory=dict)  # of the first wave, after its cutover
    source_runs: list[Run] = field(default_factory=list)
    target_runs: list[Run] = field(default_factory=list)
    source_paused: Mapping[str, bool] = field(default_factory=dict)
    target_paused: Mapping[str, bool] = field(default_factory=dict)
    boards: list[Mapping[str, Mapping[str, Any]]] = field(
        default_factory=list
    )  # after the second wave, its way back, the third
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def deployment_id(self) -> str:
        assert self.migration is not None
        return str(self.migration.data["target_deployment_id"])


@pytest.fixture
def app(tmp_path: Path, venv_cache: Path) -> Iterator[App]:
    """Give a platform in this process, its worker running; its deployments go with it."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    (home / "venvs").symlink_to(venv_cache / "venvs")
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    app = build(Settings(home=home, log_format="json"))
    app.start_worker()
    yield app
    for view in app.fleet.list_deployments(SYSTEM):
        app.runtime.delete(view.id)
    app.stop()
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def moved(
    tmp_path_factory: pytest.TempPathFactory,
    venv_cache: Path,
    airflow_venv: Callable[..., Venv],
    free_port: Callable[[], int],
) -> Iterator[Moved]:
    """Connect, assess, plan, apply, cut over, report; with `kill -9` for the server at every step of apply."""
    requirements = project_requirements()
    venv = airflow_venv(AIRFLOW_VERSION, requirements, python_version())
    airflow_venv(TARGET_VERSION, requirements, python_version())
    root = tmp_path_factory.mktemp("move")
    home = root / "home"
    home.mkdir(mode=0o700)
    (home / "venvs").symlink_to(venv_cache / "venvs")
    server = Server(Settings(home=home, port=free_port(), gate_port=free_port()), root / "server.log")
    source = SelfManagedAirflow(root / "source")
    try:
        server.start()
        began = time.monotonic()
        source.start(venv.path, lambda _text: None)
        client = server.sign_in("journey")
        source.await_history(lambda _text: None, wanted=_SOURCE_HISTORY, timeout_s=300)
        story = Moved(source, server, client)
        story.seconds["source"] = time.monotonic() - began
        with client:
            _tell(story)
            yield story
    finally:
        server.stop()
        server.remove_deployments()
        source.remove()


def _tell(story: Moved) -> None:
    client, began = story.client, time.monotonic()
    client.workspaces.create("shop")
    client.migrations.connect(NAME, "shop", new_source(story.source))
    client.migrations.assess(NAME)
    client.migrations.watch(NAME, lambda _seen: None, timeout_s=300)
    text = client.migrations.plan(NAME)["text"]
    for name, dag_ids in (("third", THIRD_WAVE), ("second", SECOND_WAVE), ("first", FIRST_WAVE)):
        text = choose_first_wave(text, dag_ids, name)
    story.plan_text = choose_python(text, python_version())
    digest = client.migrations.save_plan(NAME, story.plan_text)["digest"]
    story.dry_run = [(row["track"], row["key"]) for row in client.migrations.dry_run(NAME)]
    story.seconds["plan"] = time.monotonic() - began

    began = time.monotonic()
    client.migrations.apply(NAME, digest)
    _kill_at(story, "apply", [key for track, key in story.dry_run if track == "apply"])
    _finish(story)
    story.seconds["apply"] = time.monotonic() - began
    _note_pids(story)

    began = time.monotonic()
    client.migrations.cutover(NAME, "first")
    kinds: dict[str, str] = {}
    for track, key in story.dry_run:
        if track == "cutover:first":
            kinds.setdefault(key.split(":")[0], key)
    _kill_at(story, "cutover:first", list(kinds.values()))
    story.migration = _finish(story)
    story.seconds["cutover"] = time.monotonic() - began
    _note_pids(story)

    story.report = client.migrations.report(NAME)
    client.migrations.ask_difference(NAME, FIRST_WAVE)
    story.difference = client.migrations.wait_difference(NAME, lambda _text: None, timeout_s=STEP_S)
    _cut_over_the_others(story)
    story.source_runs = runs_of(story.source.database_url())
    story.source_paused = paused_of(story.source.database_url())
    target = story.server.reach(story.deployment_id).database_url
    story.target_runs, story.target_paused = runs_of(target), paused_of(target)
    story.source.stop(keeps_database=True)  # nobody needs it any more, and the machine is small


def _cut_over_the_others(story: Moved) -> None:
    """Hand the second wave over and take it back, then hand the third over; what the board said after each is kept."""
    client, began = story.client, time.monotonic()
    for act, wave in (
        (client.migrations.cutover, "second"),
        (client.migrations.roll_back, "second"),
        (client.migrations.cutover, "third"),
    ):
        act(NAME, wave)
        _finish(story)
        story.boards.append({wave["name"]: wave for wave in client.migrations.waves(NAME)})
    story.seconds["other waves"] = time.monotonic() - began


def new_source(source: SelfManagedAirflow) -> NewSource:
    config = source.config()
    return NewSource(
        database_url=config.database_url,
        dags_folder=str(config.dags_folder),
        fernet_keys=config.fernet_keys,
        plugins_folder=str(config.plugins_folder),
        include_folder=str(config.include_folder),
        requirements_file=str(config.requirements_file),
        config_file=str(config.config_file),
        env_file=str(config.env_file),
    )


def _kill_at(story: Moved, track: str, keys: list[str]) -> None:
    """Kill the server as soon as each of these steps has begun, and start it again."""
    for key in keys:
        status = until(partial(_begun, story, track, key), STEP_S, every_s=0.01)
        story.server.kill()
        story.kills.append((track, key, status))
        story.server.start()


def _begun(story: Moved, track: str, key: str) -> str | None:
    try:
        seen = story.client.migrations.get(NAME)
    except Unavailable:
        return None
    step = next(step for step in seen.steps if (step["track"], step["key"]) == (track, key))
    if seen.status == "failed":
        raise error_of(seen.data["error"])
    return None if step["status"] == "pending" else str(step["status"])


def _finish(story: Moved) -> Migration:
    return story.client.migrations.watch(NAME, lambda _seen: None, timeout_s=STEP_S, every_s=0.2)


def _note_pids(story: Moved) -> None:
    deployment = story.client.deployments.list()[0]
    story.pids.append({part.name: part.pid for part in deployment.components})
    story.restarts = sum(part.restarts for part in deployment.components)
