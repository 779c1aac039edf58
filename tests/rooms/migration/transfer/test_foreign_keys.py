"""PostgreSQL checks foreign keys for a whole batch where the role may. If these break, rows stand without their parents, or slowly."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url, text
from tests.rooms.migration.transfer.conftest import MemorySource, add_dags_to, make_history, make_run, make_task

from aerodrome.kernel.secret import Secret
from aerodrome.migration.transfer import HistoryMoved, TargetDatabase, move_history
from aerodrome.migration.transfer.foreign_keys import ForeignKeys, RowsOfBatch
from aerodrome.migration.transfer.relay import cursor_on
from aerodrome.runtimes.contract import AirflowAccess
from aerodrome.runtimes.local.postgres import PostgresServer, new_password

ROLES = ("superuser", "granted", "ordinary")
ORPHANS = """
select count(*) from xcom x where not exists (select 1 from task_instance t where t.dag_id = x.dag_id and t.run_id = x.run_id
    and t.task_id = x.task_id and t.map_index = x.map_index)
"""
BATCH = RowsOfBatch("unnest(%s::text[]) c (run_id) join task_instance t on t.run_id = c.run_id", given=("{one}",))

Open = Callable[[str], TargetDatabase]


@pytest.fixture
def open_target(postgres_server: PostgresServer, _postgres_target: str, fernet_key: str) -> Iterator[Open]:
    """Give a target of Airflow 3.3.2 as a superuser, a role of a hosted deployment (`granted`) or any other role sees it."""
    opened: list[tuple[str, TargetDatabase]] = []

    def make(role: str) -> TargetDatabase:
        name = f"t_{os.urandom(8).hex()}"
        url = postgres_server.create_database(name, template=_postgres_target).reveal()
        if role != "superuser":
            url = _as_role(postgres_server, name, url, is_granted=role == "granted")
        target = TargetDatabase(
            AirflowAccess("http://127.0.0.1:1", "3.3.2", Secret(url), Secret(fernet_key), Secret("unused"))
        )
        add_dags_to(target, "daily")
        opened.append((name, target))
        return target

    yield make
    for name, target in opened:
        target.close()
        postgres_server.drop_database(name)
        postgres_server.drop_owned(f"r_{name}")


def _as_role(server: PostgresServer, database: str, url: str, *, is_granted: bool) -> str:
    role, password = f"r_{database}", new_password()
    server.create_owned(role, password)
    with closing(psycopg.connect(url.replace("+psycopg", ""), autocommit=True)) as connection:
        for what in ("tables", "sequences"):
            grant = sql.SQL("grant all on all {} in schema public to {}")
            connection.execute(grant.format(sql.SQL(what), sql.Identifier(role)))
        if not is_granted:
            revoke = sql.SQL("revoke set on parameter session_replication_role from {}")
            connection.execute(revoke.format(sql.Identifier(role)))
    return make_url(url).set(username=role, password=password.reveal()).render_as_string(hide_password=False)


def _moved(target: TargetDatabase, source: MemorySource) -> HistoryMoved:
    return move_history(source, target, ["daily"])


def _counts(moved: HistoryMoved) -> dict[str, tuple[int, int]]:
    return {item.kind: (item.moved, item.failed_count) for item in moved.kinds}


@pytest.mark.parametrize("role", ROLES)
def test_a_history_stands_whole_whatever_the_role_may(role: str, open_target: Open) -> None:
    target = open_target(role)
    assert ForeignKeys(target, "task_instance", ("dag_id", "run_id")).is_at_once is (role != "ordinary")
    source = MemorySource(rows=make_history("daily", 6), batch=1000)
    moved = _moved(target, source)
    assert moved.is_proven
    assert _counts(moved)["task_instance"] == (len(source.rows["task_instance"]), 0)
    again = _moved(target, source)
    assert again.is_proven
    assert all(item.moved == 0 for item in again.kinds)


@pytest.mark.parametrize("role", ROLES)
def test_a_row_without_its_parent_is_refused_alone(role: str, open_target: Open) -> None:
    target = open_target(role)
    rows = make_history("daily", 6)
    whole = len(rows["xcom"])
    rows["xcom"].append(rows["xcom"][0] | {"task_id": "never_ran"})
    moved = _moved(target, MemorySource(rows=rows, batch=1000))
    assert _counts(moved)["xcom"] == (whole, 1)
    with target.reading() as connection:
        assert connection.scalar(text(ORPHANS)) == 0
        assert connection.scalar(text("select count(*) from xcom")) == whole


def test_a_trigger_that_somebody_put_on_a_table_is_run(open_target: Open) -> None:
    target = open_target("superuser")
    with target.writing() as connection:
        connection.exec_driver_sql(
            "create table seen (task_id text); create function note() returns trigger language plpgsql as "
            "$$ begin insert into seen values (new.task_id); return new; end $$; "
            "create trigger noting after insert on task_instance for each row execute function note()"
        )
    assert not ForeignKeys(target, "task_instance", ("dag_id", "run_id")).is_at_once
    rows = make_history("daily", 3)
    assert _moved(target, MemorySource(rows=rows, batch=1000)).is_proven
    with target.reading() as connection:
        assert connection.scalar(text("select count(*) from seen")) == len(rows["task_instance"])


def _insert(cursor: psycopg.Cursor[object], run_id: str) -> None:
    cursor.execute(
        "insert into task_instance (id, dag_id, task_id, run_id, map_index, try_number, max_tries, pool, pool_slots, queue, "
        "priority_weight, custom_operator_name, executor_config) select gen_random_uuid(), 'daily', 'x', %s, -1, 0, 0, 'p', 1, "
        "'q', 1, '', ''",
        (run_id,),
    )


def test_parents_are_held_until_the_batch_stands(open_target: Open) -> None:
    target = open_target("superuser")
    run = make_run("daily", 1, run_id="one")
    assert _moved(target, MemorySource(rows={"run": [run]})).is_proven
    keys = ForeignKeys(target, "task_instance", ("dag_id", "run_id"))
    with target.writing() as connection, cursor_on(connection, "target") as cursor:
        with keys.at_once(cursor, BATCH):
            _insert(cursor, "one")
        with target.writing() as other, cursor_on(other, "target") as deleting:
            deleting.execute("set local lock_timeout = '200ms'")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                deleting.execute("delete from dag_run where run_id = 'one'")
            other.rollback()
        assert cursor.execute("show session_replication_role").fetchone() == ("origin",)


def test_a_batch_whose_parent_is_gone_is_not_written(open_target: Open) -> None:
    target = open_target("superuser")
    keys = ForeignKeys(target, "task_instance", ("dag_id", "run_id"))

    def write() -> None:
        with target.writing() as connection, cursor_on(connection, "target") as cursor, keys.at_once(cursor, BATCH):
            _insert(cursor, "one")

    with pytest.raises(psycopg.errors.ForeignKeyViolation, match="task_instance_dag_run_fkey"):
        write()
    with target.reading() as connection:
        assert connection.scalar(text("select count(*) from task_instance")) == 0


def test_a_try_needs_no_parent_that_it_does_not_name(open_target: Open) -> None:
    target = open_target("superuser")
    rows = make_history("daily", 2)
    rows["task_try"].append(make_task(rows["run"][0], "never_ran", try_number=1, state="failed"))
    ordinary = open_target("ordinary")
    here, there = (_counts(_moved(one, MemorySource(rows=rows, batch=1000))) for one in (target, ordinary))
    assert here == there
