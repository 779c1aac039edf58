"""An estate that is moved in parts: what one conversion adds, another one awaits; and what a job changes is there before anything follows it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.rooms.migration.convert.controlm.sample import convert, dag_of, functions_of

from aerodrome.kernel.errors import Invalid
from aerodrome.migration.convert.contract import Code, Dag


def job(name: str, inside: str = "", more: str = "") -> str:
    return f'<JOB JOBNAME="{name}" TASKTYPE="Command" CMDLINE="{name}" DAYS="ALL" {more}>{inside}</JOB>'


def folder(name: str, *jobs: str, inside: str = "") -> str:
    kind = "SMART_FOLDER" if inside else "FOLDER"
    return f'<{kind} FOLDER_NAME="{name}" FOLDER_ORDER_METHOD="SYSTEM" DAYS="ALL">{inside}{"".join(jobs)}</{kind}>'


def out(name: str, sign: str = "+", odate: str = "ODAT") -> str:
    return f'<OUTCOND NAME="{name}" ODATE="{odate}" SIGN="{sign}"/>'


def wait(name: str, odate: str = "ODAT", joins: str = "A") -> str:
    return f'<INCOND NAME="{name}" ODATE="{odate}" AND_OR="{joins}"/>'


def edges(dag: Dag) -> set[tuple[str, str]]:
    return {(edge.before, edge.after) for edge in dag.edges}


def codes(dag: Dag) -> set[str]:
    return {item.code for item in dag.accounts if item.code}


def reasons(dag: Dag, code: str) -> list[str]:
    return [item.reason for item in dag.accounts if item.code == code]


class Variables:
    """Airflow's variables, as one side of a wave leaves them for the other."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    def get(self, key: str, default: str | None) -> str | None:
        return self.kept.get(key, default)

    def set(self, key: str, value: str) -> None:
        self.kept[key] = value

    def delete(self, key: str) -> None:
        del self.kept[key]


RUN = SimpleNamespace(conf=None, logical_date=datetime(2026, 3, 9, 12, tzinfo=UTC), run_after=None)


def do(dag: Dag, task_id: str, variables: Variables, odate: str = "") -> object:
    """Call the function of a task as its DAG file does."""
    given = dict(dag.task(task_id).arguments)
    space = functions_of(dag) | {"Variable": variables}
    exec("\n".join(function.source for function in dag.functions), space)
    kwargs, function = given["op_kwargs"], given["python_callable"]
    assert isinstance(kwargs, dict)
    assert isinstance(function, Code)
    made: object = space[function.text](**kwargs, dag_run=SimpleNamespace(conf={"odate": odate}) if odate else RUN)
    return made


@pytest.mark.parametrize("odate", ["ODAT", "STAT"])
def test_a_condition_that_nobody_here_awaits_is_added_for_those_converted_apart(tmp_path: Path, odate: str) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    makers = dag_of(convert(tmp_path / "one", folder("MILL", job("GRIND", out("FLOUR-OK", odate=odate)))), "MILL")
    takers = dag_of(convert(tmp_path / "two", folder("OVEN", job("BAKE", wait("FLOUR-OK", odate)))), "OVEN")
    variables = Variables()
    assert do(takers, "BAKE_waits_FLOUR-OK", variables) is False
    assert ("GRIND", "GRIND_adds_FLOUR-OK") in edges(makers)
    do(makers, "GRIND_adds_FLOUR-OK", variables)
    assert do(takers, "BAKE_waits_FLOUR-OK", variables) is True
    (told,) = reasons(makers, "condition-unawaited")
    assert "FLOUR-OK" in told
    assert "unawaited_conditions" in told
    (told,) = reasons(takers, "condition-unknown-producer")
    assert "kept_conditions" in told
    assert ("MMDD" in told) == (odate == "ODAT")


@pytest.mark.parametrize(("odate", "is_kept"), [("ODAT", False), ("PREV", False), ("+001", False), ("STAT", True)])
def test_a_condition_of_a_date_does_not_count_a_year_later(tmp_path: Path, odate: str, is_kept: bool) -> None:
    """Nobody deletes it, and Control-M's names of conditions have no year: there, the conditions of old dates are cleared."""
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    makers = dag_of(convert(tmp_path / "one", folder("MILL", job("GRIND", out("FLOUR-OK", odate=odate)))), "MILL")
    takers = dag_of(convert(tmp_path / "two", folder("OVEN", job("BAKE", wait("FLOUR-OK", odate)))), "OVEN")
    variables = Variables()
    do(makers, "GRIND_adds_FLOUR-OK", variables, "20260101")
    assert do(takers, "BAKE_waits_FLOUR-OK", variables, "20260101") is True
    assert do(takers, "BAKE_waits_FLOUR-OK", variables, "20270101") is is_kept
    do(makers, "GRIND_adds_FLOUR-OK", variables, "20270101")
    assert do(takers, "BAKE_waits_FLOUR-OK", variables, "20270101") is True


def test_a_condition_that_does_not_say_its_year_fails_the_wait_for_it(tmp_path: Path) -> None:
    takers = dag_of(convert(tmp_path, folder("OVEN", job("BAKE", wait("FLOUR-OK")))), "OVEN")
    variables = Variables()
    variables.set("controlm.condition.FLOUR-OK.0309", "1")
    with pytest.raises(ValueError, match="set it to 20260309"):
        do(takers, "BAKE_waits_FLOUR-OK", variables)


@pytest.mark.parametrize(
    ("odate", "day", "year"), [("20260101", "1231", "2025"), ("20261231", "0101", "2027"), ("20250301", "0229", "2024")]
)
def test_a_month_and_day_that_a_command_names_is_the_nearest_one(
    tmp_path: Path, odate: str, day: str, year: str
) -> None:
    text = folder("F", job("J").replace('CMDLINE="J"', f'CMDLINE="ctmcontb -ADD DONE {day}"'))
    variables = Variables()
    do(dag_of(convert(tmp_path, text), "F"), "J", variables, odate)
    assert variables.kept == {f"controlm.condition.DONE.{day}": f"{year}{day}"}


def test_a_condition_of_a_folder_and_of_an_on_block_is_added_too(tmp_path: Path) -> None:
    bad = '<ON STMT="*" CODE="NOTOK"><DOCOND NAME="MILL-BAD" ODATE="ODAT" SIGN="+"/></ON>'
    dag = dag_of(convert(tmp_path, folder("MILL", job("GRIND", bad), inside=out("MILL-OK"))), "MILL")
    assert ("MILL_ended", "MILL_adds_MILL-OK") in edges(dag)
    assert ("GRIND_notok", "GRIND_adds_MILL-BAD") in edges(dag)


def test_a_condition_that_nobody_here_adds_is_deleted_for_those_converted_apart(tmp_path: Path) -> None:
    dag = dag_of(convert(tmp_path, folder("MILL", job("SWEEP", out("DUST", "-")))), "MILL")
    variables = Variables()
    variables.set("controlm.condition.DUST.0309", "20260309")
    do(dag, "SWEEP_deletes_DUST", variables)
    assert not variables.kept


def test_the_profile_drops_what_nobody_awaits_and_keeps_what_it_names(tmp_path: Path) -> None:
    text = folder("MILL", job("GRIND", out("FLOUR-OK") + out("BRAN-OK")), job("PACK", wait("FLOUR-OK")))
    plain = dag_of(convert(tmp_path, text), "MILL")
    assert [task.full_id for task in plain.tasks] == ["GRIND", "GRIND_adds_BRAN-OK", "PACK"]
    dropped = dag_of(convert(tmp_path, text, {"unawaited_conditions": "drop"}), "MILL")
    assert [task.full_id for task in dropped.tasks] == ["GRIND", "PACK"]
    assert "condition-unawaited" not in codes(dropped)
    named = dag_of(convert(tmp_path, text, {"kept_conditions": ["FLOUR-*"], "unawaited_conditions": "drop"}), "MILL")
    variables = Variables()
    for task in named.tasks:
        if "_adds_" in task.full_id:
            do(named, task.full_id, variables)
    assert set(variables.kept) == {"controlm.condition.FLOUR-OK", "controlm.condition.FLOUR-OK.0309"}
    for wrong in ({"unawaited_conditions": "maybe"}, {"kept_conditions": "FLOUR"}):
        with pytest.raises(Invalid):
            convert(tmp_path, text, wrong)


def test_what_cannot_be_said_of_an_unawaited_condition_is_told_and_stops_no_run(tmp_path: Path) -> None:
    """Nobody here needs it: a task that raises would fail each run for nothing."""
    odd = '<JOB JOBNAME="ODD" TASKTYPE="Command" CMDLINE="x" WEEKDAYS="1,3">' + out("X-OK", odate="NEXT") + "</JOB>"
    dag = dag_of(convert(tmp_path, folder("F", odd)), "F")
    assert not [task for task in dag.tasks if task.role == "raises"]
    assert any("X-OK" in text for text in reasons(dag, "condition-unawaited"))
    cyclic = job("TICK", more='CYCLIC="1" INTERVAL="00010M" IND_CYCLIC="S"')
    (tmp_path / "other").mkdir()
    made = convert(tmp_path / "other", folder("G", cyclic, inside=out("G-OK"))).dags
    assert not [task for item in made for task in item.tasks if task.role == "raises"]


SETS = '<ON STMT="*" CODE="OK"><DOVARIABLE NAME="%%\\COUNT" VALUE="7"/></ON>'


def test_what_a_job_sets_is_there_before_what_follows_it(tmp_path: Path) -> None:
    dag = dag_of(convert(tmp_path, folder("F", job("A", out("A-OK") + SETS), job("B", wait("A-OK")))), "F")
    assert edges(dag) == {("A", "A_sets__COUNT"), ("A_sets__COUNT", "B")}


def test_either_of_two_jobs_is_followed_after_what_it_sets(tmp_path: Path) -> None:
    both = job("C", wait("A-OK") + wait("B-OK", joins="O"))
    dag = dag_of(convert(tmp_path, folder("F", job("A", out("A-OK") + SETS), job("B", out("B-OK")), both)), "F")
    assert {before for before, after in edges(dag) if after == "C"} == {"A_sets__COUNT", "B"}
    assert dag.task("C").trigger_rule == "one_success"


def test_what_a_job_sets_when_it_fails_is_there_before_its_handler(tmp_path: Path) -> None:
    sets = SETS.replace('"OK"', '"NOTOK"').replace("</ON>", '<DOCOND NAME="A-BAD" ODATE="ODAT" SIGN="+"/></ON>')
    dag = dag_of(convert(tmp_path, folder("F", job("A", sets), job("B", wait("A-BAD")))), "F")
    assert {("A_notok", "A_sets__COUNT"), ("A_sets__COUNT", "B")} <= edges(dag)
    assert ("A_notok", "B") not in edges(dag)
    assert {after for before, after in edges(dag) if before == "A"} == {"A_end", "A_ok"}


def test_a_folder_waits_for_what_a_job_of_another_one_sets(tmp_path: Path) -> None:
    text = folder("F", job("A", out("A-OK") + SETS)) + folder("G", job("B", wait("A-OK")))
    dag = dag_of(convert(tmp_path, text), "G")
    assert [dict(task.arguments).get("external_task_id") for task in dag.tasks] == ["A_sets__COUNT", None]


def test_several_changes_of_a_job_stand_in_a_row(tmp_path: Path) -> None:
    """B deletes a kept condition and adds another one before C, which follows it by an edge."""
    jobs = (
        job("A", wait("ROUND", odate="****") + out("A-OK")),
        job("B", wait("A-OK") + out("ROUND", "-", "****") + out("B-OK") + out("NEXT-OK", odate="STAT")),
        job("C", wait("B-OK") + out("ROUND", odate="STAT")),
        job("D", wait("NEXT-OK", odate="STAT") + wait("B-OK"), more='MAXWAIT="1"'),
    )
    dag = dag_of(convert(tmp_path, folder("F", *jobs), {"kept_conditions": ["NEXT-OK"]}), "F")
    chain = ["B", "B_deletes_ROUND", "B_adds_NEXT-OK"]
    assert set(zip(chain, [*chain[1:], "C"], strict=True)) <= edges(dag)
    assert {before for before, after in edges(dag) if after == "C"} == {"B_adds_NEXT-OK"}


def test_the_condition_of_a_flow_has_the_name_by_which_people_add_it(tmp_path: Path) -> None:
    """Two cyclic flows make a circle, which a dummy job starts each day."""
    names = ("LOOK", "SORT")
    jobs = {name: {"Type": "Job:Command", "Command": name, "Host": "h", "RunAs": "u"} for name in names}
    event = {"Event": "back_from_RING_folder_job_SORT_to_RING_folder_job_LOOK"}
    ring = {
        "Type": "Folder",
        "Start": {"Type": "Job:Dummy", "Add": {"Type": "AddEvents", "Events": [event]}},
        **jobs,
        "there": {"Type": "Flow", "Sequence": ["LOOK", "SORT"]},
        "back": {"Type": "Flow", "Sequence": ["SORT", "LOOK"]},
    }
    dag = dag_of(convert(tmp_path, json.dumps({"RING": ring}), name="ring.json"), "RING")
    above = {before for before, after in edges(dag) if after == "LOOK"}
    assert any(name.startswith("Start") for name in above), above
    assert "condition-unawaited" not in codes(dag)
    (deletes,) = (task.full_id for task in dag.tasks if "_deletes_" in task.full_id)
    assert {("LOOK", deletes), (deletes, "SORT")} <= edges(dag)
