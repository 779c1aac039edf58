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
def serving(home: Path, url: str | None) -> Iterator[None]:
    """Say that a server works on the home, and at which URL, as long as the block runs; Conflict while it is restored."""
    with _locked(home, fcntl.LOCK_SH, "This home is being restored.", "Wait until it is done.") as handle:
        if url is not None:
            os.ftruncate(handle, 0)
            os.pwrite(handle, url.encode(), 0)
        yield


def served_at(home: Path) -> str | None:
    """Give the URL of the server that works on the home now; None when there is none."""
    try:
        with alone(home):
            return None
    except Conflict:
        return (home / _NAME).read_text() or None


@contextmanager
def alone(home: Path) -> Iterator[None]:
    """Have the home alone; Conflict when a server works on it."""
    with _locked(home, fcntl.LOCK_EX, f"A server works on {home}.", "Stop it first; deployments may keep running."):
        yield


@contextmanager
def _locked(home: Path, kind: int, message: str, hint: str) -> Iterator[int]:
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(home / _NAME, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(message, code="home-in-use", hint=hint) from None
        yield handle
    finally:
        os.close(handle)
