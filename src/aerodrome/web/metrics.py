"""GET /metrics: numbers of the platform and of all deployments, as Prometheus reads them.

Wants an API token whose person has `metrics.read`, or a caller on this machine when the settings say so. What comes out of rows is
kept for some seconds, so that scraping stays cheap however many scrape.
"""

from __future__ import annotations

import shutil
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from aerodrome.access.permissions import require
from aerodrome.fleet import metrics as fleet
from aerodrome.kernel.errors import AerodromeError
from aerodrome.kernel.version import version
from aerodrome.store import outbox
from aerodrome.store.jobs import AS_SOON_AS_POSSIBLE
from aerodrome.store.tables.event import OutboxEvent
from aerodrome.store.tables.job import Job
from aerodrome.telemetry import Family, render
from aerodrome.telemetry.exposition import CONTENT_TYPE
from aerodrome.web.credentials import authenticate
from aerodrome.web.platform import Platform, platform_of
from aerodrome.web.problems import problem_of

router = APIRouter(include_in_schema=False)
KEPT_S: Final = 5.0
_FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-real-ip", "via")


class Rows:
    """The part that comes out of rows, at most `KEPT_S` old. Thread-safe: of many who ask at once, one reads."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._lock = threading.Lock()
        self._text = b""
        self._made_at = -KEPT_S

    def text(self) -> bytes:
        with self._lock:
            if time.monotonic() - self._made_at >= KEPT_S:
                now = self._platform.clock.now()
                with self._platform.store.reading() as session:
                    families = [*_platform(session, now, self._platform.settings.home), *fleet.families(session, now)]
                self._text = render(families)
                self._made_at = time.monotonic()
            return self._text


@router.get("/metrics")
def metrics(request: Request) -> Response:
    """Give all metrics in Prometheus' text format."""
    the = platform_of(request)
    try:
        if not (the.settings.metrics_on_loopback and _is_from_here(request)):
            require(authenticate(request), "metrics.read")
        rows: Rows = request.app.state.metric_rows
        return Response(rows.text() + the.instruments.render(), media_type=CONTENT_TYPE)
    except AerodromeError as error:  # a problem document, not a page: no person asks
        return problem_of(error, request.scope.get("aerodrome.request_id")).response()


def _is_from_here(request: Request) -> bool:
    """Tell whether the caller is on this machine; what came through a proxy is not, whoever it says it is."""
    host = request.client.host if request.client is not None else ""
    is_loopback = host == "::1" or host.startswith("127.")
    return is_loopback and not any(name in request.headers for name in _FORWARDED)


def _platform(session: Session, now: datetime, home: Path) -> list[Family]:
    info = Family("aerodrome_build_info", "The version that answers; always 1.", ("version",))
    info.add(1, version())
    jobs = Family("aerodrome_jobs", "Jobs by kind and state.", ("kind", "state"))
    is_leased = Job.lease_owner.is_not(None)
    for kind, leased, parked, count in session.execute(
        select(Job.kind, is_leased, Job.run_at.is_(None), func.count()).group_by(
            Job.kind, is_leased, Job.run_at.is_(None)
        )
    ):
        jobs.add(count, kind, "leased" if leased else "parked" if parked else "waiting")
    due = Family("aerodrome_jobs_due", "Jobs that are due and that nobody has leased.")
    late = Family("aerodrome_jobs_late_seconds", "How long the job that is due longest waits for a worker.")
    is_due = (Job.lease_owner.is_(None), Job.run_at <= now)
    due.add(session.scalar(select(func.count()).select_from(Job).where(*is_due)))
    oldest = session.scalar(select(func.min(Job.run_at)).where(*is_due, Job.run_at > AS_SOON_AS_POSSIBLE))
    late.add(0.0 if oldest is None else (now - oldest).total_seconds())
    held = Family("aerodrome_worker_leases", "Jobs in the hands of a worker.", ("worker",))
    left = Family(
        "aerodrome_worker_lease_seconds", "Until its first lease runs out; negative: it is dead.", ("worker",)
    )
    owners = select(Job.lease_owner, func.count(), func.min(Job.lease_until)).where(is_leased).group_by(Job.lease_owner)
    for owner, count, until in session.execute(owners):
        if owner is not None and until is not None:
            held.add(count, owner)
            left.add((until - now).total_seconds(), owner)
    events = Family("aerodrome_events_total", "Events written to the outbox.", (), "counter")
    events.add(outbox.last_seq(session))
    event_age = Family("aerodrome_event_age_seconds", "Time since the newest event was written.")
    newest = session.scalar(select(func.max(OutboxEvent.at)))
    event_age.add(None if newest is None else (now - newest).total_seconds())
    disk = shutil.disk_usage(home)
    free = Family("aerodrome_disk_free_bytes", "Free space of the platform's home.")
    free.add(disk.free)
    total = Family("aerodrome_disk_bytes", "Size of the file system of the platform's home.")
    total.add(disk.total)
    return [info, jobs, due, late, held, left, events, event_age, free, total]
