"""The source adapter over the Starship plugin: objects in clear and history by its routes, the rest by REST where that answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import cached_property

from aerodrome.kernel.clock import Clock
from aerodrome.migration.estate.history import AssetEvent, HistoryBatch, HistoryKind, HistoryWindow, PendingAsset
from aerodrome.migration.estate.records import PoolRecord, Record
from aerodrome.migration.sources.airflow_db import probes, surroundings
from aerodrome.migration.sources.airflow_db.objects import Failure, connection_record
from aerodrome.migration.sources.airflow_rest.activity import Activity
from aerodrome.migration.sources.airflow_rest.adapter import AirflowRestSource, all_there
from aerodrome.migration.sources.airflow_rest.states import name_of_mark
from aerodrome.migration.sources.contract import (
    AssetHistory,
    ConfigRows,
    ConnectionValue,
    DagState,
    Probe,
    Progress,
    RestConfig,
    SourceDescription,
    VariableValue,
)
from aerodrome.migration.sources.lanes import RunKey
from aerodrome.migration.sources.starship import objects, states
from aerodrome.migration.sources.starship.client import StarshipReader
from aerodrome.migration.sources.starship.dags import UNREAD, StarshipDags
from aerodrome.migration.sources.starship.history import StarshipHistory
from aerodrome.migration.sources.starship.logs import StarshipLogs
from aerodrome.migration.sources.starship.measures import measures
from aerodrome.migration.sources.task_logs.reading import TaskLogs


class StarshipSource(AirflowRestSource):
    """Implements SourceAdapter. Nothing connects before the first call."""

    def __init__(
        self, config: RestConfig, fingerprint_key: bytes, clock: Clock, reader: StarshipReader | None = None
    ) -> None:
        self._wire = reader or StarshipReader(config.base_url, config.user, config.password, config.token)
        super().__init__(config, fingerprint_key, clock, self._wire)
        self._runs = StarshipHistory(self._wire, lambda: self._no_xcoms)
        self._dags = StarshipDags(self._wire, self._runs, config.dags_folder, clock.now())

    def describe(self) -> SourceDescription:
        """Probe the source; a failed check is a Probe."""
        found = [probes.attempt("Starship", self._starship_there)]
        version = ""
        if found[0].is_ok:
            version = self._wire.info["airflow_version"]
            found += [probes.attempt(f"reading {what}", lambda what=what: self._route_read(what)) for what in _LISTS]  # type: ignore[misc]
            found += self._not_told()
        found.extend(probes.folders(self._files))
        return SourceDescription(self._config.kind, version, "", "", tuple(found))

    def _starship_there(self) -> Probe:
        info = self._wire.info
        said = f"{self._wire.url} is an Airflow {info['airflow_version']} with Starship {info['starship_version']}."
        return Probe("Starship", True, said)

    def _route_read(self, what: str) -> Probe:
        return Probe(f"reading {what}", True, f"{len(self._wire.starship(what)):,} {what} can be read.")

    def _not_told(self) -> Iterator[Probe]:
        """Tell what does not come over this wire; nothing of it is needed to begin."""
        if self._wire.has_rest:
            yield Probe("REST API", True, "The stable REST API answers, too: details of DAGs come from it.")
        else:
            yield Probe(
                "REST API",
                False,
                f"The stable REST API does not answer this user; of DAGs nobody tells: {', '.join(UNREAD)}.",
                "Let [api] auth_backends hold airflow.api.auth.backend.session (Airflow 2), or connect the database.",
                is_required=False,
            )
            yield Probe(
                "beside the history",
                False,
                "The executor_config and the rendered fields of task instances, events of datasets and what is pending of them "
                "do not come over Starship.",
                "Connect the database or an archive (`aerodrome export`) where DAGs have any; the REST API gives them, too.",
                is_required=False,
            )
        for name, message, hint in _LEFT:
            yield Probe(name, False, message, hint, is_required=False)
        yield probes.attempt("XComs", self._xcoms_read, is_required=False)
        yield probes.attempt("task logs", self._logs_read, is_required=False)

    def _xcoms_read(self) -> Probe:
        if reason := self._no_xcoms:
            hint = "" if self._wire.is_v2 else "Or connect the metadata database or an archive for them."
            return Probe("XComs", False, f"XComs stay behind: {reason}.", hint, is_required=False)
        said = "XComs can be read, with a call for each task instance" + (
            " that has some." if self._wire.has_rest else "."
        )
        hint = "The plan that is proposed leaves them out (history.leave_out): the source's web server notes an error at each."
        return Probe("XComs", True, said, hint, is_required=False)

    def _logs_read(self) -> Probe:
        if reason := self._wire.no_logs:
            hint = "Mount their folder here, or let the platform read their bucket."
            return Probe("task logs", False, f"Task logs do not come over Starship: {reason}.", hint, is_required=False)
        return Probe("task logs", True, "Task logs can be read, with a call for each try.", is_required=False)

    @cached_property
    def _no_xcoms(self) -> str:
        """Tell why XComs are not asked for.

        The plugin serializes each value anew by the source's XCom backend, and a custom one then writes to its store. So it must be
        known that there is none.
        """
        if reason := self._wire.no_xcoms:
            return reason
        backend = next((each.value for each in self._config_records() if each.option == "core.xcom_backend"), None)
        if backend in _OWN_BACKENDS or (backend is None and self._config.config_file is not None):
            return ""
        if backend is not None:
            return (
                f"the source has an XCom backend of its own ({backend}), to whose store Starship would write when asked"
            )
        return (
            "a custom XCom backend would write to its store when Starship is asked, and nobody says that there is none "
            "(give the airflow.cfg, or AIRFLOW__CORE__XCOM_BACKEND in the environment file)"
        )

    def task_logs(self) -> TaskLogs | None:
        """Give the logs by the plugin's route, where it works."""
        return None if self._wire.no_logs else StarshipLogs(self._wire)

    def records(self, progress: Progress) -> Iterator[Record]:
        """Stream the estate, kind by kind."""
        if self._wire.has_rest:
            yield from super().records(progress)
            return
        kinds: tuple[tuple[str, Iterable[Record]], ...] = (
            ("dag", self._dags.records()),
            ("connection", self._connection_records()),
            ("variable", self._variable_records()),
            ("pool", objects.pools(self._wire)),
            *self._surrounding_records(),
            *self._measures(),
        )
        yield from self._told(kinds, progress)

    def _measures(self) -> tuple[tuple[str, Iterable[Record]], ...]:
        return (("measure", measures(self._wire, has_xcoms=not self._no_xcoms, has_logs=not self._wire.no_logs)),)

    def _connection_records(self) -> Iterator[Record]:
        in_env = {value.conn_id.upper(): value for value in surroundings.env_connections(self._env)}
        for value in in_env.values():
            yield connection_record(value, "environment", self._key)
        for value in objects.connections(self._wire):
            if value.conn_id.upper() not in in_env:  # the environment wins in Airflow
                yield connection_record(value, "metadata-db", self._key)

    def _variable_rows(self) -> Iterator[VariableValue | Failure]:
        return objects.variables(self._wire)

    def connection_values(self, conn_ids: Sequence[str]) -> Iterator[ConnectionValue]:
        """Read connections with their secrets, in the order asked; Invalid names those that are not there."""
        found = {value.conn_id: value for value in objects.connections(self._wire)}
        found |= {value.conn_id: value for value in surroundings.env_connections(self._env)}
        all_there("connection", conn_ids, found)
        yield from (found[conn_id] for conn_id in conn_ids)

    def pool_values(self, names: Sequence[str]) -> Iterator[PoolRecord]:
        found = {pool.name: pool for pool in objects.pools(self._wire)}
        all_there("pool", names, found)
        yield from (found[name] for name in names)

    def history(self, kind: HistoryKind, window: HistoryWindow) -> Iterator[HistoryBatch]:
        """Stream it by Starship's routes; rendered fields, which none of them gives, over REST."""
        if kind == "rendered" and self._wire.has_rest:
            return super().history(kind, window)
        return self._runs.stream(kind, window)

    def history_watermark(self, dag_ids: Sequence[str]) -> datetime | None:
        del dag_ids
        return self._runs.watermark()

    def history_counts(self, window: HistoryWindow) -> dict[HistoryKind, int]:
        return self._runs.counts(window)

    def has_executor_configs(self, kind: HistoryKind) -> bool:
        return self._wire.has_rest and super().has_executor_configs(kind)

    def executor_configs(self, kind: HistoryKind, window: HistoryWindow) -> Iterator[ConfigRows]:
        """Stream them over REST: Starship gives none (starship_compatability.py, 2.10.1)."""
        return super().executor_configs(kind, window) if self._wire.has_rest else iter(())

    def asset_events(self, dag_ids: Sequence[str]) -> Iterator[list[AssetEvent]]:
        return super().asset_events(dag_ids) if self._wire.has_rest else iter(())

    def asset_runs(self, dag_ids: Sequence[str]) -> Iterator[list[tuple[RunKey, AssetEvent]]]:
        return super().asset_runs(dag_ids) if self._wire.has_rest else iter(())

    def asset_history(self, dag_ids: Sequence[str]) -> Iterator[AssetHistory]:
        return super().asset_history(dag_ids) if self._wire.has_rest else iter(())

    def asset_queue(self, dag_ids: Sequence[str]) -> list[PendingAsset]:
        return super().asset_queue(dag_ids) if self._wire.has_rest else []

    def dag_states(self, dag_ids: Sequence[str]) -> dict[str, DagState]:
        if self._wire.has_rest:
            return super().dag_states(dag_ids)
        left = states.marks(self._wire)
        named = {dag_id: left[name] for dag_id in dag_ids if (name := name_of_mark(dag_id)) in left}
        return self._dags.states(dag_ids, named)

    def activity(self, since: datetime) -> Activity:
        """Tell what went on since a moment. Without the REST API the event log cannot be read."""
        if self._wire.has_rest:
            return super().activity(since)
        dags = list(self._wire.starship("dags"))
        runs = sum(self._runs.began(dag["dag_id"], since) for dag in dags)
        return Activity(runs, None, unpaused=tuple(sorted(dag["dag_id"] for dag in dags if not dag["is_paused"])))

    def pause_dag(self, dag_id: str, mark: str) -> None:
        if self._wire.has_rest:
            super().pause_dag(dag_id, mark)
        else:
            states.pause(self._wire, dag_id, mark)

    def unpause_dag(self, dag_id: str, mark: str) -> None:
        if self._wire.has_rest:
            super().unpause_dag(dag_id, mark)
        else:
            states.unpause(self._wire, dag_id, mark)


_OWN_BACKENDS = ("airflow.models.xcom.BaseXCom",)
_LISTS = ("dags", "connections", "variables", "pools")
_LEFT = (
    (
        "environment",
        "Environment variables are not asked for: Starship would give all of them, with Fernet key and database password.",
        "Give those that DAGs need in an environment file (`--env-file`).",
    ),
    (
        "history",
        "Notes and the audit log stay behind; runs, task instances and earlier tries move.",
        "Connect the metadata database or an archive for them.",
    ),
    (
        "last sync",
        "Starship tells no moment of change: a repeated sync reads a DAG's whole history again (XComs of runs that ended since).",
        "",
    ),
)
