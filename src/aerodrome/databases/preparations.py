"""What a database of Airflow 2 needs before Airflow 3 can go on with it. Done on the copy, before the migration."""

from __future__ import annotations

from contextlib import closing

from aerodrome.databases.places import Place, SqlitePlace

_INTERVALS = """
update dag_run set
    data_interval_start = dag_run.execution_date,
    data_interval_end = coalesce(
        case when dag_run.run_type <> 'scheduled' then dag_run.execution_date end,
        found.next_date,
        case when found.next_start > dag_run.execution_date then found.next_start end,
        {a_day_later})
from (
    select run.id as id, dag.next_dagrun_data_interval_start as next_start,
           lead(run.execution_date) over (partition by run.dag_id, run.run_type order by run.execution_date) as next_date
    from dag_run run left join dag on dag.dag_id = run.dag_id
) found
where found.id = dag_run.id and (dag_run.data_interval_start is null or dag_run.data_interval_end is null)
"""
_A_DAY_LATER = {
    "sqlite": "datetime(dag_run.execution_date, '+1 day')",
    "postgresql": "dag_run.execution_date + interval '1 day'",
}


def prepare(place: Place) -> list[str]:
    """Mend what would stop Airflow 3's scheduler; give a sentence per thing mended.

    Runs from before 2.2 have no data interval: Airflow 3.3.2 then logs "run already exists; skipping" for ever (measured).
    The end of a scheduled run's interval is the next run's date, or where the scheduler meant to go on.
    """
    if isinstance(place, SqlitePlace):
        with closing(place.connect()) as connection:
            if "execution_date" not in {row[1] for row in connection.execute("pragma table_info(dag_run)")}:
                return []  # migrated before
            connection.execute("begin immediate")
            filled = connection.execute(_intervals("sqlite")).rowcount
            connection.execute("commit")
    else:
        with place.connect() as session:
            columns = session.execute(
                "select 1 from information_schema.columns where table_schema = current_schema() "
                "and table_name = 'dag_run' and column_name = 'execution_date'"
            )
            if columns.fetchone() is None:
                return []
            filled = session.execute(_intervals("postgresql")).rowcount
    return [f"{filled:,} runs had no data interval; it was computed from the run that followed."] if filled > 0 else []


def _intervals(dialect: str) -> str:
    return _INTERVALS.format(a_day_later=_A_DAY_LATER[dialect])
