"""What the worker does for migrations: assess a source, walk a track. Level-triggered: each looks at the rows first."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy.orm import Session

from aerodrome.access.actor import SYSTEM, Actor
from aerodrome.kernel.errors import AerodromeError, Broken
from aerodrome.kernel.files import write_text
from aerodrome.migration.assess import assess
from aerodrome.migration.assess import report as assess_report
from aerodrome.migration.cutover import Ended
from aerodrome.migration.cutover.hosted import HostedTarget
from aerodrome.migration.estate.archive import Estate
from aerodrome.migration.plan import PlanDefaults, compile_plan, describe, propose, to_yaml
from aerodrome.migration.service import bridging, differing, queries, reviewing
from aerodrome.migration.service.conducting import conduct, mark_of, worst
from aerodrome.migration.service.context import StepContext, Stopped
from aerodrome.migration.service.fencing import LOOK_EVERY, Fence, handed_over
from aerodrome.migration.service.folder import MigrationFolder, write_json
from aerodrome.migration.service.handlers import HANDLERS
from aerodrome.migration.service.proofs.contract import PROOF_JOB
from aerodrome.migration.service.proofs.walk import ProofJobs
from aerodrome.migration.service.runner import walk
from aerodrome.migration.service.service import Migrations
from aerodrome.migration.service.tracks import APPLY, ASSESS_JOB, CUTOVER, FENCE_JOB, ROLLBACK, WALK_JOB, walking
from aerodrome.migration.service.wayback import settle
from aerodrome.migration.sources.capture import capture
from aerodrome.store import jobs, journal, outbox
from aerodrome.store.jobs import LeasedJob
from aerodrome.store.tables.migration import MigrationRow

_log = structlog.get_logger("aerodrome.migration")
JobHandler = Callable[[LeasedJob], datetime | None]
FIRST_RUN = {
    "first-run-late": "first-run-late",
    "first-run-failed": "first-run-failed",
    "first-run-unexpected": "first-run-failed",
}
"""Codes of errors of a first cycle -> the event that tells of it."""
MOST_TOLD = 20
WATCHES = frozenset({FENCE_JOB, bridging.JOB})
"""Kinds of jobs that look every few seconds and move no migration on."""


@dataclass(frozen=True)
class MigrationJobs:
    """The job handlers of the migration room; `handlers()` goes to the worker."""

    migrations: Migrations
    target_version: str  # of a proposed plan
    is_stopping: Callable[[], bool] = lambda: False

    def handlers(self) -> Mapping[str, JobHandler]:
        proofs = ProofJobs(self.migrations, self.is_stopping)
        return {
            ASSESS_JOB: self.assess,
            WALK_JOB: self.walk,
            FENCE_JOB: self.fence,
            bridging.JOB: self.bridge,
            PROOF_JOB: proofs.look,
            differing.JOB: self.diff,
            reviewing.JOB: self.review_code,
        }

    def assess(self, job: LeasedJob) -> None:
        """Scan the source into a new frozen estate, assess it, propose a plan. Writes the row only at the end."""
        row = self._row(job.key)
        if row.status != "assessing":
            return
        folder = self.migrations.folder_of(row)
        try:
            estate = self._scan(row, folder)
            assessment = assess(estate, self.target_version)
            settings = propose(estate, assessment, self._defaults(row))
            text = to_yaml(settings, describe(estate, assessment))
            frozen = compile_plan(settings, estate)
            write_json(folder.assessment_json, assess_report.to_json(assessment, estate))
            write_text(folder.assessment_html, assess_report.to_html(assessment, estate))
        except AerodromeError as error:
            if error.retryable and job.attempt < 3:
                raise
            self._failed(row.id, error)
            return
        with self.migrations.store.writing() as session:
            fresh = queries.find(session, row.id)
            fresh.estate_digest = estate.digest
            fresh.source_version = estate.header.source_version
            fresh.found = found_in(estate)
            fresh.findings = dict(assessment.counts)
            self.migrations.keep_plan(session, fresh, text, frozen)
            scope = f"workspace/{fresh.workspace_id}/migration/{fresh.id}"
            outbox.emit(session, "migration.assessed", scope, {"name": fresh.name, **fresh.findings}, "system")

    def walk(self, job: LeasedJob) -> datetime | None:
        """Walk a track until its end or its first failure; an error stands in the journal and on the migration."""
        row = self._row(job.payload["migration"])
        track = str(job.payload["track"])
        if row.status != walking(track):
            return None
        context = self._context(row, Actor.from_data(job.payload["actor"]))
        ended: Ended | None = None
        try:
            if track.startswith((CUTOVER, ROLLBACK)):
                ended = conduct(self.migrations.store, context, track)
                error = worst(ended)
            else:
                error = walk(self.migrations.store, context, track, HANDLERS)
        except Stopped:
            return self.migrations.clock.now()
        except AerodromeError as failure:  # a side that cannot be opened at all
            if failure.retryable and job.attempt < 3:
                raise
            error = failure
        finally:
            context.close()
        if track.startswith(CUTOVER):
            with self.migrations.store.writing() as session:
                if handed_over(session, row.id):
                    jobs.enqueue(
                        session,
                        FENCE_JOB,
                        f"{row.id}/fence",
                        lane=f"migration-fence/{row.id}",
                        payload={"migration": row.id, "actor": job.payload["actor"]},
                    )
        if track.startswith(ROLLBACK):
            with self.migrations.store.writing() as session:
                settle(session, row.id, track.removeprefix(ROLLBACK))
        if ended is not None and track.startswith(CUTOVER):
            with self.migrations.store.writing() as session:
                tell_ended(session, row, track.removeprefix(CUTOVER), ended)
        if error is not None:
            self._failed(row.id, error)
            return None
        with self.migrations.store.writing() as session:
            fresh = queries.find(session, row.id)
            fresh.updated_at = self.migrations.clock.now()
            fresh.target_deployment_id = context.deployment_id
            view = queries.view(session, fresh)
            done = {item.name for item in view.tracks if item.status == "done"}
            everything = {APPLY, *(f"cutover:{wave}" for wave in fresh.waves)}
            fresh.status = "done" if everything <= done and fresh.waves else "applied"
            scope = f"workspace/{fresh.workspace_id}/migration/{fresh.id}"
            outbox.emit(session, "migration.track-done", scope, {"name": fresh.name, "track": track}, "system")

        return None

    def review_code(self, job: LeasedJob) -> None:
        """Show what the code step would change; a plan that does not fit any more is told to the one who asked."""
        row = self._row(job.key)
        folder = self.migrations.folder_of(row)
        try:
            settings = self.migrations.frozen(row).settings
            estate = self.migrations.estate_of(row)
            reviewing.make(folder, self.migrations.config_of(row), settings, estate)
        except AerodromeError as error:
            reviewing.failed(folder, error)

    def bridge(self, job: LeasedJob) -> datetime | None:
        """Carry between the sides what DAGs on the other one wait for, while a part of the DAGs has moved."""
        row = self._row(job.key)
        if row.estate_digest is None or row.target_deployment_id is None:
            return None
        with self.migrations.store.reading() as session:
            moved = queries.moved(session, row.id)
        try:
            with closing(self._context(row, SYSTEM)) as context:
                context.results["environment.deployment"] = {"deployment_id": row.target_deployment_id}
                is_needed = bridging.look(context, moved)
        except AerodromeError as error:  # what does not answer, or fit, now may later; people see it on the page
            bridging.note_problem(self.migrations.folder_of(row), error)
            return self.migrations.clock.now() + bridging.AGAIN_AFTER
        is_walking = row.status in queries.WALKING
        return self.migrations.clock.now() + bridging.EVERY if is_needed or is_walking else None

    def diff(self, job: LeasedJob) -> None:
        """Compare source and target; the answer, or why there is none, stands in the migration's folder."""
        row = self._row(job.payload["migration"])
        folder = self.migrations.folder_of(row)
        try:
            with closing(self._context(row, Actor.from_data(job.payload["actor"]))) as context:
                context.results["environment.deployment"] = {"deployment_id": job.payload["deployment"]}
                steps = self.migrations.frozen(row).steps
                objects = {
                    step.kind.removeprefix("transfer."): step.params["keys"]
                    for step in steps
                    if "keys" in step.params and not (step.params.get("backend") or step.params.get("place"))
                }
                differing.compare(context, job.payload["dag_ids"], objects)
        except AerodromeError as error:
            if error.retryable and job.attempt < 3:
                raise
            differing.failed(folder, self.migrations.clock, error)

    def fence(self, job: LeasedJob) -> datetime | None:
        """Look whether a DAG that was handed over is active in the source; look again while there are such DAGs."""
        row = self._row(job.payload["migration"])
        now = self.migrations.clock.now()
        try:
            with self.migrations.store.reading() as session:
                steps = journal.steps(session, row.id, APPLY)
            with closing(self._context(row, Actor.from_data(job.payload["actor"]))) as context:
                context.results |= {step.key: step.result or {} for step in steps if step.status == "done"}
                watched = Fence(
                    self.migrations.store,
                    row.id,
                    f"workspace/{row.workspace_id}/migration/{row.id}",
                    context.source,
                    HostedTarget(context.target, context.rest),
                    mark_of(row.id),
                    context.settings["policies"]["fence"],
                ).look(now)
        except AerodromeError as error:
            _log.warning("fence.blind", migration=row.id, code=error.code)
            watched = 1
        return now + LOOK_EVERY if watched else None

    # --- inside --------------------------------------------------------------------------------------------------

    def _scan(self, row: MigrationRow, folder: MigrationFolder) -> Estate:
        draft = folder.root / "estate.draft"
        shutil.rmtree(draft, ignore_errors=True)
        with closing(self.migrations.open_source(row)) as source:
            estate = capture(source, row.name, draft, self.migrations.clock, lambda _what, _done, _total: None)
        place = folder.estate(estate.digest)
        if place.exists():
            shutil.rmtree(draft)
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            draft.rename(place)
        return Estate.open(place)

    def _defaults(self, row: MigrationRow) -> PlanDefaults:
        with self.migrations.store.reading() as session:
            name = queries.workspace_name(session, row.workspace_id)
        return PlanDefaults(workspace=name, deployment=row.name, airflow_version=self.target_version)

    def _context(self, row: MigrationRow, actor: Actor) -> StepContext:
        if row.estate_digest is None:
            raise Broken("The migration has no estate.", code="not-assessed")
        return StepContext(
            migration_id=row.id,
            actor=actor,
            settings=self.migrations.frozen(row).settings,
            folder=self.migrations.folder_of(row),
            fleet=self.migrations.fleet,
            bundles=self.migrations.bundles,
            clock=self.migrations.clock,
            open_source=lambda: self.migrations.open_source(row),
            estate_digest=row.estate_digest,
            source_config=self.migrations.config_of(row),
            results={},
            is_stopping=self.is_stopping,
        )

    def _row(self, migration_id: str) -> MigrationRow:
        with self.migrations.store.reading() as session:
            return queries.find(session, migration_id)

    def _failed(self, migration_id: str, error: AerodromeError) -> None:
        with self.migrations.store.writing() as session:
            row = queries.find(session, migration_id)
            row.status, row.error, row.updated_at = "failed", error.as_data(), self.migrations.clock.now()
            scope = f"workspace/{row.workspace_id}/migration/{row.id}"
            outbox.emit(session, "migration.failed", scope, {"name": row.name, "code": error.code}, "system")


def tell_ended(session: Session, row: MigrationRow, wave: str, ended: Ended) -> None:
    """Say which first cycles were late or failed, and that a wave stopped: events that alert channels are told."""
    if not ended.errors:
        return
    scope = f"workspace/{row.workspace_id}/migration/{row.id}"
    for dag_id, error in list(ended.errors.items())[:MOST_TOLD]:
        if error.code in FIRST_RUN:
            data = {"name": row.name, "wave": wave, "dag_id": dag_id, "message": error.message}
            outbox.emit(session, f"migration.{FIRST_RUN[error.code]}", scope, data, "system")
    told = {"name": row.name, "wave": wave, "failed": len(ended.errors), "dags": list(ended.errors)[:MOST_TOLD]}
    outbox.emit(session, "migration.wave-stopped", scope, told, "system")


def found_in(estate: Estate) -> dict[str, Any]:
    """Count what the estate holds: records by kind, and the history that its DAGs have."""
    counts: dict[str, Any] = {kind: count for kind, count in estate.counts.items() if count}
    runs = tasks = 0
    for dag in estate.records("dag"):
        runs += sum(dag.run_states.values())
        tasks += sum(dag.task_states.values())
    return {**counts, "run": runs, "task_instance": tasks}
