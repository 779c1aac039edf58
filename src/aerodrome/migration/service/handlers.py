"""One handler per step kind of a plan up to cutover (which `conducting` walks). Each is idempotent: after a kill it may run again from its start.

A handler acts through the rooms below and gives a plain JSON result; `summary` in it is a sentence for the pages.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from functools import partial
from typing import Any

from aerodrome.airflowkit.versions import DEFAULT_PYTHON
from aerodrome.environments.backends_airflow import What
from aerodrome.fleet.object_files import ImportLine, ImportWish
from aerodrome.fleet.service import NewDeployment
from aerodrome.kernel.clock import from_text, to_text
from aerodrome.kernel.errors import Broken, Conflict, NotFound
from aerodrome.kernel.secret import Secret
from aerodrome.migration.service import code, converting
from aerodrome.migration.service.context import StepContext
from aerodrome.migration.service.runner import Handler
from aerodrome.migration.service.syncing import kinds_without
from aerodrome.migration.sources.contract import DefinitionsConfig
from aerodrome.migration.sources.definitions.records import file_records
from aerodrome.migration.sources.registry import code_of
from aerodrome.migration.sources.task_logs.place import login_from, place_of
from aerodrome.migration.sources.task_logs.reading import logs_of
from aerodrome.migration.transfer import (
    backend_objects,
    checkpoints,
    environment,
    history,
    manager_objects,
    objects,
)
from aerodrome.migration.transfer.assets import move_assets
from aerodrome.migration.transfer.logs import LogsMoved, move_logs
from aerodrome.migration.transfer.outcomes import HistoryMoved, Moved
from aerodrome.migration.transfer.rejects import RejectsFile
from aerodrome.migration.transfer.versions import OldDag
from aerodrome.migration.validate import CheckRow, validate_dags, validate_elsewhere, validate_objects

LIVE_TIMEOUT_S = 600.0
PARSE_TIMEOUT_S = 120.0
IMPORT_ERROR_GRACE_S = 15.0
KIND_NOUNS = {
    "run": "runs",
    "task_instance": "task instances",
    "task_try": "earlier tries",
    "xcom": "XComs",
    "rendered": "rendered fields",
}
_LEFT_OUT = {"xcoms": "XComs", "logs": "task logs"}
Params = Mapping[str, Any]
Result = Mapping[str, Any]


def make_workspace(context: StepContext, params: Params) -> Result:
    """Find the workspace or make it."""
    name = str(params["name"])
    try:
        view = context.fleet.get_workspace(context.actor, name)
    except NotFound:
        view = context.fleet.create_workspace(context.actor, name)
    return {"workspace_id": view.id, "name": view.name, "summary": f"Workspace {view.name}."}


def make_deployment(context: StepContext, params: Params) -> Result:
    """Find the deployment by name in its workspace or make it; Conflict when one stands there with another Airflow."""
    ref = f"{params['workspace']}/{params['name']}"
    try:
        view = context.fleet.get_deployment(context.actor, ref)
    except NotFound:
        view = context.fleet.create_deployment(
            context.actor,
            NewDeployment(
                name=str(params["name"]),
                workspace=str(params["workspace"]),
                airflow_version=params["airflow_version"],
                python_version=params["python_version"] or None,
                cluster=str(params["cluster"]),
                parallelism=int(params["parallelism"]),
                config=dict(params["config"]),
                description="Made by a migration",
                database=str(params.get("database") or "sqlite"),
            ),
        )
    if view.airflow_version != params["airflow_version"]:
        raise Conflict(
            f"The deployment {view.name} runs Airflow {view.airflow_version}, the plan wants {params['airflow_version']}.",
            code="target-other-version",
            hint="Name another deployment in the plan, or its version.",
        )
    return {
        "deployment_id": view.id,
        "name": view.name,
        "airflow_version": view.airflow_version,
        "summary": f"Deployment {view.name} with Airflow {view.airflow_version}.",
    }


def attach_backend(context: StepContext, params: Params) -> Result:
    """Let the target ask the team's secrets backend first; attached already: nothing changes."""
    ref = f"{params['workspace']}/{params['backend']}"
    view = context.fleet.backends.attach(context.actor, context.deployment_id, ref)
    return {"backend_id": view.id, "kind": view.kind, "summary": f"{view.title} {view.name} is asked first."}


def set_variables(context: StepContext, params: Params) -> Result:
    """Carry environment variables over; Airflow options that the platform owns are left out with a reason."""
    moved = environment.env_values(
        context.source, params["names"], is_airflow2=str(context.settings["target"]["airflow"]).startswith("2.")
    )
    secrets = frozenset(moved.renamed.get(name, name) for name in params["secret_names"]) & set(moved.values)
    values: dict[str, str | Secret | None] = {
        name: value if name in secrets else value.reveal() for name, value in moved.values.items()
    }
    context.fleet.set_env(context.actor, context.deployment_id, values, secrets)
    return {
        "found": len(params["names"]),
        "moved": len(moved.values),
        "renamed": dict(moved.renamed),
        "left_out": [item.as_data() for item in moved.dropped],
        "summary": f"{len(values)} set, {len(moved.dropped)} left out with a reason.",
    }


def upgrade_code(context: StepContext, params: Params) -> Result:
    """Copy the source's code and upgrade it to the target version, with a diff per file."""
    return code.upgrade_into(
        context.folder,
        code_of(context.source_config),
        str(params["target_version"]),
        catchup_by_default=code.catches_up(context.estate),
        default_timezone=code.default_timezone(context.estate),
        source_version=context.estate.header.source_version,
        rejected=params.get("rejected", ()),
        python=str(params.get("python", DEFAULT_PYTHON)),
        requirements_as_of=code.resolution_day(params.get("requirements_as_of")),
    )


def convert_code(context: StepContext, params: Params) -> Result:
    """Convert the definitions for the target version; the source's files stay as they are."""
    source = context.source_config
    if not isinstance(source, DefinitionsConfig):
        raise Broken(f"A source of the kind {source.kind} is not converted.", code="source-not-definitions")
    if set(file_records(source.path)) != set(context.estate.records("file")):
        raise Conflict(
            "The definitions have changed since they were assessed.",
            code="plan-stale",
            hint="Run `aerodrome migrate assess NAME` again and look at the new plan.",
        )
    return converting.convert_into(context.folder, source, str(params["target_version"]))


def deploy(context: StepContext, params: Params) -> Result:
    """Deploy the upgraded code and wait until it is live. The same content is deployed once only."""
    bundle = context.bundles.put(context.folder.code)
    deploys = context.fleet.list_deploys(context.actor, context.deployment_id)
    view = next((item for item in deploys if item.bundle_digest == bundle.digest and item.status != "failed"), None)
    if view is None:
        view = context.fleet.deploy(
            context.actor, context.deployment_id, bundle, str(params["description"]), "migration", check_policy="record"
        )
    context.progress("building and starting Airflow")
    live = context.fleet.wait_live(context.actor, view.id, LIVE_TIMEOUT_S)
    context.fleet.wait_healthy(context.actor, context.deployment_id, LIVE_TIMEOUT_S)
    return {
        "deploy_id": live.id,
        "number": live.number,
        "bundle_digest": bundle.digest,
        "files": bundle.file_count,
        "summary": f"Deploy #{live.number} with {bundle.file_count} files is live.",
    }


def _moving(move: Callable[..., Moved]) -> Handler:
    def handler(context: StepContext, params: Params) -> Result:
        return _proven(move(context.source, context.target, params["keys"], params["on_conflict"]))

    return handler


def _moving_secrets(what: What, move: Callable[..., Moved]) -> Handler:
    """Move into the metadata database, into the environment manager, or into the secrets backend that the plan names."""
    into_database = _moving(move)

    def handler(context: StepContext, params: Params) -> Result:
        if params.get("place"):
            importing = partial(_import, context)
            keys, policy, key = params["keys"], params["on_conflict"], context.target.hash_key
            return _proven(manager_objects.move(context.source, importing, what, keys, policy, key, context.progress))
        if not params.get("backend"):
            return into_database(context, params)
        opened = context.fleet.backends.open(context.actor, params["backend"], params["workspace"])
        keys, policy = params["keys"], params["on_conflict"]
        return _proven(
            backend_objects.move(context.source, opened, what, keys, policy, context.target.hash_key, context.progress)
        )

    return handler


def _import(context: StepContext, what: What, file: Secret, is_dry_run: bool) -> Sequence[ImportLine]:
    wish = ImportWish(what, "json", file, "overwrite", is_dry_run)
    return context.fleet.environment.import_file(context.actor, wish, deployment=context.deployment_id).lines


def _proven(moved: Moved) -> Result:
    if not moved.is_proven:
        raise Broken(
            f"The target's {moved.kind}s are not what the source holds.",
            code="hashes-differ",
            hint="Apply again; if it stays so, somebody changes them in the target at the same time.",
            details=moved.as_data(),
        )
    return {**moved.as_data(), "summary": _objects_summary(moved)}


def _objects_summary(moved: Moved) -> str:
    text = f"{moved.moved} moved, {moved.same} stood there already"
    return f"{text}, {len(moved.failed)} refused." if moved.failed else f"{text}; both sides hash alike."


def move_history(context: StepContext, params: Params) -> Result:
    """Move the finished runs of some DAGs, once the target has parsed them."""
    _wait_parsed(context, params["dag_ids"])
    moved = _history(context, params, f"history-{params['dag_ids'][0]}")
    assets = move_assets(context.source, context.target, params["dag_ids"], context.clock, with_pending=False)
    left_out = params.get("leave_out", ())
    logs = None if "logs" in left_out else move_logs_of(context, params["dag_ids"])
    summary = history_summary(moved)
    if left_out:
        summary += f" Left out by the plan: {', '.join(_LEFT_OUT[name] for name in left_out)}."
    if logs is not None and logs.found:
        summary += f" {logs.moved + logs.same:,} log files"
        summary += f", {logs.found - logs.moved - logs.same:,} refused." if logs.failed_by_code else "."
    return {
        "history": moved.as_data(),
        "assets": assets.as_data(),
        "logs": logs.as_data() if logs else None,
        "left_out": list(left_out),
        "until": to_text(moved.until),
        "summary": summary,
    }


def move_logs_of(context: StepContext, dag_ids: Sequence[str]) -> LogsMoved | None:
    """Copy the tasks' logs where the target's folder is on this machine, and the source's too, or in a bucket that is read, or given by the source itself."""
    options = {record.option: record.value or "" for record in context.estate.records("config")}
    into, place = context.access.logs_folder, place_of(options)
    if into is None:
        return None
    logs = logs_of(place, context.source, login_from(place, context.source, context.source_config))
    if logs is None:
        return None

    def progress(what: str, done: int, total: int | None) -> None:
        context.progress(f"{what}: {done:,} of {total or 0:,}")

    with closing(logs):
        return move_logs(context.target, dag_ids, logs, into, progress=progress)


def move_beside(context: StepContext, dag_ids: Sequence[str]) -> dict[str, Any]:
    """Move what goes with the last history of DAGs that are held: the events of assets, and what is pending of them."""
    records = (context.dags.get(dag_id) for dag_id in dag_ids)
    concerned = [dag.dag_id for dag in records if dag is not None and (dag.datasets_in or dag.datasets_out)]
    if not concerned:
        return {}
    assets = move_assets(context.source, context.target, concerned, context.clock, with_pending=True)
    return {"assets": assets.as_data()}


def _history(context: StepContext, params: Params, name: str) -> HistoryMoved:
    def progress(what: str, done: int, total: int | None) -> None:
        context.progress(f"{what}: {done:,}" + (f" of {total:,}" if total else ""))

    path = context.folder.checkpoint(name)
    with RejectsFile(context.folder.rejects(name)) as rejects:
        moved = history.move_history(
            context.source,
            context.target,
            params["dag_ids"],
            since=from_text(params["since"]),
            policy=params.get("on_conflict", "source-wins"),
            without=kinds_without(params.get("leave_out", ())),
            progress=progress,
            checkpoint=checkpoints.FileCheckpoint(path),
            rejects=rejects,
            old_dag=partial(old_dag, context),
        )
    if not moved.is_proven:
        raise Broken(
            "The target's history is not what the source holds.",
            code="hashes-differ",
            hint="Repeat the step; the report names the kind of rows that differ.",
            details=moved.as_data(),
        )
    path.unlink(missing_ok=True)
    return moved


def old_dag(context: StepContext, dag_id: str) -> OldDag | None:
    """Give a DAG as the source has it: its tasks, and its file as the code step gathered it."""
    record = context.dags.get(dag_id)
    if record is None:
        return None
    folder = (context.folder.gathered / "dags").resolve()
    path = (folder / record.file).resolve()
    is_there = bool(record.file) and path.is_relative_to(folder) and path.is_file()
    return OldDag(record.tasks, path.read_text(errors="replace") if is_there else None)


def history_summary(moved: HistoryMoved) -> str:
    parts = [f"{kind.moved + kind.same:,} {KIND_NOUNS[kind.kind]}" for kind in moved.kinds if kind.found]
    failed = sum(kind.failed_count for kind in moved.kinds)
    text = ", ".join(parts) or "No rows"
    return f"{text}; {failed:,} refused with a reason." if failed else f"{text}; both sides hash alike."


def _wait_parsed(context: StepContext, dag_ids: list[str]) -> None:
    """Wait until the target knows these DAGs, or its import errors say why not: rows of unknown DAGs would be refused."""
    end = time.monotonic() + PARSE_TIMEOUT_S
    while missing := set(dag_ids) - {dag.dag_id for dag in context.rest.dags()}:
        errors = context.rest.import_errors()
        if time.monotonic() > end or (errors and time.monotonic() > end - PARSE_TIMEOUT_S + IMPORT_ERROR_GRACE_S):
            return  # the rows of what is still missing are refused with that reason
        context.progress(f"waiting until the target has parsed {len(missing)} more DAGs")
        context.sleep(0.5)


def check_dags(context: StepContext, params: Params) -> Result:
    """Check every DAG in the running target. What is wrong is told, not raised: `cutover.check` refuses just those DAGs."""
    rows = [asdict(row) for row in validate_dags(context.rest, context.estate, params["dag_ids"])]
    failed = sorted({row["subject"] for row in rows if not row["is_ok"] and row["severity"] == "blocker"})
    ok = len(params["dag_ids"]) - len(set(failed) & set(params["dag_ids"]))
    return {
        "rows": rows,
        "ok": ok,
        "failed_dags": failed,
        "summary": f"{ok} of {len(params['dag_ids'])} DAGs are right, {len(rows)} checks.",
    }


def check_objects(context: StepContext, params: Params) -> Result:
    """Check that the target has every connection, variable and pool that the DAGs need."""
    rows = [asdict(row) for row in _object_rows(context, params)]
    missing = sum(not row["is_ok"] for row in rows)
    return {
        "rows": rows,
        "summary": f"{len(rows)} checked, {missing} missing." if missing else f"{len(rows)} are there.",
    }


def _found_first(context: StepContext) -> dict[tuple[str, str], str]:
    """Tell of the names that the target's Airflow finds before it looks into its metadata database, and where."""
    places = {
        (item.kind, item.name): item.places[0]
        for item in context.fleet.environment.effective(context.actor, context.deployment_id).items
    }
    return {
        key: f"the secrets backend {place.detail}"
        if place.place == "secrets backend"
        else f"the environment variable {place.detail}"
        if place.place == "env var"
        else f"the environment manager ({place.place})"
        for key, place in places.items()
        if place.place != "metadata database"
    }


def _object_rows(context: StepContext, params: Params) -> tuple[CheckRow, ...]:
    if params.get("place"):
        items = context.fleet.environment.list_all(context.actor, deployment=context.deployment_id)
        there = {
            section: frozenset(item.name for item in items if item.kind == kind)
            for section, kind in (("connections", "connection"), ("variables", "variable"))
        }
        return (
            *validate_objects(context.target, {"pools": params["pools"]}),
            *validate_elsewhere("The deployment's environment", params, there),
        )
    if not params.get("backend"):
        return validate_objects(context.target, params, _found_first(context))
    opened = context.fleet.backends.open(context.actor, params["backend"], params["workspace"])
    found = {
        "connections": backend_objects.standing(opened, "connection", params["connections"]),
        "variables": backend_objects.standing(opened, "variable", params["variables"]),
    }
    return (
        *validate_objects(context.target, {"pools": params["pools"]}),
        *validate_elsewhere(f"The secrets backend {params['backend']}", params, found),
    )


HANDLERS: Mapping[str, Handler] = {
    "environment.workspace": make_workspace,
    "environment.deployment": make_deployment,
    "environment.backend": attach_backend,
    "environment.variables": set_variables,
    "code.upgrade": upgrade_code,
    "code.convert": convert_code,
    "deploy.bundle": deploy,
    "transfer.pools": _moving(objects.move_pools),
    "transfer.variables": _moving_secrets("variable", objects.move_variables),
    "transfer.connections": _moving_secrets("connection", objects.move_connections),
    "transfer.history": move_history,
    "validate.dags": check_dags,
    "validate.objects": check_objects,
}
