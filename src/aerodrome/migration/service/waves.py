"""Commands on waves: cut over, halt, give back; and how far each of them is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from aerodrome.access.actor import Actor
from aerodrome.migration.plan import ExplainRow, FrozenPlan, return_steps
from aerodrome.migration.plan.contract import Step
from aerodrome.migration.service import boards, controls, queries
from aerodrome.migration.service.boards import DagMoved, SplitBrain, WaveView
from aerodrome.migration.service.tracks import APPLYING, CUTOVER, READ, ROLLBACK, walking
from aerodrome.migration.service.views import MigrationView
from aerodrome.store import journal
from aerodrome.store.tables.migration import MigrationRow

if TYPE_CHECKING:
    from aerodrome.migration.service.service import Migrations


class Waves:
    """The waves of a plan, on their way from the source to the target and back."""

    def __init__(self, migrations: Migrations) -> None:
        self._migrations = migrations

    def cut_over(self, actor: Actor, ref: str, wave: str) -> MigrationView:
        """Hand the DAGs of a wave over, or go on where it stopped. Conflict before apply has finished."""
        row = self._migrations.row_for(actor, ref, APPLYING)
        steps = self._migrations.frozen(row).wave(wave)
        self._migrations.require_applied(row)
        with self._migrations.changing(actor, ref, APPLYING) as (session, fresh):
            self._migrations.refuse_busy(fresh, unless=walking(CUTOVER))
            controls.set_halted(session, fresh.id, wave, actor.name, is_halted=False)
        return self._migrations.walk(actor, ref, f"{CUTOVER}{wave}", steps)

    def list(self, actor: Actor, ref: str) -> tuple[WaveView, ...]:
        """Give how far each wave is, in the order of the plan."""
        row = self._migrations.row_for(actor, ref, READ)
        known = self._migrations.known_plan(row)
        with self._migrations.store.reading() as session:
            return boards.waves(session, row, known.frozen.settings["waves"], known.waves)

    def timeline(self, actor: Actor, ref: str, wave: str) -> tuple[DagMoved, ...]:
        """Give how far each DAG of a wave is, and when it got there."""
        row = self._migrations.row_for(actor, ref, READ)
        self._migrations.frozen(row).wave(wave)
        with self._migrations.store.reading() as session:
            return boards.timeline(session, row, wave)

    def halt(self, actor: Actor, ref: str, wave: str, reason: str = "") -> MigrationView:
        """Let no more DAGs of a wave in; those that are held are still started, so that none stands between the sides."""
        frozen = self._migrations.frozen(self._migrations.row_for(actor, ref, APPLYING))
        frozen.wave(wave)
        with self._migrations.changing(actor, ref, APPLYING) as (session, row):
            controls.set_halted(session, row.id, wave, actor.name, reason, is_halted=True)
            self._migrations.record(session, actor, "migration.wave-halted", row, {"wave": wave, "reason": reason})
            return queries.view(session, row)

    def split_brains(self, actor: Actor, ref: str) -> tuple[SplitBrain, ...]:
        """Give the times in which a DAG was active on both sides, the newest first."""
        row = self._migrations.row_for(actor, ref, READ)
        with self._migrations.store.reading() as session:
            return boards.split_brains(session, row.id)

    def roll_back(self, actor: Actor, ref: str, wave: str, dag_ids: Sequence[str] | None = None) -> MigrationView:
        """Give the DAGs of a wave that we paused (or some of them) back to the source, the last one first.

        The walk stops with Conflict `target-has-runs`, nothing changed, when the target has run one of them already.
        """
        row = self._migrations.row_for(actor, ref, APPLYING)
        frozen = self._migrations.frozen(row)
        with self._migrations.changing(actor, ref, APPLYING) as (session, fresh):
            self._migrations.refuse_busy(fresh)
            steps = self._return_steps(session, fresh, frozen, wave, dag_ids)
            journal.forget(session, fresh.id, f"{ROLLBACK}{wave}")
            view = self._migrations.open_track(session, actor, fresh, f"{ROLLBACK}{wave}", steps)
        self._migrations.ring()
        return view

    def roll_back_steps(
        self, actor: Actor, ref: str, wave: str, dag_ids: Sequence[str] | None = None
    ) -> tuple[ExplainRow, ...]:
        """Give the very steps that `roll_back` would run now."""
        row = self._migrations.row_for(actor, ref, READ)
        frozen = self._migrations.frozen(row)
        with self._migrations.store.reading() as session:
            steps = self._return_steps(session, row, frozen, wave, dag_ids)
        return tuple(
            ExplainRow(number, f"{ROLLBACK}{wave}", step.phase, step.key, step.title)
            for number, step in enumerate(steps, 1)
        )

    def _return_steps(
        self, session: Session, row: MigrationRow, frozen: FrozenPlan, wave: str, dag_ids: Sequence[str] | None
    ) -> tuple[Step, ...]:
        steps = frozen.wave(wave)
        walked = journal.steps(session, row.id, f"{CUTOVER}{wave}")
        begun = {step.key for step in walked if step.status != "pending"}
        return return_steps(wave, steps, begun, dag_ids)
