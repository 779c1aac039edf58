"""The exporter run by a real Airflow 2.11.2 on its own database, and what is read from the archive that it writes."""

from __future__ import annotations

import ast
import json
import os
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from tests.rooms.migration.sources.beside import CONFIG, assets_of, configs_of, put_into
from tests.rooms.migration.sources.conformance import keeps_the_contract
from tests.rooms.migration.sources.conftest import PROJECT
from tests.rooms.migration.sources.place import Place

from aerodrome.builds.contract import Venv
from aerodrome.kernel.clock import ManualClock
from aerodrome.kernel.errors import Conflict, Invalid, NotFound
from aerodrome.kernel.secret import Secret
from aerodrome.migration.estate.history import COLUMNS, HistoryWindow
from aerodrome.migration.sources.airflow_archive import unpacking
from aerodrome.migration.sources.airflow_archive.frames import MAGIC, frames
from aerodrome.migration.sources.airflow_archive.inside.exporter import files_of
from aerodrome.migration.sources.airflow_archive.script import exporter
from aerodrome.migration.sources.airflow_archive.sealing import new_key, public_half
from aerodrome.migration.sources.capture import capture
from aerodrome.migration.sources.contract import ArchiveConfig, MeasuresConcurrency, SourceAdapter, SourceConfig
from aerodrome.migration.sources.lanes import RunKey
from aerodrome.migration.sources.registry import code_of, open_source
from aerodrome.migration.transfer.text_sql import task_line

CANARIES = (b"canary-conn-password-a1", b"canary-conn-extra-b2", b"canary-variable-c3", b"canary-env-d4")


def quiet(_what: str, _done: int, _total: int | None) -> None:
    pass


@pytest.fixture(scope="session")
def archive_key() -> Secret:
    return new_key()


Places = Callable[[str], Place]


@pytest.fixture
def place_of(airflow_venv: Callable[..., Venv], fernet_key: str, archive_key: Secret, tmp_path: Path) -> Places:
    folder = tmp_path / "far-away"
    folder.mkdir()
    python = airflow_venv("2.11.2").path / "bin" / "python"
    return lambda url: Place(python, folder, archive_key, url, fernet_key)


@pytest.fixture
def place(place_of: Places, _sqlite_source: Path, tmp_path: Path) -> Place:
    return place_of(f"sqlite:///{shutil.copyfile(_sqlite_source, tmp_path / 'airflow.db')}")


@pytest.fixture
def exported(place: Place) -> Place:
    done = place.export()
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    return place


def described(config: ArchiveConfig) -> dict[str, Any]:
    return {probe.name: probe for probe in open_source(config, b"fingerprints").describe().probes}


def records_of(source: SourceAdapter) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for record in source.records(quiet):
        found.setdefault(record.kind, {})[record.key] = record
    return found


def history_of(source: SourceAdapter, dag_ids: tuple[str, ...]) -> dict[str, list[Any]]:
    window = HistoryWindow(dag_ids)
    return {
        kind: [part for batch in source.history(kind, window) for part in (*batch.rows, *batch.rejected)]
        for kind in COLUMNS
    }


@pytest.mark.airflow
def test_archive_says_what_the_database_says(
    place_of: Places, source_url: str, source: SourceAdapter, clock: ManualClock, tmp_path: Path
) -> None:
    place = place_of(source_url)
    done = place.export()
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    archive_config = ArchiveConfig("legacy", place.archive, place.key, tmp_path / "unpacked")
    picture = open_source(archive_config, b"fingerprints", clock)
    found = picture.describe()
    assert found.is_ok, found.probes
    live = source.describe()
    assert (found.airflow_version, found.database, found.schema_revision) == (
        "2.11.2",
        live.database,
        live.schema_revision,
    )
    archived, direct = records_of(picture), records_of(source)
    for kind in ("dag", "pool", "import_error", "file", "code_fact"):
        assert archived[kind] == direct[kind], kind
    direct["variable"] = {key: each for key, each in direct["variable"].items() if each.origin == "metadata-db"}
    assert archived["variable"] == direct["variable"]
    assert archived["connection"].pop("from_env").origin == "environment"
    in_the_table = {key: record for key, record in direct["connection"].items() if record.origin == "metadata-db"}
    assert archived["connection"] == in_the_table
    dag_ids = tuple(direct["dag"])
    history = history_of(source, dag_ids)
    assert history_of(picture, dag_ids) == history
    assert all(history[kind] for kind in ("run", "task_instance", "xcom"))
    assert picture.history_watermark(dag_ids) == source.history_watermark(dag_ids)
    written, window = lines_of(picture, dag_ids), HistoryWindow(dag_ids)
    assert sum(len(lines or ()) for lines in written.values()) > 0
    whole = {key for key, lines in written.items() if lines is not None}
    rows = [row[:2] for batch in source.history("task_instance", window) for row in batch.rows if row[:2] in whole]
    assert Counter({key: len(lines) for key, lines in written.items() if lines is not None}) == Counter(rows)
    if source_url.startswith("sqlite"):
        assert written == lines_of(source, dag_ids)
    names = tuple(in_the_table)
    assert list(picture.connection_values(names)) == list(source.connection_values(names))
    variables = ("api_token", "limits", "sales_region")
    assert list(picture.variable_values(variables)) == list(source.variable_values(variables))
    assert dict(picture.env_values(["SHOP_PEM"])) == {"SHOP_PEM": Secret("-----BEGIN-----\nseveral\nlines\n")}
    options = archived["config"]
    assert options["core.dags_folder"].value == str(PROJECT / "dags")
    assert options["core.fernet_key"].is_secret
    assert options["core.fernet_key"].value is None
    assert archived["package"]["installed:apache-airflow"].version == "2.11.2"
    code = code_of(archive_config)
    assert (code.dags_folder / "daily_sales.py").read_bytes() == (PROJECT / "dags" / "daily_sales.py").read_bytes()
    assert code.requirements_file is not None
    assert code.requirements_file.read_bytes() == (PROJECT / "requirements.txt").read_bytes()
    assert code.include_folder is not None


def lines_of(source: Any, dag_ids: tuple[str, ...]) -> dict[RunKey, list[str] | None]:
    """Give the lines of task instances that a transfer copies."""
    text = source.text_history()
    parts = text.lines("task_instance", HistoryWindow(dag_ids), task_line(text.dialect, is_try=False))
    return {key: sorted(lines) if lines is not None else None for part in parts for key, lines in part}


@pytest.mark.airflow
def test_nobody_on_the_way_or_at_rest_reads_a_secret(place: Place, tmp_path: Path, clock: ManualClock) -> None:
    engine = create_engine(place.url)
    with engine.begin() as connection:  # one value that its Airflow kept in the open
        connection.execute(
            text("UPDATE variable SET val = 'canary-open-e5', is_encrypted = 0 WHERE key = 'sales_region'")
        )
    engine.dispose()
    done = place.export()
    assert done.returncode == 0, done.stderr.decode()
    secrets = (*CANARIES, b"canary-open-e5", place.fernet_key.encode())
    for secret in secrets:
        assert secret not in place.archive.read_bytes()
        assert secret not in done.stderr + done.stdout
    assert place.archive.stat().st_mode & 0o777 == 0o600
    config = ArchiveConfig("legacy", place.archive, place.key, tmp_path / "unpacked")
    source = open_source(config, b"fingerprints", clock)
    estate = capture(source, "legacy", tmp_path / "estate", clock, quiet)
    assert estate.counts["connection"] == 4
    at_rest = [path for path in (tmp_path / "unpacked").rglob("*") if path.is_file()]
    assert len(at_rest) > 5
    for path in at_rest:
        assert not [secret for secret in secrets if secret in path.read_bytes()], path
    values = {value.name: value.value.reveal() for value in source.variable_values(["sales_region", "api_token"])}
    assert values == {"sales_region": "canary-open-e5", "api_token": "canary-variable-c3"}
    assert "canary" not in repr(config)


@pytest.mark.airflow
def test_what_was_cut_changed_or_moved_is_refused_with_its_part(exported: Place, tmp_path: Path) -> None:
    whole = exported.archive.read_bytes()
    pieces = [frame.raw for frame in frames(exported.archive, exported.key)]
    places = [(frame.kind, frame.name) for frame in frames(exported.archive, exported.key)]
    xcom = places.index(("rows", "xcom"))
    copy = tmp_path / "copy.aerodrome"
    config = ArchiveConfig("legacy", copy, exported.key, tmp_path / "unpacked")

    def refused(data: bytes) -> tuple[str, str]:
        copy.write_bytes(data)
        probe = described(config)["archive"]
        assert not probe.is_ok
        with pytest.raises(Invalid) as caught:
            list(open_source(config, b"x").records(quiet))
        assert not (tmp_path / "unpacked" / unpacking.MANIFEST).exists()
        return caught.value.code, probe.message

    before = sum(len(piece) for piece in pieces[:xcom]) + len(MAGIC)
    code, message = refused(whole[: before + len(pieces[xcom]) - 9])
    assert (code, "cut off in xcom, part 1" in message) == ("archive-truncated", True), message
    code, message = refused(whole[:before])
    assert (code, "ends after xcom" in message) == ("archive-unfinished", True), message
    changed = bytearray(whole)
    changed[before + len(pieces[xcom]) - 20] ^= 1
    code, message = refused(bytes(changed))
    assert (code, "in xcom, part 1" in message) == ("archive-damaged", True), message
    code, message = refused(MAGIC + b"".join(pieces[:xcom] + pieces[xcom + 1 :]))
    assert (code, "taken out" in message) == ("archive-damaged", True), message
    code, _ = refused(whole + b"more")
    assert code == "archive-damaged"
    code, _ = refused(b"PK" + whole)
    assert code == "archive-format"
    copy.write_bytes(whole)
    assert described(config)["archive"].is_ok
    other = described(replace(config, key=new_key()))["archive"]
    assert "another key" in other.message
    assert "no private key" in described(replace(config, key=Secret("x")))["archive"].message
    with pytest.raises(NotFound):
        list(frames(tmp_path / "nowhere", exported.key))


@pytest.mark.airflow
def test_export_goes_on_after_kill_9(exported: Place, tmp_path: Path) -> None:
    whole, first = exported.archive.read_bytes(), unpacking.check(exported.archive, exported.key)
    exported.archive.unlink()
    with subprocess.Popen(**exported.command("--out", str(exported.archive)), stderr=subprocess.PIPE) as process:
        while not exported.part.exists():
            time.sleep(0.002)
        os.kill(process.pid, signal.SIGKILL)
    assert not exported.archive.exists()
    for cut in (len(whole) * 2 // 3, len(whole) - 30):  # what a kill in the middle of a write leaves
        exported.archive.unlink(missing_ok=True)
        exported.part.write_bytes(whole[:cut])
        done = exported.export()
        assert done.returncode == 0, done.stderr.decode()
        assert b"going on with" in done.stderr
        summary = unpacking.check(exported.archive, exported.key)
        assert (summary.rows, summary.sittings) == (first.rows, 2)
    config = ArchiveConfig("legacy", exported.archive, exported.key, tmp_path / "unpacked")
    assert not described(config)["one moment"].is_ok
    assert len(records_of(open_source(config, b"x"))["dag"]) == 5
    again = exported.export()
    assert again.returncode == 1
    assert b"is there already" in again.stderr


@pytest.mark.airflow
def test_archive_goes_through_a_pipe(place: Place, tmp_path: Path) -> None:
    copy = tmp_path / "copy.aerodrome"
    wish = place.command("--out", "-")
    script = wish["args"][3].read_bytes()
    wish["args"] = [*wish["args"][:3], "-", *wish["args"][4:]]  # as `docker exec -i … python - < exporter.py`
    with copy.open("wb") as stream:
        subprocess.run(**wish, input=script, stdout=stream, stderr=subprocess.PIPE, check=True)
    assert unpacking.check(copy, place.key).rows["dag"] == 5


@pytest.mark.airflow
def test_script_is_a_dag_too(place: Place) -> None:
    wish = place.command("--out", "-")
    dags = place.folder / "dags"
    dags.mkdir()
    (dags / "exporter.py").write_bytes(wish["args"][3].read_bytes())
    env = {name: value for name, value in wish["env"].items() if name != "PYTHONDONTWRITEBYTECODE"}
    env["AIRFLOW__CORE__DAGS_FOLDER"] = str(dags)
    conf = json.dumps({"out": str(place.archive)})
    words = [str(place.python.parent / "airflow"), "dags", "test", "aerodrome_export", "-c", conf]
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    rows = unpacking.check(place.archive, place.key).rows
    assert (rows["dag"], rows["files"]) == (5, 2)  # two of plugins; neither the script nor its own DAG


@pytest.mark.airflow
def test_picture_refuses_to_act(exported: Place, tmp_path: Path) -> None:
    picture = open_source(ArchiveConfig("legacy", exported.archive, exported.key, tmp_path / "unpacked"), b"x")
    acts: list[Callable[[], object]] = [
        lambda: picture.pause_dag("daily_sales", "m"),
        lambda: picture.unpause_dag("daily_sales", "m"),
        lambda: picture.hold_back("daily_sales", "m"),
        lambda: picture.dag_states(["daily_sales"]),
    ]
    for act in acts:
        with pytest.raises(Conflict) as caught:
            act()
        assert caught.value.code == "source-is-archive"
        assert "--database-url-env" in caught.value.hint
    pausing = {probe.name: probe for probe in picture.describe().probes}["pausing"]
    assert not pausing.is_ok
    assert not pausing.is_required


def test_exporter_is_python_3_6() -> None:
    script = exporter(public_half(new_key()))
    ast.parse(script, feature_version=(3, 6))
    assert "@PUBLIC_KEY@" not in script
    assert "BEGIN PUBLIC KEY" in script
    assert "PRIVATE" not in script
    assert "annotations" not in json.dumps(script.splitlines()[:40])  # `from __future__ import annotations` is 3.7


@pytest.mark.airflow
def test_an_archive_keeps_the_contract_of_sources(exported: Place, tmp_path: Path, clock: ManualClock) -> None:
    config = ArchiveConfig("legacy", exported.archive, exported.key, tmp_path / "unpacked")
    keeps_the_contract(open_source(config, b"fingerprints", clock), holds=None, unwatched="picture")


@pytest.mark.airflow
def test_an_archive_brings_what_goes_with_history(
    place: Place, config: SourceConfig, tmp_path: Path, clock: ManualClock
) -> None:
    """An executor_config, and events of datasets with the runs that they started and what is pending."""
    with put_into(place.url):
        done = place.export()
        assert done.returncode == 0, done.stderr.decode()[-2000:]
        direct = open_source(replace(config, database_url=Secret(place.url)), b"fingerprints", clock)
        wanted = assets_of(direct), configs_of(direct)
        direct.close()
    archived = open_source(
        ArchiveConfig("legacy", place.archive, place.key, tmp_path / "unpacked"), b"fingerprints", clock
    )
    assert (assets_of(archived), configs_of(archived)) == wanted
    assert all(wanted[0].values())
    assert set(wanted[1].values()) == {repr(CONFIG)}
    assert isinstance(archived, MeasuresConcurrency)
    assert archived.concurrency(("daily_sales",), clock.now() - timedelta(days=30)).tasks >= 1


def test_code_is_taken_through_links_and_those_to_nothing_are_named(tmp_path: Path) -> None:
    root = tmp_path / "home/dags"
    (root / "own").mkdir(parents=True)
    (tmp_path / "common").mkdir()
    (root / "own/a.py").touch()
    (tmp_path / "common/b.py").touch()
    (root / "alias").symlink_to("own")
    (root / "common").symlink_to(tmp_path / "common")
    (tmp_path / "common/back").symlink_to(tmp_path / "common")
    (root / "circle").symlink_to(".")
    (root / "everything").symlink_to("/")
    (root / "gone.py").symlink_to("nowhere.py")
    skipped: list[str] = []
    found = [name for _, name, _ in files_of({"dags": str(root)}, skipped)]
    assert found == ["alias/a.py", "common/b.py", "own/a.py"]
    assert sorted(skipped) == ["dags/circle", "dags/common/back", "dags/everything", "dags/gone.py"]
