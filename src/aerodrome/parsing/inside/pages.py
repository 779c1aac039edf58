"""Puts memory into large pages (Linux 6.1 and newer), so that a fork copies, and an exit frees, hundreds of entries and not 100,000.

What a child writes to is still copied by 4 KiB. Where the kernel does not do it, forks only take longer. Standard library only, Python 3.8 and newer.
"""

from __future__ import annotations

import ctypes

_COLLAPSE = 25  # MADV_COLLAPSE, linux/mman-common.h
_LARGE = 2 << 20


def make_large() -> None:
    """Collapse what this process has written, its stack and mapped files left out."""
    library = ctypes.CDLL(None, use_errno=True)
    library.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    if library.madvise(0, 0, _COLLAPSE):  # of nothing at all a kernel takes every advice that it knows
        return
    try:
        with open("/proc/self/maps") as stream:
            lines = stream.read().splitlines()
    except OSError:
        return
    for line in lines:
        fields = line.split()
        if not fields[1].startswith("rw") or fields[5:] not in ([], ["[heap]"]):
            continue
        start, end = (int(word, 16) for word in fields[0].split("-"))
        for place in range(-(-start // _LARGE) * _LARGE, end - _LARGE + 1, _LARGE):
            library.madvise(place, _LARGE, _COLLAPSE)  # not when too little of it is in use
