"""The mapping of `mapping.py` in PostgreSQL's words: a query over the neutral columns that gives the target's columns.

Both give identical rows (`test_sql_lane.py` compares them on real sources). A row that needs more than SQL, or that the
mapping would refuse, is not `is_plain`: its run takes the way through Python, which says why.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence

from aerodrome.migration.estate.history import FINAL_RUN_STATES, FINAL_TASK_STATES, HistoryKind
from aerodrome.migration.sources.lanes import NeutralSql
from aerodrome.migration.transfer import airflow2
from aerodrome.migration.transfer.mapping import (
    DEFAULT_POOL,
    EXTRA_COLUMNS,
    ID_LIMIT,
    JSONS,
    KEYS,
    NOTE_LIMIT,
    RUN_TYPES,
    TARGET_COLUMNS,
    TASK_STATES,
    TRIGGERED_BY,
    XCOM_KEY_LIMIT,
    is_run_type_known,
)
from aerodrome.migration.transfer.writer import HistoryWriter

_NO_CONF: tuple[object, ...] = (None, {})
EMPTY_CONFS = sorted(
    {pickle.dumps(value, protocol) for value in _NO_CONF for protocol in range(pickle.HIGHEST_PROTOCOL + 1)}
)
"""How a run without configuration is pickled, in every protocol."""

NOTED: frozenset[HistoryKind] = frozenset({"run", "task_instance"})


def mapped_sql(kind: HistoryKind, neutral: NeutralSql, types: Mapping[str, str], schema_version: str) -> str:
    """Give a SELECT of the target's columns, of EXTRA_COLUMNS, `note`, `noted_at` and `is_plain`.

    `types` names the type of each of the target's columns. Runs are chosen by a table `chosen` (dag_id, run_id, target_id).
    """
    columns = {"run": _run, "task_instance": _task, "task_try": _try, "xcom": _xcom, "rendered": _rendered}[kind](
        neutral, schema_version
    )
    proved, extra = TARGET_COLUMNS[kind], EXTRA_COLUMNS[kind]
    if is_airflow2(schema_version):
        columns = in_airflow2(kind, columns)
        proved, extra = airflow2.COLUMNS[kind], airflow2.EXTRA_COLUMNS[kind]
    wanted = [*proved, *extra]
    casts = [f"({columns[name]})::{types.get(name, 'text')} as {name}" for name in wanted]
    note = "n.note" if kind in NOTED else "null"
    noted_at = f"coalesce({columns[extra[-1]]}, timestamptz 'epoch')" if kind in NOTED else "null"
    rest = [f"{note}::text as note", f"({noted_at})::timestamptz as noted_at", f"{columns['is_plain']} as is_plain"]
    return (
        f"select {', '.join([*casts, 'c.target_id', *rest])} from ({neutral.text}) n "
        "join chosen c on c.dag_id = n.dag_id and c.run_id = n.run_id"
    )


def hash_sql(writer: HistoryWriter, alias: str) -> str:
    """Give the hash of a row's proved columns (64 bits, as PostgreSQL makes it for hash partitions)."""
    columns = [
        f"{alias}.{name}::{'bytea' if name in writer.bytes else 'jsonb' if name in JSONS else _HASHED_AS.get(name, 'text')}"
        for name in writer.columns
    ]
    return f"hash_record_extended(row({', '.join(columns)}), 0)"


def note_hash_sql(kind: HistoryKind, alias: str, note: str) -> str:
    keys = [f"{alias}.{name}::text" for name in KEYS[kind]]
    return f"hash_record_extended(row({', '.join([*keys, note])}), 0)"


SAMPLE_SQL = (
    "select hash_record_extended(row('ü'::text, 7, -2.5::float8, timestamptz '2026-01-01 00:00:00.5+00', "
    """'{"a": [1.50, "x"]}'::jsonb, null::text), seed) from generate_series(0, 1) seed order by seed"""
)
"""Two databases that answer alike hash alike. Before PostgreSQL 14 there is no such function."""

_HASHED_AS = {
    **dict.fromkeys(("map_index", "try_number", "max_tries", "pool_slots", "priority_weight", "clear_number"), "int"),
    **dict.fromkeys(
        ("logical_date", "execution_date", "data_interval_start", "data_interval_end", "run_after", "queued_at", "start_date", "end_date",
         "queued_dttm", "timestamp"), "timestamptz",
    ),
    "duration": "float8",
    "external_trigger": "bool",
}  # fmt: skip


def _run(neutral: NeutralSql, schema_version: str) -> dict[str, str]:
    types = {old: new for old, new in RUN_TYPES.items() if is_run_type_known(new, schema_version)}
    run_type = f"case n.run_type {_cases(types)} end"
    if is_airflow2(schema_version):
        types = {old: new for old, new in types.items() if new in airflow2.RUN_TYPES}
    if neutral.document == "json":
        conf = "case when n.conf is null or n.conf::jsonb = 'null' then jsonb '{}' else n.conf::jsonb end"
        is_conf_plain = "(n.conf is null or jsonb_typeof(n.conf::jsonb) in ('object', 'null'))"
    else:
        conf = "jsonb '{}'"
        empty = ", ".join(f"'\\x{value.hex()}'::bytea" for value in EMPTY_CONFS)
        is_conf_plain = f"(n.conf is null or n.conf in ({empty}))"
    has_both = "n.data_interval_start::timestamptz is not null and n.data_interval_end::timestamptz is not null"
    after = "coalesce(n.run_after::timestamptz, n.data_interval_end::timestamptz, n.logical_date::timestamptz, n.queued_at::timestamptz, n.start_date::timestamptz)"
    plain = [
        f"n.run_type in ({_list(list(types))})",
        f"n.state in ({_list(FINAL_RUN_STATES)})",
        f"length(n.dag_id) <= {ID_LIMIT} and length(n.run_id) <= {ID_LIMIT}",
        "(n.data_interval_start::timestamptz is not null or n.logical_date::timestamptz is null or n.run_after::timestamptz is not null)",
        f"{after} is not null",
        f"coalesce(length(n.note), 0) <= {NOTE_LIMIT}",
        is_conf_plain,
    ]
    return _same("dag_id", "run_id", "state", "logical_date", "queued_at", "start_date", "end_date") | {
        "run_type": run_type,
        "data_interval_start": f"case when {has_both} then n.data_interval_start::timestamptz end",
        "data_interval_end": f"case when {has_both} then n.data_interval_end::timestamptz end",
        "run_after": after,
        "conf": conf,
        "clear_number": "coalesce(n.clear_number, 0)",
        "triggered_by": f"case {run_type} {_cases(TRIGGERED_BY)} end",
        "span_status": "'not_started'",
        "created_at": f"coalesce(n.queued_at::timestamptz, n.start_date::timestamptz, {after})",
        "updated_at": f"coalesce(n.end_date::timestamptz, n.start_date::timestamptz, {after})",
        "external_trigger": "coalesce(n.is_external_trigger::boolean, n.run_type <> 'scheduled')",
        "is_plain": f"coalesce({' and '.join(plain)}, false)",
    }


def _task(neutral: NeutralSql, schema_version: str, *, is_try: bool = False) -> dict[str, str]:
    del neutral, schema_version
    key = ["n.dag_id", "n.run_id", "n.task_id", "coalesce(n.map_index, -1)"]
    if is_try:
        key.append("coalesce(n.try_number, 0)")
    uuid = _uuid7(key, "coalesce(n.start_date::timestamptz, n.end_date::timestamptz)")
    states = sorted(TASK_STATES) if is_try else FINAL_TASK_STATES
    plain = [f"(n.state is null or n.state in ({_list(states)}))", f"length(n.task_id) <= {ID_LIMIT}"]
    if not is_try:
        plain.append(f"coalesce(length(n.note), 0) <= {NOTE_LIMIT}")
    return _same(
        "dag_id", "run_id", "task_id", "state", "start_date", "end_date", "duration", "unixname", "queue",
        "priority_weight", "operator", "custom_operator_name", "rendered_map_index", "executor",
    ) | {
        "map_index": "coalesce(n.map_index, -1)",
        "try_number": "coalesce(n.try_number, 0)",
        "max_tries": "coalesce(n.max_tries, 0)",
        "hostname": "''",
        "pool": f"coalesce(nullif(n.pool, ''), '{DEFAULT_POOL}')",
        "pool_slots": "coalesce(nullif(n.pool_slots, 0), 1)",
        "queued_dttm": "n.queued_at::timestamptz",
        "task_display_name": f"coalesce(nullif(n.task_display_name, ''), {'n.task_id' if is_try else 'null'})",
        "id": uuid,
        "task_instance_id": uuid,
        "span_status": "'not_started'",
        "updated_at": "coalesce(n.end_date::timestamptz, n.start_date::timestamptz)",
        "is_plain": f"coalesce({' and '.join(plain)}, false)",
    }  # fmt: skip


def _try(neutral: NeutralSql, schema_version: str) -> dict[str, str]:
    return _task(neutral, schema_version, is_try=True)


def _xcom(neutral: NeutralSql, schema_version: str) -> dict[str, str]:
    del schema_version
    if neutral.document == "json":
        value, is_plain = "nullif(n.value::jsonb, 'null')", "true"
    else:
        value = "convert_from(n.value, 'UTF8')::jsonb"
        is_plain = "(n.value is null or substring(n.value from 1 for 1) <> '\\x80'::bytea)"
    return _same("dag_id", "run_id", "task_id", "key", "timestamp") | {
        "map_index": "coalesce(n.map_index, -1)",
        # lazily: what is not plain is not read as JSON
        "value": f"case when {is_plain} then {value} end",
        "dag_result": "false",
        "is_plain": f"coalesce({is_plain} and length(n.key) <= {XCOM_KEY_LIMIT} and n.timestamp::timestamptz is not null, false)",
    }


def _rendered(neutral: NeutralSql, schema_version: str) -> dict[str, str]:
    del neutral, schema_version
    return _same("dag_id", "run_id", "task_id", "rendered_fields") | {
        "map_index": "coalesce(n.map_index, -1)",
        "k8s_pod_yaml": "case when n.k8s_pod_yaml::jsonb <> 'null' then n.k8s_pod_yaml end",
        "is_plain": "(n.rendered_fields is not null)",
    }


def in_airflow2(kind: HistoryKind, columns: Mapping[str, str]) -> dict[str, str]:
    """Turn the expressions for Airflow 3 into those for Airflow 2, as `airflow2.py` turns rows.

    The source keeps its documents as bytes; a run with a configuration in it is not plain.
    """
    empty = f"'\\x{airflow2.EMPTY_PICKLE.hex()}'::bytea"
    if kind == "run":
        run_type = f"case {columns['run_type']} {_cases(airflow2.RUN_TYPES)} end"
        return {
            **columns,
            "run_type": run_type,
            "execution_date": columns["logical_date"],
            "conf": empty,
            "dag_hash": f"'{airflow2.IMPORT_HASH}'",
            "is_plain": f"({columns['is_plain']} and {columns['logical_date']} is not null)",
        }
    if kind == "xcom":  # its value was read as JSON: what is not JSON fails here, and stays as it is written otherwise
        return {**columns, "value": f"case when ({columns['value']}) is not null then n.value end"}
    return {**columns, "executor_config": empty}


def is_airflow2(schema_version: str) -> bool:
    return schema_version.startswith("2.")


def _uuid7(key: Sequence[str], moment: str) -> str:
    """Write `stable_uuid7` of mapping.py: milliseconds, version, and the MD5 of the key's parts."""
    digits = f"md5(concat_ws(chr(31), {', '.join(key)}))"
    milliseconds = f"floor(date_part('epoch', coalesce({moment}, timestamptz 'epoch')) * 1000)::bigint"
    head = f"lpad(to_hex((greatest(0, {milliseconds}) << 4) | 7), 13, '0')"
    return f"overlay(overlay({digits} placing {head} from 1) placing '8' from 17)::uuid"


def _same(*names: str) -> dict[str, str]:
    return {name: f"n.{name}{'::timestamptz' if _HASHED_AS.get(name) == 'timestamptz' else ''}" for name in names}


def _list(values: Sequence[str]) -> str:
    return ", ".join(f"'{value}'" for value in values)


def _cases(values: Mapping[str, str]) -> str:
    return " ".join(f"when '{old}' then '{new}'" for old, new in values.items())
