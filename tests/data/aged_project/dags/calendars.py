"""Three DAGs without a plain UTC cron: a period, a wall clock, and none."""

from datetime import timedelta

from aged import SCHEDULE, START, PythonOperator
from airflow import DAG


def work():
    return 7


for dag_id, schedule, start_date in (
    ("six_hourly", timedelta(hours=6), START),
    ("berlin_nightly", "30 1 * * *", START.in_timezone("Europe/Berlin")),
    ("by_hand", None, START),
):
    with DAG(dag_id, start_date=start_date, catchup=False, **{SCHEDULE: schedule}) as dag:
        PythonOperator(task_id="work", python_callable=work)
    globals()[dag_id] = dag
