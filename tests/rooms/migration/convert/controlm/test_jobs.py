"""Every kind of job becomes what does the same, or a task that raises and says why; nothing becomes an empty task in silence."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from tests.rooms.migration.convert.controlm.sample import arguments, convert, dag, dag_of, json_task, output_of

from aerodrome.migration.convert.controlm.priorities import weight_of


def variables(**values: str) -> str:
    return "".join(f'<VARIABLE NAME="%%{name.replace("__", "-")}" VALUE="{value}"/>' for name, value in values.items())


KINDS = [
    (
        '<JOB JOBNAME="J" TASKTYPE="Command" CMDLINE="ls" NODEID="h" RUN_AS="u"/>',
        "SSHOperator",
        {"command": "ls", "ssh_conn_id": "ssh_u_h"},
    ),
    ('<JOB JOBNAME="J" TASKTYPE="Command" CMDLINE="ls"/>', "BashOperator", {"bash_command": "ls"}),
    ('<JOB JOBNAME="J" TASKTYPE="Command" CMDLINE="/x/run.sh"/>', "BashOperator", {"bash_command": "/x/run.sh "}),
    (
        f'<JOB JOBNAME="J" TASKTYPE="Job" MEMLIB="/x/" MEMNAME="run.sh">{variables(PARM2="b c", PARM1="a")}</JOB>',
        "BashOperator",
        {"bash_command": '/x/run.sh a "b c"'},
    ),
    (
        f'<JOB JOBNAME="J" TASKTYPE="Job" MEMLIB="/x/" MEMNAME="run.sh">{variables(PARM1="%%SUBSTR %%JOBNAME 1 1", PARM2="7 %%PLUS 1")}</JOB>',
        "BashOperator",
        {"bash_command": """/x/run.sh "{{ ('J' | string)[0:1] }}" "{{ ('7' | int) + ('1' | int) }}\""""},
    ),
    ('<JOB JOBNAME="J" TASKTYPE="Dummy" CMDLINE="never"/>', "EmptyOperator", {}),
    (
        '<JOB JOBNAME="J" TASKTYPE="Command" CMDLINE="ctmfw /in/a.csv CREATE 0 60 10 3 45"/>',
        "FileSensor",
        {"filepath": "/in/a.csv"},
    ),
    (
        f'<JOB JOBNAME="J" APPL_TYPE="FILE_TRANS" NODEID="h" RUN_AS="u">{variables(FTP__LPATH1="/a", FTP__RPATH1="/b", FTP__UPLOAD1="1", FTP__RHOST="r")}</JOB>',
        "FileTransferOperator",
        {"src": "sftp:///a", "dst": "sftp:///b", "dest_conn_id": "r"},
    ),
    (
        f'<JOB JOBNAME="J" APPL_TYPE="DATABASE">{variables(DB__QUERY="select 1", DB__ACCOUNT="BOOKS")}</JOB>',
        "SQLExecuteQueryOperator",
        {"conn_id": "books", "sql": "select 1"},
    ),
    (
        f'<JOB JOBNAME="J" APPL_TYPE="ADF">{variables(**{"UCM__PIPELINE NAME": "p", "UCM__RESOURCE GROUP NAME": "g", "UCM__DATA FACTORY NAME": "d"})}</JOB>',
        "AzureDataFactoryRunPipelineOperator",
        {"pipeline_name": "p", "resource_group_name": "g", "factory_name": "d"},
    ),
    (
        f'<JOB JOBNAME="J" APPL_TYPE="Databricks">{variables(**{"UCM__DATABRICKS JOB ID": "17"})}</JOB>',
        "DatabricksRunNowOperator",
        {"job_id": "17"},
    ),
]


@pytest.mark.parametrize(("job", "operator", "expected"), KINDS)
def test_a_job_becomes_the_operator_that_does_the_same(
    tmp_path: Path, job: str, operator: str, expected: dict[str, object]
) -> None:
    task = dag(tmp_path, job.replace("<JOB ", '<JOB DAYS="ALL" ', 1)).task("J")
    assert task.operator.name == operator
    assert task.role == "real"
    assert {name: arguments(task).get(name) for name in expected} == expected


RAISING = [
    ('<JOB JOBNAME="J" APPL_TYPE="SAP" APPL_FORM="SAP R3"/>', "job-sap"),
    ('<JOB JOBNAME="J" TASKTYPE="Job" INSTREAM_JCL="//STEP EXEC PGM=SORT&#10;//* %%SET %%A = B"/>', "zos-statements"),
    ('<JOB JOBNAME="J" APPL_TYPE="ALA"/>', "job-logic-app"),
    ('<JOB JOBNAME="J" APPL_TYPE="OWN_PLUGIN"/>', "job-other"),
    ('<JOB JOBNAME="J" APPL_TYPE="ADF"/>', "detail-missing"),
    ('<JOB JOBNAME="J" APPL_TYPE="FILE_TRANS"/>', "transfer"),
    (
        '<JOB JOBNAME="J" TASKTYPE="Command" CMDLINE="x %%A"><VARIABLE NAME="%%A" VALUE="%%GETDATE 1 %%SUBSTR x 1 1"/></JOB>',
        "variables",
    ),
    (
        '<JOB JOBNAME="J" APPL_TYPE="DATABASE"><ON STMT="*" CODE="COMPSTAT EQ 4"><DO ACTION="OK"/></ON></JOB>',
        "database-empty",
    ),
]


@pytest.mark.parametrize(("job", "code"), RAISING)
def test_what_cannot_be_converted_raises_with_its_reason(tmp_path: Path, job: str, code: str) -> None:
    made = dag(tmp_path, job)
    task = made.task("J")
    assert (task.role, task.operator.name) == ("raises", "PythonOperator")
    told = [item for item in made.accounts if item.outcome == "raises"]
    assert code in {item.code for item in told}
    assert str(arguments(task)["op_args"])[2:-2] in {item.reason for item in told}


def test_an_embedded_script_runs_word_for_word(tmp_path: Path) -> None:
    script = "#!/bin/sh&#10;printf '%s|' \"$@\"&#10;echo $((1 + 1))"
    job = f'<JOB JOBNAME="J" USE_INSTREAM_JCL="Y" INSTREAM_JCL="{script.replace(chr(34), "&quot;")}">{variables(PARM1="a b")}</JOB>'
    command = str(arguments(dag(tmp_path, job).task("J"))["bash_command"])
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout == "a b|2\n"


@pytest.mark.parametrize(
    ("zone", "codes"),
    [
        ("EST", ["timezone-name"]),
        ("HKG", ["timezone-name"]),
        ("MARS", ["timezone-unknown"]),
        ("GMT", []),
        ("Europe/Paris", []),
    ],
)
def test_a_short_name_of_a_time_zone_is_told(tmp_path: Path, zone: str, codes: list[str]) -> None:
    made = dag(tmp_path, f'<JOB JOBNAME="J" CMDLINE="x" DAYS="ALL" TIMEFROM="0600" TIMETO="0700" TIMEZONE="{zone}"/>')
    assert [item.code for item in made.accounts if item.code.startswith("timezone")] == codes
    if zone == "HKG":
        assert "zone='Asia/Hong_Kong'" in str(arguments(made.task("J_not_before"))["target_time"])


def test_resources_are_pools(tmp_path: Path) -> None:
    jobs = (
        '<JOB JOBNAME="A" CMDLINE="x"><QUANTITATIVE NAME="DB" QUANT="3"/></JOB>'
        '<JOB JOBNAME="B" CMDLINE="x"><CONTROL NAME="LOCK" TYPE="E"/></JOB>'
        '<JOB JOBNAME="C" CMDLINE="x"><CONTROL NAME="LOCK" TYPE="S"/></JOB>'
        '<JOB JOBNAME="D" CMDLINE="x"><QUANTITATIVE NAME="DB" QUANT="1"/><CONTROL NAME="ALONE" TYPE="E"/></JOB>'
    )
    conversion = convert(tmp_path, f'<FOLDER FOLDER_NAME="F">{jobs}</FOLDER>', {"pools": {"DB": 8}})
    made = dag_of(conversion, "F")
    assert [(task.pool, task.pool_slots) for task in made.tasks] == [("DB", 3), ("LOCK", 100), ("LOCK", 1), ("DB", 1)]
    assert [(pool.name, pool.slots) for pool in conversion.pools] == [("DB", 8), ("LOCK", 100)]
    assert "resource-second" in {item.code for item in made.accounts}


def test_a_job_to_confirm_waits_for_an_approval_on_both_targets(tmp_path: Path) -> None:
    conversion = convert(tmp_path, '<FOLDER FOLDER_NAME="F"><JOB JOBNAME="J" CMDLINE="x" CONFIRM="1"/></FOLDER>')
    made = dag_of(conversion, "F")
    assert [(edge.before, edge.after) for edge in made.edges] == [("J_confirm", "J")]
    assert made.task("J_confirm").operator.modules["3.3"] == "airflow.providers.standard.operators.hitl"
    assert [(file.path, file.targets) for file in conversion.files] == [("plugins/controlm_approval.py", ("2.11",))]


def test_hosts_run_where_the_profile_says(tmp_path: Path) -> None:
    job = '<JOB JOBNAME="J" TASKTYPE="Command" CMDLINE="x" NODEID="Big01" RUN_AS="u"/>'
    assert dag(tmp_path, job, {"hosts": {"big01": "worker"}}).task("J").operator.name == "BashOperator"
    queued = dag(tmp_path, job, {"hosts": {"big01": {"queue": "big"}}}).task("J")
    assert (queued.operator.name, queued.queue) == ("BashOperator", "big")
    assert arguments(dag(tmp_path, job, {"hosts": {"big01": "ssh_big"}}).task("J"))["ssh_conn_id"] == "ssh_big"


def test_priorities_keep_their_order() -> None:
    weights = [weight_of(word) for word in ("AA", "AB", "BA", "ZZ", "A0", "99")]
    assert weights[0] < weights[1] < weights[2] < weights[3]
    assert max(weights) == weights[-1]
    assert weight_of("") == 1


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (r"#!/bin/bash\\nfor x in a b\\ndo echo $x; done\\nexit 3", (3, "a\nb\n")),
        (r"#!/bin/bash\\nprintf 'a\\\\nb'\\n", (0, "a\nb")),  # the backslash itself is escaped
        (r"#!/bin/bash\nprintf 'a\\nb'\n", (0, "a\nb")),  # lines as JSON has them: nothing to undo
    ],
)
def test_an_embedded_script_has_its_lines(tmp_path: Path, script: str, expected: tuple[int, str]) -> None:
    _, task = json_task(tmp_path, "EmbeddedScript", f'"Script": "{script}", "FileName": "x.sh"')
    assert output_of(task) == expected


def test_a_job_reads_its_variables_from_the_environment(tmp_path: Path) -> None:
    rest = '"Script": "#!/bin/bash\\\\necho $agent %%day $HOME_OF_NONE $note", "FileName": "x.sh", "Variables": [{"agent": "a b"}, {"day": "monday"}, {"note": "it\'s"}]'
    made, task = json_task(tmp_path, "EmbeddedScript", rest)
    assert output_of(task) == (0, "a b monday it's\n")
    assert "export day" not in str(arguments(task)["bash_command"])  # the text has it already
    assert "variables-exported" in {item.code for item in made.accounts}


def test_a_computed_variable_is_in_the_environment(tmp_path: Path) -> None:
    rest = '"Command": "echo $short", "Variables": [{"long": "abcdef"}, {"short": "%%SUBSTR %%long 2 3"}]'
    _, task = json_task(tmp_path, "Command", rest)
    assert "export short='{{ ('abcdef' | string)[1:4] }}'" in str(arguments(task)["bash_command"])


@pytest.mark.parametrize(("said", "is_needed"), [("", False), ('"FailJobOnDestCommandFailure": true,', True)])
def test_a_command_beside_a_transfer_fails_the_job_only_when_it_says_so(
    tmp_path: Path, said: str, is_needed: bool
) -> None:
    rest = (
        '"ConnectionProfileSrc": "A", "ConnectionProfileDest": "B", "FileTransfers": [{"Src": "/a", "Dest": "/b",'
        f'{said} "TransferOption": "SrcToDest", "PreCommandDest": {{"action": "rm", "arg1": "/b"}}}}]'
    )
    made, _ = json_task(tmp_path, "FileTransfer", rest)
    given = arguments(made.task("J_before_1"))["op_kwargs"]
    assert isinstance(given, dict)
    assert given.get("is_needed", True) is is_needed
    removing = next(item.source for item in made.functions if item.name == "file_command")

    class Missing:
        """Stands for a path that is not there."""

        def __init__(self, *_: object, **__: object) -> None: ...
        def unlink(self) -> None:
            raise FileNotFoundError("/b")

    space: dict[str, object] = {"ObjectStoragePath": Missing}
    exec(removing, space)
    if is_needed:
        with pytest.raises(FileNotFoundError):
            space["file_command"](**given)  # type: ignore[operator]
    else:
        space["file_command"](**given)  # type: ignore[operator]


def test_a_command_is_run_whatever_its_task_type_says(tmp_path: Path) -> None:
    made = dag(
        tmp_path, '<JOB JOBNAME="J" TASKTYPE="Job" CMDLINE="/x/run.py %%JOBNAME"/><JOB JOBNAME="K" TASKTYPE="Job"/>'
    )
    assert arguments(made.task("J"))["bash_command"] == "/x/run.py J"
    assert made.task("K").role == "raises"


def test_paths_of_windows_are_told(tmp_path: Path) -> None:
    watch = '<JOB JOBNAME="{0}" APPL_TYPE="FileWatch" NODEID="h" RUN_AS="u"><VARIABLE NAME="%%FileWatch-FILE_PATH" VALUE="{1}"/></JOB>'
    made = dag(tmp_path, watch.format("J", r"C:\in\a.csv") + watch.format("K", r"\\share\in\a.csv"))
    assert arguments(made.task("J"))["path"] == "/C:/in/a.csv"
    assert sorted(item.name for item in made.accounts if item.code == "windows-path") == ["J", "K"]
    ftp = variables(
        FTP__LPATH1="/a/*.DAT",
        FTP__RPATH1=".\\",
        FTP__UPLOAD1="1",
        FTP__CONNTYPE1="LOCAL",
        FTP__CONNTYPE2="FTP",
        FTP__RHOST="r",
    )
    sent = dag(tmp_path, f'<JOB JOBNAME="J" APPL_TYPE="FILE_TRANS" NODEID="h" RUN_AS="u">{ftp}</JOB>')
    given = arguments(sent.task("J"))["op_kwargs"]
    assert isinstance(given, dict)
    assert given["destination"] == "ftp://./"


def test_a_job_that_changes_a_condition_changes_the_variable_for_which_others_wait(tmp_path: Path) -> None:
    def job(**details: str) -> str:
        given = variables(**{f"AI__{key.replace('_', ' ')}": value for key, value in details.items()})
        return f'<JOB JOBNAME="J" APPL_TYPE="AI ControlM Condition" DAYS="ALL">{given}</JOB>'

    def keys(**details: str) -> object:
        task = dag(tmp_path, job(**details)).task("J")
        given = arguments(task).get("op_kwargs")
        return (task.role, given["name"], given["dates"], given["is_added"]) if isinstance(given, dict) else task.role

    day = "{{ odate(dag_run).strftime('%m') }}{{ odate(dag_run).strftime('%d') }}"
    assert keys(Event_Name="DONE") == ("real", "DONE", [day], True)
    assert keys(Event_Name="DONE", ODate_type="No Date") == ("real", "DONE", [""], True)
    assert keys(
        Event_Name="DONE", Action="Delete event", **{"ODate_type": "Specific Date", "Event_Date (MMDD)": "0131"}
    ) == (
        "real",
        "DONE",
        ["0131"],
        False,
    )
    assert keys(Event_Name="DONE", ODate_type="Next week") == "raises"
    assert keys(ODate_type="Today") == "raises"
    assert keys(Event_Name="DONE", Action="Order a folder") == "raises"


@pytest.mark.parametrize(("size", "told"), [("500", ["minimal_size"]), ("0", [])])
def test_the_size_that_a_file_must_have_is_told(tmp_path: Path, size: str, told: list[str]) -> None:
    job = f'<JOB JOBNAME="J" DAYS="ALL" CMDLINE="ctmfw /in/a.csv CREATE {size} 60 10 3 45"/>'
    reasons = [item.reason for item in dag(tmp_path, job).accounts if item.code == "detail-unused"]
    assert [text.rstrip(".").rpartition(": ")[2] for text in reasons] == told


def test_a_service_is_told_whatever_its_task_type_says(tmp_path: Path) -> None:
    given = '<VARIABLE NAME="%%BIM-SERVICE_NAME" VALUE="Harvest"/><VARIABLE NAME="%%BIM-DUE_TIME" VALUE="0630"/>'
    for kind in ("Dummy", "Job"):
        made = dag(tmp_path, f'<JOB JOBNAME="J" APPL_TYPE="BIM" TASKTYPE="{kind}">{given}</JOB>')
        assert "Harvest and its deadline (06:30)" in next(a.reason for a in made.accounts if a.code == "sla-service")


def test_a_file_watcher_looks_as_often_as_it_did_and_says_what_it_does_not_look_at(tmp_path: Path) -> None:
    given = (
        '<VARIABLE NAME="%%FileWatch-FILE_PATH" VALUE="/in/a.csv"/><VARIABLE NAME="%%FileWatch-INT_FILE_SEARCHES" VALUE="5"/>'
        '<VARIABLE NAME="%%FileWatch-MIN_AGE" VALUE="00:00:10"/><VARIABLE NAME="%%FileWatch-MAX_AGE" VALUE="NO_MAX_AGE"/>'
    )
    made = dag(tmp_path, f'<JOB JOBNAME="J" APPL_TYPE="FileWatch">{given}</JOB>')
    assert arguments(made.task("J"))["poke_interval"] == 5
    told = next(a.reason for a in made.accounts if a.code == "watcher-age")
    assert "MIN_AGE" in told
    assert "MAX_AGE" not in told


def test_the_user_and_the_retries_of_a_transfer_are_told(tmp_path: Path) -> None:
    given = variables(
        FTP__LPATH1="/a",
        FTP__RPATH1="/b",
        FTP__UPLOAD1="1",
        FTP__CONNTYPE1="LOCAL",
        FTP__RHOST="r",
        FTP__LUSER="clerk",
        FTP__USE_DEF_NUMRETRIES="1",
    )
    made = dag(tmp_path, f'<JOB JOBNAME="J" APPL_TYPE="FILE_TRANS">{given}</JOB>')
    told = " ".join(item.reason for item in made.accounts if item.code == "transfer-option")
    assert "not of clerk" in told
    assert "breaks off" in told
