"""The worker's side of proofs: walks the steps of one proof, intent committed, act, outcome committed. Safe to repeat."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import structlog

from aerodrome.access.actor import Actor
from aerodrome.kernel.errors import AerodromeError, Broken
from aerodrome.migration.service.context import Later, Stopped
from aerodrome.migration.service.proofs import checking, comparing, ending, promoting
from aerodrome.migration.service.proofs.contract import ProofContext
from aerodrome.store import journal, outbox
from aerodrome.store.jobs import LeasedJob
from aerodrome.store.tables.migration import MigrationRow
from aerodrome.store.tables.proof import ProofRow

if TYPE_CHECKING:
    from aerodrome.migration.service.service import Migrations

Handler = Callable[[ProofContext, Mapping[str, Any]], Mapping[str, Any]]
HANDLERS: Mapping[str, Handler] = {**comparing.HANDLERS, **checking.HANDLERS, **ending.HANDLERS, **promoting.HANDLERS}
SUMMARIES: Mapping[str, Callable[[Mapping[str, Mapping[str, Any]]], Mapping[str, Any]]] = {
    "compare": comparing.summary,
    "checklist": checking.summary,
    "decommission": ending.summary,
    "promotion": promoting.summary,
}
ATTEMPTS = 3
PROGRESS_EVERY_S = 0.3
_log = structlog.get_logger("aerodrome.migration")


@dataclass(frozen=True)
class ProofJobs:
    """The job handler of proofs."""

    migrations: Migrations
    is_stopping: Callable[[], bool] = lambda: False

    def look(self, job: LeasedJob) -> datetime | None:
        """Walk what is not done yet; the result or the error stands on the proof afterwards."""
        store = self.migrations.store
        with store.writing() as session:
            proof = session.get(ProofRow, job.key)
            if proof is None or proof.status not in ("queued", "running"):
                return None
            proof.status = "running"
            migration = session.get_one(MigrationRow, proof.migration_id)
            context = ProofContext(
                self.migrations, migration, proof.id, dict(proof.params), Actor.from_data(proof.actor), {},
                is_stopping=self.is_stopping,
            )  # fmt: skip
            kind = proof.kind
            session.flush()
            session.expunge_all()
        try:
            error = self._walk(context, kind)
        except Stopped:
            return self.migrations.clock.now()
        except Later as wait:
            return self.migrations.clock.now() + timedelta(seconds=wait.seconds)
        finally:
            context.close()
        self._settle(context, kind, error)
        return None

    def _walk(self, context: ProofContext, kind: str) -> AerodromeError | None:
        with self.migrations.store.reading() as session:
            steps = journal.steps(session, context.proof_id, kind)
        for step in steps:
            if step.status == "done":
                context.results[step.key] = step.result or {}
                continue
            if context.is_stopping():
                raise Stopped
            if (error := self._step(context, kind, step)) is not None:
                return error
        return None

    def _step(self, context: ProofContext, kind: str, step: journal.JournalStep) -> AerodromeError | None:
        store, subject = self.migrations.store, context.proof_id
        last_told = 0.0

        def progress(text: str) -> None:
            nonlocal last_told
            if time.monotonic() - last_told >= PROGRESS_EVERY_S:
                last_told = time.monotonic()
                with store.writing() as session:
                    journal.progress(session, subject, kind, step.key, text)

        context.progress = progress
        for attempt in range(1, ATTEMPTS + 1):
            if step.status != "running" or step.kind not in promoting.WAITING:  # a look that goes on is no new attempt
                with store.writing() as session:
                    journal.begin(session, subject, kind, step.key)
            failure: AerodromeError
            try:
                result = dict(HANDLERS[step.kind](context, step.params))
            except (Stopped, Later):
                raise
            except AerodromeError as error:
                if error.retryable and attempt < ATTEMPTS and not context.is_stopping():
                    time.sleep(min(getattr(error, "retry_after_s", 1.0), 5.0))
                    continue
                failure = error
            except Exception as cause:  # noqa: BLE001  (part of the worker's edge: a defect must not be retried for ever)
                _log.exception("proof.step_crashed", proof=subject, step=step.key)
                failure = Broken(
                    f"{step.title}: Aerodrome has a defect here ({type(cause).__name__}).",
                    code="step-crashed",
                    hint="The server's log has the details.",
                )
            else:
                context.results[step.key] = result
                with store.writing() as session:
                    journal.done(session, subject, kind, step.key, result)
                return None
            with store.writing() as session:
                journal.failed(session, subject, kind, step.key, failure)
            return failure
        raise AssertionError("unreachable: the last attempt returns")

    def _settle(self, context: ProofContext, kind: str, error: AerodromeError | None) -> None:
        summary = SUMMARIES[kind]
        with self.migrations.store.writing() as session:
            proof = session.get_one(ProofRow, context.proof_id)
            proof.status = "done" if error is None else "failed"
            proof.error = error.as_data() if error is not None else None
            proof.result = dict(summary(context.results))
            proof.finished_at = self.migrations.clock.now()
            scope = f"workspace/{context.row.workspace_id}/migration/{context.row.id}"
            event = f"migration.{kind}-{'done' if error is None else 'failed'}"
            outbox.emit(session, event, scope, {"name": context.row.name, "proof": proof.id}, "system")
        ending.forget_passphrase(context) if kind == "decommission" else None
