"""Options of file transfers: what is off says nothing, what is on is done, told or raises."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.rooms.migration.convert.controlm.sample import convert, dag_of

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
