"""A metadata database for a newer Airflow: that Airflow's own migration, on a copy, with a proof that nothing got lost."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from aerodrome.databases import preparations
from aerodrome.databases.airflows import run_migration
from aerodrome.databases.contract import AirflowTool, Progress, UpgradeResult
from aerodrome.databases.counts import require_airflow, revision_of, row_counts
from aerodrome.databases.places import Place, PostgresPlace, SqlitePlace, place_of, remove_sqlite
from aerodrome.kernel.errors import Broken
from aerodrome.kernel.secret import Secret

RENAMED = {
    "dataset": "asset",
    "dataset_alias": "asset_alias",
    "dataset_event": "asset_event",
    "dataset_dag_run_queue": "asset_dag_run_queue",
    "dagrun_dataset_event": "dagrun_asset_event",
    "dataset_alias_dataset": "asset_alias_asset",
    "dataset_alias_dataset_event": "asset_alias_asset_event",
}
"""Tables of Airflow 2 that Airflow 3 has under another name."""
_HISTORY = frozenset(
    {
        *("dag", "dag_run", "dag_run_note", "dag_tag", "task_instance", "task_instance_history", "task_instance_note"),
        *("task_map", "task_reschedule", "xcom", "rendered_task_instance_fields", "log", "variable", "connection"),
        *("slot_pool", "backfill", "backfill_dag_run", "asset", "asset_alias", "asset_event", "dagrun_asset_event"),
        *("asset_dag_run_queue", "asset_alias_asset", "asset_alias_asset_event", "hitl_detail", "ab_user"),
    }
)
"""Tables whose rows a migration must keep, by Airflow 3's names."""
_GIVEN_UP = frozenset({"task_fail", "sla_miss", "dag_pickle"})
"""Tables of Airflow 2 that Airflow 3 has no longer; task_fail says what task_instance and its history say too."""


@dataclass(frozen=True)
class _Draft:
    """A copy to work on, or the database itself when no copy can be made."""

    place: Place
    is_copy: bool


def upgrade(url: Secret, before: AirflowTool, after: AirflowTool, progress: Progress) -> UpgradeResult:
    """Bring the database to a newer Airflow by that Airflow's own `db migrate`, and prove that no history got lost.

    Nobody may be using it. The work happens on a copy that takes the database's place when all is proved (PostgreSQL
    without the right to create databases: in place). Broken `upgrade-lost-rows` leaves the original untouched.
    Repeating it after a crash is safe.
    """
    place, started = place_of(url), time.monotonic()
    revision = revision_of(url)
    require_airflow(revision, place.label)
    draft = _copy(place)
    progress(f"Copied the database to work on it ({time.monotonic() - started:.1f} s).")
    counts = row_counts(draft.place.url)
    is_major = before.version.split(".")[0] == "2" and after.version.split(".")[0] == "3"
    remarks = preparations.prepare(draft.place) if is_major else []
    migrated = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="aerodrome-migrate-") as home:
        run_migration(after, draft.place.url, Path(home), is_guarded=isinstance(place, SqlitePlace))
    progress(f"Airflow {after.version} migrated it in {time.monotonic() - migrated:.1f} s.")
    counts_after = row_counts(draft.place.url)
    set_aside = prove(counts, counts_after)
    if isinstance(draft.place, SqlitePlace):
        _check_foreign_keys(draft.place)
    result_revision = revision_of(draft.place.url)
    if draft.is_copy:
        _swap(place, draft.place)
    progress(f"All {sum(counts.values()):,} rows are accounted for; the database is Airflow {after.version}'s now.")
    return UpgradeResult(
        seconds=round(time.monotonic() - started, 3),
        rows_before=counts,
        rows_after=counts_after,
        revision_before=revision,
        revision_after=result_revision,
        set_aside=set_aside,
        remarks=tuple(remarks),
    )


def _copy(place: Place) -> _Draft:
    if isinstance(place, SqlitePlace):
        draft = place.sibling("upgrade")
        place.copy_to(draft.path)
        return _Draft(draft, is_copy=True)
    if not place.may_make_databases():
        return _Draft(place, is_copy=False)
    sibling = place.sibling("upgrade")
    sibling.create(template=place)
    return _Draft(sibling, is_copy=True)


def _swap(place: Place, draft: Place) -> None:
    if isinstance(place, PostgresPlace) and isinstance(draft, PostgresPlace):
        with draft.connect() as connection:
            connection.execute("analyze")
        place.take_over(draft)
    elif isinstance(place, SqlitePlace) and isinstance(draft, SqlitePlace):
        with closing(draft.connect()) as connection:
            connection.execute("pragma journal_mode=delete")  # nothing may be left in a WAL beside the draft
        place.take_over(draft.path)
        remove_sqlite(draft.path)


def prove(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    """Raise Broken when history is missing; give what the migration moved aside or gave up, by table."""
    moved = {name: rows for name, rows in after.items() if name.startswith(("_airflow_moved", "_xcom_archive"))}
    set_aside = {name: rows - before.get(name, 0) for name, rows in moved.items() if rows > before.get(name, 0)}
    lost = {}
    for name, rows in before.items():
        now = RENAMED.get(name, name) if name not in after else name
        if now not in _HISTORY:
            if name in _GIVEN_UP and name not in after and rows:
                set_aside[name] = rows
            continue
        found = after.get(now, 0) + sum(count for table, count in set_aside.items() if _is_home_of(table, now))
        if found < rows:
            lost[name] = rows - found
    if lost:
        words = ", ".join(f"{rows:,} of {name}" for name, rows in sorted(lost.items()))
        raise Broken(
            f"The migration lost rows: {words}. The database is as it was before.",
            code="upgrade-lost-rows",
            hint="Read the migration's notes for these tables, and mend the rows before another try.",
            details={"lost": lost},
        )
    return set_aside


def _is_home_of(aside: str, table: str) -> bool:
    return (aside == "_xcom_archive" and table == "xcom") or (
        aside.startswith("_airflow_moved") and aside.endswith(f"__{table}")
    )


def _check_foreign_keys(place: SqlitePlace) -> None:
    with closing(place.connect(is_read_only=True)) as connection:
        tables = sorted({row[0] for row in connection.execute("pragma foreign_key_check")})
    if tables:
        raise Broken(
            f"After the migration rows refer to nothing, in {', '.join(tables)}. The database is as it was before.",
            code="upgrade-broke-references",
            hint="Run PRAGMA foreign_key_check on the database and remove what it names, then try again.",
            details={"tables": tables},
        )
