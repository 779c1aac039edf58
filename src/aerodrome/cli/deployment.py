"""`aerodrome deployment create|list|show|update|logs|open|hibernate|wake|delete`."""

from __future__ import annotations

import re
import sys
import webbrowser
from datetime import datetime
from typing import Annotated, Literal

from cyclopts import App, Parameter

from aerodrome.cli import keeping
from aerodrome.cli.deployment_upgrade import rehearsals, upgrade, versions
from aerodrome.cli.incidents import incidents
from aerodrome.cli.options import COMMON_DEFAULTS, Common, say
from aerodrome.cli.output import cell, write_fields, write_json, write_rows, write_table
from aerodrome.cli.progress import changes
from aerodrome.cli.usage import usage
from aerodrome.cli.words import confirm, pairs
from aerodrome.client.client import Client
from aerodrome.client.models import Deployment
from aerodrome.kernel.errors import Invalid

app = App(name="deployment", help="Each is one Airflow.")
for verb in (upgrade, versions, rehearsals):
    app.command(verb)
app.command(incidents)
Ref = Annotated[str, Parameter(help="Id or name.")]
Wait = Annotated[bool, Parameter(help="Wait until it is done, and show how it goes.")]
TimeoutS = Annotated[float, Parameter(help="Seconds to wait at most.")]
Until = Annotated[
    datetime | None,
    Parameter(help="Till this moment whatever the schedules say, for example 2026-12-24T18:00:00+01:00."),
]
For = Annotated[str | None, Parameter(name="--for", help="The same as a span from now: 90m, 2h30m, 3d.")]
FIELDS = {
    "Name": "name",
    "Id": "id",
    "Workspace": "workspace_name",
    "Cluster": "cluster_name",
    "Status": "status",
    "Reasons": "reasons",
    "Wanted": "desired",
    "Airflow": "airflow_version",
    "Python": "python_version",
    "Executor": "executor",
    "Parallelism": "parallelism",
    "Environment": "env",
    "Configuration": "config",
    "Database": "database",
    "Pools": "pools",
    "Drain window (s)": "drain_s",
    "Task logs kept (days)": "log_retention_days",
    "Cleaning": "upkeep",
    "Description": "description",
    "Open": "airflow_url",
    "Created": "created_at",
    "Seen": "observed_at",
}


app.command(usage)


@app.command
def create(
    name: Annotated[str, Parameter(help="Its name: a-z, 0-9 and -.")],
    /,
    *,
    workspace: Annotated[str, Parameter(help="The workspace, id or name.")],
    airflow_version: Annotated[
        str | None, Parameter(help="For example 3.3.2; by default the newest supported.")
    ] = None,
    python_version: Annotated[str | None, Parameter(help="For example 3.11.")] = None,
    cluster: Annotated[str, Parameter(help="Where it runs.")] = "local",
    parallelism: Annotated[int, Parameter(help="How many tasks run at a time.")] = 4,
    config: Annotated[tuple[str, ...], Parameter(help="An Airflow option, section.option=value.", negative=())] = (),
    description: Annotated[str, Parameter(help="What it is for.")] = "",
    database: Annotated[
        Literal["sqlite", "postgresql", "existing"],
        Parameter(help="Metadata database: a file (development), the managed PostgreSQL server, or one of yours."),
    ] = "sqlite",
    database_url_file: keeping.UrlFile = None,
    wait: Wait = False,
    timeout_s: TimeoutS = 900,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Make a deployment; its Airflow starts in the background."""
    with common.connect() as client:
        item = client.deployments.create(
            name,
            workspace,
            airflow_version=airflow_version,
            python_version=python_version,
            cluster=cluster,
            parallelism=parallelism,
            config=pairs(config, option="--config"),
            description=description,
            database=database,
            database_url=keeping.database_url(database, database_url_file),
        )
        _finish(client, item, common, wait=wait, timeout_s=timeout_s)


@app.command(name="list")
def list_all(
    *,
    workspace: Annotated[str | None, Parameter(help="Only those of this workspace.")] = None,
    status: Annotated[str | None, Parameter(help="Only those in this status, for example unhealthy.")] = None,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """List the deployments that you may see."""
    with common.connect() as client:
        items = client.deployments.list(workspace, status)
    columns = {
        "Name": "name",
        "Workspace": "workspace_name",
        "Airflow": "airflow_version",
        "Status": "status",
        "Id": "id",
    }
    write_rows(common.output, items, columns, nothing="No deployment yet: `aerodrome deployment create NAME`.")


@app.command
def show(deployment: Ref, /, *, common: Common = COMMON_DEFAULTS) -> None:
    """Show a deployment: what is wanted, what was seen, and its processes."""
    with common.connect() as client:
        item = client.deployments.get(deployment)
    write_fields(common.output, item, FIELDS)
    if common.output == "table" and item.components:
        sys.stdout.write("\n")
        columns = ("name", "state", "pid", "started_at", "restarts", "reason")
        rows = [[cell(getattr(part, column)) for column in columns] for part in item.components]
        write_table(("Component", "State", "PID", "Started", "Restarts", "Reason"), rows)


@app.command
def update(
    deployment: Ref,
    /,
    *,
    name: Annotated[str | None, Parameter(help="A new name.")] = None,
    description: Annotated[str | None, Parameter(help="What it is for.")] = None,
    airflow_version: Annotated[str | None, Parameter(help="Another Airflow version.")] = None,
    python_version: Annotated[str | None, Parameter(help="Another Python version.")] = None,
    parallelism: Annotated[int | None, Parameter(help="How many tasks run at a time.")] = None,
    config: Annotated[
        tuple[str, ...],
        Parameter(
            name=["--config", "--set"], help="An Airflow option, section.option=value; keeps the others.", negative=()
        ),
    ] = (),
    unset_config: Annotated[
        tuple[str, ...],
        Parameter(name=["--unset-config", "--unset"], help="An Airflow option to set back.", negative=()),
    ] = (),
    pool: Annotated[
        tuple[str, ...], Parameter(help="A pool and its slots, NAME=SLOTS; keeps the others.", negative=())
    ] = (),
    drain: Annotated[int | None, Parameter(help="Seconds that running tasks get before it sleeps.")] = None,
    log_retention_days: Annotated[int | None, Parameter(help="Days that task logs are kept; 0: for ever.")] = None,
    clean_days: Annotated[
        int | None, Parameter(help="Clean rows older than so many days every day; 0: never (default).")
    ] = None,
    wait: Wait = False,
    timeout_s: TimeoutS = 900,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Change a deployment; what is not named stays as it is."""
    with common.connect() as client:
        wanted = None
        if config or unset_config:
            wanted = {**client.deployments.get(deployment).config, **pairs(config, option="--config")}
            wanted = {key: value for key, value in wanted.items() if key not in unset_config}
        slots = None
        if pool:
            slots = {**client.deployments.get(deployment).pools, **_slots(pool)}
        item = client.deployments.update(
            deployment,
            name=name,
            description=description,
            airflow_version=airflow_version,
            python_version=python_version,
            parallelism=parallelism,
            config=wanted,
            drain_s=drain,
            log_retention_days=log_retention_days,
            pools=slots,
            clean_days=clean_days,
        )
        _finish(client, item, common, wait=wait, timeout_s=timeout_s)


@app.command
def logs(
    deployment: Ref,
    component: Annotated[str, Parameter(help="scheduler, api-server, webserver, dag-processor or triggerer.")],
    /,
    *,
    tail: Annotated[int, Parameter(help="How many lines, counted from the end.")] = 200,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Show the end of the log of one component."""
    with common.connect() as client:
        lines = client.deployments.logs(deployment, component, tail)
    if common.output == "json":
        write_json({"component": component, "lines": lines})
        return
    for line in lines:
        sys.stdout.write(cell(line) + "\n")


@app.command(name="open")
def open_airflow(
    deployment: Ref,
    /,
    *,
    browser: Annotated[bool, Parameter(help="Also open it in this machine's browser.")] = True,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Show the address of Airflow's own pages, and open it in a browser that is signed in to Aerodrome."""
    with common.connect() as client:
        url = client.deployments.airflow_url(deployment)
    url = url if "://" in url else f"{client.base_url}{url}"
    if common.output == "json":
        write_json({"url": url})
        return
    sys.stdout.write(url + "\n")
    if browser and sys.stdout.isatty():
        webbrowser.open(url)


@app.command
def hibernate(
    deployment: Ref,
    /,
    *,
    until: Until = None,
    for_: For = None,
    drain: Annotated[int | None, Parameter(help="Seconds that running tasks get to finish; kept for later.")] = None,
    wait: Wait = False,
    timeout_s: TimeoutS = 300,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Stop all its processes and keep everything else; running tasks may finish within the drain window."""
    with common.connect() as client:
        item = client.deployments.hibernate(deployment, until=until, for_s=_span(for_), drain_s=drain)
        if wait:
            item = client.deployments.wait_hibernated(item.id, timeout_s, changes(_describe))
    write_fields(common.output, item, FIELDS)


@app.command
def wake(
    deployment: Ref,
    /,
    *,
    until: Until = None,
    for_: For = None,
    wait: Wait = False,
    timeout_s: TimeoutS = 600,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Start a hibernated deployment."""
    with common.connect() as client:
        item = client.deployments.wake(deployment, until=until, for_s=_span(for_))
        _finish(client, item, common, wait=wait, timeout_s=timeout_s)


@app.command
def delete(
    deployment: Ref,
    /,
    *,
    yes: Annotated[bool, Parameter(help="Do not ask.")] = False,
    wait: Wait = False,
    timeout_s: TimeoutS = 120,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Stop a deployment and remove all it holds, its run history included."""
    with common.connect() as client:
        item = client.deployments.get(deployment)
        confirm(f"Delete {item.name} with all its data?", yes=yes)
        gone = client.deployments.delete(item.id)
        if wait:
            client.deployments.wait_deleted(item.id, timeout_s)
    if common.output == "json":
        write_json(gone)
    else:
        say(f"{item.name} {'is deleted' if wait else 'is being deleted'}.")


def _finish(client: Client, item: Deployment, common: Common, *, wait: bool, timeout_s: float) -> None:
    if wait:
        item = client.deployments.wait_healthy(item.id, timeout_s, changes(_describe))
    write_fields(common.output, item, FIELDS)


def _describe(item: Deployment) -> str:
    parts = ", ".join(f"{part.name} {part.state}" for part in item.components)
    return f"{item.status}: {' '.join(item.reasons) or parts}".rstrip(": ")


def _slots(words: tuple[str, ...]) -> dict[str, int]:
    found = pairs(words, option="--pool")
    try:
        return {name: int(value) for name, value in found.items()}
    except ValueError:
        raise Invalid("--pool wants NAME=SLOTS.", code="pair-malformed", hint="For example: --pool dwh=4") from None


def _span(text: str | None) -> int | None:
    """Read 90m, 2h30m, 3d as seconds."""
    if text is None:
        return None
    parts = re.fullmatch(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?", text.strip())
    if parts is None or not any(parts.groups()):
        raise Invalid(f"--for cannot be {text!r}.", code="span-malformed", hint="Write 90m, 2h30m or 3d.")
    days, hours, minutes = (int(part or 0) for part in parts.groups())
    return days * 86_400 + hours * 3600 + minutes * 60


app.command(keeping.database, name="database")
app.command(keeping.acts, name="acts")
app.command(keeping.clean, name="clean")
app.command(keeping.schedule, name="schedule")
