"""Copies the log files of moved task instances to where the target's Airflow looks for them.

Called by migration.service after a transfer of history. The target's own rows say which files there may be, so nothing is
copied for what did not move. Airflow 3.3.2 reads `dag_id=…/run_id=…/task_id=…[/map_index=N]/attempt=N.log` below
`[logging] base_log_folder`, which is also the default of 2.3 and later; before 2.3 it was `dag/task/logical date/N.log`
(config_templates, `log_filename_template`). Safe to repeat: a file that stands is left as it is, unless the source's is newer.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from sqlalchemy import select

from aerodrome.kernel.errors import Unavailable
from aerodrome.migration.sources.contract import Progress
from aerodrome.migration.transfer.outcomes import SHOWN_REJECTIONS, Rejected
from aerodrome.migration.transfer.ownership import is_import
from aerodrome.migration.transfer.target import TargetDatabase

ROWS_AT_ONCE = 5_000
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

    def refuse(self, key: str, code: str, message: str) -> None:
        self.failed_by_code[code] += 1
        if len(self.failed) < SHOWN_REJECTIONS:
            self.failed.append(Rejected(key, code, message))


def move_logs(
    target: TargetDatabase,
    dag_ids: Sequence[str],
    source_logs: Path,
    target_logs: Path,
    *,
    progress: Progress | None = None,
) -> LogsMoved:
    """Copy every try's log file of imported task instances of these DAGs; a file that cannot be read is refused by name.

    Unavailable `target-disk-full` when there is no space left; run it again then.
    """
    outcome = LogsMoved()
    for number, dag_id in enumerate(sorted(set(dag_ids)), 1):
        styles = [style for style in _STYLES if (source_logs / style.folder(dag_id)).is_dir()]
        for row in _tries(target, dag_id) if styles else ():
            _move_one(row, styles, source_logs, target_logs, outcome)
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
        place = self.folder(of.dag_id) / f"run_id={of.run_id}" / f"task_id={of.task_id}"
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


def _move_one(of: _Try, styles: Sequence[_Since23 | _Before23], source: Path, target: Path, outcome: LogsMoved) -> None:
    wanted = _STYLES[0].path(of)
    if wanted is None or ".." in wanted.parts or wanted.is_absolute():
        outcome.found += 1
        outcome.refuse(of.key, "log-path-unsafe", "Its ids make a path that leaves the folder of logs.")
        return
    for style in styles:
        place = style.path(of)
        if place is None or not (source / place).is_file():
            continue
        outcome.found += 1
        try:
            _copy(source / place, target / wanted, outcome)
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


def _copy(source: Path, target: Path, outcome: LogsMoved) -> None:
    found = source.stat()
    if target.is_file():
        standing = target.stat()
        if standing.st_size == found.st_size or standing.st_mtime_ns >= found.st_mtime_ns:
            outcome.same += 1
            return
    target.parent.mkdir(parents=True, exist_ok=True, mode=_FOLDER_MODE)
    draft = target.with_name(f"{target.name}.aerodrome")
    shutil.copyfile(source, draft)
    os.utime(draft, ns=(found.st_atime_ns, found.st_mtime_ns))
    draft.replace(target)
    outcome.moved += 1
    outcome.size_bytes += found.st_size
