"""Opens the adapter for a kind of source."""

from __future__ import annotations

from contextlib import closing

from aerodrome.kernel.clock import Clock, SystemClock
from aerodrome.kernel.errors import Conflict, Invalid
from aerodrome.kernel.secret import Secret
from aerodrome.migration.sources.airflow_archive import unpacking
from aerodrome.migration.sources.airflow_archive.adapter import AirflowArchiveSource, unpacked_code
from aerodrome.migration.sources.airflow_db.adapter import AirflowDatabaseSource
from aerodrome.migration.sources.airflow_rest.adapter import AirflowRestSource
from aerodrome.migration.sources.cloud.contract import CloudLogin, parts_of
from aerodrome.migration.sources.composer import environment as composer
from aerodrome.migration.sources.contract import (
    DEFINITION_KINDS,
    AnySourceConfig,
    ArchiveConfig,
    CloudConfig,
    CodeFolders,
    DefinitionsConfig,
    RestConfig,
    SourceAdapter,
    SourceConfig,
)
from aerodrome.migration.sources.definitions.adapter import DefinitionsSource
from aerodrome.migration.sources.managed.adapter import ManagedSource, managed_code
from aerodrome.migration.sources.managed.contract import ManagedEnvironment
from aerodrome.migration.sources.mwaa import environment as mwaa
from aerodrome.migration.sources.starship.adapter import StarshipSource

KINDS = ("airflow-db", "airflow-archive", "airflow-rest", "starship", "mwaa", "composer", *DEFINITION_KINDS)


def open_source(config: AnySourceConfig, fingerprint_key: bytes, clock: Clock | None = None) -> SourceAdapter:
    """Give the adapter; Invalid `source-kind-unknown`, `database-url-malformed` or `database-kind-unsupported`."""
    clock = clock or SystemClock()
    if isinstance(config, ArchiveConfig):
        return AirflowArchiveSource(config, fingerprint_key, clock)
    if isinstance(config, CloudConfig):
        return ManagedSource(config, _environment(config), fingerprint_key, clock)
    if isinstance(config, DefinitionsConfig):
        return DefinitionsSource(config, fingerprint_key, clock)
    if isinstance(config, RestConfig):
        source = StarshipSource if config.kind == "starship" else AirflowRestSource
        return source(config, fingerprint_key, clock)
    if config.kind == "airflow-db":
        return AirflowDatabaseSource(config, fingerprint_key, clock)
    raise unknown_kind(config.kind)


def code_of(config: AnySourceConfig) -> CodeFolders:
    """Give where the source's code lies; an archive is unpacked for it, a bucket copied."""
    if isinstance(config, ArchiveConfig):
        return unpacked_code(config)
    if isinstance(config, CloudConfig):
        with closing(_environment(config)) as environment:
            return managed_code(config, environment)
    if isinstance(config, DefinitionsConfig):
        raise Conflict(
            "Definitions have no DAG code before they are converted.",
            code="source-has-no-code",
            hint="Apply the plan: its code step converts them.",
        )
    return CodeFolders(config.dags_folder, config.plugins_folder, config.include_folder, config.requirements_file)


def database_of(config: AnySourceConfig) -> Secret | None:
    """Give the URL of the database that holds the source's metadata, an archive's unpacked one included; None elsewhere."""
    if isinstance(config, ArchiveConfig):
        unpacking.unpack(config.archive, config.key, config.unpacked)
        return Secret(f"sqlite:///{config.unpacked / unpacking.DATABASE}")
    return config.database_url if isinstance(config, SourceConfig) else None


def list_environments(kind: str, location: str, login: CloudLogin) -> list[dict[str, str]]:
    """List the managed environments that a login may see: `environment`, `status`, `airflow_version`."""
    if kind == "mwaa":
        return mwaa.environments(login)
    if kind == "composer":
        return composer.environments(location, login)
    raise unknown_kind(kind)


def start_exporter(environment: str, login: CloudLogin, out: str) -> str:
    """Start the exporter's DAG in an MWAA environment, to write to an address in S3; give what its Airflow says."""
    scheme, _, _ = parts_of(out)
    if scheme != "s3":
        raise Invalid(
            f"{out} is no place in S3.",
            code="object-address-malformed",
            hint="Write s3://bucket/key.",
            details={"field": "out"},
        )
    with closing(mwaa.MwaaEnvironment(environment, login)) as opened:
        return opened.start_exporter(out)


def _environment(config: CloudConfig) -> ManagedEnvironment:
    if config.kind == "mwaa":
        return mwaa.MwaaEnvironment(config.environment, config.login)
    return composer.ComposerEnvironment(config.environment, config.login)


def unknown_kind(kind: str) -> Invalid:
    return Invalid(
        f"There is no kind of source {kind}.", code="source-kind-unknown", hint=f"Known: {', '.join(KINDS)}."
    )
