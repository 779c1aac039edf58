"""Run inside Airflow 2.11: give one task instance XComs of every kind, by Airflow's own code."""

import sys
from datetime import UTC, datetime

from airflow.models import XCom
from airflow.utils.session import create_session

run_id = sys.argv[1]
VALUES = {
    "text": "Grüße (1)", "number": [12345678901234567890], "share": 0.1, "nothing": None, "flags": [True, False, {"deep": ["x"]}],
    "rows": {"a": 1, "b": None}, "pair": (1, 2), "when": datetime(2026, 1, 2, tzinfo=UTC), "names": {"x"},
}  # fmt: skip
with create_session() as session:
    for key, value in VALUES.items():
        XCom.set(key, value, task_id="load", dag_id="daily_sales", run_id=run_id, session=session)
