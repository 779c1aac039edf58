"""Walks one track of a migration: step by step, intent committed, act, outcome committed.

A kill at any line is safe: done steps are skipped, a step that was running is run again, and every handler recognises
its own earlier act. A step that fails stops its track; `apply` (or `cutover`) again continues at that step.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from aerodrome.kernel.errors import AerodromeError, Broken, Unavailable
from aerodrome.migration.plan.contract import Step
from aerodrome.migration.service.context import StepContext, Stopped
from aerodrome.store import journal
from aerodrome.store.engine import Store

Handler = Callable[[StepContext, Mapping[str, Any]], Mapping[str, Any]]
"""Runs one step with its params; gives a plain JSON result without secrets; raises AerodromeError."""

ATTEMPTS = 4
PROGRESS_EVERY_S = 0.3
_log = structlog.get_logger("aerodrome.migration")


def walk(
    store: Store,
    context: StepContext,
    track: str,
    handlers: Mapping[str, Handler],
    *,
    wait: Callable[[float], None] = time.sleep,
) -> AerodromeError | None:
    """Run every step of the track that is not done yet, in order. Gives the error that stopped it, or None at the end.

    Errors that say "later may work" (retryable) are tried again up to four times before they count.
    """
    subject = context.migration_id
    with store.reading() as session:
        rows = journal.steps(session, subject, track)
        for other in journal.tracks(session, subject):
            if other.track != track:
                context.results |= {
                    row.key: row.result or {}
                    for row in journal.steps(session, subject, other.track)
                    if row.status == "done"
                }
    for row in rows:
        if row.status == "done":
            context.results[row.key] = row.result or {}
            continue
        if context.is_stopping():
            raise Stopped
        step = Step(row.key, row.phase, row.kind, row.title, row.params)
        error = _run(store, context, track, step, handlers[step.kind], wait)
        if error is not None:
            return error
    return None


def _run(
    store: Store,
    context: StepContext,
    track: str,
    step: Step,
    handler: Handler,
    wait: Callable[[float], None],
) -> AerodromeError | None:
    subject = context.migration_id
    log = _log.bind(migration=subject, track=track, step=step.key)
    last_told = 0.0

    def progress(text: str) -> None:
        nonlocal last_told
        now = time.monotonic()
        if now - last_told >= PROGRESS_EVERY_S:
            last_told = now
            with store.writing() as session:
                journal.progress(session, subject, track, step.key, text)

    context.progress = progress
    for attempt in range(1, ATTEMPTS + 1):
        with store.writing() as session:
            journal.begin(session, subject, track, step.key)
        started = time.monotonic()
        try:
            result = dict(handler(context, step.params))
        except Stopped:
            raise
        except AerodromeError as error:
            log.warning("step.failed", code=error.code, attempt=attempt)
            if error.retryable and attempt < ATTEMPTS and not context.is_stopping():
                wait(getattr(error, "retry_after_s", 1.0))
                continue
            with store.writing() as session:
                journal.failed(session, subject, track, step.key, error)
            return error
        except OSError as cause:
            log.exception("step.failed")
            failure = _file_failure(step, cause)
            with store.writing() as session:
                journal.failed(session, subject, track, step.key, failure)
            return failure
        except Exception as cause:  # part of the worker's edge: a defect in one step must not be retried for ever
            log.exception("step.crashed")
            defect = Broken(
                f"{step.title}: Aerodrome has a defect here ({type(cause).__name__}).",
                code="step-crashed",
                hint="The server's log has the details. Nothing is lost: apply again goes on at this step.",
            )
            with store.writing() as session:
                journal.failed(session, subject, track, step.key, defect)
            return defect
        seconds = round(time.monotonic() - started, 3)
        with store.writing() as session:
            journal.done(session, subject, track, step.key, {**result, "seconds": seconds})
        context.results[step.key] = result
        log.info("step.done", seconds=seconds)
        return None
    raise AssertionError("unreachable: the last attempt returns")


def _file_failure(step: Step, cause: OSError) -> AerodromeError:
    if cause.errno == errno.ENOSPC:
        return Unavailable(
            f"{step.title}: the disk is full.", code="disk-full", hint="Make room, then apply again: it goes on here."
        )
    return Broken(
        f"{step.title}: {cause.strerror or type(cause).__name__}: {cause.filename or 'a file'}.",
        code="file-failed",
        hint="Mend what stands in the way, then apply again: it goes on at this step.",
    )
