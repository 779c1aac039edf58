"""Frees the names of the runs that the older scheduler makes next.

From 3.2 on Airflow's scheduler calls a run after the moment when it was due (the end of its interval), before after its logical date
(the start; jobs/scheduler_job_runner.py of 2.11.2, 3.0.6, 3.1.8, 3.2.0, 3.2.2 and 3.3.2). So the newest run of every DAG made by the newer
one has the name that the older one gives to the next, and the older scheduler ends with an error when the name is taken (seen with
2.11.2 on PostgreSQL and 3.0.6 on SQLite). Such a run keeps its dates and gets a longer name.
"""

from __future__ import annotations

from datetime import datetime

from aerodrome.databases.back.carrying import Crossing
from aerodrome.databases.back.sides import Side, quoted
from aerodrome.databases.contract import Renamed

_BEGIN = "scheduled__"
SUFFIX = "__airflow3"
_NAMED_BY_DUE_TIME = (3, 2)


def free_next_names(crossing: Crossing) -> tuple[Renamed, ...]:
    """Rename the newest scheduled run of each DAG when it bears the name of the next; give them. Children go along."""
    if crossing.older_version >= _NAMED_BY_DUE_TIME:
        return ()
    older = crossing.older
    date = "execution_date" if crossing.is_across_majors else "logical_date"
    newest = older.rows(
        f"select r.dag_id, r.run_id, r.{date} from dag_run r join (select dag_id, max({date}) as newest "
        "from dag_run where run_type = 'scheduled' group by dag_id) m "
        f"on m.dag_id = r.dag_id and m.newest = r.{date} where r.run_type = 'scheduled'"
    )
    taken = tuple(
        Renamed(str(row[0]), str(row[1]), str(row[1]) + SUFFIX)
        for row in newest
        if _is_named_by_due_time(str(row[1]), str(row[2]))
    )
    if not taken:
        return ()
    if older.dialect == "sqlite":
        older.run("pragma defer_foreign_keys = on")  # until the transaction ends: a run is renamed before its tasks
    constraints = _foreign_keys(older)
    for table, name in constraints:
        older.run(f"alter table {table} alter constraint {quoted(name)} deferrable")
    if constraints:
        older.run("set constraints all deferred")
    named = [table for table in sorted(older.tables()) if {"dag_id", "run_id"} <= older.columns(table).keys()]
    for run in taken:
        for table in named:
            older.run(
                f"update {quoted(table)} set run_id = {_text(run.renamed_to)} "
                f"where dag_id = {_text(run.dag_id)} and run_id = {_text(run.run_id)}"
            )
    if constraints:
        older.run("set constraints all immediate")
    for table, name in constraints:
        older.run(f"alter table {table} alter constraint {quoted(name)} not deferrable")
    return taken


def _is_named_by_due_time(run_id: str, logical_date: str) -> bool:
    """Tell whether the moment in the name is later than the run's logical date."""
    if not run_id.startswith(_BEGIN) or run_id.endswith(SUFFIX):
        return False
    try:
        named, own = datetime.fromisoformat(run_id.removeprefix(_BEGIN)), datetime.fromisoformat(logical_date)
    except ValueError:
        return False
    return named.replace(tzinfo=None) > own.replace(tzinfo=None)


def _foreign_keys(side: Side) -> list[tuple[str, str]]:
    if side.dialect == "sqlite":
        return []
    rows = side.rows(
        "select conrelid::regclass::text, conname from pg_constraint where contype = 'f' and not condeferrable "
        "and confrelid in ('dag_run'::regclass, 'task_instance'::regclass)"
    )
    return [(str(row[0]), str(row[1])) for row in rows]


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
