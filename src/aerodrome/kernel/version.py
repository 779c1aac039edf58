"""The version of this installation."""

from __future__ import annotations

from functools import cache


@cache
def version() -> str:
    """Give the version as installed."""
    from importlib.metadata import PackageNotFoundError  # slow to import; the CLI rarely needs it
    from importlib.metadata import version as installed

    try:
        return installed("aerodrome")
    except PackageNotFoundError:
        return "0+source"
