"""The review of the code upgrade: what it would change, and which files people keep as they are. Its job is in `reviewing.py`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from aerodrome.access.actor import Actor
from aerodrome.migration.plan import from_yaml, with_rejected
from aerodrome.migration.service import code, reviewing
from aerodrome.migration.service.folder import present
from aerodrome.migration.service.tracks import READ, UPDATE
from aerodrome.migration.service.views import PlanView
from aerodrome.store import jobs
from aerodrome.store.tables.migration import MigrationRow

if TYPE_CHECKING:
    from aerodrome.migration.service.service import Migrations


class CodeReview:
    """Changes of the code upgrade, file by file, and the decisions on them."""

    def __init__(self, migrations: Migrations) -> None:
        self._migrations = migrations

    def changes(self, actor: Actor, ref: str) -> Mapping[str, Any]:
        """Give the code upgrade, or a review that is newer; NotFound before either.

        Per file its diff, applied rules, open findings, whether the plan rejects it (`is_rejected`), and whether tasks raise
        because their class is gone (`is_raising`): its DAGs are not handed over unless the plan accepts it.
        """
        row = self._migrations.row_for(actor, ref, READ)
        found = present(
            code.newest(self._migrations.folder_of(row)), "code upgrade", f"aerodrome migrate code {row.name} --review"
        )
        rejected = self._rejected(row)
        raising = code.raising_of(found["files"], rejected)
        return {
            **found,
            "files": [
                {**file, "is_rejected": file["path"] in rejected, "is_raising": file["path"] in raising}
                for file in found["files"]
            ],
            "rejected": sorted(rejected),
        }

    def state(self, actor: Actor, ref: str) -> Mapping[str, Any]:
        """Tell how far the review of the code upgrade is: `status` none, asked, done or failed (with `error`)."""
        return reviewing.state(self._migrations.folder_of(self._migrations.row_for(actor, ref, READ)))

    def ask(self, actor: Actor, ref: str) -> Mapping[str, Any]:
        """Ask for what the code step would change, before it runs; Conflict without a plan that fits."""
        self._migrations.frozen(self._migrations.row_for(actor, ref, UPDATE))
        with self._migrations.changing(actor, ref, UPDATE) as (session, row):
            self._migrations.refuse_busy(row)
            reviewing.asked(self._migrations.folder_of(row))
            jobs.enqueue(session, reviewing.JOB, row.id, lane=f"migration/{row.id}")
            self._migrations.record(session, actor, "migration.code-review-asked", row, {})
        self._migrations.ring()
        return self.state(actor, ref)

    def decide(self, actor: Actor, ref: str, rejected: Collection[str]) -> PlanView:
        """Reject the upgrade of these files and accept all others: the plan keeps it, and the code step does so.

        Invalid `code-file-unknown` for a file that the upgrade does not change; else as `save_plan`.
        """
        paths = reviewing.checked(self.changes(actor, ref), rejected)
        text = self._migrations.plan(actor, ref).text
        return self._migrations.save_plan(actor, ref, with_rejected(text, paths))

    def _rejected(self, row: MigrationRow) -> frozenset[str]:
        if row.plan_text is None or row.estate_digest is None:
            return frozenset()
        return frozenset(from_yaml(row.plan_text, self._migrations.estate_of(row)).get("code", {}).get("rejected", ()))
