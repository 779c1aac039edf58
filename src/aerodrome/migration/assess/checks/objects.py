"""Connections, variables, pools and environment: what is broken, missing, or reaches somewhere."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from aerodrome.migration.assess.contract import Check, Place
from aerodrome.migration.assess.inventory import Inventory
from aerodrome.migration.estate.records import ConnectionRecord

CLOUDS = {
    "aws": "Amazon Web Services", "emr": "Amazon EMR", "redshift": "Amazon Redshift", "s3": "Amazon S3",
    "google_cloud_platform": "Google Cloud", "gcpbigquery": "BigQuery", "gcpcloudsql": "Cloud SQL",
    "azure": "Azure", "wasb": "Azure Blob Storage", "adls": "Azure Data Lake", "azure_data_factory": "Data Factory",
    "snowflake": "Snowflake", "databricks": "Databricks", "slack": "Slack", "slackwebhook": "Slack",
    "salesforce": "Salesforce", "kubernetes": "Kubernetes", "ssh": "a host by SSH", "sftp": "a host by SFTP",
}  # fmt: skip
_PRIVATE_ENDINGS = (".internal", ".local", ".lan", ".corp", ".intra", ".intranet", ".private", ".svc", ".cluster.local")
_PRIVATE_NETWORKS = tuple(
    ipaddress.ip_network(text)
    for text in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "fc00::/7",
        "fe80::/10",
        "::1/128",
    )
)
_PROVIDERS = {
    "postgres": "postgres", "mysql": "mysql", "http": "http", "aws": "amazon", "s3": "amazon", "emr": "amazon",
    "redshift": "amazon", "google_cloud_platform": "google", "snowflake": "snowflake", "databricks": "databricks",
    "slack": "slack", "slackwebhook": "slack", "ssh": "ssh", "sftp": "sftp", "ftp": "ftp", "mssql": "microsoft-mssql",
    "wasb": "microsoft-azure", "azure": "microsoft-azure", "azure_data_factory": "microsoft-azure", "trino": "trino",
    "kubernetes": "cncf-kubernetes", "docker": "docker", "mongo": "mongo", "redis": "redis", "oracle": "oracle",
    "sqlite": "sqlite", "elasticsearch": "elasticsearch", "jdbc": "jdbc", "odbc": "odbc", "vertica": "vertica",
    "samba": "samba", "salesforce": "salesforce", "tableau": "tableau", "kafka": "apache-kafka", "spark": "apache-spark",
    "hive_cli": "apache-hive", "livy": "apache-livy", "imap": "imap", "smtp": "smtp",
}  # fmt: skip


def _undecryptable(inventory: Inventory) -> Iterator[Place]:
    for connection in inventory.connections:
        if connection.error:
            yield Place(f"connection:{connection.conn_id}", f"The connection {connection.conn_id} cannot be decrypted.")
    for variable in inventory.variables:
        if variable.error:
            yield Place(f"variable:{variable.name}", f"The variable {variable.name} cannot be decrypted.")


def _missing_pool(inventory: Inventory) -> Iterator[Place]:
    known = {pool.name for pool in inventory.pools}
    for dag in inventory.active_dags:
        for pool in dag.pools:
            if pool not in known:
                yield Place(f"dag:{dag.dag_id}", f"Uses the pool {pool}, which does not exist.", f"dags/{dag.file}")


def _missing_connection(inventory: Inventory) -> Iterator[Place]:
    known = {connection.conn_id.upper() for connection in inventory.connections}
    for dag in inventory.active_dags:
        for conn_id in dag.connections:
            if conn_id.upper() not in known:
                yield Place(
                    f"dag:{dag.dag_id}", f"Names the connection {conn_id}, which was not found.", f"dags/{dag.file}"
                )


def _missing_variable(inventory: Inventory) -> Iterator[Place]:
    known = {variable.name.upper() for variable in inventory.variables}
    for dag in inventory.active_dags:
        for name in dag.variables:
            if name.upper() not in known:
                yield Place(f"dag:{dag.dag_id}", f"Names the variable {name}, which was not found.", f"dags/{dag.file}")


def _unused(inventory: Inventory) -> Iterator[Place]:
    named = {conn_id.upper() for dag in inventory.dags for conn_id in dag.connections}
    for connection in inventory.connections:
        if connection.conn_id.upper() not in named:
            yield Place(f"connection:{connection.conn_id}", f"No DAG file names the connection {connection.conn_id}.")


def _private(inventory: Inventory) -> Iterator[Place]:
    for connection in inventory.connections:
        if connection.host and _is_private(connection.host):
            where = f"{_host(connection.host)}{f':{connection.port}' if connection.port else ''}"
            yield Place(
                f"connection:{connection.conn_id}", f"{connection.conn_id} reaches {where} in a private network."
            )


def _host(text: str) -> str:
    return text.rsplit("://", maxsplit=1)[-1].split("/", maxsplit=1)[0].rsplit("@", maxsplit=1)[-1]


def _is_private(host: str) -> bool:
    name = _host(host).strip("[]")
    try:
        address = ipaddress.ip_address(name)
        return any(address in network for network in _PRIVATE_NETWORKS if network.version == address.version)
    except ValueError:
        pass
    name = name.split(":")[0].lower()
    return bool(name) and ("." not in name or name.endswith(_PRIVATE_ENDINGS))


def _cloud(inventory: Inventory) -> Iterator[Place]:
    for connection in inventory.connections:
        service = CLOUDS.get(connection.conn_type or "")
        if service:
            how = (
                "with a stored key"
                if connection.has_password
                else "without a stored key (perhaps by the machine's role)"
            )
            yield Place(f"connection:{connection.conn_id}", f"{connection.conn_id} reaches {service} {how}.")


def _open_env(inventory: Inventory) -> Iterator[Place]:
    for variable in inventory.env_vars:
        if variable.is_secret and variable.purpose in ("user", "airflow-connection"):
            yield Place(f"env:{variable.name}", f"{variable.name} holds a secret in the plain environment.")


def _sensitive_variable(inventory: Inventory) -> Iterator[Place]:
    for variable in inventory.variables:
        if variable.is_sensitive and not variable.error:
            yield Place(f"variable:{variable.name}", f"The variable {variable.name} holds a secret.")


def _provider(inventory: Inventory) -> Iterator[Place]:
    if not inventory.packages:
        return
    present = {package.name for package in inventory.packages}
    wanted: dict[str, list[ConnectionRecord]] = {}
    for connection in inventory.connections:
        provider = _PROVIDERS.get(connection.conn_type or "")
        if provider and f"apache-airflow-providers-{provider}" not in present:
            wanted.setdefault(provider, []).append(connection)
    for provider, connections in sorted(wanted.items()):
        names = ", ".join(connection.conn_id for connection in connections[:5])
        yield Place(
            f"package:apache-airflow-providers-{provider}",
            f"Connections ({names}) belong to the provider {provider}, which the requirements do not name.",
        )


CHECKS = (
    Check(
        "undecryptable", "warning", "Secrets that nobody can read",
        "Enter the value anew in the source or in the target; it cannot move.", _undecryptable, 0.5,
    ),
    Check(
        "missing-pool", "blocker", "Pools that do not exist",
        "Create the pool: its tasks are never queued otherwise, here and there.", _missing_pool, 0.25,
    ),
    Check(
        "missing-connection", "warning", "Connections that were not found",
        "It may live in a secrets backend: give it to the target before the wave.", _missing_connection, 0.5,
    ),
    Check(
        "missing-variable", "info", "Variables that were not found",
        "It may have a default in the code, or live in a secrets backend.", _missing_variable, 0.25,
    ),
    Check("unused-connection", "info", "Connections that no file names", "Ask whether it must move.", _unused),
    Check(
        "private-host", "warning", "Hosts in private networks",
        "The target must have a network path to it; test the connection from there.", _private, 0.5,
    ),
    Check("cloud-service", "info", "Cloud services", "The target needs the same identity or key.", _cloud, 0.25),
    Check(
        "env-secret", "warning", "Secrets in the plain environment",
        "Mark it as a secret in the plan; better a connection.", _open_env, 0.1,
    ),
    Check(
        "secret-variable", "info", "Variables that hold secrets",
        "It moves encrypted; better a connection or a secrets backend.", _sensitive_variable, 0.1,
    ),
    Check(
        "missing-provider", "warning", "Providers that the requirements do not name",
        "Add it to requirements.txt: Airflow 3 installs no providers but a few.", _provider, 0.1,
    ),
)  # fmt: skip
