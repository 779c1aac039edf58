"""DAGs of every kind of schedule, readable by Airflow 2.11 and 3.3. START is set by the environment."""

import os
from datetime import datetime, timedelta

try:
    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.sdk import DAG
except ImportError:
    from airflow import DAG
    from airflow.operators.empty import EmptyOperator

START = datetime.fromisoformat(os.environ["SCHEDULES_START"])
SCHEDULES = {
    "cron": "*/2 * * * *",
    "delta": timedelta(minutes=2),
    "daily": "@daily",
    "delta_daily": timedelta(days=1),
}
for name, schedule in SCHEDULES.items():
    days = 6 if "daily" in name else 0
    for catchup in (True, False):
        with DAG(
            f"{name}_{'catchup' if catchup else 'latest'}",
            schedule=schedule,
            start_date=START - timedelta(days=days),
            catchup=catchup,
            max_active_runs=50,
        ) as dag:
            EmptyOperator(task_id="a") >> EmptyOperator(task_id="b")
        globals()[dag.dag_id] = dag
with DAG("manual", schedule=None, start_date=START, catchup=False) as manual:
    EmptyOperator(task_id="a")
