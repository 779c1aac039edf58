"""The way back: restore the snapshot next to its place, carry along what was made since, then swap it in."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from psycopg import sql

from aerodrome.databases.back.archive import archived
from aerodrome.databases.back.carrying import Crossing
from aerodrome.databases.back.naming import free_next_names
from aerodrome.databases.back.objects import carry_after_history, carry_before_history, set_sequences
from aerodrome.databases.back.runs import carry_history
from aerodrome.databases.back.sides import quoted, reading, writing
from aerodrome.databases.contract import (
    AirflowTool,
    Archived,
    Carried,
    DatabaseSnapshot,
    LossReport,
    Progress,
    Renamed,
)
from aerodrome.databases.counts import revision_of
from aerodrome.databases.places import Place, PostgresPlace, SqlitePlace, place_of, remove_sqlite
from aerodrome.databases.snapshots import check_dialect, check_files, load_postgres, read_snapshot, restore_sqlite
from aerodrome.kernel.clock import from_text
from aerodrome.kernel.errors import Denied, Invalid
from aerodrome.kernel.secret import Secret

_REPORT = "way-back.json"
_REMARKS = (
    "Tasks that ran when the newer Airflow stopped are scheduled again by the older one.",
    "XComs, notes and audit entries deleted by hand since then, of tasks that did not run again, are back.",
)


def prepare_way_back(snapshot_folder: Path, older_url: Secret, progress: Progress) -> None:
    """Restore the snapshot next to where `go_back` will need it, while the newer Airflow still runs; saves time, no more.

    PostgreSQL only (SQLite needs no preparation). Repeating it does nothing.
    """
    made, place = read_snapshot(snapshot_folder), place_of(older_url)
    check_dialect(made, place)
    if isinstance(place, PostgresPlace):
        check_files(made)
        _postgres_draft(made, place, progress)


def discard_way_back(older_url: Secret) -> None:
    """Remove what `prepare_way_back` made, when the way back is not walked after all."""
    draft = place_of(older_url).sibling("back")
    if isinstance(draft, SqlitePlace):
        remove_sqlite(draft.path)
    else:
        draft.drop()


def go_back(
    snapshot_folder: Path,
    newer_url: Secret,
    older_url: Secret,
    older: AirflowTool,
    newer_version: str,
    progress: Progress,
) -> LossReport:
    """Make `older_url` the snapshot plus whatever was made or changed since in `newer_url`, as far as the older can hold it.

    `newer_url` is only read; nobody may write to it meanwhile. The two may be the same database: it is replaced at the
    very end, in one step. All or nothing; repeating it after a crash is safe.
    """
    started, made = time.monotonic(), read_snapshot(snapshot_folder)
    source, target = place_of(newer_url), place_of(older_url)
    if source == target and revision_of(newer_url) == made.revision:
        return _report_of_before(made)
    check_dialect(made, target)
    check_dialect(made, source)
    draft = _draft(made, target, progress)
    with reading(source) as newer, writing(draft) as side:
        major, minor = (int(part) for part in older.version.split(".")[:2])
        crossing = Crossing(newer, side, made.taken_at, (major, minor))
        carried, left = _carry(crossing, progress)
        renamed = free_next_names(crossing)
        if isinstance(draft, PostgresPlace):  # in the same transaction: it is no mere copy of the snapshot any more
            side.run(f"comment on database {quoted(draft.name)} is null")
    report = LossReport(
        carried=tuple(carried),
        archived=tuple(left),
        seconds=round(time.monotonic() - started, 3),
        older_version=older.version,
        newer_version=newer_version,
        taken_at=made.taken_at,
        remarks=_REMARKS,
        renamed=renamed,
    )
    _keep(made, report)
    progress("The older database is ready; it takes its place now.")
    _swap(draft, target)
    progress(f"The database is Airflow {older.version}'s again, {time.monotonic() - started:.1f} s after the start.")
    return report


def _carry(crossing: Crossing, progress: Progress) -> tuple[list[Carried], list[Archived]]:
    started = time.monotonic()
    carried = carry_before_history(crossing)
    carried += carry_history(crossing)
    progress(f"Carried the history along ({time.monotonic() - started:.1f} s).")
    carried += carry_after_history(crossing)
    set_sequences(crossing)
    left = archived(crossing)
    rows = sum(one.inserted + one.updated for one in carried)
    progress(
        f"Carried {rows:,} rows along in {time.monotonic() - started:.1f} s; {sum(one.count for one in left):,} stay archived."
    )
    return carried, left


def _draft(made: DatabaseSnapshot, target: Place, progress: Progress) -> Place:
    """Give a fresh copy of the snapshot next to the target; restored before, if `prepare_way_back` did it."""
    check_files(made)
    if isinstance(target, SqlitePlace):
        draft = target.sibling("back")
        restore_sqlite(made, draft.path)
        return draft
    return _postgres_draft(made, target, progress)


def _postgres_draft(made: DatabaseSnapshot, target: PostgresPlace, progress: Progress) -> PostgresPlace:
    """The draft is written to in one transaction only, so a killed try leaves it as it was restored."""
    if not target.may_make_databases():
        raise Denied(
            f"The user of {target.label} may not make databases, so there is no place for the way back.",
            code="database-right-missing",
            hint="As an administrator of the server: ALTER ROLE … CREATEDB.",
        )
    draft, mark = target.sibling("back"), f"aerodrome: restored {made.digest}"
    with target.maintenance().connect() as connection:
        row = connection.execute(
            "select shobj_description(oid, 'pg_database') from pg_database where datname = %s", [draft.name]
        ).fetchone()
        if row and row[0] == mark:
            return draft
        started = time.monotonic()
        draft.create(like=target)
        load_postgres(made, draft)
        with draft.connect() as fresh:
            fresh.execute("analyze")
        statement = sql.SQL("comment on database {} is {}")
        connection.execute(statement.format(sql.Identifier(draft.name), sql.Literal(mark)))
    progress(f"Restored the snapshot in {time.monotonic() - started:.1f} s.")
    return draft


def _swap(draft: Place, target: Place) -> None:
    if isinstance(draft, SqlitePlace) and isinstance(target, SqlitePlace):
        target.take_over(draft.path)
        remove_sqlite(draft.path)
    elif isinstance(draft, PostgresPlace) and isinstance(target, PostgresPlace):
        target.take_over(draft)


def _keep(made: DatabaseSnapshot, report: LossReport) -> None:
    """Write the report beside the snapshot, for a repetition after the swap."""
    path = made.folder / _REPORT
    draft = path.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        json.dump(report.as_data(), stream)
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(path)


def _report_of_before(made: DatabaseSnapshot) -> LossReport:
    """Give the report of a way back that was walked before; Invalid when the database simply is not a newer one."""
    try:
        data = json.loads((made.folder / _REPORT).read_text())
    except FileNotFoundError:
        raise Invalid(
            "The database already has the older Airflow's schema; there is nothing to go back from.",
            code="way-back-not-needed",
            hint="Restore the snapshot instead, if that is what you want.",
        ) from None
    taken_at = from_text(data["taken_at"])
    assert taken_at is not None  # noqa: S101
    return LossReport(
        carried=tuple(Carried(**one) for one in data["carried"]),
        archived=tuple(Archived(**{**one, "examples": tuple(one["examples"])}) for one in data["archived"]),
        seconds=data["seconds"],
        older_version=data["older_version"],
        newer_version=data["newer_version"],
        taken_at=taken_at,
        remarks=tuple(data["remarks"]),
        renamed=tuple(Renamed(**one) for one in data.get("renamed", ())),
    )
