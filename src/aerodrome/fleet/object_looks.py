"""Looks at environment objects from a deployment's side: what it gets, from where, what hides what, and whether it works."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from aerodrome.access import audit
from aerodrome.access.actor import Actor
from aerodrome.airflowkit.metadata import MetadataDatabase
from aerodrome.environments import backends
from aerodrome.environments import content as contents
from aerodrome.environments.contract import EffectiveView, Kind, Place, Resolved, ResolvedItem
from aerodrome.environments.resolution import resolve
from aerodrome.fleet import lookup
from aerodrome.fleet.context import FleetContext
from aerodrome.fleet.spec import runtime_spec
from aerodrome.kernel.errors import AerodromeError, Unavailable
from aerodrome.kernel.secret import MASK
from aerodrome.store.tables.deploy import DeployRow
from aerodrome.store.tables.deployment import DeploymentRow, ObservationRow
from aerodrome.store.tables.secrets_backend import SecretsBackendRow

Names = Mapping[Kind, frozenset[str]]
_MARK: Final = "AERODROME-PROBE "
_LONGEST_S: Final = 120.0
_TABLES: Final[Mapping[Kind, tuple[str, str]]] = {
    "connection": ("connection", "conn_id"),
    "variable": ("variable", "key"),
}
_PREFIXES: Final[Mapping[Kind, str]] = {"connection": "AIRFLOW_CONN_", "variable": "AIRFLOW_VAR_"}
_NOTHING: Final[Names] = {
    "connection": frozenset(),
    "variable": frozenset(),
    "env": frozenset(),
}
PROVIDERS: Final = {
    "aws": "amazon", "emr": "amazon", "redshift": "amazon", "azure_data_factory": "microsoft-azure",
    "azure_data_lake": "microsoft-azure", "wasb": "microsoft-azure", "adls": "microsoft-azure", "databricks": "databricks",
    "docker": "docker", "elasticsearch": "elasticsearch", "ftp": "ftp", "gcpbigquery": "google",
    "google_cloud_platform": "google", "http": "http", "imap": "imap", "jdbc": "jdbc", "jira": "atlassian-jira",
    "kafka": "apache-kafka", "kubernetes": "cncf-kubernetes", "mongo": "mongo", "mssql": "microsoft-mssql",
    "mysql": "mysql", "odbc": "odbc", "oracle": "oracle", "postgres": "postgres", "redis": "redis", "salesforce": "salesforce",
    "sftp": "sftp", "slack": "slack", "slackwebhook": "slack", "smtp": "smtp", "snowflake": "snowflake", "spark": "apache-spark",
    "sqlite": "sqlite", "ssh": "ssh", "tableau": "tableau", "trino": "trino", "vault": "hashicorp", "hive_cli": "apache-hive",
    "hiveserver2": "apache-hive", "livy": "apache-livy", "presto": "presto", "pinecone": "pinecone", "dbt_cloud": "dbt-cloud",
    "airbyte": "airbyte", "fivetran": "fivetran", "opsgenie": "opsgenie", "pagerduty": "pagerduty", "sendgrid": "sendgrid",
}  # fmt: skip


@dataclass(frozen=True)
class ConnectionTest:
    """What testing a connection inside a deployment gave."""

    outcome: Literal["good", "bad", "missing", "no-provider", "timeout"]
    message: str
    hint: str
    seconds: float


@dataclass(frozen=True)
class Effective:
    """All that a deployment gets; `remark` says why a place could not be looked at."""

    items: tuple[EffectiveView, ...]
    remark: str


def effective(context: FleetContext, actor: Actor, ref: str, kind: str | None = None) -> Effective:
    """Give every name that the deployment's Airflow finds, with all places where it exists and which of them wins."""
    with context.store.reading() as session:
        row = lookup.deployment(session, actor, ref, "environment.read")
        resolved = resolve(session, row)
        deploy = session.get(DeployRow, row.current_deploy_id) if row.current_deploy_id else None
        has_started = _has_started(session, row)
        backend = backends.attached(session, row.id)
    in_database, remark = _in_database(context, row, deploy) if has_started else (_NOTHING, "")
    in_backend, trouble = _in_backend(context, backend)
    where = _Elsewhere(resolved, in_database, in_backend, backend.name if backend else "")
    items = [_view(item, where) for item in resolved.items]
    known = {(item.kind, item.name) for item in resolved.items}
    for found, prefix in _PREFIXES.items():
        variables = {item.name for item in resolved.of("env") if item.name.startswith(prefix)}
        from_env = {name.removeprefix(prefix).lower() for name in variables}
        # an environment variable knows no case: it stands for every name that is written so in capitals
        spelled = {name.upper() for kind_, name in known if kind_ == found}
        rest = in_database[found] | in_backend[found] | {name for name in from_env if name.upper() not in spelled}
        items += [_foreign(found, name, where) for name in sorted(rest) if (found, name) not in known]
    chosen = [item for item in items if kind is None or item.kind == kind]
    return Effective(tuple(sorted(chosen, key=lambda item: (item.kind, item.name))), f"{remark} {trouble}".strip())


def try_connection(context: FleetContext, actor: Actor, ref: str, conn_id: str, timeout_s: float) -> ConnectionTest:
    """Let the connection's own hook test it, in a process beside the tasks of the deployment, with what they would get."""
    with context.store.reading() as session:
        row = lookup.deployment(session, actor, ref, "environment.update")
        deploy = session.get(DeployRow, row.current_deploy_id) if row.current_deploy_id else None
        if not _has_started(session, row):  # making its virtualenv would take minutes
            raise Unavailable(
                f"The deployment {row.name!r} has not started yet.",
                code="deployment-not-started",
                hint=f"`aerodrome deployment show {row.name}` tells how far it is.",
            )
    with context.store.writing() as session:
        audit.record(session, actor, "environment.tested", lookup.deployment_scope(row), {"connection": conn_id})
    spec = runtime_spec(context, row, deploy, lambda _line: None)
    started = time.monotonic()
    ran = context.runtime.run(
        spec,
        ["python", "-m", "aerodrome_airflow.probe"],
        given=json.dumps({"conn_id": conn_id}),
        timeout_s=min(timeout_s, _LONGEST_S),
    )
    seconds = time.monotonic() - started
    if ran.exit_code is None:
        hint = "Is the host reachable from this machine? A firewall that drops packets looks like this."
        return ConnectionTest("timeout", f"There was no answer within {timeout_s:.0f} s.", hint, seconds)
    lines = [line for line in ran.output.splitlines() if line.startswith(_MARK)]
    if not lines:
        raise Unavailable(
            "Airflow inside the deployment could not be asked.",
            code="environment-test-failed",
            hint="`aerodrome deployment logs` shows whether it starts at all.",
            details={"exit_code": ran.exit_code},
        )
    answer = json.loads(lines[-1].removeprefix(_MARK))
    return ConnectionTest(answer["outcome"], _message(answer), _hint(answer), seconds)


def _message(answer: Mapping[str, Any]) -> str:
    if answer["outcome"] == "no-provider":
        return f"This deployment has no provider for connections of the type {answer['conn_type']!r}."
    return str(answer["message"]) or "The connection works."


def _hint(answer: Mapping[str, Any]) -> str:
    if answer["outcome"] == "no-provider":
        package = PROVIDERS.get(str(answer["conn_type"]))
        if package is None:
            return "Add the provider package that brings this type to requirements.txt and deploy again."
        return f"Add apache-airflow-providers-{package} to requirements.txt and deploy again."
    if answer["outcome"] == "missing":
        return "Link it to this deployment: `aerodrome env link`."
    return ""


def _in_backend(context: FleetContext, row: SecretsBackendRow | None) -> tuple[Names, str]:
    if row is None:
        return _NOTHING, ""
    try:
        opened = backends.open_backend(context.secrets, row)
        found: dict[Kind, frozenset[str]] = {
            "connection": frozenset(opened.names("connection")),
            "variable": frozenset(opened.names("variable")),
        }
    except AerodromeError as error:
        return _NOTHING, f"The secrets backend {row.name} could not be listed; what it has comes first. {error.message}"
    return {**_NOTHING, **found}, ""


def _has_started(session: Session, row: DeploymentRow) -> bool:
    seen = session.get(ObservationRow, row.id)
    return seen is not None and seen.base_url is not None


def _in_database(context: FleetContext, row: DeploymentRow, deploy: DeployRow | None) -> tuple[Names, str]:
    try:
        access = context.runtime.access(runtime_spec(context, row, deploy, lambda _line: None))
        database = MetadataDatabase(access.database_url)
        with database.reading() as connection:
            found = {
                kind: frozenset(str(name) for name in connection.scalars(select(database.table(table).c[column])))
                for kind, (table, column) in _TABLES.items()
            }
    except AerodromeError as error:
        return dict(_NOTHING), f"The metadata database could not be looked at. {error.message}"
    return {**_NOTHING, **found}, ""


@dataclass(frozen=True)
class _Elsewhere:
    """The places outside of the environment manager's own connections and variables."""

    resolved: Resolved
    in_database: Names
    in_backend: Names
    backend: str

    def before(self, kind: Kind, name: str) -> list[Place]:
        """Give the places that are asked before the environment manager."""
        found = kind != "env" and name in self.in_backend[kind]
        return [Place("secrets backend", self.backend, wins=False)] if found else []

    def after(self, kind: Kind, name: str) -> list[Place]:
        """Give the places that are asked after it, the stronger first."""
        found: list[Place] = []
        if kind != "env":
            variable = f"{_PREFIXES[kind]}{name.upper()}"
            if any(item.name == variable for item in self.resolved.of("env")):
                found.append(Place("env var", variable, wins=False))
            if name in self.in_database[kind]:
                found.append(Place("metadata database", _TABLES[kind][0], wins=False))
        return found


def _view(item: ResolvedItem, where: _Elsewhere) -> EffectiveView:
    places = [*where.before(item.kind, item.name), Place(item.source, "environment manager", wins=False)]
    if item.shadows:
        places.append(Place("workspace", "environment manager", wins=False))
    places += where.after(item.kind, item.name)
    return EffectiveView(
        kind=item.kind,
        name=item.name,
        object_id=item.object_id,
        version=item.version,
        source=places[0].place,
        fields=contents.masked(item.fields, item.secrets),
        is_secret=item.is_secret,
        description=item.description,
        overridden=item.overridden,
        places=_first_wins(places),
    )


def _foreign(kind: Kind, name: str, where: _Elsewhere) -> EffectiveView:
    places = _first_wins([*where.before(kind, name), *where.after(kind, name)])
    fields = {} if kind == "connection" else {"value": MASK}
    return EffectiveView(kind, name, None, None, places[0].place, fields, True, "", (), places)


def _first_wins(places: list[Place]) -> tuple[Place, ...]:
    return tuple(replace(place, wins=number == 0) for number, place in enumerate(places))
