"""Hourly: checks of the hour's data. The hour before the opening has none, and so its run failed and stayed failed."""

from airflow import DAG
from airflow.exceptions import AirflowFailException, AirflowSkipException
from airflow.operators.bash import BashOperator
from airflow.operators.python import PythonOperator

from include.cornershop.calendar import shop_opening


def check_rows(data_interval_start, **context):
    if data_interval_start < shop_opening(hours=2):
        raise AirflowFailException("No rows for this hour")
    if data_interval_start.hour == 3:
        raise AirflowSkipException("The tills are closed at three in the morning")


with DAG(
    dag_id="data_quality",
    schedule_interval="5 * * * *",
    start_date=shop_opening(hours=3),
    catchup=True,
    max_active_runs=1,
    default_args={"owner": "platform"},
    tags=["platform", "quality"],
) as dag:
    rows = PythonOperator(task_id="check_rows", python_callable=check_rows)
    sign_off = BashOperator(task_id="sign_off", bash_command="echo {{ run_id }}")

    rows >> sign_off
