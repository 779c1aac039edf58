"""`aerodrome cluster list`."""

from __future__ import annotations

from cyclopts import App

from aerodrome.cli.options import COMMON_DEFAULTS, Common
from aerodrome.cli.output import write_rows

app = App(name="cluster", help="Where deployments run.")


@app.command(name="list")
def list_all(*, common: Common = COMMON_DEFAULTS) -> None:
    """List the clusters."""
    with common.connect() as client:
        items = client.clusters.list()
    write_rows(common.output, items, {"Name": "name", "Kind": "kind", "Created": "created_at", "Id": "id"})
