"""Definitions as people and plug-ins write them in the field: what they mean must not get lost in their form."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.rooms.migration.convert.controlm.sample import convert, dag_of, functions_of

from aerodrome.migration.convert.contract import Conversion, Dag


def from_json(folder: Path, jobs: dict[str, Any], **more: Any) -> Dag:
    return dag_of(convert(folder, json.dumps({"F": {"Type": "Folder", **jobs}, **more}), name="f.json"), "F")


def from_xml(folder: Path, job: str, head: str = "") -> Dag:
    return dag_of(convert(folder, f'<FOLDER FOLDER_NAME="F" FOLDER_ORDER_METHOD="SYSTEM" {head}>{job}</FOLDER>'), "F")


def codes(of: Dag | Conversion) -> set[str]:
    return {item.code for item in of.accounts if item.code}


def given(dag: Dag, task_id: str) -> dict[str, Any]:
    return dict(dag.task(task_id).arguments)


def test_a_job_that_runs_as_dummy_runs_nothing(tmp_path: Path) -> None:
    on = {"Type": "If:CompletionStatus", "CompletionStatus": "NOTOK", "ok": {"Type": "Action:SetToOK"}}
    dag = from_json(tmp_path, {"J": {"Type": "Job:Command", "Command": "rm -rf /data", "RunAsDummy": True, "on": on}})
    assert (dag.task("J").operator.name, dag.task("J").role) == ("EmptyOperator", "real")
    assert not codes(dag) & {"unknown-attribute", "exit-codes", "result-by-output"}


def test_names_that_stand_twice_in_an_object_are_told(tmp_path: Path) -> None:
    text = '{"F": {"Type": "Folder", "J": {"Type": "Job:Command", "Command": "a"},\n"J": {"Type": "Job:Command", "Command": "b"}}}'
    conversion = convert(tmp_path, text, name="f.json")
    assert next(item.reason for item in conversion.accounts if item.code == "json-twice").startswith(
        "The name J stands"
    )
    assert given(dag_of(conversion, "F"), "J")["bash_command"] == "b"


def test_comments_and_commas_before_brackets_are_read_over(tmp_path: Path) -> None:
    text = """{ // the folder
  "F": {"Type": "Folder", /* one
  job */ "J": {"Type": "Job:Command", "Command": "curl http://host/,} // kept",}, // its end
  }
}"""
    conversion = convert(tmp_path, text, name="f.json")
    assert given(dag_of(conversion, "F"), "J")["bash_command"] == "curl http://host/,} // kept"
    assert codes(conversion) == {"json-repaired"}


def test_output_of_a_job_that_is_no_command_is_told(tmp_path: Path) -> None:
    spark = {"Type": "Job:Hadoop:Spark:Python", "SparkScript": "/a.py", "ConnectionProfile": "S"}
    output = {"Output": {"Operation": "Copy", "Destination": "/var/out.log"}}
    assert "output-handling" in codes(from_json(tmp_path, {"J": {**spark, **output}}))
    assert "output-handling" not in codes(from_json(tmp_path, {"J": {**spark, "Output": {}}}))


def test_the_bucket_of_google_is_part_of_its_address(tmp_path: Path) -> None:
    job = {
        "Type": "Job:FileTransfer",
        "ConnectionProfileSrc": "G",
        "ConnectionProfileDest": "L",
        "GCSBucketName": "lake",
        "Variables": [{"FTP-CONNTYPE1": "GCS"}, {"FTP-CONNTYPE2": "File System"}],
        "FileTransfers": [{"Src": "in/a.csv", "Dest": "/data/a.csv", "TransferOption": "SrcToDest"}],
    }
    dag = from_json(tmp_path, {"J": job})
    assert given(dag, "J")["src"] == "gs://lake/in/a.csv"
    assert "detail-unused" not in codes(dag)


def test_a_member_of_a_data_set_is_a_job_of_z_os_where_the_platform_is_not_said(tmp_path: Path) -> None:
    job = '<JOB JOBNAME="J" TASKTYPE="Job" MEMLIB="CLM.PROD.JCL" MEMNAME="CLMJ010" DAYS="ALL"/>'
    assert "CLM.PROD.JCL(CLMJ010)" in given(from_xml(tmp_path, job), "J")["bash_command"]
    unix = given(from_xml(tmp_path, job, 'PLATFORM="UNIX"'), "J")["bash_command"]
    assert unix.strip() == "CLM.PROD.JCL/CLMJ010"


@pytest.mark.parametrize(
    ("command", "is_windows"),
    [
        ("python c:\\jobs\\load.py", True),
        ('pwsh "C:\\jobs\\x.txt"', True),
        ("ls /c/jobs", False),
    ],
)
def test_a_path_of_windows_anywhere_in_a_command_is_told(tmp_path: Path, command: str, is_windows: bool) -> None:
    dag = from_json(tmp_path, {"J": {"Type": "Job:Command", "Command": command}})
    assert ("windows" in codes(dag)) is is_windows


class Variables:
    """Airflow variables, as far as the functions of a DAG use them."""

    def __init__(self, **values: str) -> None:
        self.values = values

    def get(self, key: str, default: str | None = None) -> str | None:
        return self.values.get(key, default)

    def set(self, key: str, value: str) -> None:
        self.values[key] = value

    def delete(self, key: str) -> None:
        del self.values[key]


def test_a_command_that_adds_a_condition_adds_the_variable_for_which_others_wait(tmp_path: Path) -> None:
    text = """<FOLDER FOLDER_NAME="F" FOLDER_ORDER_METHOD="SYSTEM">
      <JOB JOBNAME="J" TASKTYPE="Command" CMDLINE="/ctm/exe/ctmcontb -ADD &quot;DATA IN&quot; ODAT" DAYS="ALL"/>
      <JOB JOBNAME="K" TASKTYPE="Command" CMDLINE="k" DAYS="ALL"><INCOND NAME="DATA IN" ODATE="ODAT"/></JOB></FOLDER>"""
    dag = dag_of(convert(tmp_path, text), "F")
    call = given(dag, "J")["op_kwargs"]
    assert call["name"] == "DATA IN"
    assert call["dates"] == ["{{ odate(dag_run).strftime('%m') }}{{ odate(dag_run).strftime('%d') }}"]
    space, kept = functions_of(dag), Variables()
    space["Variable"] = kept
    run = SimpleNamespace(conf={"odate": "20260303"})
    space["change_events"](call["name"], ["0303"], call["is_added"], call["is_needed"], run)
    assert kept.values == {"controlm.condition.DATA IN.0303": "20260303"}
    waits = given(dag, "K_waits_DATA_IN")["op_kwargs"]
    assert space["is_added"](waits["name"], run, waits["days"])
    assert not space["is_added"](waits["name"], SimpleNamespace(conf={"odate": "20270303"}), waits["days"])
    assert given(dag, "K_waits_DATA_IN")["op_kwargs"] == {"name": "DATA IN", "days": 0}
    assert "condition-job" in codes(dag)


@pytest.mark.parametrize("mark", [" && ", "\\n", "; "])
def test_a_command_that_changes_several_conditions_changes_each_in_its_order(tmp_path: Path, mark: str) -> None:
    command = mark.join(["/ctm/exe/ctmcontb -ADD ROWS ODAT", "ctmcontb -DELETE DOOR STAT"]).replace("\\n", "\n")
    dag = from_json(tmp_path, {"J": {"Type": "Job:Command", "Command": command}})
    calls = [given(dag, task.full_id)["op_kwargs"] for task in dag.tasks]
    assert [task.role for task in dag.tasks] == ["real", "real"]
    assert [(call["name"].count("ROWS"), call["is_added"]) for call in calls] == [(1, True), (0, False)]
    assert [(edge.before, edge.after) for edge in dag.edges] == [(dag.tasks[0].full_id, "J")]


@pytest.mark.parametrize(
    ("command", "code", "role"),
    [
        ("ctmcontb -DELETEFROM *ENDED-OK* 0404 0410", "controlm-utility", "raises"),
        ("/ctm/exe/ctmorder -FOLDER PAY -NAME '*' -ODATE ODAT", "controlm-utility", "raises"),
        ("ctm run order ctm1 PAY", "controlm-utility", "raises"),
        ("ctmvar -ACTION SET -VAR X -VAREXPR 7", "controlm-utility", "raises"),
        ("./load.sh; ctmvar -ACTION SET -VAR X -VAREXPR 7", "controlm-utility", "real"),
        ("./load.sh && ctmcontb -ADD LOADED ODAT", "controlm-utility", "real"),
        ("cd /home/ctm && ls", "", "real"),
        ("./ctmcontb_report.sh -ADD", "", "real"),
    ],
)
def test_a_command_that_calls_control_m_itself_is_never_silent(
    tmp_path: Path, command: str, code: str, role: str
) -> None:
    dag = from_json(tmp_path, {"J": {"Type": "Job:Command", "Command": command}})
    assert dag.task("J").role == role
    assert codes(dag) & {"controlm-utility"} == ({code} if code else set())


IBM_I = {
    "Type": "Job:OS400:Full:CommandLine",
    "CommandLine": "CALL PGM(PAY)  PARM('A' '%%$ODATE')",
    "Host": "i",
    "RunAs": "u",
}


def test_a_cl_command_runs_by_ssh_with_its_quotes(tmp_path: Path) -> None:
    dag = from_json(tmp_path, {"J": {**IBM_I, "Variables": [{"OS400-CURLIB": "LIB"}]}})
    command = given(dag, "J")["command"].replace("{{ odate(dag_run).strftime('%Y%m%d') }}", "20260303")
    done = subprocess.run(
        ["sh", "-c", f'system() {{ printf "%s" "$1"; }}\n{command}'], capture_output=True, text=True, check=True
    )
    assert done.stdout == "CALL PGM(PAY)  PARM('A' '20260303')"
    told = [item.reason for item in dag.accounts if item.code == "ibm-i-session"]
    assert told[0].endswith("curlib of the job have no effect.")


@pytest.mark.parametrize(
    ("job", "command"),
    [
        ({"Type": "Job:OS400:Program", "Program": "PAY", "Library": "LIB"}, "system 'CALL PGM(LIB/PAY)'"),
        ({"Type": "Job:OS400:Program", "Program": "PAY X", "Library": "LIB"}, None),
        ({"Type": "Job:OS400:Full:ScriptFile"}, None),
        ({**IBM_I, "SpecialEnvironment": "S38"}, None),
    ],
)
def test_a_program_of_ibm_i_is_called_and_other_kinds_raise(
    tmp_path: Path, job: dict[str, Any], command: str | None
) -> None:
    dag = from_json(tmp_path, {"J": {**job, "Host": "i"}})
    assert dag.task("J").role == ("real" if command else "raises")
    assert given(dag, "J").get("command") == command


AWS = {
    "SERVICE_TYPE": "STEP",
    "STEP_NAME": "books",
    "STEP_EXECUTION_NAME": "nightly",
    "STEP_PAYLOAD_JSON-N002-VALUE": "&quot;b&quot;:2}",
    "STEP_PAYLOAD_JSON-N001-VALUE": "{&quot;a&quot;:1,%4E",
    "ACCOUNT": "AWS_A",
    "BATCH_JOB_TYPE": "SINGLE",
    "LAMBDA_PAYLOAD_TYPE": "JSON",
}


def test_the_first_plug_in_of_aws_is_read_by_its_service(tmp_path: Path) -> None:
    values = "".join(f'<VARIABLE NAME="%%AWS-{name}" VALUE="{value}"/>' for name, value in AWS.items())
    dag = from_xml(tmp_path, f'<JOB JOBNAME="J" APPL_TYPE="AWS" APPL_FORM="AWS" DAYS="ALL">{values}</JOB>')
    task = given(dag, "J")
    assert dag.task("J").operator.name == "StepFunctionStartExecutionOperator"
    assert task["state_machine_arn"] == "{{ state_machine_arn('books', 'aws_a') }}"
    assert task["state_machine_input"] == '{"a":1,\n"b":2}'
    assert task["name"] == "nightly-{{ ts_nodash }}-{{ ti.try_number }}"
    assert codes(dag) & {"plugin-details", "execution-name"} == {"execution-name"}


def test_a_state_machine_is_found_by_its_name(tmp_path: Path) -> None:
    pages = [
        {"stateMachines": [{"name": "a", "stateMachineArn": "arn:a"}]},
        {"stateMachines": [{"name": "b", "stateMachineArn": "arn:b"}]},
    ]

    class Hook:
        def __init__(self, aws_conn_id: str) -> None:
            assert aws_conn_id == "c"

        def get_conn(self) -> Hook:
            return self

        def get_paginator(self, name: str) -> Hook:
            assert name == "list_state_machines"
            return self

        def paginate(self) -> list[dict[str, Any]]:
            return pages

    job = {"Type": "Job:AWS:StepFunction", "StateMachine": "b", "ConnectionProfile": "C"}
    space = functions_of(from_json(tmp_path, {"J": job}))
    space["StepFunctionHook"] = Hook
    assert space["state_machine_arn"]("b", "c") == "arn:b"
    with pytest.raises(space["AirflowFailException"], match="no state machine x"):
        space["state_machine_arn"]("x", "c")
    whole = from_json(tmp_path, {"J": {**job, "StateMachine": "arn:aws:states:eu-west-1:1:stateMachine:b"}})
    assert given(whole, "J")["state_machine_arn"] == "arn:aws:states:eu-west-1:1:stateMachine:b"
