"""ON blocks of jobs that have no output here: those that say the end of a service again, and those on codes with which a task has failed."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.rooms.migration.convert.controlm.sample import arguments, convert, dag, dag_of

from aerodrome.migration.convert.contract import Dag

MAIL = '<DOMAIL DEST="a@x.org" SUBJECT="s" MESSAGE="m"/>'
LAMBDA = 'TASKTYPE="Job" APPL_TYPE="AWS" DAYS="ALL" NODEID="h"'
DETAILS = '<VARIABLE NAME="%%AWS-SERVICE_TYPE" VALUE="LAMBDA"/><VARIABLE NAME="%%AWS-LAMBDA_FUNCTION_NAME" VALUE="f"/><VARIABLE NAME="%%AWS-ACCOUNT" VALUE="p"/>'


def codes(made: Dag) -> list[str]:
    return [item.code for item in made.accounts if item.element.startswith("ON/") and item.code]


def service(folder: Path, blocks: str) -> Dag:
    return dag(folder, f'<JOB JOBNAME="J" {LAMBDA}>{DETAILS}{blocks}</JOB>')


def watcher(folder: Path, blocks: str) -> Dag:
    head = 'JOBNAME="J" TASKTYPE="Command" APPL_TYPE="OS" CMDLINE="ctmfw /in/a.csv CREATE 0 60 10 3 5" DAYS="ALL" NODEID="h"'
    return dag(folder, f"<JOB {head}>{blocks}</JOB>")


def test_blocks_that_say_the_end_of_a_service_again_leave_it_as_it_is(tmp_path: Path) -> None:
    pair = '<ON STMT="*" CODE="*success*"><DOACTION ACTION="OK"/></ON><ON STMT="*" CODE="*failed*"><DOACTION ACTION="NOTOK"/>'
    made = service(tmp_path, f'{pair}{MAIL}</ON><ON STMT="*" CODE="NOTOK">{MAIL}</ON>')
    assert [(task.full_id, task.role) for task in made.tasks] == [("J", "real")]
    assert codes(made) == ["result-restated", "result-restated"]
    assert str(arguments(made.task("J"))["on_failure_callback"]).count("a@x.org") == 2


def test_blocks_that_turn_the_end_of_a_service_raise(tmp_path: Path) -> None:
    made = service(tmp_path, '<ON STMT="*" CODE="*failed*"><DOACTION ACTION="OK"/></ON>')
    assert codes(made) == ["result-by-output"]
    made = service(tmp_path, '<ON STMT="*" CODE="*row 7*"><DOACTION ACTION="NOTOK"/></ON>')
    assert codes(made) == ["result-by-output"]


def test_the_time_limit_of_a_watcher_raises_when_it_has_failed_and_no_earlier(tmp_path: Path) -> None:
    """7 is the return code of ctmfw after its time limit (return codes of ctmfw, Control-M 9)."""
    late = f'<ON STMT="*" CODE="COMPSTAT EQ 7">{MAIL}<DOACTION ACTION="OK"/></ON>'
    made = watcher(tmp_path, late)
    [raising] = [task for task in made.tasks if task.role == "raises"]
    assert [edge.before for edge in made.edges if edge.after == raising.full_id] == ["J_notok"]
    assert codes(made) == ["message-code", "result-by-output"]
    assert "a@x.org" in str(arguments(made.task("J"))["on_failure_callback"])


def test_a_code_that_ends_a_failed_watcher_not_ok_says_nothing_new(tmp_path: Path) -> None:
    made = watcher(tmp_path, '<ON STMT="*" CODE="COMPSTAT EQ 7"><DOACTION ACTION="NOTOK"/></ON>')
    assert ({task.role for task in made.tasks}, codes(made)) == ({"real"}, [])


def test_a_folder_that_ends_not_ok_sends_its_messages_and_orders_its_jobs(tmp_path: Path) -> None:
    blocks = f'<ON STMT="*" CODE="NOTOK">{MAIL}<DOFORCEJOB TABLE_NAME="REPAIR" NAME="" ODATE="ODAT"/></ON>'
    jobs = '<JOB JOBNAME="A" TASKTYPE="Command" CMDLINE="x"/><JOB JOBNAME="B" TASKTYPE="Command" CMDLINE="x"/>'
    text = f'<SMART_FOLDER FOLDER_NAME="F" FOLDER_ORDER_METHOD="SYSTEM" DAYS="ALL">{blocks}{jobs}</SMART_FOLDER>'
    made = dag_of(convert(tmp_path, text), "F")
    [gate] = [task for task in made.tasks if task.full_id == "F_notok"]
    assert (gate.trigger_rule, "a@x.org" in str(arguments(gate)["on_success_callback"])) == ("one_failed", True)
    assert {edge.before for edge in made.edges if edge.after == "F_notok"} == {"A", "B"}
    [ordering] = [edge.after for edge in made.edges if edge.before == "F_notok"]
    assert arguments(made.task(ordering))["trigger_dag_id"] == "REPAIR"
    [failing] = [task for task in made.tasks if task.role == "fails"]
    assert {edge.before for edge in made.edges if edge.after == failing.full_id} == {"A", "B"}  # the run stays failed
    assert "folder-notok" in {item.code for item in made.accounts}


def test_the_dag_of_a_job_that_is_ordered_alone_says_where_the_rest_is_told(tmp_path: Path) -> None:
    order = '<ON STMT="*" CODE="OK"><DOFORCEJOB TABLE_NAME="F" NAME="B" ODATE="ODAT"/></ON>'
    jobs = f'<JOB JOBNAME="A" TASKTYPE="Command" CMDLINE="x" DAYS="ALL">{order}</JOB><JOB JOBNAME="B" TASKTYPE="Command" CMDLINE="x"/>'
    made = dag_of(convert(tmp_path, f'<FOLDER FOLDER_NAME="F" FOLDER_ORDER_METHOD="SYSTEM">{jobs}</FOLDER>'), "F__B")
    assert "stands in the DAG F, which has it, too." in made.doc


def test_an_end_that_every_block_turns_needs_no_test(tmp_path: Path) -> None:
    block = '<ON STMT="*" CODE="*"><DOACTION ACTION="OK"/></ON>'
    made = dag(tmp_path, f'<JOB JOBNAME="J" TASKTYPE="Command" CMDLINE="exit 3" DAYS="ALL">{block}</JOB>')
    command = str(arguments(made.task("J"))["bash_command"])
    assert "if true" not in command
    assert subprocess.run(["bash", "-c", command], check=False).returncode == 0


def test_what_the_deadline_of_a_service_says_is_told_once(tmp_path: Path) -> None:
    details = '<VARIABLE NAME="%%BIM-SERVICE_NAME" VALUE="S"/><VARIABLE NAME="%%BIM-DUE_TIME" VALUE="08:00,2"/>'
    made = dag(tmp_path, f'<JOB JOBNAME="J" TASKTYPE="Job" APPL_TYPE="BIM" MEMNAME="BIM" DAYS="ALL">{details}</JOB>')
    assert [item.code for item in made.accounts if item.element == "JOB/sla"] == ["sla-service"]
