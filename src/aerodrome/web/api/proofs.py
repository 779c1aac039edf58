"""/migrations/{ref}/…: comparisons, the checklist, the decommission and the evidence. Long work answers at once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import FileResponse, PlainTextResponse
from pydantic import Field, SecretStr

from aerodrome.kernel.secret import Secret
from aerodrome.migration.service.proofs.contract import CompareWish, PromoteWish
from aerodrome.web.api.edge import NAMED, Body, Caller, Cursor, Limit, Page, The, View, page_of, problems
from aerodrome.web.api.migrations import Step

router = APIRouter(tags=["migrations"])
Text = Annotated[str, Field(min_length=1, max_length=1000)]


class Proof(View):
    """Something that is or was proved about a migration; its steps stand in the one that is asked for by id."""

    id: str
    migration_id: str
    kind: Annotated[str, Field(description="`compare`, `checklist`, `promotion` or `decommission`.")]
    status: Annotated[str, Field(description="`queued`, `running`, `done` or `failed`.")]
    params: Mapping[str, Any]
    result: Mapping[str, Any]
    error: Mapping[str, Any] | None
    actor: str
    created_at: datetime
    finished_at: datetime | None
    steps: list[Step]


class NewChecklist(Body):
    """How to look."""

    with_tasks: Annotated[
        bool,
        Field(
            description="Let a task of the target try each host and connection: a DAG bundle beside the project, removed "
            "afterwards. The target's Airflow restarts its components at both ends. Airflow 3 only."
        ),
    ] = False


class Parity(View):
    """The newest parity report of a DAG, in short."""

    dag_id: str
    verdict: Annotated[str, Field(description="`match`, `explained`, `mismatch` or `not-compared`.")]
    summary: str
    counts: Annotated[Mapping[str, Mapping[str, int]], Field(description="Aspect -> outcome -> how many.")]
    deployment: str
    proof_id: str
    digest: str
    made_at: datetime


class NewComparison(Body):
    """What to compare, and in which development deployment."""

    deployment: Annotated[
        str, Field(min_length=1, max_length=200, description="Made when there is none of this name in the workspace.")
    ]
    dag_ids: Annotated[list[Text], Field(max_length=20_000, description="Empty: all that the plan moves.")] = Field(
        default_factory=list
    )
    wave: str | None = None
    file: Annotated[
        str | None, Field(max_length=2_000_000, description="Text of a comparison file (YAML): tolerance, data checks.")
    ] = None
    with_shadow: Annotated[bool, Field(description="Run each DAG there; false: structure and data checks only.")] = True
    allow_connections: Annotated[
        list[Text], Field(max_length=1000, description="Connections that a shadow may use as they are.")
    ] = Field(default_factory=list)
    allow_hosts: Annotated[list[Text], Field(max_length=1000, description="Hosts in the code that it may reach.")] = (
        Field(default_factory=list)
    )
    source_logs: Annotated[
        str | None, Field(description="Folder of the source's task logs, on the server's machine.")
    ] = None
    timeout_s: Annotated[float, Field(ge=1, le=86_400, description="For the shadow runs of one step.")] = 900.0

    def wish(self) -> CompareWish:
        return CompareWish(
            deployment=self.deployment,
            dag_ids=tuple(self.dag_ids),
            wave=self.wave,
            file=self.file,
            with_shadow=self.with_shadow,
            allow_connections=tuple(self.allow_connections),
            allow_hosts=tuple(self.allow_hosts),
            source_logs=self.source_logs,
            timeout_s=self.timeout_s,
        )


class NewPromotion(NewComparison):
    """How a wave goes from a development deployment to production. The comparison file also declares the end-to-end tests."""

    with_compare: Annotated[bool, Field(description="Compare the wave's DAGs in development before it goes on.")] = True
    error_budget: Annotated[
        int | None, Field(ge=0, le=100_000, description="So many may go wrong at each gate; None: as the plan says.")
    ] = None
    watch_s: Annotated[
        float, Field(ge=0, le=604_800, description="So long the target's runs are watched after the first cycles.")
    ] = 0.0
    at_once: Annotated[bool, Field(description="Do not wait for the wave's window.")] = False

    def promotion(self) -> PromoteWish:
        return PromoteWish(self.wish(), self.with_compare, self.error_budget, self.watch_s, self.at_once)


class NewDecommission(Body):
    """How the end of a source is looked at and what is kept of it. Paths are on the server's machine."""

    days: Annotated[int, Field(ge=1, le=3650, description="So long nothing may have happened in the source.")] = 14
    passphrase: Annotated[
        SecretStr | None,
        Field(description="Seals the final backup and the logs; forgotten afterwards. None: no backup."),
    ] = None
    logs: Annotated[str | None, Field(description="Folder of task logs to archive.")] = None
    access_log: Annotated[str | None, Field(description="Access log of the source's web server or proxy.")] = None


class PlannedStep(View):
    """One step that would run, in order."""

    key: str
    title: str
    params: Mapping[str, Any]


class Evidence(View):
    """A bundle that was written."""

    size_bytes: int
    key_id: Annotated[str, Field(description="By which people compare public keys.")]
    parts: int


@router.get("/evidence-key", responses=problems(401, 500), response_class=PlainTextResponse)
def get_evidence_key(the: The, actor: Caller) -> PlainTextResponse:
    """Give the public key (PEM) that verifies the evidence bundles of this platform."""
    return PlainTextResponse(the.migrations.proofs.public_key(actor))


@router.post("/migrations/{ref}/compare", status_code=202, responses=NAMED | problems(409))
def compare_migration(the: The, actor: Caller, ref: str, body: NewComparison) -> Proof:
    """Compare DAGs in source and target: structure, a shadow run of the same logical date, declared data checks."""
    return Proof.model_validate(the.migrations.proofs.compare(actor, ref, body.wish()))


@router.post("/migrations/{ref}/compare/dry-run", responses=NAMED | problems(409))
def dry_run_comparison(the: The, actor: Caller, ref: str, body: NewComparison) -> list[PlannedStep]:
    """Give the very steps that a comparison would run now."""
    steps = the.migrations.proofs.compare_steps(actor, ref, body.wish())
    return [PlannedStep(key=step["key"], title=step["title"], params=step["params"]) for step in steps]


@router.post("/migrations/{ref}/waves/{wave}/promote", status_code=202, responses=NAMED | problems(409))
def promote_migration_wave(the: The, actor: Caller, ref: str, wave: str, body: NewPromotion) -> Proof:
    """Take a wave through development to production: deploy, test, compare, cut over, watch, gate by gate."""
    return Proof.model_validate(the.migrations.proofs.promote(actor, ref, wave, body.promotion()))


@router.post("/migrations/{ref}/waves/{wave}/promote/dry-run", responses=NAMED | problems(409))
def dry_run_promotion(the: The, actor: Caller, ref: str, wave: str, body: NewPromotion) -> list[PlannedStep]:
    """Give the very steps that a promotion would run now."""
    steps = the.migrations.proofs.promote_steps(actor, ref, wave, body.promotion())
    return [PlannedStep(key=step["key"], title=step["title"], params=step["params"]) for step in steps]


@router.get("/migrations/{ref}/parity", responses=NAMED)
def list_parity(
    the: The,
    actor: Caller,
    ref: str,
    verdict: Literal["match", "explained", "mismatch", "not-compared"] | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[Parity]:
    """List the newest parity report of each compared DAG, by DAG id."""
    views = the.migrations.proofs.parity(actor, ref, verdict)
    return page_of(views, Parity, limit, cursor, lambda view: view.dag_id)


@router.get("/migrations/{ref}/parity/{dag_id}", responses=NAMED)
def get_parity_report(the: The, actor: Caller, ref: str, dag_id: str) -> Mapping[str, Any]:
    """Give the whole parity report of a DAG: both runs, and every compared thing side by side."""
    return the.migrations.proofs.parity_report(actor, ref, dag_id)


@router.post("/migrations/{ref}/checklist", status_code=202, responses=NAMED | problems(409))
def check_migration(the: The, actor: Caller, ref: str, body: NewChecklist | None = None) -> Proof:
    """Look the cutover checklist through anew."""
    with_tasks = body is not None and body.with_tasks
    return Proof.model_validate(the.migrations.proofs.check(actor, ref, with_tasks=with_tasks))


@router.post("/migrations/{ref}/decommission", status_code=202, responses=NAMED | problems(409))
def decommission_source(the: The, actor: Caller, ref: str, body: NewDecommission) -> Proof:
    """Look whether the source may go: is it quiet, a final backup that was restored once, what is to be removed."""
    secret = body.passphrase.get_secret_value() if body.passphrase else ""
    found = the.migrations.proofs.decommission(
        actor,
        ref,
        days=body.days,
        passphrase=Secret(secret) if secret else None,
        logs=body.logs,
        access_log=body.access_log,
    )
    return Proof.model_validate(found)


@router.get("/migrations/{ref}/runbook", responses=NAMED, response_class=PlainTextResponse)
def get_runbook(the: The, actor: Caller, ref: str) -> PlainTextResponse:
    """Give the runbook (Markdown) that the newest decommission filled in."""
    return PlainTextResponse(the.migrations.proofs.runbook(actor, ref), media_type="text/markdown")


@router.get("/migrations/{ref}/proofs", responses=NAMED)
def list_proofs(
    the: The,
    actor: Caller,
    ref: str,
    kind: Annotated[Literal["compare", "checklist", "promotion", "decommission"] | None, Query()] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[Proof]:
    """List what was proved about a migration, newest first, without steps."""
    views = the.migrations.proofs.list(actor, ref, kind)
    return page_of(views, Proof, limit, cursor, lambda view: view.id, newest=True)


@router.get("/migrations/{ref}/proofs/{proof_id}", responses=NAMED)
def get_proof(the: The, actor: Caller, ref: str, proof_id: str) -> Proof:
    """Give one proof with its steps."""
    return Proof.model_validate(the.migrations.proofs.get(actor, ref, proof_id))


@router.post("/migrations/{ref}/evidence", status_code=201, responses=NAMED | problems(409))
def create_evidence(the: The, actor: Caller, ref: str) -> Evidence:
    """Write the signed evidence bundle of a migration; the one before is replaced."""
    made = the.migrations.proofs.create_evidence(actor, ref)
    return Evidence(size_bytes=made.path.stat().st_size, key_id=made.key_id, parts=made.parts)


@router.get("/migrations/{ref}/evidence", responses=NAMED, response_class=FileResponse)
def get_evidence(the: The, actor: Caller, ref: str) -> FileResponse:
    """Give the evidence bundle that was written last (a tar file)."""
    path = the.migrations.proofs.evidence_file(actor, ref)
    return FileResponse(path, media_type="application/x-tar", filename="evidence.tar")
