"""A 2.x DAG as people wrote them: deprecated imports, an SLA, a pool, a secret that should not be here."""
from datetime import timedelta

from airflow import DAG
from airflow.operators.bash_operator import BashOperator
from airflow.operators.dummy_operator import DummyOperator
from airflow.operators.python_operator import PythonOperator
from airflow.hooks.base_hook import BaseHook
from airflow.models import Variable
from airflow.utils.dates import days_ago

from acme.operators import CountRowsOperator

API_PASSWORD = "canary-in-code-3f1b"  # noqa: S105

default_args = {
    "owner": "sales",
    "retries": 1,
    "retry_delay": timedelta(minutes=1),
    "provide_context": True,
    "sla": timedelta(hours=2),
}


def extract(**context):
    conn = BaseHook.get_connection("warehouse")
    print(conn.host, Variable.get("sales_region", default_var="eu"), context["execution_date"])
    return {"rows": 3}


with DAG(
    "daily_sales",
    default_args=default_args,
    schedule_interval="0 2 * * *",
    start_date=days_ago(14),
    catchup=False,
    max_active_runs=2,
    concurrency=4,
    default_view="graph",
    orientation="LR",
    tags=["sales", "finance"],
    doc_md="Counts sales.",
) as dag:
    start = DummyOperator(task_id="start")
    pull = PythonOperator(task_id="extract", python_callable=extract, provide_context=True, pool="warehouse_pool")
    load = BashOperator(
        task_id="load",
        bash_command="echo {{ execution_date }} {{ next_ds }} {{ conn.warehouse.host }}",
        queue="default",
    )
    count = CountRowsOperator(task_id="count", table="sales", conn_id="warehouse")
    start >> pull >> [load, count]
