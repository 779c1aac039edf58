from __future__ import annotations

from aerodrome.databases.contract import AirflowTool, Progress, UpgradeResult
from aerodrome.kernel.secret import Secret


def upgrade(url: Secret, before: AirflowTool, after: AirflowTool, progress: Progress) -> UpgradeResult:
    """Bring the database to a newer Airflow by that Airflow's own `db migrate`, and prove that no history got lost.

    Nobody may be using it. The work happens on a copy that takes the database's place when all is proved (PostgreSQL
    without the right to create databases: in place). Broken `upgrade-lost-rows` leaves the original untouched.
    Repeating it after a crash is safe.
    """
    raise NotImplementedError
