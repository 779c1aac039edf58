"""Commands of migrations: connect, assess, plan, apply, cut over, report. Called by the API, the pages and the worker.

Long work is a job: a command writes what is wanted and returns; `jobs.py` does it. Reading a source changes nothing there;
only cutover writes (it pauses DAGs, with our mark).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from aerodrome.access import audit
from aerodrome.access.actor import Actor
from aerodrome.access.permissions import allows, require
from aerodrome.builds.bundles import BundleStore
from aerodrome.fleet.service import Fleet
from aerodrome.kernel.clock import Clock
from aerodrome.kernel.errors import Conflict, Invalid, NotFound
from aerodrome.kernel.ids import new_id
from aerodrome.migration.estate.archive import Estate
from aerodrome.migration.plan import (
    ExplainRow,
    FrozenPlan,
    explain,
)
from aerodrome.migration.plan.contract import Step
from aerodrome.migration.service import boards, bridging, queries, report
from aerodrome.migration.service.archive_keys import ArchiveKeys, ArchiveKeyView
from aerodrome.migration.service.code_review import CodeReview
from aerodrome.migration.service.differences import Differences
from aerodrome.migration.service.folder import MigrationFolder, present, read_json, write_json
from aerodrome.migration.service.holds import Holds
from aerodrome.migration.service.people import People
from aerodrome.migration.service.plans import KnownPlan, Plans
from aerodrome.migration.service.policies import Policies
from aerodrome.migration.service.proofs.service import Proofs
from aerodrome.migration.service.source_kinds import AnySourceInput, restored
from aerodrome.migration.service.tracks import (
    APPLY,
    APPLYING,
    ASSESS_JOB,
    BUSY,
    CREATE,
    CUTOVER,
    READ,
    UPDATE,
    WALK_JOB,
    walking,
)
from aerodrome.migration.service.views import MigrationView, PlanView
from aerodrome.migration.service.waves import Waves
from aerodrome.migration.sources.cloud.contract import CloudLogin
from aerodrome.migration.sources.contract import AnySourceConfig, SourceAdapter, SourceDescription
from aerodrome.migration.sources.registry import list_environments, open_source
from aerodrome.secretstores.contract import SecretStore
from aerodrome.store import jobs, journal, outbox
from aerodrome.store.engine import Store
from aerodrome.store.tables.migration import MigrationRow


class Migrations:
    """The migration room's face. Thread-safe; holds no state but its tools and the plans that were compiled last."""

    def __init__(
        self,
        *,
        store: Store,
        fleet: Fleet,
        bundles: BundleStore,
        secrets: SecretStore,
        fingerprint_key: bytes,
        home: Path,
        clock: Clock,
        ring: Callable[[], None] = lambda: None,
        alert_channels: Callable[[str], Sequence[str]] = lambda _deployment_id: (),
    ) -> None:
        self.store = store
        self.fleet = fleet
        self.bundles = bundles
        self.secrets = secrets
        self.archive_keys = ArchiveKeys(secrets)
        self.fingerprint_key = fingerprint_key
        self.home = home
        self.clock = clock
        self.ring = ring
        self.alert_channels = alert_channels  # deployment id -> names of the channels that tell of its incidents
        self.code_review = CodeReview(self)
        self.waves = Waves(self)
        self.differences = Differences(self)
        self.holds = Holds(self)
        self.policies = Policies(self)
        self.people = People(self)
        self.proofs = Proofs(self)
        self._plans = Plans()

    # --- sources -------------------------------------------------------------------------------------------------

    def connect(self, actor: Actor, name: str, workspace: str, source: AnySourceInput) -> MigrationView:
        """Register a source after probing it read-only; Invalid with the failed checks, and nothing is kept, otherwise."""
        home = self.fleet.get_workspace(actor, workspace)
        require(actor, CREATE, f"workspace/{home.id}")
        if not name or len(name) > 100 or not all(char.isalnum() or char in "-_." for char in name):
            raise Invalid(
                "name: use letters, digits, dash, underscore and dot, 100 at most.",
                code="migration-name-invalid",
                details={"field": "name"},
            )
        source.checked()
        migration_id = new_id("mig")
        config = self.archive_keys.completed(source.config(name, MigrationFolder.place(self.home, migration_id)))
        with closing(open_source(config, self.fingerprint_key)) as adapter:
            description = adapter.describe()
        _refuse_failed_probes(description)
        for secret_name, value in source.secrets().items():
            self.secrets.put(f"migration/{migration_id}/{secret_name}", value)
        now = self.clock.now()
        with self.store.writing() as session:
            if any(row.name == name for row in queries.rows(session, [home.id])):
                raise Conflict(
                    f"The workspace {home.name} has a migration named {name} already.",
                    code="migration-exists",
                    hint="Choose another name.",
                )
            row = MigrationRow(
                id=migration_id,
                name=name,
                workspace_id=home.id,
                status="connected",
                source=source.plain(),
                source_version=description.airflow_version,
                description=_described(description),
                found={},
                findings={},
                waves=[],
                created_by=actor.name,
                created_at=now,
                updated_at=now,
            )
            session.add(row)
            session.flush()
            self.record(session, actor, "migration.connected", row, {"source": row.source["label"]})
            return queries.view(session, row)

    def probe(self, actor: Actor, ref: str) -> SourceDescription:
        """Probe the source again."""
        row = self.row_for(actor, ref, READ)
        with closing(self.open_source(row)) as adapter:
            return adapter.describe()

    def environments(self, actor: Actor, kind: str, location: str, login: CloudLogin) -> list[dict[str, str]]:
        """List managed environments with somebody's account; who may connect a source somewhere may ask."""
        homes = self.fleet.list_workspaces(actor)
        if not any(allows(actor, CREATE, f"workspace/{home.id}") for home in homes):
            require(actor, CREATE, "*")
        return list_environments(kind, location, login)

    def archive_key(self) -> ArchiveKeyView:
        """Give the platform's public key for exporters; whoever is signed in may see it."""
        return self.archive_keys.in_use()

    # --- reads ---------------------------------------------------------------------------------------------------

    def list(self, actor: Actor) -> list[MigrationView]:
        """Give the migrations of all workspaces that the actor may read, newest first."""
        ids = [workspace.id for workspace in self.fleet.list_workspaces(actor)]
        with self.store.reading() as session:
            return [queries.view(session, row) for row in queries.rows(session, ids)]

    def get(self, actor: Actor, ref: str) -> MigrationView:
        """Give one migration by id or name."""
        row = self.row_for(actor, ref, READ)
        with self.store.reading() as session:
            return queries.view(session, row)

    def assessment(self, actor: Actor, ref: str) -> Mapping[str, Any]:
        """Give the assessment as data; NotFound before the first one."""
        found: Mapping[str, Any] = present(
            read_json(self._folder(actor, ref).assessment_json), "assessment", "aerodrome migrate assess"
        )
        return found

    def assessment_html(self, actor: Actor, ref: str) -> str:
        path = self._folder(actor, ref).assessment_html
        return str(present(path.read_text() if path.exists() else None, "assessment", "aerodrome migrate assess"))

    def bridge(self, actor: Actor, ref: str) -> Mapping[str, Any]:
        """Tell which chains of DAGs cross the sides now, and what was carried between them so far."""
        row = self.row_for(actor, ref, READ)
        with self.store.reading() as session:
            moved = queries.moved(session, row.id)
        return bridging.shown(self.folder_of(row), row.source["kind"], moved)

    def report(self, actor: Actor, ref: str) -> Mapping[str, Any]:
        """Give the report as data: what was found, moved, failed, proved and cut over so far."""
        row = self.row_for(actor, ref, READ)
        folder = self.folder_of(row)
        with self.store.reading() as session:
            view = queries.view(session, row)
            both_active = boards.split_brains(session, row.id)
        return report.compose(view, read_json(folder.assessment_json), read_json(folder.code_json), both_active)

    def report_html(self, actor: Actor, ref: str) -> str:
        return report.to_html(self.report(actor, ref))

    # --- assess and plan -----------------------------------------------------------------------------------------

    def assess(self, actor: Actor, ref: str) -> MigrationView:
        """Ask for a scan of the source and its assessment; the plan of an earlier estate goes stale."""
        with self.changing(actor, ref, UPDATE) as (session, row):
            self.refuse_busy(row)
            self._refuse_begun(session, row)
            row.status, row.error = "assessing", None
            jobs.enqueue(session, ASSESS_JOB, row.id, lane=f"migration/{row.id}")
            self.record(session, actor, "migration.assess-asked", row, {})
            view = queries.view(session, row)
        self.ring()
        return view

    def plan(self, actor: Actor, ref: str) -> PlanView:
        """Give the present plan: the proposal made by the assessment, or what a person saved; NotFound before."""
        row = self.row_for(actor, ref, READ)
        if row.plan_text is None:
            raise NotFound(
                f"{row.name} has no plan yet.", code="plan-missing", hint=f"aerodrome migrate assess {row.name}"
            )
        known = self.known_plan(row)
        return _plan_view(row.plan_text, known.frozen, known.notes)

    def save_plan(self, actor: Actor, ref: str, text: str) -> PlanView:
        """Check and keep an edited plan; Invalid names line and field, and the plan before stays."""
        before = self.row_for(actor, ref, UPDATE)
        known = self._plans.of(self.estate_of(before), text)
        frozen = known.frozen
        with self.changing(actor, ref, UPDATE) as (session, row):
            self.refuse_busy(row)
            self._refuse_begun(session, row)
            self.keep_plan(session, row, text, frozen)
            self.record(session, actor, "migration.plan-saved", row, {"digest": frozen.digest})
        return _plan_view(text, frozen, known.notes)

    def dry_run(self, actor: Actor, ref: str) -> tuple[ExplainRow, ...]:
        """Give the very steps that apply and cutover run, in order."""
        return explain(self.frozen(self.row_for(actor, ref, READ)))

    # --- apply and cutover ---------------------------------------------------------------------------------------

    def apply(self, actor: Actor, ref: str, plan_digest: str | None = None) -> MigrationView:
        """Walk the plan up to cutover, or go on where it stopped. Conflict when `plan_digest` is not the present plan."""
        row = self.row_for(actor, ref, APPLYING)
        frozen = self.frozen(row)
        if plan_digest is not None and plan_digest != frozen.digest:
            raise Conflict(
                "The plan has changed since you looked at it.",
                code="plan-stale",
                hint=f"aerodrome migrate plan {row.name}",
                details={"plan_digest": frozen.digest},
            )
        return self.walk(actor, ref, APPLY, frozen.steps)

    def walk(self, actor: Actor, ref: str, track: str, steps: tuple[Step, ...]) -> MigrationView:
        with self.changing(actor, ref, APPLYING) as (session, row):
            self.refuse_busy(row, unless=walking(track))
            known = journal.steps(session, row.id, track)
            if known and [step.key for step in known] != [step.key for step in steps]:
                raise Conflict(
                    f"{row.name} has begun {track} with another plan.",
                    code="plan-changed",
                    hint="Save the plan it began with, or make a new migration.",
                )
            view = self.open_track(session, actor, row, track, steps)
        self.ring()
        return view

    def open_track(
        self, session: Session, actor: Actor, row: MigrationRow, track: str, steps: tuple[Step, ...]
    ) -> MigrationView:
        journal.open_track(session, row.id, track, [step.as_data() for step in steps])
        row.status, row.error = walking(track), None
        jobs.enqueue(
            session,
            WALK_JOB,
            f"{row.id}/{track}",
            lane=f"migration/{row.id}",
            payload={"migration": row.id, "track": track, "actor": actor.as_data()},
        )
        if track != APPLY:
            jobs.enqueue(session, bridging.JOB, row.id, lane=f"bridge/{row.id}")
        self.record(session, actor, f"migration.{track.partition(':')[0]}-asked", row, {"track": track})
        return queries.view(session, row)

    # --- what the jobs use ---------------------------------------------------------------------------------------

    def frozen(self, row: MigrationRow) -> FrozenPlan:
        """Give the kept plan, compiled; Conflict when there is none or the estate has changed since."""
        return self.known_plan(row).frozen

    def known_plan(self, row: MigrationRow) -> KnownPlan:
        """Give the kept plan, compiled, with what the estate tells about its waves; errors as of `frozen`."""
        if row.plan_text is None or row.estate_digest is None:
            raise Conflict(
                f"{row.name} has no plan yet.", code="plan-missing", hint=f"aerodrome migrate assess {row.name}"
            )
        return self._plans.of(self.estate_of(row), row.plan_text)

    def config_of(self, row: MigrationRow) -> AnySourceConfig:
        """Give how to reach the source of a migration, secrets included."""
        source = restored(row.source, lambda name: self.secrets.get(f"migration/{row.id}/{name}"))
        return self.archive_keys.completed(source.config(row.name, MigrationFolder.place(self.home, row.id)))

    def open_source(self, row: MigrationRow) -> SourceAdapter:
        """Open the source of a migration; close it afterwards."""
        return open_source(self.config_of(row), self.fingerprint_key)

    def moving(self, row: MigrationRow, wave: str | None = None) -> Sequence[str]:
        """Give the DAGs that the plan moves, or those of one wave, in the order of their steps."""
        frozen = self.frozen(row)
        steps = frozen.wave(wave) if wave else [step for steps in frozen.waves.values() for step in steps]
        return list(dict.fromkeys(str(step.params["dag_id"]) for step in steps if "dag_id" in step.params))

    def require_applied(self, row: MigrationRow) -> None:
        """Raise Conflict unless every step of apply is done."""
        with self.store.reading() as session:
            applied = [step.status for step in journal.steps(session, row.id, APPLY)]
        if not applied or any(status != "done" for status in applied):
            raise Conflict(
                f"{row.name} is not applied yet.",
                code="not-applied",
                hint=f"aerodrome migrate apply {row.name}",
            )

    # --- inside --------------------------------------------------------------------------------------------------

    def keep_plan(self, session: Session, row: MigrationRow, text: str, frozen: FrozenPlan) -> None:
        row.plan_text, row.plan_digest = text, frozen.digest
        row.target_version = frozen.settings["target"]["airflow"]
        row.waves = list(frozen.waves)
        row.status, row.error, row.updated_at = "planned", None, self.clock.now()
        journal.forget(session, row.id, APPLY)
        write_json(self.folder_of(row).plan_json, _plan_view(text, frozen).steps)

    def estate_of(self, row: MigrationRow) -> Estate:
        if row.estate_digest is None:
            raise Conflict(
                f"{row.name} is not assessed yet.", code="not-assessed", hint=f"aerodrome migrate assess {row.name}"
            )
        return Estate.open(self.folder_of(row).estate(row.estate_digest))

    def row_for(self, actor: Actor, ref: str, permission: str) -> MigrationRow:
        with self.store.reading() as session:
            row = queries.find(session, ref)
        require(actor, permission, f"workspace/{row.workspace_id}")
        return row

    @contextmanager
    def changing(self, actor: Actor, ref: str, permission: str) -> Iterator[tuple[Session, MigrationRow]]:
        with self.store.writing() as session:
            row = queries.find(session, ref)
            require(actor, permission, f"workspace/{row.workspace_id}")
            row.updated_at = self.clock.now()
            yield session, row

    def _folder(self, actor: Actor, ref: str) -> MigrationFolder:
        return self.folder_of(self.row_for(actor, ref, READ))

    def folder_of(self, row: MigrationRow) -> MigrationFolder:
        return MigrationFolder.of(self.home, row.id)

    def refuse_busy(self, row: MigrationRow, unless: str = "") -> None:
        if row.status in BUSY and row.status != unless:
            raise Conflict(
                f"{row.name} is {row.status} now.",
                code="migration-busy",
                hint=f"aerodrome migrate watch {row.name}",
            )

    def _refuse_begun(self, session: Session, row: MigrationRow) -> None:
        if any(summary.track.startswith(CUTOVER) for summary in journal.tracks(session, row.id)):
            raise Conflict(
                f"{row.name} has begun to cut over; its plan is fixed now.",
                code="plan-fixed",
                hint=f"Finish the waves that have begun, or roll them back: aerodrome migrate rollback {row.name} --wave WAVE",
            )

    def record(
        self, session: Session, actor: Actor, action: str, row: MigrationRow, details: Mapping[str, Any]
    ) -> None:
        scope = f"workspace/{row.workspace_id}/migration/{row.id}"
        audit.record(session, actor, action, scope, dict(details))
        outbox.emit(session, action, scope, {"name": row.name, **details}, actor.id)


def _plan_view(text: str, frozen: FrozenPlan, notes: tuple[str, ...] = ()) -> PlanView:
    def plain(steps: tuple[Step, ...]) -> tuple[Mapping[str, Any], ...]:
        return tuple(json.loads(json.dumps(step.as_data())) for step in steps)

    return PlanView(
        text=text,
        digest=frozen.digest,
        estate_digest=frozen.estate_digest,
        steps=plain(frozen.steps),
        waves={name: plain(steps) for name, steps in frozen.waves.items()},
        notes=notes,
    )


def _refuse_failed_probes(description: SourceDescription) -> None:
    failed = [probe for probe in description.probes if not probe.is_ok and probe.is_required]
    if not failed:
        return
    raise Invalid(
        "The source cannot be used: " + " ".join(probe.message for probe in failed),
        code="source-not-usable",
        hint=" ".join(probe.hint for probe in failed if probe.hint),
        details={"probes": [{"name": probe.name, "message": probe.message, "hint": probe.hint} for probe in failed]},
    )


def _described(description: SourceDescription) -> dict[str, Any]:
    return {
        "airflow_version": description.airflow_version,
        "database": description.database,
        "schema_revision": description.schema_revision,
        "probes": [
            {"name": probe.name, "is_ok": probe.is_ok, "message": probe.message, "hint": probe.hint}
            for probe in description.probes
        ],
    }
