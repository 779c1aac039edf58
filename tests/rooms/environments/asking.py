"""Asks Airflow's own backend class, in its own virtualenv, for what the platform wrote."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aerodrome_airflow
from aerodrome.airflowkit.config import SECRETS_BACKEND
from aerodrome.environments import backends_airflow
from aerodrome.environments.backends import OpenBackend, write_objects
from aerodrome.kernel.secret import Secret
from aerodrome.runtimes.contract import AirflowEnvironment
from aerodrome.runtimes.local.environment import key_path, seal, sealed_path
from aerodrome.runtimes.local.layout import Layout
from aerodrome.secretstores.kinds import open_vendor

PROGRAM = Path(__file__).parent / "programs" / "ask_backend.py"
CONNECTIONS: Mapping[str, Mapping[str, Any]] = {
    "warehouse_db": {
        "conn_type": "postgres",
        "host": "db.example.com",
        "port": 5432,
        "login": "loader",
        "password": "p@ss/wörd:%41 #&?",
        "schema": "sales",
        "extra": '{"sslmode": "require", "nested": {"a": [1, 2]},  "spaced": true}',
        "description": "The warehouse",
    },
    "http_default": {"conn_type": "http", "host": "https://api.example.com/x?y=1"},
}
VARIABLES = {
    "region": Secret("eu-west-1"),
    "json_thing": Secret('{"a": {"b": [1, "ü"]}}'),
    "Spaces_Kept": Secret("  two\nlines "),
}


def written_and_read(
    kind: str,
    settings: Mapping[str, str],
    credentials: Mapping[str, Secret],
    venv: Path,
    environment: Mapping[str, str],
    sealed_in: Path | None = None,
) -> dict[str, Any]:
    """Write all with the platform, then give what Airflow's class reads with the platform's arguments.

    `sealed_in`: the folder of a deployment; then our class asks Airflow's, set up by the sealed file in there.
    """
    backend = OpenBackend("team", kind, settings, open_vendor(kind, settings, credentials))
    outcomes = write_objects(backend, CONNECTIONS, VARIABLES)
    assert {item.state for item in outcomes} == {"written"}
    assert all(item.source == item.target for item in outcomes)
    assert {item.state for item in write_objects(backend, CONNECTIONS, VARIABLES)} == {"same"}
    backend.put("connection", "as_uri", Secret("postgres://u:s%40crt@db.example:5432/s?sslmode=require"))
    kwargs = backends_airflow.arguments(kind, settings, credentials)
    wish: dict[str, Any] = {
        "class_path": backends_airflow.CLASSES[kind].class_path,
        "kwargs": {name: value.reveal() if isinstance(value, Secret) else value for name, value in kwargs.items()},
        "connections": [*CONNECTIONS, "as_uri", "no_such"],
        "variables": [*VARIABLES, "no_such"],
    }
    if sealed_in is not None:
        environment = {**environment, **_sealed(sealed_in, wish["class_path"], kwargs)}
        wish |= {"class_path": SECRETS_BACKEND, "kwargs": {}}
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [str(venv / "bin" / "python"), str(PROGRAM)],
        input=json.dumps(wish),
        env={**kept, "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    answers = [line.removeprefix("ANSWER") for line in done.stdout.splitlines() if line.startswith("ANSWER")]
    assert answers, done.stderr[-3000:]
    answer: dict[str, Any] = json.loads(answers[0])
    return answer


def _sealed(folder: Path, class_path: str, kwargs: Mapping[str, Any]) -> dict[str, str]:
    layout = Layout(folder)
    layout.keys.mkdir(parents=True)
    seal(layout, AirflowEnvironment({}, {}, class_path, kwargs))
    return {
        "AERODROME_ENVIRONMENT": str(sealed_path(layout)),
        "AERODROME_ENVIRONMENT_KEY": str(key_path(layout)),
        "PYTHONPATH": str(Path(aerodrome_airflow.__file__).parents[1]),
    }


def check(answer: Mapping[str, Any]) -> None:
    """Every part is what was written."""
    for conn_id, wanted in CONNECTIONS.items():
        found = answer["connections"][conn_id]
        for name in ("conn_type", "host", "port", "login", "password", "schema"):
            assert (found[name] or None) == wanted.get(name), (conn_id, name)
        assert json.loads(found["extra"] or "{}") == json.loads(wanted.get("extra", "{}"))
    as_uri = answer["connections"]["as_uri"]
    assert (as_uri["conn_type"], as_uri["password"], as_uri["port"]) == ("postgres", "s@crt", 5432)
    assert answer["connections"]["no_such"] is None
    stripped = {name: value.reveal() for name, value in VARIABLES.items()}
    assert answer["variables"] == {**stripped, "no_such": None}
