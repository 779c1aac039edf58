"""`aerodrome migrate wave list|show|run|pause`."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from aerodrome.cli.options import COMMON_DEFAULTS, Common, say
from aerodrome.cli.output import write_json, write_rows

app = App(name="wave", help="See how far the waves are; run one, or let no more DAGs in.")
Ref = Annotated[str, Parameter(help="Id or name of the migration.")]
Wave = Annotated[str, Parameter(help="The wave, as named in the plan.")]
COLUMNS = {
    "Wave": "name", "Criticality": "criticality", "Status": "status", "DAGs": "dags", "Live": "live",
    "Watched": "watched", "Held": "held", "Failed": "failed", "Canary": "canary", "Error budget": "error_budget",
}  # fmt: skip
DAG_COLUMNS = {
    "DAG": "dag_id", "State": "state", "Act": "act", "Paused": "paused_at", "Live": "live_at", "Gap (s)": "gap_s",
    "Remark": "remark",
}  # fmt: skip


@app.command(name="list")
def list_all(migration: Ref, /, *, common: Common = COMMON_DEFAULTS) -> None:
    """List the waves in the order of the plan."""
    with common.connect() as client:
        found = list(client.migrations.waves(migration))
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
        found = [one for one in client.migrations.waves(migration) if one["name"] == wave]
    write_rows(common.output, found, COLUMNS)


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
        found = [one for one in client.migrations.waves(migration) if one["name"] == wave]
    say(f"Go on with: aerodrome migrate wave run {migration} {wave}")
    write_rows(common.output, found, COLUMNS)
