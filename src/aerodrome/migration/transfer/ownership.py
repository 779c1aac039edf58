"""Tells which runs in a target were moved there, and which it made or ran again itself: those are never changed.

Airflow 3 gives each run that it makes the version of its DAG; an imported one has none, or the version that stands for the
time before the migration (`versions.py`). Airflow 2 has no versions: there our mark stands in `dag_hash`. As soon as a
scheduler works on a run, a cleared one for example, it writes `last_scheduling_decision` (DagRun.update_state, 2.10 to
3.3.2), which an import leaves empty.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, Table, or_, select

from aerodrome.migration.estate.history import FINAL_RUN_STATES
from aerodrome.migration.transfer.airflow2 import IMPORT_HASH
from aerodrome.migration.transfer.target import TargetDatabase

LEGACY = "beforemigration"
"""`dag_version.bundle_version` of the version that stands for the time before the migration.

It reads like the name of a deploy (`aerodrome_airflow.bundle`): Airflow 3.0 and 3.1 open the bundle to show a version.
"""

_LEGACY_IDS = f"(select id from dag_version where bundle_version = '{LEGACY}')"


def is_import_sql(*, is_airflow2: bool, alias: str) -> str:
    """Give the condition on `dag_run`, under that alias, that a run was moved here and not touched since."""
    states = ", ".join(f"'{state}'" for state in FINAL_RUN_STATES)
    untouched = f"{alias}.state in ({states}) and {alias}.last_scheduling_decision is null"
    if is_airflow2:
        return f"({alias}.dag_hash = '{IMPORT_HASH}' and {untouched})"
    return f"({is_old_sql(alias, 'created_dag_version_id')} and {untouched})"


def is_old_sql(alias: str, column: str) -> str:
    """Give the condition that a version is none, or the one before the migration; Airflow 3 only."""
    return f"({alias}.{column} is null or {alias}.{column} in {_LEGACY_IDS})"


def is_import(target: TargetDatabase, run: Table) -> ColumnElement[bool]:
    """Give the same condition for the reflected table `dag_run`; never NULL."""
    untouched = run.c.state.in_(FINAL_RUN_STATES) & run.c.last_scheduling_decision.is_(None)
    if target.is_airflow2:
        return run.c.dag_hash.is_not_distinct_from(IMPORT_HASH) & untouched
    version = target.table("dag_version")
    legacy = select(version.c.id).where(version.c.bundle_version == LEGACY)
    return or_(run.c.created_dag_version_id.is_(None), run.c.created_dag_version_id.in_(legacy)) & untouched
