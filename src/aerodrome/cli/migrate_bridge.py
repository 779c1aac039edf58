"""`aerodrome migrate bridge`."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from aerodrome.cli.options import COMMON_DEFAULTS, Common, say
from aerodrome.cli.output import write_json, write_table

DIRECTIONS = {"to-target": "source to target", "to-source": "target to source"}


def bridge(migration: Annotated[str, Parameter(help="Id or name.")], /, *, common: Common = COMMON_DEFAULTS) -> None:
    """Show which DAGs wait across the two sides for assets or runs of each other, and what was carried between them."""
    with common.connect() as client:
        found = client.migrations.bridge(migration)
    if common.output == "json":
        write_json(found)
        return
    if found["problem"]:
        say(f"The last look failed: {found['problem']}")
    if not found["is_possible"]:
        say(
            "Nothing is carried: it takes the source's metadata database. Move DAGs that depend on each other in one wave."
        )
    if not found["crossings"]:
        say("No DAG waits for one on the other side.")
    else:
        rows = [
            [pair["kind"], pair["what"], pair["from"], pair["to"], DIRECTIONS[pair["direction"]]]
            for pair in found["crossings"]
        ]
        write_table(["Kind", "What", "From", "To", "Way"], rows)
    for item in found["carried"]:
        count, way = f"{item['events']:,} event{'' if item['events'] == 1 else 's'}", DIRECTIONS[item["direction"]]
        say(f"{count} of {item['what']} {'carried' if item['is_known'] else 'left behind: unknown there'}, {way}.")
    for dag_id, uris in found["owed"].items():
        say(f"{dag_id} is on its way; {', '.join(uris)} waits for it.")
