"""`aerodrome audit list`."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from aerodrome.cli.options import COMMON_DEFAULTS, Common
from aerodrome.cli.output import write_rows

app = App(name="audit", help="Who did what.")


@app.command(name="list")
def list_all(
    *,
    limit: Annotated[int, Parameter(help="How many entries at most.")] = 50,
    target: Annotated[str | None, Parameter(help="Only acts on this scope or id, or below it.")] = None,
    action: Annotated[str | None, Parameter(help="Only this act, for example deployment.create.")] = None,
    actor_id: Annotated[str | None, Parameter(help="Only acts of this person.")] = None,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """List acts, newest first."""
    with common.connect() as client:
        items = client.records.audit(limit, target=target, action=action, actor_id=actor_id)
    columns = {
        "At": "at",
        "Who": "actor_name",
        "With": "actor_kind",
        "Act": "action",
        "On": "target",
        "What": "details",
    }
    write_rows(common.output, items, columns)
