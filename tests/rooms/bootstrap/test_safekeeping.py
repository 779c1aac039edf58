"""Backup and restore of the platform's own state. If these break, a lost disk is the end of a platform."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from aerodrome.access import SYSTEM
from aerodrome.bootstrap import App, build
from aerodrome.bootstrap.safekeeping import lock, platform
from aerodrome.cli.main import run
from aerodrome.databases.sealing import opened, sealed
from aerodrome.fleet.service import NewDeployment
from aerodrome.fleet.vault import DeploymentVault
from aerodrome.kernel.clock import SystemClock
from aerodrome.kernel.errors import Conflict, Denied, Invalid
from aerodrome.kernel.secret import Secret
from aerodrome.settings import Settings, load_settings

PASSPHRASE = Secret("a horse, a boat and a lamp")
VALUE = "s3cret-value-of-the-shop"


@pytest.fixture
def settings(empty_database_url: str, tmp_path: Path) -> Settings:
    """A platform on SQLite, and one on PostgreSQL."""
    is_own = empty_database_url.startswith("sqlite")
    return load_settings(
        home=tmp_path / "home", database_url=None if is_own else empty_database_url, log_level="warning"
    )


@pytest.fixture
def filled(settings: Settings, tmp_path: Path) -> Settings:
    """A home with a deployment, a deploy, a bundle and a secret in it."""
    project = tmp_path / "project"
    (project / "dags").mkdir(parents=True)
    (project / "dags" / "flow.py").write_text("# a DAG\n")
    (project / "run.sh").write_text("#!/bin/sh\n")
    (project / "run.sh").chmod(0o755)
    with closing_app(build(settings)) as app:
        app.fleet.create_workspace(SYSTEM, "shop")
        made = app.fleet.create_deployment(SYSTEM, NewDeployment("sales", "shop"))
        app.secrets.put(f"deployment/{made.id}/probe", Secret(VALUE))
        app.fleet.deploy(SYSTEM, "sales", app.bundles.put(project), "first", "cli")
    return settings


@contextmanager
def closing_app(app: App) -> Iterator[App]:
    try:
        yield app
    finally:
        app.store.close()


def back_up(settings: Settings, file: Path) -> platform.Contents:
    return platform.back_up(settings, SystemClock(), file, PASSPHRASE, with_snapshots=True, progress=lambda _line: None)


def test_a_restored_home_is_the_same_platform(filled: Settings, tmp_path: Path) -> None:
    file, fresh = tmp_path / "platform.backup", load_settings(home=tmp_path / "fresh", log_level="warning")
    made = back_up(filled, file)
    assert platform.verify(file, PASSPHRASE).files == made.files
    restored = platform.restore(fresh, file, PASSPHRASE, progress=lambda _line: None)
    assert (restored.files, restored.row_counts) == (made.files, made.row_counts)
    with closing_app(build(fresh)) as app:
        item = app.fleet.get_deployment(SYSTEM, "sales")
        assert app.secrets.get(f"deployment/{item.id}/probe").reveal() == VALUE
        assert DeploymentVault(app.secrets, item.id).fernet_key().reveal()
        (deploy,) = app.fleet.list_deploys(SYSTEM, "sales")
        bundle = app.bundles.get(deploy.bundle_digest)
        assert (bundle.path / "dags" / "flow.py").read_text() == "# a DAG\n"
        app.fleet.create_workspace(SYSTEM, "more")  # numbers go on behind those that are there
    assert (fresh.home / "keys").stat().st_mode & 0o077 == 0


def test_sqlite_restores_into_postgresql(tmp_path: Path, postgres_url: str) -> None:
    here = load_settings(home=tmp_path / "here", log_level="warning")
    there = load_settings(home=tmp_path / "there", database_url=postgres_url, log_level="warning")
    with closing_app(build(here)) as app:
        app.fleet.create_workspace(SYSTEM, "shop")
    back_up(here, tmp_path / "b")
    platform.restore(there, tmp_path / "b", PASSPHRASE, progress=lambda _line: None)
    with closing_app(build(there)) as app:
        assert [one.name for one in app.fleet.list_workspaces(SYSTEM)] == ["shop"]
        app.fleet.create_workspace(SYSTEM, "next")
    with pytest.raises(Conflict, match="not empty"):
        platform.restore(there, tmp_path / "b", PASSPHRASE, progress=lambda _line: None)


def test_a_backup_shows_nothing_without_its_passphrase(filled: Settings, tmp_path: Path) -> None:
    file = tmp_path / "b"
    back_up(filled, file)
    keys = (filled.home / "keys" / "keyring").read_bytes().split()
    text = file.read_bytes()
    assert all(needle not in text for needle in (*keys, b"sales", VALUE.encode(), b"# a DAG"))
    assert file.stat().st_mode & 0o077 == 0
    with pytest.raises(Denied, match="passphrase"):
        platform.verify(file, Secret("another passphrase"))


@pytest.mark.parametrize("where", ["cut", "flipped", "doubled"])
def test_a_damaged_backup_restores_nothing(where: str, tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path / "home", log_level="warning")
    build(settings).store.close()
    (settings.home / "bundles").mkdir(exist_ok=True)
    (settings.home / "bundles" / "big").write_bytes(os.urandom(3 << 20))
    file = tmp_path / "b"
    back_up(settings, file)
    text = file.read_bytes()
    middle = len(text) // 2
    damaged = {
        "cut": text[:middle],
        "flipped": text[:middle] + bytes([text[middle] ^ 1]) + text[middle + 1 :],
        "doubled": text + text,
    }
    file.write_bytes(damaged[where])
    fresh = load_settings(home=tmp_path / "fresh", log_level="warning")
    with pytest.raises(Invalid):
        platform.restore(fresh, file, PASSPHRASE, progress=lambda _line: None)
    assert sorted(path.name for path in fresh.home.iterdir()) == ["server.lock"]


def test_a_home_with_something_in_it_or_a_server_on_it_is_refused(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path / "home", log_level="warning")
    build(settings).store.close()
    file = tmp_path / "b"
    back_up(settings, file)
    with pytest.raises(Conflict, match="not empty"):
        platform.restore(settings, file, PASSPHRASE, progress=lambda _line: None)
    fresh = load_settings(home=tmp_path / "fresh", log_level="warning")
    with lock.serving(fresh.home, "http://127.0.0.1:8755"), pytest.raises(Conflict, match="A server works"):
        platform.restore(fresh, file, PASSPHRASE, progress=lambda _line: None)
    with lock.alone(fresh.home), pytest.raises(Conflict, match="being restored"), lock.serving(fresh.home, None):
        pass


def test_sealing_gives_back_every_length(tmp_path: Path) -> None:
    for size in (0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 5 << 19):
        file, content = tmp_path / str(size), os.urandom(size)
        with sealed(file, PASSPHRASE) as sink:
            sink.write(content)
        with opened(file, PASSPHRASE) as source:
            assert source.read() == content


def test_a_failed_backup_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), sealed(tmp_path / "b", PASSPHRASE) as sink:
        sink.write((tmp_path / "missing").read_bytes())
    with pytest.raises(Invalid, match="shorter"), sealed(tmp_path / "b", Secret("short")):
        pass
    assert list(tmp_path.iterdir()) == []


def test_the_commands_do_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home, file = tmp_path / "home", tmp_path / "b"
    build(load_settings(home=home, log_level="warning")).store.close()
    passphrase = tmp_path / "passphrase"
    passphrase.write_text(PASSPHRASE.reveal() + "\n")
    given = ["--passphrase-file", str(passphrase), "--output", "json"]
    assert run(["platform", "backup", str(file), "--home", str(home), *given]) == 0
    assert run(["platform", "verify", str(file), *given]) == 0
    assert run(["platform", "restore", str(file), "--home", str(tmp_path / "fresh"), *given]) == 0
    assert run(["platform", "restore", str(file), "--home", str(tmp_path / "fresh"), *given]) != 0
    out, err = capsys.readouterr()
    assert out.count('"schema_revision"') == 3
    assert PASSPHRASE.reveal() not in out + err


def test_a_running_server_tells_where_it_is(tmp_path: Path) -> None:
    assert lock.served_at(tmp_path) is None
    with lock.serving(tmp_path, "http://127.0.0.1:8755"):
        assert lock.served_at(tmp_path) == "http://127.0.0.1:8755"
    assert lock.served_at(tmp_path) is None
