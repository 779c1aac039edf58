"""Run inside Airflow 2.11: read imported history through Airflow's own REST API and models, then clear one run."""

import json
import sys
from urllib.parse import quote

from airflow.models import DagRun, TaskInstance, XCom
from airflow.models.dagbag import DagBag
from airflow.models.renderedtifields import RenderedTaskInstanceFields
from airflow.utils.session import create_session
from airflow.www.app import create_app
from sqlalchemy import select

dag_id, run_id = sys.argv[1:]
at = f"/api/v1/dags/{dag_id}/dagRuns/{quote(run_id)}"
answers = {}
client = create_app().test_client()
for name, path in {
    "runs": f"/api/v1/dags/{dag_id}/dagRuns?limit=100",
    "run": at,
    "tasks": f"{at}/taskInstances",
    "tries": f"{at}/taskInstances/extract/tries",
    "xcom": f"{at}/taskInstances/load/xcomEntries/return_value",
    "log": f"{at}/taskInstances/load/logs/2",
    "grid": f"/object/grid_data?dag_id={dag_id}&num_runs=25",
}.items():
    answer = client.get(path)
    answers[name] = [answer.status_code, answer.json if answer.is_json else answer.text[:2000]]
with create_session() as session:
    run = session.scalar(select(DagRun).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id))
    task = session.scalar(select(TaskInstance).where(TaskInstance.run_id == run_id, TaskInstance.task_id == "load"))
    found = session.scalar(select(XCom).where(XCom.run_id == run_id, XCom.task_id == "load"))
    answers["models"] = [
        200,
        {
            "conf": run.conf,
            "interval": [run.data_interval_start.isoformat(), run.data_interval_end.isoformat()],
            "executor_config": task.executor_config,
            "xcom": found.value,
            "rendered": session.scalar(
                select(RenderedTaskInstanceFields.rendered_fields).where(RenderedTaskInstanceFields.run_id == run_id)
            ),
        },
    ]
with create_session() as session:
    dag = DagBag(read_dags_from_db=True).get_dag(dag_id)
    run = session.scalar(select(DagRun).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id))
    dag.clear(start_date=run.execution_date, end_date=run.execution_date, session=session)
answers["cleared"] = [200, client.get(at).json]
print(json.dumps(answers))
