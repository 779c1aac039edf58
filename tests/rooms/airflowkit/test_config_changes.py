"""Our table of renamed and removed options is the one of the real Airflow 3.3.2."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from aerodrome.airflowkit.config_changes import REMOVED, RENAMED
from aerodrome.builds.contract import Venv

_PROGRAM = """
import json
from airflow.cli.commands.config_command import CONFIGS_CHANGES
name = lambda p: f"{p.section}.{p.option}".lower()
print(json.dumps([[name(c.config), name(c.renamed_to) if c.renamed_to else None, c.was_removed] for c in CONFIGS_CHANGES]))
"""


@pytest.mark.airflow
def test_the_table_is_airflows_own(airflow_venv: Callable[..., Venv], tmp_path: Path) -> None:
    venv = airflow_venv("3.3.2")
    env = {**os.environ, "AIRFLOW_HOME": str(tmp_path)}
    done = subprocess.run(
        [venv.path / "bin" / "python", "-W", "ignore", "-c", _PROGRAM],
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    rows = json.loads(done.stdout.splitlines()[-1])
    assert {old: new for old, new, _removed in rows if new} == RENAMED
    assert {old for old, new, is_removed in rows if is_removed and not new} == REMOVED


def test_no_option_is_both() -> None:
    assert not REMOVED & set(RENAMED)
