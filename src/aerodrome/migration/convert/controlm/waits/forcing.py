"""Jobs and folders that other jobs order: who orders which, and the conditions for which a job waits that is ordered alone.

A forced job is like any other once it is ordered: it waits for its conditions and adds its own. It runs in a DAG of its own, which no edge
reaches, so both are stored conditions. It does not belong to its SMART folder then, unless the order says so by INTO_TABLE_ORDERID (BMC,
Control-M 9 help, Order Job): what holds the folder does not hold it. Of several jobs of one name the first is ordered (ctmorder, there).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from aerodrome.migration.convert.controlm.definitions.model import Action, Folder, Job, Node
from aerodrome.migration.convert.controlm.waits.conditions import added_by_reactions, event_of, holds, tree_of
from aerodrome.migration.convert.controlm.waits.linking import Link, Links, dated, days_of

Name = tuple[str, str]  # of a folder and of a job of it, "" for all of its jobs


@dataclass(frozen=True)
class Force:
    """One order of a job or a folder. `adds`: conditions of the order date that the same end has added."""

    name: Name
    adds: frozenset[str]


@dataclass(frozen=True)
class Target:
    """What an order starts: a DAG, none where nothing in the exports has that name, or what cannot be ordered (code, sentence)."""

    dag_id: str = ""
    caveat: tuple[str, str] = ("", "")
    refusal: tuple[str, str] | None = None


def named(action: Action, own: str, folders: Collection[str]) -> Name:
    """Give the folder and the job that an order names. A sub-folder may stand behind its folder: `FOLDER/SUB`."""
    values = action.values
    where = values.get("TABLE_NAME") or values.get("FOLDER_NAME") or values.get("FOLDER") or own
    job = values.get("NAME", "").strip()
    first, _, inside = where.partition("/")
    if inside and where not in folders and first in folders:
        return first, f"{inside}/{job}".removesuffix("/")
    return where, job


def is_meant(node: Node, name: str) -> bool:
    """Say whether an order that names a job, or its place below the folder, means this one."""
    return name in (node.name, "/".join(node.path[1:]))


def jobs_meant(folder: Folder, name: str) -> list[Job]:
    """Give the jobs of a folder that an order may mean; the first of them is ordered."""
    return [job for job in folder.jobs() if is_meant(job, name)]


def forces_of(folder: Folder, folders: Collection[str]) -> Iterator[Force]:
    """Give what the jobs of a folder, and its folders, order. `folders`: the names of all."""
    for node in (folder, *folder.folders(), *folder.jobs()):
        for reaction in node.reactions:
            for action in reaction.actions:
                if action.kind == "force":
                    event = event_of(reaction.statement, reaction.code)
                    yield Force(named(action, folder.name, folders), frozenset(_added(node, event)))


def _added(node: Node, event: str | None) -> Iterator[str]:
    if event == "ok":
        yield from (out.name for out in node.outs if out.sign == "+" and days_of(out.odate) == 0)
    yield from (name for name, odate, when in added_by_reactions(node) if when == event and days_of(odate) == 0)


def met_by(forces: Iterable[Force], folder: str, job: Job) -> frozenset[str]:
    """Give the conditions that have been added whoever orders a job."""
    found = [force.adds for force in forces if force.name[0] == folder and is_meant(job, force.name[1])]
    return frozenset.intersection(*found)


def link_alone(links: Links, number: int, job: Job, met: frozenset[str], *, is_daily: bool, has_dates: bool) -> None:
    """Let a job that is ordered alone wait for stored conditions, unless whoever orders it has added them."""
    is_added = {(wait.name, wait.odate): wait.name in met and days_of(wait.odate) == 0 for wait in job.waits}
    if holds(tree_of(job.waits), is_added):
        return
    for wait in job.waits:
        days = dated(wait.odate, is_daily=is_daily, has_dates=has_dates, is_only_forced=not has_dates)
        link = Link("stored", None, 0 if isinstance(days, str) else days, days == "before", name=wait.name)
        if days == "unknown":
            link = Link("never", why="condition-date", name=wait.name)
        else:
            links.stored[wait.name].add(link.days)
        links.alone.setdefault((number, job.path), {})[wait.name, wait.odate] = (link,)
