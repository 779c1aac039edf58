"""The installation as a whole: version, executor, configuration, import errors, users."""

from __future__ import annotations

from collections.abc import Iterator

from aerodrome.migration.assess.contract import Check, Place
from aerodrome.migration.assess.inventory import Inventory

_LOCAL_EXECUTORS = ("LocalExecutor", "SequentialExecutor")
_OWN_SECTIONS = (
    "core.security",
    "webserver.config_file",
    "core.plugins_folder",
    "secrets.backend",
    "logging.logging_config_class",
)


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


def _secrets_backend(inventory: Inventory) -> Iterator[Place]:
    backend = inventory.option("secrets.backend")
    if backend:
        yield Place("source", f"Secrets also come from {backend.rpartition('.')[2]}; they are not in this inventory.")


def _queues(inventory: Inventory) -> Iterator[Place]:
    queues: dict[str, int] = {}
    for dag in inventory.active_dags:
        for queue in dag.queues:
            if queue != (inventory.option("operators.default_queue") or "default"):
                queues[queue] = queues.get(queue, 0) + 1
    for queue, count in sorted(queues.items()):
        yield Place(f"queue:{queue}", f"Tasks of {count} DAGs ask for the queue {queue}.")


def _executor_config(inventory: Inventory) -> Iterator[Place]:
    for dag in inventory.active_dags:
        count = sum(bool(task.get("has_executor_config")) for task in dag.tasks)
        if count:
            yield Place(f"dag:{dag.dag_id}", f"{count} tasks have an executor_config.", f"dags/{dag.file}")


def _users(inventory: Inventory) -> Iterator[Place]:
    for user in inventory.users:
        if user.is_active and "Admin" in user.roles:
            yield Place(f"user:{user.username}", f"{user.username} is an administrator in the source.")


def _old(inventory: Inventory) -> Iterator[Place]:
    if inventory.source_version.startswith("1."):
        yield Place("source", f"Airflow {inventory.source_version} is older than what can move in one step.")


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
    Check(
        "secrets-backend", "warning", "A secrets backend", "Give the target access to it, or put the secrets into the platform.",
        _secrets_backend, 2,
    ),
    Check("queue", "warning", "Queues of their own", "Name the workers that serve it in the target.", _queues, 0.5),
    Check(
        "executor-config", "warning", "Tasks with an executor_config",
        "Kubernetes pod overrides have no effect on another executor.", _executor_config, 1,
    ),
    Check("admin-user", "info", "Administrators", "Give roles in the platform to those who need them.", _users),
    Check("source-version", "blocker", "The source's version", "Upgrade the source to 2.x first.", _old, 8),
)  # fmt: skip
