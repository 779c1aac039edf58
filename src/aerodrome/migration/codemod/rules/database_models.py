"""Airflow's models in DAG code, and what takes the place of asking the metadata database for them. Shared by the rules about it."""

from __future__ import annotations

import ast

from aerodrome.migration.codemod.source import Source

_ASK = "Ask the REST API (package apache-airflow-client): GET /api/v2/"
_REST = f"Or a{_ASK[1:]}"
WAYS = {
    "DagRun": f"Count runs by ti.get_dr_count(dag_id=…, states=[…]), read a state by ti.get_dagrun_state(dag_id=…, run_id=…). {_REST}dags/{{dag_id}}/dagRuns.",
    "TaskInstance": f"Use ti.get_task_states(dag_id=…, task_ids=[…], run_ids=[…]) or ti.get_ti_count(…). {_REST}dags/{{dag_id}}/dagRuns/{{run_id}}/taskInstances.",
    "Variable": "Use Variable.get, Variable.set and Variable.delete of airflow.sdk.",
    "Connection": "Read by BaseHook.get_connection(conn_id); write through the REST API: POST /api/v2/connections.",
    "XCom": f"Use ti.xcom_pull(task_ids=…) and ti.xcom_push. {_REST}dags/{{dag_id}}/dagRuns/{{run_id}}/taskInstances/{{task_id}}/xcomEntries.",
    "DagModel": f"{_ASK}dags/{{dag_id}}; pause by PATCH of the same.",
    "Pool": f"{_ASK}pools.",
}


def model_of(source: Source, node: ast.expr) -> str:
    """Give the name of Airflow's model that an expression is, "" for anything else."""
    names = {
        name.rpartition(".")[2]
        for name in source.meanings(node)
        if name.startswith(("airflow.models.", "airflow.sdk."))
    }
    return names.pop() if len(names) == 1 else ""
