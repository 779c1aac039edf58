"""The probes of an estate of definitions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from aerodrome.migration.convert.contract import Conversion, Dag
from aerodrome.migration.convert.registry import FORMATS
from aerodrome.migration.sources.contract import Probe
from aerodrome.migration.sources.definitions.nominal import is_known, is_scheduled
from aerodrome.migration.sources.definitions.oozie_jobs import OozieJobs

NAMED = 5


def definitions(kind: str, found: Conversion) -> Probe:
    """Tell what was read."""
    return Probe("definitions", True, f"{FORMATS[kind].title}: {found.definitions} read, {len(found.dags)} DAGs.")


def left_open(found: Conversion) -> Iterator[Probe]:
    """Tell what hinders a part of the DAGs only."""
    if found.rejected:
        names = ", ".join(item.file for item in found.rejected[:NAMED])
        yield Probe(
            "rejected files",
            False,
            f"{len(found.rejected)} files could not be converted: {names}.",
            "Mend them, or leave them out; the assessment names the reason of each.",
            is_required=False,
        )
    unknown = [dag.dag_id for dag in found.dags if is_scheduled(dag) and not is_known(dag)]
    if unknown:
        yield Probe(
            "calendars",
            False,
            f"The times of {len(unknown)} DAGs cannot be worked out: {', '.join(unknown[:NAMED])}.",
            "They cannot be cut over at a boundary.",
            is_required=False,
        )


def coordinators(dags: Mapping[str, Dag], jobs: OozieJobs) -> Probe:
    """Tell which coordinators run in Oozie; Conflict where one cannot be told from another."""
    found = jobs.found()
    scheduled = [dag_id for dag_id, dag in dags.items() if is_scheduled(dag)]
    missing = [dag_id for dag_id in scheduled if dag_id not in found]
    said = f"{len(found)} of {len(scheduled)} coordinators run there."
    if missing:
        said += f" Not found: {', '.join(missing[:NAMED])}; people hold those."
    return Probe("coordinators", True, said)


def not_told(*, is_held_by_people: bool) -> Iterator[Probe]:
    """Tell what definitions do not have; nothing of it is needed to begin."""
    yield Probe(
        "history",
        False,
        "Definitions have no run history: none moves. The last time that ran is the boundary.",
        is_required=False,
    )
    yield Probe(
        "secrets",
        False,
        "Definitions hold no passwords: connections are made without, and have to be completed.",
        is_required=False,
    )
    if is_held_by_people:
        yield Probe(
            "hold",
            False,
            "People hold the jobs, and say so with the time that ran last: `aerodrome migrate hold`.",
            is_required=False,
        )
