"""Commands and reads of proofs: compare, check the list, decommission, evidence. Called by the API and the pages."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from aerodrome.access.actor import Actor
from aerodrome.kernel.clock import to_text
from aerodrome.kernel.errors import Conflict, Invalid, NotFound
from aerodrome.kernel.ids import new_id
from aerodrome.kernel.secret import Secret
from aerodrome.migration.decommission import bundle
from aerodrome.migration.parity import read_declarations
from aerodrome.migration.service.folder import read_json
from aerodrome.migration.service.proofs import ending, promoting
from aerodrome.migration.service.proofs.checklist.items import TITLES
from aerodrome.migration.service.proofs.comparing import DAGS_PER_STEP
from aerodrome.migration.service.proofs.contract import (
    PROOF_JOB,
    CompareWish,
    ParityView,
    PromoteWish,
    ProofKind,
    ProofView,
)
from aerodrome.migration.service.queries import step_view
from aerodrome.migration.sources.contract import DEFINITION_NAMES
from aerodrome.store import jobs, journal
from aerodrome.store.tables.migration import MigrationRow
from aerodrome.store.tables.proof import ParityRow, ProofRow

if TYPE_CHECKING:
    from aerodrome.migration.service.service import Migrations

SIGNING_KEY = "evidence/signing-key"
SHORTEST_PASSPHRASE = 12
VERDICTS = ("mismatch", "not-compared", "explained", "match")
EVIDENCE = "evidence.tar"
Steps = list[dict[str, Any]]


@dataclass(frozen=True)
class MadeBundle:
    """An evidence bundle that was written."""

    path: Path
    key_id: str
    parts: int


class Proofs:
    """What is proved about migrations. A proof is asked for here and walked by the worker."""

    def __init__(self, migrations: Migrations) -> None:
        self._migrations = migrations

    # --- asking --------------------------------------------------------------------------------------------------

    def compare(self, actor: Actor, ref: str, wish: CompareWish) -> ProofView:
        """Ask for a comparison. Invalid names the field of the comparison file, or the DAG that the plan does not move."""
        read_declarations(wish.file)
        if not 1 <= wish.timeout_s <= 86_400:
            raise Invalid("timeout_s: 1 to 86400 seconds.", code="timeout-invalid", details={"field": "timeout_s"})
        row = self._migrations.row_for(actor, ref, "migration.apply")
        if wish.source_logs is not None and not _exists(wish.source_logs):
            raise Invalid(
                f"source_logs: there is no {wish.source_logs}.",
                code="source-path-missing",
                hint="Name a folder on the machine that runs `aerodrome serve`.",
                details={"field": "source_logs"},
            )
        return self._ask(actor, row, "compare", _params(wish), self._compare_steps(row, wish))

    def compare_steps(self, actor: Actor, ref: str, wish: CompareWish) -> Sequence[Mapping[str, Any]]:
        """Give the very steps that `compare` would run: key, title, params."""
        read_declarations(wish.file)
        return self._compare_steps(self._migrations.row_for(actor, ref, "migration.read"), wish)

    def _compare_steps(self, row: MigrationRow, wish: CompareWish) -> Steps:
        frozen = self._migrations.frozen(row)
        moving = self._migrations.moving(row, wish.wave)
        if unknown := [dag_id for dag_id in wish.dag_ids if dag_id not in moving]:
            raise Invalid(
                f"The plan does not move {unknown[0]}.",
                code="dag-not-planned",
                hint="Name a DAG of a wave, as the plan writes it.",
                details={"field": "dag_ids"},
            )
        chosen = wish.dag_ids or moving
        workspace, _, name = wish.deployment.rpartition("/")
        steps: Steps = [
            {
                "key": "compare.ready",
                "kind": "compare.ready",
                "title": f"Make the deployment {name} ready with the migrated code",
                "params": {"workspace": workspace or frozen.settings["target"]["workspace"], "deployment": name},
            }
        ]
        what = "Run shadows of" if wish.with_shadow else "Compare the structure of"
        for start in range(0, len(chosen), DAGS_PER_STEP):
            part = chosen[start : start + DAGS_PER_STEP]
            title = f"{what} {', '.join(part[:3])}" + (f" and {len(part) - 3} more" if len(part) > 3 else "")
            key = f"compare.dags:{start // DAGS_PER_STEP + 1:04}"
            steps.append({"key": key, "kind": "compare.dags", "title": title, "params": {"dag_ids": [*part]}})
        if checks := read_declarations(wish.file).checks_of(""):
            title = f"Compare data: {', '.join(check.name for check in checks[:5])}"
            steps.append({"key": "compare.data", "kind": "compare.data", "title": title, "params": {}})
        return steps

    def promote(self, actor: Actor, ref: str, wave: str, wish: PromoteWish) -> ProofView:
        """Ask for a wave to go through development to production: deploy, test, compare, cut over, watch, gate by gate.

        NotFound for a wave that the plan has not; Conflict before the plan is applied, or while another promotion goes on.
        """
        steps = self.promote_steps(actor, ref, wave, wish)
        row = self._migrations.row_for(actor, ref, "migration.apply")
        self._migrations.require_applied(row)
        params = {**_params(wish.compare), "wave": wave, "error_budget": self._budget(row, wave, wish)}
        params |= {"watch_s": wish.watch_s, "at_once": wish.at_once, "plan_digest": row.plan_digest}
        return self._ask(actor, row, "promotion", params, [dict(step) for step in steps])

    def promote_steps(self, actor: Actor, ref: str, wave: str, wish: PromoteWish) -> Sequence[Mapping[str, Any]]:
        """Give the very steps that `promote` would run."""
        if wish.error_budget is not None and not 0 <= wish.error_budget <= 100_000:
            raise Invalid("error_budget: 0 to 100000.", code="budget-invalid", details={"field": "error_budget"})
        if not 0 <= wish.watch_s <= 604_800:
            raise Invalid("watch_s: 0 to 604800 seconds, a week.", code="watch-invalid", details={"field": "watch_s"})
        declared = read_declarations(wish.compare.file)
        row = self._migrations.row_for(actor, ref, "migration.read")
        compared = self._compare_steps(row, replace(wish.compare, wave=wave))
        settings = self._migrations.frozen(row).settings
        planned = next(item for item in settings["waves"] if item["name"] == wave)
        return promoting.steps(
            wave,
            compared[:1],
            compared[1:] if wish.with_compare else [],
            tests=len(declared.tests),
            budget=self._budget(row, wave, wish),
            window="" if wish.at_once else planned["window"],
            deployment=settings["target"]["deployment"],
            watch_s=wish.watch_s,
        )

    def _budget(self, row: MigrationRow, wave: str, wish: PromoteWish) -> int:
        if wish.error_budget is not None:
            return wish.error_budget
        waves = self._migrations.frozen(row).settings["waves"]
        return int(next(item for item in waves if item["name"] == wave)["error_budget"])

    def promotions(self, actor: Actor, ref: str) -> Mapping[str, ProofView]:
        """Give the newest promotion of each wave that has one, with its steps."""
        row = self._migrations.row_for(actor, ref, "migration.read")
        query = select(ProofRow).where(ProofRow.migration_id == row.id, ProofRow.kind == "promotion")
        with self._migrations.store.reading() as session:
            newest = {proof.params["wave"]: proof for proof in session.scalars(query.order_by(ProofRow.id))}
            return {wave: _view(session, proof) for wave, proof in newest.items()}

    def check(self, actor: Actor, ref: str, *, with_tasks: bool = False) -> ProofView:
        """Ask for the checklist to be looked through anew; `with_tasks`: each dependency by a task of the target (it restarts twice)."""
        row = self._migrations.row_for(actor, ref, "migration.apply")
        self._migrations.frozen(row)  # Conflict before there is a plan
        steps = [
            {"key": f"checklist.{key}", "kind": f"checklist.{key}", "title": title, "params": {}}
            for key, title in TITLES.items()
        ]
        return self._ask(actor, row, "checklist", {"with_tasks": with_tasks}, steps)

    def decommission(
        self,
        actor: Actor,
        ref: str,
        *,
        days: int = 14,
        passphrase: Secret | None = None,
        logs: str | None = None,
        access_log: str | None = None,
    ) -> ProofView:
        """Ask for a decommission: look whether the source is quiet for `days`, back it up, list what to remove.

        Without a passphrase nothing is backed up, and the result says that the source may not go yet.
        """
        if not 1 <= days <= 3650:
            raise Invalid("days: 1 to 3650.", code="days-invalid", details={"field": "days"})
        if passphrase is not None and len(passphrase.reveal()) < SHORTEST_PASSPHRASE:
            raise Invalid(
                f"The passphrase is shorter than {SHORTEST_PASSPHRASE} characters.",
                code="passphrase-short",
                hint="The whole metadata database is behind it: take some words.",
                details={"field": "passphrase"},
            )
        row = self._migrations.row_for(actor, ref, "migration.apply")
        for field, path in (("logs", logs), ("access_log", access_log)):
            if path is not None and not _exists(path):
                raise Invalid(
                    f"{field}: there is no {path}.",
                    code="source-path-missing",
                    hint="Name a path on the machine that runs `aerodrome serve`.",
                    details={"field": field},
                )
        self._migrations.frozen(row)
        steps = [
            _step("quiet", _quiet_title(row, days), days=days, access_log=access_log),
            _step("backup", _backup_title(row)),
            _step("logs", "Archive the task logs", logs=logs),
            _step("infrastructure", "List what is to be removed and revoked"),
            _step("runbook", "Fill in the runbook"),
        ]
        params = {"days": days, "logs": logs, "access_log": access_log, "has_passphrase": passphrase is not None}
        proof_id = new_id("prf")
        if passphrase is not None:
            self._migrations.secrets.put(ending.passphrase_path(proof_id), passphrase)
        return self._ask(actor, row, "decommission", params, steps, proof_id)

    def _ask(
        self,
        actor: Actor,
        row: MigrationRow,
        kind: ProofKind,
        params: Mapping[str, Any],
        steps: Steps,
        proof_id: str = "",
    ) -> ProofView:

        with self._migrations.store.writing() as session:
            busy = session.scalar(
                select(ProofRow).where(
                    ProofRow.migration_id == row.id, ProofRow.kind == kind, ProofRow.status.in_(("queued", "running"))
                )
            )
            if busy is not None:
                raise Conflict(
                    f"A {kind} of {row.name} is going on already.",
                    code="proof-busy",
                    hint=f"aerodrome migrate proof {row.name} {busy.id} shows how far it is.",
                )
            proof = ProofRow(
                id=proof_id or new_id("prf"),
                migration_id=row.id,
                kind=kind,
                status="queued",
                params=dict(params),
                result={},
                error=None,
                actor=actor.as_data(),
                created_at=self._migrations.clock.now(),
                finished_at=None,
            )
            session.add(proof)
            session.flush()
            journal.open_track(session, proof.id, kind, steps)
            jobs.enqueue(session, PROOF_JOB, proof.id, lane=f"migration/{row.id}/{kind}")
            self._migrations.record(session, actor, f"migration.{kind}-asked", row, {"proof": proof.id})
            view = _view(session, proof)
        self._migrations.ring()
        return view

    # --- reading -------------------------------------------------------------------------------------------------

    def list(self, actor: Actor, ref: str, kind: str | None = None) -> list[ProofView]:
        """Give the proofs of a migration, newest first, without their steps."""
        row = self._migrations.row_for(actor, ref, "migration.read")
        query = select(ProofRow).where(ProofRow.migration_id == row.id).order_by(ProofRow.id.desc()).limit(500)
        if kind is not None:
            query = query.where(ProofRow.kind == kind)
        with self._migrations.store.reading() as session:
            return [_view(session, proof, with_steps=False) for proof in session.scalars(query)]

    def get(self, actor: Actor, ref: str, proof_id: str) -> ProofView:
        """Give one proof with its steps."""
        row = self._migrations.row_for(actor, ref, "migration.read")
        with self._migrations.store.reading() as session:
            proof = session.get(ProofRow, proof_id)
            if proof is None or proof.migration_id != row.id:
                raise NotFound(
                    f"{row.name} has no proof {proof_id}.",
                    code="proof-unknown",
                    hint=f"aerodrome migrate proofs {row.name}",
                )
            return _view(session, proof)

    def newest(self, actor: Actor, ref: str, kind: ProofKind) -> ProofView | None:
        """Give the newest proof of a kind with its steps; None before the first."""
        row = self._migrations.row_for(actor, ref, "migration.read")
        query = select(ProofRow).where(ProofRow.migration_id == row.id, ProofRow.kind == kind)
        with self._migrations.store.reading() as session:
            proof = session.scalar(query.order_by(ProofRow.id.desc()).limit(1))
            return None if proof is None else _view(session, proof)

    def parity(self, actor: Actor, ref: str, verdict: str | None = None) -> Sequence[ParityView]:
        """Give the newest report of each compared DAG in short, what differs first."""
        row = self._migrations.row_for(actor, ref, "migration.read")
        query = select(ParityRow).where(ParityRow.migration_id == row.id)
        if verdict is not None:
            query = query.where(ParityRow.verdict == verdict)
        with self._migrations.store.reading() as session:
            found = [_parity(item) for item in session.scalars(query)]
        return sorted(found, key=lambda item: (VERDICTS.index(item.verdict), item.dag_id))

    def parity_report(self, actor: Actor, ref: str, dag_id: str) -> Mapping[str, Any]:
        """Give the whole report of a DAG; NotFound before it was compared."""
        row = self._migrations.row_for(actor, ref, "migration.read")
        found: Mapping[str, Any] | None = read_json(self._migrations.folder_of(row).parity(dag_id))
        if found is None:
            raise NotFound(
                f"{dag_id} was not compared yet.",
                code="parity-missing",
                hint=f"aerodrome migrate compare {row.name} --in NAME --dag {dag_id}",
            )
        return found

    def runbook(self, actor: Actor, ref: str) -> str:
        """Give the runbook (Markdown) of the newest decommission; NotFound before."""
        row = self._migrations.row_for(actor, ref, "migration.read")
        path = self._migrations.folder_of(row).runbook
        if not path.exists():
            raise NotFound(
                f"{row.name} has no runbook yet.",
                code="runbook-missing",
                hint=f"aerodrome migrate decommission check {row.name}",
            )
        return path.read_text(encoding="utf-8")

    # --- evidence ------------------------------------------------------------------------------------------------

    def public_key(self, actor: Actor) -> str:
        """Give the public half (PEM) of the key that signs evidence; anybody who is signed in may have it."""
        del actor
        return bundle.public_half(self._signing_key())

    def create_evidence(self, actor: Actor, ref: str) -> MadeBundle:
        """Write the evidence bundle of a migration: all that was found, decided, done and proved so far."""
        row = self._migrations.row_for(actor, ref, "migration.apply")
        parts = self._parts(actor, row)
        facts = {
            "migration": row.name,
            "migration_id": row.id,
            "created_at": to_text(self._migrations.clock.now()),
            "created_by": actor.name,
            "estate_digest": row.estate_digest,
            "plan_digest": row.plan_digest,
            "source_version": row.source_version,
            "target_version": row.target_version,
            "final_files": self._final_files(row),
        }
        path = self._migrations.folder_of(row).final / EVIDENCE
        manifest = bundle.write(path, facts, parts, self._signing_key())
        with self._migrations.store.writing() as session:
            self._migrations.record(session, actor, "migration.evidence-created", row, {"parts": len(parts)})
        return MadeBundle(path, str(manifest["key_id"]), len(parts))

    def evidence_file(self, actor: Actor, ref: str) -> Path:
        """Give the bundle that was written last; NotFound before the first."""
        row = self._migrations.row_for(actor, ref, "migration.read")
        path = self._migrations.folder_of(row).final / EVIDENCE
        if not path.exists():
            raise NotFound(
                f"{row.name} has no evidence bundle yet.",
                code="evidence-missing",
                hint=f"aerodrome migrate evidence create {row.name} --out FILE",
            )
        return path

    def _parts(self, actor: Actor, row: MigrationRow) -> dict[str, bundle.Part]:
        folder = self._migrations.folder_of(row)
        parts: dict[str, bundle.Part] = {"report.json": _json(self._migrations.report(actor, row.id))}
        for path in (
            folder.assessment_json,
            folder.assessment_html,
            folder.code_json,
            folder.plan_json,
            folder.runbook,
        ):
            if path.exists():
                parts[path.name] = path
        if row.plan_text is not None:
            parts["plan.yaml"] = row.plan_text.encode()
        if row.estate_digest is not None:
            for path in sorted(folder.estate(row.estate_digest).rglob("*")):
                if path.is_file():
                    parts[f"estate/{path.relative_to(folder.estate(row.estate_digest)).as_posix()}"] = path
        for path in sorted((folder.root / "parity").glob("*.json")):
            parts[f"parity/{path.name}"] = path
        with self._migrations.store.reading() as session:
            tracks = {
                track.track: _steps(journal.steps(session, row.id, track.track))
                for track in journal.tracks(session, row.id)
            }
            parts["journal.json"] = _json(tracks)
            query = select(ProofRow).where(ProofRow.migration_id == row.id).order_by(ProofRow.id)
            for proof in session.scalars(query):
                data = {
                    **_plain(_view(session, proof, with_steps=False)),
                    "steps": _steps(journal.steps(session, proof.id, proof.kind)),
                }
                parts[f"proofs/{proof.kind}-{proof.id}.json"] = _json(data)
        return parts

    def _final_files(self, row: MigrationRow) -> Sequence[Mapping[str, Any]]:
        """Name what stays outside of the bundle, with its digest: the sealed backup and the sealed logs."""
        with self._migrations.store.reading() as session:
            query = select(ProofRow).where(ProofRow.migration_id == row.id, ProofRow.kind == "decommission")
            newest = session.scalar(query.order_by(ProofRow.id.desc()).limit(1))
        found = newest.result if newest is not None else {}
        files = (("backup", found.get("backup")), ("logs", found.get("logs")))
        return [
            {"what": what, "name": Path(item["path"]).name, "sha256": item["digest"]} for what, item in files if item
        ]

    def _signing_key(self) -> Secret:
        secrets = self._migrations.secrets
        try:
            return secrets.get(SIGNING_KEY)
        except NotFound:
            secrets.put(SIGNING_KEY, bundle.new_key())
            return secrets.get(SIGNING_KEY)


def _params(wish: CompareWish) -> dict[str, Any]:
    params = {**vars(wish), "dag_ids": list(wish.dag_ids)}
    return params | {"allow_connections": list(wish.allow_connections), "allow_hosts": list(wish.allow_hosts)}


def _exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):  # too long a name, characters that no file system takes
        return False


def _step(key: str, title: str, **params: Any) -> dict[str, Any]:
    return {"key": f"decommission.{key}", "kind": f"decommission.{key}", "title": title, "params": params}


def _quiet_title(row: MigrationRow, days: int) -> str:
    if name := DEFINITION_NAMES.get(str(row.source["kind"])):
        return f"Look whether everything is held in {name} and handed over, as far as somebody can be asked"
    return f"Look whether the source was quiet for {days} days"


def _backup_title(row: MigrationRow) -> str:
    if str(row.source["kind"]) in DEFINITION_NAMES:
        return "Seal the definitions, and read them back once"
    return "Take the final backup, sealed, and restore it once"


def _view(session: Session, proof: ProofRow, *, with_steps: bool = True) -> ProofView:
    steps = journal.steps(session, proof.id, proof.kind) if with_steps else []
    return ProofView(
        id=proof.id,
        migration_id=proof.migration_id,
        kind=proof.kind,
        status=proof.status,  # type: ignore[arg-type]
        params=proof.params,
        result=proof.result,
        error=proof.error,
        actor=str(proof.actor["name"]),
        created_at=proof.created_at,
        finished_at=proof.finished_at,
        steps=tuple(step_view(step) for step in steps),
    )


def _parity(row: ParityRow) -> ParityView:
    return ParityView(
        dag_id=row.dag_id,
        verdict=row.verdict,  # type: ignore[arg-type]
        summary=row.summary,
        counts=row.counts,
        deployment=row.deployment,
        proof_id=row.proof_id,
        digest=row.digest,
        made_at=row.made_at,
    )


def _steps(steps: Iterable[journal.JournalStep]) -> Sequence[Any]:
    return [_plain(step) for step in steps]


def _plain(value: Any) -> Any:
    return {
        name: to_text(item) if hasattr(item, "astimezone") else item
        for name, item in vars(value).items()
        if name != "steps"
    }


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, default=str) + "\n").encode()
