"""`aerodrome migrate holds|hold`: what people say of an estate of Oozie or Control-M definitions."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from aerodrome.cli.options import COMMON_DEFAULTS, Common, say
from aerodrome.cli.output import write_rows
from aerodrome.kernel.errors import Invalid

COLUMNS = {
    "DAG": "dag_id",
    "Held by": "held_by",
    "Last done": "last_done",
    "Next": "next_time",
    "Missing": "missing",
    "To do there": "told",
}
NEVER = "never"


def holds(migration: Annotated[str, Parameter(help="Id or name.")], /, *, common: Common = COMMON_DEFAULTS) -> None:
    """Show where each DAG of an Oozie or Control-M source stands: who holds it, which time ran last, what is missing."""
    with common.connect() as client:
        found = client.migrations.holds(migration)
    write_rows(common.output, found, COLUMNS, nothing="The source has no DAGs.")


def hold(
    migration: Annotated[str, Parameter(help="Id or name.")],
    /,
    *,
    dag: Annotated[
        tuple[str, ...], Parameter(help="A DAG that is held in the source now; may stand several times.")
    ] = (),
    last_done: Annotated[
        str | None,
        Parameter(
            help="The time that was done last there, ISO 8601 with its offset, else UTC: Oozie's nominal time, Control-M's scheduled time."
        ),
    ] = None,
    never_ran: Annotated[
        bool, Parameter(negative="", help="Nothing of it ever ran: the target begins with the first time.")
    ] = False,
    from_file: Annotated[
        Path | None,
        Parameter(
            help="Instead: a CSV file with the columns dag_id and last_done (a time, `never`, or empty: no schedule)."
        ),
    ] = None,
    job: Annotated[str, Parameter(help="Oozie: the id of the coordinator job, where its name does not tell.")] = "",
    withdraw: Annotated[bool, Parameter(negative="", help="Take the confirmation back.")] = False,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Confirm that jobs are held in Oozie or Control-M, with the time that ran there last. Your name and the time are kept.

    Hold them there first: suspend the coordinator, hold the folder. The cutover refuses a DAG that nobody has confirmed, and lets the
    target begin with the very next time after the one given here.
    """
    if bool(dag) == bool(from_file):
        raise Invalid("Give --dag or --from-file.", code="usage", hint="--dag NAME --last-done 2026-03-01T02:00Z")
    if last_done and never_ran:
        raise Invalid("It ran, or it never ran.", code="usage", hint="Give one of --last-done and --never-ran.")
    if from_file is not None:
        wishes = list(_rows(from_file))
    else:
        wishes = [
            {"dag_id": name, "last_done": last_done, "has_never_run": never_ran, "job": job, "is_held": not withdraw}
            for name in dag
        ]
    with common.connect() as client:
        found = client.migrations.hold(migration, wishes)
    write_rows(common.output, found, COLUMNS, nothing="Nothing was said.")
    missing = sum(bool(item["missing"]) for item in found)
    say(f"{len(found)} DAGs, {missing} cannot move yet." if missing else f"{len(found)} DAGs can move.")


def _rows(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Invalid(f"{path} cannot be read: {error}.", code="file-unreadable", hint="Name a CSV file.") from error
    if not rows or "dag_id" not in rows[0]:
        raise Invalid(
            f"{path} has no column dag_id.", code="file-unreadable", hint="Its first line is dag_id,last_done."
        )
    for row in rows:
        said = (row.get("last_done") or "").strip()
        yield {
            "dag_id": row["dag_id"],
            "last_done": None if said in ("", NEVER) else said,
            "has_never_run": said == NEVER,
        }
