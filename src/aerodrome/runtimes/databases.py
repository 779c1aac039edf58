"""What a runtime offers for the metadata databases themselves: making, probing, moving and dropping them.

Called by fleet. Everything happens on the machine where the deployment lives. All verbs are safe to repeat after a crash.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from aerodrome.databases.crossing import Crossing
from aerodrome.databases.probing import DatabaseFacts
from aerodrome.databases.quieting import Quieted
from aerodrome.kernel.secret import Secret
from aerodrome.runtimes.contract import Progress, RuntimeSpec

__all__ = ["Crossing", "DatabaseFacts", "Databases", "Quieted", "Unfinished", "Upkeep"]


@dataclass(frozen=True)
class Upkeep:
    """What an upkeep changed."""

    pools: tuple[str, ...]  # names of pools that were made or got other slots
    log_files: int  # removed
    log_bytes: int


@dataclass(frozen=True)
class Unfinished:
    """The oldest run that is not finished."""

    dag_id: str
    run_id: str
    since: datetime  # of the run, or of its oldest task


class Databases(Protocol):
    """The metadata databases of one machine."""

    def create(self, name: str, password: Secret) -> Secret:
        """Make a database on the managed server, with a role of the same name; give its URL. Starts the server when needed.

        Unavailable says which package to install when the machine has no PostgreSQL.
        """
        ...

    def drop(self, name: str) -> None:
        """Drop what `create` made; nothing when there is nothing."""
        ...

    def names(self) -> AbstractSet[str]:
        """Name what `create` made and nobody dropped."""
        ...

    def is_empty(self, name: str) -> bool:
        """Tell whether nothing was ever written into what `create` made."""
        ...

    def keep(self) -> bool:
        """Have the managed server run when it is wanted; tells whether it is. Called at start and now and then."""
        ...

    def probe(self, url: Secret) -> DatabaseFacts:
        """Look at an existing PostgreSQL database; Invalid, Denied, Conflict or Unavailable say what is wrong."""
        ...

    def cross(self, before: RuntimeSpec, after: RuntimeSpec, mark: str, progress: Progress) -> Crossing:
        """Copy the database of `before` into the empty one of `after`, with proof; Conflict while Airflow runs."""
        ...

    def settle(self, spec: RuntimeSpec) -> None:
        """The database that a crossing filled is in use from now on."""
        ...

    def uncross(self, spec: RuntimeSpec, mark: str) -> None:
        """Remove what the crossing of that mark put into the database of `spec`; leaves anything else alone."""
        ...

    def verify(self, spec: RuntimeSpec, folder: Path) -> Mapping[str, int]:
        """Restore a snapshot into a scratch database beside the deployment's, and compare every table's rows with its manifest.

        Gives the rows per table. Broken when it cannot be restored or is not the same; the deployment's database is not touched.
        """
        ...

    def quiet(self, spec: RuntimeSpec) -> Quieted:
        """Make a restored copy harmless beside its original: all DAGs paused, unfinished runs failed. Conflict while Airflow runs."""
        ...

    def keep_up(self, spec: RuntimeSpec, pools: Mapping[str, int], log_days: int) -> Upkeep:
        """Set pools in the metadata database, remove old task logs (0 days: none) and bound the components' own logs."""
        ...

    def oldest_unfinished(self, spec: RuntimeSpec) -> Unfinished | None:
        """Give the unfinished run that began first; None when there is none."""
        ...

    def abandon_file(self, deployment_id: str) -> None:
        """Remove the deployment's SQLite file, which is not in use any more."""
        ...
