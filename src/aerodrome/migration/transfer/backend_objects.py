"""Moves variables and connections straight into a team's secrets backend, read back and compared by keyed hash.

Called by migration.service instead of objects.py when the plan names a backend. Safe to repeat: what stands there already
is left untouched. Values live in memory only, between the source's decryption and the service.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from aerodrome.environments.backends import OpenBackend, Outcome, write_objects
from aerodrome.environments.backends_airflow import What
from aerodrome.kernel.errors import Invalid
from aerodrome.kernel.secret import Secret
from aerodrome.migration.sources.contract import ConnectionValue, SourceAdapter
from aerodrome.migration.transfer.hashing import add, hash_text, row_number
from aerodrome.migration.transfer.objects import connection_problem
from aerodrome.migration.transfer.outcomes import Moved, Policy, Rejected

CHUNK = 50  # one look at what stands there, and one word of progress


def move(
    source: SourceAdapter,
    backend: OpenBackend,
    what: What,
    keys: Sequence[str],
    policy: Policy,
    hash_key: bytes,
    progress: Callable[[str], None] = lambda _text: None,
) -> Moved:
    """Write the objects under the names that Airflow's own class asks for; the hashes cover all that were not refused.

    Descriptions of variables have no place in a backend and stay behind. Denied and Unavailable of the service are raised:
    the step is repeated and goes on.
    """
    names = tuple(dict.fromkeys(keys))
    moved = same = source_sum = target_sum = 0
    failed: list[Rejected] = []
    for start in range(0, len(names), CHUNK):
        chunk = names[start : start + CHUNK]
        connections: dict[str, dict[str, Any]] = {}
        variables: dict[str, Secret] = {}
        for key, item in read_each(source, what, chunk):
            if isinstance(item, Rejected):
                failed.append(item)
            elif isinstance(item, Secret):
                variables[key] = item
            else:
                connections[key] = item
        for outcome in write_objects(backend, connections, variables, overwrite=policy == "source-wins"):
            if outcome.state in ("kept", "refused"):
                failed.append(Rejected(outcome.name, outcome.code, outcome.message))
                continue
            moved += outcome.state == "written"
            same += outcome.state == "same"
            source_sum = add(source_sum, _number(outcome, outcome.source, hash_key))
            target_sum = add(target_sum, _number(outcome, outcome.target, hash_key))
        progress(f"{what}s: {min(start + CHUNK, len(names)):,} of {len(names):,}")
    return Moved(what, len(names), moved, same, tuple(failed), hash_text(source_sum), hash_text(target_sum))


def standing(backend: OpenBackend, what: What, keys: Sequence[str]) -> frozenset[str]:
    """Give those that the backend gives to whoever asks under these names."""
    found: set[str] = set()
    for start in range(0, len(keys), CHUNK):
        for key in keys[start : start + CHUNK]:
            try:
                found |= set(backend.get_many(what, [key]))
            except Invalid:
                continue
    return frozenset(found)


def read_each(
    source: SourceAdapter, what: What, keys: Sequence[str], *, with_description: bool = False
) -> Iterator[tuple[str, dict[str, Any] | Secret | Rejected]]:
    """Read values as Airflow's dictionaries and texts, all at once; when the source refuses one, one by one, and keep the reasons."""
    try:
        found = dict(_read(source, what, keys, with_description))
    except Invalid as error:
        if len(keys) == 1:
            yield keys[0], Rejected(keys[0], error.code, error.message)
            return
        for key in keys:
            yield from read_each(source, what, (key,), with_description=with_description)
        return
    for key in keys:
        yield key, found.get(key, Rejected(key, f"{what}-gone", f"The source no longer has this {what}."))


def _read(
    source: SourceAdapter, what: What, keys: Sequence[str], with_description: bool
) -> Iterator[tuple[str, dict[str, Any] | Secret | Rejected]]:
    if what == "variable":
        for variable in source.variable_values(keys):
            is_dict = with_description and variable.description
            described = {"value": variable.value.reveal(), "description": variable.description}
            yield variable.name, described if is_dict else variable.value
        return
    for value in source.connection_values(keys):
        problem = connection_problem(value)
        yield value.conn_id, Rejected(value.conn_id, *problem) if problem else _data(value)


def _data(value: ConnectionValue) -> dict[str, Any]:
    return {
        "conn_type": value.conn_type,
        "host": value.host,
        "port": value.port,
        "schema": value.schema,
        "login": value.login,
        "password": value.password.reveal() if value.password else None,
        "extra": value.extra.reveal() if value.extra else None,
        "description": value.description,
    }


def _number(outcome: Outcome, value: Secret | None, hash_key: bytes) -> int:
    return row_number((outcome.name, value.reveal() if value is not None else None), hash_key)
