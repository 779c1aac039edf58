"""Tests one connection where tasks run: `python -m aerodrome_airflow.probe`, the connection's id as JSON on standard input.

Run by the runtime in the deployment's virtualenv and environment. The answer is the last line of standard output, after a mark:
Airflow and hooks print what they like before it. No secret of the connection is part of it.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

MARK = "AERODROME-PROBE "
_SHORTEST = 3  # shorter values are parts of ordinary words


def probe(conn_id: str) -> dict[str, Any]:
    """Look the connection up as a task would, and let its hook test it."""
    os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "server"  # Airflow >= 3: hooks outside of a task may read all backends
    from airflow.exceptions import AirflowNotFoundException
    from airflow.models.connection import Connection
    from airflow.providers_manager import ProvidersManager

    try:
        connection = Connection.get_connection_from_secrets(conn_id)
    except AirflowNotFoundException:
        return {"outcome": "missing", "message": f"No connection {conn_id!r} is found inside the deployment."}
    if ProvidersManager().hooks.get(connection.conn_type) is None:
        return {"outcome": "no-provider", "conn_type": connection.conn_type, "message": ""}
    is_good, message = connection.test_connection()
    text = str(message)
    for value in values_of(connection):
        text = text.replace(value, "•••")
    return {"outcome": "good" if is_good else "bad", "conn_type": connection.conn_type, "message": text[:2000]}


def values_of(connection: Any) -> list[str]:
    """Give the values that no message may show, longest first."""
    found = [connection.password or "", *_texts(connection.extra_dejson)]
    return sorted({value for value in found if len(value) >= _SHORTEST}, key=len, reverse=True)


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in _texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return [value] if isinstance(value, str) else []


def main() -> None:
    """Answer on standard output; an error of Airflow itself is an answer too."""
    asked = json.loads(sys.stdin.read())
    try:
        answer = probe(asked["conn_id"])
    except Exception as error:  # noqa: BLE001  (whatever Airflow or a provider raises is the result)
        answer = {"outcome": "bad", "message": f"{type(error).__name__} while Airflow looked for the connection."}
    sys.stdout.write(f"\n{MARK}{json.dumps(answer)}\n")


if __name__ == "__main__":
    main()
