"""Reads of migrations into frozen views."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from aerodrome.kernel.errors import Conflict, NotFound
from aerodrome.migration.service.views import MigrationView, StepView, TrackStatus, TrackView
from aerodrome.store import journal
from aerodrome.store.journal import JournalStep
from aerodrome.store.tables.journal import JournalStepRow
from aerodrome.store.tables.migration import MigrationRow
from aerodrome.store.tables.workspace import WorkspaceRow

WALKING = ("applying", "cutting-over", "rolling-back")


def find(session: Session, ref: str) -> MigrationRow:
    """Give the row by id or name; NotFound, or Conflict when the name stands in several workspaces."""
    rows = session.scalars(
        select(MigrationRow).where(or_(MigrationRow.id == ref, MigrationRow.name == ref)).limit(2)
    ).all()
    if not rows:
        raise NotFound(
            f"There is no migration {ref!r}.",
            code="migration-unknown",
            hint="`aerodrome migrate list` shows them all.",
        )
    if len(rows) > 1:
        raise Conflict(
            f"Several migrations are named {ref!r}.",
            code="migration-ambiguous",
            hint="Name it by its id: `aerodrome migrate list`.",
        )
    return rows[0]


def workspace_name(session: Session, workspace_id: str) -> str:
    """Give the name of a migration's workspace."""
    return session.get_one(WorkspaceRow, workspace_id).name


def rows(session: Session, workspace_ids: Sequence[str] | None) -> Sequence[MigrationRow]:
    """Give the migrations of these workspaces (None: of all), newest first."""
    query = select(MigrationRow).order_by(MigrationRow.id.desc())
    if workspace_ids is not None:
        query = query.where(MigrationRow.workspace_id.in_(workspace_ids))
    return session.scalars(query).all()


def view(session: Session, row: MigrationRow) -> MigrationView:
    """Give a migration with its tracks and steps."""
    tracks = tuple(
        _track(summary.track, journal.steps(session, row.id, summary.track), is_walked=row.status in WALKING)
        for summary in journal.tracks(session, row.id)
    )
    return MigrationView(
        id=row.id,
        name=row.name,
        workspace_id=row.workspace_id,
        source_kind=row.source["kind"],
        source_label=row.source["label"],
        source_version=row.source_version,
        target_deployment_id=row.target_deployment_id,
        target_version=row.target_version,
        status=row.status,  # type: ignore[arg-type]
        estate_digest=row.estate_digest,
        plan_digest=row.plan_digest,
        found=row.found,
        findings=row.findings,
        waves=tuple(row.waves),
        tracks=tracks,
        error=row.error,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def moved(session: Session, migration_id: str) -> set[str]:
    """Give the DAGs that live in the target now: started there, and not rolled back (that makes their steps pending again)."""
    query = select(JournalStepRow.params).where(
        JournalStepRow.subject == migration_id,
        JournalStepRow.kind == "cutover.unpause",
        JournalStepRow.status == "done",
    )
    return {str(params["dag_id"]) for params in session.scalars(query)}


def _track(name: str, steps: Sequence[JournalStep], *, is_walked: bool) -> TrackView:
    states = {step.status for step in steps}
    status: TrackStatus
    if states <= {"done"}:
        status = "done"
    elif "failed" in states:
        status = "failed"
    elif "running" in states or "done" in states:
        status = "running" if is_walked else "stopped"
    else:
        status = "pending"
    return TrackView(name, status, tuple(step_view(step) for step in steps))


def step_view(step: JournalStep) -> StepView:
    """Give a journal step as others see it."""
    return StepView(
        key=step.key,
        phase=step.phase,
        kind=step.kind,
        title=step.title,
        status=step.status,
        attempts=step.attempts,
        progress=step.progress or None,
        started_at=step.started_at,
        finished_at=step.finished_at,
        result=step.result,
        error=step.error,
    )
