"""Everything but history that was made or changed since: variables, connections, pools, pauses, assets, the audit log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from aerodrome.databases.back.carrying import Crossing, Staging, carry, delete_missing
from aerodrome.databases.contract import Carried

_TEAM = frozenset({"id", "team_name"})
_DATASET_OF = "(select min(twin.id) from asset a join asset twin on twin.uri = a.uri where a.id = n.asset_id)"


def carry_before_history(crossing: Crossing) -> list[Carried]:
    """Take along what history refers to."""
    older = crossing.older
    carried = [
        _synced(crossing, table, key)
        for table, key in (("variable", "key"), ("connection", "conn_id"), ("slot_pool", "pool"))
    ]
    carried.append(_carry_dags(crossing))
    if "backfill" in older.tables():
        carried.append(carry(crossing, Staging("backfill", "backfill", ("id",))))
    return [one for one in carried if one.inserted or one.updated or one.deleted]


def carry_after_history(crossing: Crossing) -> list[Carried]:
    """Take along what refers to history."""
    carried = list(_carry_datasets(crossing) if crossing.is_across_majors else _carry_assets(crossing))
    if "backfill_dag_run" in crossing.older.tables():
        carried.append(carry(crossing, Staging("backfill_dag_run", "backfill_dag_run", ("id",))))
    date = {"execution_date": "n.logical_date"} if crossing.is_across_majors else {}
    carried.append(carry(crossing, Staging("log", "log", ("id",), date, condition=f"n.id > {_last(crossing, 'log')}")))
    return [one for one in carried if one.inserted or one.updated or one.deleted]


def set_sequences(crossing: Crossing) -> None:
    """Let PostgreSQL's sequences go on after the highest ids; SQLite needs nothing."""
    older = crossing.older
    if older.dialect == "sqlite":
        return
    # by the catalog itself: a function over a view of all schemas may be evaluated before the schema is filtered
    owned = older.rows(
        "select t.relname, a.attname, s.oid::regclass::text from pg_class s "
        "join pg_depend d on d.classid = 'pg_class'::regclass and d.objid = s.oid and d.deptype in ('a', 'i') "
        "and d.refclassid = 'pg_class'::regclass "
        "join pg_class t on t.oid = d.refobjid "
        "join pg_attribute a on a.attrelid = t.oid and a.attnum = d.refobjsubid "
        "where s.relkind = 'S' and t.relnamespace = current_schema()::regnamespace"
    )
    for table, column, sequence in owned:
        older.rows(
            f'select setval(\'{sequence}\', greatest((select coalesce(max("{column}"), 0) from "{table}") + 1, 1), false)'
        )


def _synced(crossing: Crossing, table: str, key: str) -> Carried:
    plan = Staging(table, table, (key,), left_out=_TEAM)
    carried = carry(crossing, plan)
    return replace(carried, deleted=delete_missing(crossing, plan))


def _carry_dags(crossing: Crossing) -> Carried:
    """Pauses; DAGs that are new get a row that keeps their pause until the older Airflow has parsed them."""
    older = crossing.older
    gone = frozenset(
        {"next_dagrun", "next_dagrun_create_after", "next_dagrun_data_interval_start", "next_dagrun_data_interval_end"}
    )
    plan = Staging("dag", "dag", ("dag_id",), kept=frozenset(older.columns("dag")) - {"is_paused"}, left_out=gone)
    if crossing.is_across_majors:
        no = "1 = 0"
        plan = replace(
            plan,
            expressions={"is_active": no, "is_subdag": no},
            left_out=gone | {"last_parsed_time", "has_import_errors"},
        )
    else:
        bundles = ", ".join(
            "'" + str(row[0]).replace("'", "''") + "'" for row in older.rows("select name from dag_bundle")
        )
        known = ", ".join("'" + str(row[0]).replace("'", "''") + "'" for row in older.rows("select dag_id from dag"))
        plan = replace(
            plan,
            left_out=gone | {"deadline"},
            expressions={"is_stale": "1 = 1"},
            condition=f"n.bundle_name in ({bundles or 'null'}) or n.dag_id in ({known or 'null'})",
        )
    carried = carry(crossing, plan)
    # the newer scheduler went on: the older one works out the next runs anew when it parses, and makes none before
    older.run("update dag set next_dagrun_create_after = null where next_dagrun_create_after is not null")
    return replace(carried, kind="dag", found=carried.inserted + carried.updated)


def _carry_datasets(crossing: Crossing) -> Iterator[Carried]:
    """Assets of Airflow 3 as datasets of Airflow 2; assets of one URI become one dataset."""
    tables = crossing.older.tables()
    first_of_uri = "n.id = (select min(twin.id) from asset twin where twin.uri = n.uri)"
    kept, no = frozenset({"id", "updated_at", "is_orphaned"}), "1 = 0"
    yield carry(crossing, Staging("dataset", "asset", ("uri",), {"is_orphaned": no}, condition=first_of_uri, kept=kept))
    event = Staging("dataset_event", "asset_event", ("id",), {"dataset_id": _DATASET_OF})
    yield carry(crossing, replace(event, condition=f"n.id > {_last(crossing, 'dataset_event')}"))
    yield _carry_event_links(crossing, "dagrun_dataset_event", "dagrun_asset_event")
    queue = Staging(
        "dataset_dag_run_queue", "asset_dag_run_queue", ("dataset_id", "target_dag_id"), {"dataset_id": _DATASET_OF}
    )
    carried = carry(crossing, queue)
    yield replace(carried, deleted=delete_missing(crossing, queue))
    if "dataset_alias" in tables:
        last = _last(crossing, "dataset_alias")
        yield carry(crossing, Staging("dataset_alias", "asset_alias", ("id",), condition=f"n.id > {last}"))
        by = {"dataset_id": _DATASET_OF}
        yield carry(crossing, Staging("dataset_alias_dataset", "asset_alias_asset", ("alias_id", "dataset_id"), by))
        yield carry(
            crossing, Staging("dataset_alias_dataset_event", "asset_alias_asset_event", ("alias_id", "event_id"))
        )


def _carry_assets(crossing: Crossing) -> Iterator[Carried]:
    kept = frozenset({"id", "updated_at"})
    yield carry(crossing, Staging("asset", "asset", ("name", "uri"), kept=kept))
    yield carry(
        crossing, Staging("asset_event", "asset_event", ("id",), condition=f"n.id > {_last(crossing, 'asset_event')}")
    )
    yield _carry_event_links(crossing, "dagrun_asset_event", "dagrun_asset_event")
    queue = Staging("asset_dag_run_queue", "asset_dag_run_queue", ("asset_id", "target_dag_id"))
    carried = carry(crossing, queue)
    yield replace(carried, deleted=delete_missing(crossing, queue))
    last = _last(crossing, "asset_alias")
    yield carry(crossing, Staging("asset_alias", "asset_alias", ("id",), condition=f"n.id > {last}"))
    yield carry(crossing, Staging("asset_alias_asset", "asset_alias_asset", ("alias_id", "asset_id")))
    yield carry(crossing, Staging("asset_alias_asset_event", "asset_alias_asset_event", ("alias_id", "event_id")))


def _carry_event_links(crossing: Crossing, older_table: str, newer_table: str) -> Carried:
    joins = "join dag_run d on d.id = n.dag_run_id join b_runs r on r.dag_id = d.dag_id and r.run_id = d.run_id"
    joins += " join asset_event e on e.id = n.event_id"
    return carry(crossing, Staging(older_table, newer_table, ("dag_run_id", "event_id"), joins=joins))


def _last(crossing: Crossing, table: str) -> int:
    return int(crossing.older.one(f'select coalesce(max(id), 0) from "{table}"'))
