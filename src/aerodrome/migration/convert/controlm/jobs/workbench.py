"""Where the tasks of one job are made: what every kind of job needs to write steps, notes, connections and compiled text."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from aerodrome.kernel.redaction import Redactor
from aerodrome.migration.convert import symbols
from aerodrome.migration.convert.contract import Code, ConnectionNeed, Expression, Function, Symbol
from aerodrome.migration.convert.controlm import snippets
from aerodrome.migration.convert.controlm.definitions.model import Job, Profile
from aerodrome.migration.convert.controlm.site import Host, Site, connection_id
from aerodrome.migration.convert.controlm.variables.autoedit import Compiled, Scope, compile_text, compile_value

_DATABASES: Final = {
    "postgres": "postgres",
    "oracle": "oracle",
    "mssql": "mssql",
    "sqlserver": "mssql",
    "mysql": "mysql",
    "db2": "jdbc",
}


_SECRET: Final = re.compile(r"passw|secret|token|credential|privatekey|apikey|accesskey|pwd", re.IGNORECASE)


def shown_details(job: Job) -> str:
    """Give the definition of a job as JSON, for the task that stands for it: what could be secret is left out; "" without details."""
    kept = {key: _shown(key, value) for key, value in job.details.items() if value.strip()}
    return json.dumps({"Type": job.type_name, **kept}, indent=2, ensure_ascii=False) if kept else ""


def _shown(key: str, value: Any) -> Any:
    """Give a detail; lists and maps stand in it as JSON, and hold secrets of their own. Passwords in addresses are masked."""
    if _SECRET.search(re.sub(r"[^A-Za-z]", "", key)):
        return "(left out)"
    if isinstance(value, dict):
        return {name: _shown(str(name), item) for name, item in value.items()}
    if isinstance(value, list):
        return [_shown("", item) for item in value]
    if not isinstance(value, str):
        return value
    if value.lstrip()[:1] in ("{", "["):
        with suppress(ValueError):
            return json.dumps(_shown("", json.loads(value)), ensure_ascii=False)
    return Redactor().text(value)


@dataclass(frozen=True)
class Step:
    """One task of a job. The first step of a job takes its conditions, the last one is its end."""

    suffix: str
    operator: Symbol
    arguments: tuple[tuple[str, Expression], ...]
    is_waiting: bool = False
    is_setting: bool = False  # it only sets variables for others


@dataclass
class Work:
    """The tasks of a job and what they need. `failure` (code, reason) is set when the job was not converted."""

    steps: list[Step] = field(default_factory=list)
    functions: list[Function] = field(default_factory=list)
    connections: list[ConnectionNeed] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)  # code, sentence
    unknown: list[str] = field(default_factory=list)  # Airflow variables that somebody must create
    macros: set[str] = field(default_factory=set)
    packages: set[str] = field(default_factory=set)  # distributions that no import of the file names
    failure: tuple[str, str] | None = None
    queue: str = ""


@dataclass
class Workbench:
    """The job, what it may look at, and the work so far."""

    job: Job
    scope: Scope
    site: Site
    profiles: Mapping[str, Profile]
    work: Work = field(default_factory=Work)

    def step(self, suffix: str, operator: Symbol, *arguments: tuple[str, Expression], is_waiting: bool = False) -> None:
        """Add a task."""
        self.work.steps.append(Step(suffix, operator, arguments, is_waiting))

    def run(self, text: str, host: Host | None = None, suffix: str = "") -> None:
        """Add a task that runs a shell command, already compiled: on a worker, or by SSH on a host; without one where the job runs."""
        where, host = host, host or self.site.host(self.job.host)
        self.work.queue = host.queue
        if host.is_worker:
            if not self.job.host and where is None:
                self.note(
                    "no-host", "The job names no host (the Control-M server itself): it runs on an Airflow worker."
                )
            if self.job.run_as and not host.queue and where is None:
                self.note("run-as", f"It runs as the user of the worker, not as {self.job.run_as}.")
            self.step(suffix, symbols.BASH, ("bash_command", text))
            return
        self.step(suffix, symbols.SSH, ("ssh_conn_id", self.ssh(where)), ("command", text), ("cmd_timeout", None))

    def text(self, text: str) -> str:
        """Compile %% variables; what cannot be compiled makes the job fail."""
        done = compile_text(text, self.scope)
        self._take(done)
        return done.text

    def value(self, text: str) -> str:
        """Compile the value of a variable, in which functions may stand."""
        done = compile_value(text, self.scope)
        self._take(done)
        return done.text

    def plain(self, name: str, text: str) -> str:
        """Give a text for an argument that Airflow does not render; the job fails when a %% variable stands in it."""
        done = self.text(text)
        if "{{" in done:
            self.fail("detail-not-rendered", f"{name} has a %% variable, and the operator does not render it: {text}")
        return done

    def _take(self, done: Compiled) -> None:
        self.work.macros |= done.macros
        self.work.unknown += [name for name in done.unknown if name not in self.work.unknown]
        for note in done.notes:
            self.note("variables", note)
        if done.problems and self.work.failure is None:
            self.work.failure = ("variables", done.problems[0])

    def note(self, code: str, text: str) -> None:
        """Add a caveat, once."""
        if (code, text) not in self.work.notes:
            self.work.notes.append((code, text))

    def fail(self, code: str, reason: str) -> None:
        """Say why the job is not converted."""
        self.work.failure = (code, reason)

    def give_up(self) -> None:
        """Replace what was made by one task that raises with the reason of the failure."""
        assert self.work.failure is not None  # noqa: S101
        _, reason = self.work.failure
        arguments: tuple[tuple[str, Expression], ...] = (
            ("python_callable", Code("not_converted")),
            ("op_args", [reason]),
        )
        if definition := shown_details(self.job):
            arguments = (*arguments, ("doc_json", definition))
        self.work.steps = [Step("", symbols.PYTHON, arguments)]
        self.work.functions = [snippets.RAISE]
        self.work.connections = []
        self.work.packages = set()

    def connect(self, need: ConnectionNeed) -> None:
        """Say that the team must create a connection."""
        self.work.connections.append(need)

    def ssh(self, host: Host | None = None) -> str:
        """Give the SSH connection of a host, or of the job's host and user."""
        host = host or self.site.host(self.job.host)
        conn_id = host.connection or connection_id("ssh", self.job.run_as, self.job.host)
        self.connect(
            ConnectionNeed(conn_id, "ssh", self.job.host, login=self.job.run_as, why=f"jobs on {self.job.host}")
        )
        return conn_id

    def profile(self, name: str, conn_type: str) -> str:
        """Give the connection of a Control-M connection profile; `generic`: of the database that the profile is for."""
        conn_id = connection_id(name)
        known = self.profiles.get(name)
        if known is not None and conn_type == "generic":
            conn_type = next((kind for word, kind in _DATABASES.items() if word in known.type_name.lower()), "jdbc")
        why = f"Control-M connection profile {name}"
        if known is None:
            self.connect(ConnectionNeed(conn_id, conn_type, why=why))
        else:
            self.connect(
                ConnectionNeed(conn_id, conn_type, known.host, known.port, known.login, known.database, why=why)
            )
        return conn_id
