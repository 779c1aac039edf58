from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aerodrome.cli.exits import MEANINGS, OF_ERROR, exit_code
from aerodrome.cli.main import run, wants_json
from aerodrome.cli.output import cell, plain, write_fields, write_rows
from aerodrome.cli.words import pairs
from aerodrome.kernel.amounts import size
from aerodrome.kernel.errors import Invalid, Stale
from aerodrome.kernel.secret import Secret
from aerodrome.web.problems import TooLarge

MOMENT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Thing:
    name: str
    made_at: datetime
    secret: Secret
    tags: tuple[str, ...] = ()


THING = Thing("one", MOMENT, Secret("hunter2"), ("a", "b"))


def test_json_is_whole_and_masks_secrets() -> None:
    assert plain(THING) == {
        "name": "one",
        "made_at": "2026-03-01T12:00:00.000000Z",
        "secret": "•••",
        "tags": ["a", "b"],
    }
    assert plain({"path": Path("/x")}) == {"path": "/x"}


def test_a_table_is_aligned_when_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    write_rows("table", [THING, Thing("longer", MOMENT, Secret(""))], {"Name": "name", "Tags": "tags"})
    assert capsys.readouterr().out == "NAME    TAGS\none     a, b\nlonger\n"


def test_an_empty_list_is_json_for_programs_and_a_sentence_for_eyes(capsys: pytest.CaptureFixture[str]) -> None:
    write_rows("json", [], {"Name": "name"})
    assert capsys.readouterr().out == "[]\n"
    write_rows("table", [], {"Name": "name"}, nothing="None yet.")
    assert capsys.readouterr() == ("", "None yet.\n")


def test_fields_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    write_fields("table", THING, {"Name": "name", "Made": "made_at", "Secret": "secret"})
    assert capsys.readouterr().out == "Name    one\nMade    2026-03-01 12:00:00Z\nSecret  •••\n"


def test_control_sequences_do_not_reach_the_terminal() -> None:
    assert cell("a\x1b[31mb\nc") == "a�[31mb�c"


@pytest.mark.parametrize(("count", "text"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (2_000_000, "2.0 MB")])
def test_sizes_are_for_eyes(count: int, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(
    ("words", "is_json"),
    [
        (["x", "--output", "json"], True),
        (["x", "-o", "json", "y"], True),
        (["x", "--output=json"], True),
        (["x", "--output", "table"], False),
        (["x", "json"], False),
        (["x", "--output"], False),
    ],
)
def test_the_wish_for_json_is_seen_even_in_a_wrong_command_line(words: list[str], is_json: bool) -> None:
    assert wants_json(words) is is_json


def test_every_error_has_a_documented_exit_code() -> None:
    assert set(OF_ERROR.values()) <= set(MEANINGS)
    assert exit_code(TooLarge("x", code="y")) == 2
    assert exit_code(Stale("x", code="y")) == 5


def test_pairs_are_read() -> None:
    assert pairs(["A=1", "B=x=y", "C="], option="set") == {"A": "1", "B": "x=y", "C": ""}
    with pytest.raises(Invalid):
        pairs(["A"], option="set")


@pytest.mark.parametrize("url", ["postgresql://u:canary-pw@db/a", "mysql://u:canary-pw@x@db/a"])
@pytest.mark.parametrize(
    "words", [["assess"], ["assess", "--databse-url"], ["deployment", "shwo"], ["-o", "json", "assess"]]
)
def test_a_mistake_in_the_command_line_repeats_no_password(
    url: str, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*words, url]) == 2
    told = capsys.readouterr()
    assert "canary-pw" not in told.out + told.err
    assert "error" in told.err


@pytest.mark.parametrize("module", ["aerodrome", "aerodrome.cli"])
def test_python_runs_the_command(module: str) -> None:
    done = subprocess.run([sys.executable, "-m", module, "--help"], capture_output=True, text=True, check=True)
    assert "migrate" in done.stdout
