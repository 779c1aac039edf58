"""Figures about a metadata database as a whole: sizes, pickled XComs, plain secrets, pending events; and its roles.

Sizes come from the database's own statistics where it keeps them (PostgreSQL); elsewhere rows are counted.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import JSON, Connection, and_, func, select, text

from aerodrome.airflowkit.metadata import MetadataDatabase
from aerodrome.migration.estate.records import MeasureRecord, RoleRecord

TABLES = (
    "dag_run", "task_instance", "task_instance_history", "xcom", "rendered_task_instance_fields", "log", "job",
    "task_fail", "dataset_event", "asset_event", "import_error", "serialized_dag", "dag_code", "trigger",
)  # fmt: skip
XCOM_SAMPLE = 10_000
"""How many of the newest XComs are looked at for pickles."""
_PICKLE_START = b"\x80"
_QUEUES = ("dataset_dag_run_queue", "asset_dag_run_queue")
_IN_FLIGHT = ("running", "queued", "scheduled", "deferred", "up_for_retry", "up_for_reschedule", "restarting")


def measures(database: MetadataDatabase) -> Iterator[MeasureRecord]:
    """Give the figures, each once."""
    with database.reading() as connection:
        yield from _sizes(database, connection)
        yield from _pickles(database, connection)
        yield from _plain(database, connection)
        yield from _pending(database, connection)


def roles(database: MetadataDatabase) -> Iterator[RoleRecord]:
    """Give the roles by name (FAB tables); nothing where another auth manager is used."""
    if not all(database.has(name) for name in ("ab_role", "ab_user_role", "ab_permission_view_role")):
        return
    role, user, right = (database.table(name) for name in ("ab_role", "ab_user_role", "ab_permission_view_role"))
    held = select(right.c.role_id, func.count().label("total")).group_by(right.c.role_id).subquery()
    given = select(user.c.role_id, func.count().label("total")).group_by(user.c.role_id).subquery()
    query = (
        select(role.c.name, held.c.total.label("permissions"), given.c.total.label("users"))
        .select_from(role.outerjoin(held, held.c.role_id == role.c.id).outerjoin(given, given.c.role_id == role.c.id))
        .order_by(role.c.name)
    )
    with database.reading() as connection:
        rows = connection.execute(query).all()
    for row in rows:
        yield RoleRecord(row.name, row.permissions or 0, row.users or 0)


def _sizes(database: MetadataDatabase, connection: Connection) -> Iterator[MeasureRecord]:
    present = [name for name in TABLES if database.has(name)]
    if database.dialect == "postgresql":
        query = text(
            "select c.relname, c.reltuples::bigint as rows, pg_total_relation_size(c.oid) as bytes from pg_class c"
            " where c.relkind = 'r' and pg_table_is_visible(c.oid) and c.relname = any(:names)"
        )
        for row in connection.execute(query, {"names": present}).all():
            if row.rows >= 0:  # -1: never analyzed
                yield MeasureRecord(f"rows:{row.relname}", row.rows, is_estimate=True)
            else:
                yield MeasureRecord(f"rows:{row.relname}", _count(database, connection, row.relname))
            yield MeasureRecord(f"bytes:{row.relname}", row.bytes, is_estimate=True)
        yield MeasureRecord(
            "bytes:database", connection.scalar(text("select pg_database_size(current_database())")) or 0
        )
        return
    for name in present:
        yield MeasureRecord(f"rows:{name}", _count(database, connection, name))
    if database.dialect == "sqlite":
        pages = connection.scalar(text("select page_count * page_size from pragma_page_count(), pragma_page_size()"))
        yield MeasureRecord("bytes:database", pages or 0)


def _count(database: MetadataDatabase, connection: Connection, name: str) -> int:
    return connection.scalar(select(func.count()).select_from(database.table(name))) or 0


def _pickles(database: MetadataDatabase, connection: Connection) -> Iterator[MeasureRecord]:
    """Look at the first byte of the newest XComs: Airflow's pickles start with PROTO (0x80), JSON never does."""
    if not database.has("xcom", "value") or not database.has("xcom", "timestamp"):
        return
    xcom = database.table("xcom")
    order = xcom.c.dag_run_id if "dag_run_id" in xcom.c else xcom.c.timestamp  # in both the primary key leads
    if isinstance(xcom.c.value.type, JSON):  # since 3.0, where no pickle fits
        firsts = []
    else:
        query = select(func.substr(xcom.c.value, 1, 1)).order_by(order.desc()).limit(XCOM_SAMPLE)
        firsts = [bytes(value) for value in connection.scalars(query) if isinstance(value, bytes | memoryview)]
    yield MeasureRecord("xcom:sampled", len(firsts), is_estimate=True)
    yield MeasureRecord("xcom:pickled", sum(first == _PICKLE_START for first in firsts), is_estimate=True)


def _plain(database: MetadataDatabase, connection: Connection) -> Iterator[MeasureRecord]:
    if database.has("connection", "is_encrypted"):
        table = database.table("connection")
        where = and_(table.c.password.is_not(None), table.c.password != "", table.c.is_encrypted.is_not(True))
        amount = connection.scalar(select(func.count()).select_from(table).where(where))
        yield MeasureRecord("unencrypted:connection", amount or 0)
    if database.has("variable", "is_encrypted"):
        table = database.table("variable")
        where = and_(table.c.val.is_not(None), table.c.val != "", table.c.is_encrypted.is_not(True))
        amount = connection.scalar(select(func.count()).select_from(table).where(where))
        yield MeasureRecord("unencrypted:variable", amount or 0)


def _pending(database: MetadataDatabase, connection: Connection) -> Iterator[MeasureRecord]:
    for name in _QUEUES:
        if database.has(name):
            yield MeasureRecord("pending:dataset-events", _count(database, connection, name))
            break
    run, task = database.table("dag_run"), database.table("task_instance")
    if "run_type" in run.c:
        where = and_(run.c.run_type == "backfill", run.c.state.in_(("running", "queued")))
        amount = connection.scalar(select(func.count()).select_from(run).where(where))
        yield MeasureRecord("running:backfill", amount or 0)
    states = select(task.c.state, func.count()).where(task.c.state.in_(_IN_FLIGHT)).group_by(task.c.state)
    for state, amount in sorted(tuple(row) for row in connection.execute(states)):
        yield MeasureRecord(f"state:{state}", amount)
