"""Tells which connections and variables a source keeps in its secrets backend, as far as its own code names them.

Airflow asks the backend of [secrets] backend first (airflow/configuration.py, get_custom_secret_backend; since 1.10.10), and
no source hands us what is in it. What DAGs name, and neither database nor environment has, is looked up there: that much of
it stands in the estate, without a value.
"""

from __future__ import annotations

from collections.abc import Iterator

from aerodrome.kernel.redaction import SENSITIVE_KEY
from aerodrome.migration.estate.records import ConfigRecord, ConnectionRecord, DagRecord, Record, VariableRecord

OPTION = "secrets.backend"
ORIGIN = "secrets-backend"


class BackendNames:
    """Looks at the records of an estate as they pass."""

    def __init__(self) -> None:
        self._has_backend = False
        self._connections: set[str] = set()
        self._variables: set[str] = set()
        self._known: set[tuple[str, str]] = set()

    def see(self, record: Record) -> None:
        """Keep what is needed of a record: names."""
        if isinstance(record, DagRecord):
            self._connections.update(record.connections)
            self._variables.update(record.variables)
        elif isinstance(record, ConnectionRecord | VariableRecord):
            self._known.add((record.kind, record.key.upper()))
        elif isinstance(record, ConfigRecord) and record.option == OPTION:
            self._has_backend = bool(record.value or record.is_secret)

    def records(self) -> Iterator[ConnectionRecord | VariableRecord]:
        """Give what is looked up in the backend, once all other records have passed; nothing without a backend."""
        if not self._has_backend:
            return
        for name in self._unknown("connection", self._connections):
            yield ConnectionRecord(name, None, None, None, None, None, None, (), False, False, None, ORIGIN)
        for name in self._unknown("variable", self._variables):
            yield VariableRecord(name, None, 0, False, bool(SENSITIVE_KEY.search(name)), None, ORIGIN)

    def _unknown(self, kind: str, names: set[str]) -> list[str]:
        return sorted(name for name in names if (kind, name.upper()) not in self._known)
