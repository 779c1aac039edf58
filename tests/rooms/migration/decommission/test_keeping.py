"""The final backup opens only with its passphrase, and it is proved by a restore, on both databases."""

from __future__ import annotations

import gzip
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.rooms.migration.mariadb import MariaServer

from aerodrome.kernel.errors import AerodromeError, Conflict, Denied, Invalid
from aerodrome.kernel.secret import Secret
from aerodrome.migration.decommission import keeping

WORDS = Secret("words for the end of it")
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def quiet(_text: str) -> None:
    """Nobody listens."""


def filled(url: str) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("create table alembic_version (version_num varchar(32))"))
        connection.execute(sa.text("insert into alembic_version values ('5f2621c13b39')"))
        connection.execute(sa.text("create table dag_run (id integer primary key, note text)"))
        for number in range(40):
            connection.execute(sa.text("insert into dag_run values (:n, 'canary in the open')"), {"n": number})
    engine.dispose()


def test_a_backup_is_sealed_and_restored_once(
    database: str, empty_database_url: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    filled(empty_database_url)

    @contextmanager
    def scratch() -> Iterator[Secret]:
        server = request.getfixturevalue("postgres_server")
        name = f"s_{os.urandom(6).hex()}"
        yield server.create_database(name)
        server.drop_database(name)

    target = tmp_path / "final" / "metadata.aerodrome-backup"
    target.parent.mkdir()
    for _again in range(2):  # a kill in between costs a repetition
        made = keeping.back_up(Secret(empty_database_url), "2.11.2", target, WORDS, quiet)
        tested = keeping.test_restore(target, WORDS, scratch, quiet, NOW)
    assert (tested["is_proven"], tested["tables"], tested["rows"]) == (True, 2, 41)
    assert made["dialect"] == database
    assert b"canary" not in target.read_bytes()
    assert [path.name for path in target.parent.iterdir()] == [
        target.name
    ]  # neither the plain copy nor the trial stays
    with pytest.raises(Denied):
        keeping.test_restore(target, Secret("other words for it"), scratch, quiet, NOW)
    data = bytearray(target.read_bytes())
    data[len(data) // 2] ^= 1
    target.write_bytes(data)
    with pytest.raises(AerodromeError) as caught:
        keeping.test_restore(target, WORDS, scratch, quiet, NOW)
    assert caught.value.code in ("passphrase-wrong", "backup-damaged")
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def test_logs_are_archived_without_what_links_out(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    (folder / "dag_id=a").mkdir(parents=True)
    (folder / "dag_id=a" / "attempt=1.log").write_text("canary said this")
    (folder / "latest").symlink_to("/etc")
    (folder / "passwd").symlink_to("/etc/passwd")
    target = tmp_path / "logs.aerodrome-backup"
    made = keeping.archive_logs(folder, target, WORDS, quiet)
    assert (made["files"], made["bytes"]) == (1, 16)
    assert b"canary" not in target.read_bytes()
    keeping.unseal(target, WORDS, tmp_path / "again")
    found = [path.relative_to(tmp_path / "again") for path in (tmp_path / "again").rglob("*") if path.is_file()]
    assert found == [Path("logs/dag_id=a/attempt=1.log")]
    with pytest.raises(Conflict):
        keeping.unseal(target, WORDS, tmp_path / "again")
    with pytest.raises(Invalid):
        keeping.archive_logs(tmp_path / "none", target, WORDS, quiet)


TABLE = """create table dag_run (
  id int primary key auto_increment, note longtext character set utf8mb4, raw longblob, at timestamp(6) null, share double,
  yes tinyint(1), twice int generated always as (yes * 2) stored
)"""


@pytest.mark.matrix
def test_a_backup_of_mysql_is_restored_in_a_server_of_our_own(
    mysql_server: Callable[[str], MariaServer], tmp_path: Path
) -> None:
    maria_server = mysql_server("mariadb")
    name = f"final_{os.urandom(4).hex()}"
    url = maria_server.create_database(name)
    awkward = 'canary\'; \\ "x" \n\t ü 日本 `b` %s'
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("set session time_zone = '+00:00'"))
        for statement in (
            "create table alembic_version (version_num varchar(32))",
            "insert into alembic_version values ('5f2621c13b39')",
            TABLE,
            "create table task_instance (id int primary key, run_id int, foreign key (run_id) references dag_run (id))",
            "create table empty_one (id int)",
        ):
            connection.exec_driver_sql(statement)
        connection.execute(
            sa.text("insert into dag_run (id, note, raw, at, share, yes) values (:id, :note, :raw, :at, :share, :yes)"),
            [
                {
                    "id": 1,
                    "note": awkward,
                    "raw": bytes(range(256)),
                    "at": "2026-03-29 01:30:00.123456",
                    "share": 0.1,
                    "yes": 1,
                },
                {"id": 2, "note": None, "raw": b"", "at": None, "share": None, "yes": 0},
            ],
        )
        connection.execute(sa.text("insert into task_instance values (7, 1)"))
    engine.dispose()
    target = tmp_path / "metadata.aerodrome-backup"
    made = keeping.back_up(Secret(maria_server.reader(name)), "2.11.2", target, WORDS, quiet)
    assert (made["dialect"], made["revision"]) == ("mysql", "5f2621c13b39")
    assert made["row_counts"] == {"alembic_version": 1, "dag_run": 2, "empty_one": 0, "task_instance": 1}
    tested = keeping.test_restore(target, WORDS, _none, quiet, NOW)
    assert (tested["is_proven"], tested["tables"], tested["rows"]) == (True, 4, 4)
    assert b"canary" not in target.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == [target.name]

    # what comes back is what was there, byte by byte
    keeping.unseal(target, WORDS, tmp_path / "again")
    sql = gzip.decompress((tmp_path / "again" / "snapshot" / "dump.sql.gz").read_bytes())
    again = f"again_{os.urandom(4).hex()}"
    back = sa.create_engine(maria_server.create_database(again))
    subprocess.run(
        ["mariadb", "--no-defaults", f"--socket={maria_server.socket}", "--user=root", "--binary-mode", again],
        input=sql,
        check=True,
    )
    with back.connect() as connection:
        connection.execute(sa.text("set session time_zone = '+00:00'"))
        rows = connection.execute(sa.text("select id, note, raw, at, share, yes, twice from dag_run order by id")).all()
    back.dispose()
    assert tuple(rows[0]) == (
        1,
        awkward,
        bytes(range(256)),
        datetime.fromisoformat("2026-03-29 01:30:00.123456"),
        0.1,
        1,
        2,
    )
    assert tuple(rows[1]) == (2, None, b"", None, None, 0, 0)


def _none() -> AbstractContextManager[Secret]:
    raise AssertionError("no PostgreSQL is needed")
