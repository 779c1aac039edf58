"""Compiled plans, kept while pages and steps ask for them again: compiling one of 4,000 DAGs takes seconds.

A plan belongs to its text and its frozen estate, and neither changes; so what is kept is never stale. Only the newest few stay.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock

from aerodrome.kernel.digest import digest_of
from aerodrome.migration.assess.waves import owners_of
from aerodrome.migration.estate.archive import Estate
from aerodrome.migration.plan import FrozenPlan, compile_plan, from_yaml, split_notes
from aerodrome.migration.plan.windows import Quiet, quiet_of

KEPT = 3


@dataclass(frozen=True)
class WaveFacts:
    """What the estate tells about the DAGs of a wave."""

    owners: tuple[str, ...]  # in the source, who has most of them first
    quiet: Quiet | None  # None: the estate has none of its DAGs


@dataclass(frozen=True)
class KnownPlan:
    """A plan with what is derived from it and its estate."""

    frozen: FrozenPlan
    notes: tuple[str, ...]
    waves: Mapping[str, WaveFacts]


class Plans:
    """Thread-safe. One plan is compiled at a time, so that a page which asks again waits instead of compiling it twice."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: OrderedDict[tuple[str, str], KnownPlan] = OrderedDict()

    def of(self, estate: Estate, text: str) -> KnownPlan:
        """Give the compiled plan. Invalid names line and field; Conflict `plan-stale` for another estate."""
        key = (estate.digest, digest_of(text))
        with self._lock:
            known = self._kept.get(key)
            if known is None:
                known = self._kept[key] = _compiled(estate, text)
            self._kept.move_to_end(key)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
            return known


def _compiled(estate: Estate, text: str) -> KnownPlan:
    frozen = compile_plan(from_yaml(text, estate), estate)
    dags = {dag.dag_id: dag for dag in estate.records("dag")}
    waves = {}
    for wave in frozen.settings["waves"]:
        members = [dags[dag_id] for dag_id in wave["dags"] if dag_id in dags]
        waves[wave["name"]] = WaveFacts(owners_of(members), quiet_of(members) if members else None)
    return KnownPlan(frozen, split_notes(frozen.settings, estate), waves)
