"""Hourly: close the books once the sales of the same hour are in."""

from airflow import DAG
from airflow.operators.empty import EmptyOperator
from airflow.operators.python import ShortCircuitOperator
from airflow.sensors.external_task import ExternalTaskSensor

from include.cornershop.calendar import shop_opening

with DAG(
    dag_id="finance_close",
    schedule_interval="@hourly",
    start_date=shop_opening(hours=2),
    catchup=True,
    max_active_runs=1,
    default_args={"owner": "finance"},
    tags=["finance"],
) as dag:
    await_sales = ExternalTaskSensor(
        task_id="await_sales",
        external_dag_id="sales_hourly",
        external_task_id="publish",
        poke_interval=2,
        timeout=120,
        mode="reschedule",
    )
    is_month_end = ShortCircuitOperator(
        task_id="is_month_end",
        python_callable=lambda data_interval_start, **_: data_interval_start.day >= 28,
    )
    close_month = EmptyOperator(task_id="close_month")

    await_sales >> is_month_end >> close_month
