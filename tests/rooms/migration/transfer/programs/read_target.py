"""Run inside Airflow 3: read imported history through Airflow's own REST API, then clear one run."""

import json
import sys
from urllib.parse import quote

from airflow import __version__
from airflow.api_fastapi.app import create_app
from fastapi.testclient import TestClient

dag_id, run_id = sys.argv[1:]
at = f"/dags/{dag_id}/dagRuns/{quote(run_id)}"
answers = {}
with TestClient(create_app()) as client:
    client.headers["Authorization"] = f"Bearer {client.get('/auth/token').json()['access_token']}"
    paths = {
        "runs": f"/api/v2/dags/{dag_id}/dagRuns?limit=100",
        "run": f"/api/v2{at}",
        "tasks": f"/api/v2{at}/taskInstances",
        "all_tasks": "/api/v2/dags/~/dagRuns/~/taskInstances?limit=1000",
        "tries": f"/api/v2{at}/taskInstances/extract/tries",
        "xcoms": f"/api/v2{at}/taskInstances/load/xcomEntries",
        "xcom": f"/api/v2{at}/taskInstances/load/xcomEntries/return_value",
        "log": f"/api/v2{at}/taskInstances/load/logs/2",
        "grid_runs": f"/ui/grid/runs/{dag_id}",
        "grid_tasks": f"/ui/grid/ti_summaries/{dag_id}?run_ids={quote(run_id)}",
        "grid_structure": f"/ui/grid/structure/{dag_id}",
        "versions": f"/api/v2/dags/{dag_id}/dagVersions?order_by=version_number",
        "old_structure": f"/ui/structure/structure_data?dag_id={dag_id}&version_number=1",
        "old_code": f"/api/v2/dagSources/{dag_id}?version_number=1",
        "new_code": f"/api/v2/dagSources/{dag_id}",
        "dag": f"/api/v2/dags/{dag_id}/details",
    }
    if __version__.startswith("3.0."):
        for name in ("grid_runs", "grid_tasks", "grid_structure"):
            paths.pop(name)
        paths["grid"] = f"/ui/grid/{dag_id}"
    for name, path in paths.items():
        answer = client.get(path)
        is_json = "json" in answer.headers["content-type"] and "ndjson" not in answer.headers["content-type"]
        answers[name] = [answer.status_code, answer.json() if is_json else answer.text[:2000]]
    body = {"dry_run": False, "dag_run_id": run_id, "only_failed": False}
    answers["clear"] = [client.post(f"/api/v2/dags/{dag_id}/clearTaskInstances", json=body).status_code, None]
    answers["cleared"] = [200, client.get(f"/api/v2{at}").json()]
print(json.dumps(answers))
