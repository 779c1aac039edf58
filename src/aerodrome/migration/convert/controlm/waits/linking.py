"""How each in-condition is met in Airflow: by an edge, by a sensor on a run of another DAG, or by a stored condition.

A stored condition is an Airflow variable: it says exactly what Control-M's condition table says, survives runs, and people can add it
by hand. It is used only where edges and sensors cannot say the same: no date, an earlier date of a job that has no run of its own, a
cycle, a cyclic job, nobody in the exports who adds it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from aerodrome.migration.convert.controlm.definitions.model import Folder, Job, Node, Wait
from aerodrome.migration.convert.controlm.waits.conditions import ANY_DATE, Index, Producer

Place = tuple[str, tuple[str, ...]]  # ("job" | "start" | "end", path)


@dataclass(frozen=True)
class Link:
    """One way to meet a condition. `producer` is who adds it; None for a stored condition."""

    kind: Literal["edge", "sensor", "stored", "never"]
    producer: Producer | None = None
    days: int | None = 0  # stored, sensor: counted from the order date; None: without a date
    is_previous: bool = False  # the order date before this one
    why: str = ""  # stored: code of the caveat
    name: str = ""


@dataclass
class Links:
    """The ways of every in-condition: (folder, path of the waiting node, name, date) -> alternatives."""

    ways: dict[tuple[int, tuple[str, ...], str, str], tuple[Link, ...]] = field(default_factory=dict)
    alone: dict[tuple[int, tuple[str, ...]], dict[tuple[str, str], tuple[Link, ...]]] = field(
        default_factory=dict
    )  # of jobs that others order alone, in their own DAGs: (folder, path) -> (name, date) -> alternatives
    stored: dict[str, set[int | None]] = field(
        default_factory=lambda: defaultdict(set)
    )  # names that are kept, and for which dates

    def of(self, folder: int, node: Node, wait: Wait) -> tuple[Link, ...]:
        return self.ways[folder, node.path, wait.name, wait.odate]

    def awaited_alone(self, folder: int, job: Job) -> list[str]:
        """Name the conditions for which a job waits where others order it alone."""
        return list(dict.fromkeys(name for name, _ in self.alone.get((folder, job.path), {})))


@dataclass(frozen=True)
class Setting:
    """Of one job: where it runs, as linking needs to know it."""

    dag_id: str
    is_scheduled: bool
    is_apart: bool  # a cyclic job: it has a DAG of its own
    is_daily: bool = False  # ordered on every date: the previous and the next one are the day before and after
    has_dates: bool = False  # its order dates are known
    dates: frozenset[date] = frozenset()
    is_only_forced: bool = False  # it has no criteria: whoever wants it forces it
    is_alone: bool = False  # others order it alone: it also runs in a DAG of its own
    is_at_any_time: bool = False  # others order its folder: its run may have any time


def link(folders: Sequence[Folder], index: Index, settings: Mapping[tuple[int, tuple[str, ...]], Setting]) -> Links:
    """Decide for every in-condition of every folder."""
    links = Links()
    for number, folder in enumerate(folders):
        graph = _Graph(folder)
        for node, wait in _in_order(number, folder, index):
            ways = tuple(_ways(number, node, wait, index, settings, graph))
            links.ways[number, node.path, wait.name, wait.odate] = ways
            for way in ways:
                if way.kind == "stored":
                    links.stored[wait.name].add(way.days)
    return links


def _in_order(number: int, folder: Folder, index: Index) -> list[tuple[Node, Wait]]:
    """Give what the nodes of a folder wait for: last what somebody adds who stands behind, so that a circle breaks before its first job."""
    nodes = (folder, *folder.folders(), *folder.jobs())
    places = {node.path: place for place, node in enumerate(nodes)}

    def is_backwards(item: tuple[Node, Wait]) -> bool:
        node, wait = item
        here = places[node.path]
        return any(places.get(one.path, -1) >= here for one in index.of(wait.name, number) if one.folder == number)

    return sorted(((node, wait) for node in nodes for wait in node.waits), key=is_backwards)


def _ways(
    number: int,
    node: Node,
    wait: Wait,
    index: Index,
    settings: Mapping[tuple[int, tuple[str, ...]], Setting],
    graph: _Graph,
) -> Iterable[Link]:
    own = settings.get((number, node.path)) or settings[number, ()]
    days: int | str | None = days_of(wait.odate)
    producers = index.of(wait.name, number)
    if days == "next" or (days == "previous" and (not producers or own.is_only_forced)):
        days = dated(wait.odate, is_daily=own.is_daily, has_dates=own.has_dates, is_only_forced=own.is_only_forced)
    if days == "unknown":
        yield Link("never", why="condition-date", name=wait.name)
        return
    if days is None:
        inside = [
            item
            for item in producers
            if item.folder == number and item.odate in ("STAT", *ANY_DATE) and (item.is_job or item.event == "ok")
        ]
        is_all_inside = bool(inside) and len(inside) == len(producers) and not own.is_apart
        makers = [settings.get((item.folder, item.path)) or settings[item.folder, ()] for item in inside]
        # without a date it is there on later dates, too: an edge says the same only where who adds it is ordered with who waits
        is_all_inside = is_all_inside and all(own.dates <= maker.dates for maker in makers)
        if is_all_inside and all(_is_edge(item, node, settings, graph) for item in inside):
            yield from (Link("edge", item, name=wait.name) for item in inside)
            return
        yield Link(
            "stored", days=None, why="condition-undated" if producers else "condition-unknown-producer", name=wait.name
        )
        return
    if not producers:
        is_before = days == "before"
        given = days if isinstance(days, int) else 0
        yield Link("stored", None, given, is_before, why="condition-unknown-producer", name=wait.name)
        return
    keeps = False
    for item in producers:
        if not item.is_job and item.event == "notok":
            yield Link("never", why="condition-folder-notok", name=wait.name)
            continue
        source = settings.get((item.folder, item.path)) or settings[item.folder, ()]
        added = days_of(item.odate)
        is_same_date = added == 0
        if (
            days == 0
            and is_same_date
            and item.folder == number
            and not own.is_apart
            and _is_edge(item, node, settings, graph)
        ):
            yield Link("edge", item, name=wait.name)
        elif (
            is_same_date
            and item.is_job
            and item.event == "ok"
            and source.is_scheduled
            and own.is_scheduled
            and not (source.is_apart or source.is_alone or source.is_at_any_time)
            and (own.is_apart or _other_run(item, number, days))
        ):
            yield Link("sensor", item, days if isinstance(days, int) else 0, days == "previous", name=wait.name)
        else:
            keeps = True
    if not keeps:
        return
    if days == "previous":
        days = dated(wait.odate, is_daily=own.is_daily, has_dates=own.has_dates, is_only_forced=own.is_only_forced)
    if days == "unknown":
        yield Link("never", why="condition-previous", name=wait.name)
        return
    is_before, given = days == "before", days if isinstance(days, int) else 0
    yield Link("stored", None, given, is_before, why="condition-stored", name=wait.name)


def _other_run(item: Producer, number: int, days: int | str | None) -> bool:
    return item.folder != number or days != 0


def _is_edge(
    item: Producer, node: Node, settings: Mapping[tuple[int, tuple[str, ...]], Setting], graph: _Graph
) -> bool:
    source = settings.get((item.folder, item.path))
    if source is not None and (source.is_apart or (source.is_alone and not graph.is_adjusting)):
        return False
    before: Place = ("job" if item.is_job else "end", item.path)
    after: Place = ("job" if isinstance(node, Job) else "start", node.path)
    return graph.add(before, after)


def days_of(odate: str) -> int | Literal["previous", "next", "unknown"] | None:
    """Give what a date word means: days from the order date, None without a date, or that it cannot be said."""
    word = odate.strip().upper()
    if word in ("", "ODAT", "ODATE"):
        return 0
    if word in ("STAT", *ANY_DATE):
        return None
    if word in ("PREV", "-PREV"):
        return "previous"
    if word in ("NEXT", "+NEXT"):
        return "next"
    if found := re.fullmatch(r"([+-])0*(\d+)", word):
        return int(found[1] + found[2])
    return "unknown"


def dated(
    odate: str, *, is_daily: bool, has_dates: bool, is_only_forced: bool = False
) -> int | Literal["before", "unknown"] | None:
    """Give the days of a date word for a condition that is kept with its date; *before*: the order date before this one.

    NEXT can be said where every date has an order, PREV where the dates are known. For a forced job they are the day before and after.
    """
    days = days_of(odate)
    if days in ("previous", "next") and (is_daily or is_only_forced):
        return -1 if days == "previous" else 1
    if days == "previous" and has_dates:
        return "before"
    return "unknown" if isinstance(days, str) else days


class _Graph:
    """The edges of one folder so far; an edge that would close a circle is refused."""

    def __init__(self, folder: Folder) -> None:
        self.is_adjusting = folder.is_adjusting
        self._after: dict[Place, set[Place]] = defaultdict(set)
        self._contain(folder)

    def _contain(self, folder: Folder) -> None:
        for member in folder.members:
            if isinstance(member, Folder):
                self._after["start", folder.path].add(("start", member.path))
                self._after["end", member.path].add(("end", folder.path))
                self._after["start", member.path].add(("end", member.path))
                self._contain(member)
            else:
                self._after["start", folder.path].add(("job", member.path))
                self._after["job", member.path].add(("end", folder.path))

    def add(self, before: Place, after: Place) -> bool:
        """Add an edge; False when it would close a circle."""
        if after in self._after[before]:
            return True
        seen, waiting = {after}, [after]
        while waiting:
            here = waiting.pop()
            if here == before:
                return False
            for following in self._after.get(here, ()):
                if following not in seen:
                    seen.add(following)
                    waiting.append(following)
        self._after[before].add(after)
        return True
