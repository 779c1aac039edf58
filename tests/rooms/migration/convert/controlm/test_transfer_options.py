"""Options of file transfers: what is off says nothing, what is on is done, told or raises."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from tests.rooms.migration.convert.controlm.sample import arguments, convert, dag, dag_of

from aerodrome.migration.convert.contract import Dag

PROFILE = {"connection_profiles": {"HERE": "LOCAL", "THERE": "SFTP"}, "default_host": "worker"}


def transfer(tmp_path: Path, given: dict[str, object]) -> Dag:
    item = {"Src": "/in/a.txt", "Dest": "/out/a.txt", "TransferOption": "SrcToDest", **given}
    job = {
        "Type": "Job:FileTransfer",
        "ConnectionProfileSrc": "HERE",
        "ConnectionProfileDest": "THERE",
        "FileTransfers": [item],
    }
    return dag_of(convert(tmp_path, json.dumps({"F": {"Type": "SimpleFolder", "J": job}}), PROFILE, "jobs.json"), "F")


def told(dag: Dag) -> list[str]:
    """Give the options that have no effect, and why the job raises."""
    texts = [item.reason for item in dag.accounts if item.code in ("transfer-option", "transfer")]
    return [text.removeprefix("The transfer option ").removesuffix(" has no effect.") for text in texts]


@pytest.mark.parametrize("value", [False, "false", "FALSE", "N", "No", "0", "None", "Off", "", None, [], {}])
@pytest.mark.parametrize("name", ["RecursivelyTransfer", "ContinueOnFailure", "UNIQUE"])
def test_an_option_that_is_off_says_nothing(tmp_path: Path, name: str, value: object) -> None:
    assert told(transfer(tmp_path, {name: value})) == []


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"ContinueOnFailure": True}, ["ContinueOnFailure"]),
        ({"TransferType": "Ascii"}, ["Its files are copied byte by byte."]),
        ({"CreateEmptyFileDest": "done"}, ["CreateEmptyFileDest of a transfer is not converted."]),
        (
            {"IncrementalTransfer": {"IncrementalTransferEnabled": "No", "MaxModificationAgeForFirstRunInHours": "1"}},
            [],
        ),
        (
            {"IncrementalTransfer": {"IncrementalTransferEnabled": True}},
            ["IncrementalTransfer of a transfer is not converted."],
        ),
    ],
)
def test_an_option_that_is_on_is_told_or_raises(tmp_path: Path, given: dict[str, object], wanted: list[str]) -> None:
    assert told(transfer(tmp_path, given)) == wanted


def test_what_a_watcher_asks_of_its_file_is_told_where_it_watches(tmp_path: Path) -> None:
    asked = {"MinDetectedSizeInBytes": "200", "TimeLimitPolicy": "WaitUntil", "TimeLimitValue": "2000"}
    options: dict[str, object] = {"FileWatcherOptions": {**asked, "UnitsOfTimeLimit": "Minutes", "MinFileAge": "No"}}
    assert told(transfer(tmp_path, options)) == []
    watching = transfer(tmp_path, {**options, "TransferOption": "SrcToDestFileWatcher"})
    assert told(watching) == ["MinDetectedSizeInBytes", "TimeLimitPolicy"]
    limited = {"FileWatcherOptions": {"TimeLimitPolicy": "Limited", "TimeLimitValue": "20"}}
    assert told(transfer(tmp_path, {**limited, "TransferOption": "SrcToDestFileWatcher"})) == []


def test_variables_of_a_whole_transfer_job_are_told(tmp_path: Path) -> None:
    given = {
        "LPATH1": "/in/a.txt", "RPATH1": "/out/a.txt", "UPLOAD1": "1", "CONNTYPE1": "LOCAL", "CONNTYPE2": "SFTP",
        "CONT_EXE": "1", "AUTOREFRESH": "Yes", "RECURSIVE1": "N", "TIMELIMIT1": "5",
    }  # fmt: skip
    variables = "".join(f'<VARIABLE NAME="%%FTP-{name}" VALUE="{value}"/>' for name, value in given.items())
    job = f'<JOB JOBNAME="J" APPL_TYPE="FILE_TRANS" TASKTYPE="Job" DAYS="ALL">{variables}</JOB>'
    text = f'<FOLDER FOLDER_NAME="F" FOLDER_ORDER_METHOD="SYSTEM">{job}</FOLDER>'
    assert told(dag_of(convert(tmp_path, text, PROFILE), "F")) == ["CONT_EXE"]


def by_variables(folder: Path, given: dict[str, str]) -> Dag:
    """Convert one transfer of an XML export from a local host to an SFTP server."""
    own = {
        "LPATH1": "/in/a.txt",
        "RPATH1": "/out/a.txt",
        "CONNTYPE1": "LOCAL",
        "CONNTYPE2": "SFTP",
        "ACCOUNT": "ACC",
        **given,
    }
    variables = "".join(f'<VARIABLE NAME="%%FTP-{name}" VALUE="{value}"/>' for name, value in own.items())
    head = 'JOBNAME="J" TASKTYPE="Job" APPL_TYPE="FILE_TRANS" DAYS="ALL" NODEID="h" RUN_AS="ftp+other"'
    return dag(folder, f"<JOB {head}>{variables}</JOB>")


@pytest.mark.parametrize(
    ("unit", "wanted"),
    [
        ("", timedelta(minutes=4)),
        ("1", timedelta(minutes=4)),
        ("Hours", timedelta(hours=4)),
        ("Seconds", timedelta(seconds=4)),
    ],
)
def test_the_time_limit_of_a_watcher_has_its_unit(tmp_path: Path, unit: str, wanted: timedelta) -> None:
    made = by_variables(tmp_path, {"UPLOAD1": "3", "TIMELIMIT1": "4", "TIMELIMIT_UNIT1": unit})
    assert [arguments(task)["timeout"] for task in made.tasks if "timeout" in arguments(task)] == [wanted]


def test_a_time_limit_that_is_not_understood_raises_where_it_counts(tmp_path: Path) -> None:
    made = by_variables(tmp_path, {"UPLOAD1": "3", "TIMELIMIT1": "4", "TIMELIMIT_UNIT1": "2"})
    assert told(made) == ["The time limit of a watcher, 4 of the unit 2, is not understood."]
    assert told(by_variables(tmp_path, {"UPLOAD1": "1", "TIMELIMIT1": "4", "TIMELIMIT_UNIT1": "2"})) == []
    made = by_variables(tmp_path, {"UPLOAD1": "3", "TIMELIMIT1": "1730", "ABSTIME1": "1"})
    assert told(made) == ["It watches until a time of day (ABSTIME), which is not converted."]


def test_files_of_the_local_host_are_reached_as_its_own_user(tmp_path: Path) -> None:
    made = by_variables(tmp_path, {"LUSER": "local"})
    assert (arguments(made.task("J"))["source_conn_id"], told(made)) == ("sftp_local_h", [])
    assert arguments(by_variables(tmp_path, {}).task("J"))["source_conn_id"] == "sftp_ftp_h"


@pytest.mark.parametrize(("path", "operator"), [("a.txt", "server_transfer"), ("/in/a.txt", "")])
def test_a_path_in_a_variable_is_one_below_the_home_or_from_the_root(tmp_path: Path, path: str, operator: str) -> None:
    item = {"Src": "%%FILE", "Dest": "/out/a.txt", "PreCommandDest": {"action": "rm", "arg1": "/out/a.txt"}}
    profiles = {"ConnectionProfileSrc": "HERE", "ConnectionProfileDest": "NOBODY"}
    job = {"Type": "Job:FileTransfer", **profiles, "FileTransfers": [item], "Variables": [{"FILE": path}]}
    site = {"connection_profiles": {"HERE": "SFTP"}}
    text = json.dumps({"F": {"Type": "SimpleFolder", "J": job}})
    made = dag_of(convert(tmp_path, text, site, "jobs.json"), "F")
    given = arguments(made.task("J"))
    assert str(given.get("python_callable", "")) == (f"Code(text='{operator}', imports=())" if operator else "")
    assert told(made) == ["The definition does not say of which type the connection NOBODY is: it is taken as SFTP."]


def deletion(folder: Path, path: str, given: dict[str, object]) -> Dag:
    job = {"Type": "Job:FileWatcher:Delete", "Path": path, **given}
    text = json.dumps({"F": {"Type": "SimpleFolder", "J": job}})
    return dag_of(convert(folder, text, {"default_host": "worker"}, "jobs.json"), "F")


def test_a_watcher_of_a_deletion_sees_the_files_first_and_then_all_of_them_go(tmp_path: Path) -> None:
    """In mode DELETE ctmfw detects the files before it waits until all of them have gone (parameters of ctmfw, Control-M 9)."""
    files = [tmp_path / "in box" / name for name in ("a.csv", "b.csv")]
    files[0].parent.mkdir()
    made = deletion(tmp_path, f"{files[0].parent}/*.csv", {"SearchInterval": "1"})
    steps: list[Callable[[], object]] = [*(file.touch for file in files), *(file.unlink for file in files)]
    timers = [threading.Timer(1.5 * number, step) for number, step in enumerate(steps, 1)]
    for timer in timers:
        timer.start()
    done = subprocess.run(["bash", "-c", str(arguments(made.task("J"))["bash_command"])], check=False, timeout=60)
    assert (done.returncode, [timer.is_alive() for timer in timers]) == (0, [False] * 4)


def test_a_watcher_of_a_deletion_ends_with_its_limit(tmp_path: Path) -> None:
    made = deletion(tmp_path, f"{tmp_path}/none.csv", {"TimeLimit": "1", "SearchInterval": "60"})
    assert {item.code for item in made.accounts if item.name == "J"} & {"watcher-limit"} == set()
    command = str(arguments(made.task("J"))["bash_command"]).replace("sleep 60", "sleep 0")
    done = subprocess.run(["bash", "-c", command], check=False, timeout=60)
    assert done.returncode == 7
