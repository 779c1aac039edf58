"""Names for runs of the source whose run id the target has given to a run of its own, for another logical date.

Airflow 2 names a scheduled run by its logical date, Airflow 3 by the moment from which it may start (`DagRun.generate_run_id`,
2.11.2 and 3.3.2). After a way back the source's next run therefore has the name of the last one that the target made: it moves
under that name with `SUFFIX`, so that none is lost and none is taken for the other. Of a run that both sides have with the same
logical date nothing changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy import Connection, select

from aerodrome.migration.estate.history import RUN_COLUMNS, HistoryBatch
from aerodrome.migration.sources.lanes import RunKey
from aerodrome.migration.transfer.ownership import is_import
from aerodrome.migration.transfer.target import TargetDatabase

SUFFIX = "__moved"
PAGE = 500
_DATE = RUN_COLUMNS.index("logical_date")


def name_in_source(run_id: str) -> str:
    """Give the name that an imported run has in the source."""
    return run_id.removesuffix(SUFFIX)


def beside_own(target: TargetDatabase, batch: HistoryBatch) -> HistoryBatch:
    """Give the batch with the rows of such runs under their names in the target; the batch itself where there are none.

    One query for each `PAGE` runs; a second one only where the target has runs of its own with these names.
    """
    keys = {(row[0], row[1]) for row in batch.rows}
    if batch.kind == "run":
        with target.reading() as connection:
            own = _standing(target, connection, keys, are_imports=False)
        others = {(row[0], row[1]) for row in batch.rows if _differ(row[_DATE], own.get((row[0], row[1])))}
        names = {key: _twin(key) for key in others}
    else:
        names = names_in_target(target, keys)
    if not names:
        return batch
    rows = [(*names.get((row[0], row[1]), row[:2]), *row[2:]) for row in batch.rows]
    return replace(batch, rows=rows)


def names_in_target(target: TargetDatabase, keys: Iterable[RunKey]) -> dict[RunKey, RunKey]:
    """Give, of these runs of the source, those that stand in the target under another name: key there by key here."""
    with target.reading() as connection:
        own = _standing(target, connection, keys, are_imports=False)
        twins = _standing(target, connection, {_twin(key) for key in own}, are_imports=True) if own else {}
    return {key: _twin(key) for key in own if _twin(key) in twins}


def _twin(key: RunKey) -> RunKey:
    return key[0], f"{key[1]}{SUFFIX}"


def _differ(here: datetime | None, there: datetime | None) -> bool:
    return here is not None and there is not None and here != there


def _standing(
    target: TargetDatabase, connection: Connection, keys: Iterable[RunKey], *, are_imports: bool
) -> dict[RunKey, datetime | None]:
    """Give the logical dates of the target's runs among these that were moved there, or that it made itself."""
    run = target.table("dag_run")
    imported = is_import(target, run)
    found: dict[RunKey, datetime | None] = {}
    for page in _pages(sorted(keys)):
        query = select(run.c.dag_id, run.c.run_id, run.c[target.date_column].label("logical_date")).where(
            run.c.dag_id.in_({dag_id for dag_id, _ in page}),
            run.c.run_id.in_({run_id for _, run_id in page}),
            imported if are_imports else ~imported,
        )
        wanted = set(page)
        for row in connection.execute(query):
            if (row.dag_id, row.run_id) in wanted:
                found[row.dag_id, row.run_id] = _aware(row.logical_date)
    return found


def _pages(keys: list[RunKey]) -> Iterator[list[RunKey]]:
    for start in range(0, len(keys), PAGE):
        yield keys[start : start + PAGE]


def _aware(moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
