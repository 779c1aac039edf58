"""Moves pools, variables and connections: re-read from the source now, compared by keyed hash, written in bulk.

Called by migration.service. Safe to repeat: an item whose value already stands in the target is left untouched. Secret
values live in memory only, between the source's decryption and the target's encryption.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from aerodrome.kernel.errors import Invalid
from aerodrome.kernel.secret import Secret
from aerodrome.migration.estate.records import PoolRecord
from aerodrome.migration.sources.contract import ConnectionValue, SourceAdapter, VariableValue
from aerodrome.migration.transfer.hashing import add, hash_text, row_number
from aerodrome.migration.transfer.outcomes import Moved, Policy, Rejected
from aerodrome.migration.transfer.target import TargetDatabase

CHUNK = 500
ObjectKind = Literal["pools", "variables", "connections"]


@dataclass(frozen=True, repr=False)
class _Item:
    """One object on its way: its canonical form (clear values, never shown) and the row to store."""

    key: str
    number: int
    store: Callable[[], dict[str, Any]]


@dataclass(frozen=True)
class _Kind:
    """How one kind stands in the target: table, natural key, and its canonical form read back from a row."""

    name: str
    table: str
    key_column: str
    columns: tuple[str, ...]
    canonical: Callable[[Mapping[Any, Any], TargetDatabase], tuple[Any, ...]]


def move_pools(
    source: SourceAdapter, target: TargetDatabase, names: Sequence[str], policy: Policy = "source-wins"
) -> Moved:
    """Move pools with slots, description and include_deferred; `default_pool` gets the source's size too."""
    return _move(_POOL, target, names, policy, _pools(source, target))


def move_variables(
    source: SourceAdapter, target: TargetDatabase, names: Sequence[str], policy: Policy = "source-wins"
) -> Moved:
    """Move variables, encrypted under the target's key; a value that cannot be read is refused with its reason."""
    return _move(_VARIABLE, target, names, policy, _variables(source, target))


def move_connections(
    source: SourceAdapter, target: TargetDatabase, conn_ids: Sequence[str], policy: Policy = "source-wins"
) -> Moved:
    """Move connections, password and extra encrypted under the target's key, `extra` byte for byte.

    Airflow 3 requires `extra` to be a JSON object and every connection to have a type: others are refused there.
    """
    return _move(_CONNECTION, target, conn_ids, policy, _connections(source, target))


def _pools(source: SourceAdapter, target: TargetDatabase) -> _Reader:
    return lambda wanted: ((pool.name, _pool(pool, target)) for pool in source.pool_values(wanted))


def _variables(source: SourceAdapter, target: TargetDatabase) -> _Reader:
    return lambda wanted: ((item.name, _variable(item, target)) for item in source.variable_values(wanted))


def _connections(source: SourceAdapter, target: TargetDatabase) -> _Reader:
    return lambda wanted: ((item.conn_id, _connection(item, target)) for item in source.connection_values(wanted))


def compare_objects(
    kind: ObjectKind, source: SourceAdapter, target: TargetDatabase, keys: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Give (key, "missing" | "same" | "different" | "extra" | the code of a refusal); values are compared by keyed hash."""
    what, read = _KINDS[kind], _READERS[kind](source, target)
    for start in range(0, len(keys), CHUNK):
        items: dict[str, _Item] = {}
        for key, item in _read_each(what, keys[start : start + CHUNK], read):
            if isinstance(item, Rejected):
                yield key, item.code
            else:
                items[key] = item
        with target.reading() as connection:
            standing = _standing(what, target, connection, tuple(items))
        for key, item in items.items():
            number = standing.get(key, -1)
            yield key, "missing" if number == -1 else "same" if number == item.number else "different"
    table, wanted = target.table(what.table), set(keys)
    with target.reading() as connection:
        there = list(connection.scalars(select(table.c[what.key_column]).order_by(table.c[what.key_column])))
    yield from ((key, "extra") for key in there if key not in wanted)


_Reader = Callable[[Sequence[str]], Iterator[tuple[str, _Item | Rejected]]]


def _move(kind: _Kind, target: TargetDatabase, keys: Sequence[str], policy: Policy, read: _Reader) -> Moved:
    keys = tuple(dict.fromkeys(keys))
    moved = same = source_sum = target_sum = 0
    failed: list[Rejected] = []
    for start in range(0, len(keys), CHUNK):
        chunk = keys[start : start + CHUNK]
        items: dict[str, _Item] = {}
        for key, item in _read_each(kind, chunk, read):
            if isinstance(item, Rejected):
                failed.append(item)
            else:
                items[key] = item
        with target.writing() as connection:
            standing = _standing(kind, target, connection, tuple(items))
            write: list[_Item] = []
            for key, item in items.items():
                if standing.get(key) == item.number:
                    same += 1
                elif key in standing and policy == "target-wins":
                    failed.append(
                        Rejected(key, "target-wins", f"The target has its own {kind.name} of this name; it was kept.")
                    )
                else:
                    write.append(item)
            _upsert(kind, target, connection, [item.store() for item in write])
        refused = {item.key for item in failed}
        with target.reading() as connection:
            standing = _standing(kind, target, connection, tuple(items))
        for key, item in items.items():
            if key not in refused:
                source_sum = add(source_sum, item.number)
                target_sum = add(target_sum, standing.get(key, 0) or 0)
        moved += len(write)
    return Moved(kind.name, len(keys), moved, same, tuple(failed), hash_text(source_sum), hash_text(target_sum))


def _read_each(kind: _Kind, keys: Sequence[str], read: _Reader) -> Iterator[tuple[str, _Item | Rejected]]:
    """Read all at once; when the source refuses one of them, read one by one and keep the reasons."""
    try:
        found = dict(read(keys))
    except Invalid as error:
        if len(keys) == 1:
            yield keys[0], Rejected(keys[0], error.code, error.message)
            return
        for key in keys:
            yield from _read_each(kind, (key,), read)
        return
    for key in keys:
        missing = Rejected(key, f"{kind.name}-gone", f"The source no longer has this {kind.name}.")
        yield key, found.get(key, missing)


def _standing(
    kind: _Kind, target: TargetDatabase, connection: Connection, keys: Sequence[str]
) -> dict[str, int | None]:
    """Number what stands in the target now; None where it cannot be decrypted."""
    table = target.table(kind.table)
    rows = connection.execute(
        select(*(table.c[name] for name in (kind.key_column, *kind.columns))).where(table.c[kind.key_column].in_(keys))
    )
    standing: dict[str, int | None] = {}
    for row in rows.mappings():
        try:
            standing[row[kind.key_column]] = row_number(kind.canonical(row, target), target.hash_key)
        except Invalid:
            standing[row[kind.key_column]] = None
    return standing


def _upsert(kind: _Kind, target: TargetDatabase, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    if not rows:
        return
    table = target.table(kind.table)
    insert = (postgresql if target.dialect == "postgresql" else sqlite).insert(table)
    statement = insert.on_conflict_do_update(
        index_elements=[kind.key_column],
        set_={name: insert.excluded[name] for name in rows[0] if name != kind.key_column},
    )
    connection.execute(statement, list(rows))


def _pool(pool: PoolRecord, target: TargetDatabase) -> _Item | Rejected:
    canonical = (pool.name, pool.slots, pool.description, pool.include_deferred)
    if len(pool.name) > 256:
        return Rejected(pool.name, "pool-name-too-long", "A pool's name has at most 256 characters in Airflow 3.")
    row = {
        "pool": pool.name,
        "slots": pool.slots,
        "description": pool.description,
        "include_deferred": pool.include_deferred,
    }
    return _Item(pool.name, row_number(canonical, target.hash_key), lambda: row)


def _variable(variable: VariableValue, target: TargetDatabase) -> _Item | Rejected:
    if not variable.name or len(variable.name) > 250:
        return Rejected(variable.name, "variable-name-invalid", "A variable's name has 1 to 250 characters.")
    canonical = (variable.name, variable.value.reveal(), variable.description)

    def store() -> dict[str, Any]:
        text, is_encrypted = target.fernet.encrypt(variable.value)
        return {
            "key": variable.name,
            "val": text,
            "is_encrypted": is_encrypted,
            "description": variable.description,
        }

    return _Item(variable.name, row_number(canonical, target.hash_key), store)


def _connection(value: ConnectionValue, target: TargetDatabase) -> _Item | Rejected:
    problem = connection_problem(value, is_airflow2=target.is_airflow2)
    if problem:
        return Rejected(value.conn_id, *problem)
    password, extra = _clear(value.password), _clear(value.extra)
    canonical = (
        value.conn_id, value.conn_type, value.host, value.port, value.schema, value.login, value.description,
        password, extra,
    )  # fmt: skip

    def store() -> dict[str, Any]:
        stored_password, is_encrypted = _sealed(target, password)
        stored_extra, is_extra_encrypted = _sealed(target, extra)
        return {
            "conn_id": value.conn_id,
            "conn_type": value.conn_type,
            "host": value.host,
            "port": value.port,
            "schema": value.schema,
            "login": value.login,
            "description": value.description,
            "password": stored_password,
            "is_encrypted": is_encrypted,
            "extra": stored_extra,
            "is_extra_encrypted": is_extra_encrypted,
        }

    return _Item(value.conn_id, row_number(canonical, target.hash_key), store)


def connection_problem(value: ConnectionValue, *, is_airflow2: bool = False) -> tuple[str, str] | None:
    """Give the code and the reason why Airflow cannot hold the connection; None when it can. Airflow 2 takes any `extra`."""
    if not value.conn_type and not is_airflow2:
        return "connection-type-missing", "Airflow 3 requires a connection type; set one in the source and run again."
    if value.extra and not is_airflow2:
        try:
            parsed = json.loads(value.extra.reveal())
        except ValueError:
            return "connection-extra-not-json", "Its extra field is not JSON; Airflow 3 requires a JSON object there."
        if not isinstance(parsed, dict):
            return "connection-extra-not-object", "Its extra field is JSON but not an object, as Airflow 3 requires."
    limits = {"conn_id": 250, "conn_type": 500, "host": 500, "schema": 500, "description": 5000}
    for name, limit in limits.items():
        if len(getattr(value, name) or "") > limit:
            return "connection-field-too-long", f"Its {name} is longer than the {limit} characters of Airflow."
    return None


def _clear(secret: Secret | None) -> str | None:
    """Give the clear text; Airflow stores an empty password or extra as NULL, so both mean None."""
    return secret.reveal() or None if secret is not None else None


def _sealed(target: TargetDatabase, clear: str | None) -> tuple[str | None, bool]:
    if clear is None:
        return None, False
    return target.fernet.encrypt(Secret(clear))


def _opened(target: TargetDatabase, stored: str | None, is_encrypted: Any) -> str | None:
    if not stored:
        return None
    return target.fernet.decrypt(stored, is_encrypted=bool(is_encrypted)).reveal() or None


_POOL = _Kind(
    "pool",
    "slot_pool",
    "pool",
    ("slots", "description", "include_deferred"),
    lambda row, _target: (row["pool"], row["slots"], row["description"], bool(row["include_deferred"])),
)
_VARIABLE = _Kind(
    "variable",
    "variable",
    "key",
    ("val", "is_encrypted", "description"),
    lambda row, target: (
        row["key"],
        target.fernet.decrypt(row["val"], is_encrypted=bool(row["is_encrypted"])).reveal(),
        row["description"],
    ),
)
_CONNECTION = _Kind(
    "connection",
    "connection",
    "conn_id",
    (
        "conn_type", "host", "port", "schema", "login", "description",
        "password", "is_encrypted", "extra", "is_extra_encrypted",
    ),
    lambda row, target: (
        row["conn_id"], row["conn_type"], row["host"], row["port"], row["schema"], row["login"], row["description"],
        _opened(target, row["password"], row["is_encrypted"]),
        _opened(target, row["extra"], row["is_extra_encrypted"]),
    ),
)  # fmt: skip
_KINDS: Mapping[ObjectKind, _Kind] = {"pools": _POOL, "variables": _VARIABLE, "connections": _CONNECTION}
_READERS: Mapping[ObjectKind, Callable[[SourceAdapter, TargetDatabase], _Reader]] = {
    "pools": _pools,
    "variables": _variables,
    "connections": _connections,
}
