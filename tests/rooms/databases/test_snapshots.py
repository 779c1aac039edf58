"""A lost or half-written snapshot costs a team its history; a readable one gives away its secrets."""

from __future__ import annotations

import json
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
from tests.rooms.databases.conftest import quiet
from tests.rooms.databases.history import digest, rows

from aerodrome import databases
from aerodrome.databases import tools
from aerodrome.databases.places import place_of
from aerodrome.kernel.errors import AerodromeError, Broken, Conflict, Invalid, NotFound, Unavailable
from aerodrome.kernel.secret import Secret

_PEOPLE = 2000
_KILLED = -9


@pytest.fixture
def filled(place_url: Secret) -> Secret:
    with rows(place_url) as db:
        db.run("create table alembic_version (version_num varchar(32))")
        db.run("insert into alembic_version values ('5f2621c13b39')")
        db.run("create table people (id integer primary key, name varchar(50))")
        for number in range(_PEOPLE):
            db.run("insert into people values (:id, :name)", id=number, name=f"person {number}")
    return place_url


def test_a_snapshot_gives_the_database_back(filled: Secret, tmp_path: Path) -> None:
    before = digest(filled, "people")
    made = databases.snapshot(filled, tmp_path / "snap", "2.11.2", quiet)
    with rows(filled) as db:
        db.run("delete from people where id < 100")
        db.run("create table later (id integer)")
    databases.restore(tmp_path / "snap", filled, quiet)
    assert digest(filled, "people") == before
    assert databases.row_counts(filled) == {"alembic_version": 1, "people": _PEOPLE}
    assert (made.revision, made.airflow_version, made.row_counts["people"]) == ("5f2621c13b39", "2.11.2", _PEOPLE)
    assert databases.read_snapshot(tmp_path / "snap") == made
    json.dumps(made.as_data())


def test_only_its_owner_reads_a_snapshot(filled: Secret, tmp_path: Path) -> None:
    databases.snapshot(filled, tmp_path / "snap", "2.11.2", quiet)
    paths = [tmp_path / "snap", *(tmp_path / "snap").rglob("*")]
    assert len(paths) > 2
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600, 0o700}


def test_a_repeated_snapshot_is_the_first_one(filled: Secret, tmp_path: Path) -> None:
    first = databases.snapshot(filled, tmp_path / "snap", "2.11.2", quiet)
    with rows(filled) as db:
        db.run("delete from people")
    assert databases.snapshot(filled, tmp_path / "snap", "2.11.2", quiet) == first


def test_a_changed_snapshot_is_refused_and_the_target_stays(filled: Secret, tmp_path: Path) -> None:
    databases.snapshot(filled, tmp_path / "snap", "2.11.2", quiet)
    data = max(
        (p for p in (tmp_path / "snap").rglob("*") if p.name != "manifest.json" and p.is_file()),
        key=lambda p: p.stat().st_size,
    )
    content = bytearray(data.read_bytes())
    content[len(content) // 2] ^= 1
    data.write_bytes(content)
    with pytest.raises(Broken) as refusal:
        databases.restore(tmp_path / "snap", filled, quiet)
    assert refusal.value.code == "snapshot-damaged"
    assert databases.row_counts(filled)["people"] == _PEOPLE


def test_there_is_no_snapshot_without_a_manifest(filled: Secret, tmp_path: Path) -> None:
    databases.snapshot(filled, tmp_path / "snap", "2.11.2", quiet)
    (tmp_path / "snap" / "manifest.json").unlink()
    with pytest.raises(NotFound):
        databases.restore(tmp_path / "snap", filled, quiet)


_KILL = """
import os, signal, sys
from pathlib import Path
from aerodrome import databases
from aerodrome.kernel.secret import Secret
left = [int(sys.argv[3])]
def progress(line):
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
url = Secret(sys.stdin.read())
if sys.argv[1] == "snapshot":
    databases.snapshot(url, Path(sys.argv[2]), "2.11.2", progress)
else:
    databases.restore(Path(sys.argv[2]), url, progress)
"""


def _killed(act: str, folder: Path, url: Secret, at: int) -> int:
    command = [sys.executable, "-c", _KILL, act, str(folder), str(at)]
    return subprocess.run(command, input=url.reveal(), text=True, check=False, capture_output=True).returncode


def test_a_killed_snapshot_is_taken_anew(filled: Secret, tmp_path: Path) -> None:
    assert _killed("snapshot", tmp_path / "snap", filled, 1) == _KILLED
    assert not (tmp_path / "snap").exists()
    databases.snapshot(filled, tmp_path / "snap", "2.11.2", quiet)
    databases.restore(tmp_path / "snap", filled, quiet)
    assert databases.row_counts(filled)["people"] == _PEOPLE


def test_a_restore_killed_at_its_end_can_be_repeated(filled: Secret, tmp_path: Path) -> None:
    databases.snapshot(filled, tmp_path / "snap", "2.11.2", quiet)
    with rows(filled) as db:
        db.run("delete from people")
    assert _killed("restore", tmp_path / "snap", filled, 1) == _KILLED
    databases.restore(tmp_path / "snap", filled, quiet)
    assert databases.row_counts(filled)["people"] == _PEOPLE


def test_a_half_restored_database_does_not_count(filled: Secret, tmp_path: Path) -> None:
    """What a kill in the middle leaves beside the target is removed by the next restore."""
    databases.snapshot(filled, tmp_path / "snap", "2.11.2", quiet)
    place = place_of(filled).sibling("restore")
    if hasattr(place, "path"):
        place.path.write_text("half")
    else:
        place.create()
    databases.restore(tmp_path / "snap", filled, quiet)
    assert databases.row_counts(filled)["people"] == _PEOPLE


def test_a_scratch_database_is_gone_afterwards(filled: Secret) -> None:
    with databases.scratch(filled) as copy:
        with rows(copy) as db:
            db.run("create table x (id integer)")
        assert databases.row_counts(copy) == {"x": 0}
    with pytest.raises(AerodromeError):
        databases.row_counts(copy)


def test_passwords_are_on_no_command_line(postgres_url: str, tmp_path: Path) -> None:
    url = Secret(postgres_url)
    password = postgres_url.split("://")[1].split("@", maxsplit=1)[0].split(":")[1]
    with rows(url) as db:
        db.run("create table big as select n, md5(n::text) as text from generate_series(1, 300000) n")
    seen, is_done = [], threading.Event()

    def watch() -> None:
        while not is_done.is_set():
            for child in psutil.Process().children(recursive=True):
                try:
                    seen.append(" ".join(child.cmdline()))
                except psutil.Error:
                    continue
            time.sleep(0.01)

    watcher = threading.Thread(target=watch)
    watcher.start()
    databases.snapshot(url, tmp_path / "snap", "2.11.2", quiet)
    is_done.set()
    watcher.join()
    assert any("pg_dump" in line for line in seen)
    assert not any(password in line for line in seen)


def test_a_refused_login_tells_no_password(postgres_url: str, tmp_path: Path) -> None:
    user, host = postgres_url.split("://")[1].split("@")
    wrong = Secret(f"postgresql+psycopg://{user.split(':')[0]}:canary-1234@{host}")
    with pytest.raises(AerodromeError) as refusal:
        databases.snapshot(wrong, tmp_path / "snap", "2.11.2", quiet)
    assert refusal.value.code == "database-login-refused"
    error = refusal.value
    assert "canary" not in f"{error!r} {error.as_data()} {error.__cause__} {error.__context__}"


def test_missing_or_old_programs_are_named() -> None:
    with pytest.raises(Unavailable, match="client programs"):
        tools.find("pg_no_such_program", 15)
    with pytest.raises(Unavailable, match="newest pg_dump here"):
        tools.find("pg_dump", 99)


@pytest.mark.parametrize("url", ["mysql://a:canary@b/c", "not a url canary", "sqlite://"])
def test_other_databases_are_refused_without_telling_the_url(url: str) -> None:
    with pytest.raises(Invalid) as refusal:
        databases.row_counts(Secret(url))
    assert "canary" not in str(refusal.value)


def test_what_only_the_wal_holds_is_not_lost_when_a_database_is_replaced(tmp_path: Path) -> None:
    """After a killed Airflow the newest rows are in the WAL; a replacement that is refused must not cost them."""
    path = tmp_path / "airflow.db"
    url = Secret(f"sqlite:///{path}")
    path.touch()
    with rows(url) as db:
        db.run("create table people (id integer)")
    databases.snapshot(url, tmp_path / "empty", "2.11.2", quiet)
    writer = sqlite3.connect(path)
    writer.execute("pragma journal_mode=wal")
    writer.execute("insert into people values (1)")
    writer.commit()
    with pytest.raises(Conflict):
        databases.restore(tmp_path / "empty", url, quiet)  # the writer still has it open
    writer.close()
    assert databases.row_counts(url) == {"people": 1}
    databases.restore(tmp_path / "empty", url, quiet)
    assert databases.row_counts(url) == {"people": 0}
    assert [one.name for one in tmp_path.glob("airflow.db*")] == ["airflow.db"]
