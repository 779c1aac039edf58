"""The source adapter over Oozie or Control-M definitions: the estate is their conversion; there is no history but the boundary.

The last time that ran in the source is given as one finished run: moved like any history, it makes the target's scheduler go on at the
very next time of the calendar. People hold the jobs and say so, or a running Oozie does it when asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import datetime
from functools import cached_property

from aerodrome.kernel.clock import Clock, to_text
from aerodrome.kernel.errors import AerodromeError, Conflict
from aerodrome.kernel.secret import Secret
from aerodrome.migration.convert.contract import Conversion, Dag
from aerodrome.migration.estate.history import COLUMNS, HistoryBatch, HistoryKind, HistoryWindow
from aerodrome.migration.estate.records import PoolRecord, Record
from aerodrome.migration.sources.airflow_db.probes import attempt
from aerodrome.migration.sources.contract import (
    CarriedRuns,
    ConnectionValue,
    DagState,
    DefinitionsConfig,
    Probe,
    Progress,
    SourceDescription,
    VariableValue,
    for_each,
)
from aerodrome.migration.sources.definitions import probing, records
from aerodrome.migration.sources.definitions.boundaries import Boundary, BoundaryFile
from aerodrome.migration.sources.definitions.boundary_rows import boundary_run, boundary_tasks
from aerodrome.migration.sources.definitions.conversions import conversion_of
from aerodrome.migration.sources.definitions.nominal import following, is_scheduled
from aerodrome.migration.sources.definitions.oozie_jobs import OozieJobs
from aerodrome.migration.sources.definitions.oozie_server import OozieServer, Standing
from aerodrome.migration.sources.definitions.telling import (
    all_there,
    held_elsewhere,
    no_boundary,
    not_confirmed,
    told,
    unknown,
)


class DefinitionsSource:
    """Implements SourceAdapter and AsksPeople. Nothing is read before the first call."""

    def __init__(
        self, config: DefinitionsConfig, fingerprint_key: bytes, clock: Clock, server: OozieServer | None = None
    ) -> None:
        self._config = config
        self._key = fingerprint_key
        self._clock = clock
        self._file = BoundaryFile(config.boundaries)
        if server is None and config.server_url:
            server = OozieServer(config.server_url, config.user, config.password)
        self._server = server

    @cached_property
    def _conversion(self) -> Conversion:
        return conversion_of(self._config)

    @cached_property
    def dags(self) -> dict[str, Dag]:
        """The converted DAGs by id."""
        return {dag.dag_id: dag for dag in self._conversion.dags}

    @cached_property
    def _jobs(self) -> OozieJobs | None:
        return OozieJobs(self._server, self.dags, self._file) if self._server is not None else None

    # --- the estate ----------------------------------------------------------------------------------------------

    def describe(self) -> SourceDescription:
        """Read the definitions and look at the server; a failed check is a Probe."""
        found = [attempt("definitions", lambda: probing.definitions(self._config.kind, self._conversion))]
        if found[0].is_ok:
            found += probing.left_open(self._conversion)
        server, jobs = self._server, self._jobs if found[0].is_ok else None
        if server is not None:
            found.append(attempt("Oozie", lambda: Probe("Oozie", True, f"{server.url} is Oozie {server.version()}.")))
        if jobs is not None:
            found.append(attempt("coordinators", lambda: probing.coordinators(self.dags, jobs)))
        found += probing.not_told(is_held_by_people=server is None)
        return SourceDescription(self._config.kind, "", "", "", tuple(found))

    def records(self, progress: Progress) -> Iterator[Record]:
        """Stream the estate, kind by kind in the order of records.KINDS."""
        found = self._conversion
        suspended = self._suspended()
        kinds: tuple[tuple[str, Iterable[Record]], ...] = (
            ("dag", records.dag_records(found, suspended)),
            ("connection", records.connection_records(found, self._key)),
            ("variable", records.variable_records(found, self._key)),
            ("pool", records.pool_records(found)),
            ("file", records.file_records(self._config.path)),
            ("conversion", records.conversion_records(found)),
        )
        for kind, items in kinds:
            progress(f"reading {kind}", 0, None)
            yield from items

    def _suspended(self) -> dict[str, bool]:
        """Tell which DAGs stand still in the source without us: never enabled, or suspended in Oozie."""
        still = {dag_id: True for dag_id, dag in self.dags.items() if dag.is_paused}
        if self._jobs is None:
            return still
        known = self._file.read()
        return still | {
            dag_id: job.is_suspended and known.get(dag_id, Boundary()).mark is None
            for dag_id, job in self._jobs.found().items()
        }

    def connection_values(self, conn_ids: Sequence[str]) -> Iterator[ConnectionValue]:
        found = {need.conn_id: need for need in self._conversion.connections}
        all_there("connection", conn_ids, found)
        yield from (records.connection_value(found[conn_id]) for conn_id in conn_ids)

    def variable_values(self, names: Sequence[str]) -> Iterator[VariableValue]:
        found = {need.name: need for need in self._conversion.variables if need.value is not None}
        all_there("variable", names, found)
        for name in names:
            yield VariableValue(name, Secret(found[name].value or ""), found[name].why or None)

    def pool_values(self, names: Sequence[str]) -> Iterator[PoolRecord]:
        found = {pool.name: pool for pool in records.pool_records(self._conversion)}
        all_there("pool", names, found)
        yield from (found[name] for name in names)

    def env_values(self, names: Sequence[str]) -> Iterator[tuple[str, Secret]]:
        all_there("environment variable", names, {})
        return iter(())

    # --- the boundary, as history --------------------------------------------------------------------------------

    def history(self, kind: HistoryKind, window: HistoryWindow) -> Iterator[HistoryBatch]:
        """Give for each scheduled DAG the run of the time that was done last; nothing else ran, as far as is known here.

        Where it went well its tasks count as done, too: sensors of other DAGs look for them.
        """
        if kind not in ("run", "task_instance"):
            return
        states = self.dag_states(window.dag_ids)
        rows: list[tuple[object, ...]] = []
        for dag_id in sorted(window.dag_ids):
            state = states.get(dag_id)
            if state is not None and state.last_interval is not None:
                rows += [boundary_run(state)] if kind == "run" else boundary_tasks(state, self.dags[dag_id])
        if rows:
            yield HistoryBatch(kind, COLUMNS[kind], rows)

    def history_watermark(self, dag_ids: Sequence[str]) -> datetime | None:
        del dag_ids
        return None

    def history_changed(self, dag_ids: Sequence[str], since: datetime) -> set[str]:
        del since
        return set(dag_ids)

    def history_counts(self, window: HistoryWindow) -> dict[HistoryKind, int]:
        kinds: tuple[HistoryKind, ...] = ("run", "task_instance")
        return {kind: sum(len(batch.rows) for batch in self.history(kind, window)) for kind in kinds}

    # --- where it stands -----------------------------------------------------------------------------------------

    def dag_states(self, dag_ids: Sequence[str]) -> dict[str, DagState]:
        known = self._file.read()
        standings = self._jobs.standings(dag_ids) if self._jobs is not None else {}
        return {
            dag_id: self._state(self.dags[dag_id], known.get(dag_id, Boundary()), standings.get(dag_id))
            for dag_id in dag_ids
            if dag_id in self.dags
        }

    def _state(self, dag: Dag, known: Boundary, standing: Standing | None) -> DagState:
        is_ours = known.mark is not None
        is_paused = (is_ours or bool(dag.is_paused)) if standing is None else standing.job.is_suspended
        last, coming = self._times(dag, known, standing)
        return DagState(
            dag_id=dag.dag_id,
            is_paused=is_paused,
            mark=known.mark if is_paused else None,
            next_logical_date=coming,
            next_interval=(coming, coming) if coming else None,
            next_run_after=coming,
            last_interval=(last, last) if last else None,
            last_run_state=(standing.last_state if standing else "success") if last else None,
            let_go=known.let_go,
            in_flight=dict(standing.in_flight) if standing else {},
            told=told(dag, known, standing, following(dag, last or known.last_moment) if is_scheduled(dag) else None),
        )

    def _times(self, dag: Dag, known: Boundary, standing: Standing | None) -> tuple[datetime | None, datetime | None]:
        """Give the last and the next time: as the running Oozie says, or as a person said and the calendar goes on from there.

        After a way back it is what the target ran last that counts. A schedule that does not catch up goes on with the clock when it never ran.
        """
        if not is_scheduled(dag):
            return None, None
        if standing is not None and known.carried_until is None:
            return standing.last_done, standing.next_nominal
        if known.is_told:
            last = known.last_moment
            floor = last if last is not None or dag.schedule.is_catching_up else self._clock.now()
            return last, following(dag, floor)
        return None, None

    def unanswered(self, dag_ids: Sequence[str]) -> dict[str, AerodromeError]:
        """Give what people still have to say before these DAGs can move."""
        known = self._file.read()
        jobs = self._jobs.found() if self._jobs is not None else {}
        found: dict[str, AerodromeError] = {}
        for dag_id in dag_ids:
            dag, boundary = self.dags.get(dag_id), known.get(dag_id, Boundary())
            if dag is None or dag.is_paused or boundary.mark is not None or dag_id in jobs:
                continue
            if boundary.confirmed_at is None:
                found[dag_id] = not_confirmed(dag_id, self._config.kind)
            elif is_scheduled(dag) and not boundary.is_told:
                found[dag_id] = no_boundary(dag_id)
        return found

    # --- the writes ----------------------------------------------------------------------------------------------

    def pause_dag(self, dag_id: str, mark: str) -> None:
        """Take a confirmed hold as ours, or suspend the coordinator. Conflict `hold-not-confirmed`, `boundary-unknown`."""
        for error in self.pause_dags([dag_id], mark).values():
            raise error

    def unpause_dag(self, dag_id: str, mark: str) -> None:
        """Let a DAG go: the coordinator is resumed, unless the target ran something of it; a person's hold ends."""
        for error in self.unpause_dags([dag_id], mark).values():
            raise error

    def pause_dags(self, dag_ids: Sequence[str], mark: str) -> dict[str, AerodromeError]:
        failed = self.unanswered(dag_ids)
        ours: list[str] = []
        with self._file.changing() as known:
            for dag_id in dag_ids:
                before = known.get(dag_id, Boundary())
                if dag_id not in self.dags:
                    failed[dag_id] = unknown(dag_id)
                elif before.mark not in (None, mark):
                    failed[dag_id] = held_elsewhere(dag_id)
                elif dag_id not in failed:
                    # The intent comes before Oozie is told. What an earlier way back told is over.
                    known[dag_id] = replace(before, mark=mark, let_go=None, carried_until=None, carried_runs=0)
                    ours.append(dag_id)
        if self._jobs is not None:
            failed |= for_each(self._jobs.suspend, ours)
        return failed

    def unpause_dags(self, dag_ids: Sequence[str], mark: str) -> dict[str, AerodromeError]:
        with self._file.changing() as known:
            return for_each(lambda dag_id: self._let_go(known, dag_id, mark), dag_ids)

    def _let_go(self, known: dict[str, Boundary], dag_id: str, mark: str) -> None:
        before = known.get(dag_id, Boundary())
        if dag_id not in self.dags:
            raise unknown(dag_id)
        if before.let_go == mark and before.mark is None:
            return
        if before.mark != mark:
            raise Conflict(
                f"{dag_id} was not held by this migration.",
                code="source-not-held",
                hint="Resume it in the source yourself if it has to run there.",
            )
        if before.carried_until is None and self._jobs is not None:
            self._jobs.resume(dag_id, is_pause_time_set=before.is_pause_time_set)
        known[dag_id] = replace(
            before, mark=None, let_go=mark, confirmed_by="", confirmed_at=None, is_pause_time_set=False
        )

    def locked(self, dag_ids: Sequence[str]) -> AbstractContextManager[None]:
        del dag_ids
        return nullcontext()

    def carry_runs(self, carried: CarriedRuns, mark: str) -> int:
        """Write down how far the target ran: the source has no place for it, people start it again after that time."""
        own = [run for run in carried.runs if run["run_type"] in ("scheduled", "backfill")]
        times = [moment for run in own if (moment := run.get("logical_date")) is not None]
        with self._file.changing() as known:
            before = known.get(carried.dag_id, Boundary())
            if mark not in (before.mark, before.let_go):
                raise Conflict(f"{carried.dag_id} is not held by this migration.", code="source-not-held")
            new = len(carried.runs) - before.carried_runs
            until = to_text(max(times)) if times else before.carried_until
            known[carried.dag_id] = replace(
                before, carried_until=until, carried_runs=len(carried.runs), last_done=until or before.last_done
            )
        return max(0, new)

    def hold_back(self, dag_id: str, mark: str) -> None:
        """Let the coordinator materialize nothing more while its running actions end."""
        with self._file.changing() as known:
            before = known.get(dag_id, Boundary())
            if before.let_go != mark or before.is_pause_time_set or self._jobs is None:
                return
            self._jobs.hold_back(dag_id, self._clock.now())
            known[dag_id] = replace(before, is_pause_time_set=True)

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
