"""Tells whether a server works on a home folder: every server holds a shared lock on it, a restore wants it alone."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aerodrome.kernel.errors import Conflict

_NAME = "server.lock"


@contextmanager
def serving(home: Path) -> Iterator[None]:
    """Say that a server works on the home, as long as the block runs; Conflict while it is being restored."""
    with _locked(home, fcntl.LOCK_SH, "This home is being restored.", "Wait until it is done."):
        yield


@contextmanager
def alone(home: Path) -> Iterator[None]:
    """Have the home alone; Conflict when a server works on it."""
    with _locked(home, fcntl.LOCK_EX, f"A server works on {home}.", "Stop it first; deployments may keep running."):
        yield


@contextmanager
def _locked(home: Path, kind: int, message: str, hint: str) -> Iterator[None]:
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(home / _NAME, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(message, code="home-in-use", hint=hint) from None
        yield
    finally:
        os.close(handle)
