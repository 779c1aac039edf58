"""Which hosts the estate reaches and by which network path, as far as their names tell. Never asks DNS by itself."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from aerodrome.migration.estate.records import ConnectionRecord, DagRecord, EndpointRecord

NetworkPath = Literal["local", "private", "public", "unknown"]
Addresses = Mapping[str, Sequence[str]]
"""What DNS said, host -> addresses; empty unless it was asked."""

STORES = ("s3", "s3a", "s3n", "gs", "gcs", "abfs", "abfss", "wasb", "wasbs", "adl", "hdfs")
_PRIVATE_ENDINGS = (".internal", ".local", ".lan", ".corp", ".intra", ".intranet", ".private", ".svc", ".cluster.local")
_PRIVATE_NETWORKS = tuple(
    ipaddress.ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "fc00::/7", "fe80::/10")
)  # fmt: skip
_PUBLIC_ENDINGS = (
    ".googleapis.com", ".snowflakecomputing.com", ".databricks.com", ".azuredatabricks.net", ".slack.com",
    ".salesforce.com", ".github.com", ".gitlab.com", ".atlassian.net", ".windows.net", ".sendgrid.com", ".datadoghq.com",
)  # fmt: skip
# APIs of AWS stand in public; databases of AWS have names there too, which mostly resolve to private addresses.
_AWS_API = re.compile(
    r"(^|\.)(s3|sts|sqs|sns|lambda|dynamodb|kms|secretsmanager|ssm|logs|events|athena|glue)[.-][a-z0-9.-]*amazonaws\.com$"
)


@dataclass(frozen=True)
class Reach:
    """One host with everything that uses it."""

    host: str
    port: int | None
    path: NetworkPath
    connections: tuple[str, ...]
    files: tuple[str, ...]  # "dags/x.py"
    dag_ids: tuple[str, ...]

    @property
    def name(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}" if self.port else host

    @property
    def used_by(self) -> str:
        """Say it in a few words: "3 connections, 12 DAGs"."""
        counts = (("connection", self.connections), ("file", self.files), ("DAG", self.dag_ids))
        return ", ".join(f"{len(names)} {word}{'s' if len(names) != 1 else ''}" for word, names in counts if names)


def host_of(text: str) -> str:
    """Give the bare host of what people write into a connection's host field; empty where there is none."""
    rest = text.strip().rsplit("://", maxsplit=1)[-1].split("/", maxsplit=1)[0].rsplit("@", maxsplit=1)[-1].lower()
    if rest.startswith("["):
        return rest[1:].split("]", maxsplit=1)[0]
    return rest if rest.count(":") > 1 else rest.split(":", maxsplit=1)[0]


def network_path(host: str, addresses: Addresses) -> NetworkPath:
    """Judge a bare host by its form, then by what DNS said if it was asked."""
    try:
        return _of_address(host)
    except ValueError:
        pass
    if host == "localhost" or host.endswith(".localhost"):
        return "local"
    if "." not in host or host.endswith(_PRIVATE_ENDINGS):
        return "private"
    if known := addresses.get(host):
        paths = {_path_or_unknown(address) for address in known}
        return paths.pop() if len(paths) == 1 else "unknown"
    if f".{host}".endswith(_PUBLIC_ENDINGS) or _AWS_API.search(host):
        return "public"
    return "unknown"


def _path_or_unknown(address: str) -> NetworkPath:
    try:
        return _of_address(address)
    except ValueError:
        return "unknown"


def _of_address(text: str) -> NetworkPath:
    address = ipaddress.ip_address(text)
    if address.is_loopback:
        return "local"
    inside = any(address in network for network in _PRIVATE_NETWORKS if network.version == address.version)
    return "private" if inside else "public"


def reaches(
    connections: Sequence[ConnectionRecord],
    endpoints: Sequence[EndpointRecord],
    dags: Sequence[DagRecord],
    addresses: Addresses,
) -> tuple[Reach, ...]:
    """Group by host and port, sorted; object stores and templated hosts are left out."""
    by_connection: dict[str, list[str]] = {}
    by_file: dict[str, list[str]] = {}
    for dag in dags:
        by_file.setdefault(f"dags/{dag.file}", []).append(dag.dag_id)
        for conn_id in dag.connections:
            by_connection.setdefault(conn_id, []).append(dag.dag_id)
    found: dict[tuple[str, int], tuple[set[str], set[str], set[str]]] = {}
    for connection in connections:
        for host in _hosts(connection.host):
            names, _files, users = found.setdefault((host, connection.port or 0), (set(), set(), set()))
            names.add(connection.conn_id)
            users.update(by_connection.get(connection.conn_id, ()))
    for endpoint in endpoints:
        if endpoint.scheme not in STORES and endpoint.host:
            file = f"{endpoint.part}/{endpoint.path}"
            _names, files, users = found.setdefault((endpoint.host, endpoint.port or 0), (set(), set(), set()))
            files.add(file)
            users.update(by_file.get(file, ()))
    return tuple(
        Reach(
            host,
            port or None,
            network_path(host, addresses),
            tuple(sorted(names)),
            tuple(sorted(files)),
            tuple(sorted(users)),
        )
        for (host, port), (names, files, users) in sorted(found.items())
    )


def _hosts(text: str | None) -> list[str]:
    """Give the hosts of a field that may hold several (Kafka brokers, Redis sentinels)."""
    found = (host_of(part) for part in (text or "").split(","))
    return [host for host in found if host and not re.search(r"[\s{}$]", host)]
