"""Run inside Airflow 3: read the log of the first try of the task `load` through Airflow's own REST API."""

import sys
from urllib.parse import quote

from airflow.api_fastapi.app import create_app
from fastapi.testclient import TestClient

dag_id, run_id = sys.argv[1:]
with TestClient(create_app()) as client:
    client.headers["Authorization"] = f"Bearer {client.get('/auth/token').json()['access_token']}"
    answer = client.get(f"/api/v2/dags/{dag_id}/dagRuns/{quote(run_id)}/taskInstances/load/logs/1")
print(answer.status_code, answer.text[:2000])
