"""`aerodrome migrate policy`: what becomes of a DAG's runs at its cutover."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from cyclopts import Parameter

from aerodrome.cli.options import COMMON_DEFAULTS, Common, say
from aerodrome.cli.output import write_json, write_rows
from aerodrome.kernel.errors import Invalid

COLUMNS = {
    "DAG": "dag_id", "Wave": "wave", "Drain deadline (s)": "drain_deadline", "On deadline": "on_deadline",
    "Accept": "accept_text", "Its own": "own_text",
}  # fmt: skip
KEYS = ("drain_deadline", "on_deadline", "accept")


def policy(
    migration: Annotated[str, Parameter(help="Id or name.")],
    /,
    *,
    dag: Annotated[tuple[str, ...], Parameter(help="Choose for this DAG; may stand several times.")] = (),
    wave: Annotated[tuple[str, ...], Parameter(help="Choose for the DAGs of this wave; may stand several times.")] = (),
    on_deadline: Annotated[
        Literal["wait", "fail", "rerun"] | None,
        Parameter(help="What becomes of runs that still go on at the deadline."),
    ] = None,
    drain_deadline: Annotated[
        str | None, Parameter(help="How long runs under way may take to end after the pause: 90s, 15m, 2h, 1d.")
    ] = None,
    accept: Annotated[
        tuple[Literal["capacity", "change", "connection", "finding"], ...],
        Parameter(help="What may stand against a DAG, and it moves all the same; may stand several times."),
    ] = (),
    as_all: Annotated[
        bool, Parameter(negative="", help="Take what the named DAGs have of their own away: they go as all others.")
    ] = False,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Show what becomes of each DAG's runs at its cutover, or choose it: for DAGs, for waves, or (without both) for all.

    The plan keeps the choice. It may be changed after apply and between two attempts of a cutover; what was done stays done.
    """
    choices: dict[str, Any] = {}
    if on_deadline is not None:
        choices["on_deadline"] = on_deadline
    if drain_deadline is not None:
        choices["drain_deadline"] = drain_deadline
    if accept:
        choices["accept"] = list(accept)
    if as_all and (choices or not (dag or wave)):
        raise Invalid("--as-all stands with --dag or --wave, and with no choice.", code="usage")
    if as_all:
        choices = dict.fromkeys(KEYS)
    if (dag or wave) and not choices:
        raise Invalid("Nothing is chosen.", code="usage", hint="--on-deadline rerun, --drain-deadline 30m or --as-all")
    with common.connect() as client:
        if choices:
            found = list(client.migrations.choose_policies(migration, choices, dag_ids=dag, waves=wave))
        else:
            found = list(client.migrations.policies(migration))
    if common.output == "json":
        write_json(found)
        return
    rows = [{**row, "accept_text": ", ".join(row["accept"]), "own_text": ", ".join(row["own"])} for row in found]
    write_rows(common.output, rows, COLUMNS, nothing="The plan moves no DAG.")
    if choices:
        say("The plan keeps it.")
