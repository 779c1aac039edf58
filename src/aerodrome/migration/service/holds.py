"""What people say about an estate of definitions before its cutover: that a job is held in the source, and which time ran last there.

The words stand in the audit trail by name and time, and in the migration's boundary file, which the source adapter reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from aerodrome.access.actor import Actor
from aerodrome.kernel.clock import to_text
from aerodrome.kernel.errors import Conflict, Invalid, NotFound
from aerodrome.migration.convert.contract import Dag
from aerodrome.migration.sources.contract import DEFINITION_KINDS, DagState, DefinitionsConfig
from aerodrome.migration.sources.definitions.adapter import DefinitionsSource
from aerodrome.migration.sources.definitions.boundaries import Boundary, BoundaryFile
from aerodrome.migration.sources.definitions.conversions import conversion_of
from aerodrome.migration.sources.definitions.nominal import following, is_nominal, is_scheduled
from aerodrome.store.tables.migration import MigrationRow

if TYPE_CHECKING:
    from aerodrome.migration.service.service import Migrations

READ, APPLYING = "migration.read", "migration.apply"
YEARS = range(1990, 2200)
"""Times outside are mistyped."""


@dataclass(frozen=True)
class Hold:
    """A person's word on one DAG. `last_done`: the last time that ran there; None with `has_never_run` False: not said."""

    dag_id: str
    last_done: datetime | None = None
    has_never_run: bool = False
    job: str = ""  # Oozie: the id of the coordinator job, where its name does not tell
    is_held: bool = True  # False: only the rest is said, or a confirmation is taken back


@dataclass(frozen=True)
class HoldView:
    """Where one DAG stands. `held`: by whom (a person's name, or "oozie" where the running job is suspended)."""

    dag_id: str
    is_scheduled: bool
    held_by: str
    held_at: str | None
    last_done: str | None
    has_never_run: bool
    next_time: str | None
    job: str
    missing: str  # what people still have to say before it can move; empty: nothing
    told: str  # what people must do in the source after a way back


class Holds:
    """Confirmations and boundaries; of sources of the kinds oozie and controlm only."""

    def __init__(self, migrations: Migrations) -> None:
        self._migrations = migrations

    def list(self, actor: Actor, ref: str) -> tuple[HoldView, ...]:
        """Give where each DAG of the source stands, by id; asks the running Oozie where there is one. Of an Airflow: nothing."""
        row = self._migrations.row_for(actor, ref, READ)
        if row.source["kind"] not in DEFINITION_KINDS:
            return ()
        boundaries = self._config(row).boundaries
        with closing(self._migrations.open_source(row)) as source:
            assert isinstance(source, DefinitionsSource)  # noqa: S101 - its kind was looked at
            dag_ids = sorted(source.dags)
            states, missing = source.dag_states(dag_ids), source.unanswered(dag_ids)
            known = BoundaryFile(boundaries).read()
            return tuple(
                _view(
                    states[dag_id],
                    known.get(dag_id, Boundary()),
                    missing[dag_id].message if dag_id in missing else "",
                    is_scheduled=is_scheduled(source.dags[dag_id]),
                )
                for dag_id in dag_ids
            )

    def say(self, actor: Actor, ref: str, holds: Sequence[Hold]) -> tuple[HoldView, ...]:
        """Write down what a person says of some DAGs, all or none.

        NotFound `dag-unknown`; Invalid `boundary-not-nominal` for a time that the schedule does not have; Conflict `hold-in-use` for
        a DAG that was cut over already.
        """
        row = self._migrations.row_for(actor, ref, APPLYING)
        config = self._config(row)
        dags = {dag.dag_id: dag for dag in conversion_of(config).dags}
        now = self._migrations.clock.now()
        self._migrations.folder_of(row)  # makes it
        with BoundaryFile(config.boundaries).changing() as known:
            for hold in holds:
                dag = dags.get(hold.dag_id)
                if dag is None:
                    raise NotFound(
                        f"The source has no DAG {hold.dag_id}.",
                        code="dag-unknown",
                        hint="`aerodrome migrate holds NAME` lists them.",
                        details={"dag_id": hold.dag_id},
                    )
                before = known.get(hold.dag_id, Boundary())
                if before.mark is not None:
                    raise Conflict(
                        f"{hold.dag_id} is cut over, or on its way: what is said of it counts.",
                        code="hold-in-use",
                        hint="Roll it back first.",
                        details={"dag_id": hold.dag_id},
                    )
                if hold.last_done is not None:
                    _check_nominal(dag, hold.last_done)
                known[hold.dag_id] = _said(before, hold, actor.name, to_text(now))
        names = [hold.dag_id for hold in holds]
        with self._migrations.store.writing() as session:
            details = {"dags": names, "said": [_plain(hold) for hold in holds[:100]]}
            self._migrations.record(session, actor, "migration.hold-confirmed", row, details)
        wanted = set(names)
        return tuple(view for view in self.list(actor, ref) if view.dag_id in wanted)

    def _config(self, row: MigrationRow) -> DefinitionsConfig:
        if row.source["kind"] not in DEFINITION_KINDS:
            raise Conflict(
                f"{row.name} reads an Airflow: its DAGs are paused there by the cutover itself.",
                code="source-holds-itself",
                hint=f"Holds are confirmed for sources of the kinds {' and '.join(DEFINITION_KINDS)}.",
            )
        config = self._migrations.config_of(row)
        assert isinstance(config, DefinitionsConfig)  # noqa: S101 - its kind says so
        return config


def _said(before: Boundary, hold: Hold, name: str, now: str | None) -> Boundary:
    said = replace(before, job=hold.job or before.job, let_go=None, carried_until=None, carried_runs=0)
    if hold.last_done is not None or hold.has_never_run:
        said = replace(said, last_done=to_text(hold.last_done), has_never_run=hold.last_done is None)
    return replace(said, confirmed_by=name if hold.is_held else "", confirmed_at=now if hold.is_held else None)


def _view(state: DagState, known: Boundary, missing: str, *, is_scheduled: bool) -> HoldView:
    by_oozie = state.is_paused and not known.confirmed_by
    return HoldView(
        dag_id=state.dag_id,
        is_scheduled=is_scheduled,
        held_by=known.confirmed_by or ("oozie" if by_oozie else ""),
        held_at=known.confirmed_at,
        last_done=to_text(state.last_interval[0]) if state.last_interval else None,
        has_never_run=known.has_never_run,
        next_time=to_text(state.next_logical_date),
        job=known.job,
        missing=missing,
        told=state.told,
    )


def _plain(hold: Hold) -> Mapping[str, Any]:
    return {**asdict(hold), "last_done": to_text(hold.last_done)}


def _check_nominal(dag: Dag, last: datetime) -> None:
    """Raise Invalid `boundary-not-nominal`, naming the next time, for one that the schedule does not have."""
    is_possible = last.year in YEARS
    if is_possible and is_nominal(dag, last):
        return
    coming = following(dag, last) if is_possible else None
    near = f" The next one after it is {to_text(coming)}." if coming else ""
    raise Invalid(
        f"{last.isoformat()} is not a time of the schedule of {dag.dag_id}.{near}",
        code="boundary-not-nominal",
        hint="Give the nominal time (Oozie) or the scheduled time of the order (Control-M) that was done last, in UTC.",
        details={"dag_id": dag.dag_id, "field": "last_done"},
    )
