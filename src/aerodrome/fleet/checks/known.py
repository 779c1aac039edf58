"""Which connections, variables, pools and environment variables a deployment's DAGs would find; names only."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select

from aerodrome.airflowkit.metadata import MetadataDatabase
from aerodrome.fleet.checks.contract import KnownObjects
from aerodrome.fleet.context import FleetContext
from aerodrome.kernel.errors import AerodromeError
from aerodrome.runtimes.contract import RuntimeSpec
from aerodrome.store.tables.deployment import DeploymentRow

_TABLES = (("connection", "conn_id"), ("variable", "key"), ("slot_pool", "pool"))
_GIVEN = frozenset(  # by the machine or the platform to every process of Airflow
    {"HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "PATH", "PYTHONPATH", "VIRTUAL_ENV"}
    | {"AIRFLOW_HOME", "HOSTNAME", "NO_PROXY", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "SSL_CERT_FILE", "PWD"}
)


def known_objects(context: FleetContext, deployment: DeploymentRow, spec: RuntimeSpec) -> KnownObjects:
    """Give what is there: environment manager, environment variables, pools of the settings, the metadata database."""
    connections, variables, pools = _in_database(context, spec)
    return KnownObjects(
        connections=frozenset(spec.environment.connections) | connections,
        variables=frozenset(spec.environment.variables) | variables,
        pools=frozenset({"default_pool", *deployment.pools}) | pools,
        env=_GIVEN | frozenset(spec.env) | {name for name in spec.env if name.startswith("AIRFLOW")},
        unlisted=_unlisted(spec),
    )


def _in_database(context: FleetContext, spec: RuntimeSpec) -> tuple[frozenset[str], ...]:
    """Give the names in Airflow's own tables; nothing when there is no such database yet, or it does not answer."""
    try:
        database = MetadataDatabase(context.runtime.access(spec).database_url)
    except AerodromeError:
        return (frozenset(),) * len(_TABLES)
    try:
        return tuple(_names(database, table, column) for table, column in _TABLES)
    except AerodromeError:
        return (frozenset(),) * len(_TABLES)
    finally:
        database.close()


def _names(database: MetadataDatabase, table: str, column: str) -> frozenset[str]:
    with database.reading() as connection:
        found: Iterable[str] = connection.scalars(select(database.column(table, column)))
        return frozenset(str(name) for name in found)


def _unlisted(spec: RuntimeSpec) -> str:
    options = {name.lower() for name in spec.config} | {name.lower() for name in spec.env}
    if spec.environment.backend_class is not None or options & {"secrets.backend", "airflow__secrets__backend"}:
        return "It may be in the secrets backend of the deployment, which is not asked here."
    return ""
