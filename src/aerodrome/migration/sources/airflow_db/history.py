"""Streams run history in the neutral columns, page by page of finished runs.

A page is read by its own short transaction: a long one would block the scheduler of a SQLite source and hold back the
vacuum of a PostgreSQL source. Finished runs do not move, so pages by (dag_id, run_id) lose nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    LargeBinary,
    Select,
    String,
    Table,
    and_,
    bindparam,
    case,
    cast,
    exists,
    false,
    func,
    literal,
    null,
    or_,
    select,
)

from aerodrome.airflowkit.metadata import MetadataDatabase
from aerodrome.migration.estate.calendars import Interval
from aerodrome.migration.estate.history import (
    COLUMNS,
    FINAL_RUN_STATES,
    HistoryBatch,
    HistoryKind,
    HistoryWindow,
    RejectedRow,
)
from aerodrome.migration.sources.airflow_db.conversion import (
    Convert,
    convert_rendered,
    convert_task,
    convert_xcom,
    run_converter,
    whole_row,
)
from aerodrome.migration.sources.airflow_db.packing import UnpackableError, packed, split, unpacker
from aerodrome.migration.sources.airflow_db.rows import ID_PAGE, column_or, pages, utc
from aerodrome.migration.sources.airflow_db.schedules import Schedules, logical_date, run_type
from aerodrome.migration.sources.airflow_db.tries import (
    convert_attempt,
    failed_attempts,
    has_failed_attempts,
    has_older_attempts,
    may_have_older_attempts,
)

RUNS_PER_PAGE = 500
ROWS_PER_BATCH = 5_000
DAGS_AT_ONCE = 20_000
"""How many ids PostgreSQL takes in one list (its protocol ends at 65,535 parameters)."""
UNFINISHED_TASK_STATES = (
    "scheduled", "queued", "running", "restarting", "shutdown", "sensing", "deferred", "up_for_retry",
    "up_for_reschedule", "awaiting_input",
)  # fmt: skip
_DAG = bindparam("dag", type_=String)
_RENDERED = "rendered_task_instance_fields"
_TABLES: dict[HistoryKind, str] = {"task_instance": "task_instance", "xcom": "xcom", "rendered": _RENDERED}


class HistoryReader:
    """Reads the history of one database."""

    def __init__(self, database: MetadataDatabase, schedules: Schedules | None = None) -> None:
        """Take the schedules of the same database, which tell the intervals of runs of Airflow before 2.2."""
        self._database = database
        self._schedules = schedules or Schedules(database)
        self._pages: dict[HistoryKind, tuple[Select[Any], Convert]] = {}
        self._pagings: dict[tuple[datetime | None, datetime | None], Select[Any]] = {}
        self._older: Select[Any] | None = None
        self._packs: dict[HistoryKind, tuple[Select[Any], Convert]] = {}

    def stream(self, kind: HistoryKind, window: HistoryWindow) -> Iterator[HistoryBatch]:
        """Give batches in the order of `window.dag_ids` and run_id."""
        if not self.is_kept(kind):
            return
        for dag_id in window.dag_ids:
            for run_ids in self.pages_of(replace(window, dag_ids=(dag_id,))):
                yield from self.page(kind, dag_id, run_ids)
            yield from self.unnamed(kind, dag_id, window)
            if window.since is None:
                yield from self.orphans(kind, dag_id)

    def pages_of(self, window: HistoryWindow) -> Iterator[Sequence[str]]:
        """Give the ids of the runs that move, page by page of one DAG after the other."""
        asked = (window.since, window.until)
        if asked not in self._pagings:
            self._pagings[asked] = self._paging(window)
        for dag_id in window.dag_ids:
            run_ids: Sequence[str] = [""]
            while run_ids:
                with self._database.reading() as connection:
                    given = {"dag": dag_id, "after": run_ids[-1]}
                    run_ids = list(connection.scalars(self._pagings[asked], given))
                if run_ids:
                    yield run_ids
                if len(run_ids) < RUNS_PER_PAGE:
                    break

    def is_plain(self, kind: HistoryKind) -> bool:
        """Tell whether rows of this kind can be given as the database writes them (`raw_page`)."""
        if kind not in {"task_instance", "task_try"} or self._database.dialect not in {"sqlite", "mysql"}:
            return False
        if kind == "task_try" and (has_failed_attempts(self._database) or has_older_attempts(self._database)):
            return False
        return self.is_kept(kind) and not self._may_lack_runs(kind)

    def raw_page(self, kind: HistoryKind, dag_id: str, run_ids: Sequence[str]) -> Iterator[Sequence[Sequence[Any]]]:
        """Give the rows of some runs of a DAG as the driver gives them: moments are texts, numbers may be.

        Only the run's key stands for rows that cannot be given so.
        """
        given = {"dag": dag_id, "run_ids": list(run_ids)}
        if self._database.dialect == "mysql" and (query := self._packed(kind)) is not None:
            with self._database.reading() as connection:
                result = connection.execution_options(yield_per=ROWS_PER_BATCH).execute(query[0], given)
                seen: set[Any] = set()
                for chunk in result.partitions():
                    packs = [split(row[0]) for row in chunk]
                    if any(len(row) != len(COLUMNS[kind]) for row in packs):  # a value holds the separator
                        yield [(dag_id, run_id) for run_id in run_ids if run_id not in seen]
                        return
                    seen.update([row[1] for row in packs])
                    yield packs
            return
        if kind not in self._pages:
            self._pages[kind] = self._page_query(kind)
        with self._database.reading() as connection:
            # the driver's own rows: SQLAlchemy has taken none of them, and would make objects of each
            cursor = connection.execute(self._pages[kind][0], given).cursor
            rows = list(cursor.fetchall()) if cursor is not None else []
        yield rows

    def of_runs(self, kind: HistoryKind, dag_id: str, run_ids: Sequence[str]) -> Iterator[HistoryBatch]:
        """Give the rows of some runs of a DAG, finished or not."""
        if self.is_kept(kind):
            yield from self.page(kind, dag_id, run_ids)

    def unnamed(self, kind: HistoryKind, dag_id: str, window: HistoryWindow) -> Iterator[HistoryBatch]:
        """Give the rows of runs that have no run id: until Airflow 2.2 the column could be empty.

        They get the name that Airflow gives by type and date (DagRunType.generate_run_id, 2.0): the upgrade to 2.2 puts such
        runs aside with all that belongs to them (check_run_id_null, utils/db.py, 2.11.2).
        """
        if not self._may_lack_names or not self.is_kept(kind):
            return
        after = -1
        while names := self._names(dag_id, window, after):
            after = max(names)
            yield from self._named_page(kind, dag_id, names)

    @property
    def _may_lack_names(self) -> bool:
        return not self._database.has("task_instance", "run_id") and not self._database.has("dag_run", "logical_date")

    def _names(self, dag_id: str, window: HistoryWindow, after: int) -> dict[int, str]:
        """Name the next runs without a run id: id -> name. The same run gets the same name always, and nobody else's."""
        run = self._run
        external = self._column("dag_run", "external_trigger")
        query = (
            select(run.c.id, run.c.execution_date, external.label("is_external"))
            .where(
                *self._eligible(dag_id, window),
                run.c.run_id.is_(None),
                run.c.execution_date.is_not(None),
                run.c.id > after,
            )
            .order_by(run.c.id)
            .limit(RUNS_PER_PAGE)
        )
        with self._database.reading() as connection:
            names = {
                row.id: f"{'manual' if row.is_external else 'scheduled'}__{moment.isoformat()}"
                for row in connection.execute(query)
                if (moment := utc(row.execution_date)) is not None
            }
            taken = set(
                connection.scalars(
                    select(run.c.run_id).where(run.c.dag_id == dag_id, run.c.run_id.in_(set(names.values())))
                )
            )
        return {number: f"{name}__{number}" if name in taken else name for number, name in names.items()}

    def counts(self, window: HistoryWindow) -> dict[HistoryKind, int]:
        """Count what `stream` gives, rejected rows included."""
        found: dict[HistoryKind, int] = {}
        for kind in COLUMNS:
            found[kind] = 0
            for dag_id in window.dag_ids if self.is_kept(kind) else ():
                eligible = self._eligible(dag_id, window)
                if kind == "task_try" and has_failed_attempts(self._database):
                    query = failed_attempts(self._database, eligible, [func.count()])
                else:
                    query = self._rows(kind, [func.count()]).where(*eligible)
                with self._database.reading() as connection:
                    found[kind] += connection.scalar(query) or 0
                    if kind == "task_try" and may_have_older_attempts(self._database):
                        older = failed_attempts(self._database, eligible, [func.count()])
                        found[kind] += connection.scalar(older) or 0
                    if window.since is None and self._may_lack_runs(kind):
                        found[kind] += connection.scalar(self._orphans(kind, dag_id, [func.count()])) or 0
        return found

    def neutral(self, kind: HistoryKind) -> Select[Any] | None:
        """Give the query of a kind's neutral columns over all runs; None when rows need more than a query."""
        if not self.is_kept(kind):
            return None
        if kind == "task_try" and (has_failed_attempts(self._database) or has_older_attempts(self._database)):
            return None
        if kind == "run" and not self._database.has("dag_run", "data_interval_start"):
            return None  # intervals are computed
        return self._rows(kind, self._reading(kind, self._run.c.run_id)[0])

    def is_kept(self, kind: HistoryKind) -> bool:
        """Tell whether the database has rows of this kind at all."""
        if kind == "rendered":
            return self._database.has(_RENDERED)
        return kind != "task_try" or self._database.has("task_instance_history") or has_failed_attempts(self._database)

    def _may_lack_runs(self, kind: HistoryKind) -> bool:
        """Tell whether rows of this kind can be without their run: while no foreign key tied them to it."""
        return kind in _TABLES and self.is_kept(kind) and not self._database.has(_TABLES[kind], "run_id")

    def orphans(self, kind: HistoryKind, dag_id: str) -> Iterator[HistoryBatch]:
        """Refuse the rows whose run was deleted, each with what it holds. Airflow's own upgrade to 2.2 puts them aside."""
        if not self._may_lack_runs(kind):
            return
        table = self._database.table(_TABLES[kind])
        query = self._orphans(kind, dag_id, list(table.c))
        with self._database.reading() as connection:
            result = connection.execution_options(yield_per=ROWS_PER_BATCH).execute(query)
            partitions = result.partitions()
            if self._database.dialect == "sqlite":  # leave the file before the consumer works on the rows
                partitions = iter(list(partitions))
            for chunk in partitions:
                refused = [
                    RejectedRow(
                        f"{dag_id}/{utc(row.execution_date)}/{row.task_id}",
                        "row-without-run",
                        "The source has no run for this date any more; Airflow since 2.2 keeps no row without its run.",
                        whole_row(row._asdict()),
                    )
                    for row in chunk
                ]
                yield HistoryBatch(kind, COLUMNS[kind], (), refused)

    def _orphans(self, kind: HistoryKind, dag_id: str, columns: Sequence[ColumnElement[Any]]) -> Select[Any]:
        table, run = self._database.table(_TABLES[kind]), self._run
        its_run = select(literal(1)).where(run.c.dag_id == dag_id, run.c.execution_date == table.c.execution_date)
        return select(*columns).where(table.c.dag_id == dag_id, ~exists(its_run.correlate(table)))

    def _paging(self, window: HistoryWindow) -> Select[Any]:
        """Give the query of the next page of run ids of a DAG, with the parameters `dag` and `after`. Made once: making is slow."""
        run = self._run
        return (
            select(run.c.run_id)
            .where(*self._eligible(_DAG, window), run.c.run_id > bindparam("after", type_=String))
            .order_by(run.c.run_id)
            .limit(RUNS_PER_PAGE)
        )

    def _eligible(self, dag_id: str | ColumnElement[str], window: HistoryWindow) -> list[ColumnElement[bool]]:
        """Conditions on dag_run: final, with nothing in it that could still move.

        A task instance without a state in a finished run never started and never will (deadlock, cleared graph).
        """
        run, task = self._run, self._database.twin("task_instance")
        by = "run_id" if "run_id" in task.c else "execution_date"
        # Not correlated: SQLite answers a correlated one by reading all task instances of the DAG for every run.
        unfinished = select(task.c[by]).where(task.c.dag_id == dag_id, task.c.state.in_(UNFINISHED_TASK_STATES))
        conditions = [run.c.dag_id == dag_id, run.c.state.in_(FINAL_RUN_STATES), run.c[by].not_in(unfinished)]
        if window.since is not None:
            conditions.append(self._changed_after(dag_id, window.since))
        if window.until is not None:
            conditions.append(~self._changed_after(dag_id, window.until))
        return conditions

    def _changed_after(self, dag_id: str | ColumnElement[str], moment: datetime) -> ColumnElement[bool]:
        """Condition on dag_run: it, one of its task instances or its note was written after the moment."""
        run = self._run
        moment = self._database.stored(moment)
        changed: list[ColumnElement[bool]] = [func.coalesce(self.run_changed_at() > moment, false())]
        if self._database.has("task_instance", "updated_at"):
            task = self._database.twin("task_instance")
            by = "run_id" if "run_id" in task.c else "execution_date"
            newer = select(task.c[by]).where(task.c.dag_id == dag_id, task.c.updated_at > moment)
            changed.append(run.c[by].in_(newer))
        if self._database.has("dag_run_note"):
            note = self._database.twin("dag_run_note")
            is_newer = and_(note.c.dag_run_id == run.c.id, note.c.updated_at > moment)
            changed.append(exists(select(literal(1)).where(is_newer).correlate(run)))
        return or_(*changed)

    def run_changed_at(self) -> ColumnElement[Any]:
        """Give when a run was written last, by its own row."""
        return func.coalesce(self._column("dag_run", "updated_at"), self._run.c.end_date, self._run.c.start_date)

    def changed(self, dag_ids: Sequence[str], since: datetime) -> set[str]:
        """Give the DAGs of which a run, a task instance or a note was written after the moment, in a few queries."""
        run, moment = self._run, self._database.stored(since)
        wanted: list[tuple[ColumnElement[str], ColumnElement[Any]]] = [(run.c.dag_id, self.run_changed_at())]
        if self._database.has("task_instance", "updated_at"):
            wanted.append((self._task.c.dag_id, self._task.c.updated_at))
        found: set[str] = set()
        for page in pages(sorted(dag_ids)):
            queries = [select(column).distinct().where(column.in_(page), at > moment) for column, at in wanted]
            if self._database.has("dag_run_note"):
                note = self._database.table("dag_run_note")
                queries.append(
                    select(run.c.dag_id).distinct().where(
                        note.c.dag_run_id == run.c.id, run.c.dag_id.in_(page), note.c.updated_at > moment
                    )
                )  # fmt: skip
            with self._database.reading() as connection:
                for query in queries:
                    found |= set(connection.scalars(query))
        return found

    def watermark(self, dag_ids: Sequence[str]) -> datetime | None:
        """Give the newest change of a run, a task instance or a note of these DAGs: one pass over them."""
        run = self._run
        wanted: list[tuple[ColumnElement[str], ColumnElement[Any]]] = [(run.c.dag_id, self.run_changed_at())]
        if self._database.has("task_instance", "updated_at"):
            wanted.append((self._task.c.dag_id, self._task.c.updated_at))
        newest: list[datetime] = []
        size = DAGS_AT_ONCE if self._database.dialect == "postgresql" else ID_PAGE
        for page in pages(sorted(dag_ids), size):
            queries = [select(func.max(moment)).where(column.in_(page)) for column, moment in wanted]
            if self._database.has("dag_run_note"):
                note = self._database.table("dag_run_note")
                queries.append(
                    select(func.max(note.c.updated_at)).where(note.c.dag_run_id == run.c.id, run.c.dag_id.in_(page))
                )
            with self._database.reading() as connection:
                newest += [found for query in queries if (found := utc(connection.scalar(query))) is not None]
        return max(newest, default=None)

    def page(self, kind: HistoryKind, dag_id: str, run_ids: Sequence[str]) -> Iterator[HistoryBatch]:
        """Give the rows of some runs of one DAG, whatever state they are in."""
        yield from self._rows_of(kind, dag_id, run_ids)
        if kind == "task_try" and may_have_older_attempts(self._database):
            if self._older is None:
                self._older = failed_attempts(self._database, self._chosen())
            for batch in self._batches(kind, self._older, convert_attempt, {"dag": dag_id, "run_ids": list(run_ids)}):
                if batch.rows or batch.rejected:
                    yield batch

    def _chosen(self) -> list[ColumnElement[bool]]:
        run = self._run
        return [run.c.dag_id == _DAG, run.c.run_id.in_(bindparam("run_ids", expanding=True))]

    def _rows_of(self, kind: HistoryKind, dag_id: str, run_ids: Sequence[str]) -> Iterator[HistoryBatch]:
        given = {"dag": dag_id, "run_ids": list(run_ids)}
        done = 0
        if self._database.dialect == "mysql" and (query := self._packed(kind)) is not None:
            try:
                for batch in self._batches(kind, *query, given):
                    yield batch
                    done += len(batch.rows)
            except UnpackableError:
                pass  # a value holds the sign that stands between values: the rest comes as columns
            else:
                return
        if kind not in self._pages:
            self._pages[kind] = self._page_query(kind)
        for batch in self._batches(kind, *self._pages[kind], given):
            past = min(done, len(batch.rows))
            done -= past
            yield replace(batch, rows=batch.rows[past:]) if past else batch

    def _named_page(self, kind: HistoryKind, dag_id: str, names: Mapping[int, str]) -> Iterator[HistoryBatch]:
        """Give the rows of runs without a run id, under these names (by the runs' numbers)."""
        run = self._run
        chosen = [run.c.dag_id == dag_id, run.c.id.in_(list(names))]
        name = case(dict(names), value=run.c.id)
        if kind == "task_try" and has_failed_attempts(self._database):
            yield from self._batches(kind, failed_attempts(self._database, chosen, name=name), convert_attempt, {})
            return
        columns, order, convert = self._reading(kind, name)
        yield from self._batches(kind, self._rows(kind, columns).where(*chosen).order_by(run.c.id, *order), convert, {})

    def _batches(
        self, kind: HistoryKind, query: Select[Any], convert: Convert, given: Mapping[str, Any]
    ) -> Iterator[HistoryBatch]:
        with self._database.reading() as connection:
            result = connection.execution_options(yield_per=ROWS_PER_BATCH).execute(query, given)
            partitions = result.partitions()
            if self._database.dialect == "sqlite":  # leave the file before the consumer works on the rows
                partitions = iter(list(partitions))
            for chunk in partitions:
                rows: list[tuple[Any, ...]] = []
                rejected: list[RejectedRow] = []
                for row in chunk:
                    convert(row, rows, rejected)
                yield HistoryBatch(kind, COLUMNS[kind], rows, tuple(rejected))

    def _packed(self, kind: HistoryKind) -> tuple[Select[Any], Convert] | None:
        """Give the query of a page of packed rows, and what takes them apart; None for kinds that need more than that."""
        if kind not in {"task_instance", "task_try"} or has_failed_attempts(self._database):
            return None
        if kind not in self._packs:
            run, chosen, (columns, order, _) = self._run, self._chosen(), self._reading(kind, self._run.c.run_id)
            unpack = unpacker(columns)

            def convert(row: Any, rows: list[tuple[Any, ...]], _rejected: list[RejectedRow]) -> None:
                rows.append(unpack(row[0]))

            self._packs[kind] = (
                self._rows(kind, [packed(columns)]).where(*chosen).order_by(run.c.run_id, *order),
                convert,
            )
        return self._packs[kind]

    def _page_query(self, kind: HistoryKind) -> tuple[Select[Any], Convert]:
        """Give the query of a page, with the parameters `dag` and `run_ids`, and what converts its rows."""
        run, chosen = self._run, self._chosen()
        if kind == "task_try" and has_failed_attempts(self._database):
            return failed_attempts(self._database, chosen), convert_attempt
        columns, order, convert = self._reading(kind, self._run.c.run_id)
        return self._rows(kind, columns).where(*chosen).order_by(run.c.run_id, *order), convert

    def _reading(
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
            order.append(self._column(place, "try_number"))
        return self._task_columns(place, kind, name), order, convert_task

    def _rows(self, kind: HistoryKind, columns: Sequence[ColumnElement[Any]]) -> Select[Any]:
        """Select from the kind's table joined to its runs, notes joined for the columns that need them."""
        run = self._run
        source: FromClause = run
        if kind == "run" and self._database.has("dag_run_note"):
            note = self._database.table("dag_run_note")
            source = run.outerjoin(note, note.c.dag_run_id == run.c.id)
        elif kind in ("task_instance", "task_try"):
            table = self._task if kind == "task_instance" else self._database.table("task_instance_history")
            source = run.join(table, self._belongs(table))
            if kind == "task_instance" and self._database.has("task_instance_note"):
                source = source.outerjoin(self._database.table("task_instance_note"), self._noted())
        elif kind in ("xcom", "rendered"):
            table = self._database.table(_TABLES[kind])
            source = run.join(table, self._belongs(table))
        return select(*columns).select_from(source)

    def _noted(self) -> ColumnElement[bool]:
        note, task = self._database.table("task_instance_note"), self._task
        if "ti_id" in note.c:  # 3.x
            return note.c.ti_id == task.c.id
        return and_(*(note.c[name] == task.c[name] for name in ("dag_id", "run_id", "task_id", "map_index")))

    def _belongs(self, table: FromClause) -> ColumnElement[bool]:
        """Tie a table's rows to their run: by run_id, before 2.2 (XComs: 2.3) by the logical date."""
        run = self._run
        if "dag_run_id" in table.c:  # XComs: their primary key starts with it, and no index with dag_id and run_id
            return and_(table.c.dag_run_id == run.c.id, table.c.dag_id == run.c.dag_id)
        by = "run_id" if "run_id" in table.c else "execution_date"
        return and_(table.c.dag_id == run.c.dag_id, table.c[by] == run.c[by])

    def _interval(self, dag_id: str, logical: datetime) -> tuple[Interval | None, str]:
        known = self._schedules.of(dag_id)
        return known.interval(logical), known.reason

    @property
    def _run(self) -> Table:
        return self._database.table("dag_run")

    @property
    def _task(self) -> Table:
        return self._database.table("task_instance")

    def _column(self, table: str, *names: str, default: Any = None) -> ColumnElement[Any]:
        return column_or(self._database, table, *names, default=default)

    def _map_index(self, table: str) -> ColumnElement[Any]:
        return self._column(table, "map_index", default=-1)

    def _mapped(self, table: str) -> list[ColumnElement[Any]]:
        """Give `map_index` to order by, where the table has it (MySQL orders by no constant)."""
        return [self._map_index(table)] if self._database.has(table, "map_index") else []

    def _run_columns(self, name: ColumnElement[Any]) -> list[ColumnElement[Any]]:
        run = self._run
        has_note = self._database.has("dag_run_note")
        columns = [
            run.c.dag_id,
            name,
            run_type(self._database, name),
            run.c.state,
            logical_date(self._database),
            self._column("dag_run", "data_interval_start"),
            self._column("dag_run", "data_interval_end"),
            self._column("dag_run", "run_after"),
            self._column("dag_run", "queued_at"),
            run.c.start_date,
            run.c.end_date,
            run.c.conf,
            self._column("dag_run", "external_trigger"),
            self._column("dag_run", "clear_number", default=0),
            self._database.column("dag_run_note", "content") if has_note else null(),
        ]
        return [column.label(label) for column, label in zip(columns, COLUMNS["run"], strict=True)]

    def _task_columns(self, place: str, kind: HistoryKind, name: ColumnElement[Any]) -> list[ColumnElement[Any]]:
        run = self._run
        special: dict[str, ColumnElement[Any]] = {
            "dag_id": run.c.dag_id,
            "run_id": name,
            "map_index": self._map_index(place),
            "queued_at": self._column(place, "queued_dttm"),
            "pool_slots": self._column(place, "pool_slots", default=1),
            "note": self._database.column("task_instance_note", "content")
            if self._database.has("task_instance_note")
            else null(),
        }
        return [(special[c] if c in special else self._column(place, c)).label(c) for c in COLUMNS[kind]]

    def _rendered_columns(self, name: ColumnElement[Any]) -> list[ColumnElement[Any]]:
        table, run = self._database.table(_RENDERED), self._run
        columns = [
            run.c.dag_id,
            name,
            table.c.task_id,
            self._map_index(_RENDERED),
            table.c.rendered_fields,
            self._column(_RENDERED, "k8s_pod_yaml"),
        ]
        return [column.label(label) for column, label in zip(columns, COLUMNS["rendered"], strict=True)]

    def _xcom_columns(self, name: ColumnElement[Any]) -> list[ColumnElement[Any]]:
        table, run = self._database.table("xcom"), self._run
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
