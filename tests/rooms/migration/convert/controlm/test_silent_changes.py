"""What changed its meaning without a word once: texts of several lines, jobs without criteria, times of folders ordered by hand, unknown types."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from tests.rooms.migration.convert.controlm.sample import check_of, convert, dag_of, functions_of

from aerodrome.migration.convert.contract import Call, Dag

ALL_MONTHS = " ".join(
    f'{month}="1"' for month in ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
)


def codes(dag: Dag, name: str = "") -> set[str]:
    return {item.code for item in dag.accounts if not name or item.name == name}


def test_lines_of_a_message_are_split_before_its_variables_have_values(tmp_path: Path) -> None:
    message = "0006Hello,00000018Broken on %%NODEID0014Area: %%APPLIC0004End."
    mail = f'<ON STMT="*" CODE="NOTOK"><DOMAIL DEST="a@x.org" SUBJECT="s" MESSAGE="{message}"/></ON>'
    job = f'<JOB JOBNAME="J" TASKTYPE="Command" CMDLINE="x" NODEID="mill" APPLICATION="GRAIN" DAYS="ALL">{mail}</JOB>'
    dag = dag_of(convert(tmp_path, f'<FOLDER FOLDER_NAME="F">{job}</FOLDER>'), "F")
    sent = str(dict(dag.task("J").arguments)["on_failure_callback"])
    assert repr("Hello,\n\nBroken on mill\nArea: GRAIN\nEnd.") in sent


def test_a_job_of_a_smart_folder_without_criteria_is_told(tmp_path: Path) -> None:
    head = f'FOLDER_NAME="F" JOBNAME="F" FOLDER_ORDER_METHOD="SYSTEM" DAYS="ALL" {ALL_MONTHS}'
    jobs = (
        f'<JOB JOBNAME="BARE" TASKTYPE="Command" CMDLINE="x" NODEID="h" {ALL_MONTHS}/>'
        f'<JOB JOBNAME="DAILY" TASKTYPE="Command" CMDLINE="x" NODEID="h" DAYS="ALL" {ALL_MONTHS}/>'
        f'<JOB JOBNAME="PARENT" TASKTYPE="Command" CMDLINE="x" NODEID="h" {ALL_MONTHS}><RULE_BASED_CALENDARS NAME="*"/></JOB>'
    )
    dag = dag_of(convert(tmp_path, f"<SMART_FOLDER {head}>{jobs}</SMART_FOLDER>"), "F")
    assert "criteria-of-folder" in codes(dag, "BARE")
    assert "criteria-of-folder" not in codes(dag, "DAILY") | codes(dag, "PARENT")


def test_a_folder_that_is_ordered_by_hand_still_waits_for_its_time(tmp_path: Path) -> None:
    job = {"Type": "Job:Command", "Command": "a", "Host": "h", "RunAs": "u"}
    folder = {"Type": "Folder", "ControlmServer": "S", "OrderMethod": "Manual", "When": {"FromTime": "0415"}, "A": job}
    dag = dag_of(convert(tmp_path, json.dumps({"HAND": folder}), name="hand.json"), "HAND")
    before = {edge.before for edge in dag.edges if edge.after == "A"} | {
        edge.before for edge in dag.edges if edge.after in {e.before for e in dag.edges if e.after == "A"}
    }
    sensors = [task for task in dag.tasks if task.full_id in before and "target_time" in dict(task.arguments)]
    assert ["at_time(odate(dag_run), 255)" in str(dict(task.arguments)["target_time"]) for task in sensors] == [True]


def test_a_job_of_a_folder_that_is_ordered_by_hand_waits_for_its_own_time(tmp_path: Path) -> None:
    jobs = '<JOB JOBNAME="J" TASKTYPE="Command" CMDLINE="x" TIMEFROM="0415"/>'
    dag = dag_of(convert(tmp_path, f'<FOLDER FOLDER_NAME="F" FOLDER_ORDER_METHOD="">{jobs}</FOLDER>'), "F")
    assert [task.full_id for task in dag.tasks if "target_time" in dict(task.arguments)] == ["J_not_before"]


def held(dag: Dag, name: str) -> set[str]:
    """Give the times for which a task waits, itself or behind others."""
    above = {edge.before for edge in dag.edges if edge.after == name}
    own = str(dict(dag.task(name).arguments).get("target_time", ""))
    return ({own} if own else set()).union(*(held(dag, item) for item in above))


def test_a_run_of_a_scheduled_folder_that_is_ordered_earlier_waits_for_its_time(tmp_path: Path) -> None:
    """An order, and a force too, only leaves out the criteria of scheduling: the job still waits for its time."""
    first = "{{ at_time(odate(dag_run), 255).isoformat() }}"
    jobs = (
        '<JOB JOBNAME="A" TASKTYPE="Command" CMDLINE="x" DAYS="ALL" TIMEFROM="0415"><OUTCOND NAME="A-OK" ODATE="ODAT" SIGN="+"/></JOB>'
        '<JOB JOBNAME="B" TASKTYPE="Command" CMDLINE="x" DAYS="ALL" TIMEFROM="0415"><INCOND NAME="A-OK" ODATE="ODAT"/></JOB>'
        '<JOB JOBNAME="C" TASKTYPE="Command" CMDLINE="x" DAYS="ALL" TIMEFROM="0415"><INCOND NAME="FAR" ODATE="ODAT"/></JOB>'
        '<JOB JOBNAME="D" TASKTYPE="Command" CMDLINE="x" DAYS="ALL" TIMEFROM="0500"/>'
    )
    dag = dag_of(convert(tmp_path, f'<FOLDER FOLDER_NAME="F" FOLDER_ORDER_METHOD="SYSTEM">{jobs}</FOLDER>'), "F")
    later = first.replace("255", "300")
    assert [held(dag, name) for name in "ABCD"] == [{first}, {first}, {first}, {later}]
    assert {edge.before for edge in dag.edges if edge.after == "B"} == {"A"}  # A has waited for it
    sensor = next(task for task in dag.tasks if dict(task.arguments).get("target_time") == first)
    assert (sensor.full_id, dict(sensor.arguments)["mode"]) == ("not_before", "reschedule")  # no trigger for each run


def test_the_time_of_a_scheduled_folder_holds_all_of_its_jobs(tmp_path: Path) -> None:
    head = f'FOLDER_NAME="F" JOBNAME="F" FOLDER_ORDER_METHOD="SYSTEM" DAYS="ALL" TIMEFROM="0415" {ALL_MONTHS}'
    job = f'<JOB JOBNAME="{{}}" TASKTYPE="Command" CMDLINE="x" NODEID="h" DAYS="ALL" TIMEFROM="{{}}" {ALL_MONTHS}/>'
    inner = f'<SUB_FOLDER JOBNAME="S" TIMEFROM="0415">{job.format("IN", "0415")}</SUB_FOLDER>'
    text = f"<SMART_FOLDER {head}>{job.format('EARLY', '0200')}{job.format('SAME', '0415')}{inner}</SMART_FOLDER>"
    dag = dag_of(convert(tmp_path, text), "F")
    wanted = {"{{ at_time(odate(dag_run), 255).isoformat() }}"}
    assert [held(dag, name) for name in ("EARLY", "SAME", "S.IN")] == [wanted] * 3
    assert [task.full_id for task in dag.tasks] == ["not_before", "EARLY", "SAME", "S.IN"]


def test_a_job_that_can_only_be_forced_waits_for_its_own_time(tmp_path: Path) -> None:
    jobs = (
        '<JOB JOBNAME="A" TASKTYPE="Command" CMDLINE="x" DAYS="ALL" TIMEFROM="0415"/>'
        '<JOB JOBNAME="N" TASKTYPE="Command" CMDLINE="x" TIMEFROM="0100"/>'
        '<JOB JOBNAME="O" TASKTYPE="Command" CMDLINE="x"/>'
    )
    dag = dag_of(convert(tmp_path, f'<FOLDER FOLDER_NAME="F" FOLDER_ORDER_METHOD="SYSTEM">{jobs}</FOLDER>'), "F")
    first = "{{ at_time(odate(dag_run), 255).isoformat() }}"
    assert [held(dag, name) for name in "ANO"] == [{first}, {first.replace("255", "60")}, set()]


def test_a_job_of_an_unknown_task_type_is_no_script(tmp_path: Path) -> None:
    jobs = (
        '<JOB JOBNAME="J" TASKTYPE="Teleport" FILE_PATH="/in/grain.csv" DAYS="ALL"/>'
        '<JOB JOBNAME="W" TASKTYPE="FileWatcher" FILE_PATH="/in/grain.csv" DAYS="ALL"/>'
        '<JOB JOBNAME="S" TASKTYPE="Detached" MEMLIB="/x" MEMNAME="run.sh" DAYS="ALL"/>'
    )
    dag = dag_of(convert(tmp_path, f'<FOLDER FOLDER_NAME="F">{jobs}</FOLDER>'), "F")
    assert dag.task("J").role == "raises"
    assert "Teleport" in str(dict(dag.task("J").arguments)["op_args"])
    assert (dag.task("W").role, dict(dag.task("W").arguments)["filepath"]) == ("real", "/in/grain.csv")
    assert dag.task("S").role == "real"
    assert check_of(dag, "J") is None


def test_an_action_for_notok_that_is_not_converted_raises_after_notok(tmp_path: Path) -> None:
    on = '<ON STMT="*" CODE="NOTOK"><DOACTION ACTION="PAINT" WHAT="blue"/></ON>'
    job = f'<JOB JOBNAME="J" TASKTYPE="Command" CMDLINE="x" DAYS="ALL">{on}</JOB>'
    dag = dag_of(convert(tmp_path, f'<FOLDER FOLDER_NAME="F">{job}</FOLDER>'), "F")
    assert {edge.before for edge in dag.edges if edge.after == "J_action_1"} == {"J_notok"}


def test_a_notification_of_an_end_is_sent_at_that_end(tmp_path: Path) -> None:
    job = {
        "Type": "Job:Command",
        "Command": "a",
        "Told": {"Type": "Notify:ExecutionEndsNotOK", "Destination": "JobLog", "Message": "it broke"},
        "Glad": {"Type": "Notify:ExecutionEndsOK", "Destination": "JobLog", "Message": "it ran"},
    }
    dag = dag_of(convert(tmp_path, json.dumps({"F": {"Type": "Folder", "A": job}}), name="f.json"), "F")
    given = dict(dag.task("A").arguments)
    assert "it broke" in str(given["on_failure_callback"])
    assert "it ran" in str(given["on_success_callback"])
    assert "shout-late" not in codes(dag)


def test_a_circle_of_conditions_is_broken_before_its_first_job(tmp_path: Path) -> None:
    def job(name: str, waits: str, adds: str) -> str:
        conditions = f'<INCOND NAME="{waits}" ODATE="ODAT"/><OUTCOND NAME="{adds}" ODATE="ODAT" SIGN="+"/>'
        return f'<JOB JOBNAME="{name}" TASKTYPE="Command" CMDLINE="x" DAYS="ALL">{conditions}</JOB>'

    jobs = job("ONE", "again", "one") + job("TWO", "one", "two") + job("THREE", "two", "three")
    jobs += job("LAST", "three", "again")
    dag = dag_of(convert(tmp_path, f'<FOLDER FOLDER_NAME="F">{jobs}</FOLDER>'), "F")
    edges = {(edge.before, edge.after) for edge in dag.edges}
    assert {("ONE", "TWO"), ("TWO", "THREE"), ("THREE", "LAST")} <= edges
    assert not any(before == "LAST" and after == "ONE" for before, after in edges)
    assert "condition-stored" in codes(dag, "ONE")


def test_a_json_job_without_a_type_is_a_job_that_raises(tmp_path: Path) -> None:
    folder = {
        "Type": "Folder",
        "A": {"Type": "Job:Command", "Command": "a"},
        "B": {"Query": "select 1"},
        "C": {"Command": "c", "RunAs": "u"},
        "Way": {"Type": "Flow", "Sequence": ["A", "B"]},
        "DocumentationUrl": {"Url": "x"},
    }
    dag = dag_of(convert(tmp_path, json.dumps({"F": folder}), name="f.json"), "F")
    assert {task.full_id: task.role for task in dag.tasks} == {"A": "real", "B": "raises", "C": "raises"}
    assert ("A", "B") in {(edge.before, edge.after) for edge in dag.edges}


def test_sub_folders_have_the_name_that_they_give(tmp_path: Path) -> None:
    job = '<JOB JOBNAME="J" TASKTYPE="Command" CMDLINE="x" DAYS="ALL"/>'
    inner = (
        f'<SUB_FOLDER SUB_FOLDER_NAME="NORTH">{job}</SUB_FOLDER><SUB_FOLDER SUB_FOLDER_NAME="SOUTH">{job}</SUB_FOLDER>'
    )
    dag = dag_of(convert(tmp_path, f'<SMART_FOLDER FOLDER_NAME="F" DAYS="ALL">{inner}</SMART_FOLDER>'), "F")
    assert [group.group_id for group in dag.groups] == ["NORTH", "SOUTH"]
    assert "unknown-attribute" not in codes(dag)


def test_a_file_without_a_host_is_told_to_be_one_of_the_worker(tmp_path: Path) -> None:
    job = {
        "Type": "Job:ApplicationIntegrator:AI Blob Storage",
        "AI-Action": "Upload",
        "AI-Blob name (Up/Download)": "grain",
        "AI-Container (Up/Download)": "mill",
        "AI-File path": "C:\\mill\\grain.csv",
    }
    dag = dag_of(convert(tmp_path, json.dumps({"F": {"Type": "Folder", "A": job}}), name="f.json"), "F")
    assert "no-host" in codes(dag, "A")
    told = [item.reason for item in dag.accounts if item.code == "windows-path"]
    assert len(told) == 1
    assert "SFTP" not in told[0]


def schedule_of(dag: Dag) -> str:
    """Give the cron expression of a DAG, or nothing where it has no schedule."""
    call = dag.schedule.expression
    return str(call.arguments[0]) if isinstance(call, Call) else ""


def json_folder(folder: Path, when: object, **jobs: object) -> Dag:
    """Convert one folder of the Automation API; its jobs are given as their `When`."""
    made = {name: {"Type": "Job:Command", "Command": "x", "Host": "h", "When": own} for name, own in jobs.items()}
    text: object = {"F": {"Type": "Folder", "ControlmServer": "S", "When": when, **(made or {"J": JOB})}}
    return dag_of(convert(folder, json.dumps(text), name="f.json"), "F")


JOB = {"Type": "Job:Command", "Command": "x", "Host": "h"}


def test_a_folder_does_not_run_on_the_days_of_a_calendar_that_it_excludes(tmp_path: Path) -> None:
    late = {"Type": "Calendar:RuleBased", "When": {"MonthDays": ["ALL"], "WeekDays": ["NONE"], "Months": ["DEC"]}}
    when = {"WeekDays": ["MON"], "RuleBasedCalendars": {"Excluded": ["LATE"], "LATE": late}}
    dag = json_folder(tmp_path, when)
    assert schedule_of(dag).split()[2:] == ["*", "1-11", "1"]


def test_an_excluded_calendar_that_is_missing_stops_the_schedule_of_a_folder(tmp_path: Path) -> None:
    dag = json_folder(tmp_path, {"WeekDays": ["MON"], "RuleBasedCalendars": {"Excluded": ["HOLIDAYS"]}})
    assert (schedule_of(dag), "calendar-missing" in codes(dag)) == ("", True)
    inside = (
        '<EXCLUDE_RULE_BASED_CALENDARS NAME="HOLIDAYS"/><JOB JOBNAME="J" TASKTYPE="Command" CMDLINE="x" DAYS="ALL"/>'
    )
    text = f'<SMART_FOLDER FOLDER_NAME="G" FOLDER_ORDER_METHOD="SYSTEM" WEEKDAYS="1">{inside}</SMART_FOLDER>'
    dag = dag_of(convert(tmp_path, text), "G")
    assert (schedule_of(dag), "calendar-missing" in codes(dag)) == ("", True)


def test_the_criteria_of_a_folder_are_joined_with_the_calendars_that_it_includes(tmp_path: Path) -> None:
    firsts = {"Type": "Calendar:RuleBased", "When": {"MonthDays": ["ALL"], "Months": ["JAN"]}}
    calendars = {"Included": ["FIRSTS"], "FIRSTS": firsts, "Relationship": "AND"}
    dag = json_folder(tmp_path, {"WeekDays": ["MON"], "RuleBasedCalendars": calendars})
    assert schedule_of(dag).split()[2:] == ["*", "1", "1"]


@pytest.mark.parametrize("never", [{"WeekDays": ["NONE"], "MonthDays": ["NONE"]}, {"Schedule": "Never"}])
def test_a_job_that_nothing_orders_does_not_run_on_the_dates_of_its_folder(tmp_path: Path, never: object) -> None:
    dag = json_folder(tmp_path, {"WeekDays": ["MON"]}, A={"WeekDays": ["MON"]}, B=never, C={"FromTime": "0500"})
    assert (check_of(dag, "A"), check_of(dag, "C")) == (None, None)
    assert check_of(dag, "B") == "only_on(is_ordered_1)"
    assert functions_of(dag)["is_ordered_1"](date(2026, 11, 30)) is False
    assert "no-criteria" in codes(dag, "B")


@pytest.mark.parametrize("other", [{"WeekDays": ["MON"]}, {"FromTime": "0500"}])
def test_a_job_that_nothing_orders_is_left_out_when_somebody_orders_its_folder(tmp_path: Path, other: object) -> None:
    jobs: dict[str, object] = {"A": {**JOB, "When": {"Schedule": "Never"}}, "B": {**JOB, "When": other}}
    text = {"F": {"Type": "Folder", "ControlmServer": "S", "OrderMethod": "Manual", **jobs}}
    dag = dag_of(convert(tmp_path, json.dumps(text), name="f.json"), "F")
    name = str(check_of(dag, "A")).removeprefix("only_on(").removesuffix(")")
    assert functions_of(dag)[name](date(2026, 11, 30)) is False


JOBS_AROUND = [
    {"Jobs": {"A": JOB, "B": {"Command": "x"}}},
    {"Jobs": [{"Name": "A", **JOB}, {"Name": "B", "Command": "x"}]},
    {"steps": {"A": JOB, "B": JOB}},
    {"A": JOB, "more": [{"Name": "B", **JOB}]},
]


@pytest.mark.parametrize("jobs", JOBS_AROUND)
def test_jobs_are_found_where_the_automation_api_has_none(tmp_path: Path, jobs: dict[str, object]) -> None:
    text: object = {"F": {"Type": "Folder", "ControlmServer": "S", "DependsOn": ["G"], **jobs}}
    dag = dag_of(convert(tmp_path, json.dumps(text), name="f.json"), "F")
    assert {task.full_id for task in dag.tasks} == {"A", "B"}
    told = [item.reason for item in dag.accounts if item.code == "unknown-attribute"]
    assert told == ["DependsOn='[\"G\"]' is not known to the converter and has no effect."]


def test_folders_are_found_below_keys_that_the_automation_api_does_not_have(tmp_path: Path) -> None:
    folder = {"Type": "Folder", "ControlmServer": "S", "A": JOB}
    text = {"folders": [{"F": folder}], "more": {"G": folder}, "Agent": {"Type": "Site"}, "note": {"by": "me"}}
    made = convert(tmp_path, json.dumps(text), name="f.json")
    assert {dag.dag_id for dag in made.dags} == {"F", "G"}
    assert [item.element for item in made.accounts if item.code == "unknown-element"] == ["Site", "note"]


@pytest.mark.parametrize("profile", [{}, {"week_starts_on": "monday"}, {"week_starts_on": "sunday"}])
def test_the_week_of_the_site_numbers_weekdays_and_names_none(tmp_path: Path, profile: dict[str, object]) -> None:
    """At some sites 1 is Sunday (WDAYS, INCONTROL for z/OS); the names of the Automation API mean one day everywhere."""
    job = '<JOB JOBNAME="J" TASKTYPE="Command" CMDLINE="x" WEEKDAYS="1,5"/>'
    numbered = dag_of(
        convert(tmp_path, f'<FOLDER FOLDER_NAME="N" FOLDER_ORDER_METHOD="SYSTEM">{job}</FOLDER>', profile), "N"
    )
    assert schedule_of(numbered).split()[4] == ("0,4" if profile.get("week_starts_on") == "sunday" else "1,5")
    assert ("week-start-assumed" in codes(numbered)) == (not profile)
    folder: object = {"F": {"Type": "Folder", "ControlmServer": "S", "When": {"WeekDays": ["MON", "SUN"]}, "J": JOB}}
    named = dag_of(convert(tmp_path, json.dumps(folder), profile, name="f.json"), "F")
    assert (schedule_of(named).split()[4], "week-start-assumed" in codes(named)) == ("0,1", False)


def test_a_job_that_follows_its_folder_follows_no_calendar_that_its_folder_does_not_have(tmp_path: Path) -> None:
    parent = {"WeekDays": ["SAT"], "RuleBasedCalendars": {"Included": ["USE PARENT"], "Relationship": "OR"}}
    other = {"Type": "Calendar:RuleBased", "When": {"MonthDays": ["1"]}}
    folder = {"Type": "Folder", "ControlmServer": "S", "J": {**JOB, "When": parent}}
    dag = dag_of(convert(tmp_path, json.dumps({"F": folder, "OTHER": other}), name="f.json"), "F")
    assert schedule_of(dag).split()[2:] == ["*", "*", "*"]
    both = {"RuleBasedCalendars": {"Included": ["USE PARENT", "OTHER"]}}
    folder["J"] = {**JOB, "When": both}
    dag = dag_of(convert(tmp_path, json.dumps({"F": folder, "OTHER": other}), name="f.json"), "F")
    assert schedule_of(dag).split()[2:] == ["*", "*", "*"]


def test_folders_in_an_alert_or_a_deploy_descriptor_are_none_to_convert(tmp_path: Path) -> None:
    folder = {"Type": "Folder", "ControlmServer": "S", "A": JOB}
    alert = {"uuid": "1", "status": [{"F": folder}]}
    assert convert(tmp_path, json.dumps(alert), name="f.json").dags == ()
    descriptor = {"DeployDescriptor": [{"ApplyOn": {"Type": "Folder"}, "Property": "@", "Replace": [{"A": "B"}]}]}
    made = convert(tmp_path, json.dumps(descriptor), name="f.json")
    assert (made.dags, [item.element for item in made.accounts]) == ((), ["DeployDescriptor"])


def test_what_is_lost_with_a_name_that_stands_twice_is_told(tmp_path: Path) -> None:
    defaults = '{"Defaults": {"Job": {"Host": "h"}, "Job": {"Sem": {"Type": "Resource:Pool", "Quantity": "1"}}, "Job": {"RunAs": "u"}},'
    text = (
        f'{defaults} "F": {{"Type": "Folder", "ControlmServer": "S", "J": {{"Type": "Job:Command", "Command": "x"}}}}}}'
    )
    told = [item.reason for item in convert(tmp_path, text, name="f.json").accounts if item.code == "json-twice"]
    assert [text.partition(" It lacks what the others have: ")[2] for text in told] == [
        "Host.",
        "Sem.",
    ]
