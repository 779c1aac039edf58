"""Copies the log files of moved task instances, from a folder or a bucket, to where the target's Airflow looks for them.

Called by migration.service after a transfer of history. The target's own rows say which files there may be, so nothing is
copied for what did not move. Airflow 3.3.2 reads `dag_id=…/run_id=…/task_id=…[/map_index=N]/attempt=N.log` below
`[logging] base_log_folder`, which is also the default of 2.3 and later; before 2.3 it was `dag/task/logical date/N.log`
(config_templates, `log_filename_template`). Safe to repeat: a file that stands is left as it is, unless the source's is newer.
"""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

from sqlalchemy import select

from aerodrome.kernel.errors import Broken, Denied, NotFound, Unavailable
from aerodrome.migration.sources.contract import Progress
from aerodrome.migration.sources.task_logs.reading import LocalLogs, LogFile, LogFolder, TaskLogs
from aerodrome.migration.transfer.outcomes import SHOWN_REJECTIONS, Rejected
from aerodrome.migration.transfer.ownership import is_import
from aerodrome.migration.transfer.target import TargetDatabase
from aerodrome.migration.transfer.twins import name_in_source

ROWS_AT_ONCE = 5_000
TRIES_AT_ONCE = 1_000
AT_ONCE = 8
"""How many files are copied at the same time."""
_FOLDER_MODE = 0o775


@dataclass
class LogsMoved:
    """What became of the log files: `found` = `moved` + `same` + refused. `missing` tries have no file in the source."""

    found: int = 0
    moved: int = 0
    same: int = 0
    missing: int = 0
    size_bytes: int = 0  # of what was copied now
    failed_by_code: Counter[str] = field(default_factory=Counter)
    failed: list[Rejected] = field(default_factory=list)  # the first of them

    def as_data(self) -> dict[str, Any]:
        return {
            "found": self.found,
            "moved": self.moved,
            "same": self.same,
            "missing": self.missing,
            "size_bytes": self.size_bytes,
            "failed_count": self.failed_by_code.total(),
            "failed_by_code": dict(sorted(self.failed_by_code.items())),
            "failed": [item.as_data() for item in self.failed],
        }

    def add(self, part: LogsMoved) -> None:
        """Add what became of some files more."""
        self.found += part.found
        self.moved += part.moved
        self.same += part.same
        self.missing += part.missing
        self.size_bytes += part.size_bytes
        self.failed_by_code.update(part.failed_by_code)
        self.failed.extend(part.failed[: SHOWN_REJECTIONS - len(self.failed)])

    def refuse(self, key: str, code: str, message: str) -> None:
        self.failed_by_code[code] += 1
        if len(self.failed) < SHOWN_REJECTIONS:
            self.failed.append(Rejected(key, code, message))


def move_logs(
    target: TargetDatabase,
    dag_ids: Sequence[str],
    source_logs: Path | TaskLogs,
    target_logs: Path,
    *,
    progress: Progress | None = None,
) -> LogsMoved:
    """Copy every try's log file of imported task instances of these DAGs; what cannot be read is refused by name.

    Unavailable `target-disk-full` when there is no space left, and of the store of the logs; run it again then.
    """
    outcome = LogsMoved()
    source = LocalLogs(source_logs) if isinstance(source_logs, Path) else source_logs
    for number, dag_id in enumerate(sorted(set(dag_ids)), 1):
        try:
            found = [(style, source.folder(style.folder(dag_id))) for style in _STYLES]
        except (Denied, NotFound) as error:
            outcome.found += 1
            outcome.refuse(dag_id, "logs-unreadable", error.message)
            continue
        places = [(style, folder) for style, folder in found if folder is not None]
        _move_dag(_tries(target, dag_id) if places else iter(()), places, target_logs, outcome)
        if progress is not None:
            progress("copying logs of DAGs", number, len(dag_ids))
    return outcome


@dataclass(frozen=True)
class _Try:
    dag_id: str
    run_id: str
    logical_date: datetime | None
    task_id: str
    map_index: int
    number: int

    @property
    def key(self) -> str:
        return f"{self.dag_id}/{self.run_id}/{self.task_id}[{self.map_index}]/{self.number}"


class _Since23:
    """The names of Airflow 2.3 and later."""

    def folder(self, dag_id: str) -> PurePosixPath:
        return PurePosixPath(f"dag_id={dag_id}")

    def path(self, of: _Try) -> PurePosixPath | None:
        """Give where the source has it."""
        return self.path_of(of, name_in_source(of.run_id))

    def path_of(self, of: _Try, run_id: str) -> PurePosixPath:
        place = self.folder(of.dag_id) / f"run_id={run_id}" / f"task_id={of.task_id}"
        if of.map_index >= 0:
            place /= f"map_index={of.map_index}"
        return place / f"attempt={of.number}.log"


class _Before23:
    """The names of Airflow 1.10 to 2.2; there were no mapped tasks."""

    def folder(self, dag_id: str) -> PurePosixPath:
        return PurePosixPath(dag_id)

    def path(self, of: _Try) -> PurePosixPath | None:
        if of.map_index >= 0 or of.logical_date is None:
            return None
        return self.folder(of.dag_id) / of.task_id / of.logical_date.isoformat() / f"{of.number}.log"


_STYLES = (_Since23(), _Before23())


def _tries(target: TargetDatabase, dag_id: str) -> Iterator[_Try]:
    """Stream the tries of imported task instances of one DAG, page by page of its index."""
    run, task = target.table("dag_run"), target.table("task_instance")
    logical_date = run.c[target.date_column].label("logical_date")
    columns = (task.c.run_id, logical_date, task.c.task_id, task.c.map_index, task.c.try_number)
    query = (
        select(*columns)
        .select_from(task.join(run, (task.c.dag_id == run.c.dag_id) & (task.c.run_id == run.c.run_id)))
        .where(task.c.dag_id == dag_id, run.c.dag_id == dag_id, is_import(target, run))
    )
    with target.reading() as connection:
        result = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(query)
        parts = result.partitions()
        if target.dialect == "sqlite":  # leave the file: Airflow waits
            parts = iter(list(parts))
        for part in parts:
            for row in part:
                moment = row.logical_date
                if moment is not None:
                    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
                for number in range(1, (row.try_number or 0) + 1):
                    yield _Try(dag_id, row.run_id, moment, row.task_id, row.map_index, number)


_Places = Sequence[tuple[_Since23 | _Before23, LogFolder]]


def _move_dag(tries: Iterator[_Try], places: _Places, target: Path, outcome: LogsMoved) -> None:
    """Copy the logs of one DAG, several at once: each waits for a disk or a store, and none for another."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        while some := list(islice(tries, TRIES_AT_ONCE)):
            for part in pool.map(lambda of: _moved(of, places, target), some):
                outcome.add(part)


def _moved(of: _Try, places: _Places, target: Path) -> LogsMoved:
    outcome = LogsMoved()
    _move_one(of, places, target, outcome)
    return outcome


def _move_one(of: _Try, places: _Places, target: Path, outcome: LogsMoved) -> None:
    wanted = _Since23().path_of(of, of.run_id)
    if ".." in wanted.parts or wanted.is_absolute():
        outcome.found += 1
        outcome.refuse(of.key, "log-path-unsafe", "Its ids make a path that leaves the folder of logs.")
        return
    for style, folder in places:
        place = style.path(of)
        found = None if place is None else folder.find(place)
        if place is None or found is None:
            continue
        outcome.found += 1
        try:
            _copy(folder, place, found, target / wanted, outcome)
        except (Broken, Denied, NotFound) as error:
            outcome.refuse(of.key, "log-unreadable", error.message)
        except OSError as error:
            if error.errno in _FULL:
                raise Unavailable(
                    "There is no space left for the target's logs.",
                    code="target-disk-full",
                    hint="Free some space, then run the step again; it goes on where it stopped.",
                    retry_after_s=60,
                ) from error
            outcome.refuse(of.key, "log-unreadable", f"Its file cannot be copied: {error.strerror}.")
        return
    outcome.missing += 1


_FULL = (errno.ENOSPC, errno.EDQUOT)


def _copy(folder: LogFolder, place: PurePosixPath, found: LogFile, target: Path, outcome: LogsMoved) -> None:
    if target.is_file():
        standing = target.stat()
        # Where nobody tells a size: a file stands whole or not at all, and a try that has ended does not change.
        if found.size_bytes in {None, standing.st_size} or standing.st_mtime_ns >= found.modified_ns > 0:
            outcome.same += 1
            return
    target.parent.mkdir(parents=True, exist_ok=True, mode=_FOLDER_MODE)
    draft = target.with_name(f"{target.name}.aerodrome")
    if not folder.copy(place, draft):
        outcome.found -= 1
        outcome.missing += 1
        return
    if found.modified_ns:
        os.utime(draft, ns=(found.modified_ns, found.modified_ns))
    size_bytes = draft.stat().st_size
    draft.replace(target)
    outcome.moved += 1
    outcome.size_bytes += size_bytes
