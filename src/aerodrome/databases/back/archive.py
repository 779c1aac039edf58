"""What was made since and the older Airflow has no place for: counted, with examples and a reason."""

from __future__ import annotations

from aerodrome.databases.back.carrying import Crossing
from aerodrome.databases.back.sides import quoted
from aerodrome.databases.contract import EXAMPLES, Archived
from aerodrome.databases.upgrades import RENAMED

_CARRIED = frozenset(
    {
        *("dag_run", "task_instance", "task_instance_history", "xcom", "rendered_task_instance_fields", "task_map"),
        *(
            "task_reschedule",
            "dag_run_note",
            "task_instance_note",
            "log",
            "log_template",
            "job",
            "variable",
            "connection",
        ),
        *("slot_pool", "dag", "asset", "asset_alias", "asset_event", "dagrun_asset_event", "asset_dag_run_queue"),
        *("asset_alias_asset", "asset_alias_asset_event", "backfill", "backfill_dag_run"),
    }
)
_ITS_OWN = frozenset(  # what each Airflow writes for itself, anew
    {
        *(
            "alembic_version",
            "serialized_dag",
            "dag_code",
            "import_error",
            "dag_warning",
            "session",
            "callback_request",
        ),
        *("dag_priority_parsing_request", "dag_owner_attributes", "dag_tag", "dag_bundle", "asset_active", "trigger"),
        *(
            "revoked_token",
            "edge_worker",
            "edge_logs",
            "edge_job",
            "connection_test_request",
            "deadline_alert",
            "callback",
        ),
    }
)
_OWN_PREFIXES = (
    "ab_",
    "alembic_",
    "_airflow",
    "_xcom_archive",
    "dag_schedule_",
    "task_outlet_",
    "task_inlet_",
    "b_",
    "sqlite_",
)
_REASONS = {
    "dag_version": "The older Airflow keeps its own versions of DAGs, or none; runs show the version that it knows.",
    "deadline": "The older Airflow has no deadlines, or keeps them in another form.",
    "hitl_detail": "The older Airflow cannot ask a person within a task; the question and its answer stay here.",
    "hitl_detail_history": "The older Airflow cannot ask a person within a task; the question and its answer stay here.",
    "backfill": "Airflow 2 makes backfills by a command, not by rows; the runs that this backfill made were carried.",
    "backfill_dag_run": "Airflow 2 makes backfills by a command, not by rows; the runs themselves were carried.",
    "asset_watcher": "Airflow 2 has no asset watchers.",
    "team": "The older Airflow has no teams.",
    "dag_favorite": "The older Airflow has no favourites.",
}
_COLUMN_REASONS = {
    ("dag_run", "partition_key"): "The older Airflow has no partitions; the run itself was carried.",
    (
        "dag_run",
        "triggering_user_name",
    ): "The older Airflow does not keep who triggered a run; the run itself was carried.",
    ("asset_event", "partition_key"): "The older Airflow has no partitions; the event itself was carried.",
}
_NAMES = (
    "dag_id",
    "task_id",
    "run_id",
    "map_index",
    "name",
    "key",
    "uri",
    "version_number",
    "subject",
    "deadline_time",
    "id",
)
_TIMES = ("created_at", "timestamp", "updated_at")


def archived(crossing: Crossing) -> list[Archived]:
    """List what stays behind; nothing that the snapshot holds is among it."""
    newer, older = crossing.newer, crossing.older
    here, left = older.tables(), []
    back_names = {after: before for before, after in RENAMED.items()}
    for table in sorted(newer.tables()):
        if table in _ITS_OWN or table.startswith(_OWN_PREFIXES):
            continue
        if table in _CARRIED and (table in here or back_names.get(table) in here):
            continue
        if one := _left_behind(crossing, table, is_known=table in here):
            left.append(one)
    left += [
        one for (table, column), reason in _COLUMN_REASONS.items() if (one := _column(crossing, table, column, reason))
    ]
    return left


def _left_behind(crossing: Crossing, table: str, *, is_known: bool) -> Archived | None:
    newer, columns = crossing.newer, crossing.newer.columns(table)
    moment = next((name for name in _TIMES if name in columns), None)
    if is_known and moment is None:
        count = int(newer.one(f"select count(*) from {quoted(table)}")) - int(
            crossing.older.one(f"select count(*) from {quoted(table)}")
        )
        condition = "1 = 1"
    else:
        condition = f"n.{quoted(moment)} > {newer.moment(crossing.taken_at)}" if is_known and moment else "1 = 1"
        count = int(newer.one(f"select count(*) from {quoted(table)} n where {condition}"))
    if count <= 0:
        return None
    reason = _REASONS.get(table, "The older Airflow has no place for these rows.")
    return Archived(table, count, reason, _examples(crossing, table, condition))


def _column(crossing: Crossing, table: str, column: str, reason: str) -> Archived | None:
    newer = crossing.newer
    older_table = next((before for before, after in RENAMED.items() if after == table), table)
    is_in_both = column in crossing.older.columns(table) or column in crossing.older.columns(older_table)
    if is_in_both or column not in newer.columns(table):
        return None
    condition = f"n.{quoted(column)} is not null"
    count = int(newer.one(f"select count(*) from {quoted(table)} n where {condition}"))
    return Archived(f"{table}.{column}", count, reason, _examples(crossing, table, condition)) if count else None


def _examples(crossing: Crossing, table: str, condition: str) -> tuple[str, ...]:
    columns = crossing.newer.columns(table)
    names = [name for name in _NAMES if name in columns][:4] or list(columns)[:2]
    wanted = ", ".join(f"n.{quoted(name)}" for name in names)
    rows = crossing.newer.rows(f"select {wanted} from {quoted(table)} n where {condition} order by 1 limit {EXAMPLES}")
    return tuple(
        ", ".join(f"{name} {value}" for name, value in zip(names, row, strict=True) if value is not None)
        for row in rows
    )
