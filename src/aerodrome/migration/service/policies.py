"""What becomes of a DAG's runs at its cutover: looked at and changed without editing the plan file, also between two attempts.

The plan file keeps it, as if a person had written it there. The steps stay the same, so nothing that was done is done again, and
waves that have begun go on with what was chosen. Called by web and cli through `Migrations.policies`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session

from aerodrome.access.actor import Actor
from aerodrome.access.permissions import require
from aerodrome.kernel.errors import Conflict, Invalid, NotFound
from aerodrome.migration.plan import FrozenPlan, compile_plan, from_yaml
from aerodrome.migration.plan.policy_choices import KEYS, applied, read_choices, with_choices
from aerodrome.migration.service import queries
from aerodrome.migration.service.folder import write_json
from aerodrome.migration.service.tracks import BUSY, CUTOVER, READ, UPDATE
from aerodrome.store import journal
from aerodrome.store.tables.migration import MigrationRow

if TYPE_CHECKING:
    from aerodrome.migration.service.service import Migrations


class Policies:
    """The drain policy of each DAG of a plan."""

    def __init__(self, migrations: Migrations) -> None:
        self._migrations = migrations

    def list(self, actor: Actor, ref: str) -> Sequence[dict[str, Any]]:
        """Give per DAG that moves, in the order of the waves: `dag_id`, `wave`, `KEYS` as they count, and which are its `own`."""
        settings = self._migrations.frozen(self._migrations.row_for(actor, ref, READ)).settings
        rows = []
        for wave in settings["waves"]:
            for dag_id in wave["dags"]:
                own = settings["dags"].get(dag_id, {})
                counts = {**settings["policies"], **own}
                chosen = [key for key in KEYS if key in own]
                rows.append(
                    {"dag_id": dag_id, "wave": wave["name"], **{key: counts[key] for key in KEYS}, "own": chosen}
                )
        return rows

    def choose(
        self,
        actor: Actor,
        ref: str,
        choices: Mapping[str, Any],
        *,
        dag_ids: Collection[str] = (),
        waves: Collection[str] = (),
    ) -> Sequence[dict[str, Any]]:
        """Choose for some DAGs, for those of waves, or (without any) for all that have nothing of their own.

        `choices`: some of `KEYS`, written as in the plan file; None takes a DAG's own choice away. Safe to repeat.
        Invalid for a value that cannot be; NotFound for a DAG or wave that the plan does not have; Conflict while the migration is
        busy, or where the file's text cannot be changed in place.
        """
        migrations = self._migrations
        row = migrations.row_for(actor, ref, UPDATE)
        before = migrations.frozen(row)
        chosen = _members(before, dag_ids, waves)
        read = read_choices(choices)
        if not read:
            raise Invalid("Nothing is chosen.", code="policy-empty", hint=f"Give one of {', '.join(KEYS)}.")
        if not (dag_ids or waves) and (empty := sorted(key for key, value in read.items() if value is None)):
            raise Invalid(
                f"{empty[0]}: there must be one for all DAGs.", code="policy-invalid", details={"field": empty[0]}
            )
        wanted = applied(before.settings, chosen, read)
        estate = migrations.estate_of(row)
        text = with_choices(row.plan_text or "", wanted, chosen)
        settings = from_yaml(text, estate)
        if settings != wanted:
            raise Conflict(
                "The plan file is written in a way in which this cannot be changed from here.",
                code="plan-edit-by-hand",
                hint=f"aerodrome migrate plan {row.name} --out FILE, edit it, then --file FILE.",
            )
        frozen = compile_plan(settings, estate)
        with migrations.store.writing() as session:
            fresh = queries.find(session, row.id)
            require(actor, UPDATE, f"workspace/{fresh.workspace_id}")
            _refuse(fresh, row)
            self._keep(session, fresh, text, frozen)
            details = {"dags": [*chosen][:100], "count": len(chosen), **{key: read[key] for key in sorted(read)}}
            migrations.record(session, actor, "migration.policy-chosen", fresh, details)
        named = set(chosen)
        return [item for item in self.list(actor, ref) if not named or item["dag_id"] in named]

    def _keep(self, session: Session, row: MigrationRow, text: str, frozen: FrozenPlan) -> None:
        """Keep the text, and let steps that are still to be done have what was chosen."""
        row.plan_text, row.plan_digest = text, frozen.digest
        row.updated_at = self._migrations.clock.now()
        plain = [json.loads(json.dumps(step.as_data())) for step in frozen.steps]
        write_json(self._migrations.folder_of(row).plan_json, plain)
        for wave, steps in frozen.waves.items():
            journal.restate(session, row.id, f"{CUTOVER}{wave}", {step.key: step.params for step in steps})


def _members(plan: FrozenPlan, dag_ids: Collection[str], waves: Collection[str]) -> Sequence[str]:
    """Give the DAGs that are meant, in the order of the waves; none at all when all are."""
    for wave in waves:
        plan.wave(wave)  # NotFound
    known = {wave["name"]: wave["dags"] for wave in plan.settings["waves"]}
    moving = [dag_id for members in known.values() for dag_id in members]
    if missing := sorted(set(dag_ids) - set(moving)):
        raise NotFound(
            f"The plan moves no DAG {missing[0]}.",
            code="dag-unknown",
            hint="`aerodrome migrate policy NAME` lists those that it moves.",
            details={"dag_id": missing[0]},
        )
    wanted = {*dag_ids, *(dag_id for wave in waves for dag_id in known[wave])}
    return [dag_id for dag_id in moving if dag_id in wanted]


def _refuse(fresh: MigrationRow, seen: MigrationRow) -> None:
    if fresh.status in BUSY:
        raise Conflict(
            f"{fresh.name} is {fresh.status} now.",
            code="migration-busy",
            hint=f"aerodrome migrate watch {fresh.name}; to change it under way: aerodrome migrate wave pause {fresh.name} WAVE.",
        )
    if fresh.plan_digest != seen.plan_digest:
        raise Conflict(
            "The plan has changed since you looked at it.",
            code="plan-stale",
            hint=f"aerodrome migrate plan {fresh.name}",
            details={"plan_digest": fresh.plan_digest},
        )
