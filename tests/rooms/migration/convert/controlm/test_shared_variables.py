"""Variables with which jobs hand values to others: global ones, those of a pool, those of a SMART folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.rooms.migration.convert.controlm.sample import convert, dag_of

from aerodrome.migration.convert.contract import Dag


def job(name: str, command: str, inside: str = "", kind: str = "Command") -> str:
    return f'<JOB JOBNAME="{name}" TASKTYPE="{kind}" CMDLINE="{command}" NODEID="h" DAYS="ALL">{inside}</JOB>'


def variable(name: str, value: str) -> str:
    return f'<VARIABLE NAME="%%{name}" VALUE="{value}"/>'


def made(folder: Path, *jobs: str, inside: str = "") -> Dag:
    text = f'<SMART_FOLDER FOLDER_NAME="MILL" FOLDER_ORDER_METHOD="SYSTEM" DAYS="ALL">{inside}{"".join(jobs)}</SMART_FOLDER>'
    return dag_of(convert(folder, text, {"default_host": "worker"}), "MILL")


def values(dag: Dag, task_id: str) -> object:
    given = dict(dag.task(task_id).arguments)["op_kwargs"]
    assert isinstance(given, dict)
    return given["values"]


def reasons(dag: Dag, code: str) -> list[str]:
    return [item.reason for item in dag.accounts if item.code == code]


def command(dag: Dag, task_id: str) -> str:
    return str(dict(dag.task(task_id).arguments)["bash_command"])


@pytest.mark.parametrize("kind", ["Command", "Dummy"])
def test_a_job_sets_its_shared_variables_before_it_runs(tmp_path: Path, kind: str) -> None:
    inside = variable("\\HARVEST", "%%$ODATE") + variable("\\\\STEP", "s1") + variable("\\\\STOCK\\FLOUR", "12")
    dag = made(
        tmp_path, job("A", "a", inside, kind), job("B", "b %%HARVEST %%STEP %%\\\\STOCK\\FLOUR %%\\HARVEST %%\\\\STEP")
    )
    assert [(edge.before, edge.after) for edge in dag.edges] == [("A_sets", "A")]
    assert values(dag, "A_sets") == {
        "controlm.HARVEST": "{{ odate(dag_run).strftime('%Y%m%d') }}",
        "controlm.MILL.STEP": "s1",
        "controlm.STOCK.FLOUR": "12",
    }
    for key in ("controlm.HARVEST", "controlm.MILL.STEP", "controlm.STOCK.FLOUR"):
        assert f"var.value['{key}']" in command(dag, "B")
    assert not reasons(dag, "variable-unknown")
    assert any("two dates" in text for text in reasons(dag, "variable-shared"))


def test_what_an_on_block_sets_is_known(tmp_path: Path) -> None:
    sets = (
        '<ON STMT="*" CODE="OK"><DOVARIABLE NAME="%%\\DONE" VALUE="yes"/><DOVARIABLE NAME="%%\\\\STEP" VALUE="2"/></ON>'
    )
    dag = made(tmp_path, job("A", "a", sets), job("B", "b %%DONE %%STEP %%OTHER"))
    assert "var.value['controlm.DONE'] }} {{ var.value['controlm.MILL.STEP']" in command(dag, "B")
    (told,) = reasons(dag, "variable-unknown")
    assert "controlm.OTHER" in told


def test_a_value_may_read_what_was_set_before_it_and_itself(tmp_path: Path) -> None:
    inside = variable("\\ONE", "1") + variable("\\TWO", "%%\\ONE..x") + variable("\\COUNT", "%%\\COUNT %%PLUS 1")
    dag = made(tmp_path, job("A", "a %%\\COUNT", inside))
    assert [task.full_id for task in dag.tasks] == ["A_sets", "A_sets_2", "A"]
    assert values(dag, "A_sets") == {"controlm.ONE": "1"}
    assert values(dag, "A_sets_2") == {
        "controlm.TWO": "{{ var.value['controlm.ONE'] }}.x",
        "controlm.COUNT": "{{ (var.value['controlm.COUNT'] | int) + ('1' | int) }}",
    }


def test_a_variable_of_the_smart_folder_has_its_value_by_both_names(tmp_path: Path) -> None:
    dag = made(tmp_path, job("A", "a %%BIN %%\\\\BIN"), inside=variable("\\\\BIN", "/opt/mill"))
    assert command(dag, "A") == "a /opt/mill /opt/mill"


def test_a_global_variable_of_a_folder_is_told(tmp_path: Path) -> None:
    dag = made(tmp_path, job("A", "a %%SEASON"), inside=variable("\\SEASON", "wet"))
    assert "controlm.SEASON" in reasons(dag, "variable-folder")[0]


def test_a_skipped_job_sets_nothing(tmp_path: Path) -> None:
    """Its variables are set on its dates only."""
    some = '<JOB JOBNAME="A" TASKTYPE="Command" CMDLINE="a" WEEKDAYS="1">' + variable("\\DAY", "x") + "</JOB>"
    dag = made(tmp_path, some, job("B", "b"))
    assert "pre_execute" in dict(dag.task("A_sets").arguments)
