"""Pause and unpause with our mark, by Starship alone. The mark is an Airflow variable, as over REST."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aerodrome.migration.sources.airflow_rest.states import (
    PREFIX,
    check_ours,
    dag_missing,
    mark_for_pause,
    name_of_mark,
)
from aerodrome.migration.sources.starship.client import StarshipReader


def marks(reader: StarshipReader) -> dict[str, Mapping[str, Any]]:
    """Give our marks by the name of their variable; one that is not ours in form is none."""
    found: dict[str, Mapping[str, Any]] = {}
    for each in reader.starship("variables"):
        if each["key"].startswith(PREFIX):
            try:
                found[each["key"]] = json.loads(each["val"])
            except ValueError:
                continue
    return found


def pause(reader: StarshipReader, dag_id: str, mark: str) -> None:
    """Mark and pause. Conflict when another mark's pause stands; repeating changes nothing."""
    is_paused = _is_paused(reader, dag_id)
    seen = marks(reader).get(name_of_mark(dag_id))
    wanted = mark_for_pause(dag_id, mark, seen, is_paused=is_paused)
    if wanted != seen:
        _leave(reader, dag_id, wanted, is_there=seen is not None)
    reader.write("PATCH", "dags", {"dag_id": dag_id, "is_paused": True})


def unpause(reader: StarshipReader, dag_id: str, mark: str) -> None:
    """Undo our pause: back to what it was before. Conflict when it was not paused by this mark."""
    _is_paused(reader, dag_id)
    seen = check_ours(dag_id, mark, marks(reader).get(name_of_mark(dag_id)))
    if seen["is_undone"]:
        return
    if not seen["was_paused"]:
        reader.write("PATCH", "dags", {"dag_id": dag_id, "is_paused": False})
    _leave(reader, dag_id, {**seen, "is_undone": True}, is_there=True)


def _is_paused(reader: StarshipReader, dag_id: str) -> bool:
    """Look first: the plugin answers a change of a DAG that does not exist with 200."""
    for entry in reader.starship("dags"):
        if entry["dag_id"] == dag_id:
            return bool(entry["is_paused"])
    raise dag_missing(dag_id)


def _leave(reader: StarshipReader, dag_id: str, content: Mapping[str, Any], *, is_there: bool) -> None:
    """Write the mark; Starship cannot change a variable, so an earlier one is taken away first.

    A kill between the two loses the mark of a pause that is undone, or is done again with the same mark: nothing else.
    """
    key = name_of_mark(dag_id)
    if is_there:
        reader.write("DELETE", "variables", {"key": key})
    description = f"Aerodrome's mark on the DAG {dag_id}"
    reader.write("POST", "variables", {"key": key, "val": json.dumps(content), "description": description})
