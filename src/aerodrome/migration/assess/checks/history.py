"""The history as a whole: its size, what of it cannot move as it is, and what is in flight."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from aerodrome.migration.assess.contract import Check, Place
from aerodrome.migration.assess.estimate import (
    CALLED,
    CALLS_PER_S,
    STAYS,
    duration_text,
    estimate,
    seconds_of,
    size_text,
)
from aerodrome.migration.assess.inventory import Inventory

LONG_S = 3600
MANY_ROWS = 10_000_000
MOST_NAMED = 10


def _size(inventory: Inventory) -> Iterator[Place]:
    runs = sum(sum(dag.run_states.values()) for dag in inventory.dags)
    tasks = sum(sum(dag.task_states.values()) for dag in inventory.dags)
    if runs or tasks:
        size = inventory.measure("bytes:database")
        yield Place(
            "source",
            f"{runs:,} runs, {tasks:,} task instances, {inventory.measure('rows:xcom') or 0:,} XComs"
            + (f"; the database takes {size_text(size)}." if size else "."),
        )


def _time(inventory: Inventory) -> Iterator[Place]:
    found = estimate(inventory)
    if found.rows:
        yield Place(
            "source",
            f"About {found.rows:,} rows of history{f' ({size_text(found.bytes)})' if found.bytes else ''} move in "
            f"{duration_text(found.rows_seconds)} at {found.rows_per_s:,} rows a second.",
        )


def _calls(inventory: Inventory) -> Iterator[Place]:
    for kind, count in estimate(inventory).calls.items():
        what, each = CALLED[kind]
        yield Place(
            "source",
            f"{what} come with {each}: about {count:,} calls, "
            f"about {duration_text(seconds_of(count))} at {CALLS_PER_S} a second.",
        )


def _long(inventory: Inventory) -> Iterator[Place]:
    found = estimate(inventory)
    if found.seconds > LONG_S:
        calls = sum(found.calls.values())
        beside = f", with {calls:,} calls for single XComs and logs," if calls else ""
        yield Place(
            "source", f"Moving all {found.rows:,} rows of history{beside} takes about {duration_text(found.seconds)}."
        )


def _stays(inventory: Inventory) -> Iterator[Place]:
    for name in STAYS:
        rows = inventory.measure(f"rows:{name}") or 0
        if rows > MANY_ROWS:
            size = inventory.measure(f"bytes:{name}")
            yield Place(
                f"table:{name}",
                f"{name} holds {rows:,} rows{f' ({size_text(size)})' if size else ''} that do not move.",
            )


def _pickles(inventory: Inventory) -> Iterator[Place]:
    pickled, sampled = inventory.measure("xcom:pickled") or 0, inventory.measure("xcom:sampled") or 0
    if pickled:
        yield Place("source", f"{pickled:,} of the newest {sampled:,} XComs are pickles.")


def _in_flight(inventory: Inventory) -> Iterator[Place]:
    states = {
        measure.name.removeprefix("state:"): measure.amount
        for measure in inventory.measures
        if measure.name.startswith("state:") and measure.amount
    }
    if states:
        shown = ", ".join(f"{amount:,} {state}" for state, amount in sorted(states.items()))
        yield Place("source", f"Task instances in flight when this was read: {shown}.")


def _pending(inventory: Inventory) -> Iterator[Place]:
    amount = inventory.measure("pending:dataset-events") or 0
    if amount:
        dags = sorted({dag_id for asset in inventory.assets for dag_id in asset.waiting})
        named = f": {', '.join(dags[:MOST_NAMED])}{' and others' if len(dags) > MOST_NAMED else ''}" if dags else ""
        yield Place("source", f"{amount:,} dataset events wait for the DAGs that they start{named}.")


def _backfill(inventory: Inventory) -> Iterator[Place]:
    amount = inventory.measure("running:backfill") or 0
    if amount:
        yield Place("source", f"{amount:,} runs of backfills are not finished.")


def _unread(inventory: Inventory) -> Iterator[Place]:
    """Name what the kind of source does not tell, so that an empty field is not taken for nothing."""
    dags: dict[str, list[str]] = defaultdict(list)
    for dag in inventory.dags:
        for name in dag.unread:
            dags[name].append(dag.dag_id)
    for name, found in sorted(dags.items()):
        which = "every DAG" if len(found) == len(inventory.dags) else f"{len(found):,} DAGs, such as {found[0]}"
        yield Place("source", f"{name.replace('_', ' ')}: not told of {which}.")
    for name in sorted({name for asset in inventory.assets for name in asset.unread}):
        yield Place("source", f"{name.replace('_', ' ')}: not told of datasets and assets.")


CHECKS = (
    Check(
        "source-unread", "info", "What this kind of source does not tell",
        "Connect its metadata database or an archive where a decision rests on it.", _unread,
    ),
    Check("history-size", "info", "The size of the history", "Decide in the plan how much of it must move.", _size),
    Check("transfer-time", "info", "How long the history takes to move", "Plan it before the cutover; only the rest moves then.", _time),
    Check(
        "transfer-long", "warning", "A history that takes hours to move",
        "Prune it first (`airflow db clean`), or move it days ahead and top it up.", _long, 2,
    ),
    Check(
        "history-calls", "info", "History that comes one item a call",
        "`history.leave_out` in the plan says what stays behind: XComs, unless you take them out of it. Or connect the database or an archive.", _calls,
    ),
    Check(
        "history-stays", "info", "Large tables that do not move",
        "Keep a backup of the source's database where an audit asks for them.", _stays,
    ),
    Check(
        "xcom-pickled", "warning", "XComs that are pickles",
        "They stay behind with a reason each; make the tasks return JSON.", _pickles, 2,
    ),
    Check("in-flight-total", "info", "Task instances in flight", "Cutover drains DAG by DAG; choose a quiet hour.", _in_flight),
    Check(
        "dataset-events-pending", "info", "Dataset events that wait",
        "They move with the cutover of their DAG; over REST, from Airflow 2.9 on.", _pending, 0.1,
    ),
    Check(
        "backfill-running", "warning", "Backfills under way", "Let them end in the source: a backfill does not move half done.", _backfill, 0.5,
    ),
)  # fmt: skip
