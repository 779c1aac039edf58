"""The folders around a job that runs in a DAG of its own: it starts when they have started, and inside of their windows.

A cyclic job follows the start of its folder, which happens once on each date: the DAG of the folder tells it by a stored condition.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from aerodrome.migration.convert.controlm.dates.timetables import Clock
from aerodrome.migration.convert.controlm.dates.zones import zone_named
from aerodrome.migration.convert.controlm.definitions.model import Folder, Job, Node


def around(folder: Folder, job: Job) -> list[Folder]:
    """Give the folders that hold a job, from outside to inside."""
    return [folder, *folder.around(job.path)]


def is_holding(folder: Folder) -> bool:
    """Say whether a folder starts by more than the clock: by conditions, or when somebody confirms it."""
    return bool(folder.waits) or folder.must_confirm


def is_doing(folder: Folder) -> bool:
    """Say whether a folder, or one inside of it, waits for something or does something at its end."""
    nodes = (folder, *folder.folders())
    return any(is_holding(node) or node.outs or node.reactions or node.shouts for node in nodes)


def starts_of(folder: Folder, dag_id: str, jobs: Iterable[Job], taken: Collection[str]) -> dict[tuple[str, ...], str]:
    """Name the conditions that say that the folders around some jobs have started, where more than the clock starts them."""
    found = {}
    for job in jobs:
        for item in around(folder, job):
            if is_holding(item):
                name = ".".join((dag_id, *item.path[1:], "started"))
                while name in taken:
                    name += "_"
                found[item.path] = name
    return found


def has_other_zone(folder: Folder, job: Job, clock: Clock) -> bool:
    """Say whether times of a cyclic job, or of the folders around it, are those of another zone than the site's."""

    def has_times(node: Node) -> bool:
        is_at_times = isinstance(node, Job) and node.cyclic is not None and node.cyclic.kind == "times"
        return node.time_from is not None or node.time_to is not None or is_at_times

    nodes = [node for node in (*around(folder, job), job) if node.timezone and has_times(node)]
    return any(zone_named(node.timezone) not in (None, clock.timezone) for node in nodes)


def within(folder: Folder, job: Job, clock: Clock) -> Job:
    """Give a job with the window that its folders leave it; times of folders with another zone are left out."""
    nodes = [item for item in around(folder, job) if not item.timezone]
    firsts = [time % 1440 for item in (*nodes, job) if (time := item.time_from) is not None]
    lasts = [time % 1440 for item in (*nodes, job) if (time := item.time_to) is not None and not item.has_open_end]
    first = max(firsts, key=clock.place, default=None)
    is_whole = all(clock.place(last) > (clock.place(first) if first is not None else 0) for last in lasts)
    if not is_whole:  # one of them reaches into the next day of Control-M: the job keeps its own end
        return replace(job, time_from=first)
    return replace(job, time_from=first, time_to=min(lasts, key=clock.place, default=job.time_to))
