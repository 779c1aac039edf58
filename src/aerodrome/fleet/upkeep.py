"""The upkeep of deployments: pools as wished, old task logs removed, and, when wished, old rows of the metadata database cleaned.

The job "deployment.upkeep" of a deployment runs once a day, and soon after a change of the wishes. Cleaning uses Airflow's own
`airflow db clean`, which keeps the newest run of every DAG; unfinished runs, and all that is younger than they are, are kept by us.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from aerodrome.access.actor import Actor
from aerodrome.fleet import lookup
from aerodrome.fleet.acts import queries as acts
from aerodrome.fleet.context import FleetContext
from aerodrome.fleet.spec import runtime_spec
from aerodrome.kernel.clock import to_text
from aerodrome.kernel.errors import AerodromeError, Broken, Conflict, Unavailable
from aerodrome.store import jobs, outbox
from aerodrome.store.jobs import LeasedJob
from aerodrome.store.tables.deploy import DeployRow
from aerodrome.store.tables.deployment import DeploymentRow, ObservationRow

KIND = "deployment.upkeep"
_EVERY = timedelta(days=1)
_SOON = timedelta(minutes=2)  # Airflow is not up yet
_CLEAN_S = 1800.0
_TABLE = re.compile(r"(?:for|Checking) table '?(\w+)")
_FOUND = re.compile(r"Found (\d+) rows meeting deletion criteria")
_log = structlog.get_logger("aerodrome.fleet")


@dataclass(frozen=True)
class Cleaning:
    """What a cleaning of old rows removes, or would remove."""

    before: datetime
    rows: Mapping[str, int]  # table -> rows; only tables with some
    is_dry_run: bool
    held_by: str | None = None  # an unfinished run older than was wished; `before` is when it began


def ask(session: Session, deployment_id: str) -> None:
    """Ask for an upkeep soon."""
    jobs.enqueue(session, KIND, deployment_id, lane=f"{KIND}:{deployment_id}")


def clean(context: FleetContext, actor: Actor, ref: str, days: int, *, is_dry_run: bool) -> Cleaning:
    """Remove rows older than so many days by `airflow db clean`, or only count them. Conflict unless Airflow runs."""
    with context.store.reading() as session:
        row = lookup.deployment(session, actor, ref, "deployment.update" if not is_dry_run else "deployment.read")
        if acts.is_held(session, row.id) or row.desired != "running":
            raise Conflict(f"{row.name} does not run now.", code="deployment-not-running", hint="Wake it, then clean.")
    return _clean(context, row, days, is_dry_run=is_dry_run)


@dataclass(frozen=True)
class Keeper:
    """Handles the job of one deployment."""

    context: FleetContext
    prune: Callable[[str], int] = lambda _deployment_id: 0  # lets go of old backups

    def ask_all(self) -> None:
        """Ask for the upkeep of every deployment; called at start."""
        with self.context.store.writing() as session:
            for deployment_id in session.scalars(select(DeploymentRow.id)):
                ask(session, deployment_id)

    def look(self, job: LeasedJob) -> datetime | None:
        """Do what is due and come again tomorrow."""
        now = self.context.clock.now()
        with self.context.store.reading() as session:
            row = session.get(DeploymentRow, job.key)
            if row is None or row.desired == "deleted":
                return None
            seen = session.get(ObservationRow, row.id)
            deploy = session.get(DeployRow, row.current_deploy_id) if row.current_deploy_id else None
            is_up = seen is not None and seen.health in ("healthy", "degraded") and row.desired == "running"
            is_held = acts.is_held(session, row.id)
        self.prune(row.id)
        if is_held or (not is_up and row.desired == "running"):
            return now + _SOON
        try:
            spec = runtime_spec(self.context, row, deploy, lambda _line: None)
            done = self.context.runtime.databases.keep_up(spec, row.pools, row.log_retention_days)
            days = int((row.upkeep or {}).get("clean_days", 0))
            cleaned = _clean(self.context, row, days, is_dry_run=False) if days and is_up else None
        except Unavailable:
            return now + _SOON
        except AerodromeError as error:
            _log.warning("deployment.upkeep_failed", deployment=row.id, code=error.code, error=error.message)
            return now + _EVERY
        if done.pools or done.log_files or (cleaned and cleaned.rows):
            data = {
                "name": row.name,
                "workspace_id": row.workspace_id,
                "pools": list(done.pools),
                "log_files": done.log_files,
                "log_bytes": done.log_bytes,
                "rows": dict(cleaned.rows) if cleaned else {},
            }
            with self.context.store.writing() as session:
                outbox.emit(session, "deployment.tidied", row.id, data, "system")
        return now + _EVERY


def _clean(context: FleetContext, row: DeploymentRow, days: int, *, is_dry_run: bool) -> Cleaning:
    before = context.clock.now() - timedelta(days=max(days, 1))
    with context.store.reading() as session:
        deploy = session.get(DeployRow, row.current_deploy_id) if row.current_deploy_id else None
    spec = runtime_spec(context, row, deploy, lambda _line: None)
    oldest = context.runtime.databases.oldest_unfinished(spec)
    held_by = None
    if oldest is not None and oldest.since <= before:  # Airflow would remove the run while it is on its way
        before, held_by = oldest.since, f"{oldest.dag_id} {oldest.run_id}"
    moment = to_text(before) or ""
    words = ["airflow", "db", "clean", "--clean-before-timestamp", moment, "--yes"]
    words += ["--dry-run"] if is_dry_run else ["--skip-archive"]
    done = context.runtime.run(spec, words, given="", timeout_s=_CLEAN_S)
    if done.exit_code != 0:
        said = [line for line in f"{done.output}\n{done.errors}".splitlines() if line.strip()]
        raise Broken(
            f"`airflow db clean` failed: {said[-1][:200] if said else 'it said nothing'}",
            code="clean-failed",
            hint="Nothing else was changed.",
        )
    return Cleaning(before, read_counts(done.output), is_dry_run, held_by)


def read_counts(output: str) -> dict[str, int]:
    """Read how many rows `airflow db clean` found per table (2.11.2 and 3.3.2 write the same)."""
    counts: dict[str, int] = {}
    table = ""
    for line in output.splitlines():
        if (found := _FOUND.search(line)) is not None:
            if table and int(found[1]):
                counts[table] = int(found[1])
        elif (named := _TABLE.search(line)) is not None:
            table = named[1]
    return counts
