"""Every 60 seconds: stock levels, TaskFlow style."""

from datetime import timedelta

from airflow.decorators import dag, task
from airflow.hooks.base import BaseHook

from include.cornershop import warehouse
from include.cornershop.calendar import shop_opening


@dag(
    dag_id="stock_levels",
    schedule_interval=timedelta(seconds=60),
    start_date=shop_opening(minutes=2),
    catchup=True,
    max_active_runs=1,
    default_args={"owner": "logistics"},
    tags=["logistics"],
)
def stock_levels():
    @task
    def count_shelves(data_interval_end=None):
        seed = int(data_interval_end.timestamp()) // 60
        return {"apples": seed % 17, "bread": seed % 11, "coffee": seed % 23}

    @task
    def store(levels, data_interval_end=None):
        connection = BaseHook.get_connection("warehouse")
        warehouse.load(connection.host, "stock", data_interval_end.isoformat(), levels)
        return sum(levels.values())

    store(count_shelves())


stock_levels()
