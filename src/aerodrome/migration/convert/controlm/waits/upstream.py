"""The boolean tree of in-conditions as upstream tasks and a trigger rule, with gates where one rule cannot say it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from aerodrome.migration.convert.contract import Rule
from aerodrome.migration.convert.controlm.definitions.model import Wait
from aerodrome.migration.convert.controlm.waits.conditions import All, Any, Tree


@dataclass(frozen=True)
class Upstream:
    """The tasks before a task and the rule by which it starts."""

    ids: tuple[str, ...] = ()
    rule: Rule = "all_success"


Leaf = Callable[[Wait], tuple[str, ...]]  # the tasks any of which meets a condition
Gate = Callable[[tuple[str, ...], Rule], str]  # makes a control task, gives its id


def upstream_of(tree: Tree | None, leaf: Leaf, gate: Gate, also: tuple[str, ...] = ()) -> Upstream:
    """Give the upstream of a task; `also` must succeed in every case."""
    if tree is None:
        return Upstream(also)
    found = _walk(tree, leaf, gate)
    if not also:
        return found
    ids = found.ids if found.rule == "all_success" or len(found.ids) == 1 else (gate(found.ids, found.rule),)
    return Upstream(tuple(dict.fromkeys((*also, *ids))))


def _walk(tree: Tree, leaf: Leaf, gate: Gate) -> Upstream:
    match tree:
        case Wait():
            ids = tuple(dict.fromkeys(leaf(tree)))
            return Upstream(ids, "all_success" if len(ids) == 1 else "one_success")
        case All():
            parts = [_walk(part, leaf, gate) for part in tree.parts]
            every = [
                part.ids if part.rule == "all_success" or len(part.ids) == 1 else (gate(part.ids, part.rule),)
                for part in parts
            ]
            return Upstream(tuple(dict.fromkeys(item for part in every for item in part)))
        case Any():
            parts = [_walk(part, leaf, gate) for part in tree.parts]
            every = [
                part.ids if part.rule == "one_success" or len(part.ids) == 1 else (gate(part.ids, part.rule),)
                for part in parts
            ]
            flat = tuple(dict.fromkeys(item for part in every for item in part))
            return Upstream(flat, "one_success" if len(flat) > 1 else "all_success")
