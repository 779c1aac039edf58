"""Says which runs of a window move: those that are final, and were written in its time.

Called by the readers of history and by the sync, which asks what changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, String, and_, bindparam, exists, false, func, literal, or_, select

from aerodrome.airflowkit.metadata import MetadataDatabase
from aerodrome.migration.estate.history import FINAL_RUN_STATES, UNFINISHED_TASK_STATES, HistoryWindow
from aerodrome.migration.sources.airflow_db.history_queries import DAG
from aerodrome.migration.sources.airflow_db.rows import ID_PAGE, column_or, pages, utc

RUNS_PER_PAGE = 500
DAGS_AT_ONCE = 20_000
"""How many ids PostgreSQL takes in one list (its protocol ends at 65,535 parameters)."""


class Windows:
    """The runs of one database, by window."""

    def __init__(self, database: MetadataDatabase) -> None:
        self._database = database
        self._pagings: dict[tuple[datetime | None, datetime | None], Select[Any]] = {}

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

    def _paging(self, window: HistoryWindow) -> Select[Any]:
        """Give the query of the next page of run ids of a DAG, with the parameters `dag` and `after`. Made once: making is slow."""
        run = self._database.table("dag_run")
        return (
            select(run.c.run_id)
            .where(*self.eligible(DAG, window), run.c.run_id > bindparam("after", type_=String))
            .order_by(run.c.run_id)
            .limit(RUNS_PER_PAGE)
        )

    def _changed_after(self, dag_id: str | ColumnElement[str], moment: datetime) -> ColumnElement[bool]:
        """Condition on dag_run: it, one of its task instances or its note was written after the moment."""
        run = self._database.table("dag_run")
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
