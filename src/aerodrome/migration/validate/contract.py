"""The result of a check: one row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["blocker", "warning", "info"]


@dataclass(frozen=True)
class CheckRow:
    """One fact that was looked at in the target."""

    check: str  # dag-parsed, file-imports, same-tasks, same-order, same-schedule, data-intervals, …-exists, …-opens
    subject: str  # a DAG id, a file, a connection id, …
    is_ok: bool
    severity: Severity  # how bad it is when it is not ok
    message: str
    hint: str = ""
