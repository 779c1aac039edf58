"""Says which runs of a window move: those that are final, and were written in its time.

Called by the readers of history and by the sync, which asks what changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, String, and_, bindparam, case, exists, false, func, literal, or_, select

from aerodrome.airflowkit.metadata import MetadataDatabase
from aerodrome.migration.estate.history import FINAL_RUN_STATES, UNFINISHED_TASK_STATES, HistoryWindow
from aerodrome.migration.sources.airflow_db.history_queries import DAG
from aerodrome.migration.sources.airflow_db.rows import ID_PAGE, column_or, pages, utc

RUNS_PER_PAGE = 500
RUNS_KEPT = 2_000
"""Of a DAG with more runs the pages are asked for anew for each kind of row."""
DAGS_AT_ONCE = 20_000
"""How many ids PostgreSQL takes in one list (its protocol ends at 65,535 parameters)."""


class Windows:
    """The runs of one database, by window."""

    def __init__(self, database: MetadataDatabase) -> None:
        self._database = database
        self._queries: dict[tuple[datetime | None, datetime | None], tuple[Select[Any], ...]] = {}
        self._window: HistoryWindow | None = None
        self._kept: dict[str, list[Sequence[str]]] = {}

    def pages_of(self, window: HistoryWindow, dag_id: str) -> Iterator[Sequence[str]]:
        """Give the ids of a DAG's runs that move, page by page.

        They are kept while the same window is asked for: each kind of row of a run is read after the other.
        """
        if self._window is not window:
            self._window, self._kept = window, {}
        kept = self._kept
        if dag_id in kept:
            yield from kept[dag_id]
            return
        found: list[Sequence[str]] = []
        size = 0
        for page in self._pages(window, dag_id):
            size += len(page)
            if size <= RUNS_KEPT:
                found.append(page)
            yield page
        if size <= RUNS_KEPT:
            kept[dag_id] = found

    def _pages(self, window: HistoryWindow, dag_id: str) -> Iterator[Sequence[str]]:
        """Ask for them. What the DAG's task instances say is asked once, not for each page: no index helps there."""
        asked = (window.since, window.until)
        if asked not in self._queries:
            self._queries[asked] = self._paging(window)
        paging, *by_tasks = self._queries[asked]
        given = {"dag": dag_id, "after": ""}
        with self._database.reading() as connection:
            held, *newer = [set(connection.scalars(query, {"dag": dag_id})) for query in by_tasks]
        while True:
            with self._database.reading() as connection:
                rows = connection.execute(paging, given).all()
            run_ids = [row[0] for row in rows if row[1] not in held and (row[2] or any(row[1] in ids for ids in newer))]
            if run_ids:
                yield run_ids
            if len(rows) < RUNS_PER_PAGE:
                return
            given["after"] = rows[-1][0]

    def eligible(self, dag_id: str | ColumnElement[str], window: HistoryWindow) -> list[ColumnElement[bool]]:
        """Conditions on dag_run: final, with nothing in it that could still move.

        A task instance without a state in a finished run never started and never will (deadlock, cleared graph).
        """
        run, task = self._database.table("dag_run"), self._database.twin("task_instance")
        by = "run_id" if "run_id" in task.c else "execution_date"
        # Not correlated: SQLite answers a correlated one by reading all task instances of the DAG for every run.
        unfinished = select(task.c[by]).where(task.c.dag_id == dag_id, task.c.state.in_(UNFINISHED_TASK_STATES))
        conditions = [run.c.dag_id == dag_id, run.c.state.in_(FINAL_RUN_STATES), run.c[by].not_in(unfinished)]
        if window.since is not None:
            conditions.append(self._changed_after(dag_id, window.since))
        if window.until is not None:
            conditions.append(~self._changed_after(dag_id, window.until))
        return conditions

    def run_changed_at(self) -> ColumnElement[Any]:
        """Give when a run was written last, by its own row."""
        return func.coalesce(
            column_or(self._database, "dag_run", "updated_at"),
            self._database.table("dag_run").c.end_date,
            self._database.table("dag_run").c.start_date,
        )

    def changed(self, dag_ids: Sequence[str], since: datetime) -> set[str]:
        """Give the DAGs of which a run, a task instance or a note was written after the moment, in a few queries."""
        run, moment = self._database.table("dag_run"), self._database.stored(since)
        wanted: list[tuple[ColumnElement[str], ColumnElement[Any]]] = [(run.c.dag_id, self.run_changed_at())]
        if self._database.has("task_instance", "updated_at"):
            wanted.append(
                (self._database.table("task_instance").c.dag_id, self._database.table("task_instance").c.updated_at)
            )
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
        run = self._database.table("dag_run")
        wanted: list[tuple[ColumnElement[str], ColumnElement[Any]]] = [(run.c.dag_id, self.run_changed_at())]
        if self._database.has("task_instance", "updated_at"):
            wanted.append(
                (self._database.table("task_instance").c.dag_id, self._database.table("task_instance").c.updated_at)
            )
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

    def _paging(self, window: HistoryWindow) -> tuple[Select[Any], ...]:
        """Give the queries of a DAG's run ids, which together say what `eligible` says. Made once: making is slow.

        The next page of runs, with the parameters `dag` and `after`: id, what ties task instances to it, whether it is new
        enough by itself. Then the runs that task instances hold back; and with `since` those that they make new enough.
        """
        run, task = self._database.table("dag_run"), self._database.table("task_instance")
        by = "run_id" if "run_id" in task.c else "execution_date"
        held: ColumnElement[bool] = task.c.state.in_(UNFINISHED_TASK_STATES)
        conditions: list[ColumnElement[bool]] = [run.c.dag_id == DAG, run.c.state.in_(FINAL_RUN_STATES)]
        is_new: ColumnElement[Any] = literal(1)
        is_dated = self._database.has("task_instance", "updated_at")
        if window.until is not None:
            conditions.append(~self.changed_itself(window.until))
            if is_dated:
                held = or_(held, task.c.updated_at > self._database.stored(window.until))
        if window.since is not None:
            is_new = case((self.changed_itself(window.since), 1), else_=0)
        paging = (
            select(run.c.run_id, run.c[by].label("tie"), is_new.label("is_new"))
            .where(*conditions, run.c.run_id > bindparam("after", type_=String))
            .order_by(run.c.run_id)
            .limit(RUNS_PER_PAGE)
        )
        queries = [paging, select(task.c[by]).where(task.c.dag_id == DAG, held).distinct()]
        if window.since is not None and is_dated:
            newer = task.c.updated_at > self._database.stored(window.since)
            queries.append(select(task.c[by]).where(task.c.dag_id == DAG, newer).distinct())
        return tuple(queries)

    def _changed_after(self, dag_id: str | ColumnElement[str], moment: datetime) -> ColumnElement[bool]:
        """Condition on dag_run: it, one of its task instances or its note was written after the moment."""
        run = self._database.table("dag_run")
        changed: list[ColumnElement[bool]] = [self.changed_itself(moment)]
        moment = self._database.stored(moment)
        if self._database.has("task_instance", "updated_at"):
            task = self._database.twin("task_instance")
            by = "run_id" if "run_id" in task.c else "execution_date"
            newer = select(task.c[by]).where(task.c.dag_id == dag_id, task.c.updated_at > moment)
            changed.append(run.c[by].in_(newer))
        return or_(*changed)

    def changed_itself(self, moment: datetime) -> ColumnElement[bool]:
        """Condition on dag_run: it or its note was written after the moment."""
        run = self._database.table("dag_run")
        moment = self._database.stored(moment)
        changed: list[ColumnElement[bool]] = [func.coalesce(self.run_changed_at() > moment, false())]
        if self._database.has("dag_run_note"):
            note = self._database.twin("dag_run_note")
            is_newer = and_(note.c.dag_run_id == run.c.id, note.c.updated_at > moment)
            changed.append(exists(select(literal(1)).where(is_newer).correlate(run)))
        return or_(*changed)
