"""Walks a cutover or rollback track with the conductor: the wave's DAGs side by side, each step in the journal."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import structlog

from aerodrome.kernel.errors import AerodromeError, Broken
from aerodrome.migration import cutover
from aerodrome.migration.cutover.hosted import HostedTarget
from aerodrome.migration.cutover.requests import Act
from aerodrome.migration.plan.contract import Step
from aerodrome.migration.plan.needs import needs_of
from aerodrome.migration.service import bridging, code, controls, handlers, syncing
from aerodrome.migration.service.context import StepContext
from aerodrome.migration.service.preflight import Preflight
from aerodrome.migration.sources.contract import DEFINITION_KINDS, KnowsVersions, StopsRuns
from aerodrome.store import journal
from aerodrome.store.engine import Store

HALT_LOOK_S = 0.5
KINDS = tuple(
    f"cutover.{act}"
    for act in ("check", "pause", "drain", "sync", "prove", "unpause", "watch", "check_return", "roll_back")
)
"""The kinds of steps that are walked here; the runner walks all others."""
_log = structlog.get_logger("aerodrome.migration")


def conduct(
    store: Store, context: StepContext, track: str, sides: cutover.CutoverContext | None = None
) -> cutover.Ended:
    """Walk every step of the track that is not done yet; see `cutover.Conductor`. `sides`: other than the migration's own."""
    subject = context.migration_id
    steps: list[Step] = []
    done: dict[str, Mapping[str, Any]] = {}
    transfers: dict[str, Sequence[str]] = {}
    with store.reading() as session:
        for summary in journal.tracks(session, subject):
            for row in journal.steps(session, subject, summary.track):
                if summary.track == track:
                    steps.append(Step(row.key, row.phase, row.kind, row.title, row.params))
                    if row.status == "done":
                        done[row.key] = row.result or {}
                elif row.status == "done":
                    context.results[row.key] = row.result or {}
                    if row.kind == "transfer.history":
                        transfers[row.key] = row.params["dag_ids"]
    if all(step.key in done for step in steps):
        return cutover.Ended("done")  # neither side is needed any more; one may be gone
    sides_are_ours = sides is None
    with bridging.opened(context) if sides_are_ours else nullcontext() as bridge:
        sides = sides or replace(sides_of(context, transfers), events=bridge)
        conductor = cutover.Conductor(
            sides,
            steps,
            needs_of(steps, sides.dags),
            done,
            partial(act_of, sides),
            StoreLedger(store, subject, track),
            limits_of(context.settings, track),
        )
        ended = conductor.run()
    if sides_are_ours:
        _move_logs(context, steps)
    _log.info("wave.ended", migration=subject, track=track, how=ended.how, failed=len(ended.errors))
    return ended


def _move_logs(context: StepContext, steps: Sequence[Step]) -> None:
    """Copy the logs of the last runs, once nothing waits for it any more; they can be copied again at any time."""
    synced = sorted({str(step.params["dag_id"]) for step in steps if step.kind == "cutover.sync"})
    try:
        if synced and "logs" not in context.settings.get("history", {}).get("leave_out", ()):
            handlers.move_logs_of(context, synced)
    except AerodromeError as error:
        _log.warning("wave.logs_left", migration=context.migration_id, code=error.code)


def sides_of(context: StepContext, transfers: Mapping[str, Sequence[str]]) -> cutover.CutoverContext:
    """Give both sides of a migration's hand-overs."""
    target = HostedTarget(context.target, context.rest)
    # Ahead of a pause moves beside everything else: with sources that two threads may ask, into targets that two may write.
    sync = syncing.Syncing(
        context.source,
        context.target,
        context.dags,
        handlers.history_summary,
        syncing.moved_until(context.results, transfers),
        context.settings.get("history", {}).get("on_conflict", "source-wins"),
        partial(handlers.old_dag, context),
        lambda dag_ids: handlers.move_beside(context, dag_ids),
        syncing.kinds_without(context.settings.get("history", {}).get("leave_out", ())),
    )
    return cutover.CutoverContext(
        source=context.source,
        target=target,
        sync=sync,
        ahead=sync.ahead if context.source_config.kind == "airflow-db" and context.target.dialect != "sqlite" else None,
        dags=context.dags,
        clock=context.clock,
        sleep=context.sleep,
        mark=mark_of(context.migration_id),
        carried=target.carried if context.source_config.kind in ("airflow-db", *DEFINITION_KINDS) else None,
        stopping=_stopping_of(context),
        hindrances=Preflight(context).hindrances,
        versions=context.source.dag_versions if isinstance(context.source, KnowsVersions) else None,
        poll_s=0.5,
        settle_s=1.0,
        catchup_by_default=code.catches_up(context.estate),
    )


def _stopping_of(context: StepContext) -> StopsRuns | None:
    """Give the source as one whose runs can be stopped, where the target can run them again."""
    release = tuple(int(part) for part in context.access.airflow_version.split(".")[:2])
    return context.source if isinstance(context.source, StopsRuns) and release >= (3, 1) else None


def mark_of(migration_id: str) -> str:
    return f"aerodrome:{migration_id}"


def act_of(sides: cutover.CutoverContext, step: Step, results: Mapping[str, Mapping[str, Any]]) -> Act:
    """Give the act of a step."""
    params, dag_id = step.params, str(step.params["dag_id"])
    synced = results.get(f"cutover.sync:{dag_id}") or {}
    acts: Mapping[str, Callable[[], Act]] = {  # its keys are KINDS
        "cutover.check": lambda: cutover.check(
            sides,
            dag_id,
            was_paused=params["was_paused"],
            on_deadline=params.get("on_deadline", "fail"),
            may_have_changed=params.get("may_have_changed", False),
        ),
        "cutover.pause": lambda: cutover.pause(
            sides,
            dag_id,
            may_have_changed=params.get("may_have_changed", False),
            gap_s=params.get("gap_s", 30.0),
        ),
        "cutover.drain": lambda: cutover.drain(
            sides, dag_id, deadline_s=params["deadline_s"], on_deadline=params["on_deadline"]
        ),
        "cutover.sync": lambda: cutover.sync(sides, dag_id),
        "cutover.prove": lambda: cutover.prove(
            sides, dag_id, limit_s=params["limit_s"], is_on_calendar=bool(synced.get("is_on_calendar"))
        ),
        "cutover.unpause": lambda: cutover.unpause(
            sides, dag_id, stopped_runs=(results.get(f"cutover.drain:{dag_id}") or {}).get("stopped_runs", ())
        ),
        "cutover.watch": lambda: cutover.watch(
            sides, dag_id, limit_s=params["limit_s"], missed=params.get("missed", "report")
        ),
        "cutover.check_return": lambda: cutover.check_return(sides, dag_id),
        "cutover.roll_back": lambda: cutover.roll_back(sides, dag_id),
    }
    return acts[step.kind]()


def limits_of(settings: Mapping[str, Any], track: str) -> cutover.Limits:
    """Give the limits of a track: the plan's lanes, and what the plan says of the wave. A way back has no budget: all go."""
    lanes = settings.get("lanes", {})
    limits = cutover.Limits(
        held=lanes.get("held", cutover.Limits.held),
        source_per_s=lanes.get("source_per_s", cutover.Limits.source_per_s),
        target_per_s=lanes.get("target_per_s", cutover.Limits.target_per_s),
    )
    kind, _, name = track.partition(":")
    if kind == "rollback":
        return replace(limits, error_budget=1_000_000)
    wave: Mapping[str, Any] = next((wave for wave in settings.get("waves", ()) if wave["name"] == name), {})
    return replace(limits, error_budget=wave.get("error_budget", 0), canary=wave.get("canary", 0))


@dataclass
class StoreLedger:
    """The conductor's journal in the store."""

    store: Store
    subject: str
    track: str
    _looked_at: float = -1e9
    _is_halted: bool = False

    def begin(self, keys: Sequence[str]) -> None:
        with self.store.writing() as session:
            journal.begin_many(session, self.subject, self.track, keys)

    def done(self, results: Mapping[str, Mapping[str, Any]]) -> None:
        with self.store.writing() as session:
            journal.done_many(session, self.subject, self.track, results)

    def failed(self, errors: Mapping[str, AerodromeError]) -> None:
        with self.store.writing() as session:
            journal.failed_many(session, self.subject, self.track, errors)

    def restart(self, keys: Sequence[str]) -> None:
        if keys:
            with self.store.writing() as session:
                journal.reset(session, self.subject, self.track, keys)

    def progress(self, texts: Mapping[str, str]) -> None:
        with self.store.writing() as session:
            journal.progress_many(session, self.subject, self.track, texts)

    def is_halted(self) -> bool:
        now = time.monotonic()
        if now - self._looked_at >= HALT_LOOK_S:
            self._looked_at = now
            with self.store.reading() as session:
                self._is_halted = controls.is_halted(session, self.subject, self.track)
        return self._is_halted


def worst(ended: cutover.Ended) -> AerodromeError | None:
    """Give the error that a migration shows for a walk that did not end well; None when it did or somebody halted it."""
    if not ended.errors:
        return None
    dag_id, error = next(iter(ended.errors.items()))
    if len(ended.errors) == 1:
        return error
    return Broken(
        f"{len(ended.errors)} DAGs failed; the first: {error.message}",
        code=error.code,
        hint=error.hint,
        details={"dags": list(ended.errors)[:50], "first": dag_id},
    )
