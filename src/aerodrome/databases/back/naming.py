"""Frees the names of the runs that the older scheduler makes next.

Airflow 3 calls a scheduled run after the moment when it was due (the end of its interval), Airflow 2 after its logical date (the
start). So the newest run of every DAG made by Airflow 3 has the name that Airflow 2 gives to the next one, and Airflow 2's scheduler
ends with an error when the name is taken (seen with 2.11.2 on PostgreSQL). Such a run keeps its dates and gets a longer name.
"""

from __future__ import annotations

from datetime import datetime

from aerodrome.databases.back.carrying import Crossing
from aerodrome.databases.back.sides import Side, quoted

_BEGIN = "scheduled__"
SUFFIX = "__airflow3"


def free_next_names(crossing: Crossing) -> int:
    """Rename the newest scheduled run of each DAG when it bears the name of the next; give how many. Children go along."""
    if not crossing.is_across_majors:
        return 0
    older = crossing.older
    newest = older.rows(
        "select r.dag_id, r.run_id, r.execution_date from dag_run r join (select dag_id, max(execution_date) as newest "
        "from dag_run where run_type = 'scheduled' group by dag_id) m "
        "on m.dag_id = r.dag_id and m.newest = r.execution_date where r.run_type = 'scheduled'"
    )
    taken = [(str(row[0]), str(row[1])) for row in newest if _is_of_airflow_3(str(row[1]), str(row[2]))]
    if not taken:
        return 0
    if older.dialect == "sqlite":
        older.run("pragma defer_foreign_keys = on")  # until the transaction ends: a run is renamed before its tasks
    constraints = _foreign_keys(older)
    for table, name in constraints:
        older.run(f"alter table {table} alter constraint {quoted(name)} deferrable")
    if constraints:
        older.run("set constraints all deferred")
    named = [table for table in sorted(older.tables()) if {"dag_id", "run_id"} <= older.columns(table).keys()]
    for dag_id, run_id in taken:
        for table in named:
            older.run(
                f"update {quoted(table)} set run_id = {_text(run_id + SUFFIX)} "
                f"where dag_id = {_text(dag_id)} and run_id = {_text(run_id)}"
            )
    if constraints:
        older.run("set constraints all immediate")
    for table, name in constraints:
        older.run(f"alter table {table} alter constraint {quoted(name)} not deferrable")
    return len(taken)


def _is_of_airflow_3(run_id: str, logical_date: str) -> bool:
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
