"""Moves the `executor_config` of task instances and tries, which every Airflow from 1.10 to 3.3 keeps as a pickle.

Used by history.py, once the rows stand. What JSON can hold is written as a pickle of that JSON: Airflow shows it, and no
class is needed to read it. Everything else is archived beside the refused rows, with the reason: a pickle that names
classes is never loaded, nor a text of an API evaluated beyond its literals, and a `pod_override` would make an Airflow without the Kubernetes client fail at the task's page
(ExecutorConfigType.result_processor, airflow/utils/sqlalchemy.py, 2.11.2 and 3.3.2). Repeating it writes nothing new.
"""

from __future__ import annotations

import json
import pickle
from ast import literal_eval
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from aerodrome.migration.estate.history import HistoryKind, HistoryWindow
from aerodrome.migration.sources.airflow_db.executor_configs import EMPTY_BYTES
from aerodrome.migration.sources.airflow_db.pickles import NotPlainError, json_text, plain_from_pickle
from aerodrome.migration.sources.contract import OffersExecutorConfigs, ShownConfig, SourceAdapter, StoredConfig
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
        if not _can_hold(target, kind) or not source.has_executor_configs(kind):
            continue
        for rows in _named_as_in_target(source, target, kind, window):
            wanted: dict[Key, bytes] = {}
            for key, stored in rows.items():
                made = _made(stored)
                for code, message, value in made.left:
                    tallies[kind].notice(Rejected(label_of(key), code, message), value)
                if made.pickled is not None:
                    wanted[key] = made.pickled
            keys = list(wanted)
            for start in range(0, len(keys), _ROWS_AT_ONCE):
                part = {key: wanted[key] for key in keys[start : start + _ROWS_AT_ONCE]}
                _write(target, kind, part, is_kept=policy != "source-wins")
                for key in _others(target, kind, part):
                    message = "The target has another executor_config; it was kept."
                    tallies[kind].notice(Rejected(label_of(key), "executor-config-kept", message))


def differing_configs(
    source: SourceAdapter, target: TargetDatabase, kind: HistoryKind, window: HistoryWindow
) -> Iterator[Key]:
    """Give the keys of rows that stand in the target with another `executor_config` than a transfer would write.

    Rows that the source does not have are among them. Of a DAG's rows that have one, a hash of the key is held.
    """
    if not isinstance(source, OffersExecutorConfigs) or kind not in _KINDS or not _can_hold(target, kind):
        return
    if not source.has_executor_configs(kind):
        return
    for dag_id in window.dag_ids:
        known: set[int] = set()
        for rows in _named_as_in_target(source, target, kind, replace(window, dag_ids=(dag_id,))):
            wanted = {key: _made(stored).pickled for key, stored in rows.items()}
            known.update(map(hash, wanted))
            yield from (key for key, stored in _standing(target, kind, wanted) if not _is_equal(stored, wanted[key]))
        yield from (key for key in _with_config(target, kind, dag_id) if hash(key) not in known)


def _can_hold(target: TargetDatabase, kind: HistoryKind) -> bool:
    return "executor_config" in target.columns(TABLES[kind])


def _named_as_in_target(
    source: OffersExecutorConfigs, target: TargetDatabase, kind: HistoryKind, window: HistoryWindow
) -> Iterator[dict[Key, StoredConfig]]:
    for rows in source.executor_configs(kind, window):
        names = names_in_target(target, {(key[0], key[1]) for key, _ in rows})
        yield {(*names.get((key[0], key[1]), key[:2]), *key[2:]): stored for key, stored in rows}


@dataclass(frozen=True)
class _Made:
    """What is written of an `executor_config`, and what stays behind: code, message, what is archived."""

    pickled: bytes | None
    left: tuple[tuple[str, str, bytes], ...] = ()


def _made(stored: StoredConfig) -> _Made:
    kept = stored.text.encode(errors="backslashreplace") if isinstance(stored, ShownConfig) else stored
    try:
        text = json_text(_plain(stored))
    except NotPlainError as error:
        return _archived(kept, str(error))
    config = json.loads(text)
    if not isinstance(config, dict):
        return _archived(kept, "it holds no options by name")
    if _POD not in config:
        return _Made(pickle.dumps(config, 4))
    message = "The row moves without its pod_override, which is archived as JSON: reading it takes Kubernetes' client."
    rest = {name: value for name, value in config.items() if name != _POD}
    left = ("executor-config-pod", message, text.encode(errors="backslashreplace"))
    return _Made(pickle.dumps(rest, 4) if rest else None, (left,))


def _plain(stored: StoredConfig) -> Any:
    if not isinstance(stored, ShownConfig):
        return plain_from_pickle(stored)
    try:
        return literal_eval(stored.text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        raise NotPlainError("the API shows an object of a class in it") from None


def _archived(value: bytes, reason: str) -> _Made:
    message = f"The row moves without its executor_config, which is archived: {reason}."
    return _Made(None, (("executor-config-pickled", message, value),))


def _is_equal(stored: bytes | None, wanted: bytes | None) -> bool:
    """Tell whether both hold the same; nothing and an empty dictionary are alike."""
    if stored == wanted:
        return True
    try:
        here, there = (None if each is None else plain_from_pickle(each) for each in (stored, wanted))
    except NotPlainError:
        return False
    return (here or None) == (there or None)


def _write(target: TargetDatabase, kind: HistoryKind, rows: Mapping[Key, bytes], *, is_kept: bool) -> None:
    """Set it in imported rows; where what stands is kept, only in rows that have none."""
    mark = "?" if target.dialect == "sqlite" else "%s"
    table = TABLES[kind]
    same = " and ".join(f"{name} = {mark}" for name in KEYS[kind])
    differs = f"(executor_config is null or executor_config <> {mark})"
    if is_kept:
        differs = f"({differs} and (executor_config is null or length(executor_config) <= {EMPTY_BYTES}))"
    sql = f"update {table} set executor_config = {mark} where {same} and {differs} and {_is_ours(target, table)}"
    with target.writing() as connection:
        connection.exec_driver_sql(sql, [(made, *key, made) for key, made in rows.items()])


def _others(target: TargetDatabase, kind: HistoryKind, rows: Mapping[Key, bytes]) -> list[Key]:
    """Read back: give the keys of imported rows that hold something else."""
    ours = _is_ours(target, TABLES[kind])
    return [key for key, stored in _standing(target, kind, rows, ours) if stored != rows[key]]


def _standing(
    target: TargetDatabase, kind: HistoryKind, keys: Collection[Key], condition: str = "true"
) -> Iterator[tuple[Key, bytes | None]]:
    """Give what the target has of these rows, those that stand there."""
    is_sqlite = target.dialect == "sqlite"
    among = "in (select value from json_each(?))" if is_sqlite else "= any(%s)"
    runs: dict[str, set[str]] = {}
    for key in keys:
        runs.setdefault(key[0], set()).add(key[1])
    sql = _select(target, kind, (*KEYS[kind], "executor_config"), f"run_id {among} and {condition}")
    with target.reading() as connection:
        for dag_id, run_ids in runs.items():
            listed: Any = json.dumps(sorted(run_ids)) if is_sqlite else sorted(run_ids)
            for *parts, stored in connection.exec_driver_sql(sql, (dag_id, listed)):
                if (key := tuple(parts)) in keys:
                    yield key, None if stored is None else bytes(stored)


def _with_config(target: TargetDatabase, kind: HistoryKind, dag_id: str) -> Iterator[Key]:
    """Give the keys of the target's rows of a DAG that hold anything."""
    sql = _select(target, kind, KEYS[kind], f"length(executor_config) > {EMPTY_BYTES}")
    with target.reading() as connection:
        rows = connection.exec_driver_sql(sql, (dag_id,), execution_options={"stream_results": True})
        for row in rows:
            yield tuple(row)


def _select(target: TargetDatabase, kind: HistoryKind, columns: Sequence[str], condition: str) -> str:
    mark = "?" if target.dialect == "sqlite" else "%s"
    return f"select {', '.join(columns)} from {TABLES[kind]} where dag_id = {mark} and {condition}"


def _is_ours(target: TargetDatabase, table: str) -> str:
    ours = is_import_sql(is_airflow2=target.is_airflow2, alias="r")
    return f"exists (select 1 from dag_run r where r.dag_id = {table}.dag_id and r.run_id = {table}.run_id and {ours})"
