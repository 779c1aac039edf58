"""Which versions of DAG bundles an Airflow may still run: those that unfinished runs and task instances are pinned to.

Called by runtimes before they remove old releases. Airflow >= 3.0 keeps `bundle_version` on dag_run and dag_version (3.3.2);
before that nothing is pinned.
"""

from __future__ import annotations

from sqlalchemy import select, union

from aerodrome.airflowkit.metadata import MetadataDatabase
from aerodrome.airflowkit.vitals import UNFINISHED
from aerodrome.kernel.secret import Secret


def pinned_versions(url: Secret) -> frozenset[str]:
    """Give the versions, of all bundles together. Unavailable when the database does not answer."""
    database = MetadataDatabase(url)
    if not database.has("dag_run", "bundle_version"):
        return frozenset()
    runs = database.table("dag_run")
    pinned = [select(runs.c.bundle_version).where(runs.c.state.in_(("queued", "running")))]
    if database.has("task_instance", "dag_version_id") and database.has("dag_version", "bundle_version"):
        tasks, versions = database.table("task_instance"), database.table("dag_version")
        pinned.append(
            select(versions.c.bundle_version)
            .join(tasks, tasks.c.dag_version_id == versions.c.id)
            .where(tasks.c.state.in_(UNFINISHED))
        )
    with database.reading() as connection:
        return frozenset(row[0] for row in connection.execute(union(*pinned)) if row[0])
