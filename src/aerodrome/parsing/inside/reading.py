"""Reads one DAG file as Airflow's own DAG processor does, and says what it defines.

Runs in a process of the file's own. Standard library and Airflow only, Python 3.8 and newer.
"""

from __future__ import annotations

import datetime as dt
import functools
import importlib
import inspect
import json
import os
import pathlib
import sys
import time
import traceback
import warnings
import zlib
from typing import Any, Dict, FrozenSet, List, Optional, Set, Tuple

_UNSAFE = (
    "socket.connect",
    "socket.getaddrinfo",
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
)
_TASK_FIELDS = (
    "retries", "retry_delay", "retry_exponential_backoff", "pool", "pool_slots", "queue", "trigger_rule", "depends_on_past",
    "wait_for_downstream", "priority_weight", "weight_rule", "execution_timeout", "max_active_tis_per_dag", "executor",
    "owner", "template_fields",
)  # fmt: skip
_DAG_FIELDS = (
    "catchup", "max_active_runs", "max_active_tasks", "start_date", "end_date", "dagrun_timeout", "is_paused_upon_creation",
    "max_consecutive_failed_dag_runs", "render_template_as_native_obj", "description",
)  # fmt: skip
_ALWAYS = ("retry_exponential_backoff", "weight_rule")
_CALLBACKS = (
    "on_failure_callback", "on_success_callback", "on_retry_callback", "on_execute_callback", "on_skipped_callback",
)  # fmt: skip
_DEEP = 6
Request = Dict[str, Any]
_runs = sys.modules["__main__"].sibling("runs")


class Reads:
    """What a file's reading depended on; its hook cannot be taken away again, so it lives in the file's process only."""

    is_safe = True
    files: Set[str] = set()

    @classmethod
    def watch(cls, project: str, safe_roots: Tuple[str, ...]) -> None:
        cls.is_safe = True

        def hook(event: str, arguments: Any) -> None:
            if event == "open":
                path = arguments[0]
                if isinstance(path, int):
                    return
                path = os.path.abspath(os.fsdecode(path)) if isinstance(path, (str, bytes)) else ""
                if path.startswith(project + "/"):
                    cls.files.add(path)
                elif not path.startswith(safe_roots):
                    cls.is_safe = False
            elif event.startswith(_UNSAFE):
                cls.is_safe = False

        sys.addaudithook(hook)


def read(file: str, request: Request) -> Dict[str, Any]:
    """Read the file: its DAGs, its errors by path, the project's files that it read, and whether all it read is known."""
    roots = (
        sys.prefix + "/",
        sys.base_prefix + "/",
        "/usr/",
        "/lib",
        "/proc/",
        "/dev/",
        "/etc/",
        *request["safe_roots"],
    )
    is_watched = False
    if request["is_remembering"]:
        Reads.watch(request["importable"], roots)
        try:
            _watch_secrets()
            is_watched = True
        except Exception:
            is_watched = False
    lenient: Any = sys.modules["__main__"].sibling("lenient") if request.get("is_lenient") else None
    if lenient:
        lenient.install(request["importable"], request["dags"], file)
    started = time.monotonic()
    bag = _bag(file, request)
    errors = {str(path): str(text) for path, text in bag.import_errors.items()}
    dags = []
    computed: Dict[str, Any] = {}
    for dag_id, dag in list(bag.dags.items()):
        try:
            dags.append(_facts(dag_id, dag, request, computed))
        except Exception:
            errors.setdefault("not-serializable:" + dag_id, traceback.format_exc(limit=-6))
    reads = set(Reads.files)
    if request["is_remembering"]:
        modules = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
        root = request["importable"] + "/"
        reads |= {path for path in modules if isinstance(path, str) and path.startswith(root)}
    return {
        "file": os.path.relpath(file, request["project"]),
        "dags": dags,
        "errors": errors,
        "reads": sorted(os.path.relpath(path, request["importable"]) for path in reads),
        "is_safe": Reads.is_safe and is_watched,
        "seconds": round(time.monotonic() - started, 4),
        "stand_ins": sorted(lenient.used()) if lenient else [],
        "computed_runs": computed,
    }


def warm_up() -> None:
    """Read a DAG that is nobody's, so that what Airflow prepares at the first one is there for every file."""
    models: Any = importlib.import_module("airflow.models")
    pendulum: Any = importlib.import_module("pendulum")
    names = inspect.signature(models.DAG.__init__).parameters
    schedule = {"schedule" if "schedule" in names else "schedule_interval": "@daily"}
    start = pendulum.datetime(2026, 1, 1) if hasattr(pendulum, "datetime") else pendulum.create(2026, 1, 1)
    dag = models.DAG("aerodrome_warm_up", start_date=start, catchup=False, params={"a": 1}, tags=["a"], **schedule)
    try:
        python: Any = importlib.import_module("airflow.providers.standard.operators.python")
    except ImportError:
        try:
            python = importlib.import_module("airflow.operators.python")
        except ImportError:
            python = importlib.import_module("airflow.operators.python_operator")
    first = python.PythonOperator(task_id="first", python_callable=_plain, dag=dag)
    first >> python.PythonOperator(task_id="second", python_callable=_plain, dag=dag)
    _facts(dag.dag_id, dag, {"next_runs": 2, "next_runs_from": [start.isoformat()], "is_structure_only": False}, {})


def _watch_secrets() -> None:
    """Note when anybody asks for a variable or a connection: its value is not among what a file's reading is known by."""
    seen: List[Any] = [importlib.import_module("airflow.secrets").BaseSecretsBackend]
    for cls in seen:
        seen.extend(sub for sub in cls.__subclasses__() if sub not in seen)
        for name in ("get_variable", "get_connection", "get_conn_value"):
            act = cls.__dict__.get(name)
            if inspect.isfunction(act):
                setattr(cls, name, _noting(act))


def _noting(act: Any) -> Any:
    def noted(*arguments: Any, **named: Any) -> Any:
        Reads.is_safe = False
        return act(*arguments, **named)

    return noted


@functools.lru_cache(maxsize=None)
def bag_factory() -> Tuple[Any, FrozenSet[str]]:
    """Give what makes a bag of DAGs, and the names of its arguments."""
    try:
        module: Any = importlib.import_module("airflow.dag_processing.dagbag")
        factory = getattr(module, "BundleDagBag", None) or module.DagBag
    except ImportError:
        module = importlib.import_module("airflow.models.dagbag")
        factory = module.DagBag
    return factory, frozenset(inspect.signature(module.DagBag.__init__).parameters)


def _bag(file: str, request: Request) -> Any:
    os.environ["AIRFLOW__CORE__DAGBAG_IMPORT_ERROR_TRACEBACK_DEPTH"] = "30"
    os.environ["AIRFLOW__CORE__DAGBAG_IMPORT_ERROR_TRACEBACKS"] = "True"
    os.environ["_AIRFLOW_PROCESS_CONTEXT"] = (
        "server"  # Airflow 3: variables and connections come from where they do there
    )
    factory, known = bag_factory()
    wanted = {
        "include_examples": False,
        "load_op_links": False,
        "bundle_path": pathlib.Path(request["dags"]),
        "bundle_name": request["bundle_name"],
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return factory(dag_folder=file, **{name: value for name, value in wanted.items() if name in known})


def _facts(dag_id: str, dag: Any, request: Request, computed: Dict[str, Any]) -> Dict[str, Any]:
    """Give what is to be said of a DAG; runs that others may take over go to `computed`."""
    module: Any = importlib.import_module("airflow.serialization.serialized_objects")
    serializer = getattr(module, "DagSerialization", None) or module.SerializedDAG
    data = serializer.to_dict(dag)
    text = json.dumps(data, default=str)
    facts: Dict[str, Any] = {"dag_id": dag_id}
    if not request["is_structure_only"]:
        facts.update(data=json.loads(text), uses=_uses(dag))
    restored = serializer.from_dict(json.loads(text))  # as the scheduler sees it
    facts["shape"] = _shape(dag, restored)
    if request["next_runs"]:
        try:
            facts["runs"], more = _runs.of_dag(
                restored,
                _start_date(dag, restored),
                data.get("dag", {}),
                request["next_runs"],
                request["next_runs_from"],
            )
            computed.update(more)
        except Exception as error:
            facts["runs_error"] = "%s: %s" % (type(error).__name__, error)
    return facts


def _shape(dag: Any, restored: Any) -> Dict[str, Any]:
    """Give what a person would call the structure of the DAG, the same words under every Airflow version."""
    return {
        **{name: _plain(getattr(restored, name, None)) for name in _DAG_FIELDS if hasattr(restored, name)},
        "start_date": _plain(_start_date(dag, restored)),
        "max_active_tasks": getattr(restored, "max_active_tasks", None) or getattr(restored, "concurrency", None),
        "tags": sorted(str(tag) for tag in restored.tags or ()),
        "params": {str(key): _plain(value) for key, value in _params(dag).items()},
        "schedule": _schedule(restored),
        "callbacks": sorted(name for name in _CALLBACKS if getattr(dag, name, None)),
        "tasks": {_id(task.task_id): _task(task) for task in dag.tasks},
    }


def _zone(zone: Any) -> str:
    """Give a zone's name: pendulum 2 and 3 write it differently."""
    return str(getattr(zone, "name", None) or zone or "")


def _start_date(dag: Any, restored: Any) -> Any:
    """Airflow 3 lifts it from default_args; before, the DAG begins with its first task."""
    found = getattr(restored, "start_date", None)
    if found is None:
        dates = [date for date in (_attribute(task, "start_date") for task in dag.tasks) if date is not None]
        found = min(dates) if dates else None
    return found


def _schedule(restored: Any) -> Dict[str, str]:
    timetable = getattr(restored, "timetable", None)
    if timetable is None:  # Airflow 1.10 has none: the words of 2.x for what it does
        value = restored.schedule_interval
        if hasattr(value, "total_seconds"):
            return {"timetable": "DeltaDataIntervalTimetable", "summary": str(value), "timezone": ""}
        kind = {None: "NullTimetable", "@once": "OnceTimetable"}.get(value, "CronDataIntervalTimetable")
        cron = {"None": "None", "@once": "@once"}.get(str(value)) or str(
            getattr(restored, "normalized_schedule_interval", value)
        )
        return {
            "timetable": kind,
            "summary": cron,
            "timezone": str(getattr(restored.timezone, "name", restored.timezone)) if kind.startswith("Cron") else "",
        }
    kind = type(timetable).__name__
    return {
        "timetable": kind.replace("Dataset", "Asset"),
        "summary": str(getattr(timetable, "summary", "")).replace("Dataset", "Asset"),
        "timezone": _zone(getattr(timetable, "_timezone", None)),
    }


def _params(dag: Any) -> Dict[str, Any]:
    params: Any = getattr(dag, "params", None) or {}
    if type(params) is dict:  # Airflow 1.10
        return dict(params)
    try:
        return dict(params.dump())
    except Exception:
        return {}


def _task(task: Any) -> Dict[str, Any]:
    found = {name: _plain(_attribute(task, name)) for name in _TASK_FIELDS if name in _ALWAYS or hasattr(task, name)}
    rule = str(found["weight_rule"])  # a word, or the strategy that stands for it
    found["weight_rule"] = rule[1:].replace("PriorityWeightStrategy", "").lower() if rule.startswith("_") else rule
    found["retry_exponential_backoff"] = bool(found["retry_exponential_backoff"])  # a factor in Airflow >= 3.2
    found["operator"] = str(_attribute(task, "task_type"))
    given = getattr(task, "partial_kwargs", None)
    found["callbacks"] = sorted(
        name for name in _CALLBACKS if (given.get(name) if isinstance(given, dict) else _attribute(task, name))
    )
    found["is_mapped"] = hasattr(task, "partial_kwargs")
    found["downstream"] = sorted(_id(task_id) for task_id in task.downstream_task_ids)
    for name in ("inlets", "outlets"):
        found[name] = sorted(str(_plain(getattr(item, "uri", item))) for item in _attribute(task, name) or ())
    if isinstance(found.get("template_fields"), list):
        found["template_fields"].sort(key=str)  # operators build them from sets
        found["template texts"] = _templates(task, found["template_fields"])
    return found


def _templates(task: Any, fields: List[Any]) -> Dict[str, List[int]]:
    """Give what is rendered: of each field that holds templates, a number for each of their texts. What the class itself says by default is nobody's."""
    given = getattr(task, "partial_kwargs", None)
    found = {}
    for name in fields:
        value = given.get(name) if isinstance(given, dict) else _attribute(task, str(name))
        texts = {zlib.crc32(text.encode()) for text in _texts(value, _DEEP) if "{{" in text or "{%" in text}
        if texts and value not in _defaults(type(task), str(name)):
            found[str(name)] = sorted(texts)
    return found


def _defaults(cls: Any, name: str) -> List[str]:
    """Give what the constructors of a class and its bases take for an argument that nobody gave, where that is a text."""
    found = []
    for base in cls.__mro__:
        init = base.__dict__.get("__init__")
        try:
            parameter = inspect.signature(init).parameters.get(name) if init else None
        except (TypeError, ValueError):
            parameter = None
        if parameter is not None and isinstance(parameter.default, str):
            found.append(parameter.default)
    return found


def _texts(value: Any, depth: int) -> List[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if depth == 0 or not isinstance(value, (list, tuple, set, frozenset)):
        return []
    return [text for item in value for text in _texts(item, depth - 1)]


def _id(task_id: Any) -> str:
    """Give a task_id as Airflow stores it, also when the code took it from an enumeration."""
    return str(getattr(task_id, "value", task_id))


def _attribute(task: Any, name: str) -> Any:
    try:
        return getattr(task, name, None)
    except Exception:
        return None


def _plain(value: Any) -> Any:
    if isinstance(value, dt.timedelta):
        return value.total_seconds()
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.timezone.utc).isoformat()
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, (set, frozenset)):
        return sorted((_plain(item) for item in value), key=str)
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    text = str(getattr(value, "value", value))
    return text if " object at 0x" not in text else type(value).__name__


def _uses(dag: Any) -> List[List[Any]]:
    """Give connections and pools that the tasks name: kind, name, task_id, argument, whether the code chose it."""
    found = []
    for task in dag.tasks:
        given = getattr(task, "partial_kwargs", None)
        values = dict(given) if isinstance(given, dict) else dict(vars(task))
        kind = getattr(task, "operator_class", None) if isinstance(given, dict) else type(task)
        pool = _attribute(task, "pool")
        if isinstance(pool, str) and pool:
            found.append(["pool", pool, task.task_id, "pool", pool != "default_pool"])
        for name, value in values.items():
            plain = name.lstrip("_")
            if (
                (plain == "conn_id" or plain.endswith("_conn_id"))
                and isinstance(value, str)
                and value
                and "{{" not in value
            ):
                found.append(["connection", value, task.task_id, plain, value != _default(kind, plain)])
    return found


def _default(kind: Any, name: str) -> Optional[str]:
    """Give the default of an argument of an operator, also when a class above takes it."""
    for cls in getattr(kind, "__mro__", ()):
        init = cls.__dict__.get("__init__")
        if init is None:
            continue
        try:
            parameter = inspect.signature(init).parameters.get(name)
        except (TypeError, ValueError):
            continue
        if parameter is not None:
            return parameter.default if isinstance(parameter.default, str) else None
    for cls in getattr(kind, "__mro__", ()):
        default = cls.__dict__.get("default_conn_name")
        if isinstance(default, str):
            return default
    return None
