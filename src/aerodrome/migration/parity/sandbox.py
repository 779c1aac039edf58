"""Says what a shadow run of a DAG would touch that is not a sandbox. A DAG with an answer here is not run. Pure.

A connection counts as overridden when the environment manager gives the development deployment another one than the source
has: another host, port or schema; where it has no host (a cloud account), an object of that deployment alone. Connections that
the DAG's own file does not name count as well when the deployment has them: plugins and modules may use any of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from aerodrome.migration.assess.network import STORES, host_of
from aerodrome.migration.estate.records import ConnectionRecord, DagRecord, EndpointRecord

_HOST = re.compile(r"(?i)\b(?:\d{1,3}\.){3}\d{1,3}\b|\b[a-z0-9-]+\.(?:[a-z0-9-]+\.)*[a-z]{2,}\b|\barn:")

REACHING = frozenset({
    "http", "https", "ws", "wss", "ftp", "ftps", "sftp", "ssh", "smtp", "smtps", "ldap", "ldaps", "amqp", "amqps", "kafka",
    "redis", "rediss", "mongodb", "mongodb+srv", "postgres", "postgresql", "mysql", "mssql", "oracle", "jdbc", "hive2",
    *STORES,
})  # fmt: skip
"""Schemes that lead somewhere; others (`shop://warehouse/sales`) are names of datasets."""


class Effective(Protocol):
    """What a deployment gets under one name; `environments.contract.EffectiveView` is one."""

    @property
    def source(self) -> str: ...
    @property
    def fields(self) -> Mapping[str, Any]: ...
    @property
    def overridden(self) -> tuple[str, ...]: ...


@dataclass(frozen=True)
class Refusal:
    """One thing that a shadow run would touch for real."""

    code: str
    subject: str
    message: str
    hint: str


def refusals(
    dag: DagRecord,
    connections: Mapping[str, ConnectionRecord],
    effective: Mapping[str, Effective],
    endpoints: Iterable[EndpointRecord],
    allowed_connections: Sequence[str],
    allowed_hosts: Sequence[str],
) -> list[Refusal]:
    """Give why the DAG must not run in the development deployment yet; empty: all that it names is a sandbox or allowed."""
    found = []
    for conn_id in dag.connections:
        record = connections.get(conn_id)
        if conn_id in allowed_connections or record is None:
            continue  # what the source has not, the DAG fails without on both sides
        if (refusal := _connection(record, effective.get(conn_id))) is not None:
            found.append(refusal)
    for conn_id in sorted(effective.keys() & connections.keys()):
        if conn_id in dag.connections or conn_id in allowed_connections:
            continue
        view = effective[conn_id]
        if view.source not in ("deployment", "workspace") or not is_sandbox(connections[conn_id], view):
            found.append(
                Refusal(
                    "connection-within-reach",
                    conn_id,
                    f"{conn_id} leads to the same place as in the source; code beside the DAG's file may use it.",
                    f"Keep it away: aerodrome env exclude {conn_id} --kind connection --deployment NAME; or override or allow it.",
                )
            )
    sandbox_hosts = {host_of(str(view.fields.get("host") or "")) for view in effective.values()}
    file = f"dags/{dag.file}"
    hosts = sorted(
        {
            item.host
            for item in endpoints
            if item.host and item.scheme in REACHING and f"{item.part}/{item.path}" == file
        }
    )
    found += [
        Refusal(
            "host-in-code",
            host,
            f"Its file names {host} in a URL, which no connection overrides.",
            "If reading it is harmless: allow.hosts in the comparison file, or --allow-host.",
        )
        for host in hosts
        if host not in allowed_hosts and host not in sandbox_hosts
    ]
    return found


def _connection(record: ConnectionRecord, view: Effective | None) -> Refusal | None:
    name = record.conn_id
    allow = "If reading it is harmless: allow.connections in the comparison file, or --allow-connection."
    make = f"Give the deployment a sandbox of it: aerodrome env set {name} conn_type=… host=… --kind connection --deployment NAME."
    if view is None:
        return Refusal("connection-missing", name, f"The deployment has no connection {name}.", make)
    if view.source not in ("deployment", "workspace"):
        where = view.source
        return Refusal(
            "connection-not-overridden", name, f"{name} comes from the {where}, as in production.", f"{make} {allow}"
        )
    if not is_sandbox(record, view):
        return Refusal("connection-same", name, f"{name} leads to the same place as in the source.", f"{make} {allow}")
    return None


def is_sandbox(record: ConnectionRecord, view: Effective) -> bool:
    """Tell whether the deployment's connection leads elsewhere than the source's."""
    fields = view.fields
    before = (_place(record.host or ""), str(record.port or ""), record.schema or "")
    after = (_place(str(fields.get("host") or "")), str(fields.get("port") or ""), str(fields.get("schema") or ""))
    if not before[0] and not after[0]:
        return view.source == "deployment" or bool(view.overridden)
    if before[0] != after[0]:
        return True
    # the same server: another port or another schema of it; another login alone writes into the same tables
    return (before[1] != after[1] and bool(after[1])) or (before[2] != after[2] and bool(after[2]))


def is_place(value: str) -> bool:
    """Tell whether a variable's value may name a place that a task writes to: a path, a URL, a host, a bucket."""
    text = value.strip()
    return "@" in text or "/" in text or _HOST.search(text) is not None


def _place(host: str) -> str:
    """Give the bare host; what is none (the path of a SQLite file) as it stands."""
    return host_of(host) or host.strip()
