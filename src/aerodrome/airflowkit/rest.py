"""One client for the stable REST API of Airflow 2 (v1) and 3 (v2): what the platform needs, in the same words for both.

Called by migration, fleet and demo. Every request carries a fresh short-lived token in its header; tokens are never stored.
Lists are read page by page. Errors: Unavailable (airflow-unreachable, airflow-failed), Denied (airflow-denied), NotFound
(airflow-not-found), Conflict (airflow-conflict), Invalid (airflow-refused).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, Self
from urllib.parse import quote

import httpx2

from aerodrome.airflowkit.tokens import Role, mint
from aerodrome.airflowkit.versions import AirflowVersion
from aerodrome.kernel.clock import from_text, to_text
from aerodrome.kernel.errors import AerodromeError, Conflict, Denied, Invalid, NotFound, Unavailable
from aerodrome.kernel.secret import Secret

_PAGE = 100
_TIMEOUT_S = 20.0
_TOKEN_TTL_S = 120.0
Interval = tuple[datetime, datetime]


class Access(Protocol):
    """How an Airflow is reached; `runtimes.contract.AirflowAccess` is one."""

    @property
    def base_url(self) -> str: ...
    @property
    def airflow_version(self) -> str: ...
    @property
    def signing_key(self) -> Secret: ...


@dataclass(frozen=True)
class RestDag:
    """One DAG as Airflow knows it."""

    dag_id: str
    is_paused: bool
    is_stale: bool  # its file is gone
    has_import_errors: bool
    file: str
    parsed_at: datetime | None
    bundle_version: str | None  # digest of the deploy, Airflow 3 only
    next_logical_date: datetime | None
    next_interval: Interval | None
    next_run_after: datetime | None
    file_token: str
    schedule: str | None = None  # the timetable's summary; Airflow 3 only


@dataclass(frozen=True)
class RestTaskSpec:
    """One task of a DAG, as it is written."""

    task_id: str
    operator: str | None
    downstream: tuple[str, ...]  # sorted
    is_mapped: bool
    pool: str | None = None
    trigger_rule: str | None = None
    retries: int | None = None


@dataclass(frozen=True)
class RestRun:
    """One DAG run."""

    dag_id: str
    run_id: str
    run_type: str
    state: str
    logical_date: datetime | None
    interval: Interval | None
    run_after: datetime | None
    queued_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    bundle_version: str | None

    @property
    def is_finished(self) -> bool:
        return self.state in {"success", "failed"}


@dataclass(frozen=True)
class RestTask:
    """One task instance; `map_index` is -1 when the task is not mapped."""

    task_id: str
    map_index: int
    state: str | None
    try_number: int
    operator: str | None
    started_at: datetime | None
    ended_at: datetime | None


class AirflowRest:
    """Talks to one Airflow."""

    def __init__(
        self,
        base_url: str,
        version: AirflowVersion,
        token: Callable[[], Secret],
        *,
        transport: httpx2.BaseTransport | None = None,
        timeout_s: float = _TIMEOUT_S,
    ) -> None:
        self._version = version
        self._token = token
        self._health_path = "/api/v2/monitor/health" if version.major >= 3 else "/health"
        self._api = "/api/v2" if version.major >= 3 else "/api/v1"
        self._client = httpx2.Client(
            base_url=base_url.rstrip("/"),
            transport=transport,
            timeout=timeout_s,
            trust_env=False,
            limits=httpx2.Limits(max_keepalive_connections=0),  # nothing stays open, so a client may be forgotten
        )

    @classmethod
    def of(cls, access: Access, *, subject: str = "aerodrome", role: Role = "admin") -> Self:
        """Talk to the Airflow of an access, signing each request's token with its key."""
        key = access.signing_key
        return cls(
            access.base_url,
            AirflowVersion.parse(access.airflow_version),
            lambda: mint(key, subject, role, _TOKEN_TTL_S),
        )

    def close(self) -> None:
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def health(self) -> dict[str, str | None]:
        """Give component -> "healthy" | "unhealthy" | None (never seen); needs no token."""
        report = self._send("GET", self._health_path, api=False)
        return {name: entry.get("status") for name, entry in report.items() if isinstance(entry, dict)}

    def dags(self) -> list[RestDag]:
        """Give all DAGs, stale ones too, in order of name."""
        parameters: dict[str, Any] = {"order_by": "dag_id"}
        parameters |= {"exclude_stale": "false"} if self._version.major >= 3 else {"only_active": "false"}
        return [self._dag(entry) for entry in self._pages("/dags", "dags", parameters)]

    def dag(self, dag_id: str) -> RestDag | None:
        """Give one DAG, or None when Airflow does not know it."""
        try:
            return self._dag(self._send("GET", f"/dags/{_quoted(dag_id)}"))
        except NotFound:
            return None

    def tasks(self, dag_id: str) -> list[RestTaskSpec]:
        """Give the tasks that a DAG consists of, in order of id."""
        answer = self._send("GET", f"/dags/{_quoted(dag_id)}/tasks")
        return sorted(
            (
                RestTaskSpec(
                    task_id=entry["task_id"],
                    operator=entry.get("operator_name"),
                    downstream=tuple(sorted(entry.get("downstream_task_ids") or ())),
                    is_mapped=bool(entry.get("is_mapped")),
                    pool=entry.get("pool"),
                    trigger_rule=entry.get("trigger_rule"),
                    retries=None if entry.get("retries") is None else int(entry["retries"]),
                )
                for entry in answer["tasks"]
            ),
            key=lambda task: task.task_id,
        )

    def import_errors(self) -> list[tuple[str, str]]:
        """Give (file, traceback) of every file that could not be imported."""
        return [
            (entry["filename"], entry["stack_trace"]) for entry in self._pages("/importErrors", "import_errors", {})
        ]

    def set_paused(self, dag_id: str, *, is_paused: bool) -> None:
        """Pause or unpause; safe to repeat."""
        path = f"/dags/{_quoted(dag_id)}"
        self._send("PATCH", path, parameters={"update_mask": ["is_paused"]}, body={"is_paused": is_paused})

    def ask_to_parse(self, dag_id: str) -> None:
        """Ask for the DAG's file to be read soon; a DAG that is not known or already queued is no error."""
        if (dag := self.dag(dag_id)) is None or not dag.file_token:
            return
        try:
            self._send("PUT", f"/parseDagFile/{_quoted(dag.file_token)}")
        except (NotFound, Conflict):
            return

    def trigger(
        self,
        dag_id: str,
        *,
        run_id: str | None = None,
        logical_date: datetime | None = None,
        interval: Interval | None = None,
        conf: Mapping[str, Any] | None = None,
    ) -> RestRun:
        """Start a manual run; Conflict when a run with that id or logical date exists.

        Without `interval` Airflow makes one from the logical date: for most timetables the one before it.
        """
        body: dict[str, Any] = {"conf": dict(conf or {})}
        if interval is not None:
            body |= {"data_interval_start": to_text(interval[0]), "data_interval_end": to_text(interval[1])}
        if run_id is not None:
            body["dag_run_id"] = run_id
        if logical_date is not None or self._version.major >= 3:
            body["logical_date"] = to_text(logical_date)
        return _run(self._send("POST", f"/dags/{_quoted(dag_id)}/dagRuns", body=body))

    def backfill(self, dag_id: str, first: datetime, last: datetime) -> None:
        """Ask for the runs of every interval that starts from `first` to `last`; existing runs stay as they are.

        Airflow 3 only. Conflict while another backfill of the DAG goes on.
        """
        body = {
            "dag_id": dag_id,
            "from_date": to_text(first),
            "to_date": to_text(last),
            "reprocess_behavior": "none",
            "max_active_runs": 1,
        }
        self._send("POST", "/backfills", body=body)

    def run_again(self, dag_id: str, run_id: str) -> None:
        """Run again, on the newest version of the DAG, what failed of a finished run and what waited for that.

        Airflow 3.1 and newer only: before, a run that came from Airflow 2 has no version that it could run on.
        """
        body = {"dry_run": False, "only_failed": True, "run_on_latest_version": True}
        self._send("POST", f"/dags/{_quoted(dag_id)}/dagRuns/{_quoted(run_id)}/clear", body=body)

    def run(self, dag_id: str, run_id: str) -> RestRun:
        """Give one run; NotFound when there is none."""
        return _run(self._send("GET", f"/dags/{_quoted(dag_id)}/dagRuns/{_quoted(run_id)}"))

    def delete_run(self, dag_id: str, run_id: str) -> None:
        """Delete a run with its task instances; one that is gone is no error."""
        try:
            self._send("DELETE", f"/dags/{_quoted(dag_id)}/dagRuns/{_quoted(run_id)}")
        except NotFound:
            return

    def delete_dag(self, dag_id: str) -> None:
        """Delete a DAG's row with its runs; one that is gone is no error. It comes back while its file is there."""
        try:
            self._send("DELETE", f"/dags/{_quoted(dag_id)}")
        except NotFound:
            return

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value") -> Any:
        """Give an XCom's value (Airflow 3); NotFound when the task left none."""
        at = f"/dags/{_quoted(dag_id)}/dagRuns/{_quoted(run_id)}/taskInstances/{_quoted(task_id)}"
        return self._send("GET", f"{at}/xcomEntries/{_quoted(key)}", parameters={"deserialize": True})["value"]

    def task_log(self, dag_id: str, run_id: str, task_id: str, try_number: int, map_index: int = -1) -> str:
        """Give the text of one try's log, whole; empty when there is none."""
        path = f"/dags/{_quoted(dag_id)}/dagRuns/{_quoted(run_id)}/taskInstances/{_quoted(task_id)}/logs/{max(try_number, 1)}"
        try:
            answer = self._send("GET", path, parameters={"full_content": "true", "map_index": map_index})
        except NotFound:
            return ""
        content = answer.get("content")
        if isinstance(content, str):  # Airflow 2: the text as Python writes it in a list
            return content.replace("\\n", "\n")
        return "\n".join(_log_line(entry) for entry in content or ())

    def dag_runs(self, dag_id: str, *, states: Sequence[str] = ()) -> Iterator[RestRun]:
        """Give the runs of a DAG, the newest first; read lazily."""
        order = "-run_after" if self._version.major >= 3 else "-execution_date"
        parameters: dict[str, Any] = {"order_by": order}
        if states:
            parameters["state"] = list(states)
        for entry in self._pages(f"/dags/{_quoted(dag_id)}/dagRuns", "dag_runs", parameters):
            yield _run(entry)

    def newest_runs(self, dag_id: str, limit: int) -> list[RestRun]:
        """Give up to `limit` runs of every type, the newest first."""
        runs: list[RestRun] = []
        for run in self.dag_runs(dag_id):
            if len(runs) == limit:
                break
            runs.append(run)
        return runs

    def task_instances(self, dag_id: str, run_id: str) -> list[RestTask]:
        """Give the task instances of a run."""
        path = f"/dags/{_quoted(dag_id)}/dagRuns/{_quoted(run_id)}/taskInstances"
        return [
            RestTask(
                task_id=entry["task_id"],
                map_index=entry.get("map_index", -1),
                state=entry["state"],
                try_number=entry["try_number"],
                operator=entry.get("operator"),
                started_at=from_text(entry["start_date"]),
                ended_at=from_text(entry["end_date"]),
            )
            for entry in self._pages(path, "task_instances", {})
        ]

    def _dag(self, entry: Mapping[str, Any]) -> RestDag:
        is_v2 = self._version.major >= 3
        return RestDag(
            dag_id=entry["dag_id"],
            is_paused=bool(entry["is_paused"]),
            is_stale=bool(entry["is_stale"] if is_v2 else not entry["is_active"]),
            has_import_errors=bool(entry.get("has_import_errors")),
            file=(entry.get("relative_fileloc") if is_v2 else entry["fileloc"]) or "",
            parsed_at=from_text(entry.get("last_parsed_time")),
            bundle_version=entry.get("bundle_version"),
            next_logical_date=from_text(entry.get("next_dagrun_logical_date" if is_v2 else "next_dagrun")),
            next_interval=_interval(
                entry.get("next_dagrun_data_interval_start"), entry.get("next_dagrun_data_interval_end")
            ),
            next_run_after=from_text(entry.get("next_dagrun_run_after" if is_v2 else "next_dagrun_create_after")),
            file_token=entry.get("file_token") or "",
            schedule=entry.get("timetable_summary"),
        )

    def _pages(self, path: str, key: str, parameters: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        offset = 0
        while True:
            answer = self._send("GET", path, parameters={**parameters, "limit": _PAGE, "offset": offset})
            yield from answer[key]
            offset += len(answer[key])
            if not answer[key] or offset >= (answer.get("total_entries") or 0):
                return

    def _send(
        self,
        method: str,
        path: str,
        *,
        parameters: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        api: bool = True,
    ) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._token().reveal()}"} if api else {}
        try:
            answer = self._client.request(
                method, f"{self._api if api else ''}{path}", params=dict(parameters or {}), json=body, headers=headers
            )
        except httpx2.TransportError as error:
            raise Unavailable(
                f"Airflow does not answer at {self._client.base_url}.",
                code="airflow-unreachable",
                hint="Look at the deployment's health and at the log of its web component.",
            ) from error
        if answer.is_error:
            raise _explain(answer)
        content: dict[str, Any] = answer.json() if answer.content else {}
        return content


def _run(entry: Mapping[str, Any]) -> RestRun:
    return RestRun(
        dag_id=entry["dag_id"],
        run_id=entry["dag_run_id"],
        run_type=entry["run_type"],
        state=entry["state"],
        logical_date=from_text(entry.get("logical_date")),
        interval=_interval(entry.get("data_interval_start"), entry.get("data_interval_end")),
        run_after=from_text(entry.get("run_after") or entry.get("data_interval_end")),
        queued_at=from_text(entry.get("queued_at")),
        started_at=from_text(entry.get("start_date")),
        ended_at=from_text(entry.get("end_date")),
        bundle_version=entry.get("bundle_version"),
    )


def _log_line(entry: Any) -> str:
    """Write one event of Airflow 3's structured log as a line, exceptions included."""
    if not isinstance(entry, dict):
        return str(entry)
    level = str(entry.get("level") or "").upper()
    said = " ".join(part for part in (level, str(entry.get("event") or "")) if part)
    errors = [error for error in entry.get("error_detail") or () if isinstance(error, dict)]
    return "\n".join([said, *(f"{error.get('exc_type', 'Error')}: {error.get('exc_value', '')}" for error in errors)])


def _interval(start: str | None, end: str | None) -> Interval | None:
    first, last = from_text(start), from_text(end)
    return None if first is None or last is None else (first, last)


def _quoted(name: str) -> str:
    return quote(name, safe="")


def _explain(answer: httpx2.Response) -> AerodromeError:
    try:
        said = answer.json().get("detail")
    except (ValueError, AttributeError):
        said = None
    sentence = f"Airflow answered {answer.status_code}" + (f": {said}" if isinstance(said, str) and said else ".")
    if answer.status_code in {401, 403}:
        return Denied(
            sentence, code="airflow-denied", hint="The deployment may hold another signing key; apply it again."
        )
    if answer.status_code == 404:
        return NotFound(sentence, code="airflow-not-found")
    if answer.status_code == 409:
        return Conflict(sentence, code="airflow-conflict")
    if answer.status_code >= 500:
        return Unavailable(sentence, code="airflow-failed", hint="See the log of the deployment's web component.")
    return Invalid(sentence, code="airflow-refused", details={"detail": said})
