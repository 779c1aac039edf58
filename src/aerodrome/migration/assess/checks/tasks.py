"""What the tasks of DAGs are: where they compute, how they wait, what Airflow 3 no longer takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from aerodrome.migration.assess.contract import Check, Place
from aerodrome.migration.assess.inventory import Inventory
from aerodrome.migration.estate.records import DagRecord

_RULES_GONE = ("dummy", "none_failed_or_skipped")
MANY_TASKS = 200
_KUBERNETES = ("KubernetesPod", "KubernetesJob", "SparkKubernetes", "GKEStartPod", "EksPod")
_DOCKER = ("DockerOperator", "DockerSwarm", "_DockerDecorated")
_SPARK = ("SparkSubmit", "LivyOperator", "SparkSql")
_VENV = ("PythonVirtualenv", "ExternalPython")


def _place(dag: DagRecord, message: str) -> Place:
    return Place(f"dag:{dag.dag_id}", message, f"dags/{dag.file}")


def _tasks(number: int, verb: str = "") -> str:
    return f"1 task{f' {verb}s' if verb else ''}" if number == 1 else f"{number} tasks{f' {verb}' if verb else ''}"


def _of(words: tuple[str, ...], verb: str, rest: str) -> Callable[[Inventory], Iterator[Place]]:
    def find(inventory: Inventory) -> Iterator[Place]:
        for dag in inventory.active_dags:
            names = [str(task.get("class") or task.get("operator") or "") for task in dag.tasks]
            count = sum(any(word in name for word in words) for name in names)
            if count:
                yield _place(dag, f"{_tasks(count, verb)} {rest}.")

    return find


def _counted(flag: str, sentence: Callable[[int], str]) -> Callable[[Inventory], Iterator[Place]]:
    def find(inventory: Inventory) -> Iterator[Place]:
        for dag in inventory.active_dags:
            count = sum(bool(task.get(flag)) for task in dag.tasks)
            if count:
                yield _place(dag, sentence(count))

    return find


def _rules(inventory: Inventory) -> Iterator[Place]:
    if inventory.is_major_upgrade:
        for dag in inventory.active_dags:
            rules = {str(task.get("trigger_rule")) for task in dag.tasks}.intersection(_RULES_GONE)
            for rule in sorted(rules):
                yield _place(dag, f"The trigger rule {rule} is gone in Airflow 3.")


def _callbacks(inventory: Inventory) -> Iterator[Place]:
    for dag in inventory.active_dags:
        count = sum(bool(task.get("has_callbacks")) for task in dag.tasks)
        own = ", ".join(filter(None, dag.callbacks))
        if count or own:
            parts = [
                part
                for part in (f"{_tasks(count, 'call')} back" if count else "", f"the DAG has {own}" if own else "")
                if part
            ]
            text = " and ".join(parts)
            yield _place(dag, f"{text[0].upper()}{text[1:]} when something happens.")


def _large(inventory: Inventory) -> Iterator[Place]:
    for dag in inventory.active_dags:
        if dag.task_count > MANY_TASKS:
            yield _place(dag, f"It has {dag.task_count:,} tasks.")


def _unread(inventory: Inventory) -> Iterator[Place]:
    for dag in inventory.active_dags:
        if not dag.task_count and not dag.import_error:
            yield _place(dag, "The source keeps no serialized form of it: its tasks and schedule are not known here.")


CHECKS = (
    Check(
        "trigger-rule-gone", "blocker", "Trigger rules that Airflow 3 does not take",
        "Write always for dummy, none_failed_min_one_success for none_failed_or_skipped.", _rules, 0.25,
    ),
    Check(
        "kubernetes-task", "warning", "Tasks that start pods",
        "The target needs a cluster, a service account and a namespace for them.", _of(_KUBERNETES, "start", "pods in Kubernetes"), 0.25,
    ),
    Check(
        "docker-task", "warning", "Tasks that start containers",
        "They need a Docker daemon beside the worker: most hosted places give none.", _of(_DOCKER, "start", "containers"), 0.5,
    ),
    Check(
        "spark-task", "warning", "Tasks that submit to Spark",
        "The target needs the client, its settings and a path to the cluster.", _of(_SPARK, "submit", "to Spark"), 0.25,
    ),
    Check(
        "virtualenv-task", "info", "Tasks with a Python of their own",
        "The other Python must exist in the target, or be built there.", _of(_VENV, "run", "in another Python"), 0.5,
    ),
    Check(
        "poke-sensor", "info", "Sensors that hold a slot while they wait",
        "Use mode=reschedule or deferrable=True: slots are what a deployment is sized by.",
        _counted("is_poking", lambda n: f"{_tasks(n, 'wait')} in a worker slot."),
    ),
    Check(
        "past-dependency", "info", "Tasks that depend on their past",
        "Move the history before the first run: without it they wait for ever or start too early.",
        _counted("depends_on_past", lambda n: f"{_tasks(n, 'depend')} on the past run."), 0.25,
    ),
    Check(
        "mapped-task", "info", "Mapped tasks", "Compare their number of instances in the first run.",
        _counted("is_mapped", lambda n: f"{_tasks(n)} {'is' if n == 1 else 'are'} mapped at run time."),
    ),
    Check("callback", "info", "Callbacks", "Run one on the target: it imports and reaches what it tells.", _callbacks, 0.25),
    Check("dag-large", "info", "DAGs of many tasks", "Watch its parse time and its first run.", _large, 0.5),
    Check("dag-unread", "warning", "DAGs whose form is not known", "Parse it in the source, then assess again.", _unread, 0.25),
)  # fmt: skip
