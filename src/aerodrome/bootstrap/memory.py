"""Keeps what the server freed from staying with the process: glibc holds on to free pages, above all with many threads.

glibc makes up to eight heaps a core for threads and returns the top of a heap only (mallopt(3), malloc_trim(3), glibc 2.36), so that a
server with worker threads grows for hours though its objects do not. Elsewhere than on glibc both functions do nothing.
"""

from __future__ import annotations

import ctypes
import threading

_M_ARENA_MAX = -8  # malloc.h
_HEAPS = 2
_EVERY_S = 30.0


def _glibc() -> ctypes.CDLL | None:
    library = ctypes.CDLL(None)
    return library if hasattr(library, "malloc_trim") and hasattr(library, "mallopt") else None


def share_heaps() -> None:
    """Let all threads share two heaps; to be called before threads start."""
    if (library := _glibc()) is not None:
        library.mallopt(_M_ARENA_MAX, _HEAPS)


def give_back_until(stop: threading.Event) -> None:
    """Return free pages to the system every half minute, until `stop` is set. It takes milliseconds."""
    library = _glibc()
    while not stop.wait(_EVERY_S):
        if library is not None:
            library.malloc_trim(0)
