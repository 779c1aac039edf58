"""Histories that databases give in bulk, for a transfer that leaves the work to them: as SQL, or as lines of text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

from sqlalchemy import Connection

from aerodrome.migration.estate.history import HistoryBatch, HistoryKind, HistoryWindow

RunKey = tuple[str, str]
"""(dag_id, run_id)."""


@dataclass(frozen=True)
class NeutralSql:
    """A SELECT in PostgreSQL's words that gives rows of one kind in the neutral columns, for every run of the source.

    `document` says how the JSON column (`conf` of a run, `value` of an XCom) is stored: "json", or "bytes" (a pickle or,
    for XComs of 2.x, the text of JSON).
    """

    text: str
    document: Literal["json", "bytes"] = "json"


class SqlHistory(Protocol):
    """The history of a PostgreSQL source, for a transfer that lets the databases do the work."""

    def reading(self) -> AbstractContextManager[Connection]:
        """Give a connection in a transaction that cannot write."""
        ...

    def run_count(self, window: HistoryWindow) -> int:
        """Count the finished runs of these DAGs, for the display of progress: the few that do not move yet included."""
        ...

    def keys(self, window: HistoryWindow, after: RunKey, limit: int) -> list[RunKey]:
        """Give the next runs that move, in the database's order of (dag_id, run_id)."""
        ...

    def neutral(self, kind: HistoryKind) -> NeutralSql | None:
        """Give the SELECT of a kind; None when its rows take more than SQL, and `rows` gives them."""
        ...

    def rows(self, kind: HistoryKind, keys: Sequence[RunKey]) -> Iterator[HistoryBatch]:
        """Stream the rows of these runs, as `SourceAdapter.history` does."""
        ...

    def unnamed(self, kind: HistoryKind, window: HistoryWindow) -> Iterator[HistoryBatch]:
        """Stream the rows of runs that have no run id (before Airflow 2.2), under the names that they get; `keys` has none."""
        ...

    def orphans(self, kind: HistoryKind, dag_ids: Sequence[str]) -> Iterator[HistoryBatch]:
        """Stream the rows without a run, each refused with the reason."""
        ...


@runtime_checkable
class OffersSql(Protocol):
    """A source adapter that may be able to give its history as SQL."""

    def sql_history(self) -> SqlHistory | None:
        """Give it, or None: another database, or one that is too old."""
        ...


TextDialect = Literal["sqlite", "mysql"]


class LineSql(NamedTuple):
    """Expressions over the neutral columns of a table `n`, which together make a row's line of text.

    A floating-point number or NULL stands between two texts. NULL in a text: the row cannot be given so.
    """

    before: str
    number: str
    after: str
    null: str  # what stands in a line for a number that is NULL


RunLines = tuple[RunKey, list[str] | None]
"""The lines of a run's rows of one kind; None: `rows` must give them."""


class TextHistory(Protocol):
    """History as a database writes it, for a transfer that turns text into text."""

    dialect: TextDialect

    def is_offered(self, kind: HistoryKind) -> bool: ...

    def stream(self, kind: HistoryKind, window: HistoryWindow) -> Iterator[Sequence[Sequence[Any]]]:
        """Stream rows of the runs that move, ordered by run, in the order of COLUMNS. A moment is a text in UTC, a number may be one."""
        ...

    def lines(self, kind: HistoryKind, window: HistoryWindow, line: LineSql) -> Iterator[Sequence[RunLines]]:
        """Stream the lines that the database makes of task instances or tries; a run comes whole, without rows not at all."""
        ...

    def rows(self, kind: HistoryKind, keys: Sequence[RunKey]) -> Iterator[HistoryBatch]:
        """Stream the rows of these runs, as `SourceAdapter.history` does."""
        ...


@runtime_checkable
class OffersText(Protocol):
    """A source adapter that may be able to give its history as text."""

    def text_history(self) -> TextHistory | None: ...
