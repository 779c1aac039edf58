"""A fake of an Airflow 2 with the Starship plugin: its login form, its routes, their order, paging and errors.

Made after answers of astronomer-starship 2.10.1 in Airflow 2.11.2; `test_starship_real.py` holds both against each other.
"""

from __future__ import annotations

import json
import re
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

PASSWORD = "canary-rest-password"
CSRF, SESSION = 'IjYzY<"&x', "session=canary-session"
Row = dict[str, Any]

RUN: Row = {
    "clear_number": 0, "conf": {}, "creating_job_id": None, "dag_hash": None, "dag_id": "", "data_interval_end": None,
    "data_interval_start": None, "end_date": None, "execution_date": None, "external_trigger": False,
    "last_scheduling_decision": None, "queued_at": None, "run_id": "", "run_type": "scheduled", "start_date": None,
    "state": "success",
}  # fmt: skip
TASK: Row = {
    "custom_operator_name": None, "dag_id": "", "duration": 2.0, "end_date": None, "executor": None,
    "executor_config": None, "external_executor_id": None, "hostname": "worker-1", "job_id": None, "map_index": -1,
    "max_tries": 1, "operator": "BashOperator", "pid": None, "pool": "default_pool", "pool_slots": 1,
    "priority_weight": 1, "queue": "default", "queued_by_job_id": None, "queued_dttm": None,
    "rendered_map_index": None, "run_id": "", "start_date": None, "state": "success", "task_display_name": "",
    "task_id": "", "trigger_id": None, "trigger_timeout": None, "try_number": 1, "unixname": "airflow",
}  # fmt: skip


@dataclass
class StarshipServer:
    """What the Airflow holds. Tests change it at will."""

    url: str = ""
    has_rest: bool = False
    connections: list[Row] = field(default_factory=list)
    variables: list[Row] = field(default_factory=list)
    pools: list[Row] = field(default_factory=list)
    dags: list[Row] = field(default_factory=list)
    runs: list[Row] = field(default_factory=list)
    tasks: list[Row] = field(default_factory=list)
    tries: list[Row] = field(default_factory=list)
    xcoms: dict[tuple[str, ...], dict[str, bytes]] = field(
        default_factory=dict
    )  # (dag, run, task, map index) -> by key
    logs: dict[tuple[str, ...], bytes] = field(default_factory=dict)  # with the number of the try
    is_astronomer: bool = True
    ended: bool = False  # the session is over
    broken: set[str] = field(default_factory=set)  # ids of tasks whose items are answered with an error
    down: bool = False  # its database is away: every route answers with an error
    down_from: str = ""  # the route at which that begins
    failing: list[int] = field(default_factory=list)  # statuses that the next questions for items get, first first
    asked: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add_run(self, dag_id: str, day: datetime, tasks: tuple[str, ...] = (), **changes: Any) -> Row:
        """Add a daily run that ended, with a task instance of each name."""
        end = day + timedelta(days=1)
        run = RUN | {
            "dag_id": dag_id, "run_id": f"scheduled__{day.isoformat()}", "execution_date": str(day),
            "data_interval_start": str(day), "data_interval_end": str(end), "start_date": str(end),
            "end_date": str(end + timedelta(seconds=30)),
        } | changes  # fmt: skip
        self.runs.append(run)
        for number, task_id in enumerate(tasks):
            start = end + timedelta(seconds=number)
            self.tasks.append(
                TASK
                | {"dag_id": dag_id, "run_id": run["run_id"], "task_id": task_id, "task_display_name": task_id}
                | {"start_date": str(start), "end_date": str(start + timedelta(seconds=2))}
            )
        return run


@contextmanager
def starship_server() -> Iterator[StarshipServer]:
    state = StarshipServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *_: Any) -> None:
            return

        def do_GET(self) -> None:
            self._act("GET")

        def do_POST(self) -> None:
            self._act("POST")

        def do_PATCH(self) -> None:
            self._act("PATCH")

        def do_DELETE(self) -> None:
            self._act("DELETE")

        def _act(self, method: str) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = urlsplit(self.path)
            with state.lock:
                state.asked.append(f"{method} {parts.path}")
                if parts.path == "/api/v1/version":
                    self._json(200, {"version": "2.11.2", "git_version": None})
                elif parts.path.startswith("/api/v1"):
                    self._json(403, {"detail": None, "status": 403, "title": "Forbidden", "type": "…/PermissionDenied"})
                elif parts.path.startswith("/api/v2"):
                    self._json(404, {"detail": None, "status": 404, "title": "Not Found", "type": "…/NotFound"})
                elif parts.path == "/login/":
                    self._login(method, body)
                elif state.ended or SESSION not in (self.headers.get("Cookie") or ""):
                    self._to("/login/?next=" + self.path)
                elif found := re.fullmatch(r"/api/starship/(\w+)", parts.path):
                    given = {name: values[0] for name, values in parse_qs(parts.query).items()}
                    sent = json.loads(body) if body else {}
                    self._starship(method, found[1], sent if method == "PATCH" else given | sent)
                else:
                    self._json(404, {"error": "not found"})

        def _login(self, method: str, body: bytes) -> None:
            if method == "GET":
                shown = CSRF.replace("&", "&amp;").replace('"', "&#34;").replace("<", "&lt;")
                page = f'<form><input id="csrf_token" name="csrf_token" type="hidden" value="{shown}"></form>'
                self._send(200, "text/html", page.encode())
                return
            form = dict(parse_qsl(body.decode()))
            if form == {"csrf_token": CSRF, "username": "reader", "password": PASSWORD}:
                state.ended = False
                self._to("/home", {"Set-Cookie": f"{SESSION}; HttpOnly; Path=/"})
            else:
                self._to("/login/?next=/home")

        def _starship(self, method: str, route: str, given: Row) -> None:
            answers: dict[str, Any] = {
                "info": {"airflow_version": "2.11.2", "starship_version": "2.10.1"},
                "env_vars": {"AIRFLOW__CORE__FERNET_KEY": "canary-fernet"},
                "connections": state.connections,
                "variables": state.variables,
                "pools": state.pools,
                "dags": [
                    dag | {"dag_run_count": sum(run["dag_id"] == dag["dag_id"] for run in state.runs)}
                    for dag in state.dags
                ],
            }
            state.down = state.down or route == state.down_from
            if state.down:
                self._json(500, {"error": "Unknown Error", "error_type": "…", "error_message": "canary-traceback …"})
            elif route == "health":
                self._send(200, "text/html; charset=utf-8", b"OK")
            elif method == "GET" and route in answers:
                self._json(200, answers[route])
            elif method == "GET" and route in ("dag_runs", "task_instances", "task_instance_history"):
                if "dag_id" not in given:
                    self._json(400, {"error": "RuntimeError('Missing required key: dag_id')"})
                    return
                self._json(200, self._page(route, given))
            elif method == "GET" and route in ("xcom", "task_log"):
                self._item(route, given)
            elif method == "PATCH" and route == "dags":
                for dag in state.dags:
                    if dag["dag_id"] == given["dag_id"]:
                        dag["is_paused"] = given["is_paused"]
                self._json(200, given)  # also for a DAG that does not exist
            elif method == "POST" and route == "variables":
                if any(each["key"] == given["key"] for each in state.variables):
                    self._json(409, {"error": "Integrity Error (Duplicate Record?)", "kwargs": given})
                    return
                state.variables.append({"key": given["key"], "val": given["val"], "description": given["description"]})
                self._json(200, given)
            elif method == "DELETE" and route == "variables":
                state.variables[:] = [each for each in state.variables if each["key"] != given["key"]]
                self._send(204, "text/html", b"")
            else:
                self._json(500, {"error": "Unknown Error", "error_type": "…", "error_message": "Traceback …"})

        def _item(self, route: str, given: Row) -> None:
            key = tuple(given[name] for name in ("dag_id", "run_id", "task_id", "map_index"))
            if state.failing:
                self._send(state.failing.pop(0), "text/html", b"later", {"Retry-After": "0"})
            elif given["task_id"] in state.broken:
                self._json(500, {"error": "Unknown Error", "error_type": "…", "error_message": "canary-traceback …"})
            elif route == "xcom":
                names = ("dag_id", "run_id", "task_id", "map_index")
                self._json(
                    200,
                    [
                        {**dict(zip(names, key, strict=True)), "map_index": int(key[3]), "key": name}
                        | {"value": b64encode(value).decode()}
                        for name, value in state.xcoms.get(key, {}).items()
                    ],
                )
            elif not state.is_astronomer:
                self._json(409, {"error": "Task logs are only supported on Astronomer environments."})
            elif (content := state.logs.get((*key, given["try_number"]))) is None:
                path = f"/logs/dag_id={key[0]}/run_id={key[1]}/task_id={key[2]}/attempt={given['try_number']}.log"
                self._json(404, {"error": f"Task log at {path} not found: {path}"})
            else:
                self._send(200, "text/plain; charset=utf-8", content)

        def _page(self, route: str, given: Row) -> Row:
            """Page runs: newest start first, those without a start at the end, as SQLite sorts them."""
            runs = [run for run in state.runs if run["dag_id"] == given["dag_id"]]
            runs.sort(key=lambda run: run["start_date"] or "", reverse=True)
            offset, limit = int(given.get("offset", 0)), int(given.get("limit", 10))
            page = runs[offset : offset + limit]
            if route == "dag_runs":
                return {"dag_run_count": len(runs), "dag_runs": page}
            ids = {run["run_id"] for run in page}
            rows = state.tasks if route == "task_instances" else state.tries
            found = [row for row in rows if row["dag_id"] == given["dag_id"] and row["run_id"] in ids]
            found.sort(key=lambda row: row["start_date"] or "", reverse=True)
            return {"dag_run_count": len(runs), "task_instances": found}

        def _to(self, place: str, headers: dict[str, str] | None = None) -> None:
            self._send(302, "text/html", b"<p>You should be redirected</p>", {"Location": place, **(headers or {})})

        def _json(self, status: int, data: Any) -> None:
            self._send(status, "application/json", json.dumps(data).encode())

        def _send(self, status: int, kind: str, data: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in {"Content-Type": kind, "Content-Length": str(len(data)), **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def filled(state: StarshipServer, now: datetime) -> StarshipServer:
    """Put an Airflow of one daily DAG and one that is paused into it."""
    state.connections[:] = [
        {
            "conn_id": "warehouse", "conn_type": "postgres", "description": "The warehouse",
            "extra": '{"sslmode": "require", "token": "canary-conn-extra-b2"}', "host": "warehouse.internal",
            "login": "etl", "password": "canary-conn-password-a1", "port": 5432, "schema": "sales",
        },
        {
            "conn_id": "ftp_partner", "conn_type": "ftp", "description": None, "extra": None, "host": "203.0.113.9",
            "login": "x", "password": None, "port": None, "schema": None,
        },
    ]  # fmt: skip
    state.variables[:] = [{"description": "Which region", "key": "sales_region", "val": "eu"}]
    state.pools[:] = [{"description": "Default pool", "include_deferred": False, "name": "default_pool", "slots": 128}]
    dag = {"description": None, "owners": "sales", "tags": ["sales", "finance"], "is_paused": False}
    state.dags[:] = [
        dag | {"dag_id": "daily_sales", "fileloc": "/far/dags/daily_sales.py", "schedule_interval": "0 2 * * *"},
        dag
        | {"dag_id": "maintenance", "fileloc": "/far/dags/maintenance.py", "schedule_interval": "6:00:00"}
        | {"is_paused": True},
    ]
    day = datetime(now.year, now.month, now.day, 2, tzinfo=UTC) - timedelta(days=130)
    for number in range(129):
        state.add_run("daily_sales", day + timedelta(days=number), ("start", "load"))
    running = state.add_run("daily_sales", day + timedelta(days=129), ("start",), state="running", end_date=None)
    state.tasks[-1] |= {"state": "running", "end_date": None}
    state.tries.append(
        state.tasks[1] | {"state": "failed", "try_number": 1, "run_id": state.runs[0]["run_id"], "task_id": "load"}
    )
    assert running["state"] == "running"
    return state
