"""Opens the adapter for a kind of source."""

from __future__ import annotations

from aerodrome.kernel.clock import Clock, SystemClock
from aerodrome.kernel.errors import Invalid
from aerodrome.kernel.secret import Secret
from aerodrome.migration.sources.airflow_archive import unpacking
from aerodrome.migration.sources.airflow_archive.adapter import AirflowArchiveSource, unpacked_code
from aerodrome.migration.sources.airflow_db.adapter import AirflowDatabaseSource
from aerodrome.migration.sources.airflow_rest.adapter import AirflowRestSource
from aerodrome.migration.sources.contract import AnySourceConfig, ArchiveConfig, CodeFolders, RestConfig, SourceAdapter

KINDS = ("airflow-db", "airflow-archive", "airflow-rest")


def open_source(config: AnySourceConfig, fingerprint_key: bytes, clock: Clock | None = None) -> SourceAdapter:
    """Give the adapter; Invalid `source-kind-unknown`, `database-url-malformed` or `database-kind-unsupported`."""
    if isinstance(config, ArchiveConfig):
        return AirflowArchiveSource(config, fingerprint_key, clock or SystemClock())
    if isinstance(config, RestConfig):
        return AirflowRestSource(config, fingerprint_key, clock or SystemClock())
    if config.kind == "airflow-db":
        return AirflowDatabaseSource(config, fingerprint_key, clock or SystemClock())
    raise unknown_kind(config.kind)


def code_of(config: AnySourceConfig) -> CodeFolders:
    """Give where the source's code lies; an archive is unpacked for it."""
    if isinstance(config, ArchiveConfig):
        return unpacked_code(config)
    return CodeFolders(config.dags_folder, config.plugins_folder, config.include_folder, config.requirements_file)


def database_of(config: AnySourceConfig) -> Secret | None:
    """Give the URL of the database that holds the source's metadata, an archive's unpacked one included; None for REST."""
    if isinstance(config, ArchiveConfig):
        unpacking.unpack(config.archive, config.key, config.unpacked)
        return Secret(f"sqlite:///{config.unpacked / unpacking.DATABASE}")
    return None if isinstance(config, RestConfig) else config.database_url


def unknown_kind(kind: str) -> Invalid:
    return Invalid(
        f"There is no kind of source {kind}.", code="source-kind-unknown", hint=f"Known: {', '.join(KINDS)}."
    )
