"""Once a day: customers, in two task groups, under a pool and with an SLA."""

from datetime import timedelta

from airflow import DAG
from airflow.operators.bash import BashOperator
from airflow.operators.dummy import DummyOperator
from airflow.utils.task_group import TaskGroup

from include.cornershop.calendar import shop_opening

default_args = {"owner": "crm", "retries": 1, "retry_delay": timedelta(minutes=1), "sla": timedelta(hours=2)}

with DAG(
    dag_id="customers_daily",
    description="Customers from the CRM into the warehouse",
    schedule_interval="15 4 * * *",
    start_date=shop_opening(days=3),
    max_active_runs=1,
    default_args=default_args,
    tags=["crm"],
    doc_md=__doc__,
) as dag:
    start = DummyOperator(task_id="start")
    with TaskGroup("extract") as extract:
        for region in ("north", "south"):
            BashOperator(
                task_id=region,
                bash_command=f"echo {region} {{{{ ds }}}}",
                pool="crm_api",
                priority_weight=5,
            )
    with TaskGroup("publish") as publish:
        DummyOperator(task_id="refresh_views") >> DummyOperator(task_id="notify")

    start >> extract >> publish
