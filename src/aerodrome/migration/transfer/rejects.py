"""Files that keep every refused row: one line of JSON each with the reason, and the values that could not become JSON.

A transfer's report shows the first of them; here all stand. `rejects.jsonl` holds no values and may be shown. What
has no place in the target (a pickle, a row without its run as JSON) is archived in `values.jsonl` beside it, as bytes in
Base64, readable by the platform's user only. A pickle is a program: nothing here or elsewhere in the product ever loads it.
"""

from __future__ import annotations

import json
import os
from base64 import b64encode
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from aerodrome.migration.estate.history import HistoryKind
from aerodrome.migration.transfer.outcomes import Rejected

Marks = tuple[int, int]


class RejectsFile:
    """Written line by line; `mark` and `go_back` tie it to a checkpoint, so that after a kill no line stands twice."""

    def __init__(self, folder: Path) -> None:
        self.rejects = folder / "rejects.jsonl"
        self.values = folder / "values.jsonl"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._streams = (_open(self.rejects), _open(self.values))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for stream in self._streams:
            stream.close()

    def add(self, kind: HistoryKind, rejected: Rejected, value: bytes | None = None) -> None:
        """Keep one refusal, and the value that caused it where there is one."""
        line = {"kind": kind, **rejected.as_data(), "is_archived": value is not None}
        self._streams[0].write(json.dumps(line, ensure_ascii=False).encode(errors="backslashreplace") + b"\n")
        if value is not None:
            kept = {"kind": kind, "key": rejected.key, "code": rejected.code, "value": b64encode(value).decode()}
            self._streams[1].write(json.dumps(kept).encode(errors="backslashreplace") + b"\n")

    def mark(self) -> Marks:
        """Make durable what was added, and give where the files end."""
        for stream in self._streams:
            stream.flush()
            os.fsync(stream.fileno())
        return self._streams[0].tell(), self._streams[1].tell()

    def go_back(self, marks: Marks) -> None:
        """Forget what was added after a mark: the rows are moved again. A file that is shorter lost lines with its disk."""
        for stream, size in zip(self._streams, marks, strict=True):
            stream.truncate(min(size, stream.seek(0, os.SEEK_END)))
            stream.seek(0, os.SEEK_END)


def _open(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b")
