"""`aerodrome backup create|list|show|verify|restore|delete|schedule`."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import App, Parameter

from aerodrome.cli.keeping import finish_act
from aerodrome.cli.options import COMMON_DEFAULTS, Common, say
from aerodrome.cli.output import write_fields, write_json, write_rows
from aerodrome.cli.progress import changes
from aerodrome.cli.words import confirm
from aerodrome.client.keeping import Backup
from aerodrome.kernel.amounts import size

app = App(name="backup", help="Copies of a deployment's metadata database, tried by restoring them.")
Ref = Annotated[str, Parameter(name=["--deployment", "-d"], help="The deployment, id or name.")]
Id = Annotated[str, Parameter(help="The backup's id.")]
Wait = Annotated[bool, Parameter(help="Wait until it is done, and show how it goes.")]
FIELDS = {
    "Id": "id",
    "Kind": "kind",
    "Status": "status",
    "Airflow": "airflow_version",
    "Database": "dialect",
    "Size": "size_bytes",
    "Verified": "verified_at",
    "Created": "created_at",
    "Expires": "expires_at",
    "Description": "description",
    "By": "actor",
    "Error": "error",
}
SCHEDULE = {
    "Cron": "cron",
    "Time zone": "timezone",
    "Keep": "keep",
    "Days": "days",
    "Verify": "verify",
    "Next": "next_at",
}


@app.command
def create(
    *,
    deployment: Ref,
    description: Annotated[str, Parameter(help="What it is for.")] = "",
    wait: Wait = False,
    timeout_s: Annotated[float, Parameter(help="Seconds to wait at most.")] = 1800,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Take a backup while Airflow runs, then try it by restoring it beside the database."""
    with common.connect() as client:
        item = client.keeping.create_backup(deployment, description)
        if wait:
            item = client.keeping.wait_backup(deployment, item.id, timeout_s, changes(_describe))
    write_fields(common.output, item, FIELDS)


@app.command(name="list")
def list_all(*, deployment: Ref, common: Common = COMMON_DEFAULTS) -> None:
    """List the backups of a deployment, and the snapshots that changes took, newest first."""
    with common.connect() as client:
        items = client.keeping.backups(deployment)
    columns = {
        "Id": "id",
        "Kind": "kind",
        "Status": "status",
        "Airflow": "airflow_version",
        "Size": "size_bytes",
        "Verified": "verified_at",
        "Created": "created_at",
        "Description": "description",
    }
    write_rows(common.output, items, columns, nothing="No backup yet: `aerodrome backup create --deployment NAME`.")


@app.command
def show(backup: Id, /, *, deployment: Ref, common: Common = COMMON_DEFAULTS) -> None:
    """Show a backup."""
    with common.connect() as client:
        write_fields(common.output, client.keeping.backup(deployment, backup), FIELDS)


@app.command
def verify(
    backup: Id,
    /,
    *,
    deployment: Ref,
    wait: Wait = False,
    timeout_s: Annotated[float, Parameter(help="Seconds to wait at most.")] = 1800,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Restore a backup into a scratch database and compare every table's rows."""
    with common.connect() as client:
        item = client.keeping.verify_backup(deployment, backup)
        if wait:
            item = client.keeping.wait_backup(deployment, item.id, timeout_s, changes(_describe))
    write_fields(common.output, item, FIELDS)


@app.command
def restore(
    backup: Id,
    /,
    *,
    deployment: Ref,
    into: Annotated[
        str | None, Parameter(help="Make a new deployment of this name out of it; its DAGs are paused.")
    ] = None,
    yes: Annotated[bool, Parameter(help="Do not ask.")] = False,
    wait: Wait = False,
    timeout_s: Annotated[float, Parameter(help="Seconds to wait at most.")] = 1800,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Put a backup in the place of the metadata database, or into a new deployment; the present state is kept first."""
    with common.connect() as client:
        if into is not None:
            act = client.keeping.clone_backup(deployment, backup, into)
            finish_act(client, act, common, wait=wait, timeout_s=timeout_s)
            say(f"All DAGs of {into} are paused, and unfinished runs ended: {deployment} does their work.")
            return
        item = client.keeping.backup(deployment, backup)
        confirm(f"Put {deployment} back to {item.created_at:%Y-%m-%d %H:%M} UTC? Airflow stops meanwhile.", yes=yes)
        act = client.keeping.restore_backup(deployment, backup)
        finish_act(client, act, common, wait=wait, timeout_s=timeout_s)


@app.command
def delete(
    backup: Id,
    /,
    *,
    deployment: Ref,
    yes: Annotated[bool, Parameter(help="Do not ask.")] = False,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Delete a backup with its files."""
    with common.connect() as client:
        item = client.keeping.backup(deployment, backup)
        confirm(f"Delete the backup of {item.created_at:%Y-%m-%d %H:%M} UTC ({size(item.size_bytes)})?", yes=yes)
        client.keeping.delete_backup(deployment, backup)
    if common.output == "json":
        write_json(item)
    else:
        say(f"{backup} is deleted.")


@app.command
def schedule(
    *,
    deployment: Ref,
    cron: Annotated[str | None, Parameter(help='When, for example "30 3 * * *"; nothing: show the schedule.')] = None,
    timezone: Annotated[str, Parameter(help="Time zone of the expression, for example Europe/Berlin.")] = "UTC",
    keep: Annotated[int, Parameter(help="How many of the newest are kept; 0: no limit.")] = 14,
    days: Annotated[int, Parameter(help="Days that they are kept; 0: no limit.")] = 30,
    verify: Annotated[Literal["each", "daily", "never"], Parameter(help="Which ones are tried by a restore.")] = "each",
    off: Annotated[bool, Parameter(help="Take backups only on demand from now on.", negative=())] = False,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Show or set when backups are taken and how long they are kept."""
    with common.connect() as client:
        if off:
            client.keeping.remove_backup_schedule(deployment)
        elif cron is not None:
            client.keeping.set_backup_schedule(deployment, cron, timezone=timezone, keep=keep, days=days, verify=verify)
        found = client.keeping.backup_schedule(deployment)
    if found is None:
        if common.output == "json":
            write_json(None)
        else:
            say("Backups are taken on demand only.")
        return
    write_fields(common.output, found, SCHEDULE)


def _describe(item: Backup) -> str:
    return f"{item.status}{', verified' if item.verified_at else ''}"
