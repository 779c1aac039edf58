"""`aerodrome deployment upgrade | versions | rehearsals`: another Airflow version, tried on a copy first."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from aerodrome.cli.options import COMMON_DEFAULTS, Common, say
from aerodrome.cli.output import write_fields, write_json, write_rows
from aerodrome.cli.progress import changes
from aerodrome.cli.rehearsal_report import write_report
from aerodrome.cli.words import confirm
from aerodrome.client.client import Client
from aerodrome.client.models import Deploy, Rehearsal
from aerodrome.kernel.errors import Conflict

Ref = Annotated[str, Parameter(help="The deployment, id or name.")]
DEPLOY_FIELDS = {
    "Number": "number",
    "Id": "id",
    "Status": "status",
    "Cause": "cause",
    "Airflow": "airflow_version",
    "Python": "python_version",
    "Snapshot": "snapshot_id",
    "Error": "error",
    "Live": "live_at",
}


def upgrade(
    deployment: Ref,
    /,
    *,
    to: Annotated[str | None, Parameter(help="The Airflow version, for example 3.3.2.")] = None,
    python: Annotated[str | None, Parameter(help="Another Python version, for example 3.12.")] = None,
    rehearse_only: Annotated[
        bool, Parameter(help="Try it on a copy, show the report, change nothing.", negative=())
    ] = False,
    yes: Annotated[bool, Parameter(help="Do not ask.", negative=())] = False,
    force: Annotated[
        bool, Parameter(help="Go on although checks or the rehearsal find problems.", negative=())
    ] = False,
    timeout_s: Annotated[float, Parameter(help="Seconds to wait for each of the two at most.")] = 1800,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Take another Airflow version: rehearsed on a copy, then done, with the way back when it fails."""
    with common.connect() as client:
        asked = client.versions.rehearse(deployment, to=to, python=python)
        tried = client.versions.wait_rehearsed(asked.deployment_id, asked.id, timeout_s, changes(describe))
        show(tried, common, is_last=rehearse_only)
        if rehearse_only:
            return
        require_passed(tried, force=force)
        current = client.deployments.get(deployment)
        confirm(
            f"Upgrade {current.name} from Airflow {current.airflow_version} to {to or current.airflow_version}?",
            yes=yes,
        )
        rehearsal_id = tried.id if tried.status == "passed" else None
        item = client.versions.upgrade(
            current.id, to=to, python=python, rehearsal_id=rehearsal_id, origin="cli", force=force
        )
        finish(client, item, common, timeout_s)


def versions(deployment: Ref, /, *, common: Common = COMMON_DEFAULTS) -> None:
    """List the Airflow versions, and whether the deployment can get there."""
    with common.connect() as client:
        items = client.versions.list(deployment)
    if common.output != "json":
        closed = sum(not item.is_possible for item in items)
        items = [item for item in items if item.is_possible]
        if closed:
            say(f"Not shown: {closed} versions, to which no kept snapshot leads back.")
    columns = {"Airflow": "airflow_version", "Way": "way", "Possible": "is_possible", "Pythons": "pythons"}
    write_rows(common.output, items, columns)


def rehearsals(
    deployment: Ref,
    rehearsal: Annotated[str | None, Parameter(help="The id of one, to see its report.")] = None,
    /,
    *,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """List the rehearsals of a deployment, or show the report of one."""
    with common.connect() as client:
        if rehearsal is not None:
            show(client.versions.rehearsal(deployment, rehearsal), common, is_last=True)
            return
        items = client.versions.rehearsals(deployment)
    columns = {
        "Id": "id",
        "Kind": "kind",
        "From": "from_version",
        "To": "to_version",
        "Status": "status",
        "By": "actor",
        "Created": "created_at",
    }
    write_rows(
        common.output, items, columns, nothing="No rehearsal yet: `aerodrome deployment upgrade NAME --to VERSION`."
    )


def show(item: Rehearsal, common: Common, *, is_last: bool) -> None:
    """Show a report; as JSON only when nothing else is to follow on standard output."""
    if common.output == "table":
        write_report(item)
    elif is_last:
        write_json(item)


def require_passed(item: Rehearsal, *, force: bool) -> None:
    """Raise Conflict when a rehearsal found problems, unless they are to be ignored."""
    if item.status == "passed" or force:
        return
    problems = (item.report or {}).get("problems", ())
    raise Conflict(
        f"The rehearsal found problems. {' '.join(problems)}",
        code="rehearsal-not-passed",
        hint="Mend what the report names and try again; --force goes on anyway.",
    )


def finish(client: Client, item: Deploy, common: Common, timeout_s: float) -> None:
    """Wait until the deploy is live, showing its steps."""
    say(f"Deploy {item.number} is queued.")
    item = client.deploys.wait_live(item.deployment_id, item.id, timeout_s, changes(describe_deploy))
    write_fields(common.output, item, DEPLOY_FIELDS)


def describe(item: Rehearsal) -> str:
    """Give the last line of a rehearsal's log."""
    last = item.log.rstrip("\n").rpartition("\n")[2].partition(" ")[2]
    return f"{item.status}: {last}" if last else item.status


def describe_deploy(item: Deploy) -> str:
    running = [str(step.get("name")) for step in item.steps if step.get("status") == "running"]
    return f"{item.status}: {', '.join(running)}" if running else item.status
