"""`aerodrome deployment database|acts|clean` and `aerodrome deployment schedule add|list|remove|enable|disable`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from aerodrome.cli.options import COMMON_DEFAULTS, Common, say
from aerodrome.cli.output import cell, write_fields, write_json, write_rows, write_table
from aerodrome.cli.progress import changes
from aerodrome.cli.words import confirm, secret_from
from aerodrome.client.client import Client
from aerodrome.client.keeping import Act
from aerodrome.kernel.secret import Secret

Ref = Annotated[str, Parameter(help="Id or name.")]
UrlFile = Annotated[
    Path | None,
    Parameter(help="File with the URL of the existing database; else it is asked for, or read from a pipe."),
]
schedule = App(name="schedule", help="When a deployment hibernates and wakes by itself.")
ACT = {"Act": "id", "What": "title", "Status": "status", "Error": "error", "Asked by": "actor", "Begun": "created_at"}
SCHEDULE = {
    "Id": "id",
    "Hibernate": "hibernate",
    "Wake": "wake",
    "Time zone": "timezone",
    "On": "is_enabled",
    "Next hibernate": "next_hibernate_at",
    "Next wake": "next_wake_at",
    "Description": "description",
}


def database_url(kind: str, file: Path | None) -> Secret | None:
    """Ask for the URL of an existing database, never on the command line; None for the other kinds."""
    return secret_from(file=file, prompt="URL of the database") if kind == "existing" else None


def database(
    deployment: Ref,
    /,
    *,
    to: Annotated[Literal["sqlite", "postgresql", "existing"], Parameter(help="Where the metadata are to be.")],
    url_file: UrlFile = None,
    yes: Annotated[bool, Parameter(help="Do not ask.")] = False,
    wait: Annotated[bool, Parameter(help="Wait until it is done, and show how it goes.")] = False,
    timeout_s: Annotated[float, Parameter(help="Seconds to wait at most.")] = 3600,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Move a deployment to another metadata database by a proved copy; Airflow stops meanwhile."""
    url = database_url(to, url_file)
    confirm(f"Move {deployment} to {to}? Airflow stops meanwhile.", yes=yes)
    with common.connect() as client:
        act = client.keeping.move_database(deployment, to, url)
        finish_act(client, act, common, wait=wait, timeout_s=timeout_s)


def acts(deployment: Ref, /, *, common: Common = COMMON_DEFAULTS) -> None:
    """List the moves and restores of a deployment, newest first."""
    with common.connect() as client:
        items = client.keeping.acts(deployment)
    write_rows(common.output, items, ACT, nothing="Nothing was moved or restored yet.")


def clean(
    deployment: Ref,
    /,
    *,
    days: Annotated[int, Parameter(help="Remove rows older than so many days.")],
    dry_run: Annotated[bool, Parameter(help="Only count them; --no-dry-run removes them.")] = True,
    yes: Annotated[bool, Parameter(help="Do not ask.")] = False,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Remove old rows of the metadata database by `airflow db clean`, or count them."""
    if not dry_run:
        confirm(f"Remove rows of {deployment} older than {days} days for good?", yes=yes)
    with common.connect() as client:
        done = client.keeping.clean(deployment, days, is_dry_run=dry_run)
    if common.output == "json":
        write_json(done)
        return
    say(f"{'Would remove' if dry_run else 'Removed'} {sum(done.rows.values()):,} rows older than {cell(done.before)}.")
    if done.held_by:
        say(f"The run {done.held_by} is not finished: what is younger than it stays.")
    if rows := [[name, f"{count:,}"] for name, count in sorted(done.rows.items())]:
        write_table(("Table", "Rows"), rows)


@schedule.command
def add(
    deployment: Ref,
    /,
    *,
    hibernate: Annotated[str | None, Parameter(help='When it goes to sleep, for example "0 19 * * 1-5".')] = None,
    wake: Annotated[str | None, Parameter(help='When it wakes, for example "0 7 * * 1-5".')] = None,
    timezone: Annotated[str, Parameter(help="Time zone of both, for example Europe/Berlin.")] = "UTC",
    description: Annotated[str, Parameter(help="What it is for.")] = "",
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Add a schedule."""
    with common.connect() as client:
        item = client.keeping.add_schedule(
            deployment, hibernate=hibernate, wake=wake, timezone=timezone, description=description
        )
    write_fields(common.output, item, SCHEDULE)


@schedule.command(name="list")
def list_schedules(deployment: Ref, /, *, common: Common = COMMON_DEFAULTS) -> None:
    """List the schedules of a deployment, and what comes next."""
    with common.connect() as client:
        life = client.keeping.life(deployment)
    if common.output == "json":
        write_json(life)
        return
    write_rows(common.output, life.schedules, SCHEDULE, nothing="No schedule yet: `aerodrome deployment schedule add`.")
    if life.override:
        sys.stdout.write(f"{life.override} until {cell(life.override_until)}, whatever the schedules say.\n")
    if life.next_at:
        sys.stdout.write(f"Next: {life.next_action} at {cell(life.next_at)}.\n")


@schedule.command
def remove(
    deployment: Ref,
    schedule_id: Annotated[str, Parameter(help="The schedule's id.")],
    /,
    *,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Remove a schedule."""
    with common.connect() as client:
        client.keeping.remove_schedule(deployment, schedule_id)
    say(f"{schedule_id} is removed.")


@schedule.command
def enable(
    deployment: Ref,
    schedule_id: Annotated[str, Parameter(help="The schedule's id.")],
    /,
    *,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Switch a schedule on."""
    with common.connect() as client:
        write_fields(common.output, client.keeping.enable_schedule(deployment, schedule_id, is_enabled=True), SCHEDULE)


@schedule.command
def disable(
    deployment: Ref,
    schedule_id: Annotated[str, Parameter(help="The schedule's id.")],
    /,
    *,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Switch a schedule off; it stays in the list."""
    with common.connect() as client:
        write_fields(common.output, client.keeping.enable_schedule(deployment, schedule_id, is_enabled=False), SCHEDULE)


def finish_act(client: Client, act: Act, common: Common, *, wait: bool, timeout_s: float) -> None:
    """Show a move or a restore; with `wait` when it has ended."""
    if wait:
        act = client.keeping.wait_act(act.id, timeout_s, changes(describe_act))
    write_fields(common.output, act, ACT)


def describe_act(act: Act) -> str:
    """Say in one line where an act stands."""
    current = next((step for step in act.steps if step["status"] == "running"), None)
    return f"{act.status}: {current['title']}. {current['progress']}".rstrip() if current else act.status
