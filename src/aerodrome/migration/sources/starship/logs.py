"""Task logs over Starship: a call for each try, streamed into a file. How large one is and when it was written is not told."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from threading import BoundedSemaphore

from aerodrome.migration.sources.starship.client import ITEMS_AT_ONCE, StarshipReader, TaskKey
from aerodrome.migration.sources.task_logs.reading import LogFile, LogFolder

_FOLDER = "dag_id="
_NAME = re.compile(
    r"dag_id=(?P<dag>.+)/run_id=(?P<run>.+)/task_id=(?P<task>[^/]+?)(/map_index=(?P<map>\d+))?/attempt=(?P<number>\d+)\.log"
)


class StarshipLogs:
    """All logs of one Airflow, as its plugin gives them under the names of Airflow 2.3 and newer."""

    def __init__(self, reader: StarshipReader) -> None:
        self._reader = reader
        self._open = BoundedSemaphore(ITEMS_AT_ONCE)

    def folder(self, path: PurePosixPath) -> LogFolder | None:
        """Give the only folder; the names of older versions are not asked for."""
        return self if str(path).startswith(_FOLDER) else None

    def find(self, path: PurePosixPath) -> LogFile | None:
        """Give what is known of a log before it is asked for: nothing but its name."""
        return LogFile(None, 0) if _NAME.fullmatch(str(path)) else None

    def copy(self, path: PurePosixPath, target: Path) -> bool:
        found = _NAME.fullmatch(str(path))
        if found is None:
            return False
        key = TaskKey(found["dag"], found["run"], found["task"], int(found["map"] or -1))
        with self._open:
            return self._reader.copy_log(key, int(found["number"]), target)

    def close(self) -> None:
        """Leave the connection to the source, which opened it."""
