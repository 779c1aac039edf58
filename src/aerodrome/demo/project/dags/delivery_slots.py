"""Every twenty minutes: wait in the triggerer until the slot's window is over, then book it."""

from datetime import timedelta

from airflow import DAG
from airflow.decorators import task
from airflow.sensors.time_delta import TimeDeltaSensorAsync

from include.cornershop.calendar import shop_opening

with DAG(
    dag_id="delivery_slots",
    schedule_interval=timedelta(minutes=20),
    start_date=shop_opening(minutes=20),
    catchup=True,
    max_active_runs=1,
    default_args={"owner": "logistics"},
    tags=["logistics"],
) as dag:
    window_over = TimeDeltaSensorAsync(task_id="window_over", delta=timedelta(seconds=10))

    @task
    def book_slot(data_interval_end=None):
        return data_interval_end.isoformat()

    window_over >> book_slot()
