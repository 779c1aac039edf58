"""Assets of the conditions that one folder adds and another one awaits: they show who feeds whom, and start nothing.

What waits is a sensor with the order date (waiting.py): an asset event has none. Airflow 3.3 lists for each asset the tasks that produce it
(`outlets`) and consume it (`inlets`), with the time of every event; on 2.11 it is a dataset.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from urllib.parse import quote

from aerodrome.migration.convert import symbols
from aerodrome.migration.convert.contract import Call, Expression, Task
from aerodrome.migration.convert.controlm.definitions.model import Folder, Node
from aerodrome.migration.convert.controlm.waits.conditions import Index, added_by_reactions


def crossing(folders: Sequence[Folder], index: Index) -> frozenset[str]:
    """Name the conditions that a folder awaits and another folder of the exports adds."""
    return frozenset(
        wait.name
        for number, folder in enumerate(folders)
        for node in (folder, *folder.folders(), *folder.jobs())
        for wait in node.waits
        if any(item.folder != number for item in index.of(wait.name, number))
    )


def asset(name: str) -> Expression:
    """Give the asset of a condition. Marks that Airflow takes for parts of an address are escaped."""
    return Call(symbols.ASSET, (f"controlm.condition.{quote(name, safe=' -_.')}",))


def added(node: Node, names: frozenset[str], event: str) -> Iterator[str]:
    """Give those of some conditions that a node adds when it ends *ok* or *notok*."""
    if event == "ok":
        yield from (out.name for out in node.outs if out.sign == "+" and out.name in names)
    yield from (name for name, _, when in added_by_reactions(node) if when == event and name in names)


def with_assets(
    tasks: Iterable[Task], produced: Mapping[str, Iterable[str]], awaited: Mapping[str, Iterable[str]]
) -> list[Task]:
    """Give tasks (by full id) the assets of the conditions that they add and for which they have waited."""
    made = []
    for task in tasks:
        gives = tuple(asset(name) for name in dict.fromkeys(produced.get(task.full_id, ())))
        takes: list[Expression] = [asset(name) for name in dict.fromkeys(awaited.get(task.full_id, ()))]
        arguments = (*task.arguments, ("inlets", takes)) if takes else task.arguments
        made.append(replace(task, outlets=(*task.outlets, *gives), arguments=arguments))
    return made
