"""Every half hour: figures of every shape, handed over as XComs of every JSON type."""

from datetime import timedelta

from airflow.decorators import dag, task, task_group
from airflow.models.baseoperator import chain

from include.cornershop.calendar import shop_opening


@dag(
    dag_id="shop_metrics",
    schedule_interval=timedelta(minutes=30),
    start_date=shop_opening(minutes=60),
    catchup=True,
    max_active_runs=1,
    default_args={"owner": "platform"},
    tags=["platform"],
)
def shop_metrics():
    @task
    def measure(ti=None):
        ti.xcom_push(key="visitors", value=1204)
        ti.xcom_push(key="conversion", value=0.173)
        ti.xcom_push(key="is_open", value=True)
        ti.xcom_push(key="closed_because", value=None)
        ti.xcom_push(key="queues", value=[3, 1, 0])
        ti.xcom_push(key="tills", value={"left": {"open": True, "sum": 81.5}, "right": {"open": False, "sum": 0}})
        return "Öffnungszeiten 8–20 Uhr"

    @task_group
    def check():
        @task
        def compare(ti=None):
            return [ti.xcom_pull(task_ids="measure", key=key) for key in ("visitors", "is_open", "queues")]

        return compare()

    chain(measure(), check())


shop_metrics()
