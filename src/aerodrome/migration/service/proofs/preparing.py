"""Makes the development deployment of a comparison ready: the plan's Airflow with the migrated code, scheduling nothing by itself."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Any

from aerodrome.fleet.service import NewDeployment
from aerodrome.fleet.views import DeploymentView
from aerodrome.kernel.errors import AerodromeError, Conflict, NotFound
from aerodrome.migration.parity.sandbox import is_place
from aerodrome.migration.service import code, converting
from aerodrome.migration.service.proofs.contract import ProofContext
from aerodrome.migration.sources.contract import DefinitionsConfig
from aerodrome.migration.sources.registry import code_of
from aerodrome.migration.transfer import objects
from aerodrome.migration.transfer.target import TargetDatabase

LIVE_TIMEOUT_S = 600.0
NO_SCHEDULE = "scheduler.use_job_schedule"
Params = Mapping[str, Any]


def make_ready(context: ProofContext, params: Params) -> Mapping[str, Any]:
    """Find or make the development deployment, put the migrated code on it, and give it pools and harmless variables.

    Never connections, environment variables, or variables whose value names a place: those are a person's to choose.
    """
    view = _deployment(context, str(params["workspace"]), str(params["deployment"]))
    _deploy(context, view.id)
    pools = [record.name for record in context.estate.records("pool")]
    text = f"{view.name} runs Airflow {view.airflow_version}"
    with closing(TargetDatabase(context.fleet.access(context.actor, view.id))) as target:
        try:
            plain = _plain_variables(context)
            objects.move_pools(context.source, target, pools)
            objects.move_variables(context.source, target, plain, "target-wins")
            text += f" with {len(pools)} pools and {len(plain)} variables of the source."
        except AerodromeError as error:
            if error.retryable:
                raise
            text += "; pools and variables are its own, since the source gives no values."
    known = set(context.fleet.get_deployment(context.actor, view.id).env)
    left = sorted(
        record.name
        for record in context.estate.records("env_var")
        if record.purpose != "airflow-config" and record.name not in known
    )
    if left:
        text += f" It lacks environment variables of the source, which may name places: {', '.join(left[:8])}."
    return {"deployment_id": view.id, "deployment": view.name, "lacking_env": left, "summary": text}


def _deployment(context: ProofContext, workspace: str, name: str) -> DeploymentView:
    target = context.settings["target"]
    try:
        view = context.fleet.get_deployment(context.actor, f"{workspace}/{name}")
    except NotFound:
        return context.fleet.create_deployment(
            context.actor,
            NewDeployment(
                name=name,
                workspace=workspace,
                airflow_version=target["airflow"],
                python_version=target["python"] or None,
                cluster=target["cluster"],
                parallelism=int(target["parallelism"]),
                config={**target["config"], NO_SCHEDULE: "False"},
                description=f"Shadow runs of the migration {context.row.name}; schedules nothing by itself",
            ),
        )
    if view.id == context.row.target_deployment_id or view.name == target["deployment"]:
        raise Conflict(
            f"{view.name} is the target of the migration; shadow runs would stand in its history.",
            code="compare-in-target",
            hint="Name another deployment; it is made when there is none.",
        )
    if view.airflow_version != target["airflow"]:
        raise Conflict(
            f"{view.name} runs Airflow {view.airflow_version}, the plan wants {target['airflow']}.",
            code="compare-other-version",
            hint="Name another deployment; it is made when there is none.",
        )
    if str(view.config.get(NO_SCHEDULE, "True")).lower() != "false":
        raise Conflict(
            f"{view.name} starts scheduled runs by itself; a shadow run needs its DAG unpaused.",
            code="compare-would-schedule",
            hint=f"aerodrome deployment update {view.name} --config {NO_SCHEDULE}=False",
        )
    return view


def _plain_variables(context: ProofContext) -> list[str]:
    """Name the variables that a sandbox may have as they are: no secret by name, and no place by value."""
    names = [
        record.name
        for record in context.estate.records("variable")
        if not record.is_sensitive and record.error is None and record.origin == "metadata-db"
    ]
    values = context.source.variable_values(names)
    return [value.name for value in values if not is_place(value.value.reveal())]


def _deploy(context: ProofContext, deployment_id: str) -> None:
    """Put the migrated code there; the same content once only."""
    fleet, folder = context.fleet, context.folder
    if not (folder.code / "dags").is_dir():
        context.progress("upgrading the code")
        version = context.settings["target"]["airflow"]
        if isinstance(context.config, DefinitionsConfig):
            converting.convert_into(folder, context.config, version)
        else:
            code.upgrade_into(
                folder,
                code_of(context.config),
                version,
                catchup_by_default=code.catches_up(context.estate),
                default_timezone=code.default_timezone(context.estate),
                source_version=context.estate.header.source_version,
            )
    bundle = context.migrations.bundles.put(folder.code)
    deploys = fleet.list_deploys(context.actor, deployment_id)
    live = next((item for item in deploys if item.bundle_digest == bundle.digest and item.status != "failed"), None)
    if live is None:
        live = fleet.deploy(
            context.actor, deployment_id, bundle, "Shadow runs of a migration", "migration", check_policy="record"
        )
    context.progress("building and starting Airflow")
    fleet.wait_live(context.actor, live.id, LIVE_TIMEOUT_S)
    fleet.wait_healthy(context.actor, deployment_id, LIVE_TIMEOUT_S)
