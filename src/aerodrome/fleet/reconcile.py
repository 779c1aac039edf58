"""The handler of the job "deployment.reconcile": looks at one deployment and makes the wish true.

Level-triggered: it compares what is wanted with what is seen, does what is missing and says when to look again. Every
outside act is safe to repeat, so a kill at any line costs nothing but time. The job's lane keeps two workers apart.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import delete, select

from aerodrome.access import audit
from aerodrome.access.actor import SYSTEM
from aerodrome.fleet import databases, lookup, observe, rollout, wishes
from aerodrome.fleet.acts import queries as acts
from aerodrome.fleet.context import FleetContext
from aerodrome.fleet.rollout import Rollout
from aerodrome.fleet.spec import runtime_spec
from aerodrome.fleet.vault import DeploymentVault
from aerodrome.kernel.errors import AerodromeError, Stale
from aerodrome.runtimes.contract import Observation
from aerodrome.store import outbox
from aerodrome.store.jobs import LeasedJob
from aerodrome.store.tables.deploy import DeployRow
from aerodrome.store.tables.deployment import DeploymentRow

KIND = wishes.RECONCILE
_RETRY_S = 60.0  # look again at a wish that cannot be made true; an update of the wish is looked at once
_log = structlog.get_logger("aerodrome.fleet")


@dataclass(frozen=True)
class Reconciler:
    """Makes deployments true."""

    context: FleetContext
    confirm_timeout_s: float = 300.0
    is_stopping: Callable[[], bool] = lambda: False

    def look(self, job: LeasedJob) -> datetime | None:
        """Look at the deployment `job.key`; give when to look again, None when it is gone."""
        try:
            wait_s = self._look(job.key, job.attempt)
        except AerodromeError as error:
            if error.retryable:
                raise
            # a parked job would leave the deployment unwatched; what is wrong now may be mended outside
            _log.warning("deployment.not_looked_at", deployment=job.key, code=error.code, error=error.message)
            wait_s = _RETRY_S
        return None if wait_s is None else self.context.clock.now() + timedelta(seconds=wait_s)

    def adopt_all(self) -> int:
        """Ask for a look at every deployment; called at start. Gives how many."""
        with self.context.store.writing() as session:
            ids = session.scalars(select(DeploymentRow.id)).all()
            for deployment_id in ids:
                wishes.ask_to_look(session, deployment_id)
        self.context.ring()
        return len(ids)

    def _look(self, deployment_id: str, attempt: int) -> float | None:
        walk = Rollout(self.context, self.confirm_timeout_s)
        while True:
            with self.context.store.reading() as session:
                row = session.get(DeploymentRow, deployment_id)
                if row is None:
                    return None
                deploy = rollout.unfinished(session, deployment_id)
                current = session.get(DeployRow, row.current_deploy_id) if row.current_deploy_id else None
                is_held = acts.is_held(session, deployment_id)
            if row.desired == "deleted":
                return self._delete(row)
            if is_held:  # its steps alone start and stop this deployment now
                return observe.record(self.context, deployment_id, self.context.runtime.observe(deployment_id))
            if deploy is None:
                return self._settle(row, current)
            wait_s = walk.advance(row, deploy, attempt)
            if wait_s > 0 or self.is_stopping():
                observe.record(self.context, deployment_id, self.context.runtime.observe(deployment_id))
                return wait_s

    def _settle(self, row: DeploymentRow, current: DeployRow | None) -> float | None:
        seen = self.context.runtime.observe(row.id)
        failure: AerodromeError | None = None
        if _differs(row, seen):
            try:
                self.context.runtime.apply(runtime_spec(self.context, row, current, lambda _line: None))
                seen = self.context.runtime.observe(row.id)
            except Stale:
                raise
            except AerodromeError as error:
                _log.warning("deployment.not_applied", deployment=row.id, code=error.code, error=error.message)
                failure = error
        self._note(row, failure)
        if row.status == "hibernating" and seen.health == "stopped":
            self._tell_cut_off(row, current)
        wait_s = observe.record(self.context, row.id, seen)
        if failure is None or wait_s is None:
            return wait_s
        return max(1.0, getattr(failure, "retry_after_s", _RETRY_S))

    def _tell_cut_off(self, row: DeploymentRow, current: DeployRow | None) -> None:
        """Write an event that lists the tasks which the drain window was too short for."""
        try:
            tasks = self.context.runtime.running_tasks(runtime_spec(self.context, row, current, lambda _line: None))
        except AerodromeError as error:
            _log.warning("deployment.tasks_not_read", deployment=row.id, code=error.code)
            return
        if tasks:
            data = {"name": row.name, "workspace_id": row.workspace_id, "tasks": list(tasks), "drain_s": row.drain_s}
            with self.context.store.writing() as session:
                outbox.emit(session, "deployment.tasks_cut_off", row.id, data, SYSTEM.name)
            _log.info("deployment.tasks_cut_off", deployment=row.id, tasks=len(tasks))

    def _note(self, row: DeploymentRow, failure: AerodromeError | None) -> None:
        """Keep why the wish could not be made true, or forget it; only while the wish is still the same."""
        data = None if failure is None else failure.as_data()
        if row.error == data:
            return
        with wishes.writing(self.context) as session:
            now = session.get(DeploymentRow, row.id, with_for_update=True)
            if now is not None and now.generation == row.generation:
                now.error = data

    def _delete(self, row: DeploymentRow) -> float | None:
        log = _log.bind(deployment=row.id)
        try:
            self.context.runtime.delete(row.id)
            databases.unmake(self.context, row.id, row.database_kind)
            shutil.rmtree(self.context.home / "snapshots" / row.id, ignore_errors=True)
        except AerodromeError as error:
            log.warning("deployment.not_deleted", code=error.code, error=error.message)
            self._note(row, error)
            return _RETRY_S if not error.retryable else max(1.0, getattr(error, "retry_after_s", 5.0))
        DeploymentVault(self.context.secrets, row.id).clear()
        with wishes.writing(self.context) as session:
            found = session.get(DeploymentRow, row.id, with_for_update=True)
            if found is not None:
                data = {"name": found.name, "workspace_id": found.workspace_id}
                audit.record(session, SYSTEM, "deployment.deleted", lookup.deployment_scope(found), data)
                outbox.emit(session, "deployment.deleted", found.id, data, SYSTEM.name)
                # deploys, their steps and the observation go with it (ON DELETE CASCADE)
                session.execute(delete(DeploymentRow).where(DeploymentRow.id == found.id))
        log.info("deployment.deleted")
        return None


def _differs(row: DeploymentRow, seen: Observation) -> bool:
    """Tell whether the wish must be handed to the runtime (again), which is safe whenever something looks wrong."""
    if row.desired == "hibernated":
        return seen.health not in ("stopped", "missing")
    return seen.health not in ("healthy", "starting") or seen.generation != row.generation
