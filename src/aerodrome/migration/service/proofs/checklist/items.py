"""What all items of the checklist share: their words, their titles, and what they are about."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aerodrome.kernel.clock import to_text
from aerodrome.migration.estate.records import DagRecord
from aerodrome.migration.service.proofs.contract import ProofContext
from aerodrome.store import journal

Params = Mapping[str, Any]
Result = Mapping[str, Any]
Look = Callable[[ProofContext, Params], Result]
MOST_ROWS = 500
TITLES = {
    "chains": "What ties DAGs together is carried, or moves together",
    "objects": "Connections and variables migrated and verified",
    "backend": "Secrets backend configured and tested",
    "network": "Every data source reached from where tasks run",
    "dags": "All DAGs deployed and validated",
    "parity": "Results compared with the source",
    "alerts": "Alerts and notifications configured",
    "access": "Team members have access with the right roles",
    "source": "The old environment stays ready, paused",
    "rollback": "The way back is rehearsed",
}


def item_of(
    context: ProofContext,
    key: str,
    state: str,
    evidence: str,
    *,
    next_: str = "",
    rows: Sequence[Mapping[str, Any]] = (),
) -> Result:
    """Give the result of a step: the item, and a line for the progress."""
    item = {
        "key": key,
        "title": TITLES[key],
        "state": state,
        "evidence": evidence,
        "next": next_,
        "at": to_text(context.migrations.clock.now()),
        "rows": list(rows[:MOST_ROWS]),
        "more": max(0, len(rows) - MOST_ROWS),
    }
    return {"item": item, "summary": f"{state}: {evidence}"}


def row_of(subject: str, state: str, message: str) -> dict[str, str]:
    return {"subject": subject, "state": state, "message": message}


def applied(context: ProofContext) -> dict[str, Mapping[str, Any]]:
    """Give the results of the steps of apply that are done, by key."""
    with context.migrations.store.reading() as session:
        steps = journal.steps(session, context.row.id, "apply")
    return {step.key: step.result or {} for step in steps if step.status == "done"}


def moving_dags(context: ProofContext) -> list[DagRecord]:
    return [context.dags[dag_id] for dag_id in context.migrations.moving(context.row) if dag_id in context.dags]


def target_of(context: ProofContext) -> str | None:
    return context.row.target_deployment_id or applied(context).get("environment.deployment", {}).get("deployment_id")
