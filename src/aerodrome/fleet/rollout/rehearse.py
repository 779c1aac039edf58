"""Step `rehearse`: a change of the Airflow version was tried on a copy, by a person before or here."""

from __future__ import annotations

from aerodrome.fleet import rehearsing, ways
from aerodrome.fleet.rollout.visit import Step, Visit, present_spec
from aerodrome.kernel.errors import Conflict
from aerodrome.store.tables.deploy import DeployRow
from aerodrome.store.tables.rehearsal import RehearsalRow

_SHOWN = 5


def run(visit: Visit) -> float:
    _rehearse(visit)
    with visit.context.store.reading() as session:
        version = visit.deploy.airflow_version or visit.deployment.airflow_version
        snapshot = ways.require_way(session, visit.deployment, version, visit.deploy.cause)
    if snapshot is not None:  # while Airflow still runs: the stop becomes shorter
        folder = ways.folder_of(visit.context, snapshot)
        visit.context.runtime.prepare_way_back(present_spec(visit), folder, visit.say)
    return 0


def _rehearse(visit: Visit) -> None:
    row = _known(visit)
    if row is not None and rehearsing.vouches(row, visit.deployment, visit.deploy):
        visit.say(f"It was rehearsed already ({row.id}).")
        return
    row = rehearsing.perform(visit.context, _own(visit), visit.say, visit.deploy)
    if row.status == "passed":
        visit.say("The rehearsal passed.")
        return
    problems = list((row.report or {}).get("problems", ())) or [str((row.error or {}).get("message", ""))]
    if row.status == "refused" and visit.deploy.is_forced:
        visit.say("The rehearsal found problems, and the deploy is forced: " + " ".join(problems[:_SHOWN]))
        return
    raise Conflict(
        "The rehearsal on a copy did not pass. " + " ".join(problems[:_SHOWN]),
        code="rehearsal-not-passed",
        hint="The deployment is unchanged. Mend what the report of the rehearsal names, and try again.",
        details={"rehearsal_id": row.id},
    )


def _known(visit: Visit) -> RehearsalRow | None:
    if visit.deploy.rehearsal_id is None:
        return None
    with visit.context.store.reading() as session:
        return session.get(RehearsalRow, visit.deploy.rehearsal_id)


def _own(visit: Visit) -> str:
    """Give the id of a rehearsal of this deploy, made when there is none that is unfinished."""
    with visit.context.store.writing() as session:
        deploy = session.get_one(DeployRow, visit.deploy.id)
        known = session.get(RehearsalRow, deploy.rehearsal_id) if deploy.rehearsal_id else None
        if known is not None and known.finished_at is None:
            return known.id
        version = deploy.airflow_version or visit.deployment.airflow_version
        snapshot = ways.require_way(session, visit.deployment, version, deploy.cause)
        row = rehearsing.new_row(visit.deployment, deploy, snapshot, deploy.actor)
        row.created_at = visit.context.clock.now()
        session.add(row)
        deploy.rehearsal_id = row.id
        return row.id


REHEARSE = Step("rehearse", run)
