"""Runs ruff's Airflow rules over a folder: what Airflow 3 removed or moved, and the fixes ruff knows.

ruff reads files and never runs them. Used to find (sources) and to fix (migration.codemod).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from sys import intern
from typing import IO

from ruff.__main__ import find_ruff_bin

from aerodrome.kernel.errors import Broken

AIRFLOW_3_RULES = ("AIR301", "AIR302", "AIR303", "AIR311", "AIR312", "AIR321")
"""301-303: fails on 3.0; 311, 312: deprecated, still works; 321: moved in 3.1. Measured with ruff 0.17.6."""
BREAKING_RULES = ("AIR301", "AIR302", "AIR303")
TIMEOUT_S = 600
_UNREAD = re.compile(r"warning: Failed to lint (.+): stream did not contain valid UTF-8$")
_NOT_UTF8 = "The file is not UTF-8: what Airflow 3 removed is not found in it."


@dataclass(frozen=True)
class Diagnostic:
    """One place that ruff names. `file` is relative to the folder; `hint` is ruff's own advice."""

    rule: str
    file: str
    line: int
    message: str
    hint: str
    is_fixable: bool


def diagnose(folder: Path, rules: Sequence[str] = AIRFLOW_3_RULES) -> tuple[Diagnostic, ...]:
    """Give what the rules find below the folder, ordered by file and line. Files that do not parse give `syntax`."""
    return tuple(sorted(stream(folder, rules), key=lambda item: (item.file, item.line, item.rule, item.message)))


def stream(folder: Path, rules: Sequence[str] = AIRFLOW_3_RULES, *, also: Sequence[Path] = ()) -> Iterator[Diagnostic]:
    """Give the same in ruff's order, as ruff writes it: its output for a big estate takes hundreds of megabytes.

    `also`: links below the folder to folders elsewhere; ruff follows none by itself. Equal texts are one object.
    """
    root = Path(os.path.abspath(folder))  # noqa: PTH100 - links stay what they are
    names: dict[str, str] = {}

    def name_of(place: str) -> str:
        if place not in names:
            path = Path(os.path.abspath(place))  # noqa: PTH100
            names[place] = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
        return names[place]

    files = (folder, *also) if also else ()
    with _ruff(folder, ["--output-format", "json-lines", "--select", ",".join(rules)], files) as (output, errors):
        for line in output:
            item = json.loads(line)
            fix = item.get("fix") or {}
            number = (item.get("location") or {}).get("row") or 1
            rule = intern(item["code"]) if item.get("code") in rules else "syntax"
            message = intern(item["message"]) if rule != "syntax" else "The file does not parse as Python 3."
            yield Diagnostic(
                rule, name_of(item["filename"]), number, message, intern(fix.get("message") or ""), bool(fix)
            )
        for line in errors:
            if unread := _UNREAD.match(line):
                yield Diagnostic("syntax", name_of(unread[1]), 1, _NOT_UTF8, "Save it as UTF-8.", is_fixable=False)


def fix(folder: Path, rules: Sequence[str], *, files: Sequence[Path] = ()) -> None:
    """Apply every fix of the rules, the unsafe ones too, in place; `files` narrows it to some."""
    with _ruff(folder, ["--fix", "--unsafe-fixes", "--quiet", "--exit-zero", "--select", ",".join(rules)], files):
        pass


@contextmanager
def _ruff(folder: Path, arguments: Sequence[str], files: Sequence[Path] = ()) -> Iterator[tuple[IO[str], IO[str]]]:
    """Run ruff and give what it wrote to both streams; Broken `ruff-failed` when it fails or takes too long."""
    command = [
        find_ruff_bin(),
        "check",
        "--isolated",
        "--no-cache",
        "--preview",
        "--config",
        "lint.explicit-preview-rules=true",
        "--config",
        "respect-gitignore=false",
        "--target-version",
        "py311",
        *arguments,
        *(str(file) for file in files or (folder,)),
    ]
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as output,
        tempfile.TemporaryFile("w+", encoding="utf-8") as errors,
    ):
        try:
            done = subprocess.run(
                command, stdout=output, stderr=errors, check=False, timeout=TIMEOUT_S, stdin=subprocess.DEVNULL
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Broken(
                "ruff could not be run.", code="ruff-failed", hint="Check the installation (`ruff --version`)."
            ) from error
        errors.seek(0)
        if done.returncode not in (0, 1):
            said = errors.read().strip()
            raise Broken(
                f"ruff failed: {said.splitlines()[-1] if said else done.returncode}",
                code="ruff-failed",
                hint="Report this with the file that it names.",
            )
        output.seek(0)
        yield output, errors
