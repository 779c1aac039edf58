"""Every 30 seconds: visitors through the door. One tiny task, used to see that the scheduler is alive."""

from datetime import timedelta

from airflow import DAG
from airflow.operators.bash import BashOperator

from include.cornershop.calendar import shop_opening

with DAG(
    "door_counter",
    schedule_interval=timedelta(seconds=30),
    start_date=shop_opening(seconds=60),
    catchup=True,
    max_active_runs=1,
    concurrency=1,
    default_args={"owner": "logistics"},
    tags=["logistics", "heartbeat"],
) as dag:
    BashOperator(
        task_id="count_visitors",
        bash_command='mkdir -p "$WAREHOUSE_DIR" && echo "{{ data_interval_end.isoformat() }}" >> "$WAREHOUSE_DIR/visitors.txt"',
    )
