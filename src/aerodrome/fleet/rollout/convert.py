"""Step `convert`: the metadata database becomes one of the other Airflow, beside the present one and then in its place."""

from __future__ import annotations

from dataclasses import asdict

from aerodrome.fleet import ways
from aerodrome.fleet.hiding import Hiding
from aerodrome.fleet.rollout.visit import Step, Visit, present_spec
from aerodrome.fleet.spec import runtime_spec
from aerodrome.store.tables.deploy import DeployRow


def run(visit: Visit) -> float:
    deployment, deploy = visit.deployment, visit.deploy
    version = deploy.airflow_version or deployment.airflow_version
    with visit.context.store.reading() as session:
        snapshot = ways.require_way(session, deployment, version, deploy.cause)
    folder = ways.folder_of(visit.context, snapshot) if snapshot is not None else None
    wanted = runtime_spec(visit.context, deployment, deploy, visit.say)
    present = present_spec(visit)
    hiding = Hiding(present, wanted)
    with hiding.errors():  # a failed migration quotes Airflow
        done = visit.context.runtime.convert(present, wanted, folder, lambda line: visit.say(hiding.text(line)))
    with visit.context.store.writing() as session:
        row = session.get_one(DeployRow, deploy.id)
        row.conversion = {**asdict(done), "from": deployment.airflow_version, "to": version}
    visit.say(f"The metadata database is one of Airflow {version}; it took {done.seconds:.1f} seconds.")
    return 0


CONVERT = Step("convert", run, touches=True)
