"""The installation as a whole: version, executor, configuration, import errors, users."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from aerodrome.airflowkit.config_changes import REMOVED, RENAMED
from aerodrome.airflowkit.config_defaults import DEFAULTS
from aerodrome.migration.assess.contract import Check, Place
from aerodrome.migration.assess.inventory import Inventory
from aerodrome.migration.assess.wording import counted
from aerodrome.migration.estate.records import ConfigRecord
from aerodrome.migration.sources.task_logs.place import LogPlace, place_of

_LOCAL_EXECUTORS = ("LocalExecutor", "SequentialExecutor")
_STOCK_ROLES = ("Admin", "Op", "User", "Viewer", "Public")
_STOCK_AUTH = (
    "airflow.api.auth.backend.session",
    "airflow.api.auth.backend.basic_auth",
    "airflow.api.auth.backend.default",
    "airflow.api.auth.backend.deny_all",
    "airflow.providers.fab.auth_manager.api.auth.backend.basic_auth",
    "airflow.providers.fab.auth_manager.api.auth.backend.session",
)
_STOCK_MANAGERS = ("FabAuthManager", "SimpleAuthManager")


def _import_errors(inventory: Inventory) -> Iterator[Place]:
    for error in inventory.import_errors:
        yield Place(f"file:dags/{error.file}", f"The source cannot import it: {error.message}", f"dags/{error.file}")


def _pickles(inventory: Inventory) -> Iterator[Place]:
    if (inventory.option("core.enable_xcom_pickling") or "").lower() in ("true", "1"):
        yield Place("source", "XComs are pickled; Airflow 3 keeps JSON only.")


def _executor(inventory: Inventory) -> Iterator[Place]:
    executor = inventory.option("core.executor")
    if executor and executor not in _LOCAL_EXECUTORS:
        yield Place("source", f"Tasks run by the {executor}.")


def _queues(inventory: Inventory) -> Iterator[Place]:
    queues: dict[str, int] = {}
    for dag in inventory.active_dags:
        for queue in dag.queues:
            if queue != (inventory.option("operators.default_queue") or "default"):
                queues[queue] = queues.get(queue, 0) + 1
    for queue, count in sorted(queues.items()):
        yield Place(f"queue:{queue}", f"Tasks of {counted(count, 'DAG')} ask for the queue {queue}.")


def _executor_config(inventory: Inventory) -> Iterator[Place]:
    for dag in inventory.active_dags:
        count = sum(bool(task.get("has_executor_config")) for task in dag.tasks)
        if count:
            yield Place(
                f"dag:{dag.dag_id}",
                f"{counted(count, 'task')} {'has' if count == 1 else 'have'} an executor_config.",
                f"dags/{dag.file}",
            )


def _users(inventory: Inventory) -> Iterator[Place]:
    for user in inventory.users:
        if user.is_active and "Admin" in user.roles:
            yield Place(f"user:{user.username}", f"{user.username} is an administrator in the source.")


def _old(inventory: Inventory) -> Iterator[Place]:
    parts = inventory.source_version.split(".")
    minor = int(parts[1]) if len(parts) > 1 and parts[1].isdigit() else None
    if parts[0] == "1" and (minor is None or minor < 10):
        yield Place("source", f"Airflow {inventory.source_version} is older than what can be read.")


def _legacy(inventory: Inventory) -> Iterator[Place]:
    if inventory.source_version.startswith("1.10"):
        yield Place(
            "source", f"Airflow {inventory.source_version}: its code, its history and its plugins are of the 1.10 kind."
        )


def _config_removed(inventory: Inventory) -> Iterator[Place]:
    if inventory.is_major_upgrade:
        for record in inventory.config:
            if record.option in REMOVED and not _is_default(record):
                yield Place(f"config:{record.option}", f"Airflow 3 no longer has the option {record.option}.")


def _config_renamed(inventory: Inventory) -> Iterator[Place]:
    if inventory.is_major_upgrade:
        for record in inventory.config:
            name = RENAMED.get(record.option)
            if name and not _is_default(record):
                yield Place(f"config:{record.option}", f"In Airflow 3 the option {record.option} is called {name}.")


def _config_defaults(inventory: Inventory) -> Iterator[Place]:
    if inventory.is_major_upgrade:
        found = [record.option for record in inventory.config if _is_default(record)]
        if found:
            count = "1 option" if len(found) == 1 else f"{len(found)} options"
            yield Place("source", f"{count} that Airflow 3 removed or renamed: the values are Airflow's own defaults.")


def _is_default(record: ConfigRecord) -> bool:
    """Tell whether the value says nothing: airflow.cfg as Airflow writes it holds every option."""
    return record.value is not None and DEFAULTS.get(record.option) == record.value.strip()


def _is_on(value: str | None) -> bool:
    return (value or "").strip().lower() in ("true", "1", "t", "yes", "on")


def _logs_remote(inventory: Inventory) -> Iterator[Place]:
    if any(_is_on(inventory.option(name)) for name in ("logging.remote_logging", "core.remote_logging")):
        options = {record.option: record.value or "" for record in inventory.config}
        place = place_of(options)
        yield Place("source", f"Task logs are in {place.label}{_readable(inventory, place)}.")


def _readable(inventory: Inventory, place: LogPlace) -> str:
    readable = inventory.measure("logs:readable")
    if readable:
        return "; they can be read from here, and are copied with the history"
    if not place.is_read:
        return "; such a store is not read, so old logs stay there"
    return "" if readable is None else "; they cannot be read from here"


def _logs_local(inventory: Inventory) -> Iterator[Place]:
    known = [inventory.option(name) for name in ("logging.remote_logging", "core.remote_logging")]
    if inventory.config and not any(_is_on(value) for value in known):
        folder = inventory.option("logging.base_log_folder") or inventory.option("core.base_log_folder")
        yield Place("source", f"Task logs are files of the source's machines{f', in {folder}' if folder else ''}.")


def _xcom_backend(inventory: Inventory) -> Iterator[Place]:
    backend = inventory.option("core.xcom_backend")
    if backend and backend.rpartition(".")[2] != "BaseXCom":
        yield Place("source", f"XComs go through {backend}.")


def _auth(inventory: Inventory) -> Iterator[Place]:
    manager = inventory.option("core.auth_manager")
    if manager and manager.rpartition(".")[2] not in _STOCK_MANAGERS:
        yield Place("source", f"People sign in through {manager.rpartition('.')[2]}.")
    backends = inventory.option("api.auth_backends") or inventory.option("api.auth_backend") or ""
    others = [name.strip() for name in backends.split(",") if name.strip() and name.strip() not in _STOCK_AUTH]
    if others:
        yield Place("source", f"The REST API takes {', '.join(others)}.")


def _policy(inventory: Inventory) -> Iterator[Place]:
    for file in inventory.files:
        if file.path.rpartition("/")[2] == "airflow_local_settings.py":
            yield Place(
                f"file:{file.key}", "Policies and hooks of the cluster stand in airflow_local_settings.py.", file.key
            )


def _metrics(inventory: Inventory) -> Iterator[Place]:
    for name in ("metrics.statsd_on", "scheduler.statsd_on", "metrics.otel_on"):
        if _is_on(inventory.option(name)):
            yield Place(f"config:{name}", f"The source sends metrics ({name}).")


def _mail(inventory: Inventory) -> Iterator[Place]:
    host = inventory.option("smtp.smtp_host")
    if host:
        yield Place("config:smtp.smtp_host", f"Alerts go by e-mail through {host}.")


def _parallel(inventory: Inventory) -> Iterator[Place]:
    text = inventory.option("core.parallelism") or ""
    if text.strip().isdigit():
        yield Place("config:core.parallelism", f"Up to {int(text)} tasks run at a time per scheduler.")


def _roles(inventory: Inventory) -> Iterator[Place]:
    for role in inventory.roles:
        if role.name not in _STOCK_ROLES and role.users:
            users = "1 user has" if role.users == 1 else f"{role.users} users have"
            yield Place(f"role:{role.name}", f"{users} the role {role.name}, of {role.permissions} permissions.")


def _people(inventory: Inventory) -> Iterator[Place]:
    counts: Counter[str] = Counter(role for user in inventory.users if user.is_active for role in user.roles)
    if counts:
        shown = ", ".join(f"{total} {role}" for role, total in sorted(counts.items()))
        active = sum(user.is_active for user in inventory.users)
        yield Place("source", f"{active} of {len(inventory.users)} users are active: {shown}.")


CHECKS = (
    Check(
        "import-error", "blocker", "Files that the source itself cannot import",
        "Mend or remove it; its DAGs do not run today.", _import_errors, 1,
    ),
    Check(
        "xcom-pickling", "warning", "Pickled XComs", "Make tasks return JSON; old pickled values stay behind.", _pickles, 2,
    ),
    Check(
        "executor", "info", "Another executor", "The hosted deployment runs tasks itself; size it for their peak.", _executor,
    ),
    Check("queue", "warning", "Queues of their own", "Name the workers that serve it in the target.", _queues, 0.5),
    Check(
        "executor-config", "warning", "Tasks with an executor_config",
        "Kubernetes pod overrides have no effect on another executor.", _executor_config, 1,
    ),
    Check("admin-user", "info", "Administrators", "Give roles in the platform to those who need them.", _users),
    Check("source-version", "blocker", "A source older than 1.10", "Upgrade it to 1.10.15 first.", _old, 8),
    Check(
        "source-legacy", "warning", "A source of the 1.10 line",
        "Expect rewritten imports everywhere; rehearse one DAG of each kind before the first wave.", _legacy, 8,
    ),
    Check(
        "config-removed", "warning", "Options that Airflow 3 no longer has",
        "Leave it out, or find what does its work now.", _config_removed, 0.25,
    ),
    Check(
        "config-default", "info", "Old options with Airflow's own values",
        "Nothing to do: leave them out in the target.", _config_defaults,
    ),
    Check("config-renamed", "info", "Options with another name", "Set it under its new name in the target.", _config_renamed, 0.1),
    Check("logs-remote", "info", "Task logs in a remote store", "Let the platform read S3 or Google Cloud Storage: old logs are copied then. Other stores stay.", _logs_remote, 1),
    Check(
        "logs-local", "info", "Task logs on the source's machines",
        "They are copied where the folder is on the platform's machine too; mount it there, or keep the source.", _logs_local, 1,
    ),
    Check(
        "xcom-backend", "warning", "An XCom backend of your own",
        "Install the class in the target; the values in its store need its rights.", _xcom_backend, 2,
    ),
    Check("custom-auth", "warning", "A way to sign in of your own", "Decide how people and programs sign in to the target.", _auth, 4),
    Check(
        "cluster-policy", "warning", "Cluster policies",
        "They change tasks at parse time: install the file in the target before comparing.", _policy, 2,
    ),
    Check("metrics-export", "info", "Metrics of the source", "Point your dashboards at the target's metrics.", _metrics, 1),
    Check("mail-alerts", "info", "Alerts by e-mail", "Give the target the same server, and send a test.", _mail, 0.5),
    Check("parallelism", "info", "Tasks at a time", "Size the target for it.", _parallel),
    Check("role-custom", "info", "Roles of your own", "Give its users a role of the platform that allows as much.", _roles, 0.5),
    Check("users", "info", "Who works in the source", "Invite the active ones before the first wave.", _people),
)  # fmt: skip
