"""Secrets backend of a deployment: serves connections and variables of the environment manager from a sealed file.

Loaded by Airflow >= 2.7 in every process that looks one up (`[secrets] backend`): schedulers, DAG processors, API servers,
triggerers and tasks. The runtime replaces the file atomically; a changed file is read again at the next look-up, so nothing
restarts, and nothing here needs a network or the platform. A secrets backend of the team is wrapped and asked first.

The file is a Fernet token of `{"connections": {id: JSON text}, "variables": {key: value}, "backend": {"class", "kwargs"}}`.
Nothing here writes a value, or an error that could hold one, to a log.
"""

from __future__ import annotations

import importlib
import inspect
import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from airflow.secrets import BaseSecretsBackend
from cryptography.fernet import Fernet

FILE = "AERODROME_ENVIRONMENT"  # path of the sealed file
KEY = "AERODROME_ENVIRONMENT_KEY"  # path of the key's file
INNER = "AERODROME_INNER_BACKEND"  # class and kwargs of a backend that the deployment's own configuration names
INNER_KWARGS = "AERODROME_INNER_BACKEND_KWARGS"
_DENIED = "AirflowSecretsBackendAccessDenied"  # Airflow >= 3.2: means no, not "ask somebody else"
_NOTHING: dict[str, Any] = {"connections": {}, "variables": {}, "backend": None}

log = logging.getLogger(__name__)


class SealedFileBackend(BaseSecretsBackend):  # type: ignore[misc]  # its base is known in Airflow only
    """Asks the team's own backend, then the sealed file. What neither knows, Airflow looks for elsewhere."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__()
        self._given = (
            kwargs  # Airflow >= 3.3 hands over AIRFLOW__SECRETS__BACKEND_KWARG__<NAME> one by one: for the inner one
        )
        self._seen: tuple[tuple[int, int, int] | None, dict[str, Any]] = (None, _NOTHING)
        self._inner: tuple[str, Any] = ("", None)
        self._told: set[str] = set()

    def get_connection(self, conn_id: str, team_name: str | None = None) -> Any:
        inner = self._inner_backend()
        if inner is not None:
            if hasattr(inner, "_set_connection_class"):  # Airflow >= 3.2: the class depends on the process
                inner._set_connection_class(self._get_connection_class())  # noqa: SLF001
            found = self._ask(inner.get_connection, team_name, conn_id=conn_id)
            if found is not None:
                return found
        value = self._content()["connections"].get(conn_id)
        return None if value is None else self.deserialize_connection(conn_id=conn_id, value=value)

    def get_conn_value(self, conn_id: str, team_name: str | None = None) -> str | None:
        inner = self._inner_backend()
        if inner is not None and (found := self._ask(inner.get_conn_value, team_name, conn_id=conn_id)) is not None:
            return str(found)
        value: str | None = self._content()["connections"].get(conn_id)
        return value

    def get_variable(self, key: str, team_name: str | None = None) -> str | None:
        inner = self._inner_backend()
        if inner is not None and (found := self._ask(inner.get_variable, team_name, key=key)) is not None:
            return str(found)
        value: str | None = self._content()["variables"].get(key)
        return value

    def get_config(self, key: str) -> str | None:
        inner = self._inner_backend()
        found = None if inner is None else self._ask(inner.get_config, None, key=key)
        return None if found is None else str(found)

    def _ask(self, method: Callable[..., Any], team_name: str | None, **kwargs: Any) -> Any:
        """Ask the team's backend; None when it does not know, or cannot be asked."""
        try:
            if team_name is not None and "team_name" in inspect.signature(method).parameters:
                kwargs["team_name"] = team_name
            return method(**kwargs)
        except Exception as error:
            if type(error).__name__ == _DENIED:
                raise
            self._tell(
                f"{type(error).__name__} of {getattr(method, '__qualname__', 'the backend')}",
                "The secrets backend of this deployment cannot be asked (%s); looking on in the environment manager.",
            )
            return None

    def _inner_backend(self) -> Any:
        told = self._content().get("backend")
        if told is None:
            kwargs = {**_json_object(os.environ.get(INNER_KWARGS, "")), **self._given}
            told = {"class": os.environ.get(INNER, ""), "kwargs": kwargs}
        if not told["class"]:
            return None
        name = json.dumps(told, sort_keys=True, default=str)
        if self._inner[0] != name:
            try:
                module, _, attribute = told["class"].rpartition(".")
                self._inner = (name, getattr(importlib.import_module(module), attribute)(**told["kwargs"]))
            except Exception as error:  # noqa: BLE001  (whatever a foreign class raises; its text may hold a secret)
                self._inner = (name, None)
                self._tell(
                    f"{told['class']}: {type(error).__name__}",
                    "The secrets backend of this deployment cannot be made (%s); only the environment manager answers.",
                )
        return self._inner[1]

    def _content(self) -> dict[str, Any]:
        path = Path(os.environ.get(FILE, ""))
        try:
            stat = path.stat()
            stamp = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
            if self._seen[0] != stamp:
                key = Path(os.environ.get(KEY, "")).read_text().strip()
                content = json.loads(Fernet(key.encode()).decrypt(path.read_bytes()))
                self._seen = (stamp, {**_NOTHING, **content})
                self._told.clear()
        except Exception as error:  # noqa: BLE001  (a broken file must not stop a task that needs nothing of it)
            self._tell(
                type(error).__name__,
                "The environment of this deployment cannot be read (%s): "
                "connections and variables of the environment manager are missing until it is written again.",
            )
        return self._seen[1]

    def _tell(self, what: str, sentence: str) -> None:
        """Say it once, until the file is read again."""
        if what not in self._told:
            self._told.add(what)
            log.warning(sentence, what)


def _json_object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text or "{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
