"""Waits for the outcome of background work by looking again and again."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from aerodrome.kernel.errors import Unavailable

T = TypeVar("T")
LOOK_EVERY_S = 1.0


def wait(
    look: Callable[[], T],
    is_done: Callable[[T], bool],
    *,
    timeout_s: float,
    what: str,
    progress: Callable[[T], None] = lambda _seen: None,
    every_s: float = LOOK_EVERY_S,
    is_server_awaited: bool = False,
    code: str = "wait-timeout",
    hint: str = "The work goes on; look again later.",
) -> T:
    """Look until it is done and give what was seen last; Unavailable (`code`) after `timeout_s`.

    `progress` hears every look. `look` and `is_done` may raise, which ends the waiting; with `is_server_awaited` a server that is
    away meanwhile (Unavailable of a look) does not: the work goes on when it is back.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            seen = look()
        except Unavailable:
            if not is_server_awaited:
                raise
        else:
            progress(seen)
            if is_done(seen):
                return seen
        if time.monotonic() >= deadline:
            raise Unavailable(f"{what} has not come to an end within {timeout_s:.0f} seconds.", code=code, hint=hint)
        time.sleep(every_s)
