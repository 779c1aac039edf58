"""The local runtime: every deployment is a folder and a detached supervising process.

Called by fleet's reconciler from any process: all state is in files, so a restarted platform finds everything as it was. Nothing
here keeps a handle on a process that it started.
"""

from __future__ import annotations

import fcntl
import hmac
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from aerodrome import databases
from aerodrome.airflowkit import config, vitals
from aerodrome.airflowkit.pins import pinned_versions
from aerodrome.airflowkit.tokens import key_id, new_signing_key, public_key_set
from aerodrome.airflowkit.versions import AirflowVersion
from aerodrome.databases import AirflowTool
from aerodrome.kernel.digest import digest_of
from aerodrome.kernel.errors import Conflict, Invalid, NotFound, Unavailable
from aerodrome.kernel.files import write_text
from aerodrome.kernel.secret import Secret
from aerodrome.parsing.contract import ParseLimits, ParseResult
from aerodrome.runtimes.contract import (
    AirflowAccess,
    ComponentObservation,
    Conversion,
    Measurement,
    Observation,
    Progress,
    Rehearsal,
    RunResult,
    RuntimeSpec,
    Snapshot,
)
from aerodrome.runtimes.local import changes, environment, health, readings, rehearsals, releases
from aerodrome.runtimes.local import commands as programs
from aerodrome.runtimes.local.identity import ProcessIdentity, family, is_alive
from aerodrome.runtimes.local.launch import START_S, is_shim_running, start_shim
from aerodrome.runtimes.local.layout import Layout, read_json, remove_drafts, write_json
from aerodrome.runtimes.local.logfiles import read_tail
from aerodrome.runtimes.local.managed import ManagedPostgres
from aerodrome.runtimes.local.metadatabases import LocalDatabases
from aerodrome.runtimes.local.ports import DEFAULT_RANGE, PortBook, free_port
from aerodrome.runtimes.local.processes import kill_all
from aerodrome.runtimes.local.rehearsals import Stage
from aerodrome.runtimes.local.support import install_support
from aerodrome.runtimes.local.usage import ProcessTable

_INHERITED = (
    "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "PATH", "SSL_CERT_FILE", "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy",
)  # fmt: skip
_EXTRA_LOGS = ("supervisor", "database")


class LocalRuntime:
    """Runs deployments below one folder of this machine; implements `runtimes.contract.Runtime`."""

    def __init__(self, root: Path, ports: range = DEFAULT_RANGE) -> None:
        self._root = root
        self._ports = PortBook(root, ports)
        self._processes = ProcessTable()
        self.databases = LocalDatabases(root, ManagedPostgres(root.parent / "postgres"), self._held)

    def apply(self, spec: RuntimeSpec) -> None:
        layout = self._layout(spec.deployment_id)
        if not (spec.venv / "bin/airflow").exists():
            raise Invalid(
                "The virtualenv of the deployment holds no Airflow.",
                code="venv-without-airflow",
                hint="Build it again.",
                details={"venv": str(spec.venv)},
            )
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        for folder in (layout.folder, layout.home, layout.logs, layout.keys):
            folder.mkdir(exist_ok=True, mode=0o700)
        with _locked(layout.applying):
            remove_drafts(layout.desired)  # they hold the environment variables of tasks
            if not spec.is_running:
                self._end(layout, grace_s=20, wait=False, drain_s=spec.drain_s)
                return
            version = releases.install(layout, spec.project, spec.bundle_digest)
            bundles = {
                name: releases.install(layout, folder, spec.extra_digests[name])
                for name, folder in spec.extra_projects.items()
            }
            releases.switch(layout, version, bundles)
            environment.seal(layout, spec.environment)
            desired = self._desired(spec, layout, version)
            if desired != read_json(layout.desired):
                write_json(layout.desired, desired)
            start_shim(layout)

    def observe(self, deployment_id: str) -> Observation:
        layout = self._layout(deployment_id)
        desired, status = read_json(layout.desired), read_json(layout.status) or {}
        if desired is None:
            return _observation(deployment_id, "missing", ("This machine knows no such deployment.",))
        is_shim_alive = _is_alive(status.get("shim")) and status.get("phase") != "stopped"
        components = tuple(_component(entry) for entry in status.get("components", ()))
        is_any_running = any(component.state == "running" for component in components)
        base_url = desired["base_url"]
        generation, version = status.get("generation"), status.get("airflow_version")
        if not desired["is_running"]:
            if is_shim_alive or is_any_running:
                judged: tuple[Any, tuple[str, ...]] = ("degraded", ("The deployment is stopping.",))
            else:
                judged = ("stopped", ("The deployment is stopped on purpose.",))
        elif not is_shim_alive:
            fresh = _was_just_written(layout)
            sentence = "The supervising process is starting." if fresh else "The supervising process is gone."
            judged = (("starting" if fresh else "degraded" if is_any_running else "unhealthy"), (sentence,))
        elif status["phase"] == "failed":
            judged = ("unhealthy", (status["reason"],))
        elif status["phase"] != "running" or desired["restart_key"] != status["restart_key"]:
            judged = ("starting", ("The database is being prepared and the processes start.",))
        else:
            judged = health.judge(components, health.ask(desired["health_url"]))
        return Observation(
            deployment_id, judged[0], judged[1], generation, version, base_url, components, datetime.now(UTC)
        )

    def stop(self, deployment_id: str, grace_s: float, drain_s: float = 0.0) -> None:
        layout = self._layout(deployment_id)
        if layout.folder.is_dir():
            with _locked(layout.applying):
                self._end(layout, grace_s, wait=True, drain_s=drain_s)

    def running_tasks(self, spec: RuntimeSpec) -> tuple[str, ...]:
        return changes.running_tasks(database_of(spec, self._layout(spec.deployment_id)))

    def snapshot(self, spec: RuntimeSpec, folder: Path, progress: Progress) -> Snapshot:
        layout = self._layout(spec.deployment_id)
        return changes.take(database_of(spec, layout), folder, progress)

    def restore(self, spec: RuntimeSpec, folder: Path, progress: Progress) -> None:
        layout = self._layout(spec.deployment_id)
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        for place in (layout.folder, layout.home):  # of a deployment that was never started
            place.mkdir(exist_ok=True, mode=0o700)
        with _locked(layout.applying):
            _require_stopped(layout)
            changes.put_back(database_of(spec, layout), folder, progress)

    def prepare_way_back(self, spec: RuntimeSpec, snapshot: Path, progress: Progress) -> None:
        database = database_of(spec, self._layout(spec.deployment_id))
        if database.airflow_version is not None:
            databases.prepare_way_back(snapshot, database.url, progress)

    def convert(self, before: RuntimeSpec, after: RuntimeSpec, snapshot: Path | None, progress: Progress) -> Conversion:
        layout = self._layout(after.deployment_id)
        with _locked(layout.applying):
            _require_stopped(layout)
            return changes.convert(
                database_of(before, layout),
                self._tool(before, layout),
                self._tool(after, layout),
                after.generation,
                snapshot,
                progress,
            )

    def parse(self, spec: RuntimeSpec, limits: ParseLimits, progress: Progress) -> ParseResult:
        layout = self._layout(spec.deployment_id)
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        for folder in (layout.folder, layout.home, layout.keys):
            folder.mkdir(exist_ok=True, mode=0o700)
        with _locked(layout.applying):
            setup = self._setup(spec, layout, self._ports.port_of(spec.deployment_id) or 0)
            setup = readings.setup_aside(setup, layout, spec)
        return readings.read(self._root, spec, setup, _base(), limits, progress)

    def rehearse(
        self, before: RuntimeSpec, after: RuntimeSpec, snapshot: Path | None, folder: Path, progress: Progress
    ) -> Rehearsal:
        layout = self._layout(after.deployment_id)
        stages = [
            Stage(spec, self._tool(spec, layout, home=folder / name), folder / f"{name}-parsing")
            for spec, name in ((before, "before"), (after, "after"))
        ]
        database = database_of(before, layout)
        return rehearsals.rehearse(database, stages[0], stages[1], snapshot, folder, progress)

    def delete(self, deployment_id: str) -> None:
        self.stop(deployment_id, grace_s=10)
        layout = self._layout(deployment_id)
        shutil.rmtree(layout.folder, ignore_errors=True)
        self._ports.release(deployment_id)

    def rest(self) -> None:
        readings.end_interpreters(self._root)

    def virtualenvs(self) -> AbstractSet[Path]:
        wishes = (read_json(path) for path in self._root.glob("*/desired.json"))
        return {Path(wish["environment"]["VIRTUAL_ENV"]) for wish in wishes if wish is not None}

    def forget_releases(self, deployment_id: str, database_url: Secret | None, keep: AbstractSet[str]) -> int:
        layout = self._layout(deployment_id)
        if not layout.releases.is_dir() or not layout.migrated.exists():
            return 0
        with _locked(layout.applying):
            pinned = pinned_versions(database_url or _sqlite_url(layout))
            return len(releases.tidy(layout, keep | pinned))

    def logs(self, deployment_id: str, component: str, tail: int) -> Iterator[str]:
        layout = self._layout(deployment_id)
        desired = read_json(layout.desired)
        known = [name for name, _ in (desired or {}).get("components", ())] + list(_EXTRA_LOGS)
        if desired is None or component not in known:
            raise NotFound(
                f"The deployment has no component {component!r}.",
                code="component-not-found",
                hint=f"It has {', '.join(known)}.",
            )
        return read_tail(layout.log(component), tail)

    def access(self, spec: RuntimeSpec) -> AirflowAccess:
        layout = self._layout(spec.deployment_id)
        port = self._ports.port_of(spec.deployment_id)
        if port is None or not layout.migrated.exists():
            raise Unavailable(
                "This Airflow was not started yet.",
                code="airflow-not-started",
                hint="Wait until the deployment is healthy.",
            )
        return AirflowAccess(
            base_url=config.local_base_url(port, spec.public_url),
            airflow_version=spec.airflow_version,
            database_url=spec.database_url or _sqlite_url(layout),
            fernet_key=spec.fernet_key,
            signing_key=spec.signing_key,
            logs_folder=layout.home / "logs",
        )

    def measure(self, deployment_id: str, database_url: Secret | None, *, is_thorough: bool) -> Measurement:
        layout = self._layout(deployment_id)
        status, desired = read_json(layout.status) or {}, read_json(layout.desired) or {}
        entries = [("supervisor", status.get("shim"))]
        entries += [(entry["name"], entry["identity"]) for entry in status.get("components", ())]
        roots = {name: ProcessIdentity.from_data(entry) for name, entry in entries if entry}
        pulse, trouble = None, None
        if desired.get("is_running") and layout.migrated.exists():
            try:
                pulse = vitals.take(database_url or _sqlite_url(layout), is_thorough=is_thorough)
            except Unavailable as error:
                trouble = error.message
        disk = shutil.disk_usage(next(path for path in (layout.folder, *layout.folder.parents) if path.is_dir()))
        return Measurement(
            deployment_id,
            datetime.now(UTC),
            self._processes.use_of(roots, with_pss=is_thorough),
            disk.free,
            disk.total,
            pulse,
            trouble,
        )

    def run(self, spec: RuntimeSpec, arguments: Sequence[str], *, given: str, timeout_s: float) -> RunResult:
        layout = self._layout(spec.deployment_id)
        desired = read_json(layout.desired)
        if desired is None:
            raise Unavailable(
                "This Airflow was not started yet.",
                code="airflow-not-started",
                hint="Wait until the deployment is healthy.",
            )
        with _locked(layout.applying):
            environment.seal(layout, spec.environment)
        program = str(spec.venv / "bin" / arguments[0])
        return programs.run(
            [program, *arguments[1:]], desired["environment"], layout.home, given=given, timeout_s=timeout_s
        )

    @contextmanager
    def _held(self, spec: RuntimeSpec) -> Iterator[tuple[changes.Database, AirflowTool]]:
        layout = self._layout(spec.deployment_id)
        with _locked(layout.applying):
            _require_stopped(layout)
            yield database_of(spec, layout), self._tool(spec, layout)

    def _layout(self, deployment_id: str) -> Layout:
        try:
            return Layout.of(self._root, deployment_id)
        except ValueError as error:
            raise Invalid(f"{deployment_id!r} is not a deployment id.", code="deployment-id-malformed") from error

    def _setup(self, spec: RuntimeSpec, layout: Layout, port: int) -> config.AirflowSetup:
        """Give all that this Airflow's configuration depends on; makes its own key and the key set when they are missing."""
        own_key = _own_key(layout)
        write_json(key_set := layout.keys / "jwks.json", public_key_set(spec.signing_key, own_key))
        version = AirflowVersion.parse(spec.airflow_version)
        if (passwords := config.passwords(version)) is not None:
            write_text(layout.home / config.PASSWORDS, passwords)
        return config.AirflowSetup(
            version=version,
            home=layout.home,
            venv=spec.venv,
            project=layout.project,
            pointer=layout.pointer,
            support=install_support(self._root / ".support"),
            port=port,
            database_url=spec.database_url or _sqlite_url(layout),
            fernet_key=spec.fernet_key,
            private_key_path=layout.keys / "jwt.pem",
            private_key_id=key_id(own_key),
            key_set_path=key_set,
            parallelism=spec.parallelism,
            public_url=spec.public_url,
            extra_bundles=tuple(sorted(spec.extra_projects)),
            environment_path=environment.sealed_path(layout),
            environment_key_path=environment.key_path(layout),
            env=spec.env,
            config=spec.config,
        )

    def _desired(self, spec: RuntimeSpec, layout: Layout, release: str) -> dict[str, Any]:
        version = AirflowVersion.parse(spec.airflow_version)
        port = self._ports.reserve(spec.deployment_id, keep=_is_web_running(layout, version))
        setup = self._setup(spec, layout, port)
        variables = {name: value.reveal() for name, value in config.environment(setup, _base()).items()}
        commands = config.components(version, spec.venv, port)
        running = {
            "environment": variables,
            "components": [[name, list(command)] for name, command in commands],
            "key_set": public_key_set(spec.signing_key),
            "fixed_files": releases.fixed_digest(spec.project),
        }
        base_url = config.local_base_url(port, spec.public_url)
        return {
            **running,
            "is_running": True,
            "generation": spec.generation,
            "airflow_version": str(version),
            "release": release,
            "restart_key": _keyed_digest(spec.fernet_key, running),
            "web_component": version.web_component,
            "port": port,
            "base_url": base_url,
            "health_url": f"{base_url}{config.HEALTH_PATHS[min(version.major, 3)]}",
            "is_sqlite": spec.database_url is None,
            "database_key": _database_key(spec, setup.database_url),
            "migrate": [str(spec.venv / "bin/python"), str(spec.venv / "bin/airflow"), "db", "migrate"],
            "template": _template(spec),
            "grace_s": 20,
        }

    def _tool(self, spec: RuntimeSpec, layout: Layout, home: Path | None = None) -> AirflowTool:
        """Give how to run this Airflow's own programs; with `home` apart from what runs, on a port of its own."""
        for folder in (layout.folder, layout.home, layout.keys, home):
            if folder is not None:
                folder.mkdir(exist_ok=True, parents=True, mode=0o700)
        setup = self._setup(spec, layout, self._ports.port_of(spec.deployment_id) or 0)
        if home is not None:
            setup = replace(setup, home=home, port=free_port(), project=spec.project or home, public_url=None)
        return AirflowTool(str(setup.version), spec.venv, config.environment(setup, _base()))

    def _end(self, layout: Layout, grace_s: float, *, wait: bool, drain_s: float) -> None:
        """Ask the shim to end everything; end it here when the shim is dead."""
        desired = read_json(layout.desired)
        wish = {"is_running": False, "grace_s": grace_s, "drain_s": drain_s}
        if desired is not None and (desired["is_running"] or {**desired, **wish} != desired):
            write_json(layout.desired, {**desired, **wish})
        if not wait:
            return
        deadline = time.monotonic() + drain_s + 2 * grace_s + 15  # tasks, then everything else, get the grace
        while time.monotonic() < deadline and is_shim_running(layout):
            time.sleep(0.05)
        self._end_leftovers(layout)

    def _end_leftovers(self, layout: Layout) -> None:
        status = read_json(layout.status) or {}
        entries = [status.get("shim"), *(entry["identity"] for entry in status.get("components", ()))]
        roots = [ProcessIdentity.from_data(entry) for entry in entries if entry]
        kill_all(family(root for root in roots if is_alive(root)))


def _base() -> dict[str, str]:
    return {name: os.environ[name] for name in _INHERITED if name in os.environ}


def _was_just_written(layout: Layout) -> bool:
    """Tell whether the wish is newer than the last word of a supervisor, and only a few seconds old."""
    wished = layout.desired.stat().st_mtime
    said = layout.status.stat().st_mtime if layout.status.exists() else 0.0
    return said < wished and time.time() - wished < START_S


def _own_key(layout: Layout) -> Secret:
    """Give the key with which this Airflow signs its own tasks' tokens; made once, kept here only."""
    path = layout.keys / "jwt.pem"
    if not path.exists():
        write_text(path, new_signing_key().reveal())
    return Secret(path.read_text())


def database_of(spec: RuntimeSpec, layout: Layout) -> changes.Database:
    """Give the metadata database of a deployment."""
    url = spec.database_url or _sqlite_url(layout)
    return changes.Database(layout, url, _database_key(spec, url))


def _require_stopped(layout: Layout) -> None:
    status = read_json(layout.status) or {}
    if is_shim_running(layout) or any(_is_alive(entry["identity"]) for entry in status.get("components", ())):
        raise Conflict(
            "Airflow is running, so its metadata database cannot be replaced.",
            code="deployment-running",
            hint="Hibernate the deployment first.",
        )


def _template(spec: RuntimeSpec) -> str | None:
    """Name the template database, unless options were changed that may change the schema."""
    names = [name.lower() for name in spec.config] + [
        name.lower().removeprefix("airflow__").replace("__", ".", 1) for name in spec.env
    ]
    if any(name == "core.auth_manager" or name.startswith("database.") for name in names):
        return None
    return str(spec.venv / "aerodrome-template.db")


def _is_web_running(layout: Layout, version: AirflowVersion) -> bool:
    status = read_json(layout.status) or {}
    return any(
        entry["name"] == version.web_component and _is_alive(entry["identity"])
        for entry in status.get("components", ())
    )


def _is_alive(identity: Mapping[str, Any] | None) -> bool:
    return identity is not None and is_alive(ProcessIdentity.from_data(dict(identity)))


def _component(entry: Mapping[str, Any]) -> ComponentObservation:
    is_running = entry["state"] == "running" and _is_alive(entry["identity"])
    state: Any = entry["state"] if is_running or entry["state"] != "running" else "stopped"
    return ComponentObservation(
        name=entry["name"],
        state=state,
        pid=entry["identity"]["pid"] if is_running else None,
        started_at=datetime.fromtimestamp(entry["started_at"], UTC) if is_running else None,
        restarts=entry["restarts"],
        last_exit_code=entry["last_exit_code"],
        reason=entry["reason"],
    )


def _observation(deployment_id: str, state: Any, reasons: tuple[str, ...]) -> Observation:
    return Observation(deployment_id, state, reasons, None, None, None, (), datetime.now(UTC))


def _sqlite_url(layout: Layout) -> Secret:
    return Secret(f"sqlite:///{layout.database}")


def _database_key(spec: RuntimeSpec, url: Secret) -> str:
    return _keyed_digest(spec.fernet_key, url.reveal())


def _keyed_digest(key: Secret, value: Any) -> str:
    """Give a digest that tells nothing about secrets in the value."""
    return hmac.new(key.reveal().encode(), digest_of(value).encode(), sha256).hexdigest()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    lock = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
