"""Every ten minutes: wait for the supplier's file in the landing zone, then take it in."""

from airflow import DAG
from airflow.operators.bash import BashOperator
from airflow.sensors.filesystem import FileSensor
from airflow.sensors.python import PythonSensor

from include.cornershop import warehouse
from include.cornershop.calendar import shop_opening


def is_complete(data_interval_start, **context):
    return (warehouse.folder() / "landing" / f"supplier_{data_interval_start:%Y%m%dT%H%M}.csv").stat().st_size > 0


with DAG(
    dag_id="supplier_files",
    schedule_interval="*/10 * * * *",
    start_date=shop_opening(minutes=20),
    catchup=True,
    max_active_runs=1,
    default_args={"owner": "purchasing"},
    tags=["purchasing"],
) as dag:
    name = "supplier_{{ data_interval_start.strftime('%Y%m%dT%H%M') }}.csv"
    deliver = BashOperator(
        task_id="deliver",
        bash_command=f'mkdir -p "$WAREHOUSE_DIR/landing" && echo "apples;12" > "$WAREHOUSE_DIR/landing/{name}"',
    )
    await_file = FileSensor(
        task_id="await_file",
        fs_conn_id="landing_zone",
        filepath=name,
        poke_interval=2,
        timeout=60,
        mode="reschedule",
    )
    check_file = PythonSensor(task_id="check_file", python_callable=is_complete, poke_interval=1, timeout=30)

    deliver >> await_file >> check_file
