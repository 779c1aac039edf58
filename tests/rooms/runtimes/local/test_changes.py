"""A real metadata database goes from Airflow 2.11 to 3.3 and back by the runtime's verbs. Breaks for whoever upgrades.

No Airflow is started here but its own `db migrate`; the journeys start them.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from aerodrome.airflowkit.tokens import new_signing_key
from aerodrome.kernel.errors import Unavailable
from aerodrome.kernel.secret import Secret
from aerodrome.parsing.contract import ImportFailure, ParsedDag, ParseResult
from aerodrome.runtimes.contract import RuntimeSpec
from aerodrome.runtimes.local.changes import Database
from aerodrome.runtimes.local.layout import Layout
from aerodrome.runtimes.local.rehearsals import compare_packages, judge_dags
from aerodrome.runtimes.local.runtime import LocalRuntime, database_of

OLD, NEW = "2.11.2", "3.3.2"


def scalar(path: Path, query: str) -> Any:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchone()[0]


@pytest.mark.airflow
def test_up_and_back_keep_the_history(
    runtime: LocalRuntime, legacy: Any, airflow_venv: Callable[..., Any], tmp_path: Path
) -> None:
    older = RuntimeSpec(
        deployment_id="dep_change",
        generation=1,
        airflow_version=OLD,
        python_version="3.11",
        venv=airflow_venv(OLD).path,
        project=None,
        bundle_digest=None,
        fernet_key=Secret(legacy.fernet_key),
        signing_key=new_signing_key(),
    )
    newer = replace(older, generation=2, airflow_version=NEW, venv=airflow_venv(NEW).path)
    with pytest.raises(Unavailable):
        runtime.snapshot(older, tmp_path / "too-early", print)
    layout = Layout.of(tmp_path / "runtime", "dep_change")
    layout.home.mkdir(parents=True)
    shutil.copyfile(legacy.database, layout.database)
    (layout.home / "airflow.cfg").write_text("[core]\n")
    database_of(older, layout).now_belongs_to(OLD)
    runs = scalar(layout.database, "select count(*) from dag_run")
    tasks = scalar(layout.database, "select count(*) from task_instance")
    assert runs > 0
    assert tasks > 0

    kept = runtime.snapshot(older, tmp_path / "kept", print)
    assert (kept.airflow_version, kept.dialect, kept.row_counts["dag_run"]) == (OLD, "sqlite", runs)
    up = runtime.convert(older, newer, None, print)
    assert not up.was_done
    assert scalar(layout.database, "select count(*) from dag_run") == runs
    assert scalar(layout.database, "select count(*) from task_instance") == tasks
    assert json.loads(layout.migrated.read_text())["airflow_version"] == NEW
    assert not (layout.home / "airflow.cfg").exists()
    assert runtime.convert(older, newer, None, print).was_done

    # killed between the swap and the note of it: the same call finds the work done
    layout.conversion.unlink()
    database_of(older, layout).now_belongs_to(OLD)
    runtime.convert(older, newer, None, print)
    assert scalar(layout.database, "select count(*) from task_instance") == tasks

    with closing(sqlite3.connect(layout.database)) as connection:
        # as Airflow writes: each change of a run moves its updated_at, by which the way back knows it
        connection.execute(
            "update dag_run set state = 'failed', updated_at = ? where id = (select max(id) from dag_run)",
            (datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f"),),
        )
        connection.commit()
    back = runtime.convert(newer, replace(older, generation=3), tmp_path / "kept", print)
    assert back.loss is not None
    assert json.loads(layout.migrated.read_text())["airflow_version"] == OLD
    assert scalar(layout.database, "select count(*) from dag_run") == runs
    assert scalar(layout.database, "select state from dag_run where id = (select max(id) from dag_run)") == "failed"
    assert scalar(layout.database, "select count(*) from task_instance") == tasks

    runtime.restore(older, tmp_path / "kept", print)
    assert scalar(layout.database, "select state from dag_run where id = (select max(id) from dag_run)") != "failed"


def test_a_database_without_a_start_needs_no_conversion(
    runtime: LocalRuntime, spec: RuntimeSpec, tmp_path: Path
) -> None:
    layout = Layout.of(tmp_path / "runtime", spec.deployment_id)
    layout.folder.mkdir(parents=True)
    assert Database(layout, Secret(f"sqlite:///{layout.database}"), "key").airflow_version is None
    older = replace(spec, airflow_version=OLD)
    assert runtime.convert(spec, older, None, print).rows_after == {}
    assert runtime.running_tasks(spec) == ()


def test_dags_are_sorted_by_what_the_change_does_to_them() -> None:
    def dag(name: str, digest: str) -> ParsedDag:
        return ParsedDag(name, f"dags/{name}.py", {"dag": {"dag_id": name, "tasks": []}}, digest)

    old_failure = ImportFailure("dags/always.py", 1, "import-error", "It never loaded.")
    new_failure = ImportFailure("dags/gone.py", 2, "missing-module", "No module named old.")
    before = ParseResult((dag("same", "1"), dag("gone", "2")), (old_failure,), 0.1)
    after = ParseResult((dag("same", "1"),), (old_failure, new_failure), 0.1)
    problems: list[str] = []
    found = judge_dags(before, after, problems)
    assert (found["equal"], found["gone"]) == (1, ["gone"])
    assert [row["file"] for row in found["broken"]] == ["dags/gone.py"]
    assert len(problems) == 2
    assert "dags/gone.py" in problems[0]


def test_packages_are_compared_by_name() -> None:
    found = compare_packages({"a": "1", "b": "1", "gone": "1"}, {"a": "1", "b": "2", "new": "3"})
    assert found["changed"] == [{"name": "b", "before": "1", "after": "2"}]
    assert found["added"] == [{"name": "new", "after": "3"}]
    assert found["removed"] == [{"name": "gone", "before": "1"}]
