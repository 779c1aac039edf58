"""A fake Oozie that speaks its Web Services API v1 over a real socket, as the documentation of 5.2.1 has it (WebServicesAPI.md).

Names in answers are those of its client (JsonTags.java, 5.2.1). Only what a migration asks is here: build version, lists of coordinator
jobs, the information of one with its actions, suspend, resume and change. Time stands still: a test adds actions itself.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

DONE = {"SUCCEEDED", "KILLED", "FAILED", "TIMEDOUT"}
_SUSPEND = {"RUNNING": "SUSPENDED", "RUNNINGWITHERROR": "SUSPENDEDWITHERROR", "PREP": "PREPSUSPENDED"}
_RESUME = {suspended: running for running, suspended in _SUSPEND.items()}


@dataclass
class FakeJob:
    """A coordinator job. `actions`: nominal time and status, the oldest first."""

    job_id: str
    name: str
    path: str
    actions: list[tuple[datetime, str]]
    next_materialized: datetime | None
    status: str = "RUNNING"
    pause_time: str | None = None

    @property
    def last_done(self) -> datetime:
        return max(moment for moment, status in self.actions if status in DONE)

    def head(self) -> dict[str, Any]:
        return {
            "toString": f"Coordinator application id[{self.job_id}] status[{self.status}]",
            "coordJobId": self.job_id,
            "coordJobName": self.name,
            "coordJobPath": self.path,
            "status": self.status,
            "pauseTime": self.pause_time,
            "nextMaterializedTime": _text(self.next_materialized),
            "total": len(self.actions),
            "actions": [],
        }


@dataclass
class OozieFake:
    """The state of the server, and what it was asked."""

    jobs: dict[str, FakeJob] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    url: str = ""
    user: str = "mover"

    def add(
        self,
        name: str,
        path: str,
        actions: list[tuple[datetime, str]],
        next_materialized: datetime | None,
        status: str = "RUNNING",
    ) -> str:
        job_id = f"{len(self.jobs):07}-260301120000000-oozie-oozi-C"
        self.jobs[job_id] = FakeJob(job_id, name, path, actions, next_materialized, status)
        return job_id

    def answer(self, method: str, target: str) -> tuple[int, dict[str, str], Any]:
        """Give status, headers and JSON."""
        parts = urlsplit(target)
        wish = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        path = parts.path.removeprefix("/oozie")
        self.asked.append(f"{method} {path} {wish.get('action', '')}".strip())
        if path == "/v1/admin/build-version":
            return 200, {}, {"buildVersion": "5.2.1"}
        if path == "/v1/jobs" and method == "GET":
            return 200, {}, self._list(wish)
        found = re.fullmatch(r"/v1/job/([\w-]+)", path)
        job = self.jobs.get(found[1]) if found else None
        if job is None:
            return 404, _error("E0604", "Job does not exist"), None
        if method == "GET":
            return 200, {}, self._info(job, wish)
        if wish.get("user.name") != self.user:
            return 401, _error("E0508", f"User [{wish.get('user.name')}] not authorized for Coord job"), None
        return self._change(job, wish)

    def _list(self, wish: dict[str, str]) -> dict[str, Any]:
        offset, length = max(1, int(wish.get("offset", 1))), int(wish.get("len", 50))
        wanted = list(self.jobs.values()) if wish.get("jobtype") == "coordinator" else []
        page = wanted[offset - 1 : offset - 1 + length]
        return {
            "total": len(wanted),
            "offset": offset,
            "len": length,
            "coordinatorjobs": [job.head() for job in page],
        }

    @staticmethod
    def _info(job: FakeJob, wish: dict[str, str]) -> dict[str, Any]:
        numbered = list(enumerate(sorted(job.actions), 1))
        if wish.get("order") == "desc":
            numbered.reverse()
        offset, length = max(1, int(wish.get("offset", 1))), int(wish.get("len", 1000))
        page = numbered[offset - 1 : offset - 1 + length]
        actions = [
            {"id": f"{job.job_id}@{number}", "actionNumber": number, "nominalTime": _text(moment), "status": status}
            for number, (moment, status) in page
        ]
        return {**job.head(), "actions": actions}

    @staticmethod
    def _change(job: FakeJob, wish: dict[str, str]) -> tuple[int, dict[str, str], Any]:
        act = wish.get("action")
        if act == "suspend" and job.status in _SUSPEND:
            job.status = _SUSPEND[job.status]
            job.actions = [(moment, "SUSPENDED" if status == "RUNNING" else status) for moment, status in job.actions]
        elif act == "resume" and job.status in _RESUME:
            job.status = _RESUME[job.status]
            job.actions = [(moment, "RUNNING" if status == "SUSPENDED" else status) for moment, status in job.actions]
        elif act == "change" and wish.get("value", "").startswith("pausetime="):
            text = wish["value"].removeprefix("pausetime=")
            if text and datetime.strptime(text, "%Y-%m-%dT%H:%MZ").replace(tzinfo=UTC) <= datetime.now(UTC):
                return 400, _error("E1015", f"Invalid coordinator job change value {text}, must be in the future"), None
            job.pause_time = text or None
        else:
            return 400, _error("E1011", f"{act} is not possible in {job.status}"), None
        return 200, {}, None


def _error(code: str, message: str) -> dict[str, str]:
    return {"oozie-error-code": code, "oozie-error-message": message}


def _text(moment: datetime | None) -> str | None:
    return format_datetime(moment.astimezone(UTC), usegmt=True) if moment else None


@contextmanager
def oozie_fake() -> Iterator[OozieFake]:
    """Serve on a loopback port until the block ends."""
    state = OozieFake()

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            status, headers, content = state.answer(self.command, self.path)
            body = b"" if content is None else json.dumps(content).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json;charset=UTF-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_PUT = _serve  # noqa: N815 - the names that http.server looks for

        def log_message(self, *_args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}/oozie"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), name="fake-oozie", daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
