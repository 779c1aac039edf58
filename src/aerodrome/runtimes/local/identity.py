"""Recognises processes: a pid alone may be reused, so (pid, start time, boot id) names one. Standard library only.

Linux: read from /proc. Used by the shim and by the runtime.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PROC = Path("/proc")
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class ProcessIdentity:
    """Names one process for ever."""

    pid: int
    start_ticks: int  # clock ticks after boot
    boot_id: str

    def as_data(self) -> dict[str, Any]:
        return {"pid": self.pid, "start_ticks": self.start_ticks, "boot_id": self.boot_id}

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> ProcessIdentity:
        return cls(data["pid"], data["start_ticks"], data["boot_id"])


@dataclass(frozen=True)
class _Stat:
    pid: int
    state: str
    parent: int
    group: int
    session: int
    start_ticks: int


def boot_id() -> str:
    """Give the id of the running boot."""
    return (_PROC / "sys/kernel/random/boot_id").read_text().strip()


def identify(pid: int) -> ProcessIdentity | None:
    """Give the identity of a living process; None when it is gone or a zombie."""
    stat = _read(pid)
    return None if stat is None or stat.state in "ZX" else ProcessIdentity(pid, stat.start_ticks, boot_id())


def is_alive(identity: ProcessIdentity) -> bool:
    """Tell whether exactly this process still runs."""
    return identify(identity.pid) == identity


def started_at(identity: ProcessIdentity) -> float:
    """Give the start as seconds since the epoch (precise to about 10 ms)."""
    boot = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    return boot + identity.start_ticks / _TICKS_PER_S


def title_of(identity: ProcessIdentity) -> str:
    """Give the command line of a process, which a process may have written anew; empty when it is gone."""
    try:
        return (
            (_PROC / str(identity.pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        )
    except (FileNotFoundError, ProcessLookupError):
        return ""


def family(roots: Iterable[ProcessIdentity]) -> list[ProcessIdentity]:
    """Give the living processes that are, descend from, or share the session of a root; children come after parents."""
    roots = list(roots)
    stats = {stat.pid: stat for stat in _all()}
    # a root's pid cannot be reused as a session while members of that session live
    sessions = {root.pid for root in roots if root.pid not in stats or stats[root.pid].start_ticks == root.start_ticks}
    members = {root.pid for root in roots if root.pid in stats and stats[root.pid].start_ticks == root.start_ticks}
    members |= {stat.pid for stat in stats.values() if stat.session in sessions and not _is_older(stat, roots)}
    while grown := {stat.pid for stat in stats.values() if stat.parent in members} - members:
        members |= grown
    boot = boot_id()
    alive = sorted((stats[pid] for pid in members if stats[pid].state not in "ZX"), key=lambda stat: stat.start_ticks)
    return [ProcessIdentity(stat.pid, stat.start_ticks, boot) for stat in alive]


def _is_older(stat: _Stat, roots: list[ProcessIdentity]) -> bool:
    return any(stat.session == root.pid and stat.start_ticks < root.start_ticks for root in roots)


def _all() -> Iterable[_Stat]:
    for entry in os.scandir(_PROC):
        if entry.name.isdigit() and (stat := _read(int(entry.name))) is not None:
            yield stat


def _read(pid: int) -> _Stat | None:
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()
    return _Stat(pid, fields[0], int(fields[1]), int(fields[2]), int(fields[3]), int(fields[19]))
