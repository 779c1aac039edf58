"""What happens to an Airflow metadata database as a whole: copy, snapshot, restore, upgrade, the way back, rehearsal.

Called by runtimes on the machine where the database lives. Knows URLs, folders and virtualenvs; never the platform's store.
"""

from aerodrome.databases.back import discard_way_back, go_back, prepare_way_back
from aerodrome.databases.contract import (
    AirflowTool,
    Archived,
    Carried,
    DatabaseSnapshot,
    LossReport,
    Progress,
    TryResult,
    UpgradeResult,
)
from aerodrome.databases.counts import row_counts
from aerodrome.databases.scratches import scratch
from aerodrome.databases.snapshots import read_snapshot, restore, snapshot
from aerodrome.databases.trials import try_scheduling
from aerodrome.databases.upgrades import upgrade

__all__ = [
    "AirflowTool",
    "Archived",
    "Carried",
    "DatabaseSnapshot",
    "LossReport",
    "Progress",
    "TryResult",
    "UpgradeResult",
    "discard_way_back",
    "go_back",
    "prepare_way_back",
    "read_snapshot",
    "restore",
    "row_counts",
    "scratch",
    "snapshot",
    "try_scheduling",
    "upgrade",
]
