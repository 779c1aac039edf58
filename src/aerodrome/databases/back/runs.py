"""The history that was made since: runs, task instances and all that hangs on them."""

from __future__ import annotations

from dataclasses import replace

from aerodrome.databases.back.carrying import CHANGES, IN_CHANGED_RUN, TASK, Crossing, Staging, carry, merge, stage
from aerodrome.databases.back.children import carry_children, carry_notes
from aerodrome.databases.back.pickles import pickle_conf, plain_executor_config
from aerodrome.databases.contract import Carried

_TOUCHED = "({alias}.updated_at > {since} or {alias}.updated_at is null or r.is_whole = 1)"
_SAME_TASK = "ti.dag_id = n.dag_id and ti.task_id = n.task_id and ti.run_id = n.run_id and ti.map_index = n.map_index"
_TASK_ID = "ti.id = n.ti_id"
_STATES_2 = (
    *("removed", "scheduled", "queued", "running", "success", "restarting", "failed", "up_for_retry"),
    *("up_for_reschedule", "upstream_failed", "skipped", "shutdown"),
)
_NEW_IN_3_3 = ("operator_triggered", "asset_materialization")  # run types, or a little earlier
_RUN_TYPES_2 = """case
    when n.run_type = 'backfill' and n.state in ('queued', 'running') then 'manual'
    when n.run_type in ('backfill', 'scheduled', 'manual') then n.run_type
    when n.run_type = 'asset_triggered' then 'dataset_triggered'
    else 'manual' end"""


def carry_history(crossing: Crossing) -> list[Carried]:
    """Make the older side's history equal to the newer's; needs nothing before, leaves temporary tables behind."""
    gone_runs, gone_tasks = _compare(crossing)
    carried = [_carry_small(crossing, "log_template"), _carry_jobs(crossing)]
    runs = _carry_runs(crossing)
    tasks = _carry_tasks(crossing)
    carried += [replace(runs, deleted=gone_runs), replace(tasks, deleted=gone_tasks + _drop_tasks(crossing))]
    carried += [*carry_children(crossing), *carry_notes(crossing)]
    return [one for one in carried if one.found or one.deleted]


def _compare(crossing: Crossing) -> tuple[int, int]:
    """Fill b_runs on both sides with the runs that changed, and delete those that are no more; give the numbers deleted."""
    newer, older = crossing.newer, crossing.older
    for side, name in ((newer, "b_mine"), (older, "b_mine")):
        side.run(
            f"create temp table {name} as select r.dag_id, r.run_id, count(t.task_id) as tasks, "
            f"sum({side.functions}key_hash(t.task_id || ':' || t.map_index)) as digest "
            "from dag_run r left join task_instance t on t.dag_id = r.dag_id and t.run_id = r.run_id "
            "group by r.dag_id, r.run_id"
        )
    older.run("create temp table b_theirs as select * from b_mine where 1 = 0")
    older.load(
        "b_theirs",
        ("dag_id", "run_id", "tasks", "digest"),
        newer.stream("select dag_id, run_id, tasks, digest from b_mine"),
    )
    older.run("create temp table b_runs (dag_id varchar(250), run_id varchar(250), is_whole integer)")
    newer.run("create temp table b_runs (dag_id varchar(250), run_id varchar(250), is_whole integer)")
    for table in ("b_mine", "b_theirs"):
        older.analyze(table)
    older.run(
        "insert into b_runs select y.dag_id, y.run_id, 1 from b_theirs y "
        "left join b_mine m on m.dag_id = y.dag_id and m.run_id = y.run_id "
        "where m.tasks is null or m.tasks <> y.tasks or coalesce(m.digest, 0) <> coalesce(y.digest, 0)"
    )
    newer.load("b_runs", ("dag_id", "run_id", "is_whole"), older.stream("select dag_id, run_id, is_whole from b_runs"))
    _add_touched(crossing)
    for side in (newer, older):
        side.run("create index b_runs_key on b_runs (dag_id, run_id)")
        side.analyze("b_runs")
    return _drop_runs(crossing)


def _add_touched(crossing: Crossing) -> None:
    """Add the runs to the newer b_runs that were written to since, by any of the tables that say when."""
    newer, since = crossing.newer, crossing.since
    sources = [
        f"select dag_id, run_id from dag_run where updated_at > {since} or updated_at is null",
        f"select dag_id, run_id from task_instance where updated_at > {since} or updated_at is null",
        f"select dag_id, run_id from xcom where timestamp > {since}",
        f"select r.dag_id, r.run_id from dag_run_note n join dag_run r on r.id = n.dag_run_id where n.updated_at > {since}",
    ]
    link = _TASK_ID if "ti_id" in newer.columns("task_instance_note") else _SAME_TASK
    sources.append(
        f"select ti.dag_id, ti.run_id from task_instance_note n join task_instance ti on {link} where n.updated_at > {since}"
    )
    newer.run(
        "insert into b_runs select distinct f.dag_id, f.run_id, 0 from ("
        + " union ".join(sources)
        + ") f where not exists (select 1 from b_runs b where b.dag_id = f.dag_id and b.run_id = f.run_id)"
    )


def _drop_runs(crossing: Crossing) -> tuple[int, int]:
    """Delete the older runs that the newer side deleted; those that its own migration moved aside stay."""
    older, newer = crossing.older, crossing.newer
    older.run(
        "create temp table b_gone as select m.dag_id, m.run_id, m.tasks from b_mine m "
        "left join b_theirs y on y.dag_id = m.dag_id and y.run_id = m.run_id where y.dag_id is null"
    )
    for table in newer.tables():
        if table.startswith("_airflow_moved") and {"dag_id", "run_id"} <= newer.columns(table).keys():
            older.run("create temp table b_moved (dag_id varchar(250), run_id varchar(250))")
            older.load("b_moved", ("dag_id", "run_id"), newer.stream(f'select dag_id, run_id from "{table}"'))
            older.run(
                "delete from b_gone where exists (select 1 from b_moved m where m.dag_id = b_gone.dag_id and m.run_id = b_gone.run_id)"
            )
            older.run("drop table b_moved")
    tasks = int(older.one("select coalesce(sum(tasks), 0) from b_gone"))
    runs = older.run(
        "delete from dag_run where exists (select 1 from b_gone g where g.dag_id = dag_run.dag_id and g.run_id = dag_run.run_id)"
    )
    return runs, tasks


def _carry_small(crossing: Crossing, table: str) -> Carried:
    """Take along rows of a small table whose ids the older side does not have."""
    last = int(crossing.older.one(f'select coalesce(max(id), 0) from "{table}"'))
    return carry(crossing, Staging(table, table, ("id",), condition=f"n.id > {last}"))


def _carry_jobs(crossing: Crossing) -> Carried:
    """Take along the newer schedulers' entries, as ended: by them the older one knows orphaned tasks."""
    last = int(crossing.older.one("select coalesce(max(id), 0) from job"))
    ended = {"state": "case when n.state in ('running', 'restarting') then 'failed' else n.state end"}
    return carry(crossing, Staging("job", "job", ("id",), ended, condition=f"n.id > {last}"))


def _carry_runs(crossing: Crossing) -> Carried:
    plan = Staging(
        *("dag_run", "dag_run", ("dag_id", "run_id")),
        joins=IN_CHANGED_RUN,
        kept=frozenset(
            {"id", "dag_hash", "conf"}
        ),  # nothing changes a run's conf, but the upgrade empties unreadable ones
        compared=CHANGES,
    )
    if not crossing.is_across_majors:
        return _carry_runs_within_3(crossing, plan)
    plan = replace(
        plan,
        expressions={
            "execution_date": "coalesce(n.logical_date, n.run_after)",
            "data_interval_start": "coalesce(n.data_interval_start, n.logical_date, n.run_after)",
            "data_interval_end": "coalesce(n.data_interval_end, n.logical_date, n.run_after)",
            "external_trigger": "n.run_type not in ('scheduled', 'asset_triggered', 'backfill')",
            "run_type": _RUN_TYPES_2,
        },
    )
    columns = stage(crossing, plan, pickle_conf)
    undated = _date_the_undated(crossing)
    other_type = int(
        crossing.newer.one(
            "select count(*) from dag_run n join b_runs r on r.dag_id = n.dag_id and r.run_id = n.run_id "
            f"where n.run_type <> 'asset_triggered' and n.run_type <> ({_RUN_TYPES_2})"
        )
    )
    remark = (
        f"{undated:,} runs without a logical date got the date when they were due and a note that says so; "
        f"{other_type:,} runs of types that Airflow 2 does not know became manual ones."
    )
    carried = merge(crossing, plan, columns)
    return replace(carried, converted=undated + other_type, remark=remark if undated + other_type else "")


def _carry_runs_within_3(crossing: Crossing, plan: Staging) -> Carried:
    version, newer_types = "created_dag_version_id", ", ".join(f"'{one}'" for one in _NEW_IN_3_3)
    if crossing.older_version < (3, 3):
        plan = replace(
            plan, expressions={"run_type": f"case when n.run_type in ({newer_types}) then 'manual' else n.run_type end"}
        )
    if crossing.older_version < (3, 1):
        plan = replace(plan, left_out=frozenset({"triggered_by"}))  # an enum that grew
    columns = stage(crossing, plan)
    if version in columns:
        _point_to_known_version(crossing, plan.stage, version)
    return merge(crossing, plan, columns)


def _date_the_undated(crossing: Crossing) -> int:
    """Give every run that had no logical date one that is free in its DAG: when it was due, or microseconds later."""
    newer, older = crossing.newer, crossing.older
    older.run("create temp table b_undated (dag_id varchar(250), run_id varchar(250), nth integer)")
    count = older.load(
        "b_undated",
        ("dag_id", "run_id", "nth"),
        newer.stream(
            "select n.dag_id, n.run_id, row_number() over (partition by n.dag_id order by n.id) from dag_run n "
            f"{IN_CHANGED_RUN} where n.logical_date is null"
        ),
    )
    older.run("create unique index b_undated_key on b_undated (dag_id, run_id)")
    older.run("create index b_dag_run_key on b_dag_run (dag_id, execution_date)")
    older.analyze("b_undated")
    taken = """
        exists (select 1 from b_undated u where u.dag_id = s.dag_id and u.run_id = s.run_id) and (
            exists (select 1 from dag_run o
                    where o.dag_id = s.dag_id and o.execution_date = s.execution_date and o.run_id <> s.run_id)
            or exists (select 1 from b_dag_run o left join b_undated u on u.dag_id = o.dag_id and u.run_id = o.run_id
                       where o.dag_id = s.dag_id and o.execution_date = s.execution_date and o.run_id <> s.run_id
                       and (u.nth is null or u.nth < (select v.nth from b_undated v
                                                      where v.dag_id = s.dag_id and v.run_id = s.run_id))))
    """
    later = f"execution_date = {older.functions}a_bit_later(s.execution_date)"
    while count and older.run(f"update b_dag_run as s set {later} where {taken}"):
        pass
    return count


def _carry_tasks(crossing: Crossing) -> Carried:
    touched = _TOUCHED.format(alias="n", since=crossing.since)
    plan = Staging(
        *("task_instance", "task_instance", TASK),
        joins=IN_CHANGED_RUN,
        condition=touched,
        left_out=frozenset({"job_id"}),
        compared=CHANGES,
    )
    if not crossing.is_across_majors:
        return _carry_tasks_within_3(crossing, plan)
    known = ", ".join(f"'{state}'" for state in _STATES_2)
    plan = replace(
        plan,
        expressions={
            "state": f"case when n.state in ({known}) then n.state end",
            "external_executor_id": "substr(n.external_executor_id, 1, 250)",
            **dict.fromkeys(("trigger_id", "trigger_timeout", "next_method", "next_kwargs"), "null"),
        },
    )
    columns = stage(crossing, plan, plain_executor_config)
    anew = int(
        crossing.newer.one(
            f"select count(*) from task_instance n {IN_CHANGED_RUN} where {touched} and n.state is not null and n.state not in ({known})"
        )
    )
    anew += crossing.older.run(
        "update b_task_instance set state = null, queued_by_job_id = null where state in ('queued', 'running', 'restarting') "
        "and not exists (select 1 from job j where j.id = b_task_instance.queued_by_job_id)"
    )
    remark = (
        ""
        if not anew
        else f"{anew:,} task instances that waited (deferred, for a person, or without a scheduler) start anew."
    )
    return replace(merge(crossing, plan, columns), converted=anew, remark=remark)


def _carry_tasks_within_3(crossing: Crossing, plan: Staging) -> Carried:
    older = crossing.older
    if crossing.older_version < (3, 3):
        plan = replace(plan, expressions={"state": "case when n.state <> 'awaiting_input' then n.state end"})
    columns = stage(crossing, plan)
    if "dag_version_id" in columns:
        _point_to_known_version(crossing, plan.stage, "dag_version_id")
    older.run(  # they refer to ids that change with every try; they come again from the newer side
        "delete from task_reschedule where ti_id in (select t.id from task_instance t join b_task_instance s "
        "on s.dag_id = t.dag_id and s.task_id = t.task_id and s.run_id = t.run_id and s.map_index = t.map_index)"
    )
    anew = older.run(
        "update b_task_instance set state = case when state = 'deferred' then null else state end, "
        "trigger_id = null, trigger_timeout = null, next_method = null, next_kwargs = null "
        "where (trigger_id is not null or state = 'deferred') "
        'and not exists (select 1 from "trigger" g where g.id = b_task_instance.trigger_id)'
    )
    remark = f"{anew:,} deferred task instances start anew." if anew else ""
    return replace(merge(crossing, plan, columns), converted=anew, remark=remark)


def _drop_tasks(crossing: Crossing) -> int:
    """Delete older task instances that are no more in runs whose tasks changed."""
    newer, older = crossing.newer, crossing.older
    older.run(
        "create temp table b_keys (dag_id varchar(250), task_id varchar(250), run_id varchar(250), map_index integer)"
    )
    older.load(
        "b_keys",
        TASK,
        newer.stream(
            f"select n.dag_id, n.task_id, n.run_id, n.map_index from task_instance n {IN_CHANGED_RUN} where r.is_whole = 1"
        ),
    )
    older.run("create index b_keys_key on b_keys (dag_id, run_id, task_id, map_index)")
    older.run(  # new runs have nothing to delete; leaving them out keeps the plan small
        "create temp table b_known as select r.dag_id, r.run_id from b_runs r "
        "join b_mine m on m.dag_id = r.dag_id and m.run_id = r.run_id where m.tasks > 0"
    )
    older.run(
        "create temp table b_dead as select t.dag_id, t.task_id, t.run_id, t.map_index from b_known r "
        "join task_instance t on t.dag_id = r.dag_id and t.run_id = r.run_id "
        "left join b_keys k on k.dag_id = t.dag_id and k.run_id = t.run_id and k.task_id = t.task_id "
        "and k.map_index = t.map_index where k.dag_id is null"
    )
    for table in ("b_keys", "b_known", "b_dead"):
        older.analyze(table)
    return older.run(
        "delete from task_instance as t where (dag_id, task_id, run_id, map_index) in "
        "(select dag_id, task_id, run_id, map_index from b_dead)"
    )


def _point_to_known_version(crossing: Crossing, table: str, column: str) -> None:
    """Let rows of DAG versions that the older side does not have point to its own newest of the same DAG."""
    crossing.older.run(
        f"update {table} set {column} = (select v.id from dag_version v where v.dag_id = {table}.dag_id "
        f"order by v.version_number desc limit 1) where {column} is not null "
        f"and not exists (select 1 from dag_version v where v.id = {table}.{column})"
    )
