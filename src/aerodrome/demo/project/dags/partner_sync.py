"""Every half hour: a partner whose interface stumbles on the first try of every period, so that retries matter."""

from datetime import timedelta

from airflow.decorators import dag, task
from airflow.hooks.base import BaseHook
from airflow.models import Variable
from airflow.operators.python import get_current_context

from include.cornershop.calendar import shop_opening


@dag(
    dag_id="partner_sync",
    schedule_interval="*/30 * * * *",
    start_date=shop_opening(hours=1),
    catchup=True,
    max_active_runs=1,
    default_args={"owner": "partners", "retries": 3, "retry_delay": timedelta(seconds=1)},
    tags=["partners"],
)
def partner_sync():
    @task
    def fetch():
        partner = BaseHook.get_connection("partner_api")
        if not partner.password or "token" not in partner.extra_dejson or not Variable.get("partner_api_key"):
            raise ValueError("The partner's credentials are missing")
        if get_current_context()["ti"].try_number == 1:
            raise ConnectionError("The partner hung up")
        return {"host": partner.host, "orders": 3}

    @task
    def book(order_batch):
        ledger = BaseHook.get_connection("ledger")
        return {"booked": order_batch["orders"], "ledger": ledger.schema}

    book(fetch())


partner_sync()
