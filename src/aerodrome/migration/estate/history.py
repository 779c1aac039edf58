"""The neutral columns of run history, and the batches in which sources stream it.

History is not part of the frozen estate (it may be 100 million rows): the estate holds counts and watermarks, the
transfer streams the rows. A batch is a tuple of plain Python values per row, in the order of `columns`. Moments are
aware UTC datetimes; JSON columns are texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

HistoryKind = Literal["run", "task_instance", "task_try", "xcom", "rendered"]
HISTORY_KINDS: tuple[HistoryKind, ...] = ("run", "task_instance", "task_try", "xcom", "rendered")

FINAL_RUN_STATES = ("success", "failed")
UNFINISHED_TASK_STATES = (
    "scheduled", "queued", "running", "restarting", "shutdown", "sensing", "deferred", "up_for_retry",
    "up_for_reschedule", "awaiting_input",
)  # fmt: skip
FINAL_TASK_STATES = ("success", "failed", "skipped", "upstream_failed", "removed")

RUN_COLUMNS = (
    "dag_id", "run_id", "run_type", "state", "logical_date", "data_interval_start", "data_interval_end", "run_after",
    "queued_at", "start_date", "end_date", "conf", "is_external_trigger", "clear_number", "note",
)  # fmt: skip
TASK_COLUMNS = (
    "dag_id", "run_id", "task_id", "map_index", "try_number", "max_tries", "state", "start_date", "end_date",
    "duration", "hostname", "unixname", "pool", "pool_slots", "queue", "priority_weight", "operator",
    "custom_operator_name", "queued_at", "task_display_name", "rendered_map_index", "executor", "note",
)  # fmt: skip
TRY_COLUMNS = tuple(column for column in TASK_COLUMNS if column != "note")
RENDERED_COLUMNS = ("dag_id", "run_id", "task_id", "map_index", "rendered_fields", "k8s_pod_yaml")
XCOM_COLUMNS = ("dag_id", "run_id", "task_id", "map_index", "key", "value", "timestamp")

COLUMNS: dict[HistoryKind, tuple[str, ...]] = {
    "run": RUN_COLUMNS,
    "task_instance": TASK_COLUMNS,
    "task_try": TRY_COLUMNS,
    "xcom": XCOM_COLUMNS,
    "rendered": RENDERED_COLUMNS,
}


@dataclass(frozen=True)
class RejectedRow:
    """A row, or a value in it, that cannot move, with the reason. `key` names it; values are never shown.

    The row stays behind: "xcom-pickled", "xcom-unreadable", "row-without-run", "try-number-unknown",
    "run-date-unreadable". The row moves, a part of it does not: "run-conf-pickled", "run-interval-unknown", "moment-unreadable".
    """

    key: str
    code: str
    message: str
    value: bytes | None = field(default=None, repr=False)  # to be archived: a pickle as it is, or a whole row as JSON


@dataclass(frozen=True)
class HistoryBatch:
    """Up to a few thousand rows of one kind; all rows of one run of one kind come in order of (dag_id, run_id, …)."""

    kind: HistoryKind
    columns: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]
    rejected: Sequence[RejectedRow] = ()


@dataclass(frozen=True)
class HistoryWindow:
    """Which part of the history: these DAGs; only runs in a final state; only runs changed in (`since`, `until`].

    `until` (a source's `history_watermark`) keeps the kinds consistent while the source still runs: a run that ends
    between the reading of runs and of their task instances belongs to the next pass, wholly.
    """

    dag_ids: tuple[str, ...]
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class AssetKey:
    """An asset of 3.x, or a dataset of 2.x, whose name is its URI."""

    name: str
    uri: str


@dataclass(frozen=True)
class AssetEvent:
    """An event of an asset. `extra` is JSON text."""

    asset: AssetKey
    timestamp: datetime | None
    source_dag_id: str | None
    source_task_id: str | None
    source_run_id: str | None
    source_map_index: int
    extra: str


@dataclass(frozen=True)
class PendingAsset:
    """An asset of which a DAG was told, and for which it has not run yet."""

    asset: AssetKey
    dag_id: str
    created_at: datetime
