"""Where connections and code reach: hosts grouped by network path, object stores, identities of clouds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from aerodrome.migration.assess.contract import Check, Place
from aerodrome.migration.assess.inventory import Inventory
from aerodrome.migration.assess.network import STORES, NetworkPath, host_of, network_path
from aerodrome.migration.estate.records import EndpointRecord
from aerodrome.migration.sources.endpoints import BARE

CLOUDS = {
    "aws": "Amazon Web Services", "emr": "Amazon EMR", "redshift": "Amazon Redshift", "s3": "Amazon S3",
    "google_cloud_platform": "Google Cloud", "gcpbigquery": "BigQuery", "gcpcloudsql": "Cloud SQL",
    "azure": "Azure", "wasb": "Azure Blob Storage", "adls": "Azure Data Lake", "azure_data_factory": "Data Factory",
    "snowflake": "Snowflake", "databricks": "Databricks", "slack": "Slack", "slackwebhook": "Slack",
    "salesforce": "Salesforce", "kubernetes": "Kubernetes", "ssh": "a host by SSH", "sftp": "a host by SFTP",
}  # fmt: skip
_BY_ROLE = ("aws", "emr", "s3", "redshift", "google_cloud_platform", "gcpbigquery", "azure", "wasb", "adls")


def _by_path(wanted: NetworkPath, sentence: str) -> Callable[[Inventory], Iterator[Place]]:
    def find(inventory: Inventory) -> Iterator[Place]:
        for reach in inventory.reaches:
            if reach.path == wanted:
                yield Place(f"host:{reach.name}", sentence.format(host=reach.name, used_by=reach.used_by))

    return find


def _private(inventory: Inventory) -> Iterator[Place]:
    for connection in inventory.connections:
        host = host_of(connection.host or "")
        if host and network_path(host, inventory.addresses) == "private":
            where = f"{host}{f':{connection.port}' if connection.port else ''}"
            yield Place(
                f"connection:{connection.conn_id}", f"{connection.conn_id} reaches {where} in a private network."
            )
    for reach in inventory.reaches:
        if reach.path == "private" and not reach.connections:
            yield Place(f"host:{reach.name}", f"{reach.name} is in a private network, and stands in code alone.")


def _paths(inventory: Inventory) -> Iterator[Place]:
    counts: Counter[str] = Counter(reach.path for reach in inventory.reaches)
    if counts:
        words = (
            ("private", "private"),
            ("public", "public"),
            ("unknown", "unknown"),
            ("local", "on the machine itself"),
        )
        shown = ", ".join(f"{counts[path]} {word}" for path, word in words if counts[path])
        yield Place("source", f"Connections and code name {len(inventory.reaches)} hosts by network path: {shown}.")


def _written(item: EndpointRecord) -> str:
    return item.host if item.scheme == BARE else f"{item.scheme}://{item.host}"


def _code_hosts(inventory: Inventory) -> Iterator[Place]:
    for item in inventory.endpoints:
        if item.scheme not in STORES:
            file = f"{item.part}/{item.path}"
            port = f":{item.port}" if item.port else ""
            yield Place(f"file:{file}", f"The code names {_written(item)}{port}.", file, item.line)


def _code_stores(inventory: Inventory) -> Iterator[Place]:
    files: dict[str, set[str]] = {}
    for item in inventory.endpoints:
        if item.scheme in STORES:
            files.setdefault(f"{item.scheme}://{item.host}", set()).add(f"{item.part}/{item.path}")
    for store, users in sorted(files.items()):
        yield Place(f"store:{store}", f"{len(users)} {'files name' if len(users) > 1 else 'file names'} {store}.")


def _plain_http(inventory: Inventory) -> Iterator[Place]:
    found = {
        (f"connection:{item.conn_id}", host_of(item.host or ""))
        for item in inventory.connections
        if (item.host or "").lower().startswith("http://")
    }
    found |= {(f"file:{i.part}/{i.path}", i.host) for i in inventory.endpoints if i.scheme == "http"}
    for subject, host in sorted(found):
        if host and network_path(host, inventory.addresses) in ("public", "unknown"):
            yield Place(subject, f"{host} is asked by plain http.")


def _cloud(inventory: Inventory) -> Iterator[Place]:
    for connection in inventory.connections:
        service = CLOUDS.get(connection.conn_type or "")
        if service:
            how = "with a stored key" if connection.has_password or connection.has_extra else "without a stored key"
            yield Place(f"connection:{connection.conn_id}", f"{connection.conn_id} reaches {service} {how}.")


def _identity(inventory: Inventory) -> Iterator[Place]:
    for connection in inventory.connections:
        is_empty = not (connection.login or connection.has_password or connection.has_extra)
        if connection.conn_type in _BY_ROLE and is_empty:
            service = CLOUDS[connection.conn_type]
            yield Place(
                f"connection:{connection.conn_id}",
                f"{connection.conn_id} reaches {service} by the identity of the source's machines.",
            )


CHECKS = (
    Check("network-paths", "info", "Hosts by network path", "Open the paths before the first wave; see each host.", _paths),
    Check(
        "private-host", "warning", "Hosts in private networks",
        "The target must have a network path to it; test the connection from there.", _private, 0.5,
    ),
    Check(
        "network-unknown", "warning", "Hosts whose network path their name does not tell",
        "Ask DNS from the source's network (`aerodrome assess --resolve-hosts`), or its owner.",
        _by_path("unknown", "{host} may be public or private; used by {used_by}."), 0.25,
    ),
    Check(
        "network-public", "info", "Public hosts",
        "Let the target's address through where the other side has an allow-list.",
        _by_path("public", "{host} is public; used by {used_by}."),
    ),
    Check(
        "local-host", "warning", "Hosts that mean the machine itself",
        "In the target it is another machine: name the real host.",
        _by_path("local", "{host} is the machine that runs the task; used by {used_by}."), 0.5,
    ),
    Check(
        "code-host", "info", "Hosts that stand in the code",
        "Better a connection: then each deployment has its own.", _code_hosts, 0.25,
    ),
    Check(
        "code-store", "info", "Object stores that stand in the code",
        "The target's identity needs the same rights there.", _code_stores,
    ),
    Check("plain-http", "info", "Plain http across networks", "Use https: the path may be longer now.", _plain_http),
    Check("cloud-service", "info", "Cloud services", "The target needs the same identity or key.", _cloud, 0.25),
    Check(
        "cloud-identity", "warning", "Clouds reached by the machines' own identity",
        "The target's machines have another identity: give them a role, or the connection a key.", _identity, 1,
    ),
)  # fmt: skip
