"""A daily DAG that parses and runs under Airflow 1.10, 2.x and 3.x: an XCom, a task that fails once, catchup."""

from datetime import timedelta

from aged import CONTEXT, SCHEDULE, START, PythonOperator
from airflow import DAG


def extract():
    return {"rows": 3, "share": 0.5, "names": ["ä", "b"]}


def load(**context):
    if context["ti"].try_number == 1:
        raise RuntimeError("the warehouse was away")
    return "loaded"


with DAG(
    "daily_orders",
    start_date=START,
    catchup=True,
    max_active_runs=1,
    default_args={"owner": "sales"},
    tags=["aged"],
    **{SCHEDULE: "0 2 * * *"},
) as dag:
    first = PythonOperator(task_id="extract", python_callable=extract)
    second = PythonOperator(
        task_id="load", python_callable=load, retries=1, retry_delay=timedelta(seconds=0), **CONTEXT
    )
    first >> second
