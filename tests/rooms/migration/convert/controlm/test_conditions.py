"""Jobs must wait for what they waited for: edges, gates, waits for other DAGs, stored conditions, and a whole day compared with Control-M."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import product
from pathlib import Path
from random import Random
from types import SimpleNamespace

import pytest
from tests.rooms.migration.convert.controlm.sample import EXPORTS, check_of, convert, dag_of, functions_of

from aerodrome.migration.convert.contract import Call, Code, Dag, Edge
from aerodrome.migration.convert.controlm.definitions.gathering import gather
from aerodrome.migration.convert.controlm.definitions.model import Wait
from aerodrome.migration.convert.controlm.proof.comparison import compare
from aerodrome.migration.convert.controlm.reading import read
from aerodrome.migration.convert.controlm.site import read_site
from aerodrome.migration.convert.controlm.waits.conditions import holds, is_ambiguous, tree_of
from aerodrome.migration.convert.controlm.world import plan_world
from aerodrome.migration.convert.emission.dagfile import write_dag


def job(name: str, inside: str = "", more: str = "") -> str:
    return f'<JOB JOBNAME="{name}" TASKTYPE="Command" CMDLINE="{name}" DAYS="ALL" {more}>{inside}</JOB>'


def folder(name: str, *jobs: str) -> str:
    return f'<FOLDER FOLDER_NAME="{name}" FOLDER_ORDER_METHOD="SYSTEM">{"".join(jobs)}</FOLDER>'


def adds(*names: str, odate: str = "ODAT") -> str:
    return "".join(f'<OUTCOND NAME="{name}" ODATE="{odate}" SIGN="+"/>' for name in names)


def waits(*names: str, odate: str = "ODAT", joins: str = "A") -> str:
    return "".join(f'<INCOND NAME="{name}" ODATE="{odate}" AND_OR="{joins}"/>' for name in names)


def edges(dag: Dag) -> set[tuple[str, str]]:
    return {(edge.before, edge.after) for edge in dag.edges}


def codes(dag: Dag) -> set[str]:
    return {item.code for item in dag.accounts if item.code}


@pytest.mark.parametrize(
    ("waiting", "meaning"),
    [
        ((Wait("A"), Wait("B"), Wait("C")), "A and B and C"),
        ((Wait("A"), Wait("B", joins="O"), Wait("C", joins="O")), "A or B or C"),
        ((Wait("A", opens=1), Wait("B", joins="O", closes=1), Wait("C")), "(A or B) and C"),
        ((Wait("A"), Wait("B", joins="O", opens=1), Wait("C", closes=1)), "A or (B and C)"),
        ((Wait("A", opens=2), Wait("B", closes=1), Wait("C", joins="O", closes=1)), "((A and B) or C)"),
    ],
)
def test_a_list_of_conditions_is_read_as_it_is_written(waiting: tuple[Wait, ...], meaning: str) -> None:
    tree = tree_of(waiting)
    for values in product((True, False), repeat=3):
        table = dict(zip("ABC", values, strict=True))
        assert holds(tree, {(name, "ODAT"): value for name, value in table.items()}) is eval(meaning, {}, table)


def test_and_and_or_without_parentheses_are_told() -> None:
    assert is_ambiguous((Wait("A"), Wait("B"), Wait("C", joins="O")))
    assert not is_ambiguous((Wait("A", opens=1), Wait("B", closes=1), Wait("C", joins="O")))


def test_a_condition_inside_a_folder_is_an_edge_and_its_deletion_is_none(tmp_path: Path) -> None:
    consume = waits("A-OK") + '<OUTCOND NAME="A-OK" ODATE="ODAT" SIGN="-"/>'
    dag = dag_of(convert(tmp_path, folder("F", job("A", adds("A-OK")), job("B", consume))), "F")
    assert edges(dag) == {("A", "B")}
    assert {task.trigger_rule for task in dag.tasks} == {"all_success"}
    assert not codes(dag) & {"condition-delete", "condition-shared"}


def test_either_of_two_is_one_success_and_a_mixture_gets_a_gate(tmp_path: Path) -> None:
    either = '<INCOND NAME="A" ODATE="ODAT" AND_OR="A"/><INCOND NAME="B" ODATE="ODAT" AND_OR="O"/>'
    mixed = (
        '<INCOND NAME="A" ODATE="ODAT" AND_OR="A" OP="("/><INCOND NAME="B" ODATE="ODAT" AND_OR="O" OP=")"/>'
        + waits("C")
    )
    text = folder("F", *(job(name, adds(name)) for name in "ABC"), job("EITHER", either), job("MIXED", mixed))
    dag = dag_of(convert(tmp_path, text), "F")
    assert dag.task("EITHER").trigger_rule == "one_success"
    assert {before for before, after in edges(dag) if after == "EITHER"} == {"A", "B"}
    assert dag.task("MIXED").trigger_rule == "all_success"
    assert {before for before, after in edges(dag) if after == "MIXED"} == {"MIXED_any_1", "C"}
    assert dag.task("MIXED_any_1").trigger_rule == "one_success"


def test_a_condition_that_two_jobs_add_is_met_by_any(tmp_path: Path) -> None:
    dag = dag_of(convert(tmp_path, folder("F", job("A", adds("X")), job("B", adds("X")), job("C", waits("X")))), "F")
    assert dag.task("C").trigger_rule == "one_success"


def run_at(moment: datetime, **conf: object) -> SimpleNamespace:
    return SimpleNamespace(conf=conf, logical_date=moment)


def test_a_forced_folder_waits_by_its_order_date_and_has_all_of_its_jobs(tmp_path: Path) -> None:
    force = '<ON STMT="*" CODE="OK"><DOFORCEJOB TABLE_NAME="W" NAME="" ODATE="ODAT"/></ON>'
    weekly = f'<JOB JOBNAME="USE" TASKTYPE="Command" CMDLINE="a" WEEKDAYS="1">{waits("X")}</JOB>'
    other = '<JOB JOBNAME="TUE" TASKTYPE="Command" CMDLINE="a" WEEKDAYS="2" TIMETO="2300"/>'
    text = folder("P", job("MAKE", adds("X"))) + folder("D", job("CALL", force)) + folder("W", weekly + other)
    conversion = convert(tmp_path, text)
    assert dict(dag_of(conversion, "D").task("CALL_orders_W").arguments)["conf"] == {
        "odate": "{{ odate(dag_run).strftime('%Y%m%d') }}",
        "is_forced": True,
    }
    dag = dag_of(conversion, "W")
    space = functions_of(dag)
    call = dict(dag.task("USE_waits_X_MAKE").arguments)["execution_date_fn"]
    assert isinstance(call, Code)
    thursday = space["datetime"](2026, 5, 7, 13, 44, tzinfo=space["ZoneInfo"]("UTC"))
    forced = run_at(thursday, odate="20260506", is_forced=True)
    assert f"{space[call.text](thursday, forced):%m%d %H%M}" == "0506 0000"
    for name in ("USE", "TUE"):
        check = eval(check_of(dag, name) or "", space)
        with pytest.raises(Exception, match=r"Not ordered|ended"):
            check({"dag_run": run_at(thursday)})
    eval(check_of(dag, "USE") or "", space)({"dag_run": forced})


def test_a_condition_that_a_folder_adds_when_it_ends_notok_is_not_taken_as_its_end(tmp_path: Path) -> None:
    inner = '<SUB_FOLDER JOBNAME="S"><ON STMT="*" CODE="NOTOK"><DOCOND NAME="BAD" ODATE="ODAT" SIGN="+"/></ON>{}</SUB_FOLDER>'
    text = f'<SMART_FOLDER FOLDER_NAME="F" FOLDER_ORDER_METHOD="SYSTEM" DAYS="ALL">{inner.format(job("A"))}{job("RESCUE", waits("BAD"))}</SMART_FOLDER>'
    dag = dag_of(convert(tmp_path, text), "F")
    assert dag.task("RESCUE_waits_BAD").role == "raises"
    assert "condition-folder-notok" in {item.code for item in dag.accounts if item.outcome == "raises"}
    assert not [task for task in dag.tasks if "adds_BAD" in task.task_id]


def test_a_condition_that_is_used_up_is_told_also_where_another_job_keeps_it(tmp_path: Path) -> None:
    used = waits("X") + '<OUTCOND NAME="X" ODATE="ODAT" SIGN="-"/>'
    again = job("AGAIN", waits("X") + adds("X"))  # a circle: for it the condition is kept
    dag = dag_of(convert(tmp_path, folder("F", job("MAKE", adds("X")), again, job("ONE", used), job("TWO", used))), "F")
    assert {item.name for item in dag.accounts if item.code == "condition-shared"} == {"ONE", "TWO"}


def test_one_of_several_jobs_where_conditions_are_adjusted_is_told(tmp_path: Path) -> None:
    made = '<JOB JOBNAME="{}" TASKTYPE="Command" CMDLINE="a" WEEKDAYS="{}">' + adds("X") + "</JOB>"
    text = f'<SMART_FOLDER FOLDER_NAME="F" FOLDER_ORDER_METHOD="SYSTEM" DAYS="ALL" ADJUST_COND="Y">{made.format("A", 1)}{made.format("B", 2)}{job("C", waits("X"))}</SMART_FOLDER>'
    dag = dag_of(convert(tmp_path, text), "F")
    assert dag.task("C").trigger_rule == "one_success"
    assert [item.name for item in dag.accounts if item.code == "conditions-adjusted"] == ["C"]


def test_a_handler_does_not_run_after_ok_where_conditions_are_adjusted(tmp_path: Path) -> None:
    block = '<ON STMT="*" CODE="NOTOK"><DOCOND NAME="BAD" ODATE="ODAT" SIGN="+"/></ON>'
    text = f'<SMART_FOLDER FOLDER_NAME="F" FOLDER_ORDER_METHOD="SYSTEM" DAYS="ALL" ADJUST_COND="Y">{job("A", block)}{job("RESCUE", waits("BAD"))}</SMART_FOLDER>'
    dag = dag_of(convert(tmp_path, text), "F")
    assert dag.task("RESCUE").trigger_rule == "all_success"
    assert "conditions-adjusted" in codes(dag)
    world = plan_world(gather(tmp_path), read_site({}))
    assert list(compare(world, world.plans[0], dag)) == []


def test_a_condition_of_another_folder_is_a_wait_for_its_run_of_the_same_date(tmp_path: Path) -> None:
    text = folder("P", job("MAKE", adds("X"), 'TIMEFROM="0430"')) + folder("C", job("USE", waits("X"), 'MAXWAIT="2"'))
    dag = dag_of(convert(tmp_path, text), "C")
    sensor = dict(dag.task("USE_waits_X_MAKE").arguments)
    assert (sensor["external_dag_id"], sensor["external_task_id"], sensor["soft_fail"]) == ("P", "MAKE", True)
    assert str(sensor["timeout"]) == "3 days, 0:00:00"
    space = functions_of(dag)
    assert isinstance(sensor["execution_date_fn"], Code)
    moment = space["datetime"](2026, 5, 4, tzinfo=space["ZoneInfo"]("UTC"))
    assert space[sensor["execution_date_fn"].text](moment, run_at(moment)) == moment.replace(hour=4, minute=30)


def test_conditions_that_do_not_cross_the_cutover_are_named(tmp_path: Path) -> None:
    text = folder("P", job("MAKE", adds("X"))) + folder("C", job("A", waits("X")), job("B", waits("OUTSIDE")))
    conversion = convert(tmp_path, text)
    (told,) = [item.reason for item in dag_of(conversion, "C").accounts if item.code == "conditions-at-cutover"]
    assert "where they have a date: OUTSIDE;" in told
    assert "have ended under Control-M: X." in told
    assert "conditions-at-cutover" not in codes(dag_of(conversion, "P"))
    (told,) = [item.reason for item in dag_of(conversion, "C").accounts if item.code == "condition-other-wave"]
    assert "Until P runs here" in told
    assert "skipped" in told
    assert "condition-other-wave" not in codes(dag_of(conversion, "P"))


def test_the_previous_date_is_the_date_on_which_the_job_was_ordered_before(tmp_path: Path) -> None:
    text = folder("P", job("MAKE", adds("X"))) + folder(
        "C", job("USE", waits("X", odate="PREV")).replace('DAYS="ALL"', 'WEEKDAYS="1,2,3,4,5"')
    )
    dag = dag_of(convert(tmp_path, text), "C")
    space = functions_of(dag)
    call = dict(dag.task("USE_waits_X_MAKE").arguments)["execution_date_fn"]
    assert isinstance(call, Code)
    monday = space["datetime"](2026, 5, 4, tzinfo=space["ZoneInfo"]("UTC"))
    assert f"{space[call.text](monday, run_at(monday)):%a %d}" == "Fri 01"
    assert "condition-first" in codes(dag)


def test_nobody_adds_it_so_it_is_an_airflow_variable_and_listed(tmp_path: Path) -> None:
    dag = dag_of(convert(tmp_path, folder("F", job("A", waits("FROM-OUTSIDE")))), "F")
    assert dag.task("A_waits_FROM-OUTSIDE").operator.name == "PythonSensor"
    told = [item for item in dag.accounts if item.code == "condition-unknown-producer"]
    assert len(told) == 1
    assert "controlm.condition.FROM-OUTSIDE" in told[0].reason
    key = functions_of(dag)["condition_key"]
    run = type("Run", (), {"conf": {"odate": "20260504"}})()
    assert key("X", run, 0) == "controlm.condition.X.0504"
    assert key("X", run, -4) == "controlm.condition.X.0430"
    assert key("X", run, None) == "controlm.condition.X"


def test_a_condition_without_a_date_is_kept_by_who_adds_it_and_removed_by_who_deletes_it(tmp_path: Path) -> None:
    consume = waits("S", odate="STAT") + '<OUTCOND NAME="S" ODATE="STAT" SIGN="-"/>'
    conversion = convert(tmp_path, folder("P", job("MAKE", adds("S", odate="STAT"))) + folder("C", job("USE", consume)))
    made = dict(dag_of(conversion, "P").task("MAKE_adds_S").arguments)["op_kwargs"]
    gone = dict(dag_of(conversion, "C").task("USE_deletes_S").arguments)["op_kwargs"]
    assert made == {"name": "S", "days": None, "is_added": True}
    assert gone == {"name": "S", "days": None, "is_added": False}


def test_a_circle_does_not_become_one(tmp_path: Path) -> None:
    text = folder("F", job("A", waits("B-OK") + adds("A-OK")), job("B", waits("A-OK") + adds("B-OK")))
    dag = dag_of(convert(tmp_path, text), "F")
    assert ("A", "B") in edges(dag) or ("B", "A") in edges(dag)
    assert "condition-stored" in codes(dag)
    write_dag(dag, "3.3")


def test_a_date_that_is_not_understood_raises(tmp_path: Path) -> None:
    dag = dag_of(convert(tmp_path, folder("F", job("A", waits("X", odate="0231A")))), "F")
    assert dag.task("A_waits_X").role == "raises"
    assert [item.outcome for item in dag.accounts if item.element == "INCOND"] == ["raises"]


def keys(dag: Dag, task_id: str, day: str) -> str:
    """Give the Airflow variable that a wait or a change of a condition is about, on an order date."""
    space = functions_of(dag)
    given = dict(dag.task(task_id).arguments)["op_kwargs"]
    assert isinstance(given, dict)
    days = space[given["days"].text] if isinstance(given["days"], Code) else given["days"]
    return str(space["condition_key"](given["name"], SimpleNamespace(conf={"odate": day}), days))


@pytest.mark.parametrize(
    ("days", "word", "expected"),
    [
        ('DAYS="ALL"', "PREV", "0302"),
        ('DAYS="ALL"', "NEXT", "0304"),
        ('DAYS="ALL"', "-002", "0301"),
        ('DAYS="1,3"', "PREV", "0301"),
        ('DAYS="3"', "PREV", "0203"),
    ],
)
def test_a_condition_of_another_date_that_nobody_adds_is_awaited_and_deleted_with_that_date(
    tmp_path: Path, days: str, word: str, expected: str
) -> None:
    inside = waits("X", odate=word) + f'<OUTCOND NAME="X" ODATE="{word}" SIGN="-"/>'
    text = folder("F", f'<JOB JOBNAME="A" TASKTYPE="Command" CMDLINE="a" {days}>{inside}</JOB>')
    dag = dag_of(convert(tmp_path, text), "F")
    assert keys(dag, "A_waits_X", "20260303") == f"controlm.condition.X.{expected}"
    assert keys(dag, "A_deletes_X", "20260303") == f"controlm.condition.X.{expected}"
    write_dag(dag, "3.3")


def test_a_condition_without_a_date_is_an_edge_only_where_both_jobs_are_ordered_together(tmp_path: Path) -> None:
    weekly = '<JOB JOBNAME="MAKE" TASKTYPE="Command" CMDLINE="a" {}>' + adds("S", odate="STAT") + "</JOB>"
    use = job("USE", waits("S", odate="STAT") + '<OUTCOND NAME="S" ODATE="STAT" SIGN="-"/>')
    apart = dag_of(convert(tmp_path, folder("F", weekly.format('WEEKDAYS="1"') + use)), "F")
    assert apart.task("USE_waits_S").operator.name == "PythonSensor"  # there since Monday, for whoever comes first
    assert "condition-undated" in codes(apart)
    together = dag_of(convert(tmp_path, folder("F", weekly.format('DAYS="ALL"') + use)), "F")
    assert Edge("MAKE", "USE") in together.edges
    assert "condition-static" not in codes(together)
    kept = dag_of(
        convert(tmp_path, folder("F", weekly.format('DAYS="ALL"') + job("USE", waits("S", odate="STAT")))), "F"
    )
    assert "condition-static" in codes(kept)


LISTED = (
    '<RULE_BASED_CALENDAR NAME="R" WEEKDAYS="1,2"/><RULE_BASED_CALENDAR NAME="L" DAYS="L1" ACTIVE_TILL="20401231"/>'
    '<JOB JOBNAME="USE" TASKTYPE="Command" CMDLINE="a"><RULE_BASED_CALENDARS NAME="R"/><RULE_BASED_CALENDARS NAME="L"/>{}</JOB>'
)  # dates that no cron expression and no test that holds for ever says


def test_before_the_first_listed_date_a_condition_has_a_name_that_somebody_can_add(tmp_path: Path) -> None:
    inside = waits("X", odate="PREV") + '<OUTCOND NAME="X" ODATE="PREV" SIGN="-"/>'
    text = f'<SMART_FOLDER FOLDER_NAME="F" FOLDER_ORDER_METHOD="SYSTEM">{LISTED.format(inside)}</SMART_FOLDER>'
    dag = dag_of(convert(tmp_path, text, {"start": date(2026, 3, 1)}), "F")
    assert keys(dag, "USE_waits_X", "20260302") == "controlm.condition.X.PREV"
    assert keys(dag, "USE_deletes_X", "20260302") == "controlm.condition.X.PREV"
    assert keys(dag, "USE_waits_X", "20260303") == "controlm.condition.X.0302"
    assert "controlm.condition.X.PREV" in next(a.reason for a in dag.accounts if a.code == "conditions-at-cutover")
    write_dag(dag, "3.3")


def test_before_the_first_listed_date_there_is_no_run_to_wait_for(tmp_path: Path) -> None:
    text = folder("P", job("MAKE", adds("X"))) + (
        f'<SMART_FOLDER FOLDER_NAME="C" FOLDER_ORDER_METHOD="SYSTEM">{LISTED.format(waits("X", odate="PREV"))}</SMART_FOLDER>'
    )
    dag = dag_of(convert(tmp_path, text, {"start": date(2026, 3, 1)}), "C")
    space = functions_of(dag)
    call = dict(dag.task("USE_waits_X_MAKE").arguments)["execution_date_fn"]
    assert isinstance(call, Code)
    first = space["datetime"](2026, 3, 2, tzinfo=space["ZoneInfo"]("UTC"))
    assert space[call.text](first, run_at(first)).year == 1970
    second = first + timedelta(days=1)
    assert f"{space[call.text](second, run_at(second)):%m%d}" == "0302"
    write_dag(dag, "3.3")


def test_a_condition_that_is_added_for_the_next_date_is_kept_for_that_date(tmp_path: Path) -> None:
    text = folder("P", job("MAKE", adds("S", odate="NEXT"))) + folder("C", job("USE", waits("S")))
    conversion = convert(tmp_path, text)
    assert keys(dag_of(conversion, "P"), "MAKE_adds_S", "20260303") == "controlm.condition.S.0304"
    assert keys(dag_of(conversion, "C"), "USE_waits_S", "20260303") == "controlm.condition.S.0303"


def test_the_dates_before_and_after_a_forced_job_are_the_days_before_and_after(tmp_path: Path) -> None:
    def forced(name: str, inside: str) -> str:
        return f'<JOB JOBNAME="{name}" TASKTYPE="Command" CMDLINE="{name}">{inside}</JOB>'

    text = folder("P", forced("MAKE", adds("S", odate="NEXT"))) + folder("C", forced("USE", waits("S", odate="PREV")))
    conversion = convert(tmp_path, text)
    assert keys(dag_of(conversion, "P"), "MAKE_adds_S", "20260303") == "controlm.condition.S.0304"
    assert keys(dag_of(conversion, "C"), "USE_waits_S", "20260303") == "controlm.condition.S.0302"


def test_a_condition_that_is_added_for_a_date_that_cannot_be_said_raises(tmp_path: Path) -> None:
    weekly = '<JOB JOBNAME="MAKE" TASKTYPE="Command" CMDLINE="a" WEEKDAYS="1">{}</JOB>'
    text = folder("P", weekly.format(adds("S", odate="NEXT"))) + folder("C", job("USE", waits("S")))
    dag = dag_of(convert(tmp_path, text), "P")
    assert dag.task("MAKE_adds_S").role == "raises"
    assert "condition-date" in codes(dag)


def test_a_condition_of_another_server_is_told(tmp_path: Path) -> None:
    both = [folder(name, one).replace("<FOLDER ", f'<FOLDER DATACENTER="{server}" ', 1) for name, one, server in
            (("P", job("MAKE", adds("S")), "ctm1"), ("C", job("USE", waits("S")), "ctm2"))]  # fmt: skip
    assert "condition-server" in codes(dag_of(convert(tmp_path, "".join(both)), "C"))
    same = "".join(both).replace("ctm2", "ctm1")
    assert "condition-server" not in codes(dag_of(convert(tmp_path, same), "C"))


def assets(dag: Dag) -> dict[str, tuple[list[object], list[object]]]:
    """Give for each task with assets those that it makes and those that it takes."""

    def names(values: object) -> list[object]:
        assert isinstance(values, tuple | list)
        return [item.arguments[0] for item in values if isinstance(item, Call)]

    found = {task.full_id: (names(task.outlets), names(dict(task.arguments).get("inlets", []))) for task in dag.tasks}
    return {name: both for name, both in found.items() if any(both)}


def test_conditions_between_folders_are_assets_of_who_adds_and_who_has_waited(tmp_path: Path) -> None:
    failed = '<ON STMT="*" CODE="NOTOK"><DOCOND NAME="BAD" ODATE="ODAT" SIGN="+"/></ON>'
    make = job("MAKE", adds("MADE:1", "OWN") + failed)
    text = folder("P", make, job("NEXT", waits("OWN"))) + folder("C", job("USE", waits("MADE:1", "BAD", "NOBODY")))
    conversion = convert(tmp_path, text)
    made, bad = "controlm.condition.MADE%3A1", "controlm.condition.BAD"
    assert assets(dag_of(conversion, "P")) == {"MAKE": ([made], []), "MAKE_notok": ([bad], [])}
    assert assets(dag_of(conversion, "C")) == {"USE": ([], [made, bad])}
    assert dag_of(conversion, "C").schedule.expression == dag_of(conversion, "P").schedule.expression
    text_of, _ = write_dag(dag_of(conversion, "C"), "2.11")
    assert "from airflow.datasets import Dataset" in text_of


def test_a_folder_that_awaits_and_adds_has_its_assets_at_its_gates(tmp_path: Path) -> None:
    smart = f'<SMART_FOLDER FOLDER_NAME="S" DAYS="ALL" FOLDER_ORDER_METHOD="SYSTEM">{waits("IN")}{adds("OUT")}{job("J")}</SMART_FOLDER>'
    text = folder("P", job("A", adds("IN"))) + smart + folder("C", job("Z", waits("OUT")))
    found = assets(dag_of(convert(tmp_path, text), "S"))
    assert found == {"S_starts": ([], ["controlm.condition.IN"]), "S_ended": (["controlm.condition.OUT"], [])}


def test_what_a_failed_job_adds_starts_its_handler_only_then(tmp_path: Path) -> None:
    on = '<ON STMT="*" CODE="NOTOK"><DOCOND NAME="FAILED" ODATE="ODAT" SIGN="+"/></ON>'
    dag = dag_of(convert(tmp_path, folder("F", job("A", on), job("HANDLER", waits("FAILED")))), "F")
    assert ("A_notok", "HANDLER") in edges(dag)
    router = dag.task("A_end")
    assert (router.watches, router.trigger_rule, router.choices[1].tasks) == ("A", "all_done", ("A_notok",))
    after = functions_of(dag)["after"]
    instance = type("Instance", (), {"state": "failed"})()
    run = type("Run", (), {"dag_id": "F", "run_id": "r", "get_task_instance": lambda self, task_id: instance})()
    assert after("A", "A_notok", object(), run) == "A_notok"
    instance.state = "success"
    assert after("A", "A_notok", object(), run) is None


def test_folders_of_one_name_in_two_files_do_not_see_each_other(tmp_path: Path) -> None:
    (tmp_path / "old.xml").write_text(f"<DEFTABLE>{folder('F', job('A', adds('X')), job('Z'))}</DEFTABLE>")
    conversion = convert(tmp_path, folder("F", job("B", waits("X"))), name="new.xml")
    assert {dag.dag_id for dag in conversion.dags} == {"F", "F_2"}
    assert dag_of(conversion, "F").task("B_waits_X").operator.name == "PythonSensor"


def test_the_sample_exports_run_the_same_jobs_in_control_m_and_in_the_dags() -> None:
    conversion = read(EXPORTS, {})
    world = plan_world(gather(EXPORTS), read_site({}))
    compared = 0
    for plan in world.plans:
        found = list(compare(world, plan, dag_of(conversion, plan.dag_id)))
        assert found == []
        compared += 1
    assert compared == 4


def random_folder(seed: int) -> str:
    """A folder of up to six jobs, some in a sub-folder, with conditions of earlier jobs, parentheses, handlers and different dates."""
    chance = Random(seed)
    names = [f"J{number}" for number in range(chance.randint(2, 6))]
    inside: list[str] = []
    outside: list[str] = []
    for place, name in enumerate(names):
        known = [f"{other}-{end}" for other in names[:place] for end in ("OK", "NOTOK")] + ["EXTERNAL"]
        count = chance.choice((0, 1, 1, 2, 3))
        is_open = False
        body = ""
        for number in range(count):
            mark = "(" if not is_open and number < count - 1 and chance.random() < 0.4 else ")" if is_open else ""
            is_open = mark == "(" or (is_open and mark != ")")
            body += f'<INCOND NAME="{chance.choice(known)}" ODATE="ODAT" AND_OR="{chance.choice("AAO")}" OP="{mark}"/>'
        body += adds(f"{name}-OK")
        if chance.random() < 0.5:
            body += f'<ON STMT="*" CODE="NOTOK"><DOCOND NAME="{name}-NOTOK" ODATE="ODAT" SIGN="+"/></ON>'
        dates = chance.choice(('DAYS="ALL"', 'DAYS="ALL"', 'WEEKDAYS="1,2"', 'DAYS="1,15"', 'DAYS="L1"'))
        text = job(name, body, chance.choice(("", "", 'CONFIRM="1"', 'TIMEFROM="0900"'))).replace('DAYS="ALL"', dates)
        (inside if place and chance.random() < 0.25 else outside).append(text)
    box = f'<SUB_FOLDER JOBNAME="BOX" DAYS="ALL">{waits("J0-OK")}{"".join(inside)}</SUB_FOLDER>' if inside else ""
    return folder(f"F{seed}", *outside, box)


@pytest.mark.parametrize("seed", range(40))
def test_a_random_folder_runs_the_same_jobs_in_control_m_and_in_its_dag(tmp_path: Path, seed: int) -> None:
    conversion = convert(tmp_path, random_folder(seed), {"years": 1})
    world = plan_world(gather(tmp_path), read_site({"years": 1}))
    dag = dag_of(conversion, f"F{seed}")
    assert list(compare(world, world.plans[0], dag)) == []
    assert compile(write_dag(dag, "3.3")[0], "dag.py", "exec")


def test_the_comparison_finds_a_lost_edge(tmp_path: Path) -> None:
    conversion = convert(tmp_path, folder("F", job("A", adds("X")), job("B", waits("X"))), {"years": 1})
    world = plan_world(gather(tmp_path), read_site({"years": 1}))
    dag = dag_of(conversion, "F")
    assert dag.edges == (Edge("A", "B"),)
    broken = Dag(dag.dag_id, dag.tasks, ())
    found = list(compare(world, world.plans[0], broken))
    assert [item.only_in_dag for item in found if item.only_in_dag] == [(("F", "B"),)] * 2
    assert [item.unordered for item in found if item.unordered] == [((("F", "B"), "X"),)] * 2


def test_the_comparison_finds_another_end_of_the_run(tmp_path: Path) -> None:
    either = '<INCOND NAME="X" ODATE="ODAT" AND_OR="A"/><INCOND NAME="Y" ODATE="ODAT" AND_OR="O"/>'
    text = folder("F", job("A", adds("X")), job("B", adds("Y")), job("C", either))
    conversion = convert(tmp_path, text, {"years": 1})
    world = plan_world(gather(tmp_path), read_site({"years": 1}))
    dag = dag_of(conversion, "F")
    assert sorted(edge.before for edge in dag.edges if edge.after == "job_failed") == ["A", "B"]
    assert list(compare(world, world.plans[0], dag)) == []
    tasks = tuple(task for task in dag.tasks if task.full_id != "job_failed")
    broken = replace(dag, tasks=tasks, edges=tuple(edge for edge in dag.edges if edge.after != "job_failed"))
    assert {item.end for item in compare(world, world.plans[0], broken)} == {"success"}


def test_a_plain_chain_needs_nothing_to_show_a_failure(tmp_path: Path) -> None:
    made = dag_of(convert(tmp_path, folder("F", job("A", adds("X")), job("B", waits("X")))), "F")
    assert [task.full_id for task in made.tasks] == ["A", "B"]


def test_a_flow_is_the_order_of_the_jobs_of_its_own_folder(tmp_path: Path) -> None:
    box = {
        "Type": "SubFolder",
        "L": {"Type": "Job:Command", "Command": "l"},
        "W": {"Type": "Job:Command", "Command": "w"},
        "flow": {"Type": "Flow", "Sequence": ["L", "W"]},
    }
    outside = {
        "Type": "Job:Command",
        "Command": "o",
        "events": {"Type": "WaitForEvents", "Events": [{"Event": "L-TO-W"}]},
    }
    text = json.dumps({"F": {"Type": "Folder", "ONE": box, "TWO": box, "O": outside}})
    made = dag_of(convert(tmp_path, text, name="jobs.json"), "F")
    edges = {(edge.before, edge.after) for edge in made.edges}
    assert {("ONE.L", "ONE.W"), ("TWO.L", "TWO.W"), ("ONE.L", "O"), ("TWO.L", "O")} <= edges
    assert not {("ONE.L", "TWO.W"), ("TWO.L", "ONE.W")} & edges


def test_waits_that_one_of_two_conditions_leaves_behind_are_told(tmp_path: Path) -> None:
    job = '<JOB JOBNAME="J" TASKTYPE="Command" CMDLINE="x" DAYS="ALL" MAXWAIT="3"><INCOND NAME="X" ODATE="ODAT" AND_OR="{0}"/><INCOND NAME="Y" ODATE="ODAT" AND_OR="{0}"/></JOB>'
    head = 'FOLDER_NAME="F" FOLDER_ORDER_METHOD="SYSTEM"'
    either = dag_of(convert(tmp_path, f"<FOLDER {head}>{job.format('O')}</FOLDER>"), "F")
    assert [item.reason[-37:] for item in either.accounts if item.code == "condition-either"] == [
        "the latest after 4 days (MAXWAIT and one)."[-37:]
    ]
    both = dag_of(convert(tmp_path, f"<FOLDER {head}>{job.format('A')}</FOLDER>"), "F")
    assert "condition-either" not in {item.code for item in both.accounts}
