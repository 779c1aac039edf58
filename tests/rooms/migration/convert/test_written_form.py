"""A converted project is written as the formatter of a team writes it: `ruff format` and its sorting of imports change nothing."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from ruff.__main__ import find_ruff_bin

from aerodrome.cli.main import run
from aerodrome.migration.convert.contract import TARGETS, Target

HERE = Path(__file__).parent
PIECES = """{"P": {"Type": "Folder", "When": {"WeekDays": ["MON"]},
 "Get": {"Type": "Job:FileTransfer", "ConnectionProfileSrc": "A", "ConnectionProfileDest": "B",
  "Variables": [{"FTP-CONNTYPE1": "FTP"}, {"FTP-CONNTYPE2": "S3"}], "S3BucketNameDest": "b", "FileTransfers": [{"Src": "/in/*.csv", "Dest": "/x/", "TransferOption": "SrcToDest"}]},
 "Step": {"Type": "Job:AWS:StepFunction", "StateMachine": "books", "ConnectionProfile": "AWS", "Confirm": true},
 "Say": {"Type": "Job:EmbeddedScript", "FileName": "a.py", "Script": "print(\\"%%$ODATE\\")\\nprint('it''s')",
  "wait": {"Type": "WaitForEvents", "Events": [{"Event": "NIGHT", "Date": "PreviousOrderDate"}]},
  "bad": {"Type": "If:CompletionStatus", "CompletionStatus": "NOTOK", "mail": {"Type": "Action:Mail", "To": "a@b.c", "Message": "%%JOBNAME"}}},
 "F": {"Type": "Flow", "Sequence": ["Get", "Step", "Say"]}}}"""


@pytest.mark.parametrize("target", TARGETS)
def test_ruff_leaves_a_converted_project_as_it_is(tmp_path: Path, target: Target) -> None:
    (tmp_path / "in").mkdir()
    for file in (HERE / "controlm/exports").iterdir():
        (tmp_path / "in" / file.name).write_bytes(file.read_bytes())
    (tmp_path / "in/pieces.json").write_text(PIECES)
    project = tmp_path / "project"
    assert run(["convert", "controlm", str(tmp_path / "in"), "--out", str(project), "--target", target]) == 0
    for command in (["format", "--check", "--diff"], ["check", "--select", "I,F,E9", "--output-format", "concise"]):
        done = subprocess.run(
            [find_ruff_bin(), *command, "--no-cache", "."],
            cwd=project,
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        )
        assert done.returncode == 0, done.stdout + done.stderr
