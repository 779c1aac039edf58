"""A small world for fleet: everything real but Airflow. Its runtime and its virtualenvs are folders with files.

The runtime keeps the contract of `runtimes/contract.py` across processes: what it was told stands in a file, so that a
worker that was killed and started again finds it. `troubles.json` beside it makes it fail on purpose, as machines do.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.rooms.fleet.folder_databases import FolderDatabases
from tests.rooms.fleet.measuring import measured

from aerodrome.access import SYSTEM
from aerodrome.airflowkit.versions import AirflowVersion
from aerodrome.builds.bundles import BundleStore
from aerodrome.builds.contract import Bundle, Venv, VenvSpec
from aerodrome.fleet import acts, backups, clusters, rehearsing
from aerodrome.fleet.acts import Acts
from aerodrome.fleet.acts.registry import KINDS
from aerodrome.fleet.backup_work import BackupWork
from aerodrome.fleet.context import FleetContext
from aerodrome.fleet.reconcile import KIND, Reconciler
from aerodrome.fleet.rehearsing import Rehearser
from aerodrome.fleet.service import Fleet, NewDeployment
from aerodrome.fleet.views import DeploymentView
from aerodrome.kernel.clock import Clock
from aerodrome.kernel.digest import digest_of
from aerodrome.kernel.errors import Broken, Conflict, Invalid, NotFound, Unavailable
from aerodrome.kernel.secret import Secret
from aerodrome.parsing.contract import ImportFailure, ParsedDag, ParseLimits, ParseResult
from aerodrome.runtimes.contract import (
    AirflowAccess,
    AirflowEnvironment,
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
from aerodrome.secretstores import LocalSecretStore, open_keyring
from aerodrome.store import Store, jobs

STARTED_AT = datetime(2026, 3, 1, tzinfo=UTC)


class FolderRuntime:
    """Keeps what it was told in files. A "process" is an entry with a number that changes when it is started again."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environments: dict[str, AirflowEnvironment] = {}  # what was sealed last, by deployment
        root.mkdir(parents=True, exist_ok=True)
        self.databases = FolderDatabases(root)
        self.while_copying: Callable[[], object] = lambda: None  # what happens elsewhere while a snapshot is taken

    def set_trouble(self, **troubles: Any) -> None:
        """`health`: what observe says; `apply`: sentence with which apply is refused; `bad_bundle`: unhealthy with it.

        `crashing`, `young`: Airflow versions whose scheduler dies and looks healthy in between; whose processes started just now.
        """
        (self.root / "troubles.json").write_text(json.dumps(troubles))

    @property
    def trouble(self) -> dict[str, Any]:
        path = self.root / "troubles.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def history(self, deployment_id: str) -> list[dict[str, Any]]:
        """Give every distinct wish that was handed over, oldest first."""
        path = self.root / f"{deployment_id}.history"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def apply(self, spec: RuntimeSpec) -> None:
        if sentence := self.trouble.get("apply"):
            raise Unavailable(sentence, code="port-in-use", hint="Free the port.", retry_after_s=60)
        fixed = {
            "venv": str(spec.venv),
            "env": {name: str(value) for name, value in spec.env.items()},
            "config": dict(spec.config),
            "parallelism": spec.parallelism,
            "keys": digest_of([spec.fernet_key.reveal(), spec.signing_key.reveal()]),
        }
        self.environments[spec.deployment_id] = spec.environment
        before = self._read(spec.deployment_id)
        if spec.is_running and not self.database_of(spec.deployment_id):
            self._write_database(spec.deployment_id, {"version": spec.airflow_version, "rows": 0, "conversion": None})
        same = before is not None and before["is_running"] and before["fixed"] == fixed
        wish = {
            "generation": spec.generation,
            "airflow_version": spec.airflow_version,
            "bundle": spec.bundle_digest,
            "is_running": spec.is_running,
            "fixed": fixed,
            "starts": (before["starts"] if before else 0) + (0 if same or not spec.is_running else 1),
        }
        if before == wish:
            return
        with (self.root / f"{spec.deployment_id}.history").open("a") as stream:
            stream.write(json.dumps(wish) + "\n")
        draft = self.root / f"{spec.deployment_id}.draft"
        draft.write_text(json.dumps(wish))
        draft.replace(self.root / f"{spec.deployment_id}.json")

    def parse(self, spec: RuntimeSpec, limits: ParseLimits, progress: Progress) -> ParseResult:
        """Read `readings/<bundle digest>.json` where a test has put one: DAGs and failures; else nothing is wrong."""
        path = self.root / "readings" / f"{spec.bundle_digest}.json"
        found = json.loads(path.read_text()) if path.exists() else {"dags": [], "failures": []}
        dags = tuple(ParsedDag(dag["dag_id"], dag["file"], {}, "") for dag in found["dags"])
        failures = tuple(ImportFailure(**failure) for failure in found["failures"])
        return ParseResult(dags, failures, 0.0, spec.airflow_version, len(dags))

    def observe(self, deployment_id: str) -> Observation:
        told = self._read(deployment_id)
        if told is None:
            return self._seen(deployment_id, "missing", ("This machine knows no such deployment.",), None)
        if not told["is_running"]:
            return self._seen(deployment_id, "stopped", ("Stopped on purpose.",), told)
        health = self.trouble.get("health", "healthy")
        if told["bundle"] is not None and told["bundle"] == self.trouble.get("bad_bundle"):
            health = "failed"
        if told["airflow_version"] == self.trouble.get("bad_version"):
            health = "failed"
        if self.database_of(deployment_id).get("version") != told["airflow_version"]:
            health = "failed"
        return self._seen(deployment_id, health, () if health == "healthy" else (f"It is {health}.",), told)

    def measure(self, deployment_id: str, database_url: Secret | None, *, is_thorough: bool) -> Measurement:
        """Give what the test wrote for it (`<id>.measured`, the fields of a Pulse), over a calm Airflow."""
        path = self.root / f"{deployment_id}.measured"
        told = json.loads(path.read_text()) if path.exists() else {}
        return measured(deployment_id, told)

    def _seen(
        self, deployment_id: str, health: str, reasons: tuple[str, ...], told: dict[str, Any] | None
    ) -> Observation:
        state: Any = "failed" if health == "failed" else "running"
        judged: Any = "unhealthy" if health == "failed" else health
        is_up = told is not None and told["is_running"]
        version = told["airflow_version"] if told else None
        names = AirflowVersion.parse(version).components if version and is_up else ()
        pid = told["starts"] if told else None
        is_young = version is not None and version == self.trouble.get("young")
        began = datetime.now(UTC) if is_young else STARTED_AT
        dying = "scheduler" if version is not None and version == self.trouble.get("crashing") else None
        parts = tuple(
            ComponentObservation(name, state, pid, began, int(name == dying), 1 if name == dying else None, None)
            for name in names
        )
        return Observation(
            deployment_id,
            judged,
            reasons,
            told["generation"] if told else None,
            version,
            "http://127.0.0.1:9" if told else None,
            parts,
            datetime.now(UTC),
        )

    def database_of(self, deployment_id: str) -> dict[str, Any]:
        """Give the "metadata database": its Airflow, how many rows, the conversion it came from."""
        path = self.root / f"{deployment_id}.db"
        return json.loads(path.read_text()) if path.exists() else {}

    def add_rows(self, deployment_id: str, count: int) -> None:
        """Have Airflow write history."""
        database = self.database_of(deployment_id)
        self._write_database(deployment_id, {**database, "rows": database["rows"] + count})

    def _write_database(self, deployment_id: str, content: dict[str, Any]) -> None:
        draft = self.root / f"{deployment_id}.db-draft"
        draft.write_text(json.dumps(content))
        draft.replace(self.root / f"{deployment_id}.db")

    def _require_stopped(self, deployment_id: str) -> None:
        told = self._read(deployment_id)
        if told is not None and told["is_running"]:
            raise Conflict("Airflow is running.", code="deployment-running")

    def running_tasks(self, spec: RuntimeSpec) -> tuple[str, ...]:
        return tuple(self.trouble.get("running_tasks", ()))

    def snapshot(self, spec: RuntimeSpec, folder: Path, progress: Progress) -> Snapshot:
        database = self.database_of(spec.deployment_id)
        if not database:
            raise Unavailable("Nothing was started.", code="airflow-not-started")
        self.while_copying()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "database").write_text(json.dumps(database))
        return Snapshot(folder, database["version"], "sqlite", 1, "d" * 64, {"dag_run": database["rows"]})

    def restore(self, spec: RuntimeSpec, folder: Path, progress: Progress) -> None:
        self._require_stopped(spec.deployment_id)
        if sentence := self.trouble.get("restore"):
            raise Unavailable(sentence, code="disk-full", retry_after_s=0.01)
        self._write_database(spec.deployment_id, json.loads((folder / "database").read_text()))

    def rehearse(
        self, before: RuntimeSpec, after: RuntimeSpec, snapshot: Path | None, folder: Path, progress: Progress
    ) -> Rehearsal:
        progress("Trying it on a copy.")
        assert folder.is_dir()
        assert snapshot is None or (snapshot / "database").exists()
        loss = None if snapshot is None else {"carried": [], "archived": [], "is_lossless": True}
        problems = tuple(self.trouble.get("problems", ()))
        return Rehearsal(
            before.airflow_version,
            after.airflow_version,
            {"seconds": 1.0},
            loss,
            {"equal": 1},
            (),
            {},
            {},
            problems,
            1.0,
        )

    def prepare_way_back(self, spec: RuntimeSpec, snapshot: Path, progress: Progress) -> None:
        assert (snapshot / "database").exists()

    def convert(self, before: RuntimeSpec, after: RuntimeSpec, snapshot: Path | None, progress: Progress) -> Conversion:
        self._require_stopped(after.deployment_id)
        if sentence := self.trouble.get("bug"):
            raise RuntimeError(sentence)
        if sentence := self.trouble.get("convert"):
            raise Broken(sentence, code="upgrade-lost-rows")
        database = self.database_of(after.deployment_id)
        if not database:
            return Conversion(0.0, {}, {}, None, True)
        name = f"{after.generation} {after.airflow_version}"
        if database["conversion"] == name:
            return Conversion(0.0, {}, {}, None, True)
        if snapshot is not None:
            old = json.loads((snapshot / "database").read_text())
            assert old["version"] == after.airflow_version
        made = {"version": after.airflow_version, "rows": database["rows"], "conversion": name}
        self._write_database(after.deployment_id, made)
        loss = None if snapshot is None else {"is_lossless": True}
        return Conversion(1.0, {"dag_run": database["rows"]}, {"dag_run": made["rows"]}, loss)

    def stop(self, deployment_id: str, grace_s: float, drain_s: float = 0.0) -> None:
        told = self._read(deployment_id)
        if told is not None:
            (self.root / f"{deployment_id}.json").write_text(json.dumps({**told, "is_running": False}))

    def delete(self, deployment_id: str) -> None:
        if sentence := self.trouble.get("delete"):
            raise Unavailable(sentence, code="busy")
        (self.root / f"{deployment_id}.json").unlink(missing_ok=True)
        (self.root / f"{deployment_id}.db").unlink(missing_ok=True)

    def forget_releases(self, deployment_id: str, database_url: Secret | None, keep: AbstractSet[str]) -> int:
        if sentence := self.trouble.get("database"):
            raise Unavailable(sentence, code="database-down")
        (self.root / f"{deployment_id}.kept").write_text(json.dumps(sorted(keep)))
        return 0

    def rest(self) -> None:
        (self.root / "rested").touch()

    def virtualenvs(self) -> AbstractSet[Path]:
        told = [json.loads(path.read_text()) for path in self.root.glob("dep_*.json")]
        return {Path(wish["fixed"]["venv"]) for wish in told}

    def run(self, spec: RuntimeSpec, arguments: Sequence[str], *, given: str, timeout_s: float) -> RunResult:
        answer = self.trouble.get("probe", {"outcome": "good", "message": "Connection successfully tested"})
        return RunResult(0, f"noise of Airflow\nAERODROME-PROBE {json.dumps(answer)}\n", "")

    def logs(self, deployment_id: str, component: str, tail: int) -> Iterator[str]:
        if component not in {part.name for part in self.observe(deployment_id).components}:
            raise NotFound(f"The deployment has no component {component!r}.", code="component-not-found")
        said = self.trouble.get("said", [f"line {number}" for number in range(1, 4)])
        return iter(said[-tail:])

    def access(self, spec: RuntimeSpec) -> AirflowAccess:
        return AirflowAccess(
            "http://127.0.0.1:9", spec.airflow_version, Secret("sqlite:///x"), spec.fernet_key, spec.signing_key
        )

    def _read(self, deployment_id: str) -> dict[str, Any] | None:
        path = self.root / f"{deployment_id}.json"
        if not path.exists():
            return None
        told: dict[str, Any] = json.loads(path.read_text())
        return told


class FolderVenvs:
    """Makes a folder per wish; the requirement `no-such-package` cannot be resolved and Python 3.10 cannot be had."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def ensure(self, spec: VenvSpec, progress: Callable[[str], None]) -> Venv:
        if spec.python_version == "3.10":
            raise Unavailable("Python 3.10 is not here.", code="python-missing", hint="Install it.", retry_after_s=60)
        if "no-such-package" in spec.requirements:
            raise Invalid(
                "no-such-package was not found.", code="requirements-unresolvable", hint="Mend requirements.txt."
            )
        if "flaky" in spec.requirements and not (self.root / "flaky-was-here").exists():
            self.root.mkdir(parents=True, exist_ok=True)
            (self.root / "flaky-was-here").touch()
            raise Unavailable("The index did not answer.", code="packages-unreachable", retry_after_s=0.01)
        digest = digest_of([spec.airflow_version, spec.python_version, list(spec.requirements)])
        path = self.root / digest[:20]
        if not path.exists():
            progress(f"Making a virtualenv for Airflow {spec.airflow_version}")
            path.mkdir(parents=True)
        return Venv(spec, digest, path, {})


@dataclass
class World:
    """Fleet on a fresh store, and hands that do the worker's part step by step."""

    store: Store
    clock: Clock
    root: Path
    confirm_timeout_s: float = 60
    rings: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.runtime = FolderRuntime(self.root / "runtime")
        self.venvs = FolderVenvs(self.root / "venvs")
        self.bundles = BundleStore(self.root / "bundles")
        self.secrets = LocalSecretStore(self.store, open_keyring(self.root))
        self.context = FleetContext(
            self.store,
            self.bundles,
            self.venvs,
            self.runtime,
            self.secrets,
            self.clock,
            lambda: self.rings.append(1),
            "http://127.0.0.1:8701",
            self.root,
            git_protocols=("https", "file"),
        )
        clusters.ensure_local(self.context)
        self.fleet = Fleet(self.context)
        self.reconciler = Reconciler(self.context, self.confirm_timeout_s)
        self.handlers = {KIND: self.reconciler.look, rehearsing.KIND: Rehearser(self.context).look}
        self.backup_work = BackupWork(self.context)
        self.handlers |= {backups.TAKE: self.backup_work.take, backups.SCHEDULE: self.backup_work.schedule}
        self.handlers[acts.KIND] = Acts(self.context, KINDS).look

    def project(self, dag: str = "one", **files: str) -> Bundle:
        """Freeze a project with one DAG file; further files by name, "__" for a dot."""
        folder = self.root / "project" / digest_of([dag, files])[:12]
        (folder / "dags").mkdir(parents=True, exist_ok=True)
        (folder / "dags" / "flow.py").write_text(f"# {dag}\n")
        for name, text in files.items():
            (folder / name.replace("__", ".")).write_text(text)
        return self.bundles.put(folder)

    def deployment(self, name: str = "shop", workspace: str = "team", **wish: Any) -> DeploymentView:
        """Make a deployment, and its workspace when it is new."""
        if workspace not in {view.name for view in self.fleet.list_workspaces(SYSTEM)}:
            self.fleet.create_workspace(SYSTEM, workspace)
        return self.fleet.create_deployment(SYSTEM, NewDeployment(name, workspace, **wish))

    def look(self) -> int:
        """Do what a worker would do now: lease each job that is due and run it once. Gives how many there were."""
        count = 0
        while (job := jobs.lease(self.store, self.clock, "test", 60, list(self.handlers))) is not None:
            try:
                again_at = self.handlers[job.kind](job)
            except RuntimeError as error:  # what nobody foresaw: the worker tries again
                jobs.fail(self.store, job, {"message": str(error)}, self.clock.now())
                continue
            jobs.finish(self.store, job, look_again_at=again_at)
            count += 1
        return count

    def show(self, ref: str = "shop") -> DeploymentView:
        return self.fleet.get_deployment(SYSTEM, ref)
