"""Says how each kind of history is read from one database: its table, joined to its run, as the neutral columns.

Called by the readers of history. It builds queries and runs none.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    LargeBinary,
    Select,
    String,
    Table,
    and_,
    bindparam,
    cast,
    func,
    literal_column,
    null,
    select,
    text,
)

from aerodrome.airflowkit.metadata import MetadataDatabase
from aerodrome.migration.estate.calendars import Interval
from aerodrome.migration.estate.history import COLUMNS, HistoryKind, RejectedRow
from aerodrome.migration.sources.airflow_db.conversion import (
    Convert,
    convert_rendered,
    convert_task,
    convert_xcom,
    run_converter,
)
from aerodrome.migration.sources.airflow_db.packing import packed, unpacker, written
from aerodrome.migration.sources.airflow_db.rows import column_or
from aerodrome.migration.sources.airflow_db.schedules import Schedules, logical_date, run_type
from aerodrome.migration.sources.airflow_db.tries import (
    convert_attempt,
    failed_attempts,
    has_failed_attempts,
    has_older_attempts,
)
from aerodrome.migration.sources.contract import LineSql

DAG = bindparam("dag", type_=String)
LINE_END = "\n"
_UNICODE = frozenset({"utf8", "utf8mb3", "utf8mb4", "ascii"})
_RENDERED = "rendered_task_instance_fields"
TABLES: dict[HistoryKind, str] = {"task_instance": "task_instance", "xcom": "xcom", "rendered": _RENDERED}
"""The tables whose rows were tied to their run by its date alone, before Airflow 2.2 (XComs: 2.3)."""


class HistoryQueries:
    """The queries of one database. Those of a page are made once: making one is slow."""

    def __init__(self, database: MetadataDatabase, schedules: Schedules) -> None:
        """Take the schedules of the same database, which tell the intervals of runs of Airflow before 2.2."""
        self._database = database
        self._schedules = schedules
        self._pages: dict[HistoryKind, tuple[Select[Any], Convert]] = {}
        self._packs: dict[HistoryKind, tuple[Select[Any], Convert]] = {}
        self._lines: dict[tuple[HistoryKind, LineSql, bool], Select[Any]] = {}
        self._older: Select[Any] | None = None

    @property
    def run(self) -> Table:
        """Give the table of runs."""
        return self._database.table("dag_run")

    def is_kept(self, kind: HistoryKind) -> bool:
        """Tell whether the database has rows of this kind at all."""
        if kind == "rendered":
            return self._database.has(_RENDERED)
        return kind != "task_try" or self._database.has("task_instance_history") or has_failed_attempts(self._database)

    def may_lack_runs(self, kind: HistoryKind) -> bool:
        """Tell whether rows of this kind can be without their run: while no foreign key tied them to it."""
        return kind in TABLES and self.is_kept(kind) and not self._database.has(TABLES[kind], "run_id")

    def neutral(self, kind: HistoryKind) -> Select[Any] | None:
        """Give the query of a kind's neutral columns over all runs; None when rows need more than a query."""
        if not self.is_kept(kind):
            return None
        if kind == "task_try" and (has_failed_attempts(self._database) or has_older_attempts(self._database)):
            return None
        if kind == "run" and not self._database.has("dag_run", "data_interval_start"):
            return None  # intervals are computed
        return self.rows(kind, self.reading(kind, self.run.c.run_id)[0])

    def page(self, kind: HistoryKind) -> tuple[Select[Any], Convert]:
        """Give the query of a page, with the parameters `dag` and `run_ids`, and what converts its rows."""
        if kind not in self._pages:
            if kind == "task_try" and has_failed_attempts(self._database):
                self._pages[kind] = failed_attempts(self._database, self._chosen()), convert_attempt
            else:
                columns, order, convert = self.reading(kind, self.run.c.run_id)
                query = self.rows(kind, columns).where(*self._chosen()).order_by(self.run.c.run_id, *order)
                self._pages[kind] = query, convert
        return self._pages[kind]

    def older_tries(self) -> Select[Any]:
        """Give the query of a page of the tries that stand in `task_fail` only, with the same parameters."""
        if self._older is None:
            self._older = failed_attempts(self._database, self._chosen())
        return self._older

    def packed(self, kind: HistoryKind) -> tuple[Select[Any], Convert] | None:
        """Give the query of a page of packed rows, and what takes them apart; None for kinds that need more than that."""
        if kind not in {"task_instance", "task_try"} or (kind == "task_try" and has_failed_attempts(self._database)):
            return None
        if kind not in self._packs:
            run, chosen, (columns, order, _) = self.run, self._chosen(), self.reading(kind, self.run.c.run_id)
            unpack = unpacker(columns)

            def convert(row: Any, rows: list[tuple[Any, ...]], rejected: list[RejectedRow]) -> None:
                convert_task(unpack(row[0]), rows, rejected)

            self._packs[kind] = (
                self.rows(kind, [packed(columns)]).where(*chosen).order_by(run.c.run_id, *order),
                convert,
            )
        return self._packs[kind]

    def lines(self, kind: HistoryKind, line: LineSql, *, noted: bool) -> Select[Any]:
        """Give the query of a page of lines: run id, then what `line` says; of MySQL run id, rows, lines that end with LINE_END.

        MySQL gives a run's lines in one text: its driver is written in Python, and takes long over each row. Without `noted`
        nobody looks for notes: one look for each row is a fifth of MySQL's work.
        """
        if (kind, line, noted) not in self._lines:
            columns = self.reading(kind, self.run.c.run_id)[0]
            if not noted:
                columns = [null().label("note") if column.name == "note" else column for column in columns]
            if self._database.dialect == "mysql" and not self.is_unicode:
                columns = [written(column).label(column.name) for column in columns]
            page = self.rows(kind, columns, noted=noted).where(*self._chosen()).subquery("n")
            run_id = literal_column("n.run_id", String)
            if self._database.dialect == "mysql":
                number = f"coalesce({line.number}, '{line.null}')"
                whole = literal_column(f"concat({line.before}, {number}, {line.after}, '{LINE_END}')", String)
                together = func.group_concat(whole.op("separator")(literal_column("''")))
                query = select(run_id, func.count(), together).select_from(page).group_by(run_id)
            else:
                parts: list[ColumnElement[Any]] = [
                    literal_column(part) for part in (line.before, line.number, line.after)
                ]
                query = select(run_id, *parts).select_from(page).order_by(run_id)
            self._lines[kind, line, noted] = query
        return self._lines[kind, line, noted]

    def are_noted(self, kind: HistoryKind, connection: Connection) -> bool:
        """Tell whether any row of this kind has a note by now; one that is written later is one for the next top-up."""
        if kind != "task_instance" or not self._database.has("task_instance_note"):
            return False
        note = self._database.table("task_instance_note")
        return connection.execute(select(literal_column("1")).select_from(note).limit(1)).first() is not None

    @cached_property
    def is_unicode(self) -> bool:
        """Tell whether MySQL keeps all texts of runs and task instances in Unicode, so that it can join them as they are."""
        names = ("dag_run", "task_instance", "task_instance_history", "task_instance_note")
        query = text(
            "select distinct character_set_name from information_schema.columns where table_schema = database() "
            "and character_set_name is not null and table_name in :names"
        ).bindparams(bindparam("names", names, expanding=True))
        with self._database.reading() as connection:
            found = set(connection.scalars(query))
        return bool(found) and found <= _UNICODE

    def reading(
        self, kind: HistoryKind, name: ColumnElement[Any]
    ) -> tuple[list[ColumnElement[Any]], list[ColumnElement[Any]], Convert]:
        if kind == "run":
            return self._run_columns(name), [], run_converter(self._interval)
        if kind == "xcom":
            table = self._database.table("xcom")
            return self._xcom_columns(name), [table.c.task_id, *self._mapped("xcom"), table.c.key], convert_xcom
        if kind == "rendered":
            table = self._database.table(_RENDERED)
            return self._rendered_columns(name), [table.c.task_id, *self._mapped(_RENDERED)], convert_rendered
        place = "task_instance" if kind == "task_instance" else "task_instance_history"
        table = self._database.table(place)
        order = [table.c.task_id, *self._mapped(place)]
        if kind == "task_try":
            order.append(self.column(place, "try_number"))
        return self._task_columns(place, kind, name), order, convert_task

    def rows(self, kind: HistoryKind, columns: Sequence[ColumnElement[Any]], *, noted: bool = True) -> Select[Any]:
        """Select from the kind's table joined to its runs, notes joined for the columns that need them."""
        run = self.run
        source: FromClause = run
        if kind == "run" and self._database.has("dag_run_note"):
            note = self._database.table("dag_run_note")
            source = run.outerjoin(note, note.c.dag_run_id == run.c.id)
        elif kind in ("task_instance", "task_try"):
            table = self._task if kind == "task_instance" else self._database.table("task_instance_history")
            source = run.join(table, self._belongs(table))
            if kind == "task_instance" and noted and self._database.has("task_instance_note"):
                source = source.outerjoin(self._database.table("task_instance_note"), self._noted())
        elif kind in ("xcom", "rendered"):
            table = self._database.table(TABLES[kind])
            source = run.join(table, self._belongs(table))
        return select(*columns).select_from(source)

    def column(self, table: str, *names: str, default: Any = None) -> ColumnElement[Any]:
        return column_or(self._database, table, *names, default=default)

    def _chosen(self) -> list[ColumnElement[bool]]:
        run = self.run
        return [run.c.dag_id == DAG, run.c.run_id.in_(bindparam("run_ids", expanding=True))]

    def _noted(self) -> ColumnElement[bool]:
        note, task = self._database.table("task_instance_note"), self._task
        if "ti_id" in note.c:  # 3.x
            return note.c.ti_id == task.c.id
        return and_(*(note.c[name] == task.c[name] for name in ("dag_id", "run_id", "task_id", "map_index")))

    def _belongs(self, table: FromClause) -> ColumnElement[bool]:
        """Tie a table's rows to their run: by run_id, before 2.2 (XComs: 2.3) by the logical date."""
        run = self.run
        if "dag_run_id" in table.c:  # XComs: their primary key starts with it, and no index with dag_id and run_id
            return and_(table.c.dag_run_id == run.c.id, table.c.dag_id == run.c.dag_id)
        by = "run_id" if "run_id" in table.c else "execution_date"
        return and_(table.c.dag_id == run.c.dag_id, table.c[by] == run.c[by])

    def _interval(self, dag_id: str, logical: datetime) -> tuple[Interval | None, str]:
        known = self._schedules.of(dag_id)
        return known.interval(logical), known.reason

    @property
    def _task(self) -> Table:
        return self._database.table("task_instance")

    def _map_index(self, table: str) -> ColumnElement[Any]:
        return self.column(table, "map_index", default=-1)

    def _mapped(self, table: str) -> list[ColumnElement[Any]]:
        """Give `map_index` to order by, where the table has it (MySQL orders by no constant)."""
        return [self._map_index(table)] if self._database.has(table, "map_index") else []

    def _run_columns(self, name: ColumnElement[Any]) -> list[ColumnElement[Any]]:
        run = self.run
        has_note = self._database.has("dag_run_note")
        columns = [
            run.c.dag_id,
            name,
            run_type(self._database, name),
            run.c.state,
            logical_date(self._database),
            self.column("dag_run", "data_interval_start"),
            self.column("dag_run", "data_interval_end"),
            self.column("dag_run", "run_after"),
            self.column("dag_run", "queued_at"),
            run.c.start_date,
            run.c.end_date,
            run.c.conf,
            self.column("dag_run", "external_trigger"),
            self.column("dag_run", "clear_number", default=0),
            self._database.column("dag_run_note", "content") if has_note else null(),
        ]
        return [column.label(label) for column, label in zip(columns, COLUMNS["run"], strict=True)]

    def _task_columns(self, place: str, kind: HistoryKind, name: ColumnElement[Any]) -> list[ColumnElement[Any]]:
        run = self.run
        special: dict[str, ColumnElement[Any]] = {
            "dag_id": run.c.dag_id,
            "run_id": name,
            "map_index": self._map_index(place),
            "queued_at": self.column(place, "queued_dttm"),
            "pool_slots": self.column(place, "pool_slots", default=1),
            "note": self._database.column("task_instance_note", "content")
            if self._database.has("task_instance_note")
            else null(),
        }
        return [(special[c] if c in special else self.column(place, c)).label(c) for c in COLUMNS[kind]]

    def _rendered_columns(self, name: ColumnElement[Any]) -> list[ColumnElement[Any]]:
        table, run = self._database.table(_RENDERED), self.run
        columns = [
            run.c.dag_id,
            name,
            table.c.task_id,
            self._map_index(_RENDERED),
            table.c.rendered_fields,
            self.column(_RENDERED, "k8s_pod_yaml"),
        ]
        return [column.label(label) for column, label in zip(columns, COLUMNS["rendered"], strict=True)]

    def _xcom_columns(self, name: ColumnElement[Any]) -> list[ColumnElement[Any]]:
        table, run = self._database.table("xcom"), self.run
        columns: list[ColumnElement[Any]] = [
            run.c.dag_id,
            name,
            table.c.task_id,
            self._map_index("xcom"),
            table.c.key,
            # MariaDB keeps JSON as text: as bytes it is read as what it is
            cast(table.c.value, LargeBinary) if isinstance(table.c.value.type, String) else table.c.value,
            table.c.timestamp,
        ]
        return [column.label(label) for column, label in zip(columns, COLUMNS["xcom"], strict=True)]
