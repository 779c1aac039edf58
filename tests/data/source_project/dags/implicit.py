from datetime import datetime

from airflow.decorators import task
from airflow.models.dag import DAG

# Neither a schedule nor catchup: 2.x runs it daily and catches up.
with DAG("implicit_daily", start_date=datetime(2026, 11, 20), tags=["legacy"]) as dag:

    @task
    def hello():
        return "hello"

    hello()
