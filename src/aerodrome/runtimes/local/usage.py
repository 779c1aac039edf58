"""Tells what a deployment's processes use: memory and CPU per component, read from /proc. Linux.

PSS (what a process would cost alone: its own pages and its share of the shared ones) makes the kernel walk the process's memory, some
milliseconds each, so it is read only when asked for.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from aerodrome.runtimes.contract import ProcessUse
from aerodrome.runtimes.local.identity import ProcessIdentity

_PROC = Path("/proc")
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_FRESH_S = 2.0  # deployments that are looked at right after each other share one list of processes


@dataclass(frozen=True)
class _Process:
    pid: int
    parent: int
    session: int
    start_ticks: int
    cpu_ticks: int
    rss_pages: int


class ProcessTable:
    """The processes of this machine, as they were at most two seconds ago. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read_at = -_FRESH_S
        self._processes: dict[int, _Process] = {}

    def use_of(self, roots: Mapping[str, ProcessIdentity], *, with_pss: bool) -> tuple[ProcessUse, ...]:
        """Give what each named root uses with all its descendants; roots that are gone are left out."""
        processes = self._fresh()
        alive = {
            name: root
            for name, root in roots.items()
            if root.pid in processes and processes[root.pid].start_ticks == root.start_ticks
        }
        owner = {root.pid: name for name, root in alive.items()}
        members: dict[str, list[_Process]] = {name: [] for name in alive}
        for process in processes.values():
            name = _owner(process, processes, owner)
            if name is not None:
                members[name].append(process)
        return tuple(_use(name, members[name], with_pss=with_pss) for name in alive)

    def _fresh(self) -> dict[int, _Process]:
        with self._lock:
            if time.monotonic() - self._read_at >= _FRESH_S:
                self._processes = {process.pid: process for process in _all()}
                self._read_at = time.monotonic()
            return self._processes


def _owner(process: _Process, processes: Mapping[int, _Process], owner: Mapping[int, str]) -> str | None:
    """Give the root that a process belongs to: the nearest one above it, or the one whose session it is in."""
    if process.session in owner and process.pid not in owner:
        return owner[process.session]
    seen = process
    for _ in range(64):
        if seen.pid in owner:
            return owner[seen.pid]
        above = processes.get(seen.parent)
        if above is None:
            return None
        seen = above
    return None


def _use(name: str, members: Iterable[_Process], *, with_pss: bool) -> ProcessUse:
    listed = list(members)
    return ProcessUse(
        component=name,
        processes=len(listed),
        rss_bytes=sum(process.rss_pages for process in listed) * _PAGE,
        pss_bytes=sum(pss_bytes(process.pid) for process in listed) if with_pss else None,
        cpu_seconds=sum(process.cpu_ticks for process in listed) / _TICKS_PER_S,
    )


def pss_bytes(pid: int) -> int:
    """Give the proportional memory of a process; 0 when it is gone or another user's."""
    with suppress(OSError):
        for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def _all() -> Iterable[_Process]:
    for entry in os.scandir(_PROC):
        if entry.name.isdigit() and (process := _read(int(entry.name))) is not None:
            yield process


def _read(pid: int) -> _Process | None:
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    cpu = sum(int(ticks) for ticks in fields[11:15])  # its own and that of its ended children
    return _Process(pid, int(fields[1]), int(fields[3]), int(fields[19]), cpu, int(fields[21]))
