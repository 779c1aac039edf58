"""Takes the pulse of an Airflow metadata database: few short statements, on one connection, that never wait long.

Called by runtimes, every some seconds for every deployment. It writes nothing, holds no transaction open, and gives up after
`timeout_s` instead of keeping a busy database busier. Tables and columns: Airflow 2.7 to 3.3 (2.11.2 and 3.3.2 read).
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg.conninfo import make_conninfo
from sqlalchemy import URL
from sqlalchemy.engine import make_url

from aerodrome.kernel.errors import Unavailable
from aerodrome.kernel.secret import Secret

UNFINISHED: Final = ("scheduled", "queued", "running", "restarting", "deferred", "up_for_retry", "up_for_reschedule")
JOBS: Final = {"SchedulerJob": "scheduler", "DagProcessorJob": "dag-processor", "TriggererJob": "triggerer"}
GROWING: Final = (
    "task_instance", "task_instance_history", "dag_run", "log", "xcom", "rendered_task_instance_fields", "job", "dag_version",
    "serialized_dag", "dag_code", "asset_event", "dataset_event", "callback_request", "task_reschedule", "import_error",
)  # fmt: skip
_MOST_FILES, _MOST_POOLS = 50, 50
_CONNECT_S = 3


@dataclass(frozen=True)
class PoolUse:
    """How full a pool is, in slots."""

    name: str
    slots: int  # -1: without limit
    running: int
    queued: int
    scheduled: int


@dataclass(frozen=True)
class Pulse:
    """What one look at a metadata database gave."""

    dialect: str  # sqlite | postgresql
    seconds: float  # that the look took
    size_bytes: int
    task_instances: Mapping[str, int]  # state -> count; unfinished ones, in a thorough look all
    dag_runs: Mapping[str, int]
    queued_since: datetime | None  # of the task instance that waits longest in this state
    scheduled_since: datetime | None
    pools: tuple[PoolUse, ...]
    heartbeats: Mapping[str, datetime]  # scheduler, dag-processor, triggerer -> last one
    import_error_count: int
    import_errors: tuple[str, ...]  # files, the first 50
    dag_count: int
    paused_dag_count: int
    parsed_since: datetime | None  # the DAG that waits longest to be parsed again was parsed then
    longest_parse_s: float | None  # Airflow >= 3.1 tells it per DAG
    tables: Mapping[str, int] = field(
        default_factory=dict
    )  # thorough looks: table -> bytes (PostgreSQL) or rows (SQLite)


def take(url: Secret, *, is_thorough: bool = False, timeout_s: float = 2.0) -> Pulse:
    """Look once. A thorough look also counts finished rows and table sizes: do it every some minutes.

    Unavailable `pulse-missed` when the database does not answer in time, is locked, or is no Airflow's.
    """
    parsed = make_url(url.reveal())
    is_sqlite = parsed.get_backend_name() == "sqlite"
    started = time.monotonic()
    try:
        with _sqlite(parsed, timeout_s) if is_sqlite else _postgresql(parsed, timeout_s) as ask:
            return _look(ask, "sqlite" if is_sqlite else "postgresql", started, is_thorough=is_thorough)
    except (sqlite3.Error, psycopg.Error, OSError) as error:
        raise Unavailable(
            f"The metadata database did not answer a short look ({type(error).__name__}).",
            code="pulse-missed",
            hint="It is busy, locked or down; the next look is soon.",
        ) from error


def _look(ask: _Asker, dialect: str, started: float, *, is_thorough: bool) -> Pulse:
    instances, since, pools = _instances(ask)
    runs = _by_state(ask, "dag_run", "where state in ('running', 'queued')")
    if is_thorough:
        instances |= _by_state(ask, "task_instance")
        runs = _by_state(ask, "dag_run")
    heartbeats = ask(
        f"select job_type, max(latest_heartbeat) from job where job_type in {tuple(JOBS)} group by job_type"
    )
    ((error_count,),) = ask("select count(*) from import_error")
    files = ask(f"select filename from import_error order by filename limit {_MOST_FILES}") if error_count else ()
    dags, paused, parsed_since, longest = _dags(ask)
    return Pulse(
        dialect=dialect,
        size_bytes=_size(ask, dialect),
        task_instances=instances,
        dag_runs=runs,
        queued_since=since.get("queued"),
        scheduled_since=since.get("scheduled"),
        pools=pools,
        heartbeats={JOBS[kind]: moment for kind, at in heartbeats if (moment := _moment(at)) is not None},
        import_error_count=int(error_count),
        import_errors=tuple(str(name) for (name,) in files),
        dag_count=dags,
        paused_dag_count=paused,
        parsed_since=parsed_since,
        longest_parse_s=longest,
        tables=_tables(ask, dialect) if is_thorough else {},
        seconds=time.monotonic() - started,
    )


def _instances(ask: _Asker) -> tuple[dict[str, int], dict[str, datetime], tuple[PoolUse, ...]]:
    rows = ask(
        "select pool, state, count(*), sum(pool_slots), min(queued_dttm), min(updated_at) from task_instance "
        f"where state in {UNFINISHED} group by pool, state"
    )
    counts = dict.fromkeys(UNFINISHED, 0)
    since: dict[str, datetime] = {}
    used: dict[str, dict[str, int]] = {}
    for pool, state, count, slots, queued_at, updated_at in rows:
        counts[state] += count
        used.setdefault(pool, {})[state] = int(slots or 0)
        # a retry keeps the time at which it was first queued; `updated_at` is newer then, and the truth
        moments = [found for value in (queued_at, updated_at) if (found := _moment(value)) is not None]
        if state in ("queued", "scheduled") and moments:
            at = max(moments) if state == "queued" else _moment(updated_at)
            if at is not None:
                since[state] = min(since.get(state, at), at)
    pools = ask(f"select pool, slots from slot_pool order by pool limit {_MOST_POOLS}")
    return counts, since, tuple(_pool(name, slots, used.get(name, {})) for name, slots in pools)


def _pool(name: str, slots: int, used: Mapping[str, int]) -> PoolUse:
    return PoolUse(name, slots, used.get("running", 0), used.get("queued", 0), used.get("scheduled", 0))


def _by_state(ask: _Asker, table: str, where: str = "") -> dict[str, int]:
    rows = ask(f"select state, count(*) from {table} {where} group by state")
    return {state or "none": count for state, count in rows}


def _dags(ask: _Asker) -> tuple[int, int, datetime | None, float | None]:
    columns = ask.columns("dag")
    is_there = "not is_stale" if "is_stale" in columns else "is_active"
    longest = "max(last_parse_duration)" if "last_parse_duration" in columns else "null"
    ((count, paused, since, duration),) = ask(
        f"select count(*), count(case when is_paused then 1 end), min(last_parsed_time), {longest} from dag where {is_there}"
    )
    return int(count), int(paused), _moment(since), duration


def _size(ask: _Asker, dialect: str) -> int:
    if dialect == "postgresql":
        return int(ask("select pg_database_size(current_database())")[0][0])
    ((pages,),), ((page_size,),) = ask("pragma page_count"), ask("pragma page_size")
    return int(pages) * int(page_size)


def _tables(ask: _Asker, dialect: str) -> dict[str, int]:
    if dialect == "postgresql":
        names = ", ".join(f"'{name}'" for name in GROWING)
        rows = ask(
            "select relname, pg_total_relation_size(oid) from pg_class "
            f"where relkind = 'r' and relname in ({names}) and pg_table_is_visible(oid)"
        )
        return {name: int(size) for name, size in rows}
    there = {name for (name,) in ask("select name from sqlite_master where type = 'table'")}
    # the largest rowid is found at once, and grows with every row that was ever added
    return {name: int(ask(f"select max(rowid) from {name}")[0][0] or 0) for name in GROWING if name in there}


class _Asker:
    """Runs one statement after another, each in a transaction of its own."""

    def __init__(self, execute: Callable[[str], Any]) -> None:
        self._execute = execute

    def __call__(self, statement: str) -> Sequence[Sequence[Any]]:
        rows: list[Any] = self._execute(statement).fetchall()
        return rows

    def columns(self, table: str) -> list[str]:
        return [column[0] for column in self._execute(f"select * from {table} where 1 = 0").description]


@contextmanager
def _sqlite(url: URL, timeout_s: float) -> Iterator[_Asker]:
    path = Path(url.database or "").expanduser().absolute()
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=timeout_s / 4, isolation_level=None)
    deadline = time.monotonic() + timeout_s
    connection.set_progress_handler(lambda: int(time.monotonic() > deadline), 10_000)
    try:
        yield _Asker(connection.execute)
    finally:
        connection.close()


@contextmanager
def _postgresql(url: URL, timeout_s: float) -> Iterator[_Asker]:
    milliseconds = int(timeout_s * 1000)
    options = f"-c statement_timeout={milliseconds} -c lock_timeout={milliseconds} -c default_transaction_read_only=on"
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    # not in the URL: SQLAlchemy writes a blank there as "+", which libpq does not read
    settings = make_conninfo(plain, connect_timeout=_CONNECT_S, application_name="aerodrome-watch", options=options)
    with psycopg.connect(settings, autocommit=True) as connection:
        yield _Asker(connection.execute)


def _moment(value: Any) -> datetime | None:
    """Read a moment; SQLite gives it as text in UTC."""
    if value is None:
        return None
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    found: datetime = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    return found
