"""Gives a file the same values at every reading where it asks for new ones: uuid4, random, os.urandom, the time in seconds.

Only code of the project gets them, also through the standard library; Airflow and packages get what they always do. A clock goes one
second on each time it is asked, so that what waits for it ends. Standard library only, Python 3.8 and newer.
"""

from __future__ import annotations

import hashlib
import os
import random
import sys
import time
import uuid
from typing import Any, Callable

BEGIN_S = 1774569600.0  # 2026-03-27, where a proof's next runs begin
_LIBRARY = os.path.dirname(os.__file__) + os.sep
_PACKAGES = (os.sep + "site-packages" + os.sep, os.sep + "dist-packages" + os.sep)
_asked = {"bytes": 0, "clock": 0}


def install(project: str) -> None:
    """Pin from here on, in this process."""
    root = project.rstrip(os.sep) + os.sep
    random.seed(0)
    os.urandom = _for_project(root, os.urandom, _bytes)
    random._urandom = os.urandom  # type: ignore[attr-defined]  # noqa: SLF001 - SystemRandom and secrets ask it
    uuid.uuid1 = _for_project(root, uuid.uuid1, _uuid)
    time.time = _for_project(root, time.time, _clock)
    time.time_ns = _for_project(root, time.time_ns, lambda: int(_clock() * 1e9))


def _for_project(root: str, original: Callable[..., Any], pinned: Callable[..., Any]) -> Any:
    def give(*arguments: Any, **named: Any) -> Any:
        return (pinned if _is_asked_by(root) else original)(*arguments, **named)

    return give


def _is_asked_by(root: str) -> bool:
    """Tell whether the first who asks, beside the standard library, is of the project."""
    frame: Any = sys._getframe(2)  # noqa: SLF001
    while frame is not None:
        file = frame.f_code.co_filename
        is_library = file.startswith(_LIBRARY) and not any(part in file for part in _PACKAGES)
        if not is_library and not file.startswith("<frozen"):
            return bool(file.startswith(root))
        frame = frame.f_back
    return False


def _bytes(size: int) -> bytes:
    _asked["bytes"] += 1
    found = b""
    while len(found) < size:
        found += hashlib.sha256(b"%d %d" % (_asked["bytes"], len(found))).digest()
    return found[:size]


def _uuid(*_arguments: Any, **_named: Any) -> uuid.UUID:
    return uuid.UUID(bytes=_bytes(16), version=1)


def _clock() -> float:
    _asked["clock"] += 1
    return BEGIN_S + _asked["clock"] - 1
