"""Memory that the server freed goes back to the system. If this breaks, a server grows for days though it holds nothing."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

_PROGRAM = """
import threading
from pathlib import Path
from aerodrome.bootstrap import memory

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

memory.share_heaps()
kept, freed = [], []
for _ in range(1000):  # below glibc's threshold for mappings of their own; every freed piece lies below a kept one
    freed.append(bytearray(100_000))
    kept.append(bytearray(2_000))
freed.clear()
before = resident()
memory._EVERY_S = 0.01
stop = threading.Event()
threading.Timer(0.5, stop.set).start()
memory.give_back_until(stop)
print(before - resident())
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="this C library is not glibc")
def test_freed_pages_between_kept_ones_go_back() -> None:
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 50_000_000
