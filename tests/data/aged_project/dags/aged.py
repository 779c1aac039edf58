"""What differs between Airflow 1.10, 2.x and 3.x in the files of this folder."""

from datetime import datetime, timezone

import airflow
import pendulum

MAJOR = int(airflow.__version__.split(".")[0])
if MAJOR >= 3:
    from airflow.providers.standard.operators.python import PythonOperator
elif MAJOR == 2:
    from airflow.operators.python import PythonOperator
else:
    from airflow.operators.python_operator import PythonOperator

SCHEDULE = "schedule" if MAJOR >= 3 else "schedule_interval"
START = pendulum.instance(datetime(2021, 1, 1, tzinfo=timezone.utc)).in_timezone("UTC")
CONTEXT = {"provide_context": True} if MAJOR == 1 else {}

__all__ = ["CONTEXT", "MAJOR", "SCHEDULE", "START", "PythonOperator"]
