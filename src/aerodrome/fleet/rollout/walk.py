"""Walks one deploy from queued to live, step by step.

Called by the reconciler, again and again, also after a kill at any line: each call looks at the rows, does what is next,
and commits the outcome. When a deploy fails before it touched the running Airflow, nothing has changed. When it fails
afterwards, the generation is raised and the reconciler puts the deploy before it back; after a change of the Airflow version
the metadata database is put back first.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from aerodrome.access.actor import SYSTEM
from aerodrome.fleet import revisions, steps, wishes
from aerodrome.fleet.context import FleetContext
from aerodrome.fleet.machine import DEPLOY, UNFINISHED
from aerodrome.fleet.rollout import plan
from aerodrome.fleet.rollout.visit import Step, Visit, changes_version
from aerodrome.kernel.errors import AerodromeError, Broken, Stale
from aerodrome.store import outbox
from aerodrome.store.tables.deploy import DeployRow, DeployStepRow
from aerodrome.store.tables.deployment import DeploymentRow

_ATTEMPTS = 3
_CRASHES = 6  # so often a step may be cut off, by a kill or an error that nobody foresaw, before the deploy fails
_LONGEST_RETRY_S = 15.0  # an error that asks for more patience fails the deploy at once: a person decides
_LONGEST_PAUSE_S = 60.0
_WORKER = "system"
_log = structlog.get_logger("aerodrome.fleet")


@dataclass(frozen=True)
class Rollout:
    """Moves deploys of a fleet."""

    context: FleetContext
    confirm_timeout_s: float = 300.0
    unhealthy_s: float = 60.0  # a version that keeps Airflow unhealthy so long is given up

    def advance(self, deployment: DeploymentRow, deploy: DeployRow, attempt: int = 1) -> float:
        """Do what is next for an unfinished deploy; give the seconds until the next look, 0 for at once.

        `attempt`: how many looks in a row, this one included, did not come to their end.
        """
        log = _log.bind(deployment=deployment.id, deploy=deploy.id, number=deploy.number)
        try:
            if deploy.status == "queued":
                self._begin(deploy)
                log.info("deploy.started")
                return 0
            with self.context.store.reading() as session:
                row = steps.next_of(session, deploy.id)
            if row is None:
                if deploy.status == "returning":
                    self._end_failed(deploy)
                else:
                    self._go_live(deploy)
                return 0
            return self._step(deployment, deploy, row, attempt)
        except Stale:
            raise
        except AerodromeError as error:
            log.warning("deploy.step_failed", code=error.code, error=error.message)
            return self._failed(deploy, error)

    def _begin(self, deploy: DeployRow) -> None:
        with wishes.writing(self.context) as session:
            row, deployment = _load(session, deploy)
            row.status = DEPLOY.next(row.status, "build")
            steps.create_all(session, row.id, [step.name for step in plan.choose(deployment, row)])
            deployment.error = None
            wishes.move(session, deployment, "deploy", actor=_WORKER, reason=f"Deploy {row.number} has begun.")

    def _step(self, deployment: DeploymentRow, deploy: DeployRow, row: DeployStepRow, attempt: int) -> float:
        step = plan.STEPS[row.name]
        if deploy.status != "returning" and _is_given_up(step, row, attempt):  # the way back is tried until it is gone
            raise _cut_off(step)
        if step.touches and deploy.status == "building":
            self._start_to_touch(deploy)
            return 0
        if not (step.is_polled and row.status == "running"):
            row = steps.begin(self.context, deploy.id, row.name)
        visit = Visit(self.context, deployment, deploy, row, self.confirm_timeout_s, self.unhealthy_s)
        wait_s = step.run(visit)
        if wait_s == 0:
            with self.context.store.writing() as session:
                steps.end(session, deploy.id, row.name, "done", self.context.clock.now())
        return wait_s

    def _start_to_touch(self, deploy: DeployRow) -> None:
        with wishes.writing(self.context) as session:
            row, deployment = _load(session, deploy)
            row.status = DEPLOY.next(row.status, "switch")
            deployment.generation += 1
            row.generation = deployment.generation

    def _go_live(self, deploy: DeployRow) -> None:
        now = self.context.clock.now()
        with wishes.writing(self.context) as session:
            row, deployment = _load(session, deploy)
            before = session.scalars(
                select(DeployRow).where(DeployRow.deployment_id == deployment.id, DeployRow.status == "live")
            ).one_or_none()
            if before is not None:
                before.status = DEPLOY.next(before.status, "supersede")
                session.flush()
            row.status = DEPLOY.next(row.status, "confirm")
            row.live_at = now
            deployment.current_deploy_id = row.id
            deployment.airflow_version = row.airflow_version or deployment.airflow_version
            deployment.python_version = row.python_version or deployment.python_version
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
            if row.status == "returning":  # nothing else can help: the way back is tried until it is gone
                deployment.error = error.as_data()
                return min(max(float(retry_after_s), _LONGEST_RETRY_S), _LONGEST_PAUSE_S)
            if step is not None:
                step.status, step.finished_at = "failed", now
            row.error = error.as_data()
            if row.status == "switching":
                deployment.generation += 1  # whatever was handed over is overtaken by the deploy before it
            if row.status == "switching" and changes_version(deployment, row):
                row.status = DEPLOY.next(row.status, "return")
                last = steps.skip_pending(session, row.id)
                steps.create_all(session, row.id, [step.name for step in plan.way_back()], after=last)
            else:
                _fail(session, row, deployment)
        return 0

    def _end_failed(self, deploy: DeployRow) -> None:
        """Write that a deploy failed whose way back is done; the reconciler starts the Airflow before again."""
        with wishes.writing(self.context) as session:
            row, deployment = _load(session, deploy)
            deployment.generation += 1
            deployment.error = None
            _fail(session, row, deployment)


def _is_given_up(step: Step, row: DeployStepRow, attempt: int) -> bool:
    cut_off = attempt - 1 if step.is_polled else row.attempts
    return row.status == "running" and cut_off >= _CRASHES


def _cut_off(step: Step) -> Broken:
    return Broken(
        f"The step “{step.name}” was cut off {_CRASHES} times.",
        code="deploy-step-crashed",
        hint="The server's log has the details. What ran before runs on, or was put back.",
    )


def _fail(session: Session, row: DeployRow, deployment: DeploymentRow) -> None:
    row.status = DEPLOY.next(row.status, "fail")
    before = (row.revision or {}).get("before")  # a rollback had brought other settings with it
    if before is not None and revisions.put_back(session, SYSTEM, deployment, before):
        deployment.generation += 1
    outbox.emit(session, "deploy.failed", row.id, {**_data(row), "error": row.error}, row.actor)


def unfinished(session: Session, deployment_id: str) -> DeployRow | None:
    """Give the deploy whose turn it is."""
    query = select(DeployRow).where(DeployRow.deployment_id == deployment_id, DeployRow.status.in_(UNFINISHED))
    return session.scalars(query.order_by(DeployRow.number).limit(1)).one_or_none()


def _load(session: Session, deploy: DeployRow) -> tuple[DeployRow, DeploymentRow]:
    """Load both to change them; Stale when the deploy is further than it was at this look: another worker had it meanwhile."""
    deployment = session.get_one(DeploymentRow, deploy.deployment_id, with_for_update=True)
    row = session.get_one(DeployRow, deploy.id)
    if row.status != deploy.status:
        raise Stale(f"Deploy {row.number} is {row.status} by now.", code="row-stale", hint="Look again and repeat.")
    return row, deployment


def _data(row: DeployRow) -> dict[str, object]:
    return {"deployment_id": row.deployment_id, "number": row.number, "bundle": row.bundle_digest, "kind": row.kind}
