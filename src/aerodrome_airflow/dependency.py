"""Answers, inside a task of Airflow 3, whether one dependency of other tasks can be reached: a host, or a connection by its hook.

Called by the DAG that a cutover checklist puts into the target for that time (aerodrome.migration.service.proofs.task_checks). The
answer is the task's XCom; the task itself never fails. No secret of a connection is part of it.
"""

from __future__ import annotations

from typing import Any

from aerodrome_airflow import probe, reach

TIMEOUT_S = 5.0


def answer(question: dict[str, Any]) -> dict[str, Any]:
    """Answer {"host", "port"} as `reach` does, or {"conn_id"} as `probe` does."""
    if "conn_id" in question:
        return connection(question["conn_id"])
    return reach.reach(question["host"], question.get("port"), TIMEOUT_S)


def connection(conn_id: str) -> dict[str, Any]:
    """Look a connection up as every task does, and let its hook test it."""
    from airflow.exceptions import AirflowNotFoundException
    from airflow.providers_manager import ProvidersManager
    from airflow.sdk import Connection

    found = None
    try:
        found = Connection.get(conn_id)
        if ProvidersManager().hooks.get(found.conn_type) is None:
            return {"outcome": "no-provider", "message": ""}
        hook = found.get_hook()
        if not hasattr(hook, "test_connection"):
            return {"outcome": "no-test", "message": f"{type(hook).__name__} has no test_connection."}
        is_good, said = hook.test_connection()
    except AirflowNotFoundException:
        return {"outcome": "missing", "message": f"No connection {conn_id!r} is found by a task."}
    except Exception as error:  # noqa: BLE001  (whatever Airflow or a provider raises is the result)
        is_good, said = False, f"{type(error).__name__}: {error}"
    text = str(said)
    for value in probe.values_of(found) if found is not None else ():
        text = text.replace(value, "•••")
    return {"outcome": "good" if is_good else "bad", "message": text[:2000]}
