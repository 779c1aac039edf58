"""Takes rows of one table along: staged beside the older table by what it can hold, then merged by key."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from aerodrome.databases.back.sides import Row, Side, quoted
from aerodrome.databases.contract import Carried

_MARGIN = timedelta(minutes=5)
TASK = ("dag_id", "task_id", "run_id", "map_index")
IN_CHANGED_RUN = "join b_runs r on r.dag_id = n.dag_id and r.run_id = n.run_id"
CHANGES = ("updated_at", "state")
"""Key of a task instance; a join to the runs that changed; columns by which a changed run or task is known."""


@dataclass(frozen=True)
class Crossing:
    """Everything that one way back is about. `since` lies a little before the snapshot: clocks differ, rows may come twice."""

    newer: Side
    older: Side
    taken_at: datetime
    older_version: tuple[int, int]  # major, minor

    @property
    def since(self) -> str:
        return self.newer.moment(self.taken_at - _MARGIN)

    @property
    def is_across_majors(self) -> bool:
        return self.older_version < (3, 0)


@dataclass(frozen=True)
class Staging:
    """How rows of a newer table become rows of an older one. In expressions and conditions `n` is the newer table."""

    older_table: str
    newer_table: str
    keys: tuple[str, ...]  # by which rows of the two are the same, names in the older table
    expressions: Mapping[str, str] = field(
        default_factory=dict
    )  # older column -> SQL; else the column of the same name
    left_out: frozenset[str] = frozenset()  # older columns that are not carried
    joins: str = ""
    condition: str = "1 = 1"
    kept: frozenset[str] = frozenset()  # columns written with new rows only
    compared: tuple[str, ...] = ()  # by which a changed row is known; all columns when empty

    @property
    def stage(self) -> str:
        return f"b_{self.older_table}"


def stage(
    crossing: Crossing, plan: Staging, convert: Callable[[Sequence[str], Iterable[Row]], Iterable[Row]] | None = None
) -> list[str]:
    """Copy the chosen rows of the newer table into a temporary table; give its columns."""
    newer, older = crossing.newer, crossing.older
    there, here = newer.columns(plan.newer_table), older.columns(plan.older_table)
    columns = [name for name in here if name not in plan.left_out and (name in plan.expressions or name in there)]
    older.empty_copy(plan.stage, plan.older_table, columns)
    wanted = ", ".join(f"{plan.expressions.get(name, 'n.' + quoted(name))} as {quoted(name)}" for name in columns)
    found = newer.stream(f"select {wanted} from {quoted(plan.newer_table)} n {plan.joins} where {plan.condition}")
    older.load(plan.stage, columns, convert(columns, found) if convert else found)
    older.analyze(plan.stage)
    return columns


def merge(crossing: Crossing, plan: Staging, columns: Sequence[str], *, kind: str = "", remark: str = "") -> Carried:
    """Write what was staged: rows with a known key are updated where they differ, the others inserted."""
    older, table = crossing.older, quoted(plan.older_table)
    types = older.columns(plan.older_table)
    found = int(older.one(f"select count(*) from {plan.stage}"))
    same = " and ".join(f"s.{quoted(key)} = t.{quoted(key)}" for key in plan.keys)
    updated = 0
    changing = [name for name in columns if name not in plan.keys and name not in plan.kept]
    if found and changing:
        assignments = ", ".join(f"{quoted(name)} = s.{quoted(name)}" for name in changing)
        differing = " or ".join(_differs(older.dialect, name, types[name]) for name in plan.compared or changing)
        updated = older.run(f"update {table} as t set {assignments} from {plan.stage} s where {same} and ({differing})")
    names = ", ".join(quoted(name) for name in columns)
    inserted = older.run(
        f"insert into {table} ({names}) select {names} from {plan.stage} s "
        f"where not exists (select 1 from {table} t where {same})"
    )
    return Carried(kind or plan.older_table, found, inserted, updated, 0, remark=remark)


def carry(crossing: Crossing, plan: Staging, *, kind: str = "") -> Carried:
    """Stage and merge."""
    return merge(crossing, plan, stage(crossing, plan), kind=kind)


def delete_missing(crossing: Crossing, plan: Staging, condition: str = "1 = 1") -> int:
    """Delete older rows (`t`) under the condition whose key was not staged."""
    same = " and ".join(f"s.{quoted(key)} = t.{quoted(key)}" for key in plan.keys)
    return crossing.older.run(
        f"delete from {quoted(plan.older_table)} as t where {condition} "
        f"and not exists (select 1 from {plan.stage} s where {same})"
    )


def _differs(dialect: str, name: str, kind: str) -> str:
    column = quoted(name)
    if dialect == "sqlite":
        return f"t.{column} is not s.{column}"
    cast = "::text" if kind == "json" else ""
    return f"t.{column}{cast} is distinct from s.{column}{cast}"
