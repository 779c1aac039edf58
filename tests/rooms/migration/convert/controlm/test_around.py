"""Cyclic jobs, which run in DAGs of their own, obey the folders around them: windows, conditions, confirmation."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from bench.controlm_dates import date_changes
from tests.rooms.migration.convert.controlm.sample import arguments, convert, dag_of, functions_of

from aerodrome.migration.convert.contract import Call, Code, Dag
from aerodrome.migration.convert.controlm.definitions.gathering import gather
from aerodrome.migration.convert.controlm.proof.comparison import compare
from aerodrome.migration.convert.controlm.site import read_site
from aerodrome.migration.convert.controlm.world import plan_world

CYCLIC = 'CYCLIC="1" CYCLIC_TYPE="C" INTERVAL="00060M" IND_CYCLIC="S"'


def job(name: str, inside: str = "", more: str = "") -> str:
    return f'<JOB JOBNAME="{name}" TASKTYPE="Command" CMDLINE="{name}" {more}><RULE_BASED_CALENDARS NAME="*"/>{inside}</JOB>'


def smart(inside: str, more: str = "") -> str:
    return f'<SMART_FOLDER FOLDER_NAME="YARD" FOLDER_ORDER_METHOD="SYSTEM" DAYS="ALL" {more}>{inside}</SMART_FOLDER>'


def waits(name: str) -> str:
    return f'<INCOND NAME="{name}" ODATE="ODAT" AND_OR="A"/>'


def conditions(dag: Dag) -> dict[str, object]:
    """Give what each task of a DAG does with stored conditions: task -> name."""
    given = {task.full_id: arguments(task).get("op_kwargs") for task in dag.tasks}
    return {name: found["name"] for name, found in given.items() if isinstance(found, dict) and "name" in found}


def cron_of(dag: Dag) -> object:
    call = dag.schedule.expression
    return call.arguments[0] if isinstance(call, Call) else call


def codes(dag: Dag) -> set[str]:
    return {item.code for item in dag.accounts if item.code}


def edges(dag: Dag) -> set[tuple[str, str]]:
    return {(edge.before, edge.after) for edge in dag.edges}


@pytest.mark.parametrize("held", [waits("READY"), ""], ids=["conditions", "confirmed"])
def test_a_cyclic_job_starts_when_its_folder_has_started(tmp_path: Path, held: str) -> None:
    more = 'TIMEFROM="0600" TIMETO="1800"' + ("" if held else ' CONFIRM="1"')
    made = convert(tmp_path, smart(f"{held}{job('ONCE')}{job('POLL', '', CYCLIC)}", more))
    yard, poll = dag_of(made, "YARD"), dag_of(made, "YARD__POLL")
    assert conditions(yard)["YARD_tells_start"] == "YARD.started"
    assert ("YARD_starts", "YARD_tells_start") in edges(yard)
    assert conditions(poll) == {"YARD_waits_YARD_started": "YARD.started"}
    assert edges(poll) == {("YARD_waits_YARD_started", "POLL")}
    assert cron_of(poll) == "0 6-18 * * *"


def test_a_cyclic_job_keeps_inside_of_the_window_of_its_folder(tmp_path: Path) -> None:
    text = smart(job("POLL", "", f'{CYCLIC} TIMEFROM="0400" TIMETO="1200"'), 'TIMEFROM="0600" TIMETO="1800"')
    made = convert(tmp_path, text)
    assert [dag.dag_id for dag in made.dags] == ["YARD__POLL"]
    assert cron_of(made.dags[0]) == "0 6-12 * * *"
    assert conditions(made.dags[0]) == {}


def test_a_folder_of_cyclic_jobs_only_waits_and_tells_what_it_cannot_do(tmp_path: Path) -> None:
    out = '<OUTCOND NAME="DONE" ODATE="ODAT" SIGN="+"/>'
    made = convert(tmp_path, smart(f"{waits('READY')}{out}{job('POLL', '', CYCLIC)}") + smart_after("DONE"))
    yard, poll = dag_of(made, "YARD"), dag_of(made, "YARD__POLL")
    assert cron_of(yard) == "0 0 * * *"
    assert conditions(yard)["YARD_waits_READY"] == "READY"
    assert conditions(poll) == {"YARD_waits_YARD_started": "YARD.started"}
    assert "folder-end" in codes(yard)


def smart_after(name: str) -> str:
    return f'<SMART_FOLDER FOLDER_NAME="SHOP" FOLDER_ORDER_METHOD="SYSTEM" DAYS="ALL">{job("SELL", waits(name))}</SMART_FOLDER>'


def test_a_cyclic_job_in_a_sub_folder_waits_for_that(tmp_path: Path) -> None:
    sub = f'<SUB_FOLDER JOBNAME="SHED"><RULE_BASED_CALENDARS NAME="*"/>{waits("GROUND")}{job("POLL", "", CYCLIC)}</SUB_FOLDER>'
    first = job("GRIND", '<OUTCOND NAME="GROUND" ODATE="ODAT" SIGN="+"/>')
    made = convert(tmp_path, smart(f"{first}{sub}"))
    yard, poll = dag_of(made, "YARD"), dag_of(made, "YARD__POLL")
    assert ("GRIND", "SHED.SHED_starts") in edges(yard)
    assert conditions(yard) == {"SHED.SHED_tells_start": "YARD.SHED.started"}
    assert conditions(poll) == {"SHED_waits_YARD_SHED_started": "YARD.SHED.started"}


def test_times_of_another_zone_are_asked_for(tmp_path: Path) -> None:
    text = smart(job("POLL", "", f'{CYCLIC} TIMEFROM="0900" TIMETO="1700" TIMEZONE="TYO"'))
    made = convert(tmp_path, text)
    assert made.dags[0].schedule.expression is None
    assert "cyclic-zone" in {question.code for question in made.questions}


def test_a_job_that_is_ordered_alone_does_not_belong_to_its_folder(tmp_path: Path) -> None:
    forced = '<ON STMT="*" CODE="OK"><DOFORCEJOB TABLE_NAME="YARD" NAME="LOAD" ODATE="ODAT"/></ON>'
    caller = f'<FOLDER FOLDER_NAME="CALL" FOLDER_ORDER_METHOD="SYSTEM"><JOB JOBNAME="C" TASKTYPE="Command" CMDLINE="c" DAYS="ALL">{forced}</JOB></FOLDER>'
    held = smart(f"{waits('READY')}{job('LOAD')}{job('REST')}", 'TIMEFROM="0600" CONFIRM="1"')
    alone = dag_of(convert(tmp_path, caller + held), "YARD__LOAD")
    assert [task.full_id for task in alone.tasks] == ["LOAD"]


def test_what_a_job_of_an_adjusting_folder_waits_for_does_not_hold_others_where_it_is_not_ordered(
    tmp_path: Path,
) -> None:
    rules = '<RULE_BASED_CALENDAR NAME="FIRST" DAYS="1"/><RULE_BASED_CALENDAR NAME="EACH" DAYS="ALL"/>'
    jobs = (
        job("A", '<OUTCOND NAME="A-OK" ODATE="ODAT" SIGN="+"/>'),
        job("B", waits("A-OK") + '<OUTCOND NAME="B-OK" ODATE="ODAT" SIGN="+"/>').replace('NAME="*"', 'NAME="FIRST"'),
        job("C", waits("B-OK")),
    )
    dag = dag_of(
        convert(tmp_path, smart(rules + "".join(jobs).replace('NAME="*"', 'NAME="EACH"'), 'ADJUST_COND="Y"')), "YARD"
    )
    assert {("A", "B"), ("B_is_ordered", "B"), ("B", "C")} <= edges(dag)
    assert [choice.tasks for choice in dag.task("B_is_ordered").choices] == [("B",), ()]
    choose, run = functions_of(dag)["when_ordered"], SimpleNamespace(conf={"odate": "20260302"})
    assert [choose("B", is_ordered, run) for is_ordered in (lambda _: True, lambda _: False)] == ["B", None]
    assert choose("B", lambda _: False, SimpleNamespace(conf={"odate": "20260302", "is_forced": True})) == "B"
    world = plan_world(gather(tmp_path), read_site({}))
    assert list(compare(world, world.plans[0], dag)) == []


@pytest.mark.parametrize(
    ("folder", "sub", "code"),
    [("D", "N", "conditions-dummies"), ("N", "Y", "conditions-adjusted"), ("Y", "N", ""), ("N", "N", "")],
)
def test_other_words_of_adjusting_are_told(tmp_path: Path, folder: str, sub: str, code: str) -> None:
    inner = f'<SUB_FOLDER JOBNAME="SHED" ADJUST_COND="{sub}"><RULE_BASED_CALENDARS NAME="*"/>{job("A")}</SUB_FOLDER>'
    dag = dag_of(convert(tmp_path, smart(inner, f'ADJUST_COND="{folder}"')), "YARD")
    assert [item.code for item in dag.accounts if "ADJUST_COND" in item.element] == ([code] if code else [])


@pytest.mark.parametrize(
    ("criteria", "days"),
    [('DAYS="ALL"', -1), ('WEEKDAYS="1,3"', "date_before_is_ordered_1")],
    ids=["daily", "twice a week"],
)
def test_a_folder_waits_for_its_own_end_on_the_date_before(tmp_path: Path, criteria: str, days: object) -> None:
    own = '<INCOND NAME="LAST" ODATE="PREV" AND_OR="A"/><OUTCOND NAME="LAST" ODATE="ODAT" SIGN="+"/>'
    text = f'<SMART_FOLDER FOLDER_NAME="YARD" FOLDER_ORDER_METHOD="SYSTEM" {criteria}>{own}{job("A")}</SMART_FOLDER>'
    yard = dag_of(convert(tmp_path, text), "YARD")
    given = arguments(yard.task("YARD_waits_LAST"))["op_kwargs"]
    assert isinstance(given, dict)
    assert (given["days"].text if isinstance(given["days"], Code) else given["days"]) == days
    assert arguments(yard.task("YARD_adds_LAST"))["op_kwargs"] == {"name": "LAST", "days": 0, "is_added": True}
    assert not {"condition-previous", "condition-other-wave"} & codes(yard)
    assert list(date_changes(plan_world(gather(tmp_path), read_site({})).plans[0], yard)) == []
