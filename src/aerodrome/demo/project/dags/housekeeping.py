"""By hand or by `nightly`: remove old files. Takes parameters."""

from airflow import DAG
from airflow.models.param import Param
from airflow.operators.python import PythonOperator

from include.cornershop import warehouse
from include.cornershop.calendar import shop_opening


def sweep(params, dag_run, **context):
    kept = [path.name for path in sorted(warehouse.folder().glob("*.txt"))]
    return {"older_than_days": params["older_than_days"], "reason": params["reason"], "kept": kept}


with DAG(
    dag_id="housekeeping",
    schedule_interval=None,
    start_date=shop_opening(days=30),
    catchup=False,
    params={
        "older_than_days": Param(30, type="integer", minimum=1),
        "reason": Param("routine", type="string"),
    },
    default_args={"owner": "platform"},
    tags=["platform"],
) as dag:
    PythonOperator(task_id="sweep", python_callable=sweep)
