"""Opens the adapter for a kind of source."""

from __future__ import annotations

from aerodrome.kernel.clock import Clock, SystemClock
from aerodrome.kernel.errors import Invalid
from aerodrome.migration.sources.airflow_db.adapter import AirflowDatabaseSource
from aerodrome.migration.sources.contract import SourceAdapter, SourceConfig

KINDS = ("airflow-db",)


def open_source(config: SourceConfig, fingerprint_key: bytes, clock: Clock | None = None) -> SourceAdapter:
    """Give the adapter; Invalid `source-kind-unknown`, `database-url-malformed` or `database-kind-unsupported`."""
    if config.kind == "airflow-db":
        return AirflowDatabaseSource(config, fingerprint_key, clock or SystemClock())
    raise Invalid(
        f"There is no kind of source {config.kind}.", code="source-kind-unknown", hint=f"Known: {', '.join(KINDS)}."
    )
