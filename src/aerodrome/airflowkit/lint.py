"""Runs ruff's Airflow rules over a folder: what Airflow 3 removed or moved, and the fixes ruff knows.

ruff reads files and never runs them. Used to find (sources) and to fix (migration.codemod).
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ruff.__main__ import find_ruff_bin

from aerodrome.kernel.errors import Broken

AIRFLOW_3_RULES = ("AIR301", "AIR302", "AIR303", "AIR311", "AIR312", "AIR321")
"""301-303: fails on 3.0; 311, 312: deprecated, still works; 321: moved in 3.1. Measured with ruff 0.17.6."""
BREAKING_RULES = ("AIR301", "AIR302", "AIR303")
TIMEOUT_S = 600


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
    output = _run(folder, ["--output-format", "json", "--select", ",".join(rules)])
    found: list[Diagnostic] = []
    root = folder.resolve()
    for item in json.loads(output or "[]"):
        path = Path(item["filename"])
        fix = item.get("fix") or {}
        line = (item.get("location") or {}).get("row") or 1
        rule = item["code"] if item.get("code") in rules else "syntax"
        message = item["message"] if rule != "syntax" else "The file does not parse as Python 3."
        file = path.resolve().relative_to(root).as_posix() if path.resolve().is_relative_to(root) else path.name
        found.append(Diagnostic(rule, file, line, message, fix.get("message") or "", bool(fix)))
    return tuple(sorted(found, key=lambda item: (item.file, item.line, item.rule, item.message)))


def fix(folder: Path, rules: Sequence[str], *, files: Sequence[Path] = ()) -> None:
    """Apply every fix of the rules, the unsafe ones too, in place; `files` narrows it to some."""
    _run(folder, ["--fix", "--unsafe-fixes", "--quiet", "--exit-zero", "--select", ",".join(rules)], files)


def _run(folder: Path, arguments: Sequence[str], files: Sequence[Path] = ()) -> str:
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
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=TIMEOUT_S, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Broken(
            "ruff could not be run.", code="ruff-failed", hint="Check the installation (`ruff --version`)."
        ) from error
    if done.returncode not in (0, 1):
        raise Broken(
            f"ruff failed: {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else done.returncode}",
            code="ruff-failed",
            hint="Report this with the file that it names.",
        )
    return done.stdout
