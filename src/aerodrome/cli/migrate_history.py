"""`aerodrome migrate history diff`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from cyclopts import App, Parameter

from aerodrome.cli.options import COMMON_DEFAULTS, Common, say
from aerodrome.cli.output import write_json, write_rows

app = App(name="history", help="Look into the run history of both sides.")
Ref = Annotated[str, Parameter(help="Id or name of the migration.")]
COLUMNS = {
    "DAG": "dag_id", "Table": "table", "Missing": "missing", "Same": "same", "Different": "different",
    "Extra": "extra", "Cannot move": "refused", "For example": "sample",
}  # fmt: skip


@app.command
def diff(
    migration: Ref,
    /,
    *,
    dag: Annotated[list[str] | None, Parameter(help="Only this DAG; may stand several times.")] = None,
    every: Annotated[bool, Parameter(name="--all", help="Show the tables that are equal, too.")] = False,
    last: Annotated[bool, Parameter(help="Show the newest comparison instead of making one.")] = False,
    timeout_s: Annotated[float, Parameter(help="Seconds to wait at most.")] = 7200,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Compare source and target: rows that are missing there, alike, different, or only there. Writes nothing.

    Connections, variables and pools that the plan moves are compared as well, their values by keyed hash.
    """
    with common.connect() as client:
        if last:
            found = client.migrations.difference(migration)
        else:
            client.migrations.ask_difference(migration, dag)
            found = client.migrations.wait_difference(migration, say, timeout_s=timeout_s)
    if common.output == "json":
        write_json(found)
        return
    rows = [row for row in _rows(found) if every or row["missing"] or row["different"] or row["extra"]]
    write_rows(common.output, rows, COLUMNS, nothing="Both sides hold the same.")


def _rows(found: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for kind, item in found.get("objects", {}).items():
        yield _row("", kind, item)
    for dag in found.get("dags", ()):
        for kind, item in dag["tables"].items():
            yield _row(dag["dag_id"], kind, item)


def _row(dag_id: str, table: str, item: Mapping[str, Any]) -> dict[str, Any]:
    samples = [f"{how}: {keys[0]}" for how, keys in item["samples"].items()]
    return {
        **item,
        "dag_id": dag_id,
        "table": table,
        "refused": sum(item["refused"].values()),
        "sample": ", ".join(samples),
    }
