"""Every quarter of an hour: prices per region; the regions come from a variable, so the tasks are mapped."""

from airflow.decorators import dag, task
from airflow.models import Variable

from include.cornershop.calendar import shop_opening


@dag(
    dag_id="prices_mapped",
    schedule_interval="*/15 * * * *",
    start_date=shop_opening(minutes=30),
    catchup=True,
    max_active_runs=1,
    default_args={"owner": "pricing"},
    tags=["pricing"],
)
def prices_mapped():
    @task
    def regions():
        return Variable.get("pricing_regions", deserialize_json=True)

    @task(max_active_tis_per_dag=2)
    def price(region, factor):
        return {"region": region["name"], "price": round(region["base"] * factor, 2)}

    @task
    def publish(prices):
        return {row["region"]: row["price"] for row in prices}

    publish(price.partial(factor=1.07).expand(region=regions()))


prices_mapped()
