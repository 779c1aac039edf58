"""Run inside a real Airflow: makes the backend class as the platform says and asks it. Reads JSON from stdin, writes JSON."""

import importlib
import json
import sys

wish = json.load(sys.stdin)
module, _, name = wish["class_path"].rpartition(".")
backend = getattr(importlib.import_module(module), name)(**wish["kwargs"])
answer: dict[str, dict[str, object]] = {"connections": {}, "variables": {}}
for conn_id in wish["connections"]:
    found = backend.get_connection(conn_id)
    if found is None:
        answer["connections"][conn_id] = None
        continue
    fields = ("conn_type", "host", "port", "login", "password", "schema", "extra")
    answer["connections"][conn_id] = {field: getattr(found, field) for field in fields}
for key in wish["variables"]:
    answer["variables"][key] = backend.get_variable(key)
print("ANSWER" + json.dumps(answer))
