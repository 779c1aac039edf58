"""The loop: lease a job, run its handler, hold the lease while it runs, say when to look again.

The lease table is the only coordination, so any number of workers may run on one database. A worker that is killed loses
its leases when they run out and another one, or the same after its restart, takes the jobs over.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

import structlog

from aerodrome.kernel.clock import Clock
from aerodrome.kernel.errors import AerodromeError, Stale
from aerodrome.kernel.ids import new_id
from aerodrome.store import jobs
from aerodrome.store.engine import Store
from aerodrome.store.jobs import LeasedJob

Handler: TypeAlias = Callable[[LeasedJob], datetime | None]
"""Looks at `job.key`; gives when to look again, or None when nothing is left to see. Everything that it does is safe to
repeat. A handler that takes long asks `Worker.is_stopping` now and then, and gives up in between when it says so."""

_FIRST_RETRY_S, _LONGEST_RETRY_S = 1.0, 60.0
_SHORTEST_NAP_S = 0.05
_log = structlog.get_logger("aerodrome.worker")


@dataclass
class _Run:
    """One job in the hands of this worker."""

    job: LeasedJob
    thread: threading.Thread | None = None
    is_lost: bool = False


class Worker:
    """Runs jobs in threads, at most `threads` at a time.

    `bell` is set by whoever enqueued work in this process; `stopping` is set here and read by handlers that take long.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        handlers: Mapping[str, Handler],
        *,
        threads: int = 4,
        lease_s: float = 15.0,
        poll_s: float = 1.0,
        bell: threading.Event | None = None,
        stopping: threading.Event | None = None,
        observe: Callable[[str, str, float], None] = lambda _kind, _outcome, _seconds: None,
    ) -> None:
        """`observe` is told of every run: the job's kind, its outcome (done, failed, crashed, lost) and its seconds."""
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{new_id('wrk')[-8:]}"
        self._store = store
        self._clock = clock
        self._handlers = handlers
        self._slots = threads
        self._lease_s = lease_s
        self._poll_s = poll_s
        self._bell = bell or threading.Event()
        self._stopping = stopping or threading.Event()
        self._observe = observe
        self._lock = threading.Lock()
        self._runs: dict[str, _Run] = {}
        self._threads: list[threading.Thread] = []

    def ring(self) -> None:
        """Look for work now. Called after a commit that enqueued a job; safe from any thread."""
        self._bell.set()

    def is_stopping(self) -> bool:
        """Tell whether handlers are to give up soon: the worker goes down."""
        return self._stopping.is_set()

    @property
    def is_running(self) -> bool:
        return bool(self._threads) and not self._stopping.is_set()

    def start(self) -> None:
        """Start leasing; returns at once. Starting a running worker changes nothing."""
        if self._threads:
            return
        self._stopping.clear()
        for name, body in (("dispatch", self._dispatch), ("renew", self._renew)):
            thread = threading.Thread(target=body, name=f"worker-{name}", daemon=True)
            self._threads.append(thread)
            thread.start()
        _log.info("worker.started", owner=self.owner, kinds=sorted(self._handlers))

    def stop(self, grace_s: float = 10.0) -> bool:
        """Lease no more, tell the handlers to stop soon and wait for them; tells whether all of them ended in time.

        A job that is still running keeps its lease as long as this process lives; then somebody else looks at it again.
        """
        self._stopping.set()
        self._bell.set()
        end = time.monotonic() + grace_s
        dispatch, renew = self._threads[:1], self._threads[1:]
        _join(dispatch, end)  # first: it may be leasing one more job at this moment
        _join([run.thread for run in self._snapshot() if run.thread is not None], end)
        _join(renew, end)
        left = self._snapshot()
        self._threads.clear()
        _log.info("worker.stopped", owner=self.owner, unfinished=[run.job.key for run in left])
        return not left

    def _snapshot(self) -> list[_Run]:
        with self._lock:
            return list(self._runs.values())

    def _dispatch(self) -> None:
        while not self._stopping.is_set():
            self._bell.clear()
            try:
                is_busy = len(self._snapshot()) >= self._slots
                job = (
                    None
                    if is_busy
                    else jobs.lease(self._store, self._clock, self.owner, self._lease_s, list(self._handlers))
                )
                if job is not None:
                    self._run(job)
                    continue
                nap_s = self._poll_s if is_busy else self._until_due_s()
            except Exception:  # noqa: BLE001 - an edge: the database may be back in a moment
                _log.exception("worker.lease_failed")
                nap_s = self._poll_s
            self._bell.wait(nap_s)

    def _until_due_s(self) -> float:
        with self._store.reading() as session:
            due = jobs.next_due(session)
        if due is None:
            return self._poll_s
        # a job may be due and still wait for its lane: never spin
        return min(self._poll_s, max(_SHORTEST_NAP_S, (due - self._clock.now()).total_seconds()))

    def _run(self, job: LeasedJob) -> None:
        run = _Run(job)
        run.thread = threading.Thread(target=self._work, args=(run,), name=f"job-{job.kind}", daemon=True)
        with self._lock:
            self._runs[job.id] = run
        run.thread.start()

    def _work(self, run: _Run) -> None:
        job = run.job
        log = _log.bind(job=job.id, kind=job.kind, key=job.key, attempt=job.attempt)
        started, outcome = time.monotonic(), "lost"
        try:
            with structlog.contextvars.bound_contextvars(job=job.id):
                outcome = self._end(run, log)
            log.debug("job.looked", seconds=round(time.monotonic() - started, 3))
        except Stale:
            log.warning("job.lease_lost")
        except Exception:
            log.exception("job.outcome_lost")  # the lease runs out and the job is looked at again
        finally:
            self._observe(job.kind, outcome, time.monotonic() - started)
            with self._lock:
                self._runs.pop(job.id, None)
            self._bell.set()

    def _end(self, run: _Run, log: structlog.typing.FilteringBoundLogger) -> str:
        """Run the handler and write the outcome; give it as a word."""
        job = run.job
        try:
            again_at = self._handlers[job.kind](job)
        except AerodromeError as error:
            retry_s = max(_pause_s(job.attempt), getattr(error, "retry_after_s", 0.0))
            log.warning("job.failed", code=error.code, error=str(error), is_retried=error.retryable)
            retry_at = self._clock.now() + timedelta(seconds=retry_s) if error.retryable else None
            jobs.fail(self._store, job, error, retry_at)
            return "failed"
        except Exception as error:
            if self._stopping.is_set():
                log.info("job.interrupted", by=type(error).__name__)
                jobs.finish(self._store, job, look_again_at=self._clock.now())
                return "done"
            log.exception("job.crashed")
            data = {
                "kind": "broken",
                "code": "job-crashed",
                "message": f"The work stopped on an unexpected {type(error).__name__}.",
                "hint": "It is tried again by itself; the server's log has the details.",
                "details": {},
            }
            jobs.fail(self._store, job, data, self._clock.now() + timedelta(seconds=_pause_s(job.attempt)))
            return "crashed"
        jobs.finish(self._store, job, look_again_at=again_at)
        return "done"

    def _renew(self) -> None:
        while not self._stopping.wait(self._lease_s / 3) or self._snapshot():
            if self._stopping.is_set():
                time.sleep(min(1.0, self._lease_s / 3))
            for run in self._snapshot():
                if run.is_lost:
                    continue
                try:
                    jobs.renew(self._store, self._clock, run.job, self._lease_s)
                except Stale:
                    run.is_lost = True
                except Exception:  # noqa: BLE001 - an edge: the next round tries again, the lease lasts three rounds
                    _log.exception("worker.renew_failed", job=run.job.id)


def _join(threads: Iterable[threading.Thread], end: float) -> None:
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))


def _pause_s(attempt: int) -> float:
    """Give the seconds before the next try: 1, 2, 4 … 60."""
    return min(_LONGEST_RETRY_S, _FIRST_RETRY_S * float(2 ** min(attempt - 1, 10)))
