"""Turns a neutral history row into the row of an Airflow 3 table, or says why it cannot be one.

Pure: no database. Facts were read in Airflow 3.3.2 (airflow/models/{dagrun,taskinstance,taskinstancehistory,xcom}.py):
`triggered_by` stores the NAME of the enum, a wrong one makes every read of the run fail; a try without a
`task_display_name` makes every read of the tries fail (the column may be NULL, the API's answer may not); a `hostname`
makes the API server call that host for logs, so it stays empty; job, trigger and pid references point to rows that do
not move.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import floor
from typing import Any

from aerodrome.kernel.errors import Broken
from aerodrome.migration.estate.history import COLUMNS, FINAL_RUN_STATES, FINAL_TASK_STATES, HistoryKind
from aerodrome.migration.transfer.hashing import json_text, md5, moment_text
from aerodrome.migration.transfer.outcomes import Rejected

RUN_TYPES = {
    "scheduled": "scheduled",
    "manual": "manual",
    "backfill": "backfill",
    "dataset_triggered": "asset_triggered",
    "asset_triggered": "asset_triggered",
    "asset_materialization": "asset_materialization",
    "operator_triggered": "operator_triggered",
}
"""Run type of a source -> run type of Airflow 3. A backfill run needs no row in `backfill` (the column may be NULL)."""

_NEWER_RUN_TYPES = {"operator_triggered": "3.3.0", "asset_materialization": "3.2.0"}
TRIGGERED_BY = {"scheduled": "TIMETABLE", "asset_triggered": "ASSET", "backfill": "BACKFILL"}
"""Run type -> enum NAME in dag_run.triggered_by; NULL where the source does not tell who it was."""

NOTE_LIMIT = 1000
ID_LIMIT = 250
XCOM_KEY_LIMIT = 512
DEFAULT_POOL = "default_pool"
_NOT_A_NUMBER = {"NaN": "nan", "Infinity": "inf", "-Infinity": "-inf"}

TASK_STATES = frozenset(
    {
        *FINAL_TASK_STATES, "scheduled", "queued", "running", "restarting", "up_for_retry", "up_for_reschedule",
        "deferred",
    }
)  # fmt: skip
"""States that Airflow 3 can read; a try that was interrupted stands with the state it had."""

Key = tuple[Any, ...]
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  # moments are texts in UTC


@dataclass(frozen=True, slots=True)
class MappedRow:
    """One row for the target. `values` follows the kind's TARGET_COLUMNS."""

    key: Key
    values: tuple[Any, ...]
    documents: tuple[tuple[int, str | None], ...]  # places of values that are documents, and their JSON
    extra: tuple[Any, ...]  # what only the target has, in the order of EXTRA_COLUMNS
    note: str | None = None

    @property
    def proof(self) -> tuple[Any, ...]:
        """Give the values in canonical form. Made when it is asked for: most rows are compared by the databases."""
        if not self.documents:
            return self.values
        proof = list(self.values)
        for place, text in self.documents:
            proof[place] = json_text(text)
        return tuple(proof)

    @property
    def run(self) -> tuple[str, str]:
        return self.key[0], self.key[1]

    @property
    def label(self) -> str:
        return label_of(self.key)


def label_of(key: Key) -> str:
    return "/".join(str(part) for part in key)


_TASK_TARGET = (
    "dag_id", "run_id", "task_id", "map_index", "try_number", "max_tries", "state", "start_date", "end_date",
    "duration", "hostname", "unixname", "pool", "pool_slots", "queue", "priority_weight", "operator",
    "custom_operator_name", "queued_dttm", "task_display_name", "rendered_map_index", "executor",
)  # fmt: skip

TARGET_COLUMNS: dict[HistoryKind, tuple[str, ...]] = {
    "run": (
        "dag_id", "run_id", "run_type", "state", "logical_date", "data_interval_start", "data_interval_end",
        "run_after", "queued_at", "start_date", "end_date", "conf", "clear_number",
    ),
    "task_instance": _TASK_TARGET,
    "task_try": _TASK_TARGET,
    "xcom": ("dag_id", "run_id", "task_id", "map_index", "key", "value", "timestamp"),
    "rendered": ("dag_id", "run_id", "task_id", "map_index", "rendered_fields", "k8s_pod_yaml"),
}  # fmt: skip
"""Columns that are written and proved, in the order of MappedRow.values."""

EXTRA_COLUMNS: dict[HistoryKind, tuple[str, ...]] = {
    "run": ("triggered_by", "span_status", "created_at", "updated_at"),
    "task_instance": ("id", "span_status", "updated_at"),
    "task_try": ("task_instance_id", "span_status", "updated_at"),
    "xcom": ("dag_result",),
    "rendered": (),
}
"""Columns that are written and not compared: the source has no such thing, or they are generated."""

TABLES: dict[HistoryKind, str] = {
    "run": "dag_run",
    "task_instance": "task_instance",
    "task_try": "task_instance_history",
    "xcom": "xcom",
    "rendered": "rendered_task_instance_fields",
}
KEYS: dict[HistoryKind, tuple[str, ...]] = {
    "run": ("dag_id", "run_id"),
    "task_instance": ("dag_id", "run_id", "task_id", "map_index"),
    "task_try": ("dag_id", "run_id", "task_id", "map_index", "try_number"),
    "xcom": ("dag_id", "run_id", "task_id", "map_index", "key"),
    "rendered": ("dag_id", "run_id", "task_id", "map_index"),
}
MOMENTS = frozenset(
    {
        "logical_date", "execution_date", "data_interval_start", "data_interval_end", "run_after", "queued_at",
        "start_date", "end_date", "queued_dttm", "timestamp",
    }
)  # fmt: skip
JSONS = frozenset({"conf", "value", "rendered_fields", "k8s_pod_yaml"})


def mapper(kind: HistoryKind, columns: Sequence[str]) -> Callable[[Sequence[Any]], MappedRow | Rejected]:
    """Give the function that maps one row whose values stand in the order of `columns`."""
    if tuple(columns) != COLUMNS[kind]:
        raise Broken(f"The source gives {kind} rows with other columns than agreed.", code="history-columns-unknown")
    return _MAPPERS[kind]


def _run(row: Sequence[Any]) -> MappedRow | Rejected:
    (
        dag_id, run_id, source_type, state, logical_date, interval_start, interval_end, run_after, queued_at,
        start_date, end_date, conf, _is_external, clear_number, note,
    ) = row  # fmt: skip
    key = (dag_id, run_id)
    run_type = RUN_TYPES.get(source_type)
    if state not in FINAL_RUN_STATES:
        return Rejected(label_of(key), "run-not-final", f"The run is {state}; only finished runs move.")
    if run_type is None:
        return Rejected(label_of(key), "run-type-unknown", f"Airflow 3 has no run type {source_type}.")
    if len(dag_id) > ID_LIMIT or len(run_id) > ID_LIMIT:
        return Rejected(label_of(key), "id-too-long", "DAG and run ids have at most 250 characters.")
    try:
        written, parsed = _json("{}" if conf is None or conf == "null" else conf)
    except ValueError:
        return Rejected(label_of(key), "run-conf-not-json", "The run's configuration is not JSON.")
    if not isinstance(parsed, dict):
        return Rejected(label_of(key), "run-conf-not-object", "The run's configuration is JSON but not an object.")
    logical, start, end = moment_text(logical_date), moment_text(interval_start), moment_text(interval_end)
    if (start is None) != (end is None):
        start = end = None  # Airflow 3 accepts both or none
    queued, started, ended = moment_text(queued_at), moment_text(start_date), moment_text(end_date)
    after = moment_text(run_after) or end or logical or queued or started
    if after is None:
        return Rejected(label_of(key), "run-without-date", "The run has no date at all, and Airflow 3 requires one.")
    head = (dag_id, run_id, run_type, state, logical, start, end, after, queued, started, ended)
    return MappedRow(
        key,
        (*head, written, clear_number or 0),
        ((len(head), written),),
        (TRIGGERED_BY.get(run_type), "not_started", queued or started or after, ended or started or after),
        note,
    )


def _task(row: Sequence[Any]) -> MappedRow | Rejected:
    return _task_like(row[:-1], is_try=False, note=row[-1])


def _try(row: Sequence[Any]) -> MappedRow | Rejected:
    return _task_like(row, is_try=True, note=None)


def _task_like(row: Sequence[Any], *, is_try: bool, note: str | None) -> MappedRow | Rejected:
    (
        dag_id, run_id, task_id, map_index, try_number, max_tries, state, start_date, end_date, duration, _hostname,
        unixname, pool, pool_slots, queue, priority_weight, operator, custom_name, queued_at, display_name,
        rendered_map_index, executor,
    ) = row  # fmt: skip
    map_index = -1 if map_index is None else map_index
    key: Key = (dag_id, run_id, task_id, map_index)
    try_number = try_number or 0
    if is_try:
        key = (*key, try_number)
    if not is_try and state is not None and state not in FINAL_TASK_STATES:
        return Rejected(label_of(key), "task-not-final", f"The task instance is {state}; only finished ones move.")
    if state is not None and state not in TASK_STATES:
        return Rejected(label_of(key), "task-state-unknown", f"Airflow 3 has no task state {state}.")
    if len(task_id) > ID_LIMIT:
        return Rejected(label_of(key), "id-too-long", "A task id has at most 250 characters.")
    started, ended = moment_text(start_date), moment_text(end_date)
    values = (
        dag_id, run_id, task_id, map_index, try_number, max_tries or 0, state, started, ended,
        None if duration is None else float(duration), "", unixname, pool or DEFAULT_POOL, pool_slots or 1, queue,
        priority_weight, operator, custom_name, moment_text(queued_at), display_name or (task_id if is_try else None),
        rendered_map_index, executor,
    )  # fmt: skip
    return MappedRow(key, values, (), (stable_uuid7(key, started or ended), "not_started", ended or started), note)


def _xcom(row: Sequence[Any]) -> MappedRow | Rejected:
    dag_id, run_id, task_id, map_index, name, value, timestamp = row
    map_index = -1 if map_index is None else map_index
    key = (dag_id, run_id, task_id, map_index, name)
    if len(name) > XCOM_KEY_LIMIT:
        return Rejected(label_of(key), "id-too-long", "An XCom key has at most 512 characters.")
    try:
        written = _json(value)[0] if value is not None else None
    except ValueError:
        return Rejected(label_of(key), "xcom-not-json", "The value is not JSON, and Airflow 3 stores only JSON.")
    moment = moment_text(timestamp)
    if moment is None:
        return Rejected(label_of(key), "xcom-without-date", "The value has no timestamp, and Airflow 3 requires one.")
    return MappedRow(key, (*key, written, moment), ((len(key), written),), (False,))


def _rendered(row: Sequence[Any]) -> MappedRow | Rejected:
    dag_id, run_id, task_id, map_index, fields, pod = row
    key = (dag_id, run_id, task_id, -1 if map_index is None else map_index)
    try:
        written = _json(fields)[0]
        pod_written = _json(pod)[0] if pod not in {None, "null"} else None
    except ValueError:
        return Rejected(label_of(key), "rendered-not-json", "The rendered fields are not JSON.")
    documents = ((len(key), written), (len(key) + 1, pod_written))
    return MappedRow(key, (*key, written, pod_written), documents, ())


def _json(text: str) -> tuple[str, Any]:
    """Give JSON to write and what it holds; ValueError. NaN and Infinity become texts, as Airflow's own upgrade does."""
    if text == "{}":
        return text, {}
    if "NaN" in text or "Infinity" in text:
        text = json.dumps(json.loads(text, parse_constant=_NOT_A_NUMBER.__getitem__))
    return text, json.loads(text)


def stable_uuid7(key: Key, moment: str | None) -> str:
    """Give a version 7 UUID (32 hex digits) made of the row's moment and key: the same row gets the same id always.

    By MD5, which every PostgreSQL knows: `sql_mapping.py` makes the same id there.
    """
    return uuid7_of("\x1f".join(map(str, key)), moment)


def uuid7_of(name: str, moment: str | None) -> str:
    """Do the same for a key whose parts stand between the signs 0x1F."""
    seconds = 0.0 if moment is None else (datetime.fromisoformat(moment) - _EPOCH).total_seconds()
    digits = md5(name.encode("utf-8", "backslashreplace")).hexdigest()
    return f"{max(0, floor(seconds * 1000)):012x}7{digits[13:16]}8{digits[17:]}"


def changed_at(kind: HistoryKind, row: MappedRow) -> str | None:
    """Give when the source wrote a row, as far as it tells: when it ended, or an XCom's moment. None for rendered fields."""
    if kind == "rendered":
        return None
    return str(moment) if (moment := row.values[-1] if kind == "xcom" else row.extra[-1]) else None


_MAPPERS: dict[HistoryKind, Callable[[Sequence[Any]], MappedRow | Rejected]] = {
    "run": _run,
    "task_instance": _task,
    "task_try": _try,
    "xcom": _xcom,
    "rendered": _rendered,
}


def is_run_type_known(run_type: str, schema_version: str) -> bool:
    """Tell whether an Airflow with this schema has the run type (3.0 and 3.1 lack the newest ones)."""
    return _NEWER_RUN_TYPES.get(run_type, "0") <= schema_version
