"""What differs between Airflow 1.10, 2.x and 3.x in the files of this folder."""

import os
from datetime import datetime, timedelta, timezone

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
if "AGED_DAYS" in os.environ:  # so young that a scheduler with catchup makes a handful of runs only
    _BEGIN = datetime.now(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
    _BEGIN -= timedelta(days=int(os.environ["AGED_DAYS"]) + 1)
else:
    _BEGIN = datetime(2021, 1, 1, tzinfo=timezone.utc)
START = pendulum.instance(_BEGIN).in_timezone("UTC")
CONTEXT = {"provide_context": True} if MAJOR == 1 else {}

__all__ = ["CONTEXT", "MAJOR", "SCHEDULE", "START", "PythonOperator"]
