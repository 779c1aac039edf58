"""Reads every Oozie definition below a path."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aerodrome.migration.convert.contract import Conversion


def read(path: Path, profile: Mapping[str, Any]) -> Conversion:
    """Read definitions; nothing is found yet."""
    del path, profile
    return Conversion("oozie", ())
