"""Child processes that never outlive us, however we end."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

_LAUNCH = """\
import ctypes, os, signal, sys
parent = int(sys.argv[1])
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        sys.exit(1)
os.execv(sys.argv[2], sys.argv[2:])
"""


def dies_with_us(command: Sequence[str], parent: int | None = None) -> list[str]:
    """Wrap a command (absolute program) so that Linux kills it when this process dies. Elsewhere it runs as it is."""
    return [sys.executable, "-S", "-E", "-c", _LAUNCH, str(parent or os.getpid()), *command]
