"""The old shop's weekly import. Paused since the move; kept for its history."""

from airflow import DAG
from airflow.operators.bash_operator import BashOperator
from airflow.operators.dummy_operator import DummyOperator

from include.cornershop.calendar import shop_opening

with DAG(
    dag_id="legacy_import",
    schedule_interval="0 6 * * 1",
    start_date=shop_opening(days=60),
    catchup=False,
    is_paused_upon_creation=True,
    default_args={"owner": "sales"},
    tags=["legacy"],
) as dag:
    DummyOperator(task_id="start") >> BashOperator(task_id="import_files", bash_command="echo {{ ds }}")
