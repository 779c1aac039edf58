"""Moves the `executor_config` of task instances and tries, which every Airflow from 1.10 to 3.3 keeps as a pickle.

Used by history.py, once the rows stand. What JSON can hold is written as a pickle of that JSON: Airflow shows it, and no
class is needed to read it. Everything else is archived beside the refused rows, with the reason: a pickle that names
classes is never loaded, and a `pod_override` would make an Airflow without the Kubernetes client fail at the task's page
(ExecutorConfigType.result_processor, airflow/utils/sqlalchemy.py, 2.11.2 and 3.3.2). Repeating it writes nothing new.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from typing import Any

from aerodrome.migration.estate.history import HistoryKind, HistoryWindow
from aerodrome.migration.sources.airflow_db.pickles import NotPlainError, json_text, plain_from_pickle
from aerodrome.migration.sources.contract import OffersExecutorConfigs, SourceAdapter
from aerodrome.migration.transfer.mapping import KEYS, TABLES, Key, label_of
from aerodrome.migration.transfer.outcomes import HistoryPolicy, Rejected, Tally
from aerodrome.migration.transfer.ownership import is_import_sql
from aerodrome.migration.transfer.target import TargetDatabase
from aerodrome.migration.transfer.twins import names_in_target

_KINDS: tuple[HistoryKind, ...] = ("task_instance", "task_try")
_POD = "pod_override"
_ROWS_AT_ONCE = 2_000


def move_executor_configs(
    source: SourceAdapter,
    target: TargetDatabase,
    window: HistoryWindow,
    tallies: Mapping[HistoryKind, Tally],
    policy: HistoryPolicy = "source-wins",
) -> None:
    """Write what JSON can hold; what stays behind is told to the tallies as notices, with its value."""
    if not isinstance(source, OffersExecutorConfigs) or not window.dag_ids:
        return
    for kind in _KINDS:
        if "executor_config" not in target.columns(TABLES[kind]):
            continue
        for rows in source.executor_configs(kind, window):
            names = names_in_target(target, {(key[0], key[1]) for key, _ in rows})
            wanted: dict[Key, bytes] = {}
            for source_key, stored in rows:
                key = (*names.get((source_key[0], source_key[1]), source_key[:2]), *source_key[2:])
                if (made := _made(key, stored, tallies[kind])) is not None:
                    wanted[key] = made
            keys = list(wanted)
            for start in range(0, len(keys), _ROWS_AT_ONCE):
                part = {key: wanted[key] for key in keys[start : start + _ROWS_AT_ONCE]}
                _write(target, kind, part, is_kept=policy != "source-wins")
                for key in _others(target, kind, part):
                    message = "The target has another executor_config; it was kept."
                    tallies[kind].notice(Rejected(label_of(key), "executor-config-kept", message))


def _made(key: Key, stored: bytes, tally: Tally) -> bytes | None:
    """Give what is written of a pickle; None when it is archived."""
    try:
        text = json_text(plain_from_pickle(stored))
    except NotPlainError as error:
        _archived(key, stored, tally, str(error))
        return None
    config = json.loads(text)
    if not isinstance(config, dict):
        _archived(key, stored, tally, "it holds no options by name")
        return None
    if _POD in config:
        message = (
            "The row moves without its pod_override, which is archived as JSON: reading it takes Kubernetes' client."
        )
        tally.notice(Rejected(label_of(key), "executor-config-pod", message), text.encode(errors="backslashreplace"))
        config = {name: value for name, value in config.items() if name != _POD}
        if not config:
            return None
    return pickle.dumps(config, 4)


def _archived(key: Key, stored: bytes, tally: Tally, reason: str) -> None:
    message = f"The row moves without its executor_config, which is archived: {reason}."
    tally.notice(Rejected(label_of(key), "executor-config-pickled", message), stored)


def _write(target: TargetDatabase, kind: HistoryKind, rows: Mapping[Key, bytes], *, is_kept: bool) -> None:
    """Set it in imported rows; where what stands is kept, only in rows that have none."""
    mark = "?" if target.dialect == "sqlite" else "%s"
    table = TABLES[kind]
    same = " and ".join(f"{name} = {mark}" for name in KEYS[kind])
    differs = f"(executor_config is null or executor_config <> {mark})"
    if is_kept:
        differs = f"({differs} and (executor_config is null or length(executor_config) <= 6))"
    sql = f"update {table} set executor_config = {mark} where {same} and {differs} and {_is_ours(target, table)}"
    with target.writing() as connection:
        connection.exec_driver_sql(sql, [(made, *key, made) for key, made in rows.items()])


def _others(target: TargetDatabase, kind: HistoryKind, rows: Mapping[Key, bytes]) -> list[Key]:
    """Read back: give the keys of imported rows that hold something else."""
    table, names = TABLES[kind], ", ".join(KEYS[kind])
    is_sqlite = target.dialect == "sqlite"
    among = "in (select value from json_each(?))" if is_sqlite else "= any(%s)"
    mark = "?" if is_sqlite else "%s"
    sql = (
        f"select {names}, executor_config from {table} where dag_id = {mark} and run_id {among} "
        f"and {_is_ours(target, table)}"
    )
    runs: dict[str, set[str]] = {}
    for key in rows:
        runs.setdefault(key[0], set()).add(key[1])
    found: list[Key] = []
    with target.reading() as connection:
        for dag_id, run_ids in runs.items():
            listed: Any = json.dumps(sorted(run_ids)) if is_sqlite else sorted(run_ids)
            for *parts, stored in connection.exec_driver_sql(sql, (dag_id, listed)):
                key = tuple(parts)
                wanted = rows.get(key)
                if wanted is not None and (stored is None or bytes(stored) != wanted):
                    found.append(key)
    return found


def _is_ours(target: TargetDatabase, table: str) -> str:
    ours = is_import_sql(is_airflow2=target.is_airflow2, alias="r")
    return f"exists (select 1 from dag_run r where r.dag_id = {table}.dag_id and r.run_id = {table}.run_id and {ours})"
