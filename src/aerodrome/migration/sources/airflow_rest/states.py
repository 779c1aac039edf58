"""What the source's scheduler knows about DAGs, and pause and unpause with our mark, over REST.

The mark is an Airflow variable of ours (`aerodrome.pause.…`): written before the pause, so that a retry finds its own.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from typing import Any

from aerodrome.kernel.clock import from_text
from aerodrome.kernel.errors import Conflict, NotFound
from aerodrome.migration.sources.airflow_db.states import IN_FLIGHT_RUNS
from aerodrome.migration.sources.airflow_rest.client import RestReader, quoted
from aerodrome.migration.sources.airflow_rest.history import RestHistory
from aerodrome.migration.sources.contract import DagState

PREFIX = "aerodrome.pause."
NEWEST = 25


def dag_states(reader: RestReader, history: RestHistory, dag_ids: Sequence[str]) -> dict[str, DagState]:
    """Read the states of the DAGs that exist, a few calls for each."""
    found: dict[str, DagState] = {}
    for dag_id in sorted(set(dag_ids)):
        with suppress(NotFound):
            found[dag_id] = _state(reader, history, dag_id)
    return found


def _state(reader: RestReader, history: RestHistory, dag_id: str) -> DagState:
    dag = reader.get(f"/dags/{quoted(dag_id)}")
    is_v2, is_paused = reader.is_v2, bool(dag["is_paused"])
    last = _newest_scheduled(reader, dag_id)
    runs = reader.batch("/dags/~/dagRuns/list", "dag_runs", dag_ids=[dag_id], states=list(IN_FLIGHT_RUNS))
    in_flight = Counter(f"run:{run['state']}" for run in runs)
    in_flight.update(str(task["state"]) for task in history.unfinished([dag_id]))
    mark = _mark(reader, dag_id)
    is_standing = mark is not None and not mark["is_undone"]
    return DagState(
        dag_id=dag_id,
        is_paused=is_paused,
        mark=mark["mark"] if mark and is_standing and is_paused else None,
        next_logical_date=from_text(dag.get("next_dagrun_logical_date" if is_v2 else "next_dagrun")),
        next_interval=_interval(dag, "next_dagrun_data_interval_start", "next_dagrun_data_interval_end"),
        next_run_after=from_text(dag.get("next_dagrun_run_after" if is_v2 else "next_dagrun_create_after")),
        last_interval=_interval(last, "data_interval_start", "data_interval_end") if last else None,
        last_run_state=last["state"] if last else None,
        let_go=mark["mark"] if mark and not is_standing and not is_paused else None,
        in_flight=dict(sorted(in_flight.items())),
    )


def _newest_scheduled(reader: RestReader, dag_id: str) -> Mapping[str, Any] | None:
    order = "-logical_date" if reader.is_v2 else "-execution_date"
    path = f"/dags/{quoted(dag_id)}/dagRuns"
    return next((run for run in _all(reader, path, order) if run["run_type"] == "scheduled"), None)


def _all(reader: RestReader, path: str, order: str) -> Iterator[dict[str, Any]]:
    yield from reader.pages(path, "dag_runs", order_by=order)


def _interval(data: Mapping[str, Any], start: str, end: str) -> Any:
    first, last = from_text(data.get(start)), from_text(data.get(end))
    return None if first is None or last is None else (first, last)


def pause(reader: RestReader, dag_id: str, mark: str) -> None:
    """Mark and pause. Conflict when another mark's pause stands; repeating changes nothing."""
    dag = _dag(reader, dag_id)
    seen = _mark(reader, dag_id)
    wanted = mark_for_pause(dag_id, mark, seen, is_paused=bool(dag["is_paused"]))
    if wanted != seen:
        _leave(reader, dag_id, wanted)
    _set(reader, dag_id, is_paused=True)


def mark_for_pause(dag_id: str, mark: str, seen: Mapping[str, Any] | None, *, is_paused: bool) -> Mapping[str, Any]:
    """Give what our mark must say when the DAG is paused now; Conflict when another mark's pause stands."""
    is_standing = seen is not None and not seen["is_undone"]
    if seen and is_standing and seen["mark"] != mark and is_paused:
        raise Conflict(
            f"The DAG {dag_id} was paused in the source by another migration.",
            code="source-dag-marked",
            hint="Finish or roll back the other migration's cutover of this DAG first.",
            details={"dag_id": dag_id, "mark": seen["mark"]},
        )
    if seen and is_standing and seen["mark"] == mark:
        return seen
    return {"mark": mark, "was_paused": is_paused, "is_undone": False}


def check_ours(dag_id: str, mark: str, seen: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Give the mark when it is this cutover's; Conflict otherwise."""
    if seen is None or seen["mark"] != mark:
        raise Conflict(
            f"The DAG {dag_id} was not paused in the source by this cutover.",
            code="source-dag-not-ours",
            hint="Unpause it in the source's Airflow if that is what you want.",
            details={"dag_id": dag_id},
        )
    return seen


def unpause(reader: RestReader, dag_id: str, mark: str) -> None:
    """Undo our pause: back to what it was before. Conflict when it was not paused by this mark."""
    _dag(reader, dag_id)
    seen = check_ours(dag_id, mark, _mark(reader, dag_id))
    if seen["is_undone"]:
        return
    if not seen["was_paused"]:
        _set(reader, dag_id, is_paused=False)
    _leave(reader, dag_id, {**seen, "is_undone": True})


def _dag(reader: RestReader, dag_id: str) -> dict[str, Any]:
    try:
        return reader.get(f"/dags/{quoted(dag_id)}")
    except NotFound:
        raise dag_missing(dag_id) from None


def dag_missing(dag_id: str) -> NotFound:
    return NotFound(f"The source has no DAG {dag_id}.", code="source-dag-missing", hint="Assess the source again.")


def _set(reader: RestReader, dag_id: str, *, is_paused: bool) -> None:
    reader.patch(f"/dags/{quoted(dag_id)}", {"is_paused": is_paused}, update_mask=["is_paused"])


def name_of_mark(dag_id: str) -> str:
    """Name the variable: by a digest, because Airflow masks values whose name looks secret, and forbids some names."""
    return PREFIX + sha256(dag_id.encode()).hexdigest()[:24]


def _mark(reader: RestReader, dag_id: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(reader.get(f"/variables/{name_of_mark(dag_id)}")["value"])
    except (NotFound, ValueError):
        return None
    return found


def _leave(reader: RestReader, dag_id: str, content: Mapping[str, Any]) -> None:
    name = name_of_mark(dag_id)
    body = {"key": name, "value": json.dumps(content), "description": f"Aerodrome's mark on the DAG {dag_id}"}
    try:
        reader.patch(f"/variables/{name}", body)
    except NotFound:
        reader.post("/variables", body)
