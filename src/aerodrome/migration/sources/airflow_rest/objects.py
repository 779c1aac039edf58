"""Connections, variables, pools and users over REST: what Airflow shows of them, and plainly what it hides.

Passwords and extras of connections never come over REST (2.x: not shown; 3.x: masked), nor do the values of variables
whose name looks secret. Such objects stand in the estate with the reason, and become values to provide later.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from aerodrome.kernel.errors import NotFound
from aerodrome.kernel.secret import Secret
from aerodrome.migration.estate.records import ConnectionRecord, PoolRecord, UserRecord
from aerodrome.migration.sources.airflow_db import objects
from aerodrome.migration.sources.airflow_db.objects import Failure
from aerodrome.migration.sources.airflow_rest.client import RestReader
from aerodrome.migration.sources.airflow_rest.states import PREFIX
from aerodrome.migration.sources.contract import ConnectionValue, VariableValue

HIDDEN = "Airflow's REST API does not show the password and the extra of a connection."
MASKED = "Airflow's REST API masks the value, because of the variable's name."
_MASK = "***"


def connection_records(reader: RestReader, key: bytes) -> Iterator[ConnectionRecord]:
    """Give every connection of the metadata database, by conn_id, without what is hidden."""
    found = reader.pages("/connections", "connections", order_by="connection_id" if not reader.is_v2 else "conn_id")
    for each in sorted(found, key=lambda each: str(each["connection_id"])):
        public = ConnectionValue(
            each["connection_id"], each["conn_type"], each["host"], each["port"], each["schema"], each["login"],
            each.get("description"), None, None,
        )  # fmt: skip
        yield objects.connection_record(Failure(public.conn_id, HIDDEN, public), "metadata-db", key)


def variable_rows(reader: RestReader) -> Iterator[VariableValue | Failure]:
    """Give every variable, by name; our own marks are not theirs."""
    found = reader.pages("/variables", "variables", order_by="key" if reader.is_v2 else "id")
    for each in sorted(found, key=lambda each: str(each["key"])):
        if each["key"].startswith(PREFIX):
            continue
        value = each["value"] or ""
        if value == _MASK or f'"{_MASK}"' in value:
            yield Failure(each["key"], MASKED)
        else:
            yield VariableValue(each["key"], Secret(value), each.get("description"))


def pools(reader: RestReader) -> Iterator[PoolRecord]:
    """Give the pools, by name."""
    found = reader.pages("/pools", "pools")
    for each in sorted(found, key=lambda each: str(each["name"])):
        yield PoolRecord(
            each["name"], each["slots"], each.get("description") or None, bool(each.get("include_deferred"))
        )


def users(reader: RestReader) -> Iterator[UserRecord]:
    """Give users with their roles where FAB manages them and this user may see them; the probes tell when not."""
    if reader.is_v2:
        return
    with suppress(NotFound):
        for each in reader.pages("/users", "users"):
            roles = tuple(sorted(role["name"] for role in each.get("roles") or ()))
            yield UserRecord(each["username"], each.get("email") or None, roles, each.get("active") is not False)
