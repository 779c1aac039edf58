"""The read-only checks of a source. Each gives a Probe; none raises for what it finds."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from sqlalchemy import func, select, text

from aerodrome.airflowkit.fernet import AirflowFernet
from aerodrome.airflowkit.metadata import NAMES, MetadataDatabase
from aerodrome.kernel.errors import AerodromeError
from aerodrome.migration.sources.airflow_db import objects
from aerodrome.migration.sources.contract import Probe, SourceConfig

SHOWN_NAMES = 5
_BY = ("run_id", "execution_date")
_NEEDED: tuple[tuple[str, str, tuple[tuple[str, ...], ...]], ...] = (
    ("DAGs", "dag", (("dag_id",), ("is_paused",), ("fileloc",), ("owners",))),
    (
        "runs",
        "dag_run",
        (
            ("dag_id",),
            ("run_id",),
            ("state",),
            ("logical_date", "execution_date"),
            ("start_date",),
            ("end_date",),
            ("conf",),
        ),
    ),
    ("task instances", "task_instance", (("dag_id",), ("task_id",), ("state",), _BY)),
    ("XComs", "xcom", (("task_id",), ("key",), ("value",), ("timestamp",), _BY)),
    ("connections", "connection", (("conn_id",), ("conn_type",), ("password",), ("extra",))),
    ("variables", "variable", (("key",), ("val",))),
    ("pools", "slot_pool", (("pool",), ("slots",))),
    ("the audit log", "log", (("dag_id",), ("event",), ("extra",), ("dttm",))),
)
"""What must be there: of each group of columns one."""

_OPTIONAL = (
    ("serialized DAGs", "serialized_dag"),
    ("table of tries", "task_instance_history"),
    ("notes", "dag_run_note"),
    ("users", "ab_user"),
)


def attempt(name: str, check: Callable[[], Probe], *, is_required: bool = True) -> Probe:
    """Run a check; an expected error becomes a Probe that is not ok."""
    try:
        return check()
    except AerodromeError as error:
        return Probe(name, False, error.message, error.hint, is_required=is_required)


def reach(database: MetadataDatabase) -> Probe:
    """Check that the database answers and is Airflow's."""
    tables = len(database.columns)
    return Probe("database", True, f"{database.label} answers ({database.version()}, {tables} tables).")


def reading(database: MetadataDatabase) -> Probe:
    """Check that every table that is needed can be read."""
    wanted = (*NAMES, "log", "serialized_dag", "xcom", "dag_tag", "import_error")
    names = [name for name in wanted if database.has(name)]
    with database.reading() as connection:
        for name in names:
            connection.execute(select(text("1")).select_from(database.table(name)).limit(1)).all()
    return Probe("reading", True, f"All {len(names)} tables that are needed can be read.")


def schema(database: MetadataDatabase) -> Probe:
    """Check that the schema holds what is read, whatever version it is of; name what is missing and what that makes unreadable."""
    lacking = [
        f"{what} (no column {' or '.join(f'{table}.{name}' for name in names)})"
        for what, table, alternatives in _NEEDED
        for names in alternatives
        if not any(database.has(table, name) for name in names)
    ]
    if lacking:
        message = f"This schema cannot be read in full: {'; '.join(lacking)}."
        return Probe("schema", False, message, "Update Aerodrome; this Airflow may be newer than it knows.")
    left_out = [what for what, table in _OPTIONAL if not database.has(table)]
    note = f" It has no {', no '.join(left_out)}." if left_out else ""
    return Probe("schema", True, f"Everything that is read has its columns.{note}")


def pausing(database: MetadataDatabase, path: Path | None) -> Probe:
    """Tell whether DAGs can be paused: UPDATE on dag and INSERT on log. Needed at cutover only; nothing is written."""
    hint = "At cutover: GRANT UPDATE ON dag, INSERT ON log, USAGE ON SEQUENCE log_id_seq to this user."
    if path is not None:
        is_ok = os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
    elif database.dialect == "mysql":
        hint = "At cutover: GRANT UPDATE ON dag and INSERT ON log to this user."
        with database.reading() as connection:
            schema_name = str(connection.scalar(text("select database()")))
            grants = [str(row[0]) for row in connection.execute(text("show grants"))]
        is_ok = all(grants_right(grants, schema_name, *right) for right in (("dag", "UPDATE"), ("log", "INSERT")))
    else:
        rights = (("dag", "UPDATE"), ("log", "INSERT"))
        with database.reading() as connection:
            is_ok = all(
                connection.scalar(select(func.has_table_privilege(table, right))) for table, right in rights
            ) and bool(
                connection.scalar(
                    text("select coalesce(has_sequence_privilege(pg_get_serial_sequence('log','id'),'USAGE'), true)")
                )
            )
    if is_ok:
        return Probe("pausing", True, "DAGs can be paused and marked at cutover.", is_required=False)
    return Probe("pausing", False, "This user may not pause DAGs; cutover needs that.", hint, is_required=False)


def grants_right(grants: Sequence[str], schema_name: str, table: str, right: str) -> bool:
    """Tell whether one of MySQL's GRANT lines gives the right on the table. Roles count once they are active."""
    for line in grants:
        match = re.match(r"GRANT (.+?) ON (?:TABLE )?(\S+)\.(\S+) TO ", line)
        if match is None or not re.search(rf"\b({right}|ALL PRIVILEGES)\b", re.sub(r"\([^)]*\)", "", match[1])):
            continue
        on_schema, on_table = (part.strip("`").replace("\\", "") for part in (match[2], match[3]))
        if on_schema in ("*", schema_name) and on_table in ("*", table):
            return True
    return False


def fernet_key(database: MetadataDatabase, fernet: AirflowFernet) -> Iterator[Probe]:
    """Check that the key really opens the rows that are encrypted."""
    readable, failed = objects.check_rows(database, fernet)
    total = readable + len(failed)
    names = ", ".join(failed[:SHOWN_NAMES]) + (f" and {len(failed) - SHOWN_NAMES} more" if failed[SHOWN_NAMES:] else "")
    if failed and not readable:
        what = (
            "The Fernet key opens none" if fernet.has_key else "No Fernet key was given, and it takes one to open any"
        )
        yield Probe(
            "fernet key",
            False,
            f"{what} of the {total} encrypted connections and variables.",
            "Give the source's [core] fernet_key (AIRFLOW__CORE__FERNET_KEY); after a rotation all keys, newest first.",
        )
        return
    yield Probe("fernet key", True, f"{readable} of {total} encrypted connections and variables open.")
    if failed:
        yield Probe(
            "undecryptable",
            False,
            f"{len(failed)} cannot be decrypted, in Airflow neither: {names}.",
            "They cannot move. Enter their values anew in the source or in the target.",
            is_required=False,
        )


def folders(config: SourceConfig) -> Iterator[Probe]:
    """Check the paths that were given."""
    given = (
        ("dags folder", config.dags_folder, True),
        ("plugins folder", config.plugins_folder, True),
        ("include folder", config.include_folder, True),
        ("requirements", config.requirements_file, False),
        ("configuration", config.config_file, False),
        ("environment", config.env_file, False),
    )
    for name, path, is_folder in given:
        if path is None:
            continue
        if not (path.is_dir() if is_folder else path.is_file()) or not os.access(path, os.R_OK):
            yield Probe(name, False, f"{path} does not exist or cannot be read.", "Check the path and its rights.")
        elif name == "dags folder":
            yield Probe(name, True, f"{path} holds {sum(1 for _ in path.rglob('*.py'))} Python files.")
        else:
            yield Probe(name, True, f"{path} can be read.")
