"""`aerodrome deploy PATH | list | show | logs | diff | bundle list|remove`."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from aerodrome.builds import git as repositories
from aerodrome.builds.git import GitSource
from aerodrome.builds.trees import left_out
from aerodrome.cli.ci import ci_branch, is_ci
from aerodrome.cli.deploy_looks import diff, logs
from aerodrome.cli.deploy_rollback import rollback
from aerodrome.cli.options import COMMON_DEFAULTS, Common, say
from aerodrome.cli.output import cell, write_fields, write_rows, write_table
from aerodrome.cli.progress import changes
from aerodrome.cli.usage import check
from aerodrome.cli.words import confirm
from aerodrome.client.client import Client
from aerodrome.client.models import Deploy
from aerodrome.kernel.amounts import size
from aerodrome.kernel.errors import Invalid

app = App(name="deploy", help="Put a project folder on a deployment.")
app.command(logs)
app.command(diff)
app.command(rollback)
bundles = App(name="bundle", help="Named DAG bundles beside the project (Airflow 3).")
app.command(bundles)
Target = Annotated[str, Parameter(help="The deployment, id or name.")]
Wait = Annotated[bool, Parameter(help="Wait until it is live, and show how it goes.")]
TimeoutS = Annotated[float, Parameter(help="Seconds to wait at most.")]
FIELDS = {
    "Number": "number",
    "Id": "id",
    "Status": "status",
    "Cause": "cause",
    "Kind": "kind",
    "Airflow": "airflow_version",
    "Python": "python_version",
    "Description": "description",
    "By": "actor",
    "From": "origin",
    "Commit": "git",
    "Files": "file_count",
    "Size": "size_bytes",
    "Digest": "bundle_digest",
    "DAG bundles": "extra_bundles",
    "Requirements": "requirements",
    "Forced": "is_forced",
    "Brings back": "rollback_of",
    "Snapshot": "snapshot_id",
    "Error": "error",
    "Created": "created_at",
    "Live": "live_at",
    "Files removed": "artefacts_removed_at",
}


@app.default
def create(
    path: Annotated[
        Path | None, Parameter(help="The project folder: it holds dags/, and perhaps plugins/, requirements.txt.")
    ] = None,
    /,
    *,
    deployment: Target,
    dags: Annotated[bool, Parameter(help="Take dags/ only; all else stays as it is.", negative=())] = False,
    packages_only: Annotated[
        bool, Parameter(help="Take requirements.txt, packages.txt and aerodrome.yaml only.", negative=())
    ] = False,
    bundle: Annotated[str | None, Parameter(help="Its dags/ becomes the DAG bundle of this name (Airflow 3).")] = None,
    git: Annotated[str | None, Parameter(help="Deploy from this repository instead: a URL, or a local one.")] = None,
    ref: Annotated[str | None, Parameter(help="Branch, tag or full commit of --git; by default its branch.")] = None,
    folder: Annotated[str, Parameter(help="The project's folder inside of --git.")] = "",
    credentials: Annotated[
        str | None, Parameter(help="Name of the deployment's variable or connection that opens --git.")
    ] = None,
    description: Annotated[str, Parameter(help="What changes with it.")] = "",
    force: Annotated[bool, Parameter(help="Go on when the checks fail.", negative=())] = False,
    from_: Annotated[
        Literal["cli", "ci"] | None, Parameter(name="--from", help="From where; by default it is found out.")
    ] = None,
    wait: Wait = True,
    timeout_s: TimeoutS = 900,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Upload a project folder and put it on a deployment."""
    more: dict[str, Any] = {
        "kind": _kind(dags=dags, packages_only=packages_only, bundle=bundle),
        "bundle": bundle,
        "is_forced": force,
        "origin": from_ or ("ci" if is_ci() else "cli"),
    }
    if (path is None) == (git is None):
        raise Invalid(
            "Say what to deploy: a folder, or a repository with --git.",
            code="deploy-source-missing",
            hint="`aerodrome deploy . --deployment NAME` deploys this folder.",
        )
    with common.connect() as client:
        if path is not None:
            item = _upload(client, deployment, path, _facts(path), description, more)
        elif git is not None and Path(git).is_dir():
            item = _upload_local(
                client, deployment, GitSource(Path(git).absolute().as_uri(), ref, folder), description, more
            )
        else:
            item = client.deploys.create_from_git(
                deployment, str(git), ref, folder, credentials=credentials, description=description, **more
            )
            say(f"Deploy {item.number}: the server fetches {repositories.clean_url(str(git))}.")
        if wait:
            item = client.deploys.wait_live(item.deployment_id, item.id, timeout_s, changes(describe))
    write_fields(common.output, item, FIELDS)
    _remarks(item)


app.command(check)


@app.command(name="list")
def list_all(*, deployment: Target, common: Common = COMMON_DEFAULTS) -> None:
    """List the deploys of a deployment, newest first."""
    with common.connect() as client:
        items = client.deploys.list(deployment)
    if common.output == "json" or not items:
        write_rows(common.output, items, {}, nothing="No deploy yet: `aerodrome deploy PATH --deployment NAME`.")
        return
    titles = ("Number", "Status", "Cause", "Kind", "Airflow", "Commit", "By", "From", "Created", "Description")
    columns = (
        "number",
        "status",
        "cause",
        "kind",
        "airflow_version",
        "",
        "actor",
        "origin",
        "created_at",
        "description",
    )
    rows = [[cell(getattr(item, name)) if name else cell(_commit(item.git)) for name in columns] for item in items]
    write_table(titles, rows)


@app.command
def show(
    number: Annotated[str, Parameter(help="Number or id.")],
    /,
    *,
    deployment: Target,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Show a deploy and its steps."""
    with common.connect() as client:
        item = client.deploys.get(deployment, number)
    write_fields(common.output, item, FIELDS)
    if common.output == "table" and item.steps:
        sys.stdout.write("\n")
        columns = ("name", "status", "started_at", "finished_at")
        write_table(
            ("Step", "Status", "Started", "Finished"),
            [[cell(step.get(column)) for column in columns] for step in item.steps],
        )
    _remarks(item)


@bundles.command(name="list")
def list_bundles(*, deployment: Target, common: Common = COMMON_DEFAULTS) -> None:
    """List the DAG bundles of a deployment: the project's own, and the named ones beside it."""
    with common.connect() as client:
        items = client.deploys.list(deployment)
    live = next((item for item in items if item.status == "live"), None)
    found = {} if live is None else {"project": live.bundle_digest, **live.extra_bundles}
    rows = [{"name": name, "digest": digest, "deploy": live.number if live else None} for name, digest in found.items()]
    columns = {"Name": "name", "Digest": "digest", "Deploy": "deploy"}
    write_rows(common.output, rows, columns, nothing="Nothing is live yet: `aerodrome deploy PATH --deployment NAME`.")


@bundles.command
def remove(
    name: Annotated[str, Parameter(help="The DAG bundle.")],
    /,
    *,
    deployment: Target,
    yes: Annotated[bool, Parameter(help="Do not ask.")] = False,
    wait: Wait = True,
    timeout_s: TimeoutS = 900,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Take a named DAG bundle away, by a new deploy without it; runs of its DAGs cannot go on."""
    confirm(f"Remove the DAG bundle {name} of {deployment}?", yes=yes)
    with common.connect() as client:
        item = client.deploys.remove_bundle(deployment, name)
        if wait:
            item = client.deploys.wait_live(item.deployment_id, item.id, timeout_s, changes(describe))
    write_fields(common.output, item, FIELDS)


def describe(item: Deploy) -> str:
    """Say in a few words how far a deploy is."""
    running = [str(step.get("name")) for step in item.steps if step.get("status") == "running"]
    return f"{item.status}: {', '.join(running)}" if running else item.status


def _upload(
    client: Client,
    deployment: str,
    path: Path,
    facts: Mapping[str, Any] | None,
    description: str,
    more: Mapping[str, Any],
) -> Deploy:
    if path.is_dir():
        for name in left_out(path):
            say(f"{name} is left out: it may hold secrets. List it under env_files in aerodrome.yaml if it does not.")
    if facts is not None and facts["is_dirty"]:
        say("The work tree has changes that are not committed; the deploy says so.")
    item = client.deploys.create(deployment, path, description, git=facts, progress=_packing(), **more)
    say(f"Deploy {item.number}: {item.file_count} files, {size(item.size_bytes)}, kept by the server.")
    return item


def _upload_local(
    client: Client, deployment: str, source: GitSource, description: str, more: Mapping[str, Any]
) -> Deploy:
    """A repository of this machine: the server cannot see it, so its commit is checked out here and sent."""
    with tempfile.TemporaryDirectory(prefix="aerodrome-deploy-") as folder:
        facts = repositories.fetch(
            source, Path(folder), protocols=("file",), login=None, timeout_s=300, say=lambda _line: None
        )
        return _upload(client, deployment, Path(folder) / source.folder, facts, description, more)


def _facts(path: Path) -> dict[str, Any] | None:
    facts = repositories.describe(path)
    if facts is not None and facts["branch"] is None:
        facts["branch"] = ci_branch()
    return facts


def _kind(*, dags: bool, packages_only: bool, bundle: str | None) -> str:
    if sum((dags, packages_only, bundle is not None)) > 1:
        raise Invalid(
            "--dags, --packages-only and --bundle exclude each other.",
            code="deploy-kind-contradicts",
            hint="Give one of them, or none for the whole project.",
        )
    return "dags" if dags else "packages" if packages_only else "bundle" if bundle is not None else "full"


def _commit(git: Mapping[str, Any] | None) -> str:
    commit = str((git or {}).get("commit") or "")[:10]
    return f"{commit}, dirty" if commit and git and git.get("is_dirty") else commit


def _remarks(item: Deploy) -> None:
    for remark in (item.project or {}).get("remarks", ()):
        say(str(remark))


def _packing() -> Callable[[int, int], None]:
    if not sys.stderr.isatty():
        return lambda _done, _all: None

    def show_count(done: int, in_all: int) -> None:
        sys.stderr.write(f"\rUploading {done} of {in_all} files" + ("\n" if done == in_all else ""))

    return show_count
