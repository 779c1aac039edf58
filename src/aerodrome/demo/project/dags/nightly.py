"""Every night: start the housekeeping, unless nobody sold anything."""

from airflow import DAG
from airflow.operators.latest_only import LatestOnlyOperator
from airflow.operators.trigger_dagrun import TriggerDagRunOperator

from include.cornershop.calendar import shop_opening

with DAG(
    dag_id="nightly",
    schedule_interval="30 2 * * *",
    start_date=shop_opening(days=2),
    catchup=True,
    max_active_runs=1,
    default_args={"owner": "platform"},
    tags=["platform"],
) as dag:
    only_now = LatestOnlyOperator(task_id="only_now")
    start_housekeeping = TriggerDagRunOperator(
        task_id="start_housekeeping",
        trigger_dag_id="housekeeping",
        conf={"older_than_days": 14, "reason": "night of {{ ds }}"},
    )

    only_now >> start_housekeeping
