"""Task instances and tries of SQLite and MySQL as the database itself writes them, for a transfer that needs no objects.

The same queries as `history.py` gives them; what its rows would say of a moment stands here as text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from aerodrome.migration.estate.history import HistoryBatch, HistoryKind, HistoryWindow
from aerodrome.migration.sources.airflow_db.history import HistoryReader
from aerodrome.migration.sources.contract import RunKey


class TextHistory:
    """Implements sources.contract.TextHistory over a metadata database on SQLite or MySQL."""

    def __init__(self, reader: HistoryReader) -> None:
        self._reader = reader

    def is_offered(self, kind: HistoryKind) -> bool:
        return self._reader.is_plain(kind)

    def stream(self, kind: HistoryKind, window: HistoryWindow) -> Iterator[Sequence[Sequence[Any]]]:
        yield from self._reader.stream_raw(kind, window)

    def rows(self, kind: HistoryKind, keys: Sequence[RunKey]) -> Iterator[HistoryBatch]:
        for dag_id, of_dag in groupby(keys, itemgetter(0)):
            yield from self._reader.page(kind, dag_id, [run_id for _, run_id in of_dag])
