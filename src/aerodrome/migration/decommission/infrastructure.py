"""Derives from the estate and the source's own rows what there is to remove, and which secrets to revoke. Pure but for reading.

Nothing here is a guess without a reason: each item says where it was seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

from sqlalchemy import func, select

from aerodrome.airflowkit.metadata import MetadataDatabase
from aerodrome.kernel.clock import to_text
from aerodrome.migration.decommission import definitions
from aerodrome.migration.sources.airflow_db.rows import utc
from aerodrome.migration.sources.contract import DEFINITION_KINDS

_POD = re.compile(r"-[0-9a-f]{6,10}-[0-9a-z]{5}$|-(?=[a-z]*\d)[a-z0-9]{8}$|-(?:worker|triggerer|scheduler)-\d+$")
_SECRET_ENVS = ("airflow-config",)
_SECRET_OPTION = re.compile(
    r"(?i)sql_alchemy_conn|broker_url|result_backend|secret|password|fernet|dsn|backend_kwargs|token"
)
_CLOUDS = frozenset({"aws", "google_cloud_platform", "azure", "wasb", "adls", "s3", "gcpbigquery"})
MOST_HOSTS = 200


class Records(Protocol):
    """What is needed of an estate."""

    def records(self, kind: str) -> Iterable[Any]: ...


@dataclass(frozen=True)
class Item:
    """One thing to remove, to revoke or to tell somebody about."""

    kind: str  # machine | kubernetes | database | broker | storage | address | service | secret | people
    name: str
    seen: str  # where it was found
    action: str

    def as_data(self) -> dict[str, str]:
        return dict(vars(self))


def derive(
    estate: Records, source_label: str, hosts: Sequence[Mapping[str, Any]], *, source_kind: str = "airflow-db"
) -> list[Item]:
    """Give the list, grouped by kind. `hosts` are those of `hosts_of`."""
    config = {record.option: record for record in estate.records("config")}
    is_converted = source_kind in DEFINITION_KINDS  # of definitions: no Airflow has ever worked there
    items = [
        *_database(source_label),
        *_managed(source_kind, source_label),
        *(Item(*found) for found in definitions.leftovers(source_kind, source_label, estate.records("connection"))),
        *(() if is_converted else _identities(estate, config)),
        *_hosts(hosts, config),
        *_config(config),
        *(() if is_converted else _fernet_key()),
        *_secrets(estate, config),
        *_people(estate),
    ]
    order = ("machine", "kubernetes", "database", "broker", "storage", "address", "service", "secret", "people")
    return sorted(items, key=lambda item: (order.index(item.kind), item.name))


def hosts_of(database: MetadataDatabase) -> list[dict[str, Any]]:
    """Read which hosts the source's processes and tasks ran on: [{"name", "role", "last"}], the newest first."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    with database.reading() as connection:
        if database.has("job", "hostname"):
            job = database.table("job")
            query = select(job.c.hostname, job.c.job_type, func.max(job.c.latest_heartbeat)).group_by(
                job.c.hostname, job.c.job_type
            )
            for name, role, last in connection.execute(query):
                _note(found, name, str(role or "job").removesuffix("Job").lower(), last)
        task = database.table("task_instance")
        query = select(task.c.hostname, func.max(task.c.end_date)).group_by(task.c.hostname)
        for name, last in connection.execute(query):
            _note(found, name, "tasks", last)
    ordered = sorted(found.values(), key=lambda item: item["last"] or "", reverse=True)
    return ordered[:MOST_HOSTS]


def _note(found: dict[tuple[str, str], dict[str, Any]], name: str | None, role: str, last: Any) -> None:
    if name:
        found[(name, role)] = {"name": name, "role": role, "last": to_text(utc(last))}


def _database(label: str) -> Iterator[Item]:
    if "://" in label:
        yield Item("database", label, "the source's address", "Remove after the final backup was restored once.")


def _hosts(hosts: Sequence[Mapping[str, Any]], config: Mapping[str, Any]) -> Iterator[Item]:
    executor = str(config["core.executor"].value) if "core.executor" in config else ""
    by_name: dict[str, list[Mapping[str, Any]]] = {}
    for host in hosts:
        by_name.setdefault(str(host["name"]), []).append(host)
    pods: dict[str, list[str]] = {}
    task_pods = 0
    for name, roles in by_name.items():
        if "Kubernetes" in executor and _POD.search(name):
            if "Celery" not in executor and all(item["role"] == "tasks" for item in roles):
                task_pods += 1  # each task has one of its own, gone with it
                continue
            pods.setdefault(_POD.sub("", name), []).append(max(str(item["last"] or "")[:10] for item in roles))
            continue
        seen = ", ".join(f"{item['role']} until {str(item['last'])[:10]}" for item in roles)
        yield Item("machine", name, seen, "Stop Airflow's services, then remove the machine or give it back.")
    for workload, days in pods.items():
        many = f"{len(days)} pod{'' if len(days) == 1 else 's'}, the last {max(days) or 'at an unknown moment'}"
        action = "Remove the workload, its service account, config maps, secrets and volume claims; with Helm: helm uninstall."
        yield Item("kubernetes", workload, many, action)
    if task_pods:
        yield Item(
            "kubernetes",
            "pods of tasks",
            f"{task_pods} among the newest hosts",
            "Gone with their tasks; see that none was left behind: kubectl get pods -l airflow_version.",
        )


def _managed(kind: str, label: str) -> Iterator[Item]:
    """What belongs to a managed environment beside itself."""
    if kind == "mwaa":
        yield Item("service", label, "the source: Amazon MWAA", "Delete the environment once nothing needs it.")
        yield Item(
            "storage",
            f"{label}: its S3 bucket",
            "an environment has one",
            "Keep what is still read, then empty and remove it.",
        )
        yield Item(
            "storage",
            f"{label}: its CloudWatch log groups",
            "an environment writes there",
            "Export what must be kept, then remove them.",
        )
        yield Item(
            "service",
            f"{label}: execution role, security groups, VPC endpoints",
            "an environment has them",
            "Remove what nothing else uses.",
        )
    if kind == "composer":
        yield Item(
            "service", label, "the source: Google Cloud Composer", "Delete the environment once nothing needs it."
        )
        yield Item(
            "kubernetes",
            f"{label}: its GKE cluster",
            "an environment runs in one",
            "Gone with the environment; see that no workload of yours was put there.",
        )
        yield Item(
            "storage",
            f"{label}: its bucket",
            "an environment has one; it outlives it",
            "Keep what is still read, then remove it.",
        )
        yield Item(
            "service",
            f"{label}: service account and its bindings",
            "an environment runs as one",
            "Take its rights away, then remove it.",
        )


def _identities(estate: Records, config: Mapping[str, Any]) -> Iterator[Item]:
    """Accounts as which the old Airflow worked, beside the secrets that stand in it."""
    for option, what in (
        ("logging.remote_log_conn_id", "the connection for remote logs"),
        ("email.email_conn_id", "the connection for mail"),
        ("kubernetes_executor.worker_service_account_name", "service account of the worker pods"),
    ):
        record = config.get(option)
        if record is not None and record.value:
            yield Item("secret", str(record.value), what, "Take its rights away: the new Airflow has its own.")
    for record in estate.records("connection"):
        if record.conn_type in _CLOUDS and not (record.has_password or record.has_extra):
            where = f"connection of type {record.conn_type} without a secret: the machine's own role"
            yield Item("secret", record.conn_id, where, "Take the role away from the old machines.")


def _config(config: Mapping[str, Any]) -> Iterator[Item]:
    known = (
        ("celery.broker_url", "broker", "Remove the queues of Airflow, or the broker when nothing else uses it."),
        ("celery.result_backend", "database", "Remove the tables or the database of Celery's results."),
        ("kubernetes_executor.namespace", "kubernetes", "Remove the namespace with what stands in it."),
        ("kubernetes.namespace", "kubernetes", "Remove the namespace with what stands in it."),
        ("kubernetes_executor.worker_container_repository", "storage", "Remove the images from the registry."),
        ("kubernetes.worker_container_repository", "storage", "Remove the images from the registry."),
        ("logging.remote_base_log_folder", "storage", "Keep as long as logs must be kept, then remove."),
        ("core.remote_base_log_folder", "storage", "Keep as long as logs must be kept, then remove."),
        ("logging.base_log_folder", "storage", "Archived by `--logs`; then remove."),
        ("webserver.base_url", "address", "Take out of DNS and of the load balancer; leave a pointer to the new address."),
        ("api.base_url", "address", "Take out of DNS and of the load balancer; leave a pointer to the new address."),
        ("metrics.statsd_host", "service", "Remove its dashboards and alerts of the old Airflow."),
        ("secrets.backend", "service", "Take the old Airflow's right to read away; the secrets themselves may still be used."),
        ("metrics.otel_host", "service", "Remove its dashboards and alerts of the old Airflow."),
        ("openlineage.transport", "service", "Tell the lineage service that this producer is gone."),
        ("elasticsearch.host", "storage", "Remove the indices of task logs once they need not be kept."),
        ("opensearch.host", "storage", "Remove the indices of task logs once they need not be kept."),
        ("kubernetes_executor.pod_template_file", "kubernetes", "Remove the template and what it mounts: volumes, secrets, config maps."),
        ("kubernetes.pod_template_file", "kubernetes", "Remove the template and what it mounts: volumes, secrets, config maps."),
        ("celery.flower_url_prefix", "service", "Remove Flower."),
        ("smtp.smtp_host", "service", "Take the old Airflow's sender address out of use."),
        ("sentry.sentry_on", "service", "Remove the project of the old Airflow."),
    )  # fmt: skip
    for option, kind, action in known:
        record = config.get(option)
        if record is None or record.value == "" or record.value in ("False", "false"):
            continue
        yield Item(kind, _name(record), f"[{option.partition('.')[0]}] {option.partition('.')[2]}", action)


def _name(record: Any) -> str:
    """Name a value without user and password; a secret option has none, and is named by itself."""
    if record.value is None:
        return str(record.option)
    parts = urlsplit(str(record.value))
    if parts.scheme and parts.hostname:
        return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}{parts.path}"
    return str(record.value)


def _fernet_key() -> Iterator[Item]:
    yield Item(
        "secret", "Fernet key of the source", "its configuration", "Destroy it once the final backup's retention ends."
    )


def _secrets(estate: Records, config: Mapping[str, Any]) -> Iterator[Item]:
    for option, record in sorted(config.items()):
        if record.is_secret and _SECRET_OPTION.search(option):
            yield Item("secret", option, "configuration option", "Revoke or change it: the old machines knew it.")
    for record in estate.records("env_var"):
        if record.is_secret and record.purpose not in _SECRET_ENVS:
            yield Item("secret", record.name, "environment variable", "Revoke or change it: the old machines knew it.")
    for record in estate.records("connection"):
        if record.has_password or record.has_extra:
            where = f"connection to {record.host}" if record.host else f"connection of type {record.conn_type or '?'}"
            action = "Give the target a login of its own, then revoke this one."
            yield Item("secret", record.conn_id, where, action)
    for record in estate.records("variable"):
        if record.is_sensitive:
            yield Item("secret", record.name, "Airflow variable", "Change it where it is issued, then in the target.")


def _people(estate: Records) -> Iterator[Item]:
    users = [record for record in estate.records("user") if record.is_active]
    if users:
        names = ", ".join(sorted(record.username for record in users)[:20])
        yield Item(
            "people", f"{len(users)} users", names, "Tell them the new address; remove the groups that gave access."
        )
