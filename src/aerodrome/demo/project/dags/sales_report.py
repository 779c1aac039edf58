"""Whenever hourly sales arrive: a readable report."""

import humanize
from airflow.datasets import Dataset
from airflow.decorators import dag, task
from airflow.hooks.base import BaseHook

from include.cornershop import warehouse
from include.cornershop.calendar import shop_opening


@dag(
    dag_id="sales_report",
    schedule=[Dataset("cornershop://warehouse/sales")],
    start_date=shop_opening(days=1),
    catchup=False,
    max_active_runs=1,
    default_args={"owner": "finance"},
    tags=["sales", "finance"],
)
def sales_report():
    @task(pool="reports")
    def write_report():
        hours = warehouse.count(BaseHook.get_connection("warehouse").host, "shop_sales")
        text = f"Sales of {humanize.apnumber(hours)} hours are in the warehouse."
        (warehouse.folder() / "report.txt").write_text(text + "\n")
        return text

    write_report()


sales_report()
