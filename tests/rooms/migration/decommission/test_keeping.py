"""The final backup opens only with its passphrase, and it is proved by a restore, on both databases."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

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
