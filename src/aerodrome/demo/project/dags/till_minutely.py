"""Every minute: what the tills sold. The busiest pipeline of the shop."""

from datetime import timedelta

from airflow import DAG
from airflow.operators.bash import BashOperator
from airflow.operators.python import PythonOperator

from include.cornershop import warehouse
from include.cornershop.calendar import shop_opening

default_args = {"owner": "sales", "retries": 2, "retry_delay": timedelta(seconds=5)}


def summarise(ti, data_interval_start, **context):
    lines = int(ti.xcom_pull(task_ids="export_tills"))
    target = warehouse.folder() / "tills" / f"{data_interval_start:%Y%m%dT%H%M}.txt"
    target.parent.mkdir(exist_ok=True)
    target.write_text(f"{lines} receipts\n")
    return {"receipts": lines, "file": str(target)}


with DAG(
    dag_id="till_minutely",
    description="Receipts of the last minute",
    schedule_interval="* * * * *",
    start_date=shop_opening(minutes=3),
    catchup=True,
    max_active_runs=2,
    default_args=default_args,
    tags=["sales", "critical"],
) as dag:
    export_tills = BashOperator(
        task_id="export_tills",
        bash_command="echo $(( {{ data_interval_start.minute }} * 7 % 40 + 1 ))",
    )
    write_summary = PythonOperator(task_id="write_summary", python_callable=summarise)

    export_tills >> write_summary
