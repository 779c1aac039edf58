from datetime import timedelta

import pendulum

from airflow import DAG, settings
from airflow.models import DagRun
from airflow.operators.python import PythonOperator
from airflow.sensors.external_task import ExternalTaskSensor
from airflow.utils.session import create_session


def clean():
    with create_session() as session:
        session.query(DagRun).count()
    settings.Session().close()


with DAG(
    dag_id="maintenance",
    start_date=pendulum.datetime(2026, 11, 1, tz="UTC"),
    schedule=timedelta(hours=6),
    catchup=False,
) as dag:
    wait = ExternalTaskSensor(task_id="wait", external_dag_id="daily_sales", external_task_id="count")
    work = PythonOperator(task_id="clean", python_callable=clean, pool="missing_pool")
    wait >> work
