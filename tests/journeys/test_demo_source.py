"""A self-managed Airflow 2 starts, runs its DAGs for real, and stops without leaving a process.

If this breaks, the demo has no source to migrate, or leaves Airflow processes on people's machines.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from tests.listening import listening_addresses

from aerodrome.builds.contract import Venv
from aerodrome.demo.processes import ProcessGroup
from aerodrome.demo.selfmanaged import AIRFLOW_VERSION, COMPONENTS, SelfManagedAirflow
from aerodrome.demo.source_files import project_requirements

pytestmark = [pytest.mark.airflow, pytest.mark.journey]


def test_source_makes_real_history_listens_on_loopback_and_leaves_nothing(
    tmp_path: Path, airflow_venv: Callable[..., Venv]
) -> None:
    venv = airflow_venv(AIRFLOW_VERSION, project_requirements())
    root = tmp_path / "source"
    source = SelfManagedAirflow(root)
    told: list[str] = []
    try:
        facts = source.start(venv.path, told.append)
        done = source.await_history(told.append, wanted={"till_minutely": 1, "stock_levels": 1}, timeout_s=60)
        assert done["till_minutely"] >= 1
        assert all(source.is_running(component) for component in COMPONENTS)
        assert (source.layout.warehouse / "tills").is_dir()

        members = list(ProcessGroup(source.layout.state_file).members())
        assert listening_addresses(members) == {"127.0.0.1"}
        hidden = source.secrets()
        for process in members:
            with suppress(psutil.NoSuchProcess):  # a task that ended meanwhile
                assert hidden.database_password not in " ".join(process.cmdline())
        database = psutil.Process(_listener(facts.database_port))

        # Whoever started it is gone: a fresh object on the same folder stops everything.
        SelfManagedAirflow(root).stop()
        gone, alive = psutil.wait_procs([*members, database], timeout=10)
        assert not alive
        assert len(gone) == len(members) + 1
    finally:
        source.stop()
        source.remove()


def _listener(port: int) -> int:
    return next(
        connection.pid
        for connection in psutil.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,) and connection.pid
    )
