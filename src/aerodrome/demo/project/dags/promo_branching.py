"""Every day: weekday or weekend promotion, joined again by a trigger rule."""

from airflow import DAG
from airflow.operators.bash import BashOperator
from airflow.operators.dummy import DummyOperator
from airflow.operators.python import BranchPythonOperator
from airflow.utils.edgemodifier import Label
from airflow.utils.trigger_rule import TriggerRule

from include.cornershop.calendar import shop_opening


def choose(data_interval_start, **context):
    return "weekend_offer" if data_interval_start.weekday() >= 5 else "weekday_offer"


with DAG(
    dag_id="promo_branching",
    schedule_interval="@daily",
    start_date=shop_opening(days=2),
    catchup=True,
    max_active_runs=1,
    default_args={"owner": "marketing"},
    tags=["marketing"],
) as dag:
    pick = BranchPythonOperator(task_id="pick", python_callable=choose)
    weekday_offer = BashOperator(task_id="weekday_offer", bash_command="echo coffee")
    weekend_offer = BashOperator(task_id="weekend_offer", bash_command="echo cake")
    print_posters = DummyOperator(task_id="print_posters", trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS)

    pick >> Label("Monday to Friday") >> weekday_offer >> print_posters
    pick >> Label("Saturday, Sunday") >> weekend_offer >> print_posters
