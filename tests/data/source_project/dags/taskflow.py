import pendulum

from airflow.datasets import Dataset
from airflow.decorators import dag, task
from airflow.operators.trigger_dagrun import TriggerDagRunOperator

orders = Dataset("s3://lake/orders")


@dag(
    schedule="@hourly",
    start_date=pendulum.datetime(2026, 11, 1, tz="Europe/Berlin"),
    catchup=False,
    tags=["orders"],
)
def orders_mapped():
    @task
    def pages():
        return [1, 2, 3]

    @task(outlets=[orders])
    def load(page: int):
        return page * 2

    done = load.expand(page=pages())
    done >> TriggerDagRunOperator(task_id="kick", trigger_dag_id="maintenance")


orders_mapped()


@dag(schedule=[orders], start_date=pendulum.datetime(2026, 11, 1), catchup=False)
def orders_report():
    @task
    def report():
        return "ok"

    report()


orders_report()
