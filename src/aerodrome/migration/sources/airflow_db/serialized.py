"""Reads a serialized DAG (Airflow 2.x versions 1, 3.x versions 2 and 3) into plain facts. Pure: no I/O."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aerodrome.kernel.clock import to_text
from aerodrome.kernel.digest import digest_of

_ALIASES = ("dataset-alias", "asset-alias")
_DATES = ("start_date", "end_date")


@dataclass(frozen=True)
class Schedule:
    """A schedule in neutral words (see DagRecord)."""

    text: str | None
    kind: str
    timetable: str | None = None


@dataclass(frozen=True)
class SerializedFacts:
    """What the serialized form of one DAG tells."""

    schedule: Schedule
    timezone: str | None
    catchup: bool | None  # None: the default of the installation
    start_date: str | None
    end_date: str | None
    is_bounded: bool  # it or one of its tasks has an end date
    max_active_runs: int | None
    max_active_tasks: int | None
    tasks: tuple[dict[str, Any], ...]
    depends_on_dags: tuple[str, ...]
    datasets_in: tuple[str, ...]
    datasets_out: tuple[str, ...]
    aliases_in: tuple[str, ...]
    aliases_out: tuple[str, ...]
    conn_ids: tuple[str, ...]
    dags_folder: str | None
    callbacks: tuple[str, ...] = field(default=())


def load(data: Any, compressed: bytes | None) -> dict[str, Any] | None:
    """Give the DAG's JSON out of the columns `data` and `data_compressed`; None when neither can be read."""
    try:
        if compressed:
            data = zlib.decompress(compressed)
        if isinstance(data, str | bytes):
            data = json.loads(data)
        dag = data["dag"]
    except (TypeError, KeyError, ValueError, zlib.error):
        return None
    return dag if isinstance(dag, dict) else None


def version_of(dag: dict[str, Any]) -> str:
    """Give a digest that changes when the DAG does, and not with the moment at which it was read.

    Start and end dates stay out of it: a computed one (`days_ago`) is another every day; that the next intervals are the same
    is proved for itself. Order counts where it counts for Airflow's own hash (`_sort_serialized_dag_dict`, 2.11.2).
    """
    return digest_of(_steady(dag))


def _steady(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _steady(item) for key, item in value.items() if key not in _DATES}
    if isinstance(value, list):
        items = [_steady(item) for item in value]
        if all(isinstance(item, str) for item in items):
            return sorted(items)
        if all(isinstance(item, dict) for item in items):
            return sorted(items, key=lambda item: str(item.get("task_id") or item.get("__var", "")))
        return items
    return value


def facts_of(dag: dict[str, Any]) -> SerializedFacts:
    """Read one DAG."""
    tasks = tuple(_tasks(dag))
    dependencies = [item for item in dag.get("dag_dependencies") or () if isinstance(item, dict)]
    dag_id = dag.get("_dag_id") or dag.get("dag_id")
    others = {
        str(item[side])
        for item in dependencies
        for side in ("source", "target")
        if item.get("dependency_type") in ("sensor", "trigger") and item.get(side) != dag_id
    }
    inputs = set(_dataset_uris(_timetable(dag)[1]))
    outputs: set[str] = set()
    aliases: dict[str, set[str]] = {"in": set(), "out": set()}
    for item in dependencies:
        # What an alias stands for names the alias instead of the DAG (datasets/__init__.py, iter_dag_dependencies, 2.11.2).
        is_input = item.get("target") == dag_id or str(item.get("target")).partition(":")[0] in _ALIASES
        if item.get("dependency_type") in ("dataset", "asset"):
            (inputs if is_input else outputs).add(str(item.get("dependency_id")))
        elif item.get("dependency_type") in _ALIASES:
            aliases["in" if item.get("target") == dag_id else "out"].add(str(item.get("dependency_id")))
    return SerializedFacts(
        schedule=_schedule(dag),
        timezone=_text(dag.get("timezone")),
        catchup=dag.get("catchup"),
        start_date=_moment(dag.get("start_date")),
        end_date=_moment(dag.get("end_date")),
        is_bounded=any(part.get("end_date") is not None for part in (dag, *_raw_tasks(dag))),
        max_active_runs=dag.get("max_active_runs"),
        max_active_tasks=dag.get("max_active_tasks") or dag.get("_max_active_tasks") or dag.get("_concurrency"),
        tasks=tasks,
        depends_on_dags=tuple(sorted(others)),
        datasets_in=tuple(sorted(inputs)),
        datasets_out=tuple(sorted(outputs)),
        aliases_in=tuple(sorted(aliases["in"])),
        aliases_out=tuple(sorted(aliases["out"])),
        conn_ids=tuple(sorted({conn for task in _raw_tasks(dag) for conn in _conn_ids(task)})),
        dags_folder=_text(dag.get("_processor_dags_folder")),
        callbacks=tuple(sorted(key for key in dag if "callback" in key and dag[key])),
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _plain(value: Any) -> Any:
    """Take `{"__var": x, "__type": t}` apart."""
    return value["__var"] if isinstance(value, dict) and "__var" in value else value


def _moment(value: Any) -> str | None:
    value = _plain(value)
    if isinstance(value, int | float):
        return to_text(datetime.fromtimestamp(value, UTC))
    return _text(value)


def _timetable(dag: dict[str, Any]) -> tuple[str | None, dict[str, Any]]:
    timetable = dag.get("timetable")
    if not isinstance(timetable, dict):
        return None, {}
    variables = timetable.get("__var")
    return _text(timetable.get("__type")), variables if isinstance(variables, dict) else {}


def _schedule(dag: dict[str, Any]) -> Schedule:
    name, variables = _timetable(dag)
    if name is not None:
        return _from_timetable(name, variables)
    if "schedule_interval" in dag:
        return schedule_of(dag["schedule_interval"])
    return Schedule(None, "none")


def schedule_of(value: Any) -> Schedule:
    """Read a 2.x schedule_interval: a text, `{"__type": "timedelta"…}`, or the form in the column `dag.schedule_interval`."""
    if value in (None, "", "None"):
        return Schedule(None, "none")
    if isinstance(value, str):
        if value in ("Dataset", "Asset"):
            return Schedule("dataset", "dataset")
        if value == "@continuous":
            return Schedule(value, "continuous")
        return Schedule(value, "preset" if value.startswith("@") else "cron")
    if isinstance(value, dict):
        if value.get("__type") == "timedelta":
            return Schedule(_timedelta(value.get("__var")), "timedelta")
        attributes = value.get("attrs")
        if value.get("type") == "timedelta" and isinstance(attributes, dict):
            seconds = attributes.get("days", 0) * 86400 + attributes.get("seconds", 0)
            return Schedule(_timedelta(seconds + attributes.get("microseconds", 0) / 1e6), "timedelta")
        kind = value.get("__type") or value.get("type")
        return Schedule(
            f"{kind}:{json.dumps(_plain(value), sort_keys=True, default=str)}"[:500], "timetable", str(kind)
        )
    return Schedule(str(value), "timetable")


def _timedelta(seconds: Any) -> str:
    return f"timedelta:{float(seconds):g}" if float(seconds) < 1e6 else f"timedelta:{float(seconds):.0f}"


def _from_timetable(name: str, variables: dict[str, Any]) -> Schedule:
    short = name.rpartition(".")[2]
    if short in ("CronDataIntervalTimetable", "CronTriggerTimetable"):
        return Schedule(_text(variables.get("expression")), "cron", name)
    if short in ("DeltaDataIntervalTimetable", "DeltaTriggerTimetable"):
        delta = _plain(variables.get("delta"))
        if isinstance(delta, int | float):
            return Schedule(_timedelta(delta), "timedelta", name)
        return Schedule(None, "timetable", name)
    if short == "NullTimetable":
        return Schedule(None, "none", name)
    if short == "OnceTimetable":
        return Schedule("@once", "preset", name)
    if short == "ContinuousTimetable":
        return Schedule("@continuous", "continuous", name)
    if short in ("DatasetTriggeredTimetable", "AssetTriggeredTimetable"):
        return Schedule("dataset", "dataset", name)
    return Schedule(short, "timetable", name)


def _dataset_uris(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("uri"), str):
            yield value["uri"]
        for item in value.values():
            yield from _dataset_uris(item)
    elif isinstance(value, list):
        for item in value:
            yield from _dataset_uris(item)


def _raw_tasks(dag: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for item in dag.get("tasks") or ():
        task = _plain(item)
        if isinstance(task, dict) and task.get("task_id"):
            yield task


def _downstream(task: dict[str, Any]) -> list[str]:
    """Give the tasks below; the name begins with an underscore in 1.10 and 2.0."""
    found = _plain(task.get("downstream_task_ids") or task.get("_downstream_task_ids"))
    return list(found or ())


def _tasks(dag: dict[str, Any]) -> Iterator[dict[str, Any]]:
    upstream: dict[str, list[str]] = {}
    raw = list(_raw_tasks(dag))
    for task in raw:
        for below in _downstream(task):
            upstream.setdefault(below, []).append(task["task_id"])
    for task in raw:
        partial = _plain(task.get("partial_kwargs")) or {}
        both = {**(partial if isinstance(partial, dict) else {}), **task}
        yield {
            "task_id": task["task_id"],
            "operator": both.get("_operator_name") or both.get("_task_type") or both.get("task_type"),
            "class": both.get("_task_type") or both.get("task_type"),
            "module": both.get("_task_module"),
            "pool": both.get("pool") or "default_pool",
            "queue": both.get("queue"),
            "upstream": sorted(upstream.get(task["task_id"], ())),
            "downstream": sorted(_downstream(task)),
            "trigger_rule": both.get("trigger_rule") or "all_success",
            "has_sla": both.get("sla") is not None,
            "has_callbacks": any("callback" in key and both[key] for key in both),
            "has_executor_config": bool(both.get("executor_config")),
            "is_mapped": bool(both.get("_is_mapped")),
            "is_sensor": both.get("mode") is not None or "Sensor" in str(both.get("_task_type")),
            "depends_on_past": bool(both.get("depends_on_past") or both.get("wait_for_downstream")),
            "is_poking": both.get("mode") == "poke" and not both.get("deferrable"),
            "retries": both.get("retries"),
        }


def _conn_ids(task: dict[str, Any]) -> Iterator[str]:
    partial = _plain(task.get("partial_kwargs"))
    for source in (task, partial if isinstance(partial, dict) else {}):
        for key, value in source.items():
            if key.endswith("conn_id") and isinstance(value, str) and value and "{{" not in value:
                yield value
