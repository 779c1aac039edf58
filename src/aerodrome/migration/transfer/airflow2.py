"""What Airflow 2.10 and 2.11 keep otherwise than Airflow 3, when they are the target of a history.

Pure: no database. A row is mapped for Airflow 3 first (`mapping.py`) and turned here. Facts were read in Airflow 2.11.2
(airflow/models/{dagrun,taskinstance,taskinstancehistory,xcom}.py): a run has an `execution_date` that is never empty, and
no `run_after`; `conf` and `executor_config` are pickles, an XCom is the bytes of JSON; there are no versions of a DAG.
`dag_hash` says with which state of the DAG a run was planned; the scheduler reads it of running runs only, and replaces it
when a run is cleared and runs again: so our mark stands there exactly as long as a run is an import.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any

from aerodrome.migration.estate.history import RUN_COLUMNS, HistoryKind
from aerodrome.migration.sources.airflow_db.pickles import NotPlainError, json_text, plain_from_pickle
from aerodrome.migration.transfer import mapping
from aerodrome.migration.transfer.hashing import json_text as canonical_json
from aerodrome.migration.transfer.mapping import MappedRow
from aerodrome.migration.transfer.outcomes import Rejected

IMPORT_HASH = "aerodrome-import"
"""The mark of an imported run in `dag_run.dag_hash` (32 characters at most; Airflow writes an MD5 there)."""

RUN_TYPES = {
    "scheduled": "scheduled",
    "manual": "manual",
    "backfill": "backfill",
    "asset_triggered": "dataset_triggered",
}
"""Run type of Airflow 3 -> run type of Airflow 2."""

EMPTY_PICKLE = b"\x80\x04}\x94."
"""`pickle.dumps({}, 4)`: what Airflow keeps where there is no configuration; every Python 3 reads it."""

COLUMNS: dict[HistoryKind, tuple[str, ...]] = {
    **mapping.TARGET_COLUMNS,
    "run": (
        "dag_id", "run_id", "run_type", "state", "execution_date", "data_interval_start", "data_interval_end",
        "queued_at", "start_date", "end_date", "conf", "external_trigger", "clear_number",
    ),
}  # fmt: skip
EXTRA_COLUMNS: dict[HistoryKind, tuple[str, ...]] = {
    "run": ("dag_hash", "updated_at"),
    "task_instance": ("executor_config", "updated_at"),
    "task_try": ("executor_config", "updated_at"),
    "xcom": (),
    "rendered": (),
}
BYTES = frozenset({"conf", "value"})
"""Proved columns that hold bytes; in Airflow 3 they are JSON."""

_IS_EXTERNAL = RUN_COLUMNS.index("is_external_trigger")


def mapper(
    kind: HistoryKind, map_row: Callable[[Sequence[Any]], MappedRow | Rejected]
) -> Callable[[Sequence[Any]], MappedRow | Rejected]:
    """Give the function that maps one row for Airflow 2, from the one that maps it for Airflow 3."""

    def mapped(raw: Sequence[Any]) -> MappedRow | Rejected:
        row = map_row(raw)
        if isinstance(row, Rejected):
            return row
        if kind == "run":
            return _run(row, is_external=bool(raw[_IS_EXTERNAL]))
        if kind == "xcom":
            return _xcom(row)
        if kind == "rendered":
            return row
        return MappedRow(row.key, row.values, (), (EMPTY_PICKLE, row.extra[-1]), row.note)

    return mapped


def _run(row: MappedRow, *, is_external: bool) -> MappedRow | Rejected:
    head, after, rest = row.values[:7], row.values[7], row.values[8:]
    conf, clear_number = rest[3:]
    if head[4] is None:
        message = "The run has no logical date, and Airflow 2 requires one."
        return Rejected(row.label, "run-without-date", message)
    if head[2] not in RUN_TYPES:
        return Rejected(row.label, "run-type-unknown", f"Airflow 2 has no run type {head[2]}.")
    start = (*head[:2], RUN_TYPES[head[2]], *head[3:], *rest[:3])
    stored = EMPTY_PICKLE if conf == "{}" else pickle.dumps(json.loads(conf), 4)
    end = (is_external, clear_number)
    changed = rest[2] or rest[1] or after
    return MappedRow(row.key, (*start, stored, *end), ((len(start), conf),), (IMPORT_HASH, changed), row.note)


def _xcom(row: MappedRow) -> MappedRow:
    *head, value, moment = row.values
    stored = None if value is None else str(value).encode()
    return MappedRow(row.key, (*head, stored, moment), row.documents, (), row.note)


def conf_proof(stored: bytes | memoryview | None) -> str:
    """Give the canonical form of a `conf` that stands in the target; nothing of a pickle is ever run."""
    if stored is None:
        return "{}"
    try:
        return canonical_json(json_text(plain_from_pickle(bytes(stored)) or {})) or ""
    except NotPlainError:
        return f"pickle {sha256(stored).hexdigest()}"


def xcom_proof(stored: bytes | memoryview | str | None) -> str | None:
    """Give the canonical form of an XCom's value that stands in the target."""
    if stored is None:
        return None
    data = stored.encode() if isinstance(stored, str) else bytes(stored)
    try:
        return canonical_json(data.decode())
    except ValueError:
        return f"bytes {sha256(data).hexdigest()}"
