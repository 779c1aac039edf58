"""Does a rehearsal: the job `deployment.rehearse`, and the step of a deploy that nobody rehearsed before.

The deployment is only read. A rehearsal that was killed starts anew: its folder and scratch databases are its own.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass

import structlog
from sqlalchemy.orm import Session

from aerodrome.fleet import steps, ways, wishes
from aerodrome.fleet.context import FleetContext
from aerodrome.fleet.hiding import Hiding
from aerodrome.fleet.spec import runtime_spec
from aerodrome.kernel.errors import AerodromeError, Stale
from aerodrome.kernel.ids import new_id
from aerodrome.store import outbox
from aerodrome.store.jobs import LeasedJob
from aerodrome.store.tables.deploy import DeployRow
from aerodrome.store.tables.deployment import DeploymentRow
from aerodrome.store.tables.rehearsal import RehearsalRow
from aerodrome.store.tables.snapshot import SnapshotRow

KIND = "deployment.rehearse"
_log = structlog.get_logger("aerodrome.fleet")


@dataclass(frozen=True)
class Rehearser:
    """The job's handler."""

    context: FleetContext

    def look(self, job: LeasedJob) -> None:
        """Do the rehearsal `job.key` unless it is done."""
        with self.context.store.reading() as session:
            row = session.get(RehearsalRow, job.key)
        if row is not None and row.finished_at is None:
            perform(self.context, row.id, lambda _line: None)


def new_row(deployment: DeploymentRow, wanted: DeployRow, snapshot: SnapshotRow | None, actor: str) -> RehearsalRow:
    """Give a rehearsal of exactly what a deploy wants; not in a session yet."""
    return RehearsalRow(
        id=new_id("reh"),
        deployment_id=deployment.id,
        kind="rollback" if wanted.cause == "rollback" else "upgrade",
        status="queued",
        from_version=deployment.airflow_version,
        to_version=wanted.airflow_version or deployment.airflow_version,
        python_version=wanted.python_version or deployment.python_version,
        bundle_digest=wanted.bundle_digest,
        extra_bundles=dict(wanted.extra_bundles or {}),
        rollback_of=wanted.rollback_of,
        snapshot_id=snapshot.id if snapshot is not None else None,
        log="",
        actor=actor,
    )


def vouches(row: RehearsalRow, deployment: DeploymentRow, wanted: DeployRow) -> bool:
    """Tell whether the rehearsal passed and tried exactly what the deploy wants."""
    tried = (row.deployment_id, row.from_version, row.to_version, row.python_version, row.bundle_digest)
    wants = (
        deployment.id,
        deployment.airflow_version,
        wanted.airflow_version,
        wanted.python_version or deployment.python_version,
        wanted.bundle_digest,
    )
    return row.status == "passed" and tried == wants


def perform(
    context: FleetContext, rehearsal_id: str, say: Callable[[str], None], wanted: DeployRow | None = None
) -> RehearsalRow:
    """Do it and write the report; gives the row as it ended: passed, refused (it found problems) or failed.

    `wanted`: the deploy that is tried; without it the row tells which it would be.
    """
    with wishes.writing(context) as session:
        row = session.get_one(RehearsalRow, rehearsal_id)
        row.status, row.log = "running", ""
        row.started_at = context.clock.now()
        deployment = session.get_one(DeploymentRow, row.deployment_id)
        current = ways.current_deploy(session, deployment)
        snapshot = session.get(SnapshotRow, row.snapshot_id) if row.snapshot_id else None
        wanted = wanted or _wanted(session, row, current)
    folder = context.home / "rehearsals" / rehearsal_id
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)

    def note(line: str) -> None:
        say(line)
        with context.store.writing() as writing:
            found = writing.get_one(RehearsalRow, rehearsal_id)
            found.log = steps.with_line(found.log, line, context.clock.now())

    report, error = None, None
    try:
        before = runtime_spec(context, deployment, current, note)
        after = runtime_spec(context, deployment, wanted, note)
        place = ways.folder_of(context, snapshot) if snapshot is not None else None
        hiding = Hiding(before, after)
        with hiding.errors():
            tried = context.runtime.rehearse(before, after, place, folder, lambda line: note(hiding.text(line)))
        report = hiding.data(asdict(tried))
    except Stale:
        raise
    except AerodromeError as failure:
        _log.warning("rehearsal.failed", rehearsal=rehearsal_id, code=failure.code, error=failure.message)
        error = failure.as_data()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    with wishes.writing(context) as session:
        row = session.get_one(RehearsalRow, rehearsal_id)
        row.report = report
        row.error = error
        row.status = "failed" if report is None else "refused" if report["problems"] else "passed"
        row.finished_at = context.clock.now()
        data = {"deployment_id": row.deployment_id, "from": row.from_version, "to": row.to_version}
        outbox.emit(session, f"rehearsal.{row.status}", row.id, data, row.actor)
        return row


def _wanted(session: Session, row: RehearsalRow, current: DeployRow | None) -> DeployRow:
    """Give what was asked for as a deploy that is in no session: the wanted project with the wanted versions."""
    base = session.get(DeployRow, row.rollback_of) if row.rollback_of else current
    return DeployRow(
        airflow_version=row.to_version,
        python_version=row.python_version,
        bundle_digest=row.bundle_digest,
        requirements=base.requirements if base is not None else [],
        extra_bundles=dict(row.extra_bundles),
        project=base.project if base is not None else None,
        revision=base.revision if base is not None else None,
    )
