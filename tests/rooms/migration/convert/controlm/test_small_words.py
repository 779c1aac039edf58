"""Words of definitions that once had no effect or were told wrongly: details of plug-ins, system variables, lists of dates that end."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from tests.rooms.migration.convert.controlm.sample import check_of, convert, dag_of, functions_of

from aerodrome.migration.convert.contract import Dag, Edge


def made(folder: Path, job: dict[str, Any], **more: Any) -> Dag:
    text = json.dumps({"MILL": {"Type": "Folder", **more, "J": job}})
    return dag_of(convert(folder, text, {"default_host": "worker"}, name="jobs.json"), "MILL")


def xml(folder: Path, job: str) -> Dag:
    text = f'<FOLDER FOLDER_NAME="MILL" FOLDER_ORDER_METHOD="SYSTEM">{job}</FOLDER>'
    return dag_of(convert(folder, text, {"default_host": "worker"}), "MILL")


def arguments(dag: Dag, name: str = "J") -> dict[str, Any]:
    return dict(dag.task(name).arguments)


def reasons(dag: Dag, code: str) -> list[str]:
    return [item.reason for item in dag.accounts if item.code == code]


def test_a_rerun_of_databricks_keeps_its_token(tmp_path: Path) -> None:
    job = {"Type": "Job:Databricks", "DatabricksJobId": "7", "IdempotencyToken": "grain-%%OYEAR", "Args": "x"}
    dag = made(tmp_path, job)
    assert arguments(dag)["idempotency_token"] == "grain-{{ odate(dag_run).strftime('%y') }}"
    assert "Args" in reasons(dag, "plugin-details")[0]


def test_short_details_of_a_plugin_are_told(tmp_path: Path) -> None:
    dag = made(tmp_path, {"Type": "Job:AWS Glue", "GlueJobName": "j", "Env": "prod", "Tags": "t"})
    assert all(name in reasons(dag, "plugin-details")[0] for name in ("Env", "Tags"))


def test_options_of_spark_are_arguments_and_others_are_told(tmp_path: Path) -> None:
    options = [{"--conf": "spark.x=%%OYEAR"}, {"--num-executors": "4"}, {"--jars": "a.jar"}, {"--verbose": ""}]
    dag = made(tmp_path, {"Type": "Job:Hadoop:Spark:Python", "SparkScript": "s.py", "SparkOptions": options})
    given = arguments(dag)
    assert given["conf"] == {"spark.x": "{{ odate(dag_run).strftime('%y') }}"}
    assert (given["num_executors"], given["jars"]) == (4, "a.jar")
    (told,) = reasons(dag, "plugin-details")
    assert "--verbose" in told
    assert "--conf" not in told


def test_a_stored_procedure_keeps_its_package_and_its_texts(tmp_path: Path) -> None:
    values = [
        {"Name": "a", "Type": "text", "Value": "it's"},
        {"Name": "b", "Type": "NUMBER", "Value": "5"},
        {"Name": "c", "Type": "date", "Value": "%%ODAY"},
    ]
    job = {
        "Type": "Job:Database:StoredProcedure",
        "ConnectionProfile": "P",
        "StoredProcedure": "load",
        "Schema": "s",
        "Package": "pkg",
        "Parameters": values,
    }
    dag = made(tmp_path, job)
    assert arguments(dag)["sql"] == "CALL s.pkg.load('it''s', 5, '{{ odate(dag_run).strftime('%d') }}')"
    assert not any("Package" in text for text in reasons(dag, "detail-unused"))


def test_the_path_of_a_file_watcher_is_used(tmp_path: Path) -> None:
    dag = xml(tmp_path, '<JOB JOBNAME="J" TASKTYPE="FileWatcher" FILE_PATH="/in/x.csv" DAYS="ALL" NODEID="h"/>')
    assert not reasons(dag, "detail-unused")


def test_what_is_never_scheduled_asks_nothing(tmp_path: Path) -> None:
    never = {"When": {"Schedule": "Never"}}
    dag = made(tmp_path, {"Type": "Job:Command", "Command": "c", "RunAs": "u", **never}, **never)
    assert dag.schedule.expression is None
    codes = {item.code for item in dag.accounts}
    assert not codes & {"schedule-unknown", "days-not-understood"}


def test_a_variable_that_is_filled_from_the_output_raises_before_those_that_follow(tmp_path: Path) -> None:
    capture = {"Type": "Action:CaptureOutput", "Search": "Total", "Capture": "UpToEndOfLine", "VariableName": "\\SUM"}
    first = {"Type": "Job:Command", "Command": "c", "Take": capture}
    second = {"Type": "Job:Command", "Command": "echo %%\\SUM"}
    export = {"F": {"Type": "Folder", "A": first, "B": second, "Flow": {"Type": "Flow", "Sequence": ["A", "B"]}}}
    dag = convert(tmp_path, json.dumps(export), name="jobs.json").dags[0]
    (told,) = (item for item in dag.accounts if item.code == "output-captured")
    assert told.outcome == "raises"
    assert "controlm.SUM" in told.reason
    assert '"Search": "Total"' in told.reason
    (raising,) = (task for task in dag.tasks if task.role == "raises")
    assert Edge("A", raising.full_id) in dag.edges
    assert Edge(raising.full_id, "B") in dag.edges  # B does not read what an earlier run has left
    assert not any("CaptureOutput" in text for text in reasons(dag, "element-unknown"))


def test_a_dummy_job_has_no_output_to_capture(tmp_path: Path) -> None:
    capture = {"Type": "Action:CaptureOutput", "Search": "Total", "VariableName": "\\SUM"}
    dag = made(tmp_path, {"Type": "Job:Dummy", "Take": capture})
    assert reasons(dag, "output-captured")
    assert not any(task.role == "raises" for task in dag.tasks)


def test_a_message_without_a_destination_names_where_it_goes(tmp_path: Path) -> None:
    dag = made(tmp_path, {"Type": "Job:Command", "Command": "c", "Tell": {"Type": "Notify:NotOK", "Message": "bad"}})
    assert "Alerts" in reasons(dag, "shout-log")[0]
    late = '<JOB JOBNAME="J" TASKTYPE="Command" CMDLINE="c" DAYS="ALL"><SHOUT DEST="EM" MESSAGE="m"/></JOB>'
    assert "  " not in reasons(xml(tmp_path, late), "shout-late")[0]


def test_times_of_a_cyclic_job_stand_in_their_order(tmp_path: Path) -> None:
    job = '<JOB JOBNAME="J" TASKTYPE="Command" CMDLINE="c" DAYS="ALL" CYCLIC="1" INTERVAL="00010M" IND_CYCLIC="S" TIMEFROM="0800" TIMETO="1800"/>'
    text = f'<FOLDER FOLDER_NAME="MILL" FOLDER_ORDER_METHOD="SYSTEM">{job}</FOLDER>'
    (dag,) = convert(tmp_path, text, {"default_host": "worker"}).dags
    (task,) = (task for task in dag.tasks if task.task_id == "J")
    assert "only_at(range(480, 1081, 10), None)" in str(dict(task.arguments)["pre_execute"])


def test_a_list_of_dates_that_has_ended_fails(tmp_path: Path) -> None:
    listed = '<JOB JOBNAME="A" TASKTYPE="Command" CMDLINE="a" DAYS="1,15" WEEKDAYS="0" DAYS_AND_OR="A" ACTIVE_TILL="20401231"/>'
    dag = xml(tmp_path, f'{listed}<JOB JOBNAME="B" TASKTYPE="Command" CMDLINE="b" DAYS="ALL"/>')
    check = check_of(dag, "A")
    assert check is not None
    space = functions_of(dag)
    is_ordered = space[check.removeprefix("only_on(").removesuffix(")")]
    assert is_ordered(date(2026, 2, 1))
    assert not is_ordered(date(2026, 2, 2))
    with pytest.raises(space["AirflowFailException"]):
        is_ordered(date(2031, 1, 1))
    assert "2030-12-31" in reasons(dag, "dates-listed")[0]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("%%RDATE", "{{ order_date(now()).strftime('%y%m%d') }}"),
        ("%%RJULDAY", "{{ order_date(now()).strftime('%j') }}"),
        ("%%$OJULDAY", "{{ odate(dag_run).strftime('%Y%j') }}"),
        ("a%%BLANK.b", "a b"),
        ("%%NODEGRP", "grp"),
    ],
)
def test_system_variables_are_known(tmp_path: Path, word: str, expected: str) -> None:
    dag = xml(tmp_path, f'<JOB JOBNAME="J" TASKTYPE="Command" CMDLINE="x {word}" NODEID="grp" DAYS="ALL"/>')
    assert arguments(dag)["bash_command"] == f"x {expected}"
    assert not reasons(dag, "variable-unknown")
    if "order_date" in expected:
        assert {"now", "odate"} <= {function.name for function in dag.functions}
        assert "order_date" in str(dict(dag.arguments)["user_defined_macros"])


def test_the_number_of_the_week_raises(tmp_path: Path) -> None:
    dag = xml(tmp_path, '<JOB JOBNAME="J" TASKTYPE="Command" CMDLINE="x %%OWEEK" DAYS="ALL"/>')
    assert dag.task("J").role == "raises"


def test_the_mail_of_a_failure_is_sent_without_the_exit_code(tmp_path: Path) -> None:
    mail = '<ON STMT="*" CODE="NOTOK"><DOMAIL DEST="a@x.org" SUBJECT="s" MESSAGE="rc %%COMPSTAT"/></ON>'
    dag = xml(tmp_path, f'<JOB JOBNAME="J" TASKTYPE="Command" CMDLINE="x" DAYS="ALL">{mail}</JOB>')
    assert "var.value" not in str(arguments(dag)["on_failure_callback"])
    assert any("COMPSTAT" in text for text in reasons(dag, "variables"))


def test_a_file_of_variables_is_told(tmp_path: Path) -> None:
    given = '<VARIABLE NAME="%%LIBMEMSYM" VALUE="/etc/mill.vars"/>'
    dag = xml(tmp_path, f'<JOB JOBNAME="J" TASKTYPE="Command" CMDLINE="x %%SIZE" DAYS="ALL">{given}</JOB>')
    assert "/etc/mill.vars" in reasons(dag, "variable-file")[0]


def test_what_an_action_says_besides_is_told(tmp_path: Path) -> None:
    action = {"Type": "Action:Mail", "To": "a@b", "Subject": "s", "Message": "m", "Odd": "x", "Comment": "no matter"}
    when = {"Type": "If:CompletionStatus", "CompletionStatus": "NOTOK", "mail": action}
    dag = made(tmp_path, {"Type": "Job:Command", "Command": "x", "If": when})
    assert [item.element for item in dag.accounts if item.code == "unknown-attribute"] == ["DOMAIL@ODD"]
    other = tmp_path / "xml"
    other.mkdir()
    dag = xml(other, '<JOB JOBNAME="J"><ON STMT="*" CODE="OK"><DOMAIL DEST="a@b" SUBJECT="s" ODD="x"/></ON></JOB>')
    assert [item.element for item in dag.accounts if item.code == "unknown-attribute"] == ["DOMAIL@ODD"]
