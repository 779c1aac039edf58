"""Run by an Airflow 2.11 or 3.x Python: does what its asset manager and its scheduler do, one command per line of JSON.

{"do": "register", "uri": …, "dag": …, "run": …} a task of `dag` updated an asset; {"do": "pause", "dag": …, "is_paused": …};
{"do": "schedule"} one look of the scheduler: runs are made and end at once. Answers each with one line ">> [DAGs of the runs made]".
"""

import json
import os
import sys
from types import SimpleNamespace

from airflow import settings
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.utils import db
from airflow.utils.session import create_session

db.upgradedb()
IS_3 = "3." == __import__("airflow").__version__[:2]
from airflow.jobs.job import Job
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.utils.sqlalchemy import prohibit_commit

if IS_3:
    from airflow.assets.manager import asset_manager
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
    from airflow.models.asset import AssetModel
    from airflow.models.dagbundle import DagBundleModel

    with create_session() as session:
        session.merge(DagBundleModel(name="dags-folder"))
    sync_bag_to_db(DagBag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"]), "dags-folder", None)
else:
    from airflow.datasets import Dataset
    from airflow.datasets.manager import dataset_manager
    from airflow.models import DagBag

    DagBag(settings.DAGS_FOLDER, include_examples=False).sync_to_db()

runner = SchedulerJobRunner(job=Job())


def register(session, uri, dag, run):
    made_by = SimpleNamespace(task_id="make", dag_id=dag, run_id=run, map_index=-1)
    if IS_3:
        asset = session.query(AssetModel).filter_by(uri=uri).one()
        asset_manager.register_asset_change(task_instance=made_by, asset=asset.to_serialized(), session=session)
    else:
        dataset_manager.register_dataset_change(task_instance=made_by, dataset=Dataset(uri), extra={}, session=session)


def made():
    with create_session() as session:
        runs = session.query(DagRun).filter(DagRun.state != "success").all()
        found = [run.dag_id for run in runs]
        for run in runs:
            run.state = "success"
    return sorted(found)


print(">> []", flush=True)  # Airflow's own words go to the same place
for line in sys.stdin:
    order = json.loads(line)
    answer = []
    if order["do"] == "schedule":
        with create_session() as session, prohibit_commit(session) as guard:
            runner._create_dagruns_for_dags(guard, session)
        answer = made()
    else:
        with create_session() as session:
            if order["do"] == "register":
                register(session, order["uri"], order["dag"], order["run"])
            else:
                session.get(DagModel, order["dag"]).is_paused = order["is_paused"]
    print(">>", json.dumps(answer), flush=True)
