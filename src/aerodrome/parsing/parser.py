"""Parses a project under an exact Airflow, by a warm interpreter that forks a child for each file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from aerodrome.parsing.contract import ParseLimits, ParseResult, ParseSetting


def parse(
    project: Path,
    setting: ParseSetting,
    timeout_s: float = 300.0,
    progress: Callable[[str], None] = lambda _line: None,
    limits: ParseLimits = ParseLimits(),  # noqa: B008  (frozen)
) -> ParseResult:
    """Read every DAG file of the project; writes nothing to the metadata database and starts no scheduler.

    A file that hangs, ends its process or takes too much is a failure of that file alone. Broken when this Airflow cannot be
    imported at all (airflow-not-importable), Unavailable when no interpreter can be started.
    """
    raise NotImplementedError
