"""Connections, variables, pools and users of a metadata database, with or without their secrets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, select

from aerodrome.airflowkit.fernet import AirflowFernet
from aerodrome.airflowkit.metadata import MetadataDatabase
from aerodrome.kernel.digest import canonical_json
from aerodrome.kernel.errors import Invalid
from aerodrome.kernel.redaction import SENSITIVE_KEY, Redactor
from aerodrome.kernel.secret import Secret
from aerodrome.migration.estate.records import ConnectionRecord, PoolRecord, UserRecord, VariableRecord
from aerodrome.migration.sources.airflow_db.rows import column_or
from aerodrome.migration.sources.contract import ConnectionValue, VariableValue

_MASKED = Redactor()


@dataclass(frozen=True)
class Failure:
    """Why a row's secrets cannot be read; stands in place of the value."""

    key: str
    message: str
    public: ConnectionValue | None = None


def connection_rows(database: MetadataDatabase, fernet: AirflowFernet) -> Iterator[ConnectionValue | Failure]:
    """Read every connection, by conn_id."""
    table = database.table("connection")
    names = ("conn_id", "conn_type", "host", "port", "schema", "login", "password", "extra")
    flags = [
        column_or(database, "connection", name, default=False).label(name)
        for name in ("is_encrypted", "is_extra_encrypted")
    ]
    description = column_or(database, "connection", "description").label("description")
    query = select(*(table.c[name] for name in names), *flags, description).order_by(table.c.conn_id)
    with database.reading() as connection:
        rows = connection.execute(query).all()
    for row in rows:
        yield _connection(row, fernet)


def _connection(row: Any, fernet: AirflowFernet) -> ConnectionValue | Failure:
    public = ConnectionValue(
        row.conn_id, row.conn_type, row.host, row.port, row.schema, row.login, row.description, None, None
    )
    try:
        return replace(
            public,
            password=fernet.decrypt(row.password, is_encrypted=bool(row.is_encrypted)) if row.password else None,
            extra=fernet.decrypt(row.extra, is_encrypted=bool(row.is_extra_encrypted)) if row.extra else None,
        )
    except Invalid as error:
        return Failure(row.conn_id, error.message, public)


def variable_rows(database: MetadataDatabase, fernet: AirflowFernet) -> Iterator[VariableValue | Failure]:
    """Read every variable, by name."""
    table = database.table("variable")
    query = select(
        table.c.key.label("name"),
        table.c.val,
        column_or(database, "variable", "is_encrypted", default=False).label("is_encrypted"),
        column_or(database, "variable", "description").label("description"),
    ).order_by(table.c.key)
    with database.reading() as connection:
        rows = connection.execute(query).all()
    for row in rows:
        try:
            value = fernet.decrypt(row.val, is_encrypted=bool(row.is_encrypted)) if row.val else Secret("")
            yield VariableValue(row.name, value, row.description)
        except Invalid as error:
            yield Failure(row.name, error.message)


def connection_record(value: ConnectionValue | Failure, origin: str, fingerprint_key: bytes) -> ConnectionRecord:
    """Give the neutral record: no secret, a fingerprint instead."""
    public = value.public if isinstance(value, Failure) else value
    if public is None:
        raise AssertionError("a connection's failure carries its public part")
    extra = None if isinstance(value, Failure) or value.extra is None else value.extra
    return ConnectionRecord(
        conn_id=public.conn_id,
        conn_type=public.conn_type,
        host=_MASKED.text(public.host) if public.host else public.host,
        port=public.port,
        schema=_MASKED.text(public.schema) if public.schema else public.schema,
        login=public.login,
        description=public.description,
        extra_keys=_extra_keys(extra),
        has_password=isinstance(value, Failure) or bool(value.password),
        has_extra=extra is not None,
        fingerprint=None if isinstance(value, Failure) else connection_fingerprint(value, fingerprint_key),
        origin=origin,
        error=value.message if isinstance(value, Failure) else None,
        has_odd_extra=extra is not None and not _is_object(extra),
    )


def connection_fingerprint(value: ConnectionValue, key: bytes) -> str:
    """Give the keyed hash over everything that decides what a connection reaches; equal JSON extras are equal."""
    extra = value.extra.reveal() if value.extra else ""
    with suppress(ValueError):
        extra = canonical_json(json.loads(extra)) if extra else ""
    password = value.password.reveal() if value.password else ""
    parts = [value.conn_type, value.host, value.port, value.schema, value.login, password, extra]
    return Secret(canonical_json([part or None for part in parts])).fingerprint(key)


def variable_record(value: VariableValue | Failure, origin: str, fingerprint_key: bytes) -> VariableRecord:
    """Give the neutral record of a variable."""
    if isinstance(value, Failure):
        return VariableRecord(value.key, None, 0, False, is_sensitive(value.key), None, origin, value.message)
    text = value.value.reveal()
    return VariableRecord(
        name=value.name,
        description=value.description,
        size_bytes=len(text.encode(errors="surrogatepass")),
        is_json=_is_json(text),
        is_sensitive=is_sensitive(value.name),
        fingerprint=value.value.fingerprint(fingerprint_key),
        origin=origin,
    )


def is_sensitive(name: str) -> bool:
    """Tell by its name whether a value is secret; wider than Airflow's list (secrets_masker.py, 2.11.2)."""
    return bool(SENSITIVE_KEY.search(name)) or any(
        part in name.lower() for part in ("access_key", "keyfile_dict", "service_account", "auth")
    )


def pools(database: MetadataDatabase) -> Iterator[PoolRecord]:
    """Read the pools, by name."""
    table = database.table("slot_pool")
    query = select(
        table.c.pool,
        table.c.slots,
        table.c.description,
        column_or(database, "slot_pool", "include_deferred", default=False).label("include_deferred"),
    ).order_by(table.c.pool)
    with database.reading() as connection:
        rows = connection.execute(query).all()
    for row in rows:
        yield PoolRecord(row.pool, row.slots or 0, row.description or None, bool(row.include_deferred))


def users(database: MetadataDatabase) -> Iterator[UserRecord]:
    """Read users with their roles (FAB tables); nothing where another auth manager is used. No password hashes."""
    if not (database.has("ab_user") and database.has("ab_user_role") and database.has("ab_role")):
        return
    user, link, role = (database.table(name) for name in ("ab_user", "ab_user_role", "ab_role"))
    active: ColumnElement[Any] = column_or(database, "ab_user", "active")
    query = (
        select(user.c.username, user.c.email, active.label("active"), role.c.name.label("role"))
        .select_from(user.outerjoin(link, link.c.user_id == user.c.id).outerjoin(role, role.c.id == link.c.role_id))
        .order_by(user.c.username, role.c.name)
    )
    with database.reading() as connection:
        rows = connection.execute(query).all()
    found: dict[str, UserRecord] = {}
    for row in rows:
        seen = found.get(row.username)
        roles = (*(seen.roles if seen else ()), *((row.role,) if row.role else ()))
        found[row.username] = UserRecord(row.username, row.email or None, roles, row.active is not False)
    yield from found.values()


def check_rows(database: MetadataDatabase, fernet: AirflowFernet) -> tuple[int, tuple[str, ...]]:
    """Give how many encrypted rows the key opens, and the names of those it does not ("connection warehouse")."""
    readable = 0
    failed: list[str] = []
    encrypted = _encrypted_names(database)
    rows = (("connection", connection_rows(database, fernet)), ("variable", variable_rows(database, fernet)))
    for label, values in rows:
        for value in values:
            if isinstance(value, Failure):
                failed.append(f"{label} {value.key}")
            else:
                name = value.conn_id if isinstance(value, ConnectionValue) else value.name
                readable += (label, name) in encrypted
    return readable, tuple(failed)


def _encrypted_names(database: MetadataDatabase) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    checks = (
        ("connection", "conn_id", (("password", "is_encrypted"), ("extra", "is_extra_encrypted"))),
        ("variable", "key", (("val", "is_encrypted"),)),
    )
    with database.reading() as connection:
        for name, key, pairs in checks:
            table = database.table(name)
            for value, flag in pairs:
                query = select(table.c[key]).where(table.c[value].is_not(None), table.c[value] != "", table.c[flag])
                found.update((name, row) for row in connection.scalars(query))
    return found


def _extra_keys(extra: Secret | None) -> tuple[str, ...]:
    data = None if extra is None else _parsed(extra)
    return tuple(sorted(str(key) for key in data)) if isinstance(data, dict) else ()


def _is_object(extra: Secret) -> bool:
    """Tell whether Airflow 3 takes it: it refuses any other extra (Connection._validate_extra, models/connection.py, 3.3.2)."""
    return not extra.reveal() or isinstance(_parsed(extra), dict)


def _parsed(extra: Secret) -> Any:
    try:
        return json.loads(extra.reveal())
    except ValueError:
        return None


def _is_json(text: str) -> bool:
    if text[:1] not in "{[":
        return False
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
