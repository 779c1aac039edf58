"""`aerodrome deployment incidents`: what is wrong, since when, why, and what to do."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import Parameter

from aerodrome.cli.options import COMMON_DEFAULTS, Common, say
from aerodrome.cli.output import cell, write_json, write_table
from aerodrome.client.incidents import Incident


def incidents(
    deployment: Annotated[str | None, Parameter(help="Id or name; by default all that you may see.")] = None,
    /,
    *,
    history: Annotated[bool, Parameter(help="Also show those that are over.", negative=())] = False,
    limit: Annotated[int, Parameter(help="How many at most, newest first.")] = 50,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Show health incidents: what is wrong, since when, why, and what to do."""
    with common.connect() as client:
        items = client.incidents.list(deployment, state="all" if history else "open", limit=limit)
    if common.output == "json":
        write_json(items)
        return
    if not items:
        say("No incident is open." if not history else "There was no incident.")
        return
    rows = [[_about(item), item.severity, item.code, cell(item.opened_at), _until(item)] for item in items]
    write_table(("About", "Severity", "Code", "Since", "Until"), rows)
    for item in items:
        if item.closed_at is None:
            sys.stdout.write(f"\n{cell(_about(item))}: {cell(item.reason)}\n  {cell(item.hint)}\n")


def _about(item: Incident) -> str:
    name = item.deployment_name or item.deployment_id or "the platform"
    return f"{name}, {item.subject}" if item.subject else name


def _until(item: Incident) -> str:
    return "open" if item.closed_at is None else cell(item.closed_at)
