"""Connections, variables, pools and packages: what DAGs name and the source does not have, and the other way round."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from aerodrome.migration.assess.contract import Check, Place
from aerodrome.migration.assess.inventory import Inventory
from aerodrome.migration.estate.records import ConnectionRecord, DagRecord, VariableRecord

DEFAULT_POOL = "default_pool"
DEFAULT_SLOTS = 128
"""What `airflow db migrate` creates (core.default_pool_task_slot_count, 2.11.2 and 3.3.2)."""
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


def _missing_pool(inventory: Inventory) -> Iterator[Place]:
    known = {pool.name for pool in inventory.pools}
    for dag in inventory.active_dags:
        for pool in dag.pools:
            if pool not in known:
                yield Place(f"dag:{dag.dag_id}", f"Uses the pool {pool}, which does not exist.", f"dags/{dag.file}")


def _missing_connection(inventory: Inventory) -> Iterator[Place]:
    known, elsewhere = _found(inventory.connections)
    for dag in inventory.active_dags:
        for conn_id in dag.connections:
            if conn_id.upper() not in known:
                yield _missing(dag, "connection", conn_id, elsewhere)


def _missing_variable(inventory: Inventory) -> Iterator[Place]:
    known, elsewhere = _found(inventory.variables)
    for dag in inventory.active_dags:
        for name in dag.variables:
            if name.upper() not in known:
                yield _missing(dag, "variable", name, elsewhere)


def _found(records: Sequence[ConnectionRecord | VariableRecord]) -> tuple[set[str], set[str]]:
    """Give the names, in capitals, of what was read, and of what a secrets backend is asked for."""
    known: set[str] = set()
    elsewhere: set[str] = set()
    for record in records:
        (elsewhere if record.origin == "secrets-backend" else known).add(record.key.upper())
    return known, elsewhere


def _missing(dag: DagRecord, what: str, name: str, elsewhere: Collection[str]) -> Place:
    where = "; the secrets backend is asked for it" if name.upper() in elsewhere else ", which was not found"
    return Place(f"dag:{dag.dag_id}", f"Names the {what} {name}{where}.", f"dags/{dag.file}")


def _unused(inventory: Inventory) -> Iterator[Place]:
    named = {conn_id.upper() for dag in inventory.dags for conn_id in dag.connections}
    for connection in inventory.connections:
        if connection.conn_id.upper() not in named:
            yield Place(f"connection:{connection.conn_id}", f"No DAG file names the connection {connection.conn_id}.")


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


def _unlimited(inventory: Inventory) -> Iterator[Place]:
    for pool in inventory.pools:
        if pool.slots < 0:
            yield Place(f"pool:{pool.name}", f"The pool {pool.name} has no limit.")


def _unused_pool(inventory: Inventory) -> Iterator[Place]:
    used = {pool for dag in inventory.dags for pool in dag.pools}
    for pool in inventory.pools:
        if pool.name not in used and pool.name != DEFAULT_POOL:
            yield Place(f"pool:{pool.name}", f"No task asks for the pool {pool.name} ({pool.slots} slots).")


def _default_pool(inventory: Inventory) -> Iterator[Place]:
    for pool in inventory.pools:
        if pool.name == DEFAULT_POOL and pool.slots != DEFAULT_SLOTS:
            yield Place(
                f"pool:{pool.name}", f"The default pool has {pool.slots} slots; a new Airflow has {DEFAULT_SLOTS}."
            )


def _by_url(inventory: Inventory) -> Iterator[Place]:
    for package in inventory.packages:
        if (package.version or "").lstrip().startswith("@"):
            yield Place(f"package:{package.name}", f"{package.name} is installed from a URL, not from an index.")


def _unpinned(inventory: Inventory) -> Iterator[Place]:
    asked = [package for package in inventory.packages if package.origin == "requirements"]
    loose = [
        package.name for package in asked if "==" not in (package.version or "") and "@" not in (package.version or "")
    ]
    if loose:
        yield Place(
            "source", f"{len(loose)} of {len(asked)} requirements have no exact version: {', '.join(loose[:8])}."
        )


def _airflow_pin(inventory: Inventory) -> Iterator[Place]:
    for package in inventory.packages:
        is_airflow = package.name == "apache-airflow" and package.origin == "requirements" and bool(package.version)
        if is_airflow and (package.version or "").removeprefix("==").strip() != inventory.target_version:
            yield Place(f"package:{package.name}", f"The requirements ask for apache-airflow {package.version}.")


CHECKS = (
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
        "missing-provider", "warning", "Providers that the requirements do not name",
        "Add it to requirements.txt: Airflow 3 installs no providers but a few.", _provider, 0.1,
    ),
    Check("pool-unlimited", "info", "Pools without a limit", "Give it one: the target's machines have an end.", _unlimited),
    Check("pool-unused", "info", "Pools that no task asks for", "Ask whether it must move.", _unused_pool),
    Check(
        "pool-default", "info", "A default pool of another size",
        "Move the pools before the first wave: most tasks run in this one.", _default_pool,
    ),
    Check(
        "requirement-url", "warning", "Requirements from URLs",
        "The target's build must reach it: publish it in an index, or bring the wheel.", _by_url, 1,
    ),
    Check(
        "requirement-unpinned", "info", "Requirements without an exact version",
        "Pin what the source really has (`pip freeze`): the target may get something newer.", _unpinned, 0.5,
    ),
    Check(
        "requirement-airflow", "info", "Requirements that name another Airflow",
        "Leave the line out: the deployment brings its Airflow.", _airflow_pin, 0.1,
    ),
)  # fmt: skip
