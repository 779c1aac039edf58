"""Jobs and folders that other jobs order: who orders which, and the conditions for which a job waits that is ordered alone.

A forced job is like any other once it is ordered: it waits for its conditions and adds its own. It runs in a DAG of its own, which no edge
reaches, so both are stored conditions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from aerodrome.migration.convert.controlm.definitions.model import Folder, Job, Node
from aerodrome.migration.convert.controlm.waits.conditions import added_by_reactions, event_of, holds, tree_of
from aerodrome.migration.convert.controlm.waits.linking import Link, Links, dated, days_of

Name = tuple[str, str]  # of a folder and of a job of it, "" for all of its jobs


@dataclass(frozen=True)
class Force:
    """One order of a job or a folder. `adds`: conditions of the order date that the same end has added."""

    name: Name
    adds: frozenset[str]


def forces_of(folder: Folder) -> Iterator[Force]:
    """Give what the jobs of a folder, and its folders, order."""
    for node in (folder, *folder.folders(), *folder.jobs()):
        for reaction in node.reactions:
            for action in reaction.actions:
                if action.kind == "force":
                    where = (
                        action.values.get("TABLE_NAME")
                        or action.values.get("FOLDER_NAME")
                        or action.values.get("FOLDER")
                        or folder.name
                    )
                    event = event_of(reaction.statement, reaction.code)
                    yield Force((where, action.values.get("NAME", "").strip()), frozenset(_added(node, event)))


def _added(node: Node, event: str | None) -> Iterator[str]:
    if event == "ok":
        yield from (out.name for out in node.outs if out.sign == "+" and days_of(out.odate) == 0)
    yield from (name for name, odate, when in added_by_reactions(node) if when == event and days_of(odate) == 0)


def met_by(forces: Iterable[Force]) -> Mapping[Name, frozenset[str]]:
    """Give the conditions that have been added whoever orders a job."""
    found: dict[Name, list[frozenset[str]]] = defaultdict(list)
    for force in forces:
        found[force.name].append(force.adds)
    return {name: frozenset.intersection(*items) for name, items in found.items()}


def link_alone(
    links: Links, number: int, job: Job, node: Node, met: frozenset[str], *, is_daily: bool, has_dates: bool
) -> None:
    """Let a job that is ordered alone, or a folder around it, wait for stored conditions, unless whoever orders it has added them."""
    is_added = {(wait.name, wait.odate): wait.name in met and days_of(wait.odate) == 0 for wait in node.waits}
    if holds(tree_of(node.waits), is_added):
        return
    for wait in node.waits:
        days = dated(wait.odate, is_daily=is_daily, has_dates=has_dates, is_only_forced=not has_dates)
        link = Link("stored", None, 0 if isinstance(days, str) else days, days == "before", name=wait.name)
        if days == "unknown":
            link = Link("never", why="condition-date", name=wait.name)
        else:
            links.stored[wait.name].add(link.days)
        links.alone.setdefault((number, job.path, node.path), {})[wait.name, wait.odate] = (link,)
