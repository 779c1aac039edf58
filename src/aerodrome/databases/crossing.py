"""Moves a metadata database between SQLite and PostgreSQL, for the same Airflow, with proof.

Called by runtimes while no Airflow uses either database. The target's schema is made by the same Airflow's own `db migrate`; then
all rows of all tables are copied in bulk (COPY into PostgreSQL), read back and digested. Time grows linearly with the rows, memory
does not grow: 5,000 rows are held at a time.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from aerodrome.airflowkit.config import airflow_database_url
from aerodrome.databases.contract import AirflowTool, Progress
from aerodrome.databases.cross_ends import End, columns_of, open_end
from aerodrome.databases.cross_values import Column, RowDigest, counterpart
from aerodrome.kernel.errors import Broken, Conflict, Invalid
from aerodrome.kernel.secret import Secret

_MIGRATE_S = 900
_REVISIONS = ("alembic_version", "alembic_version_fab", "alembic_version_edge3")


@dataclass(frozen=True)
class Crossing:
    """What a crossing copied; every table was counted and digested on both sides."""

    source: str  # sqlite | postgresql
    target: str
    rows: Mapping[str, int]  # table -> rows
    digests: Mapping[str, str]  # table -> digest over all rows, whatever their order
    seconds: float


def copy_across(
    source_url: Secret, target_url: Secret, tool: AirflowTool, progress: Progress, *, mark: str = "crossing"
) -> Crossing:
    """Copy everything into an empty database, from SQLite to PostgreSQL, back, or between two PostgreSQL; nobody may be using either.

    `mark` names this crossing: what an earlier, cut off attempt of the same one left behind is removed and begun again, tables
    of anybody else are a Conflict. The mark stays until `settle`. Broken: what a table's rows cannot be, or a proof that failed.
    """
    started = time.monotonic()
    with closing(open_end(source_url)) as source, closing(open_end(target_url)) as target:
        if source.dialect == target.dialect == "sqlite":
            raise Invalid("Both databases are SQLite files.", code="crossing-same-kind")
        _make_room(target, mark)
        progress(f"Airflow {tool.version} makes its tables in the new database")
        migrate(target_url, tool)
        rows, digests = _copy(source, target, progress)
    seconds = time.monotonic() - started
    progress(f"Copied and proved {sum(rows.values()):,} rows of {len(rows)} tables in {seconds:.1f} s")
    return Crossing(source.dialect, target.dialect, rows, digests, seconds)


def settle(url: Secret) -> None:
    """Take the mark away: the database is in use from now on. Safe to repeat."""
    with closing(open_end(url)) as end:
        end.set_mark(None)


def discard(url: Secret, mark: str) -> bool:
    """Empty a database that this crossing filled; False when it bears another mark or none."""
    with closing(open_end(url)) as end:
        if end.mark() != mark:
            return False
        end.wipe()
        return True


def migrate(url: Secret, tool: AirflowTool) -> None:
    """Run this Airflow's own `db migrate` on the database; Broken with its last words when it fails."""
    environment = {
        name: value.reveal() if isinstance(value, Secret) else value for name, value in tool.environment.items()
    }
    connection = airflow_database_url(url).reveal()
    with tempfile.TemporaryDirectory(prefix="aerodrome-migrate-") as folder:
        environment |= {
            "AIRFLOW_HOME": folder,
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": f"{folder}/logs",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": connection,
        }
        environment.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
        environment.setdefault("AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS", "False")
        environment.setdefault("PATH", f"{tool.venv / 'bin'}:/usr/local/bin:/usr/bin:/bin")
        command = [str(tool.venv / "bin/python"), str(tool.venv / "bin/airflow"), "db", "migrate"]
        try:
            done = subprocess.run(
                command,
                env=environment,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=_MIGRATE_S,
                check=False,
                text=True,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Broken("`airflow db migrate` could not finish.", code="crossing-migrate-failed") from error
    if done.returncode:
        lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
        said = (lines[-1] if lines else "nothing").replace(connection, "•••")
        raise Broken(
            f"`airflow db migrate` failed on the new database: {said[:300]}",
            code="crossing-migrate-failed",
            hint="Check the rights of the database's user, then try again.",
        )


def _make_room(target: End, mark: str) -> None:
    found = target.mark()
    if found == mark:
        target.wipe()
    elif found is not None or target.tables():
        raise Conflict(
            "The new database is not empty.",
            code="database-not-empty",
            hint="Give one without tables; nothing was changed.",
        )
    target.set_mark(mark)


def _copy(source: End, target: End, progress: Progress) -> tuple[dict[str, int], dict[str, str]]:
    have, want = source.tables(), target.tables()
    _check_same_schema(source, target, have, want)
    rows: dict[str, int] = {}
    digests: dict[str, str] = {}
    for table in sorted(have.keys() - want.keys()):  # left by an older Airflow, or a person's own
        types = {name: counterpart(source.dialect, kind) for name, kind in have[table].items()}
        target.create(table, have[table] if source.dialect == target.dialect else types)
    want = target.tables()
    target.loosen()
    target.clear(want)
    for table in sorted(want):
        if table not in have:
            continue
        columns = _columns(source, target, have[table], want[table])
        digest = RowDigest(columns)
        target.fill(table, columns, _digested(source.read(table, columns), digest))
        proof = RowDigest(columns)
        for batch in target.read(table, columns):
            proof.add(batch)
        if (proof.count, proof.text()) != (digest.count, digest.text()):
            raise Broken(
                f"{table} did not arrive as it was: {proof.count:,} of {digest.count:,} rows, or other values.",
                code="crossing-not-equal",
                hint="The database that is in use was not changed. Please report it.",
                details={"table": table},
            )
        rows[table], digests[table] = digest.count, digest.text()
        if digest.count >= 10_000:
            progress(f"{table}: {digest.count:,} rows")
    target.tighten()
    return rows, digests


def _check_same_schema(
    source: End, target: End, have: Mapping[str, Mapping[str, str]], want: Mapping[str, Mapping[str, str]]
) -> None:
    """Refuse a source whose schema is of another revision, or that has columns for which there is no place."""
    revision = [Column("version_num", "plain")]
    for table in _REVISIONS:
        if table in have and table in want:
            ours, theirs = ([row for batch in end.read(table, revision) for row in batch] for end in (source, target))
            if ours != theirs:
                raise Conflict(
                    f"The database stands at another revision ({table}) than this Airflow makes.",
                    code="crossing-other-revision",
                    hint="Let the deployment become healthy first, so that its database is migrated.",
                )
    for table in want.keys() & have.keys():
        if unknown := have[table].keys() - want[table].keys():
            raise Conflict(
                f"{table} has a column {min(unknown)} that a fresh database of this Airflow has not.",
                code="crossing-unknown-column",
                hint="Drop the column, or move with the Airflow that made it.",
                details={"table": table},
            )


def _columns(source: End, target: End, have: Mapping[str, str], want: Mapping[str, str]) -> list[Column]:
    names = [name for name in want if name in have]
    if source.dialect == target.dialect:
        return columns_of(want, dict.fromkeys(want, ""), names)
    postgres, sqlite = (have, want) if source.dialect == "postgresql" else (want, have)
    return columns_of(postgres, sqlite, names)


def _digested(batches: Iterator[list[tuple[Any, ...]]], digest: RowDigest) -> Iterator[Sequence[Sequence[Any]]]:
    for batch in batches:
        digest.add(batch)
        yield batch
