"""Talks to a running Oozie: finds the coordinators, reads their actions, suspends and resumes them. Never kills.

Oozie Web Services API v1, as documented for 5.2.1 (WebServicesAPI.md: Managing a Job, Job Information, Jobs Information); the names in
the answers are those of its client (JsonTags.java, 5.2.1). Errors: Unavailable (source-unreachable, source-failed), Denied
(source-login-refused), NotFound (source-not-found), Invalid (not-an-oozie, source-refused). None of them shows a credential.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import quote

import httpx2

from aerodrome.kernel.errors import AerodromeError, Denied, Invalid, NotFound, Unavailable
from aerodrome.kernel.secret import Secret

TIMEOUT_S: Final = 60.0
PAGE: Final = 200
SUSPENDED: Final = frozenset({"SUSPENDED", "SUSPENDEDWITHERROR", "PREPSUSPENDED"})
LIVE: Final = SUSPENDED | {
    "PREP", "RUNNING", "RUNNINGWITHERROR", "PAUSED", "PAUSEDWITHERROR", "PREPPAUSED",
}  # fmt: skip
_DONE: Final = frozenset({"SUCCEEDED", "KILLED", "FAILED", "TIMEDOUT", "SKIPPED", "IGNORED"})
_AT_WORK: Final = frozenset({"RUNNING", "SUBMITTED"})


@dataclass(frozen=True)
class Job:
    """A coordinator job."""

    job_id: str
    name: str
    path: str
    status: str

    @property
    def is_suspended(self) -> bool:
        return self.status in SUSPENDED


@dataclass(frozen=True)
class Standing:
    """How far a coordinator job is. `in_flight` counts by the words of DagState."""

    job: Job
    last_done: datetime | None
    last_state: str | None  # success | failed
    next_nominal: datetime | None
    in_flight: Mapping[str, int]


class OozieServer:
    """One Oozie. Nothing connects before the first call."""

    def __init__(self, url: str, user: str, password: Secret, *, transport: httpx2.BaseTransport | None = None) -> None:
        """Take a user's name (Oozie's simple authentication), with a password where a gateway asks for basic authentication."""
        self.url = url.rstrip("/")
        self._user = user
        login = httpx2.BasicAuth(user, password.reveal()) if password else None
        self._client = httpx2.Client(transport=transport, timeout=TIMEOUT_S, trust_env=False, auth=login)

    def close(self) -> None:
        self._client.close()

    def version(self) -> str:
        """Give the build version; Invalid `not-an-oozie` when something else answers."""
        found = self._ask("GET", "/v1/admin/build-version")
        if "buildVersion" not in found:
            raise self._not_oozie()
        return str(found["buildVersion"])

    def jobs(self) -> list[Job]:
        """Give every coordinator job that may still run something."""
        found: list[Job] = []
        offset = 1  # base 1, as documented
        while True:
            answer = self._ask("GET", "/v1/jobs", jobtype="coordinator", offset=offset, len=PAGE)
            entries = answer.get("coordinatorjobs")
            if not isinstance(entries, list):
                raise self._not_oozie()
            found += [job for job in map(_job, entries) if job.status in LIVE]
            offset += len(entries)
            if not entries or offset > int(answer.get("total", 0)):
                return found

    def standing(self, job_id: str) -> Standing:
        """Tell how far a job is: what is done up to which nominal time, what goes on, and what comes next."""
        actions: list[tuple[datetime, str]] = []
        head: Mapping[str, Any] | None = None
        for answer in self._pages(job_id):
            head = head or answer
            newest = [_action(item) for item in answer.get("actions") or ()]
            actions += newest
            if newest and all(status in _DONE for _moment, status in newest):
                break  # newest first: what is older was done before these
        assert head is not None  # noqa: S101 - there is always a first answer
        return _standing(_job(head), _moment(head.get("nextMaterializedTime")), sorted(actions))

    def suspend(self, job_id: str) -> None:
        self._ask("PUT", f"/v1/job/{quote(job_id, safe='')}", action="suspend")

    def resume(self, job_id: str) -> None:
        self._ask("PUT", f"/v1/job/{quote(job_id, safe='')}", action="resume")

    def pause_from(self, job_id: str, moment: datetime) -> None:
        """Let a job materialize nothing from a moment on; Oozie wants whole minutes in the future."""
        text = (moment.astimezone(UTC) + timedelta(seconds=61)).strftime("%Y-%m-%dT%H:%MZ")
        self._ask("PUT", f"/v1/job/{quote(job_id, safe='')}", action="change", value=f"pausetime={text}")

    def clear_pause(self, job_id: str) -> None:
        self._ask("PUT", f"/v1/job/{quote(job_id, safe='')}", action="change", value="pausetime=")

    def _pages(self, job_id: str) -> Iterator[Mapping[str, Any]]:
        offset = 1
        while True:
            answer = self._ask(
                "GET", f"/v1/job/{quote(job_id, safe='')}", show="info", order="desc", offset=offset, len=PAGE
            )
            yield answer
            count = len(answer.get("actions") or ())
            offset += count
            if count < PAGE:
                return

    def _ask(self, method: str, path: str, **parameters: Any) -> dict[str, Any]:
        if self._user:
            parameters["user.name"] = self._user
        try:
            answer = self._client.request(method, self.url + path, params=parameters)
        except httpx2.TransportError as error:
            raise Unavailable(
                f"{self.url} does not answer.",
                code="source-unreachable",
                hint="Check address, port and network path, then try again.",
            ) from error
        if answer.is_error or answer.is_redirect:
            raise self._explained(method, path, answer)
        if not answer.content:
            return {}
        try:
            found = answer.json()
        except ValueError:
            raise self._not_oozie() from None
        return found if isinstance(found, dict) else {}

    def _not_oozie(self) -> Invalid:
        return Invalid(
            f"{self.url} does not answer as Oozie does.",
            code="not-an-oozie",
            hint="Give the address with its path: http://host:11000/oozie.",
        )

    def _explained(self, method: str, path: str, answer: httpx2.Response) -> AerodromeError:
        status = answer.status_code
        what = f"{method} {path}"
        said = " ".join(
            answer.headers.get(name, "") for name in ("oozie-error-code", "oozie-error-message")
        ).strip()  # RestConstants.OOZIE_ERROR_CODE, OOZIE_ERROR_MESSAGE
        if (status == 401 and not said.startswith("E05")) or answer.is_redirect:
            return Denied(
                f"{self.url} asks for a login.",
                code="source-login-refused",
                hint="Give a user, and a password where a gateway with basic authentication stands before it. Kerberos is not spoken: "
                "confirm the hold by hand instead.",
            )
        if status in (401, 403):
            return Denied(
                f"The user may not {what}. {said}".strip(),
                code="source-right-missing",
                hint="Ask for that right in Oozie.",
            )
        if status == 404:
            return NotFound(f"Oozie does not know {what}. {said}".strip(), code="source-not-found")
        if status >= 500:
            return Unavailable(f"Oozie answers {what} with {status}.", code="source-failed", hint="See its log.")
        return Invalid(f"Oozie refuses {what}. {said}".strip(), code="source-refused")


def _standing(job: Job, coming: datetime | None, actions: list[tuple[datetime, str]]) -> Standing:
    """Judge a job by its actions, the oldest first.

    What is done counts up to the first action that is not. One that waits while a later one is done is in flight, too: the target
    could go on neither before nor after it.
    """
    open_ones = [moment for moment, status in actions if status not in _DONE]
    first_open = open_ones[0] if open_ones else None
    done = [(moment, status) for moment, status in actions if status in _DONE]
    before = [item for item in done if first_open is None or item[0] < first_open]
    in_flight: dict[str, int] = {}
    for moment, status in actions:
        if status in _AT_WORK:
            word = "run:suspended" if job.is_suspended else "running"
        elif status == "SUSPENDED":
            word = "run:suspended"
        elif status not in _DONE and done and moment < done[-1][0]:
            word = "run:waiting"
        else:
            continue
        in_flight[word] = in_flight.get(word, 0) + 1
    last = before[-1] if before else None
    return Standing(
        job,
        last[0] if last else None,
        None if last is None else "success" if last[1] == "SUCCEEDED" else "failed",
        first_open or coming,
        in_flight,
    )


def _job(data: Mapping[str, Any]) -> Job:
    return Job(
        str(data.get("coordJobId", "")),
        str(data.get("coordJobName", "")),
        str(data.get("coordJobPath") or ""),
        str(data.get("status", "")),
    )


def _action(data: Mapping[str, Any]) -> tuple[datetime, str]:
    moment = _moment(data.get("nominalTime"))
    if moment is None:
        raise Invalid(
            f"Oozie tells no nominal time of the action {data.get('id')}.",
            code="not-an-oozie",
            hint="Confirm the hold and the last time by hand instead.",
        )
    return moment, str(data.get("status"))


def _moment(text: Any) -> datetime | None:
    """Read "Fri, 01 Jan 2010 01:00:00 GMT", as every moment is written."""
    return parsedate_to_datetime(str(text)).astimezone(UTC) if text else None
