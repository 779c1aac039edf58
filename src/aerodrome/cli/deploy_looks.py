"""`aerodrome deploy logs` and `aerodrome deploy diff`."""

from __future__ import annotations

import sys
import time
from typing import Annotated

from cyclopts import Parameter

from aerodrome.cli.options import COMMON_DEFAULTS, Common, say
from aerodrome.cli.output import cell, write_json, write_table
from aerodrome.client.models import Deploy, DeployDiff
from aerodrome.kernel.errors import NotFound

Target = Annotated[str, Parameter(help="The deployment, id or name.")]
_UNFINISHED = {"queued", "building", "switching"}
_COLOURS = {"+": "32", "-": "31", "@": "36"}


def logs(
    number: Annotated[str, Parameter(help="Number or id.")],
    /,
    *,
    deployment: Target,
    step: Annotated[str | None, Parameter(help="Only of this step.")] = None,
    follow: Annotated[bool, Parameter(help="Go on until the deploy has ended.", negative=())] = False,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Show what the steps of a deploy said."""
    with common.connect() as client:
        item = client.deploys.get(deployment, number)
        if step is not None and not follow:
            client.deploys.step_log(
                deployment, number, step
            )  # says which steps there are when it has none of that name
        shown: dict[str, int] = {}
        while True:
            if common.output == "table":
                _write_new(item, step, shown)
            if not follow or item.status not in _UNFINISHED:
                break
            time.sleep(0.5)
            item = client.deploys.get(item.deployment_id, item.id)
    if common.output == "json":
        wanted = [found for found in item.steps if step in (None, found["name"])]
        write_json([{"step": found["name"], "status": found["status"], "log": found["log"]} for found in wanted])
    elif not item.steps:
        say(f"Deploy {item.number} is {item.status}; it has not begun.")
    if item.status == "failed" and item.error and common.output == "table":
        say(f"Deploy {item.number} failed: {item.error.get('message', '')} {item.error.get('hint', '')}".strip())
    if follow and step is not None and step not in {found["name"] for found in item.steps}:
        raise NotFound(f"Deploy {item.number} has no step {step!r}.", code="step-not-found")


def diff(
    before: Annotated[str, Parameter(help="Number or id.")],
    after: Annotated[str, Parameter(help="Number or id.")],
    /,
    *,
    deployment: Target,
    names: Annotated[bool, Parameter(help="Files by name only, without their lines.", negative=())] = False,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Show what differs between two deploys: code, requirements, versions, settings, environment objects."""
    with common.connect() as client:
        found = client.deploys.diff(deployment, before, after)
    if common.output == "json":
        write_json(found)
        return
    if found.is_empty:
        say(f"Deploys {found.before} and {found.after} are the same.")
    rows = _rows(found)
    if rows:
        write_table(("What", "Name", "Before", "After"), rows)
    for file in found.files:
        if not names and file.diff:
            sys.stdout.write("\n")
            for line in file.diff.splitlines():
                sys.stdout.write(_coloured(line) + "\n")
    for remark in found.remarks:
        say(remark)


def _write_new(item: Deploy, only: str | None, shown: dict[str, int]) -> None:
    for found in item.steps:
        name, lines = str(found["name"]), str(found["log"]).splitlines()
        if only not in (None, name):
            continue
        for line in lines[shown.get(name, 0) :]:
            sys.stdout.write(f"{name}: {cell(line)}\n" if only is None else f"{cell(line)}\n")
        shown[name] = len(lines)
    sys.stdout.flush()


def _rows(found: DeployDiff) -> list[list[str]]:
    parts = (
        ("version", found.versions),
        ("requirement", found.requirements),
        ("setting", found.settings),
        ("environment", found.environment),
        ("DAG bundle", found.bundles),
    )
    rows = [[what, cell(item.name), cell(item.before), cell(item.after)] for what, items in parts for item in items]
    for file in found.files:
        name = file.path if file.bundle == "project" else f"{file.bundle}: {file.path}"
        sizes = [f"{count} bytes" if count is not None else "" for count in (file.size_before, file.size_after)]
        what = f"{file.part} {file.change}" + (", binary" if file.is_binary else "")
        rows.append([what, cell(name), *sizes])
    return rows


def _coloured(line: str) -> str:
    text = cell(line.expandtabs(4))
    code = _COLOURS.get(line[:1])
    return f"\033[{code}m{text}\033[0m" if code and sys.stdout.isatty() else text
