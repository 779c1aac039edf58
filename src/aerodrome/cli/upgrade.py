"""`aerodrome upgrade`: DAG code for another Airflow version; no server, the source folder is not touched."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from aerodrome.airflowkit.versions import DEFAULT
from aerodrome.cli.options import OFFLINE_DEFAULTS, Offline, say
from aerodrome.cli.output import write_json, write_table
from aerodrome.migration import codemod

app = App(name="upgrade", help="Upgrade DAG code to another Airflow version, without a server.")


@app.default
def run(
    path: Annotated[Path, Parameter(help="The project folder.")],
    /,
    *,
    out: Annotated[Path, Parameter(help="Where the upgraded project goes: a new or empty folder.")],
    target_version: Annotated[str, Parameter(help="The Airflow version to move to.")] = DEFAULT,
    diff: Annotated[bool, Parameter(help="Show the changes line by line.")] = True,
    offline: Offline = OFFLINE_DEFAULTS,
) -> None:
    """Copy a project and upgrade the copy; shows what changed and what remains for a person to look at."""
    done = codemod.upgrade(path, out, target_version)
    if offline.output == "json":
        write_json(done.as_data())
        return
    if diff:
        for file in done.files:
            sys.stdout.write(file.diff + ("\n" if file.diff and not file.diff.endswith("\n") else ""))
    changed = sum(bool(file.diff) for file in done.files)
    if done.findings:
        rows = [[f"{item.file}:{item.line}", item.rule, item.message] for item in done.findings]
        write_table(("Where", "Rule", "What a person must look at"), rows)
    say(f"{changed} of {done.files_total} files changed for Airflow {target_version}; the result is in {out}.")
