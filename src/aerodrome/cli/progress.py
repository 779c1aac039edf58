"""Shows on standard error how waiting goes: one line for each change."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def changes(describe: Callable[[T], str]) -> Callable[[T], None]:
    """Give a callback for wait helpers that writes the description whenever it differs from the last one."""
    started, last = time.monotonic(), ""

    def show(seen: T) -> None:
        nonlocal last
        text = describe(seen)
        if text != last:
            last = text
            sys.stderr.write(f"{time.monotonic() - started:5.0f} s  {text}\n")
            sys.stderr.flush()

    return show
