"""How a job ends and what happens then: exit codes, lines of the output, reruns, messages, and jobs that are ordered."""

from __future__ import annotations

import subprocess
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from tests.rooms.migration.convert.controlm.sample import arguments, convert, dag, dag_of, json_task, output_of


@pytest.mark.parametrize(
    ("reactions", "code", "expected"),
    [
        ('<ON STMT="*" CODE="COMPSTAT EQ 4"><DO ACTION="OK"/></ON>', 4, 0),
        ('<ON STMT="*" CODE="COMPSTAT EQ 4"><DO ACTION="OK"/></ON>', 5, 5),
        ('<ON STMT="*" CODE="NOTOK"><DO ACTION="OK"/></ON>', 9, 0),
        ('<ON STMT="*" CODE="COMPSTAT GT 3"><DO ACTION="OK"/></ON>', 7, 0),
        ('<ON STMT="*" CODE="COMPSTAT EQ 0"><DO ACTION="NOTOK"/></ON>', 0, 1),
    ],
)
def test_exit_codes_mean_what_the_on_blocks_say(tmp_path: Path, reactions: str, code: int, expected: int) -> None:
    job = f'<JOB JOBNAME="J" TASKTYPE="Command" CMDLINE="exit {code}">{reactions}</JOB>'
    command = str(arguments(dag(tmp_path, job).task("J"))["bash_command"])
    assert subprocess.run(["bash", "-c", command], check=False).returncode == expected


def test_a_response_to_one_statement_that_decides_the_result_raises(tmp_path: Path) -> None:
    job = '<JOB JOBNAME="J" TASKTYPE="Command" CMDLINE="x"><ON STMT="*cp a b*" CODE="*ERROR*"><DO ACTION="NOTOK"/></ON></JOB>'
    made = dag(tmp_path, job)
    assert made.task("J").role == "real"
    assert made.task("J_action_1").role == "raises"
    assert "result-by-output" in {item.code for item in made.accounts if item.outcome == "raises"}


def test_reruns_are_retries_only_when_something_reruns(tmp_path: Path) -> None:
    rerun = '<ON STMT="*" CODE="NOTOK"><DO ACTION="RERUN"/></ON>'
    with_rerun = dag(tmp_path, f'<JOB JOBNAME="J" CMDLINE="x" MAXRERUN="3" INTERVAL="00005M">{rerun}</JOB>').task("J")
    assert (with_rerun.retries, str(with_rerun.retry_delay)) == (3, "0:05:00")
    without = dag(tmp_path, '<JOB JOBNAME="J" CMDLINE="x" MAXRERUN="3"/>')
    assert without.task("J").retries == 0
    assert "rerun-unused" in {item.code for item in without.accounts}


@pytest.mark.parametrize(
    ("code", "action"), [("NOTOK", "OK"), ("OK", "NOTOK"), ("COMPSTAT EQ 4", "OK")], ids=["ok", "notok", "code"]
)
def test_what_a_block_does_besides_turning_the_end_raises(tmp_path: Path, code: str, action: str) -> None:
    block = f'<ON STMT="*" CODE="{code}">{{}}<DO ACTION="{action}"/></ON>'
    job = '<JOB JOBNAME="J" CMDLINE="x" NODEID="h">{}</JOB>'
    made = dag(tmp_path, job.format(block.format('<DOCOND NAME="C" ODATE="ODAT" SIGN="+"/>')))
    assert "result-actions" in {item.code for item in made.accounts if item.outcome == "raises"}
    mail = dag(tmp_path, job.format(block.format('<DOMAIL DEST="a@x.org" MESSAGE="m"/>')))
    assert "message-result" in {item.code for item in mail.accounts}
    assert not {"on_failure_callback", "on_success_callback"} & set(arguments(mail.task("J")))
    alone = dag(tmp_path, job.format(block.format("")))
    assert {item.code for item in alone.accounts if item.outcome == "raises"} == set()


@pytest.mark.parametrize(
    ("acting", "turning", "is_lost"),
    [
        ("NOTOK", "NOTOK OK", True),  # both match the same end
        ("COMPSTAT GT 0", "NOTOK OK", True),  # it sees the exit code, the task only that the job ended OK
        ("COMPSTAT GT 0", "COMPSTAT EQ 4 OK", True),
        ("COMPSTAT EQ 0", "COMPSTAT EQ 0 NOTOK", True),
        ("COMPSTAT EQ 0", "COMPSTAT EQ 4 OK", False),
        ("NOTOK", "COMPSTAT EQ 4 OK", False),  # it sees what the block on the code has made of the job
        ("OK", "*failed* NOTOK", False),
        ("OK", "NOTOK OK", False),
    ],
)
def test_what_one_block_does_when_another_turns_the_end_raises(
    tmp_path: Path, acting: str, turning: str, is_lost: bool
) -> None:
    code, _, action = turning.rpartition(" ")
    job = (
        f'<JOB JOBNAME="J" CMDLINE="x" NODEID="h"><ON STMT="*" CODE="{acting}">{{}}</ON>'
        f'<ON STMT="*" CODE="{code}"><DO ACTION="{action}"/></ON></JOB>'
    )
    made = dag(tmp_path, job.format('<DOCOND NAME="C" ODATE="ODAT" SIGN="+"/>'))
    assert ("result-actions" in {item.code for item in made.accounts if item.outcome == "raises"}) == is_lost
    mail = dag(tmp_path, job.format('<DOMAIL DEST="a@x.org" MESSAGE="m"/>'))
    assert ("message-result" in {item.code for item in mail.accounts}) == is_lost


def test_a_message_about_a_code_at_which_another_block_may_end_the_job_ok_is_told(tmp_path: Path) -> None:
    job = (
        '<JOB JOBNAME="J" CMDLINE="x" NODEID="h"><ON STMT="*" CODE="COMPSTAT GT 3"><DOMAIL DEST="a@x.org" MESSAGE="m"/></ON>'
        '<ON STMT="*" CODE="*grain*"><DO ACTION="{}"/></ON></JOB>'
    )
    for action, is_told in (("OK", True), ("NOTOK", False)):
        made = dag(tmp_path, job.format(action))
        (told,) = (item.reason for item in made.accounts if item.code == "message-code")
        assert ("ends the job OK" in told) == is_told
        assert "on_failure_callback" in arguments(made.task("J"))


def test_all_blocks_that_match_an_end_are_done(tmp_path: Path) -> None:
    blocks = (
        '<ON STMT="*" CODE="OK"><DOMAIL DEST="a@x.org" MESSAGE="first"/><DOCOND NAME="C" ODATE="ODAT" SIGN="+"/></ON>'
        '<ON STMT="*" CODE="NOTOK"><DOMAIL DEST="a@x.org" MESSAGE="bad"/></ON>'
        '<ON STMT="*" CODE="COMPSTAT EQ 0"><DOFORCEJOB TABLE_NAME="F" NAME="K" ODATE="ODAT"/><DOSHOUT DEST="EM" MESSAGE="second"/></ON>'
    )
    jobs = (
        f'<JOB JOBNAME="J" CMDLINE="x" DAYS="ALL">{blocks}</JOB><JOB JOBNAME="K" CMDLINE="k"/>'
        '<JOB JOBNAME="W" CMDLINE="w" DAYS="ALL"><INCOND NAME="C" ODATE="ODAT"/></JOB>'
    )
    made = dag(tmp_path, jobs)
    told = str(arguments(made.task("J"))["on_success_callback"])
    assert told.index("first") < told.index("second")
    assert "bad" in str(arguments(made.task("J"))["on_failure_callback"])
    assert {"J_orders_K", "W"} <= {edge.after for edge in made.edges if edge.before == "J"}


def test_conditions_of_an_on_block_that_hang_together_are_told(tmp_path: Path) -> None:
    """z/OS: ON lines are joined by A (and) or O (or), and what is done stands behind the last one; a step is not the whole job."""
    joined = '<ON PGMS="ANYSTEP" CODE="NOTOK" AND_OR="A"/><ON PGMS="{}" CODE="{}"><DOFORCEJOB TABLE_NAME="F" NAME="K" ODATE="ODAT"/></ON>'
    jobs = '<JOB JOBNAME="J" CMDLINE="x" DAYS="ALL">{}</JOB><JOB JOBNAME="K" CMDLINE="k" DAYS="ALL"/>'
    made = dag(tmp_path, jobs.format(joined.format("ANYSTEP", "NOTOK")))
    assert [item.code for item in made.accounts if item.outcome == "raises"] == ["force-code"]
    alone = '<ON PGMS="{}" CODE="NOTOK"><DOFORCEJOB TABLE_NAME="F" NAME="K" ODATE="ODAT"/></ON>'
    step = dag(tmp_path, jobs.format(alone.format("STEP7")))
    assert [item.code for item in step.accounts if item.outcome == "raises"] == ["force-code"]
    whole = dag(tmp_path, jobs.format(alone.format("ANYSTEP")))
    assert not [item for item in whole.accounts if item.outcome == "raises"]


def test_the_end_of_a_command_of_windows_is_not_read_by_a_posix_shell(tmp_path: Path) -> None:
    job = '<JOB JOBNAME="J" TASKTYPE="Command" CMDLINE="C:\\x\\y.exe" NODEID="w">{}</JOB>'
    rule = '<ON STMT="*" CODE="COMPSTAT EQ 4"><DO ACTION="OK"/></ON>'
    assert dag(tmp_path, job.format("")).task("J").role == "real"
    made = dag(tmp_path, job.format(rule))
    assert made.task("J").role == "raises"
    assert "windows-results" in {item.code for item in made.accounts if item.outcome == "raises"}


def test_actions_after_notok_of_a_job_that_is_rerun_are_told(tmp_path: Path) -> None:
    block = '<ON STMT="*" CODE="NOTOK"><DO ACTION="RERUN"/>{}</ON>'
    job = '<JOB JOBNAME="J" CMDLINE="x" MAXRERUN="3">{}</JOB>'
    told = dag(tmp_path, job.format(block.format('<DOCOND NAME="C" ODATE="ODAT" SIGN="+"/>')))
    assert "rerun-actions" in {item.code for item in told.accounts}
    mail = dag(tmp_path, job.format(block.format('<DOMAIL DEST="a@x.org" MESSAGE="m"/>')))  # sent after every try
    assert "rerun-actions" not in {item.code for item in mail.accounts}


def test_messages_and_other_jobs_follow_the_end_of_a_job(tmp_path: Path) -> None:
    on = (
        '<ON STMT="*" CODE="NOTOK"><DOMAIL DEST="a@x.org;b@x.org" SUBJECT="%%JOBNAME" MESSAGE="m"/></ON>'
        '<ON STMT="*" CODE="OK"><DOFORCEJOB TABLE_NAME="G" NAME="K" ODATE="ODAT"/></ON>'
        '<SHOUT WHEN="OK" DEST="EM" MESSAGE="done"/>'
    )
    text = (
        f'<FOLDER FOLDER_NAME="F"><JOB JOBNAME="J" CMDLINE="x" DAYS="ALL">{on}</JOB></FOLDER>'
        '<FOLDER FOLDER_NAME="G"><JOB JOBNAME="K" CMDLINE="k"/><JOB JOBNAME="L" CMDLINE="l"/></FOLDER>'
    )
    conversion = convert(tmp_path, text)
    made = dag_of(conversion, "F")
    given = arguments(made.task("J"))
    assert "SmtpNotifier" in str(given["on_failure_callback"])
    assert "shout('EM', 'done')" in str(given["on_success_callback"])
    assert arguments(made.task("J_orders_K"))["trigger_dag_id"] == "G__K"
    assert [task.task_id for task in dag_of(conversion, "G__K").tasks] == ["K"]


@pytest.mark.parametrize(("job", "dag_id"), [("K", "ELSEWHERE__K"), ("", "ELSEWHERE")])
def test_what_is_ordered_and_not_in_the_exports_is_the_dag_that_it_will_be(
    tmp_path: Path, job: str, dag_id: str
) -> None:
    on = f'<ON STMT="*" CODE="NOTOK"><DOFORCEJOB TABLE_NAME="ELSEWHERE" NAME="{job}" ODATE="ODAT"/></ON>'
    made = dag(tmp_path, f'<JOB JOBNAME="J" CMDLINE="x" DAYS="ALL">{on}</JOB>')
    task = made.task(f"J_orders_{job or 'ELSEWHERE'}")
    assert (task.role, arguments(task)["trigger_dag_id"]) == ("real", dag_id)
    assert [item.outcome for item in made.accounts if item.code == "force-unknown"] == ["caveat"]
    assert {edge.before for edge in made.edges if edge.after == task.full_id} == {"J_notok"}


def test_what_is_ordered_elsewhere_is_never_a_dag_of_the_exports(tmp_path: Path) -> None:
    on = '<ON STMT="*" CODE="OK"><DOFORCEJOB TABLE_NAME="F/" ODATE="ODAT"/></ON>'
    made = dag(tmp_path, f'<JOB JOBNAME="J" CMDLINE="x" DAYS="ALL">{on}</JOB>')
    assert arguments(made.task("J_orders_F"))["trigger_dag_id"] == "F_2"


def test_the_output_of_a_job_is_copied(tmp_path: Path) -> None:
    always, when_ok, never = tmp_path / "always.txt", tmp_path / "ok.txt", tmp_path / "never.txt"
    rest = (
        f'"Command": "echo hello; echo oh >&2", "Output": {{"Operation": "Copy", "Destination": "{always}"}},'
        f'"A": {{"Type": "If:CompletionStatus", "CompletionStatus": "OK", "O": {{"Type": "Action:Output", "Destination": "{when_ok}"}}}},'
        f'"B": {{"Type": "If:CompletionStatus", "CompletionStatus": "NOTOK", "O": {{"Type": "Action:Output", "Destination": "{never}"}}}}'
    )
    made, task = json_task(tmp_path, "Command", rest)
    assert not [item for item in made.accounts if item.outcome == "raises"]
    assert output_of(task) == (0, "hello\noh\n")
    assert always.read_text() == when_ok.read_text() == "hello\noh\n"
    assert not never.exists()


def test_an_output_that_is_not_copied_is_named(tmp_path: Path) -> None:
    made, task = json_task(tmp_path, "Command", '"Command": "ls", "Output": {"Operation": "Delete"}')
    assert arguments(task)["bash_command"] == "ls"
    assert "output-handling" in {item.code for item in made.accounts}


def test_a_mail_with_the_output_says_that_it_has_none(tmp_path: Path) -> None:
    rest = '"Command": "ls", "A": {"Type": "If:CompletionStatus", "CompletionStatus": "OK", "M": {"Type": "Action:Mail", "To": "a@example.com", "AttachOutput": true}}'
    made, _ = json_task(tmp_path, "Command", rest)
    assert "mail-output" in {item.code for item in made.accounts}


@pytest.mark.parametrize(
    ("command", "blocks", "code"),
    [
        ("exit 7", '<ON STMT="*" CODE="*"><DOACTION ACTION="OK"/></ON>', 0),
        ("echo it failed; exit 0", '<ON STMT="*" CODE="*failed*"><DOACTION ACTION="NOTOK"/></ON>', 1),
        ("echo it went well; exit 0", '<ON STMT="*" CODE="*failed*"><DOACTION ACTION="NOTOK"/></ON>', 0),
        (
            "echo 'done (all)' >&2; exit 3",
            '<ON STMT="*" CODE="done (all)*"><DOACTION ACTION="OK"/></ON>',
            0,
        ),
        (
            "echo undone; exit 3",
            '<ON STMT="*" CODE="done*"><DOACTION ACTION="OK"/></ON>',
            3,
        ),  # a pattern is for the whole line
        (
            "echo it failed; exit 4",
            '<ON STMT="*" CODE="COMPSTAT EQ 4"><DOACTION ACTION="OK"/></ON><ON STMT="*" CODE="*failed*"><DOACTION ACTION="NOTOK"/></ON>',
            1,
        ),  # of all blocks that fit the last one counts
        (
            "echo it failed; exit 4",
            '<ON STMT="*" CODE="*failed*"><DOACTION ACTION="NOTOK"/></ON><ON STMT="*" CODE="COMPSTAT EQ 4"><DOACTION ACTION="OK"/></ON>',
            1,
        ),  # exit codes come before the output
        (
            "exit 4",
            '<ON STMT="*" CODE="COMPSTAT EQ 4"><DOACTION ACTION="OK"/></ON><ON STMT="*" CODE="COMPSTAT GT 3"><DOACTION ACTION="NOTOK"/></ON>',
            1,
        ),
        (
            "echo it failed; exit 0",
            '<ON STMT="*" CODE="NOTOK"><DOACTION ACTION="OK"/></ON><ON STMT="*" CODE="*failed*"><DOACTION ACTION="NOTOK"/></ON>',
            0,
        ),  # OK and NOTOK come last, and see what the others have made of it
        (
            "echo it failed; exit 4",
            '<ON STMT="*" CODE="OK"><DOACTION ACTION="NOTOK"/></ON><ON STMT="*" CODE="NOTOK"><DOACTION ACTION="OK"/></ON>',
            0,
        ),
        (
            "exit 0",
            '<ON STMT="*" CODE="OK"><DOACTION ACTION="NOTOK"/></ON><ON STMT="*" CODE="NOTOK"><DOACTION ACTION="OK"/></ON>',
            1,
        ),
    ],
)
def test_codes_and_lines_of_the_output_decide_how_a_job_ends(
    tmp_path: Path, command: str, blocks: str, code: int
) -> None:
    made = dag(tmp_path, f'<JOB JOBNAME="J" TASKTYPE="Command" CMDLINE="{escape(command)}">{blocks}</JOB>')
    assert not [item for item in made.accounts if item.outcome == "raises"]
    found, output = output_of(made.task("J"))
    assert found == code
    assert "grep" not in str(arguments(made.task("J"))["bash_command"]) or output  # the log still has the output


def test_a_line_after_a_statement_is_not_guessed(tmp_path: Path) -> None:
    made = dag(
        tmp_path,
        '<JOB JOBNAME="J" TASKTYPE="Command" CMDLINE="ls"><ON STMT="ls*" CODE="*"><DOACTION ACTION="OK"/></ON></JOB>',
    )
    assert "result-by-output" in {item.code for item in made.accounts if item.outcome == "raises"}


@pytest.mark.parametrize(
    ("command", "blocks", "code"),
    [
        (
            "echo no grain left; exit 0",
            '<ON STMT="*" CODE="no grain left"><DOACTION ACTION="NOTOK"/></ON>',
            1,
        ),
        (
            "echo there is no grain left; exit 0",
            '<ON STMT="*" CODE="no grain left"><DOACTION ACTION="NOTOK"/></ON>',
            0,
        ),  # a text without a mask is a whole line
        ("printf 'grain: (5+)\\n'; exit 3", '<ON STMT="*" CODE="grain: (5+)"><DOACTION ACTION="OK"/></ON>', 0),
        ("cat /no/such/file; exit 0", '<ON STMT="*No such file*" CODE="*"><DOACTION ACTION="NOTOK"/></ON>', 1),
        ("true", '<ON STMT="*No such file*" CODE="*"><DOACTION ACTION="NOTOK"/></ON>', 0),
    ],
)
def test_texts_without_masks_and_statements_are_looked_for_in_the_output(
    tmp_path: Path, command: str, blocks: str, code: int
) -> None:
    for host in ("", ' NODEID="h" RUN_AS="u"'):
        made = dag(tmp_path, f'<JOB JOBNAME="J"{host} TASKTYPE="Command" CMDLINE="{escape(command)}">{blocks}</JOB>')
        assert not [item for item in made.accounts if item.outcome == "raises"]
        assert {"output-pattern", "output-statement"} & {item.code for item in made.accounts}
        given = arguments(made.task("J"))
        text = str(given.get("bash_command", given.get("command")))
        ended = subprocess.run(["bash", "-c", text], check=False, capture_output=True, text=True)
        assert ended.returncode == code
        plain = subprocess.run(["bash", "-c", command], check=False, capture_output=True, text=True)
        assert ended.stdout.replace("bash: line 3: ", "") == plain.stdout + plain.stderr.replace("bash: line 1: ", "")


def test_an_end_by_the_number_of_runs_is_not_looked_for_in_the_output(tmp_path: Path) -> None:
    block = '<ON STMT="*" CODE="RUNCOUNT EQ 3"><DOACTION ACTION="OK"/></ON>'
    made = dag(tmp_path, f'<JOB JOBNAME="J" TASKTYPE="Command" CMDLINE="x">{block}</JOB>')
    assert "result-by-output" in {item.code for item in made.accounts if item.outcome == "raises"}


def test_what_texts_of_mails_and_messages_read_is_told(tmp_path: Path) -> None:
    inside = (
        '<ON STMT="*" CODE="NOTOK"><DOMAIL DEST="%%TEAM_MAIL" SUBJECT="%%DATACENTER %%WHAT" MESSAGE="m"/></ON>'
        '<SHOUT WHEN="OK" DEST="%%PAGER" MESSAGE="%%JOBNAME of %%WHAT"/>'
    )
    text = f'<FOLDER FOLDER_NAME="F" DATACENTER="HARBOUR" FOLDER_ORDER_METHOD="SYSTEM"><JOB JOBNAME="J" CMDLINE="ls">{inside}</JOB></FOLDER>'
    made = dag_of(convert(tmp_path, text), "F")
    told = [item.reason for item in made.accounts if item.code == "variable-unknown"]
    assert sorted(text.partition(" ")[0] for text in told) == ["%%PAGER", "%%TEAM_MAIL", "%%WHAT"]
    assert "HARBOUR" in str(arguments(made.task("J"))["on_failure_callback"])
    assert "controlm.PAGER" in str(arguments(made.task("J"))["on_success_callback"])
