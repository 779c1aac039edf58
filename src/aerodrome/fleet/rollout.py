"""Walks one deploy from queued to live: environment -> switch -> confirm.

Called by the reconciler, again and again, also after a kill at any line: each call looks at the rows, does what is next,
and commits the outcome. The running Airflow is touched by `switch` only; when a deploy fails there, the generation is
raised and the reconciler puts the deploy before it back.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from aerodrome.fleet import steps, wishes
from aerodrome.fleet.context import FleetContext
from aerodrome.fleet.machine import DEPLOY, UNFINISHED
from aerodrome.fleet.spec import runtime_spec
from aerodrome.kernel.errors import AerodromeError, Broken, Stale
from aerodrome.runtimes.contract import Observation
from aerodrome.store import outbox
from aerodrome.store.tables.deploy import DeployRow
from aerodrome.store.tables.deployment import DeploymentRow

_ATTEMPTS = 3
_LONGEST_RETRY_S = 15.0  # an error that asks for more patience fails the deploy at once: a person decides
_LOOK_AGAIN_S = 0.5
_WORKER = "system"
_log = structlog.get_logger("aerodrome.fleet")


@dataclass(frozen=True)
class Rollout:
    """Moves deploys of a fleet."""

    context: FleetContext
    confirm_timeout_s: float = 300.0
    unhealthy_s: float = 60.0  # a version that keeps Airflow unhealthy so long is given up

    def advance(self, deployment: DeploymentRow, deploy: DeployRow) -> float:
        """Do what is next for an unfinished deploy; give the seconds until the next look, 0 for at once."""
        log = _log.bind(deployment=deployment.id, deploy=deploy.id, number=deploy.number)
        try:
            if deploy.status == "queued":
                self._begin(deploy)
                log.info("deploy.started")
                return 0
            if deploy.status == "building":
                self._build(deployment, deploy)
                return 0
            if deployment.desired == "hibernated":
                self._go_live(deploy, "Airflow sleeps; it takes this version when it wakes.")
                return 0
            seen = self._switch(deployment, deploy)
            return self._confirm(deploy, seen)
        except Stale:
            raise
        except AerodromeError as error:
            log.warning("deploy.step_failed", code=error.code, error=error.message)
            return self._failed(deploy, error)

    def _begin(self, deploy: DeployRow) -> None:
        with wishes.writing(self.context) as session:
            row, deployment = _load(session, deploy)
            row.status = DEPLOY.next(row.status, "build")
            steps.create_all(session, row.id)
            deployment.error = None
            wishes.move(session, deployment, "deploy", actor=_WORKER, reason=f"Deploy {row.number} has begun.")

    def _build(self, deployment: DeploymentRow, deploy: DeployRow) -> None:
        steps.begin(self.context, deploy.id, steps.ENVIRONMENT)
        runtime_spec(self.context, deployment, deploy, steps.logger(self.context, deploy.id, steps.ENVIRONMENT))
        with wishes.writing(self.context) as session:
            row, current = _load(session, deploy)
            steps.end(session, row.id, steps.ENVIRONMENT, "done", self.context.clock.now())
            row.status = DEPLOY.next(row.status, "switch")
            current.generation += 1
            row.generation = current.generation

    def _switch(self, deployment: DeploymentRow, deploy: DeployRow) -> Observation:
        seen = self.context.runtime.observe(deployment.id)
        with self.context.store.reading() as session:
            is_done = steps.is_done(session, deploy.id, steps.SWITCH)
        if is_done and seen.generation == deployment.generation and seen.health in ("healthy", "starting"):
            return seen
        if not is_done:
            steps.begin(self.context, deploy.id, steps.SWITCH)
        spec = runtime_spec(self.context, deployment, deploy, lambda _line: None)
        self.context.runtime.apply(spec)
        if not is_done:
            with self.context.store.writing() as session:
                now = self.context.clock.now()
                steps.add_line(steps.end(session, deploy.id, steps.SWITCH, "done", now), "Handed over.", now)
        return self.context.runtime.observe(deployment.id)

    def _confirm(self, deploy: DeployRow, seen: Observation) -> float:
        with self.context.store.reading() as session:
            is_running = steps.started(session, deploy.id, steps.CONFIRM)
        step = is_running or steps.begin(self.context, deploy.id, steps.CONFIRM)
        is_there = seen.generation is not None and seen.generation >= (deploy.generation or 0)
        if is_there and (seen.health == "healthy" or (deploy.kind == "dags" and seen.health == "degraded")):
            self._go_live(deploy, "Airflow is healthy with this version.")
            return 0
        failed = [part for part in seen.components if part.state == "failed"]
        waited_s = (self.context.clock.now() - (step.started_at or self.context.clock.now())).total_seconds()
        is_hopeless = failed or (seen.health == "unhealthy" and waited_s > self.unhealthy_s)
        if (is_there and is_hopeless) or waited_s > self.confirm_timeout_s:
            why = [f"{part.name}: {part.reason or 'failed'}" for part in failed] or list(seen.reasons)
            raise Broken(
                f"Airflow did not become healthy with this version. {' '.join(why)}".strip(),
                code="deploy-unhealthy",
                hint="`aerodrome deployment logs` shows what Airflow says; mend the project and deploy again.",
            )
        if seen.reasons:
            steps.logger(self.context, deploy.id, steps.CONFIRM)(seen.reasons[0])
        return _LOOK_AGAIN_S

    def _go_live(self, deploy: DeployRow, line: str) -> None:
        now = self.context.clock.now()
        with wishes.writing(self.context) as session:
            row, deployment = _load(session, deploy)
            before = session.scalars(
                select(DeployRow).where(DeployRow.deployment_id == deployment.id, DeployRow.status == "live")
            ).one_or_none()
            if before is not None:
                before.status = DEPLOY.next(before.status, "supersede")
                session.flush()
            steps.end(session, row.id, steps.SWITCH, "done", now)
            steps.add_line(steps.end(session, row.id, steps.CONFIRM, "done", now), line, now)
            row.status = DEPLOY.next(row.status, "confirm")
            row.live_at = now
            deployment.current_deploy_id = row.id
            deployment.updated_at = now
            outbox.emit(session, "deploy.live", row.id, _data(row), row.actor)
        _log.info("deploy.live", deployment=row.deployment_id, deploy=row.id, number=row.number)

    def _failed(self, deploy: DeployRow, error: AerodromeError) -> float:
        retry_after_s = getattr(error, "retry_after_s", 1.0)
        now = self.context.clock.now()
        with wishes.writing(self.context) as session:
            row, deployment = _load(session, deploy)
            step = steps.running(session, row.id)
            if step is not None:
                steps.add_line(step, str(error), now)
                if error.retryable and retry_after_s <= _LONGEST_RETRY_S and step.attempts < _ATTEMPTS:
                    return float(retry_after_s)
                step.status, step.finished_at = "failed", now
            if row.status == "switching":
                deployment.generation += 1  # whatever was handed over is overtaken by the deploy before it
            row.status = DEPLOY.next(row.status, "fail")
            row.error = error.as_data()
            outbox.emit(session, "deploy.failed", row.id, {**_data(row), "error": row.error}, row.actor)
        return 0


def unfinished(session: Session, deployment_id: str) -> DeployRow | None:
    """Give the deploy whose turn it is."""
    query = select(DeployRow).where(DeployRow.deployment_id == deployment_id, DeployRow.status.in_(UNFINISHED))
    return session.scalars(query.order_by(DeployRow.number).limit(1)).one_or_none()


def _load(session: Session, deploy: DeployRow) -> tuple[DeployRow, DeploymentRow]:
    deployment = session.get_one(DeploymentRow, deploy.deployment_id, with_for_update=True)
    return session.get_one(DeployRow, deploy.id), deployment


def _data(row: DeployRow) -> dict[str, object]:
    return {"deployment_id": row.deployment_id, "number": row.number, "bundle": row.bundle_digest, "kind": row.kind}
