"""What people are told: why a DAG cannot be held yet, and what they do in the source after a way back."""

from __future__ import annotations

from collections.abc import Container, Sequence
from datetime import datetime

from aerodrome.kernel.clock import to_text
from aerodrome.kernel.errors import Conflict, Invalid, NotFound
from aerodrome.migration.convert.contract import Dag
from aerodrome.migration.sources.contract import DEFINITION_NAMES
from aerodrome.migration.sources.definitions.boundaries import Boundary
from aerodrome.migration.sources.definitions.oozie_server import Standing


def told(dag: Dag, known: Boundary, standing: Standing | None, coming: datetime | None) -> str:
    """Tell what people do after a way back, so that every time runs exactly once."""
    if known.let_go is None:
        return ""
    start = f"first time {to_text(coming)}, nothing before it" if coming else "no time of its own"
    if known.carried_until is None:
        return "" if standing is not None else f"Resume {dag.dag_id} in the source yourself now: {start}."
    ran = f"The target ran it up to {to_text(known.last_moment)}"
    if standing is not None:
        return (
            f"{ran}, so {standing.job.job_id} stays suspended in Oozie: kill it and submit the coordinator with start={to_text(coming)}. "
            "Resumed, it would run those times a second time."
        )
    return f"{ran}. Start it in the source so that this is its {start}; then every time runs exactly once."


def unknown(dag_id: str) -> NotFound:
    return NotFound(
        f"No definition gives the DAG {dag_id}.", code="source-dag-missing", hint="Assess the source again."
    )


def held_elsewhere(dag_id: str) -> Conflict:
    return Conflict(
        f"{dag_id} is held by another migration.",
        code="source-paused-by-others",
        hint="Finish that one, or roll it back.",
    )


def not_confirmed(dag_id: str, kind: str) -> Conflict:
    return Conflict(
        f"Nobody has confirmed that {dag_id} is held in {DEFINITION_NAMES[kind]}.",
        code="hold-not-confirmed",
        hint=f"Hold it there, then: aerodrome migrate hold NAME --dag {dag_id} --last-done TIME",
        details={"dag_id": dag_id},
    )


def no_boundary(dag_id: str) -> Conflict:
    return Conflict(
        f"It is not known which time of {dag_id} ran last in the source.",
        code="boundary-unknown",
        hint=f"aerodrome migrate hold NAME --dag {dag_id} --last-done TIME, or --never-ran",
        details={"dag_id": dag_id},
    )


def all_there(noun: str, wanted: Sequence[str], found: Container[str]) -> None:
    missing = [name for name in wanted if name not in found]
    if missing:
        raise Invalid(
            f"No definition gives the {noun}{'' if len(missing) == 1 else 's'} {', '.join(missing)}.",
            code="source-object-missing",
            hint="Leave it out of the plan, or assess again.",
        )
