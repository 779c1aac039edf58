"""Runs inside an Airflow: reads the DAGs of a project, writes each one out and reads it again, prints tasks and edges as JSON."""

from __future__ import annotations

import json
import sys
from typing import Any

import airflow

project = sys.argv[1]
sys.path.append(f"{project}/plugins")
bag: Any
if airflow.__version__.startswith("2."):
    from airflow.models import DagBag
    from airflow.serialization.serialized_objects import SerializedDAG as Form

    bag = DagBag(f"{project}/dags", include_examples=False, read_dags_from_db=False)
else:
    from airflow.dag_processing.dagbag import DagBag
    from airflow.serialization.serialized_objects import DagSerialization as Form

    bag = DagBag(f"{project}/dags")
kept = {dag_id: Form.from_dict(Form.to_dict(dag)) for dag_id, dag in bag.dags.items()}
seen = {dag_id: {task.task_id: sorted(task.downstream_task_ids) for task in dag.tasks} for dag_id, dag in kept.items()}
print(json.dumps({"errors": bag.import_errors, "dags": seen}))
