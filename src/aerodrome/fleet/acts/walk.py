"""The handler of the job "deployment.act": walks one act, step by step, and takes it back when a step fails.

The job shares the deployment's lane with the reconciler, and the reconciler leaves a deployment alone while an act of it has begun
and not ended: so the steps are the only ones who start and stop it, also between two looks and after a kill.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy.orm import Session

from aerodrome.access import audit
from aerodrome.access.actor import Actor
from aerodrome.fleet import lookup, rollout, wishes
from aerodrome.fleet.acts.contract import ActKind, NotYet, Scene, Step
from aerodrome.fleet.acts.queries import BACK, FORWARD, UNFINISHED, unfinished
from aerodrome.fleet.context import FleetContext
from aerodrome.kernel.errors import AerodromeError, Broken, Conflict, Stale
from aerodrome.kernel.ids import new_id
from aerodrome.store import jobs, journal, outbox
from aerodrome.store.jobs import LeasedJob
from aerodrome.store.journal import JournalStep
from aerodrome.store.tables.act import ActRow
from aerodrome.store.tables.deployment import DeploymentRow

KIND = "deployment.act"
_LOOK_AGAIN_S = 0.5
_ATTEMPTS = 3
_CRASHES = 6  # so often a step may be cut off before the act goes back
_RETRY_S = 5.0
_log = structlog.get_logger("aerodrome.fleet")


def queue(
    context: FleetContext,
    session: Session,
    actor: Actor,
    deployment: DeploymentRow,
    kind: str,
    title: str,
    params: Mapping[str, Any],
    *,
    act_id: str | None = None,
) -> ActRow:
    """Write a new act and the job that walks it; Conflict while another one is under way."""
    if (other := unfinished(session, deployment.id)) is not None:
        raise Conflict(
            f"{other.title} is under way.",
            code="act-under-way",
            hint="Wait until it has ended; the page of the deployment shows its steps.",
            details={"act": other.id},
        )
    row = ActRow(
        id=act_id or new_id("act"),
        deployment_id=deployment.id,
        kind=kind,
        status="queued",
        title=title,
        params=dict(params),
        result={},
        actor=actor.name,
        created_at=context.clock.now(),
    )
    session.add(row)
    session.flush()
    data = {"deployment_id": deployment.id, "kind": kind, "title": title}
    audit.record(session, actor, f"deployment.{kind}", lookup.deployment_scope(deployment), {"act": row.id, **data})
    outbox.emit(session, "act.queued", row.id, data, actor.name)
    jobs.enqueue(session, KIND, row.id, lane=deployment.id)
    return row


def begin(
    context: FleetContext,
    session: Session,
    actor: Actor,
    deployment: DeploymentRow,
    kind: str,
    steps: Sequence[Step],
    title: str,
    params: Mapping[str, Any],
) -> ActRow:
    """Write a new act that has begun already: nobody else starts this deployment before its first step."""
    row = queue(context, session, actor, deployment, kind, title, params)
    row.status = "running"
    journal.open_track(session, row.id, FORWARD, _entries(steps))
    return row


@dataclass(frozen=True)
class Acts:
    """Walks acts."""

    context: FleetContext
    kinds: Mapping[str, ActKind]
    is_stopping: Callable[[], bool] = lambda: False

    def ask_all(self) -> None:
        """Ask for a look at every unfinished act; called at start."""
        with self.context.store.writing() as session:
            for row in session.query(ActRow).filter(ActRow.status.in_(UNFINISHED)):
                jobs.enqueue(session, KIND, row.id, lane=row.deployment_id)

    def look(self, job: LeasedJob) -> datetime | None:
        """Walk the act `job.key` as far as it goes now."""
        while True:
            wait_s = self._advance(job.key, job.attempt)
            if wait_s is None:
                return None
            if wait_s > 0 or self.is_stopping():
                return self.context.clock.now() + timedelta(seconds=wait_s)

    def _advance(self, act_id: str, attempt: int) -> float | None:
        with self.context.store.reading() as session:
            act = session.get(ActRow, act_id)
            deployment = session.get(DeploymentRow, act.deployment_id) if act is not None else None
            if act is None or deployment is None or act.status not in UNFINISHED:
                return None
            is_busy = rollout.unfinished(session, deployment.id) is not None
        kind = self.kinds[act.kind]
        if act.status == "queued":
            if is_busy:
                return _LOOK_AGAIN_S
            self._open(act, FORWARD, kind.forward, "running")
            return 0
        if act.status == "running":
            return self._walk(act, deployment, kind, attempt)
        return self._return(act, deployment, kind)

    def _walk(self, act: ActRow, deployment: DeploymentRow, kind: ActKind, attempt: int) -> float | None:
        step, known = self._next(act, FORWARD, kind.forward)
        if step is None:
            self._end(act, "done", kind.done_event, known)
            return None
        try:
            if attempt > _CRASHES and not step.is_after:
                raise _cut_off(step)
            self._do(act, deployment, FORWARD, step, known)
        except NotYet:
            return _LOOK_AGAIN_S
        except Stale:
            raise
        except AerodromeError as error:
            return self._failed(act, kind, step, known, error)
        return 0

    def _failed(
        self, act: ActRow, kind: ActKind, step: Step, known: Mapping[str, JournalStep], error: AerodromeError
    ) -> float:
        _log.warning("act.step_failed", act=act.id, step=step.key, code=error.code, error=error.message)
        with self.context.store.writing() as session:
            now = {entry.key: entry for entry in journal.steps(session, act.id, FORWARD)}[step.key]
            if now.status == "done":
                raise _elsewhere()
            if now.status != "running":
                journal.begin(session, act.id, FORWARD, step.key)
            journal.failed(session, act.id, FORWARD, step.key, error)
            attempts = known[step.key].attempts + 1
            if error.retryable and attempts < _ATTEMPTS:
                return min(float(getattr(error, "retry_after_s", 1.0)), 15.0)
            if step.is_after:
                return _RETRY_S
            row = session.get_one(ActRow, act.id)
            row.error = error.as_data()
        self._open(act, BACK, kind.back, "returning")
        return 0

    def _return(self, act: ActRow, deployment: DeploymentRow, kind: ActKind) -> float | None:
        step, known = self._next(act, BACK, kind.back)
        if step is None:
            self._end(act, "failed", "act_failed", known)
            return None
        try:
            self._do(act, deployment, BACK, step, known)
        except NotYet:
            return _LOOK_AGAIN_S
        except Stale:
            raise
        except AerodromeError as error:  # there is no other way than this one: it is tried until it works
            _log.warning("act.way_back_failed", act=act.id, step=step.key, code=error.code, error=error.message)
            with self.context.store.writing() as session:
                journal.failed(session, act.id, BACK, step.key, error)
            return _RETRY_S
        return 0

    def _open(self, act: ActRow, track: str, steps: tuple[Step, ...], status: str) -> None:
        with self.context.store.writing() as session:
            journal.open_track(session, act.id, track, _entries(steps))
            session.get_one(ActRow, act.id).status = status

    def _next(self, act: ActRow, track: str, steps: tuple[Step, ...]) -> tuple[Step | None, Mapping[str, JournalStep]]:
        with self.context.store.reading() as session:
            known = {entry.key: entry for entry in journal.steps(session, act.id, track)}
            if track == BACK:
                known |= {f"{FORWARD}.{entry.key}": entry for entry in journal.steps(session, act.id, FORWARD)}
        return next((step for step in steps if known[step.key].status != "done"), None), known

    def _do(
        self, act: ActRow, deployment: DeploymentRow, track: str, step: Step, known: Mapping[str, JournalStep]
    ) -> None:
        before = known[step.key]
        if before.status != "running" or before.started_at is None:
            try:
                with self.context.store.writing() as session:
                    before = journal.begin(session, act.id, track, step.key)
            except Conflict as error:
                raise _elsewhere() from error
        now = self.context.clock.now()
        waited_s = (now - (before.started_at or now)).total_seconds()
        results = {key: entry.result or {} for key, entry in known.items() if entry.status == "done"}
        begun = frozenset(key.removeprefix(f"{FORWARD}.") for key, entry in known.items() if entry.status != "pending")
        say = self._teller(act.id, track, step.key)
        result = step.run(Scene(self.context, act, deployment, results, begun, waited_s, say))
        try:
            with self.context.store.writing() as session:
                journal.done(session, act.id, track, step.key, result)
        except Conflict as error:
            raise _elsewhere() from error

    def _teller(self, act_id: str, track: str, key: str) -> Callable[[str], None]:
        def say(line: str) -> None:
            try:
                with self.context.store.writing() as session:
                    journal.progress(session, act_id, track, key, line)
            except Conflict as error:
                raise _elsewhere() from error

        return say

    def _end(self, act: ActRow, status: str, event: str, known: Mapping[str, JournalStep]) -> None:
        with wishes.writing(self.context) as session:
            row = session.get_one(ActRow, act.id)
            deployment = session.get_one(DeploymentRow, act.deployment_id)
            row.status = status
            row.finished_at = self.context.clock.now()
            row.result = {key: dict(entry.result) for key, entry in known.items() if entry.result}
            data = {
                "name": deployment.name,
                "workspace_id": deployment.workspace_id,
                "act": act.id,
                "title": act.title,
                **({"error": row.error} if row.error else {}),
            }
            outbox.emit(session, f"deployment.{event}", deployment.id, data, row.actor)
            wishes.ask_to_look(session, deployment.id)
        _log.info("act.ended", act=act.id, kind=act.kind, status=status)
        self.context.ring()


def _entries(steps: Sequence[Step]) -> list[Mapping[str, str]]:
    return [{"key": step.key, "kind": step.key, "title": step.title} for step in steps]


def _elsewhere() -> Stale:
    """Give the error of a worker that was away so long that another one walks the act now."""
    return Stale("Another worker walks this act.", code="act-elsewhere", hint="It is looked at again by itself.")


def _cut_off(step: Step) -> Broken:
    return Broken(
        f"The step “{step.title}” was cut off again and again.",
        code="act-step-crashed",
        hint="The server's log has the details.",
    )
