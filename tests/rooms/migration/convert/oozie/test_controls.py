"""What is said of the controls of a coordinator, also of those that it leaves to Oozie."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.migration.convert.contract import Account, Dag
from aerodrome.migration.convert.oozie.reading import read

_COORDINATOR = """<coordinator-app name="c" frequency="${coord:days(1)}" start="2024-03-01T00:00Z" end="2024-06-01T00:00Z" timezone="UTC"
  xmlns="uri:oozie:coordinator:0.4">{controls}{data}<action><workflow><app-path>/apps/elsewhere</app-path></workflow></action></coordinator-app>"""
_DATA = """<datasets><dataset name="d" frequency="${coord:days(1)}" initial-instance="2024-01-01T00:00Z" timezone="UTC">
  <uri-template>/d/${DAY}</uri-template></dataset></datasets><input-events><data-in name="d" dataset="d"><instance>${coord:current(0)}</instance></data-in></input-events>"""


def convert(folder: Path, controls: str, data: str = _DATA) -> Dag:
    (folder / "coordinator.xml").write_text(_COORDINATOR.replace("{controls}", controls).replace("{data}", data))
    (dag,) = read(folder, {}).dags
    return dag


def accounts(dag: Dag, element: str) -> list[Account]:
    return [item for item in dag.accounts if item.element == f"coordinator/{element}"]


@pytest.mark.parametrize(
    ("controls", "most", "codes"),
    [
        ("", 1, "waiting-runs-count"),
        ("<controls><timeout>-1</timeout></controls>", 1, "waiting-runs-count"),
        ("<controls><concurrency>3</concurrency></controls>", 3, "waiting-runs-count"),
        ("<controls><concurrency>${many}</concurrency></controls>", 1, "concurrency-unknown,waiting-runs-count"),
        ("<controls><concurrency>-1</concurrency></controls>", None, "waiting-runs-count"),
    ],
)
def test_runs_that_wait_hold_up_others(tmp_path: Path, controls: str, most: int | None, codes: str) -> None:
    dag = convert(tmp_path, controls)
    (account,) = accounts(dag, "concurrency")
    assert dag.max_active_runs == most
    assert account.code == codes
    assert f"among the {most or 'max_active_runs_per_dag of Airflow (16)'} that go" in account.reason


def test_without_data_nothing_waits(tmp_path: Path) -> None:
    assert not accounts(convert(tmp_path, "", ""), "concurrency")


@pytest.mark.parametrize(
    ("execution", "outcome", "code"),
    [
        ("FIFO", "converted", ""),
        ("${order}", "caveat", "execution-unknown"),
        ("PARALLEL", "raises", "execution-refused"),
        ("lifo", "raises", "execution-refused"),  # Oozie compares the words as they are written
    ],
)
def test_an_execution_that_nobody_knows_is_no_fifo_without_a_word(
    tmp_path: Path, execution: str, outcome: str, code: str
) -> None:
    dag = convert(tmp_path, f"<controls><execution>{execution}</execution></controls>")
    assert [(item.outcome, item.code) for item in accounts(dag, "execution")] == [(outcome, code)]
    assert any(task.role == "raises" for task in dag.tasks) == (outcome == "raises")
