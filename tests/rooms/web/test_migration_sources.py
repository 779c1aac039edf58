"""Sources other than a metadata database, connected by the client and by the page, up to a plan."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
from tests.conftest import Legacy
from tests.rooms.migration.service.conftest import NAME, Desk, desk  # noqa: F401 - a fixture
from tests.rooms.migration.sources.place import Place

from aerodrome.builds.contract import Venv
from aerodrome.client.client import Client
from aerodrome.client.migrations import NewArchive
from aerodrome.kernel.errors import Invalid
from aerodrome.kernel.secret import Secret
from aerodrome.migration.sources.airflow_archive.sealing import new_key
from aerodrome.web.credentials import SESSION_COOKIE

pytestmark = pytest.mark.airflow


@pytest.fixture
def client(desk: Desk, url: str) -> Client:  # noqa: F811
    desk.platform.fleet.create_workspace(desk.actor("admin"), "data")
    return Client(url, desk.platform.token_of("operator"))


@pytest.fixture
def visitor(desk: Desk, http: Callable[..., httpx2.Client]) -> httpx2.Client:  # noqa: F811
    browser = http(None)
    browser.headers["Cookie"] = f"{SESSION_COOKIE}={desk.platform.session_of('operator').reveal()}"
    return browser


def aerodrome(*words: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("AERODROME_")} | more
    return subprocess.run(
        [sys.executable, "-m", "aerodrome.cli", *map(str, words)], capture_output=True, text=True, env=env, check=False
    )


@pytest.fixture
def place(airflow_venv: Callable[..., Venv], legacy: Legacy, tmp_path: Path) -> Place:
    """A source whose estate was carried here."""
    folder = tmp_path / "far-away"
    folder.mkdir()
    python = airflow_venv("2.11.2").path / "bin" / "python"
    place = Place(python, folder, new_key(), legacy.url, legacy.fernet_key)
    exported = place.export()
    assert exported.returncode == 0, exported.stderr.decode()
    return place


def test_archive_is_connected_assessed_and_planned(desk: Desk, client: Client, place: Place) -> None:  # noqa: F811
    with client:
        with pytest.raises(Invalid) as wrong:
            client.migrations.connect(NAME, "data", NewArchive(str(place.archive) + "x", place.key))
        assert wrong.value.details["field"] == "archive"
        cut = place.folder / "cut.aerodrome"
        cut.write_bytes(place.archive.read_bytes()[:-200])
        with pytest.raises(Invalid, match="cut off in") as refused:
            client.migrations.connect(NAME, "data", NewArchive(str(cut), place.key))
        assert refused.value.code == "source-not-usable"
        made = client.migrations.connect(NAME, "data", NewArchive(str(place.archive), place.key))
        assert (made.data["source_kind"], made.source_version) == ("airflow-archive", "2.11.2")
        assert "PRIVATE KEY" not in str(made.data)
        client.migrations.assess(NAME)
        place.archive.rename(place.folder / "carried-away")  # it is unpacked by the assessment …
        desk.work()
        assert "archive" in str(client.migrations.get(NAME).data["error"])
        (place.folder / "carried-away").rename(place.archive)
        client.migrations.assess(NAME)
        desk.work()
        place.archive.unlink()  # … and no more needed from then on
        seen = client.migrations.get(NAME)
        assert (seen.status, seen.data["found"]["dag"], seen.data["found"]["connection"]) == ("planned", 5, 4)
        assert "daily_sales" in client.migrations.plan(NAME)["text"]
        assert client.migrations.assess(NAME).is_busy
        desk.work()
        assert client.migrations.get(NAME).status == "planned"
        with sqlite3.connect(desk.legacy.database) as database:
            database.execute("DELETE FROM slot_pool WHERE pool <> 'default_pool'")
        assert place.export().returncode == 0  # a newer picture at the same place counts
        client.migrations.assess(NAME)
        desk.work()
        assert client.migrations.get(NAME).data["found"]["pool"] == 1


def test_archive_sealed_to_the_platform_needs_no_key(
    desk: Desk,  # noqa: F811
    client: Client,
    url: str,
    place: Place,
    tmp_path: Path,
) -> None:
    public, script, offline = tmp_path / "platform.pem", tmp_path / "exporter.py", tmp_path / "offline.py"
    signed_in = {"AERODROME_URL": url, "AERODROME_TOKEN": desk.platform.token_of("operator").reveal()}
    shown = aerodrome("migrate", "archive-key", "--out", public, **signed_in)
    assert shown.returncode == 0, shown.stderr
    assert "PRIVATE" not in shown.stdout + public.read_text()
    done = aerodrome("export", "--platform", "--out", script, **signed_in)
    assert done.returncode == 0, done.stderr
    assert not script.with_suffix(".key").exists()
    done = aerodrome("export", "--public-key", public, "--out", offline)
    assert done.returncode == 0, done.stderr
    assert offline.read_text() == script.read_text()
    place.archive.unlink()
    place.public_key = public.read_text().strip()
    assert place.export().returncode == 0
    with client:
        made = client.migrations.connect(NAME, "data", NewArchive(str(place.archive)))
        client.migrations.assess(NAME)
        desk.work()
        place.archive.unlink()  # unpacked: its key is found without it
        client.migrations.assess(NAME)
        desk.work()
        seen = client.migrations.get(NAME)
        assert (seen.status, seen.data["found"]["connection"], seen.data["error"]) == ("planned", 4, None)
        assert not [
            path for path in desk.migrations.secrets.list("") if made.id in path
        ]  # by reference: no copy of the key
        place.public_key = ""
        assert place.export().returncode == 0
        with pytest.raises(Invalid) as other:
            client.migrations.connect("other", "data", NewArchive(str(place.archive)))
        assert other.value.code == "archive-key-missing"


def test_page_connects_an_archive(desk: Desk, client: Client, visitor: httpx2.Client, place: Place) -> None:  # noqa: F811
    del client  # it made the workspace
    assert "Connect a source" in visitor.get("/migrations").text
    page = visitor.get("/migrations/new").text
    csrf = re.search(r'name="csrf" value="([^"]+)"', page)
    assert csrf is not None
    form = {
        "csrf": csrf[1],
        "name": NAME,
        "workspace": "data",
        "kind": "airflow-archive",
        "archive_key": place.key.reveal().replace("\n", "\r\n"),
    }
    headers = {"Origin": str(visitor.base_url).rstrip("/")}
    refused = visitor.post("/migrations/new", data=form, headers=headers)
    assert refused.status_code == 422
    assert 'data-field="archive"' in refused.text
    assert "PRIVATE KEY-----\r\n" not in refused.text
    form["archive"] = str(place.archive)
    done = visitor.post("/migrations/new", data=form, headers=headers)
    assert (done.status_code, done.headers["location"]) == (303, f"/migrations/{desk.view.id}")
    assert desk.view.source_kind == "airflow-archive"


def test_script_and_archive_work_without_a_server(
    airflow_venv: Callable[..., Venv], legacy: Legacy, tmp_path: Path
) -> None:
    script, key = tmp_path / "exporter.py", tmp_path / "exporter.key"
    done = aerodrome("export", "--out", script)
    assert done.returncode == 0, done.stderr
    assert key.stat().st_mode & 0o777 == 0o600
    place = Place(
        airflow_venv("2.11.2").path / "bin" / "python", tmp_path, Secret(key.read_text()), legacy.url, legacy.fernet_key
    )
    before = script.read_text()
    exported = place.export()
    assert exported.returncode == 0, exported.stderr.decode()
    assert script.read_text() == before
    done = aerodrome("assess", "--archive", place.archive, "--archive-key", key, "-o", "json")
    assert done.returncode == 0, done.stderr
    assert "daily_sales" in done.stdout
    again = aerodrome("export", "--out", script)
    assert again.returncode != 0
    assert "is there already" in again.stderr
