"""Changes of a deployment's metadata database as a whole: snapshot, restore, conversion to another Airflow version.

Used by the runtime, with its lock held where something is changed. `conversion.json` in the deployment's folder names the last
conversion that was finished, and `migrated.json` the Airflow that the database belongs to; a kill between the conversion's
own last step and these files costs a repetition, which the room `databases` recognises.
"""

from __future__ import annotations

import ast
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from aerodrome import databases
from aerodrome.airflowkit.versions import AirflowVersion
from aerodrome.databases import AirflowTool, DatabaseSnapshot
from aerodrome.kernel.digest import digest_of
from aerodrome.kernel.errors import Invalid, Unavailable
from aerodrome.kernel.secret import Secret
from aerodrome.runtimes.contract import Conversion, Progress, Snapshot
from aerodrome.runtimes.local.layout import Layout, read_json, write_json

_MANY = 1000
_TASK_2 = "airflow task supervisor: "


@dataclass(frozen=True)
class Database:
    """The metadata database of one deployment."""

    layout: Layout
    url: Secret
    key: str  # recognises the URL without telling it, as in `migrated.json`

    @property
    def airflow_version(self) -> str | None:
        """Name the Airflow that the database belongs to; None before its first start."""
        done = read_json(self.layout.migrated) or {}
        version = done.get("airflow_version") if done.get("database") == self.key else None
        return str(version) if version else None

    def now_belongs_to(self, airflow_version: str) -> None:
        """Write down the Airflow that the database belongs to from now on."""
        write_json(self.layout.migrated, {"airflow_version": airflow_version, "database": self.key})
        # written by the Airflow before, never by people: its defaults would stay in force under the other one
        (self.layout.home / "airflow.cfg").unlink(missing_ok=True)


def take(database: Database, folder: Path, progress: Progress) -> Snapshot:
    """Copy the database into a folder; Unavailable before the first start of its Airflow."""
    version = database.airflow_version
    if version is None:
        raise Unavailable(
            "This Airflow was not started yet, so there is no metadata database.",
            code="airflow-not-started",
            hint="Wait until the deployment is healthy.",
        )
    return snapshot_of(databases.snapshot(database.url, folder, version, progress))


def put_back(database: Database, folder: Path, progress: Progress) -> None:
    """Put a snapshot in the place of the database."""
    taken = databases.read_snapshot(folder)
    databases.restore(folder, database.url, progress)
    database.now_belongs_to(taken.airflow_version)
    database.layout.conversion.unlink(missing_ok=True)


def convert(
    database: Database, before: AirflowTool, after: AirflowTool, generation: int, snapshot: Path | None, say: Progress
) -> Conversion:
    """Make the database one of the other Airflow; the same conversion again changes nothing."""
    name = digest_of([generation, before.version, after.version, snapshot.name if snapshot else None])
    done = read_json(database.layout.conversion)
    if done is not None and done["name"] == name:
        database.now_belongs_to(after.version)
        return _conversion(done["result"], was_done=True)
    began = time.monotonic()
    if database.airflow_version is None:  # nothing was ever started, or an earlier call emptied it
        return _conversion(_result(began, {}, {}, None), was_done=True)
    if snapshot is not None:
        rows_before = databases.row_counts(database.url)
        loss = go_back(snapshot, database.url, after, before.version, say)
        _move_logs(database.layout.home / "logs", loss)
        result = _result(began, rows_before, databases.row_counts(database.url), loss)
    elif AirflowVersion.parse(after.version) < AirflowVersion.parse(before.version):
        rows_before = databases.row_counts(database.url)
        empty(database.url)
        database.layout.migrated.unlink(missing_ok=True)  # the first start makes it anew
        return _conversion(_result(began, rows_before, {}, None), was_done=False)
    else:
        upgraded = databases.upgrade(database.url, before, after, say)
        result = _result(began, upgraded.rows_before, upgraded.rows_after, None)
    write_json(database.layout.conversion, {"name": name, "result": result})
    database.now_belongs_to(after.version)
    return _conversion(result, was_done=False)


def go_back(
    snapshot: Path, url: Secret, older: AirflowTool, newer_version: str, say: Progress
) -> dict[str, Any] | None:
    """Make the database one of the older Airflow again; None when both have the same schema, so that nothing changes."""
    try:
        return databases.go_back(snapshot, url, url, older, newer_version, say).as_data()
    except Invalid as error:
        if error.code != "way-back-not-needed":
            raise
        say("Both Airflow versions have the same tables; the metadata database stays as it is.")
        return None


def _move_logs(logs: Path, loss: Mapping[str, Any] | None) -> None:
    """Let task logs follow runs that were renamed; else the next run, which has the old name, would write into them."""
    for run in (loss or {}).get("renamed", ()):
        folder = logs / f"dag_id={run['dag_id']}"
        before, after = (folder / f"run_id={run[name]}" for name in ("run_id", "renamed_to"))
        if before.is_dir() and not after.exists():
            before.rename(after)


def running_tasks(database: Database) -> tuple[str, ...]:
    """Name the tasks that the last stop cut off: those that it ended, and those that stand in state running all the same."""
    if database.airflow_version is None:
        return ()
    titles = (read_json(database.layout.cut_off) or {"titles": ()})["titles"]
    ids = [title.rpartition(" ")[2] for title in titles if not title.startswith(_TASK_2)]
    found = {_task_of(title) for title in titles if title.startswith(_TASK_2)}
    with _connected(database.url) as connection:
        found |= _named(connection, "task_instance", "state = 'running'", ())
        if ids:  # of Airflow 3; a task that is to be tried again has a new id, and its history the old one
            found |= _named(connection, "task_instance", "cast(id as varchar) in :ids", ids)
            found |= _named(connection, "task_instance_history", "cast(task_instance_id as varchar) in :ids", ids)
    return tuple(sorted(found))


def _named(connection: sa.Connection, table: str, which: str, ids: Sequence[str]) -> set[str]:
    query = sa.text(f"select dag_id, run_id, task_id, map_index from {table} where {which} limit {_MANY}")
    if ids:
        both = [*ids, *(text.replace("-", "") for text in ids)]  # SQLite holds them without hyphens
        query = query.bindparams(sa.bindparam("ids", both, expanding=True))
    return {_task(*row) for row in connection.execute(query)}


def _task_of(title: str) -> str:
    """Name the task of a process of Airflow 2, by its title: airflow tasks run DAG TASK RUN and options."""
    try:
        words = [str(word) for word in ast.literal_eval(title.removeprefix(_TASK_2))]
        dag_id, task_id, run_id = words[3:6]
        index = int(words[words.index("--map-index") + 1]) if "--map-index" in words else -1
    except (ValueError, SyntaxError, IndexError):
        return title
    return _task(dag_id, run_id, task_id, index)


def _task(dag_id: str, run_id: str, task_id: str, map_index: int) -> str:
    return f"{dag_id} {run_id} {task_id}" + (f"[{map_index}]" if map_index >= 0 else "")


def empty(url: Secret) -> None:
    """Remove everything from a database that nobody uses."""
    address = sa.make_url(url.reveal())
    if address.get_backend_name() == "sqlite":
        for suffix in ("", "-wal", "-shm"):
            Path(f"{address.database}{suffix}").unlink(missing_ok=True)
        return
    with _connected(url) as connection:
        connection.execute(sa.text("drop schema public cascade"))
        connection.execute(sa.text("create schema public"))


@contextmanager
def _connected(url: Secret) -> Iterator[sa.Connection]:
    address = sa.make_url(url.reveal())
    if address.get_backend_name() != "sqlite":
        address = address.set(drivername="postgresql+psycopg")
    engine = sa.create_engine(address, poolclass=sa.NullPool)
    try:
        with engine.begin() as connection:
            yield connection
    except sa.exc.OperationalError as error:
        raise Unavailable(
            "The metadata database does not answer.",
            code="metadata-database-unreachable",
            hint="Look whether its server runs and lets the deployment in.",
        ) from error
    finally:
        engine.dispose()


def snapshot_of(taken: DatabaseSnapshot) -> Snapshot:
    """Give a snapshot in the words of the contract."""
    return Snapshot(
        taken.folder, taken.airflow_version, taken.dialect, taken.size_bytes, taken.digest, dict(taken.row_counts)
    )


def _result(
    began: float, before: Mapping[str, int], after: Mapping[str, int], loss: Mapping[str, Any] | None
) -> dict[str, Any]:
    seconds = round(time.monotonic() - began, 2)
    return {"seconds": seconds, "rows_before": dict(before), "rows_after": dict(after), "loss": loss}


def _conversion(result: Mapping[str, Any], *, was_done: bool) -> Conversion:
    return Conversion(result["seconds"], result["rows_before"], result["rows_after"], result["loss"], was_done)
