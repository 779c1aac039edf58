"""What hangs on runs and task instances: XComs, rendered fields, tries, reschedules, notes. After runs.py."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from aerodrome.databases.back.carrying import CHANGES, IN_CHANGED_RUN, TASK, Crossing, Staging, carry, delete_missing
from aerodrome.databases.back.sides import quoted
from aerodrome.databases.contract import Carried

_TASK_ID = "ti.id = n.ti_id"
_UNDATED_NOTE = "Airflow 3 gave this run no logical date; the date shown is when it was due."


def carry_children(crossing: Crossing) -> Iterator[Carried]:
    newer, is_back = crossing.newer, crossing.is_across_majors
    as_bytes = "cast(n.value as blob)" if newer.dialect == "sqlite" else "convert_to(n.value::text, 'UTF8')"
    of_staged = (
        "exists (select 1 from b_task_instance i where i.dag_id = t.dag_id and i.task_id = t.task_id "
        "and i.run_id = t.run_id and i.map_index = t.map_index)"
    )
    xcom = Staging(
        *("xcom", "xcom", ("dag_run_id", "task_id", "map_index", "key")),
        expressions={"value": as_bytes} if is_back else {},
        joins=IN_CHANGED_RUN,
        compared=("timestamp",),
    )
    carried = carry(crossing, xcom)
    yield replace(carried, deleted=delete_missing(crossing, xcom, of_staged + _not_moved_aside(crossing)))
    yield carry(
        crossing,
        Staging("rendered_task_instance_fields", "rendered_task_instance_fields", TASK, joins=IN_CHANGED_RUN),
    )
    task_map = Staging("task_map", "task_map", TASK, joins=IN_CHANGED_RUN)
    carried = carry(crossing, task_map)
    yield replace(carried, deleted=delete_missing(crossing, task_map, of_staged))
    yield _carry_reschedules(crossing, of_staged)
    key = (*TASK, "try_number")
    gone = frozenset({"id", "trigger_id", "trigger_timeout", "next_method", "next_kwargs", "job_id"})
    if "task_instance_history" in crossing.older.tables():
        shorter = {"external_executor_id": "substr(n.external_executor_id, 1, 250)"} if is_back else {}
        yield carry(
            crossing,
            Staging(
                *("task_instance_history", "task_instance_history", key, shorter),
                left_out=gone if is_back else frozenset({"dag_version_id"}),
                joins=IN_CHANGED_RUN,
                compared=CHANGES,
            ),
        )


def _not_moved_aside(crossing: Crossing) -> str:
    """Give a condition that spares XComs (`t`) which the upgrade itself moved away, because they were pickled."""
    newer, older, table = crossing.newer, crossing.older, "_xcom_archive"
    key = ("dag_run_id", "task_id", "map_index", "key")
    if table not in newer.tables() or not set(key) <= newer.columns(table).keys():
        return ""
    older.empty_copy("b_aside", "xcom", key)
    older.load("b_aside", key, newer.stream(f"select {', '.join(map(quoted, key))} from {table}"))
    older.analyze("b_aside")
    same = " and ".join(f"a.{quoted(name)} = t.{quoted(name)}" for name in key)
    return f" and not exists (select 1 from b_aside a where {same})"


def _carry_reschedules(crossing: Crossing, of_staged: str) -> Carried:
    plan = Staging("task_reschedule", "task_reschedule", ("id",), joins=f"join task_instance ti on {_TASK_ID}")
    plan = replace(plan, joins=f"{plan.joins} join b_runs r on r.dag_id = ti.dag_id and r.run_id = ti.run_id")
    if crossing.is_across_majors:
        names = ("dag_id", "task_id", "run_id", "map_index", "try_number")
        plan = replace(plan, expressions={name: f"ti.{name}" for name in names})
    carried = carry(crossing, plan)
    deleted = delete_missing(crossing, plan, of_staged) if crossing.is_across_majors else 0
    return replace(carried, deleted=deleted)


def carry_notes(crossing: Crossing) -> Iterator[Carried]:
    is_back = crossing.is_across_majors
    nobody = {"user_id": "null"} if is_back else {}
    kept = frozenset({"user_id"}) if is_back else frozenset()
    of_run = "join dag_run d on d.id = n.dag_run_id join b_runs r on r.dag_id = d.dag_id and r.run_id = d.run_id"
    yield carry(crossing, Staging("dag_run_note", "dag_run_note", ("dag_run_id",), nobody, joins=of_run, kept=kept))
    if is_back:
        crossing.older.run(
            "insert into dag_run_note (dag_run_id, content, created_at, updated_at) "
            f"select d.id, '{_UNDATED_NOTE}', current_timestamp, current_timestamp from dag_run d "
            "join b_undated u on u.dag_id = d.dag_id and u.run_id = d.run_id "
            "where not exists (select 1 from dag_run_note n where n.dag_run_id = d.id)"
        )
    of_task = f"join task_instance ti on {_TASK_ID} join b_runs r on r.dag_id = ti.dag_id and r.run_id = ti.run_id"
    keys = {name: f"ti.{name}" for name in TASK} if is_back else {}
    by = TASK if is_back else ("ti_id",)
    yield carry(
        crossing, Staging("task_instance_note", "task_instance_note", by, keys | nobody, joins=of_task, kept=kept)
    )
