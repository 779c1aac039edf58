"""Hourly sales by the team's own operator; every hour builds on the hour before it. Feeds the dataset `sales`."""

from datetime import timedelta

from airflow import DAG
from airflow.datasets import Dataset
from airflow.operators.python import PythonOperator
from warehouse_load import WarehouseLoadOperator

from include.cornershop import warehouse
from include.cornershop.calendar import shop_opening

SALES = Dataset("cornershop://warehouse/sales")


def announce(ti, **context):
    loaded = ti.xcom_pull(task_ids="load_sales")
    (warehouse.folder() / "sales.latest").write_text(loaded["period"])


with DAG(
    dag_id="sales_hourly",
    schedule_interval="@hourly",
    start_date=shop_opening(hours=3),
    catchup=True,
    max_active_runs=1,
    default_args={"owner": "sales", "depends_on_past": True, "retries": 1, "retry_delay": timedelta(seconds=5)},
    tags=["sales"],
) as dag:
    load_sales = WarehouseLoadOperator(
        task_id="load_sales",
        subject="sales",
        payload={"hour": "{{ data_interval_start.hour }}", "currency": "{{ var.value.report_currency }}"},
    )
    publish = PythonOperator(task_id="publish", python_callable=announce, outlets=[SALES])

    load_sales >> publish
