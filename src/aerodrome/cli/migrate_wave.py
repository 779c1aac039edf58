"""`aerodrome migrate wave list|show|run|promote|pause`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from aerodrome.cli import migrate_proofs
from aerodrome.cli.options import COMMON_DEFAULTS, Common, say
from aerodrome.cli.output import write_json, write_rows
from aerodrome.client.client import Client

app = App(name="wave", help="See how far the waves are; run one, or let no more DAGs in.")
Ref = Annotated[str, Parameter(help="Id or name of the migration.")]
Wave = Annotated[str, Parameter(help="The wave, as named in the plan.")]
COLUMNS = {
    "Wave": "name", "Criticality": "criticality", "Status": "status", "DAGs": "dags", "Live": "live",
    "Watched": "watched", "Held": "held", "Failed": "failed", "Canary": "canary", "Error budget": "error_budget",
    "Owners": "owners_text", "Window (UTC)": "window", "Quiet": "quiet",
}  # fmt: skip
DAG_COLUMNS = {
    "DAG": "dag_id", "State": "state", "Act": "act", "Paused": "paused_at", "Live": "live_at", "Gap (s)": "gap_s",
    "Remark": "remark",
}  # fmt: skip


@app.command(name="list")
def list_all(migration: Ref, /, *, common: Common = COMMON_DEFAULTS) -> None:
    """List the waves in the order of the plan."""
    with common.connect() as client:
        found = _waves(client, migration)
    write_rows(common.output, found, COLUMNS, nothing="The plan has no wave.")


@app.command
def show(migration: Ref, wave: Wave, /, *, common: Common = COMMON_DEFAULTS) -> None:
    """Show each DAG of a wave: when it was paused, when it was live, how long it stood between the sides."""
    with common.connect() as client:
        found = list(client.migrations.timeline(migration, wave))
    if common.output == "json":
        write_json(found)
        return
    rows = [
        {**dag, "remark": (dag["error"] or {}).get("message") or dag["progress"] or dag["first_run"]} for dag in found
    ]
    write_rows(common.output, rows, DAG_COLUMNS, nothing=f"The cutover of {wave} has not begun.")


@app.command
def run(
    migration: Ref,
    wave: Wave,
    /,
    *,
    wait: Annotated[bool, Parameter(help="Wait until it is done, and say how far it is.")] = True,
    timeout_s: Annotated[float, Parameter(help="Seconds to wait at most.")] = 7200,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Hand a wave over, or go on after it was paused or a DAG failed; the same as `aerodrome migrate cutover`."""
    with common.connect() as client:
        item = client.migrations.cutover(migration, wave)
        if wait:
            client.migrations.watch(item.id, lambda _seen: None, timeout_s=timeout_s)
        found = [one for one in _waves(client, migration) if one["name"] == wave]
    write_rows(common.output, found, COLUMNS)


@app.command
def promote(
    migration: Ref,
    wave: Wave,
    /,
    *,
    in_: Annotated[
        str, Parameter(name="--in", help="The development deployment; made when there is none of this name.")
    ],
    file: Annotated[
        Path | None, Parameter(help="A comparison file: end-to-end tests, tolerance, known differences, data checks.")
    ] = None,
    compare: Annotated[bool, Parameter(help="Compare the wave's DAGs there before it goes on.")] = True,
    shadow: Annotated[bool, Parameter(help="Run each DAG there; without it structure and data checks only.")] = True,
    allow_connection: Annotated[
        list[str] | None, Parameter(help="A connection that a shadow run may use as it is in production.")
    ] = None,
    allow_host: Annotated[list[str] | None, Parameter(help="A host named in the code that it may reach.")] = None,
    error_budget: Annotated[
        int | None, Parameter(help="So many may go wrong at each gate; without it as the plan says.")
    ] = None,
    watch_s: Annotated[float, Parameter(help="Seconds to watch the target's runs after the first cycles.")] = 0,
    at_once: Annotated[bool, Parameter(help="Do not wait for the wave's window.")] = False,
    run_timeout_s: Annotated[float, Parameter(help="Seconds that the shadow runs of one step may take.")] = 900,
    dry_run: Annotated[bool, Parameter(help="Only show the very steps that would run.")] = False,
    wait: Annotated[bool, Parameter(help="Wait until it is done, and show each step.")] = True,
    timeout_s: Annotated[float, Parameter(help="Seconds to wait at most.")] = 86_400,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Take a wave through a development deployment to production: deploy, test, compare, cut over, watch, gate by gate.

    At a gate with more failures than the error budget it ends, and says how to go on or back. Run it again to go on.
    """
    wish = {
        "deployment": in_,
        "file": migrate_proofs.read_text(file) if file else None,
        "with_compare": compare,
        "with_shadow": shadow,
        "allow_connections": list(allow_connection or ()),
        "allow_hosts": list(allow_host or ()),
        "error_budget": error_budget,
        "watch_s": watch_s,
        "at_once": at_once,
        "timeout_s": run_timeout_s,
    }
    with common.connect() as client:
        if dry_run:
            steps = client.proofs.promote_steps(migration, wave, wish)
            write_rows(common.output, steps, {"Key": "key", "Step": "title"})
            return
        asked = client.proofs.promote(migration, wave, wish)
        found = migrate_proofs.follow(client, migration, asked, wait=wait, timeout_s=timeout_s)
    migrate_proofs.show_proof(found, common)


def _waves(client: Client, migration: str) -> list[dict[str, Any]]:
    return [{**one, "owners_text": ", ".join(one["owners"][:3])} for one in client.migrations.waves(migration)]


@app.command
def pause(
    migration: Ref,
    wave: Wave,
    /,
    *,
    reason: Annotated[str, Parameter(help="Shown on the board.")] = "",
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Let no more DAGs of a wave in. DAGs that are held are still started, so that none stands between the sides."""
    with common.connect() as client:
        client.migrations.halt_wave(migration, wave, reason)
        found = [one for one in _waves(client, migration) if one["name"] == wave]
    say(f"Go on with: aerodrome migrate wave run {migration} {wave}")
    write_rows(common.output, found, COLUMNS)
